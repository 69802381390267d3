/** Nodes as expressions at a point: movements become arithmetic of indices, whatever way they are chained. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { inputOf, type Node, type NodeOf, topological } from "../../graph/node.js";
import { PRIMITIVES } from "../../graph/primitives.js";
import * as ops from "../../ops/index.js";
import { drawChain, drawing, drawn } from "../../testing/arbitrary.js";
import { Cases } from "../../testing/compare.js";
import { differenceToGraph } from "../../testing/run-loops.js";
import { Exprs } from "./expr.js";
import { constantIndex } from "./index-expr.js";
import { Inliner, insertAxes, isRearrangement, moveIndex, type Rearrangement } from "./inline.js";

it("random chains of primitives, inlined into as few kernels as the pipeline makes of them, compute what the graph says", () => {
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      const d = drawing(gen, true);
      const outputs = drawChain(d, d.int(2, 7)).filter(({ dtype }) => dtype === "float32");
      const work = topological(outputs).reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
      if (outputs.length === 0 || work > 4000) return;
      const cases = new Cases(0);
      for (const [state, tensor] of d.data) cases.data.set(state, tensor);
      expect(differenceToGraph(outputs, cases)).toBeLessThan(1e-9);
    }),
    drawn(60),
  );
});

it("rearrangements only move the point", () => {
  const exprs = new Exprs();
  const x = new Cases(1).float([4, 6]);
  const at = (...place: number[]) => place.map(constantIndex);
  const moved = (node: Node, ...place: number[]): number[] => {
    if (!isRearrangement(node)) throw new Error(`${node.op} is none`);
    return moveIndex(exprs, node satisfies Rearrangement, at(...place)).map(({ offset }) => offset);
  };
  expect(moved(ops.transpose(x, [1, 0]), 5, 3)).toEqual([3, 5]);
  expect(moved(ops.reshape(x, [2, 12]), 1, 7)).toEqual([3, 1]);
  expect(moved(ops.slice(x, 1, 1, 6), 2, 3)).toEqual([2, 4]);
  expect(moved(ops.reverse(x, [0]), 0, 2)).toEqual([3, 2]);
  expect(moved(ops.windows(x, { axis: 1, size: [2], stride: [3], dilation: [2] }), 1, 1, 1)).toEqual([1, 5]);
  expect(isRearrangement(ops.neg(x))).toBe(false);
  expect(insertAxes(at(7, 8), [1], at(9)).map(({ offset }) => offset)).toEqual([7, 9, 8]);
});

it("what is kept in memory is loaded, all else is computed from what it reads", () => {
  const exprs = new Exprs();
  const x = new Cases(2).float([3]);
  const node = ops.tanh(ops.mul(x, 2)) as NodeOf<"tanh">;
  const buffer = { id: 0, name: "x", dtype: "float32", size: 3 } as const;
  const read = new Inliner(exprs, new Map([[x, buffer]])).read(node, [constantIndex(1)]);
  expect(read).toMatchObject({ op: "apply", primitive: "tanh", args: [{ op: "apply", primitive: "mul" }] });
  const kept = new Inliner(exprs, new Map([[inputOf(node, 0), buffer]])).read(node, [constantIndex(1)]);
  expect(kept).toMatchObject({ primitive: "tanh", args: [{ op: "load", buffer, index: { offset: 1 } }] });
  expect(PRIMITIVES[node.op].kind).toBe("unary");
});
