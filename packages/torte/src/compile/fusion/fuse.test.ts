import { describe, expect, it } from "vitest";
import type { Node, Program } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { Cases, compareBackends, stateOf } from "../../testing/compare.js";
import { fuse } from "./fuse.js";
import { AFTER_GRADIENT, runPasses } from "../pipeline.js";

const program = (outputs: readonly Node[]): Program => ({ name: "test", outputs, updates: [] });
const kernelsOf = (outputs: readonly Node[]): string[] =>
  fuse(runPasses(program(outputs), AFTER_GRADIENT)).kernels.map(({ nodes }) => nodes.map(({ op }) => op).join(" "));

describe("reductions that read the same array", () => {
  /** Sums of x, of x² and of what else is made of it, over rows or columns. */
  const sums = (cases: Cases, axes: readonly number[]): Node[] => {
    const [x, y] = [cases.float([40, 70, 10]), cases.float([40, 70, 10])];
    return [x, ops.mul(x, x), ops.mul(x, y)].map((node) => ops.sum(node, { axes }));
  };

  it.each([[[0, 1]], [[1, 2]], [[2]]])("share their loops over axes %j", async (axes) => {
    const cases = new Cases(1);
    const outputs = sums(cases, axes);
    expect(kernelsOf(outputs).filter((ops) => ops === "sum sum sum")).toHaveLength(1);
    await compareBackends(program(outputs), cases.data);
  });

  it("share them with a maximum only where they take the same values", async () => {
    const cases = new Cases(2);
    const x = cases.float([30, 50]);
    const positive = ops.mul(x, x);
    const outputs = [
      ops.max(x, { axes: [0] }),
      ops.argmax(x, { axes: [0] }),
      ops.sum(x, { axes: [0] }),
      ops.sum(positive, { axes: [0] }),
    ];
    expect(kernelsOf(outputs)).toEqual(["reduceMax argmax sum", "sum"]);
    await compareBackends(program(outputs), cases.data);
  });

  it("do not wait for each other", async () => {
    const cases = new Cases(3);
    const x = cases.float([30, 50]);
    const mean = ops.mean(x, { axes: [0], keepDims: true });
    const outputs = [ops.sum(ops.square(ops.sub(x, mean)), { axes: [0] })];
    expect(kernelsOf(outputs).filter((ops) => ops.startsWith("sum"))).toHaveLength(2);
    await compareBackends(program(outputs), cases.data);
  });
});

it("a maximum of an array that is computed for it and its position needs no memory for the array", () => {
  const cases = new Cases(4);
  const x = ops.add(ops.add(ops.mul(cases.float([6, 40, 8]), cases.float([6, 40, 8])), cases.float([6, 40, 8])), 1);
  const y = ops.mul(ops.tanh(x), x);
  const view = ops.windows(y, { axis: 1, size: [4], stride: [4], dilation: [1] });
  const outputs = [ops.max(view, { axes: [2] }), ops.argmax(view, { axes: [2] })];
  expect(kernelsOf(outputs)).toEqual(["reduceMax argmax"]);
});

describe("a convolution in tiles", () => {
  const convolution = (cases: Cases, x: Node): Node => {
    const padded = ops.pad(x, [
      [0, 0],
      [1, 1],
      [0, 0],
    ]);
    const view = ops.windows(padded, { axis: 1, size: [3], stride: [1], dilation: [1] });
    return ops.einsum("bokc,kcf->bof", view, cases.float([3, 64, 64], 0.1));
  };

  it("computes what it reads, its margin included", async () => {
    const cases = new Cases(5);
    const outputs = [convolution(cases, ops.relu(cases.float([4, 48, 64])))];
    expect(kernelsOf(outputs)).toEqual(["linearMap", "linearMap", "contract", expect.stringContaining("linearMap")]);
    await compareBackends(program(outputs), cases.data);
  });

  it("reads from memory what lanes of a vector would have to decide about", async () => {
    const cases = new Cases(6);
    const joined = ops.concat([cases.float([4, 48, 30]), cases.float([4, 48, 34])], 2);
    const outputs = [convolution(cases, joined)];
    expect(kernelsOf(outputs).filter((name) => !/linearMap|contract/.test(name))).toHaveLength(1);
    await compareBackends(program(outputs), cases.data);
  });
});

describe("the update of a weight", () => {
  /** One step, in which the weight is read as `seen` by its update besides the gradient. */
  const step = (cases: Cases, seen: (weight: Node) => Node): Program => {
    const [x, weight, moment] = [cases.float([20, 8]), cases.float([8, 8], 0.1), cases.float([8, 8], 0.1)];
    const gradient = ops.einsum("bi,bj->ij", x, ops.einsum("bi,ij->bj", x, weight));
    const next = ops.add(ops.mul(moment, 0.5), gradient);
    return {
      name: "step",
      outputs: [],
      updates: [
        { state: stateOf(moment), value: next },
        { state: stateOf(weight), value: ops.sub(seen(weight), ops.mul(next, 0.01)) },
      ],
    };
  };

  it("is the epilogue of its gradient where it reads the weight only where it writes it", async () => {
    const cases = new Cases(7);
    const program = step(cases, (weight) => weight);
    expect(fuse(runPasses(program, AFTER_GRADIENT)).kernels.map(({ kind }) => kind)).toEqual(["contract", "contract"]);
    await compareBackends(program, cases.data, { steps: 3 });
  });

  it.each([
    ["turned around", (weight: Node) => ops.transpose(weight, [1, 0])],
    ["backwards", (weight: Node) => ops.reverse(weight, [0])],
  ])("reads the old weight elsewhere before it is overwritten: %s", async (_, seen) => {
    const cases = new Cases(8);
    const program = step(cases, seen);
    expect(fuse(runPasses(program, AFTER_GRADIENT)).kernels.length).toBeGreaterThan(2);
    await compareBackends(program, cases.data, { steps: 3 });
  });
});
