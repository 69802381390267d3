import { describe, expect, it } from "vitest";
import { gradients } from "../../autodiff/gradient.js";
import { read } from "../../graph/make.js";
import { type Node, type Program, State } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { fuse } from "../fusion/fuse.js";
import { lower } from "../lower/lower.js";
import { narrowTarget } from "../lower/target.js";
import { AFTER_GRADIENT, runPasses } from "../pipeline.js";
import { printKernel } from "./print.js";

/** The loops of a program's kernels, as text. */
function loopsOf(outputs: readonly Node[], updates: Program["updates"] = []): string {
  const fused = fuse(runPasses({ name: "golden", outputs, updates }, AFTER_GRADIENT));
  const texts: string[] = [];
  lower(fused, narrowTarget(true), (kernel) => {
    texts.push(printKernel(kernel));
    return { name: kernel.name, origin: kernel.origin, reads: kernel.reads, writes: kernel.writes };
  });
  return texts.join("\n\n");
}

const state = (name: string, shape: readonly number[], dtype: "float32" | "int32" = "float32"): State =>
  new State(name, shape, dtype);

describe("loops of", () => {
  it("a dense layer whose gradient's epilogue is Adam's update", () => {
    const [x, w, b] = [state("x", [32, 24]), state("kernel", [24, 16]), state("bias", [16])];
    const [m, v] = [state("kernel.m", [24, 16]), state("kernel.v", [24, 16])];
    const kernel = read(w);
    const y = ops.relu(ops.add(ops.einsum("bc,cf->bf", read(x), kernel), read(b)));
    const [gradient] = gradients(ops.sum(ops.mul(y, y)), [kernel]);
    if (gradient === undefined) throw new Error("no gradient");
    const first = ops.add(ops.mul(read(m), 0.9), ops.mul(gradient, 0.1));
    const second = ops.add(ops.mul(read(v), 0.999), ops.mul(ops.square(gradient), 0.001));
    const next = ops.sub(kernel, ops.mul(ops.div(first, ops.add(ops.sqrt(second), 1e-7)), 1e-3));
    const updates = [
      { state: m, value: first },
      { state: v, value: second },
      { state: w, value: next },
    ];
    expect(loopsOf([], updates)).toMatchSnapshot();
  });

  it("a convolution with relu and maximum pooling", () => {
    const [x, w] = [state("x", [2, 18, 4]), state("kernel", [3, 4, 8])];
    const view = ops.windows(read(x), { axis: 1, size: [3], stride: [1], dilation: [1] });
    const y = ops.relu(ops.einsum("bokc,kcf->bof", view, read(w)));
    const pooled = ops.max(ops.windows(y, { axis: 1, size: [2], stride: [2], dilation: [1] }), { axes: [2] });
    expect(loopsOf([pooled])).toMatchSnapshot();
  });

  it("softmax", () => {
    expect(loopsOf([ops.softmax(read(state("x", [4, 10])))])).toMatchSnapshot();
  });

  it("the derivative of batch normalization", () => {
    const [x, gamma, upstream] = [state("x", [16, 8]), state("gamma", [8]), state("upstream", [16, 8])];
    const input = read(x);
    const centred = ops.sub(input, ops.mean(input, { axes: [0], keepDims: true }));
    const variance = ops.mean(ops.square(centred), { axes: [0], keepDims: true });
    const y = ops.mul(ops.mul(centred, ops.rsqrt(ops.add(variance, 1e-3))), read(gamma));
    const total = ops.sum(ops.mul(y, read(upstream)));
    expect(loopsOf(gradients(total, [input, read(gamma)]))).toMatchSnapshot();
  });

  it("an embedding's gradient, a scatter", () => {
    const [table, tokens] = [read(state("embeddings", [7, 4])), read(state("tokens", [2, 5], "int32"))];
    const rows = ops.gather(table, tokens);
    expect(loopsOf(gradients(ops.sum(ops.mul(rows, rows)), [table]))).toMatchSnapshot();
  });
});
