/** A step of gradient descent over random graphs, and many graphs in one program. */
import fc from "fast-check";
import { gradients } from "../autodiff/gradient.js";
import { constant } from "../graph/make.js";
import { type Node, type State, topological, type Update } from "../graph/node.js";
import * as ops from "../ops/index.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Drawing, drawing, drawn } from "./arbitrary.js";
import { stateOf } from "./compare.js";

/** The sum of the outputs' means, and a step down it for each state of float32 that they read. */
export function descent(outputs: readonly Node[]): { readonly loss: Node; readonly updates: readonly Update[] } {
  const leaves = topological(outputs).filter((node) => node.op === "state" && node.dtype === "float32");
  const loss = outputs.reduce((sum, node) => ops.add(sum, ops.mean(node)), constant(0));
  const steps = gradients(loss, leaves);
  const updates = leaves.map((leaf, i) => ({
    state: stateOf(leaf),
    value: ops.sub(leaf, ops.mul(steps[i] ?? leaf, 0.1)),
  }));
  return { loss, updates };
}

/** What is made of so many drawings, for one program: a compiler is then started once for all of them. */
export function together<T>(
  count: number,
  make: (d: Drawing) => T,
): { readonly made: readonly T[]; readonly data: ReadonlyMap<State, Tensor> } {
  const data = new Map<State, Tensor>();
  const made = fc.sample(fc.gen(), { seed: drawn(1).seed, numRuns: count }).map((gen) => {
    const d = drawing(gen);
    const one = make(d);
    for (const [state, value] of d.data) data.set(state, value);
    return one;
  });
  return { made, data };
}
