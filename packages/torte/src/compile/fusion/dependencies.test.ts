import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constant } from "../../graph/make.js";
import type { Node } from "../../graph/node.js";
import { drawn } from "../../testing/arbitrary.js";
import { DependencyGraph } from "./dependencies.js";

/** Numbers of two nodes, the first before the second where there is an edge. */
const pairs = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 24 });

/** Whether a walk over kernels leads from one to the other, by way of a third one if `between`. */
function leads(waiting: DependencyGraph, from: readonly Node[], to: readonly Node[], between: boolean): boolean {
  const next = (kernel: readonly Node[]): (readonly Node[])[] =>
    kernel.flatMap((node) => [...waiting.successors(node)].map((after) => waiting.kernelOf(after) ?? []));
  const seen = new Set(next(from).filter((kernel) => kernel !== from && !(between && kernel === to)));
  for (const kernel of seen) for (const after of next(kernel)) seen.add(after);
  return seen.has(to);
}

describe("nodes that wait for each other", () => {
  it("are found to do so while they are merged, and run in an order that keeps to it", () => {
    fc.assert(
      fc.property(pairs, pairs, (edges, merges) => {
        const nodes = Array.from({ length: 12 }, (_, i) => constant(i));
        const waiting = new DependencyGraph();
        for (const node of nodes) waiting.add(node);
        const node = (i: number): Node => nodes[i] ?? constant(0);
        for (const [a, b] of edges) if (a !== b) waiting.addEdge(node(Math.min(a, b)), node(Math.max(a, b)));
        waiting.numberTopologically();
        for (const [a, b] of merges) {
          const [x, y] = [waiting.kernelOf(node(a)) ?? [], waiting.kernelOf(node(b)) ?? []];
          if (x === y) continue;
          for (const between of [false, true])
            expect(waiting.reaches(x, y, between)).toBe(leads(waiting, x, y, between));
          if (!waiting.reaches(y, x) && !waiting.reaches(x, y, true)) waiting.merge(x, y);
        }
        const order = waiting.schedule(nodes);
        const place = new Map(order.flatMap((kernel, i) => kernel.map((member) => [member, i] as const)));
        for (const first of nodes)
          for (const then of waiting.successors(first))
            expect(place.get(first)).toBeLessThanOrEqual(place.get(then) ?? -1);
      }),
      drawn(500),
    );
  });
});
