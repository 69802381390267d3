import fc from "fast-check";
import { describe, it } from "vitest";
import type { Primitive, Program } from "../graph/node.js";
import { print } from "../graph/print.js";
import * as ops from "../ops/index.js";
import { type Drawing, drawing, drawChain, drawn, GRAPHS } from "../testing/arbitrary.js";
import { Cases, compareBackends, type CompareOptions, type Tolerance } from "../testing/compare.js";
import { descent } from "../testing/descent.js";

const EXACT: Tolerance = { relative: 0, absolute: 0 };
const CLOSE: Tolerance = { relative: 2e-6, absolute: 2e-6 };

/** How near the compiled result has to come to the reference. */
const TOLERANCES: { readonly [P in Primitive]: Tolerance } = {
  constant: EXACT,
  iota: EXACT,
  state: EXACT,
  uniform: EXACT,
  neg: EXACT,
  abs: EXACT,
  sign: EXACT,
  floor: EXACT,
  exp: CLOSE,
  expm1: CLOSE,
  log: CLOSE,
  log1p: CLOSE,
  sqrt: EXACT,
  tanh: CLOSE,
  sigmoid: CLOSE,
  softplus: CLOSE,
  erf: CLOSE,
  erfc: CLOSE,
  sin: CLOSE,
  cos: CLOSE,
  not: EXACT,
  cast: EXACT,
  stopGradient: EXACT,
  copy: EXACT,
  add: EXACT,
  sub: EXACT,
  mul: EXACT,
  div: EXACT,
  pow: { relative: 2e-5, absolute: 1e-5 },
  max: EXACT,
  min: EXACT,
  mod: EXACT,
  bitXor: EXACT,
  shiftRight: EXACT,
  less: EXACT,
  lessEqual: EXACT,
  equal: EXACT,
  and: EXACT,
  or: EXACT,
  select: EXACT,
  reshape: EXACT,
  transpose: EXACT,
  broadcast: EXACT,
  slice: EXACT,
  pad: EXACT,
  reverse: EXACT,
  concat: EXACT,
  windows: EXACT,
  fold: CLOSE,
  sum: { relative: 2e-5, absolute: 2e-5 },
  reduceMax: EXACT,
  argmax: EXACT,
  contract: { relative: 2e-5, absolute: 2e-5 },
  linearMap: { relative: 2e-6, absolute: 1e-5 },
  gather: EXACT,
  scatterAdd: { relative: 2e-5, absolute: 2e-5 },
};

/** Prints the graph with the first difference. */
async function compare(program: Program, data: Drawing["data"], options: CompareOptions): Promise<void> {
  try {
    await compareBackends(program, data, options);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${print(program)}`, { cause: error });
  }
}

const forRandom = (numRuns: number, check: (d: Drawing) => Promise<void>): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.gen(), (gen) => check(drawing(gen))),
    drawn(numRuns),
  );

describe("each primitive on random shapes and strides", () => {
  it.each(Object.entries(TOLERANCES) as [Primitive, Tolerance][])("%s", async (op, tolerance) => {
    await forRandom(25, async (d) => {
      const node = GRAPHS[op](d);
      await compare({ name: op, outputs: [node], updates: [] }, d.data, { tolerance });
    });
  });
});

describe("chains of primitives", () => {
  const tolerance = { relative: 1e-4, absolute: 1e-4 };

  it("computed in one program", async () => {
    await forRandom(100, async (d) => {
      await compare({ name: "chain", outputs: drawChain(d, d.int(2, 10)), updates: [] }, d.data, { tolerance });
    });
  });

  it("with their gradients, as steps that update what they read", async () => {
    await forRandom(60, async (d) => {
      const { loss, updates } = descent(drawChain(d, d.int(2, 8)));
      await compare({ name: "step", outputs: [loss], updates }, d.data, { tolerance, steps: 2 });
    });
  });
});

describe("a product in blocks of rows and of terms", () => {
  it.each([
    ["rows in blocks, bands together", [310, 600], [600, 330]],
    ["one block of terms", [700, 130], [130, 200]],
  ] as const)("%s", { timeout: 120_000 }, async (name, a, b) => {
    const c = new Cases(3);
    const product = ops.einsum("ij,jk->ik", c.float(a), c.float(b));
    const tolerance = { relative: 1e-5, absolute: 2e-4 };
    await compareBackends({ name, outputs: [ops.tanh(ops.mul(product, 0.01)), product], updates: [] }, c.data, {
      tolerance,
    });
  });
});
