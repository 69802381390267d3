import { describe, expect, it } from "vitest";
import { read } from "../../graph/make.js";
import { type Node, type Program, State } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { compareBackends } from "../../testing/compare.js";
import { Tensor } from "../../tensor/tensor.js";
import { fuse } from "../fusion/fuse.js";
import type { LoweredKernel } from "../loops/loops.js";
import { KernelCache } from "./kernel-cache.js";
import { lower } from "./lower.js";
import { narrowTarget } from "./target.js";
import { AFTER_GRADIENT, runPasses } from "../pipeline.js";
import { atOnce } from "../../turns.js";

const [ROWS, SIZE] = [30, 300];

/** Layers tanh(factor · x·W), one for each factor. */
function layers(factors: readonly number[]): { program: Program; states: Map<State, Tensor> } {
  const states = new Map<State, Tensor>();
  const matrix = (name: string, rows: number, seed: number): Node => {
    const state = new State(name, [rows, SIZE], "float32");
    const data = Float32Array.from({ length: rows * SIZE }, (_, i) => Math.sin(seed + i) / 20);
    states.set(state, new Tensor(data, state.shape, state.dtype));
    return read(state);
  };
  const output = factors.reduce(
    (x, factor, i) => ops.tanh(ops.mul(ops.einsum("ij,jk->ik", x, matrix(`weights${i}`, SIZE, i + 1)), factor)),
    matrix("x", ROWS, 0),
  );
  return { program: { name: "layers", outputs: [output], updates: [] }, states };
}

describe("kernels that differ only in their arrays", () => {
  const kernels = lower(
    fuse(runPasses(layers([0.5, 0.5, 0.25, 0.5]).program, AFTER_GRADIENT)),
    narrowTarget(true),
    (kernel) => kernel,
  );

  it("share their loops, those that differ in a number do not", () => {
    expect(kernels).toHaveLength(4);
    const [first, second, other, last] = kernels.map(({ body }) => body);
    expect(second).toBe(first);
    expect(last).toBe(first);
    expect(other).not.toBe(first);
  });

  it("have arrays of their own, scratch memory included", () => {
    const written = kernels.flatMap(({ writes }) => [...writes]);
    expect(new Set(written).size).toBe(written.length);
    expect(written.filter(({ scratch }) => scratch).length).toBeGreaterThanOrEqual(kernels.length);
  });

  it("compute what they should", async () => {
    const { program, states } = layers([0.5, 0.5, 0.25, 0.5]);
    await compareBackends(program, states);
  });

  it("are made once: the cache asks for the first of each kind, and for what is like no other", () => {
    const fused = fuse(runPasses(layers([0.5, 0.5, 0.25, 0.5]).program, AFTER_GRADIENT));
    const cache = new KernelCache<LoweredKernel>(fused);
    let made = 0;
    for (const kernel of fused.kernels) {
      const make = function* (): Generator<undefined, LoweredKernel> {
        yield;
        made++;
        return { name: "", origin: "", body: [], reads: new Set(), writes: new Set() };
      };
      atOnce(cache.getOrLower(kernel, make));
    }
    expect(made).toBe(2);
  });
});
