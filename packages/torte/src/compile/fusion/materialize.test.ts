/** What is stored and what is recomputed, by its cost and by how often it is read. */
import { describe, expect, it } from "vitest";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { Cases } from "../../testing/compare.js";
import { differenceToGraph } from "../../testing/run-loops.js";
import { COST } from "../cost.js";
import { chooseMaterialized, sameAxes, strided } from "./materialize.js";

const kept = (...outputs: readonly Node[]): Set<Node> => chooseMaterialized({ name: "kept", outputs, updates: [] });
const cases = new Cases(1);
const x = cases.float([8, 12]);

describe("an elementwise node that several places read", () => {
  /** Each element is read by twelve of the result. */
  const spread = (row: Node): Node => ops.add(ops.broadcastTo(ops.reshape(row, [8, 1]), [8, 12]), x);
  const row = ops.sum(x, { axes: [1] });

  it("is stored where it costs more than a round trip through memory", () => {
    const costly = ops.tanh(row);
    expect(COST.tanh).toBeGreaterThan(8);
    expect(kept(spread(costly)).has(costly)).toBe(true);
  });

  it("is recomputed where it is cheap", () => {
    const cheap = ops.mul(row, 2);
    expect(COST.mul).toBeLessThan(8);
    expect(kept(spread(cheap)).has(cheap)).toBe(false);
  });

  it("is recomputed where it is read once, whatever it costs", () => {
    const costly = ops.tanh(x);
    const output = ops.mul(costly, 2);
    expect(kept(output)).toEqual(new Set([output]));
  });
});

it("reductions and products are stored, short reductions unrolled into the one that reads them", () => {
  const sum = ops.sum(x, { axes: [1] });
  expect(kept(ops.mul(sum, 2)).has(sum)).toBe(true);
  const short = ops.sum(cases.float([8, 3]), { axes: [1] });
  expect(kept(ops.mul(short, 2)).has(short)).toBe(false);
  const product = ops.einsum("ij,jk->ik", x, cases.float([12, 5]));
  expect(kept(ops.neg(product)).has(product)).toBe(true);
});

it("operands of products are plain strided views, or are laid out", () => {
  const w = cases.float([12, 5]);
  const view = ops.transpose(ops.reverse(x, [0]), [1, 0]);
  expect(strided(view)).toBe(x);
  const computed = ops.tanh(x);
  expect(strided(computed)).toBe(computed);
  const product = ops.einsum("ij,jk->ik", computed, w);
  expect(kept(product)).toEqual(new Set([product, computed]));
  // A quotient of the place is no stride.
  const broken = ops.reshape(ops.slice(x, 1, 0, 11), [11, 8]);
  expect(strided(broken)).toBeUndefined();
  expect(differenceToGraph([product, ops.einsum("ij,jk->ik", broken, cases.float([8, 5]))], cases)).toBeLessThan(1e-12);
});

it("reductions over the same axes are told", () => {
  const [a, b, c] = [ops.sum(x, { axes: [1] }), ops.max(x, { axes: [1] }), ops.sum(x, { axes: [0] })];
  expect([sameAxes(a, b), sameAxes(a, c), sameAxes(a, ops.neg(x))]).toEqual([true, false, false]);
});
