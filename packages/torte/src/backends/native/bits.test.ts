import { afterEach, describe, expect, it, vi } from "vitest";
import { fuseProgram } from "../../compile/pipeline.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { drawChain, GRAPHS } from "../../testing/arbitrary.js";
import { PRECISIONS, expectSameBits } from "../../testing/bits.js";
import { Cases } from "../../testing/compare.js";
import { descent, together } from "../../testing/descent.js";
import { atOnce } from "../../turns.js";
import { createEngineBackend, createWasmBackend, hasRelaxedSimd, type WasmOptions } from "../wasm/session.js";
import { NATIVE as GENERATOR } from "./backend.js";
import { compileNative } from "./program.js";
import { nativeTarget } from "./targets.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

const WASM = createWasmBackend;
const NATIVE = (options: WasmOptions) => createEngineBackend(GENERATOR, options);

const primitives = (count: number) => {
  const { made, data } = together(count, (d) => Object.values(GRAPHS).map((graph) => graph(d)));
  return { program: { name: "primitives", outputs: made.flat(), updates: [] }, data };
};

describe.each(PRECISIONS)("native code gives the bits of WebAssembly, %s:", (precision) => {
  it("each primitive on random shapes and strides", { timeout: 300_000 }, async () => {
    const { program, data } = primitives(8);
    await expectSameBits(program, data, { precision, threads: 2 });
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
      product("ij,jk->ik", [310, 600], [600, 330]),
      ops.sum(c.float([37, 1001]), { axes: [1] }),
      ops.sum(c.float([1001, 37]), { axes: [0] }),
      ops.softmax(c.float([65, 43])),
      ops.argmax(c.float([33, 129]), { axes: [1] }),
    ];
    await expectSameBits({ name: "products", outputs, updates: [] }, c.data, { precision, threads: 2 });
  });
});

it.each(PRECISIONS)(
  "products are rounded before they are added, or not, as the host does it, %s",
  async (precision) => {
    // −(1 + 2⁻¹¹) + (1 + 2⁻¹²)² is 2⁻²⁴, or 0 where the product is rounded.
    const c = new Cases(1);
    const [a, b] = [
      c.of([-1 - 2 ** -11, 1 + 2 ** -12]),
      c.of([1, 1 + 2 ** -12].flatMap((x) => Array<number>(16).fill(x))),
    ];
    const product = ops.einsum("ij,jk->ik", ops.reshape(a, [1, 2]), ops.reshape(b, [2, 16]));
    const program = { name: "rounding", outputs: [product], updates: [] };
    const expected = precision === "fast" && hasRelaxedSimd() ? 2 ** -24 : 0;
    for (const backend of [WASM, NATIVE].map((make) => make({ precision, threads: 1 }))) {
      const session = backend.createSession();
      await session.allocate([...c.data.keys()]);
      for (const [state, value] of c.data) await session.write(state, value);
      const [output] = await session.run(await session.compile(program));
      expect([...(output?.data ?? [])], backend.name).toEqual(Array<number>(16).fill(expected));
      await session.close();
    }
  },
);

it("native code gives the bits of WebAssembly on more threads than there are cores", { timeout: 300_000 }, async () => {
  const c = new Cases(7);
  const [x, weights] = [c.float([192, 300], 0.1), c.float([300, 400], 0.1)];
  const hidden = ops.tanh(ops.einsum("bi,iu->bu", x, weights));
  const { loss, updates } = descent([ops.sum(ops.mul(hidden, hidden)), ops.softmax(hidden)]);
  const program = { name: "step", outputs: [loss], updates };
  await expectSameBits(program, c.data, { precision: "fast", threads: 8, steps: 20 });
});

describe("every place is checked where TORTE_DEBUG has bounds", () => {
  it("and the bits are the same", { timeout: 300_000 }, async () => {
    vi.stubEnv("TORTE_DEBUG", "bounds");
    const { program, data } = primitives(4);
    await expectSameBits(program, data, { precision: "fast", threads: 2 });
  });

  it("in each load and store", () => {
    const c = new Cases(5);
    const outputs = [ops.tanh(ops.einsum("ij,jk->ik", c.float([70, 300]), c.float([300, 40]))), ops.sum(c.float([33]))];
    const fused = fuseProgram({ name: "program", outputs, updates: [] });
    const placement = { lowest: 0, stateAddress: () => 0, reserve: () => 0 };
    const kernels = (checked: boolean): string => {
      const options = { target: nativeTarget(new Set(), false), threads: 1, checked };
      return atOnce(compileNative(fused, options, placement))
        .source.split("KERNEL void")
        .slice(1)
        .join("");
    };
    // An array's name, and the place in it.
    const places = [...kernels(true).matchAll(/\ba\d+(?:\[| \+ )(.)/g)].map(([text]) => text);
    expect(places.length).toBeGreaterThan(20);
    expect(places.filter((text) => !text.endsWith("c"))).toEqual([]);
    expect(kernels(false)).not.toContain("checked(");
  });
});
