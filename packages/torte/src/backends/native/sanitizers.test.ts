/** The kernels in a program of C, each array an allocation of its own, under AddressSanitizer and UndefinedBehaviorSanitizer. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { gradients } from "../../autodiff/gradient.js";
import { constant } from "../../graph/make.js";
import { type Node, type Program, type State, topological } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { drawChain, drawing, drawn, GRAPHS } from "../../testing/arbitrary.js";
import { Cases, stateOf } from "../../testing/compare.js";
import { faultOf } from "../../testing/sanitized.js";
import type { Tensor } from "../../tensor/tensor.js";

const TIMEOUT = { timeout: 300_000 };

it("primitives, and chains of them that update what they read", TIMEOUT, async () => {
  const outputs: Node[] = [];
  const chains: Node[] = [];
  const data = new Map<State, Tensor>();
  const all = Object.values(GRAPHS);
  for (const gen of fc.sample(fc.gen(), { seed: drawn(1).seed, numRuns: 4 })) {
    const d = drawing(gen);
    outputs.push(...all.map((graph) => graph(d)));
    chains.push(...drawChain(d, d.int(2, 8)));
    for (const [state, value] of d.data) data.set(state, value);
  }
  const leaves = topological(chains).filter((node) => node.op === "state" && node.dtype === "float32");
  const loss = chains.reduce((sum, node) => ops.add(sum, ops.mean(node)), constant(0));
  const steps = gradients(loss, leaves);
  const updates = leaves.map((leaf, i) => ({
    state: stateOf(leaf),
    value: ops.sub(leaf, ops.mul(steps[i] ?? leaf, 0.1)),
  }));
  expect(await faultOf({ name: "step", outputs: [...outputs, loss], updates }, data, { steps: 2 })).toBeUndefined();
});

const products = (): { program: Program; data: ReadonlyMap<State, Tensor> } => {
  const c = new Cases(3);
  const product = (equation: string, a: readonly number[], b: readonly number[]): Node =>
    ops.tanh(ops.einsum(equation, c.float(a), c.float(b)));
  const outputs = [
    product("bij,bjk->bik", [3, 50, 20], [3, 20, 17]),
    product("bji,bjk->bik", [3, 300, 70], [3, 300, 90]),
    product("ij,jk->ik", [1, 300], [300, 400]),
    product("ij,kj->ik", [70, 500], [30, 500]),
    ops.softmax(c.float([65, 43])),
    ops.argmax(c.float([33, 129]), { axes: [1] }),
    ops.gather(c.float([40, 9]), c.int([50], 60)),
    ops.scatterAdd(c.int([50], 60), c.float([50, 9]), 40),
  ];
  return { program: { name: "products", outputs, updates: [] }, data: c.data };
};

it("products, sums, and places that are computed from data", TIMEOUT, async () => {
  const { program, data } = products();
  expect(await faultOf(program, data)).toBeUndefined();
});

it("finds what is wrong: arrays of one element less", TIMEOUT, async () => {
  const { program, data } = products();
  expect(await faultOf(program, data, { missing: 4 })).toMatch(/AddressSanitizer/);
});
