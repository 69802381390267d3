import { describe, it } from "vitest";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { drawChain, GRAPHS } from "../../testing/arbitrary.js";
import { PRECISIONS, expectSameBits } from "../../testing/bits.js";
import { Cases } from "../../testing/compare.js";
import { descent, together } from "../../testing/descent.js";

describe.each(PRECISIONS)("native code gives the bits of WebAssembly, %s:", (precision) => {
  it("each primitive on random shapes and strides", { timeout: 300_000 }, async () => {
    const all = Object.values(GRAPHS);
    const { made, data } = together(8, (d) => all.map((graph) => graph(d)));
    await expectSameBits({ name: "primitives", outputs: made.flat(), updates: [] }, data, { precision, threads: 2 });
  });

  it(
    "chains of primitives, with their gradients, as steps that update what they read",
    { timeout: 300_000 },
    async () => {
      const { made, data } = together(25, (d) => drawChain(d, d.int(2, 8)));
      const { loss, updates } = descent(made.flat());
      await expectSameBits({ name: "step", outputs: [loss], updates }, data, { precision, threads: 1, steps: 2 });
    },
  );

  it("products of all shapes, small and packed, and long sums", { timeout: 300_000 }, async () => {
    const c = new Cases(3);
    const product = (equation: string, a: readonly number[], b: readonly number[]): Node =>
      ops.tanh(ops.einsum(equation, c.float(a), c.float(b)));
    const outputs = [
      product("bij,bjk->bik", [3, 50, 20], [3, 20, 17]),
      product("bji,bjk->bik", [3, 300, 70], [3, 300, 90]),
      product("bji,bjk->bik", [9, 300, 31], [9, 300, 42]),
      product("ij,jk->ik", [500, 300], [300, 40]),
      product("ij,jk->ik", [1, 300], [300, 400]),
      product("aij,ajk->ik", [7, 40, 300], [7, 300, 51]),
      product("ij,kj->ik", [70, 500], [30, 500]),
      ops.sum(c.float([37, 1001]), { axes: [1] }),
      ops.sum(c.float([1001, 37]), { axes: [0] }),
      ops.softmax(c.float([65, 43])),
      ops.argmax(c.float([33, 129]), { axes: [1] }),
    ];
    await expectSameBits({ name: "products", outputs, updates: [] }, c.data, { precision, threads: 2 });
  });
});
