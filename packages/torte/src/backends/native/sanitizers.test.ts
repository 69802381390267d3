/** The kernels in a program of C, each array an allocation of its own, under AddressSanitizer and UndefinedBehaviorSanitizer. */
import { expect, it } from "vitest";
import type { Node, Program, State } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { drawChain, GRAPHS } from "../../testing/arbitrary.js";
import { Cases } from "../../testing/compare.js";
import { descent, together } from "../../testing/descent.js";
import { faultOf } from "../../testing/sanitized.js";
import type { Tensor } from "../../tensor/tensor.js";

const TIMEOUT = { timeout: 300_000 };

it("primitives, and chains of them that update what they read", TIMEOUT, async () => {
  const all = Object.values(GRAPHS);
  const { made, data } = together(4, (d) => ({
    outputs: all.map((graph) => graph(d)),
    chain: drawChain(d, d.int(2, 8)),
  }));
  const outputs = made.flatMap((one) => one.outputs);
  const { loss, updates } = descent(made.flatMap(({ chain }) => chain));
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
