import fc from "fast-check";
import { describe, it } from "vitest";
import { gradients } from "../../autodiff/gradient.js";
import { constant } from "../../graph/make.js";
import { type Node, type State, topological } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { type Drawing, drawChain, drawing, drawn, GRAPHS } from "../../testing/arbitrary.js";
import { PRECISIONS, expectSameBits } from "../../testing/bits.js";
import { Cases, stateOf } from "../../testing/compare.js";
import type { Tensor } from "../../tensor/tensor.js";

/** Many graphs in one program, so that a compiler is started once for all of them. */
function together(
  count: number,
  graphs: (d: Drawing) => readonly Node[],
): { outputs: Node[]; data: Map<State, Tensor> } {
  const outputs: Node[] = [];
  const data = new Map<State, Tensor>();
  const { seed } = drawn(1);
  for (const gen of fc.sample(fc.gen(), { seed, numRuns: count })) {
    const d = drawing(gen);
    outputs.push(...graphs(d));
    for (const [state, value] of d.data) data.set(state, value);
  }
  return { outputs, data };
}

describe.each(PRECISIONS)("native code gives the bits of WebAssembly, %s:", (precision) => {
  it("each primitive on random shapes and strides", { timeout: 300_000 }, async () => {
    const all = Object.values(GRAPHS);
    const { outputs, data } = together(8, (d) => all.map((graph) => graph(d)));
    await expectSameBits({ name: "primitives", outputs, updates: [] }, data, { precision, threads: 2 });
  });

  it(
    "chains of primitives, with their gradients, as steps that update what they read",
    { timeout: 300_000 },
    async () => {
      const { outputs, data } = together(25, (d) => drawChain(d, d.int(2, 8)));
      const leaves = topological(outputs).filter((node) => node.op === "state" && node.dtype === "float32");
      const loss = outputs.reduce((sum, node) => ops.add(sum, ops.mean(node)), constant(0));
      const steps = gradients(loss, leaves);
      const updates = leaves.map((leaf, i) => ({
        state: stateOf(leaf),
        value: ops.sub(leaf, ops.mul(steps[i] ?? leaf, 0.1)),
      }));
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
