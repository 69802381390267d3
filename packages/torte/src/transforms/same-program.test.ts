/** A batch made by vmap is not only the layers' batch in its values: it costs what that costs, kernel by kernel. */
import "../tools.js";
import { describe, expect, it } from "vitest";
import { beforeGradient } from "../compile/pipeline.js";
import { costOf } from "../compile/schedule/threads.js";
import { read } from "../graph/make.js";
import { type Node, State } from "../graph/node.js";
import { conv1d, conv2d, dense, flatten, maxPooling1d, maxPooling2d } from "../nn/layers/index.js";
import type { LayerFunction } from "../nn/layer.js";
import { input } from "../nn/network.js";
import * as ops from "../ops/index.js";
import { lowered } from "../testing/run-loops.js";
import { sequential } from "../train/sequential.js";
import { grad } from "./gradient.js";
import { vmap } from "./vmap.js";

type Weights = Record<string, Node>;

/** Vector operations of all kernels, and how many kernels there are. */
function costsOf(outputs: readonly Node[]): { cost: number; kernels: number } {
  const { kernels } = lowered(beforeGradient(outputs));
  return { cost: kernels.reduce((sum, { body }) => sum + costOf(body), 0), kernels: kernels.length };
}

const CASES: Readonly<Record<string, readonly [readonly number[], () => readonly LayerFunction[]]>> = {
  "a convolution and pooling": [
    [200, 16],
    () => [conv1d({ filters: 32, kernelSize: 5, activation: "relu" }), maxPooling1d({ poolSize: 4 })],
  ],
  "two of them, in two dimensions": [
    [18, 18, 3],
    () => [
      conv2d({ filters: 8, kernelSize: 3, activation: "relu" }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 8, kernelSize: 3, padding: "same" }),
    ],
  ],
  "dense layers behind": [
    [40, 4],
    () => [
      conv1d({ filters: 8, kernelSize: 3 }),
      flatten(),
      dense({ units: 32, activation: "relu" }),
      dense({ units: 2 }),
    ],
  ],
};

describe.each(Object.entries(CASES))("%s", (_, [shape, layers]) => {
  const model = sequential(input({ shape }), ...layers());
  const apply = model.pure();
  const weights: Weights = Object.fromEntries(
    [...model.network.weights].map(([name, { state }]) => [name, read(new State(name, state.shape, "float32"))]),
  );
  const batch = read(new State("x", [64, ...shape], "float32"));
  const one = (w: Weights, x: Node): Node => {
    const y = apply(w, ops.expandDims(x, 0));
    return ops.reshape(y, y.shape.slice(1));
  };

  it("over 64 examples takes at most 1.05 times the work of the batched layers", () => {
    const [mapped, whole] = [vmap(one, { in: [null, 0] })(weights, batch), apply(weights, batch)].map((node) =>
      costsOf([node]),
    );
    expect(mapped?.kernels).toBeLessThanOrEqual(whole?.kernels ?? 0);
    expect((mapped?.cost ?? NaN) / (whole?.cost ?? NaN)).toBeLessThanOrEqual(1.05);
  });

  it("so do the gradients of all examples by their inputs", () => {
    const loss = (x: Node, w: Weights): Node => ops.sum(ops.square(one(w, x)));
    const mapped = costsOf([vmap(grad(loss), { in: [0, null] })(batch, weights)]);
    const all = (x: Node, w: Weights): Node => ops.sum(ops.square(apply(w, x)));
    const whole = costsOf([grad(all)(batch, weights)]);
    expect(mapped.cost / whole.cost).toBeLessThanOrEqual(1.05);
  });
});
