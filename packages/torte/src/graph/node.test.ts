import { expect, it } from "vitest";
import * as ops from "../ops/index.js";
import { Cases } from "../testing/compare.js";
import { type Node, nodesOf, roots, topological } from "./node.js";

it("nodes come after their inputs, each once, however deep the graph is", () => {
  const x = new Cases(1).float([2]);
  let deep: Node = x;
  for (let i = 0; i < 50_000; i++) deep = ops.add(deep, x);
  const order = topological([deep, x, ops.neg(deep)]);
  const places = new Map(order.map((node, i) => [node, i]));
  expect(places.size).toBe(order.length);
  expect(order).toHaveLength(50_002);
  const early = order.filter((node, i) => node.inputs.some((input) => (places.get(input) ?? Infinity) >= i));
  expect(early).toEqual([]);
});

it("the nodes of a program are those under its roots", () => {
  const cases = new Cases(1);
  const program = { name: "p", outputs: [ops.exp(cases.float([3]))], updates: [] };
  expect(nodesOf(program)).toEqual(topological(roots(program)));
  expect(nodesOf({ ...program, outputs: [] })).toEqual([]);
});
