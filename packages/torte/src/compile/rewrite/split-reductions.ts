/**
 * Split reductions (of products: split-K). Long sums into few numbers go in parts: they cannot be shared out among threads by their results, so parts of the summed
 * axis get results of their own, which are added up in order. A thread then also finds in its cache what it has written
 * of that axis itself. The number of parts depends on the shapes alone, never on the threads.
 */
import { freeLabel } from "../../graph/labels.js";
import { make } from "../../graph/make.js";
import { inputOf, type Node, type Program } from "../../graph/node.js";
import { reshape, scatterAdd, sum } from "../../ops/index.js";
import { largestDivisor, sizeAt, sizeOf } from "../../tensor/shape.js";
import { rewriting } from "./rewrite.js";

const MOST_CHUNKS = 8;
/** Rows of a scatter narrower than two lines of the cache: threads that share such rows disturb each other. */
const NARROW_ROW = 32;
/** Results of a sum or a product that are few. */
const FEW = { sum: 256, contract: 4096 } as const;
/** Summed numbers for each additional result that make it worth its while. */
const WORTH = 32;
/** Numbers in a sum below which it is over before threads have met; of one with a single result, all of which one thread would sum up. */
const LONG = 32_768;
const LONG_ALONE = 16_384;

export function* splitReductions(program: Program): Generator<undefined, Program> {
  return yield* rewriting(program, (node) => {
    if (node.op === "scatterAdd") return splitScatter(node);
    if (node.op === "sum") return splitSum(node);
    return node.op === "contract" ? splitK(node) : node;
  });
}

/** Parts of an axis of `extent`, or 1 where the summed numbers are too few for the results that the parts add. */
function chunksOf(extent: number, summed: number, results: number): number {
  if (summed < (results === 1 ? LONG_ALONE : LONG)) return 1;
  return largestDivisor(extent, Math.min(MOST_CHUNKS, Math.floor(summed / (WORTH * results))));
}

/** The axis as two: parts, and what is within one. */
const split = (x: Node, axis: number, parts: number): Node =>
  reshape(x, [...x.shape.slice(0, axis), parts, sizeAt(x.shape, axis) / parts, ...x.shape.slice(axis + 1)]);

function splitScatter(node: Node & { op: "scatterAdd" }): Node {
  const { rows, batch } = node.attributes;
  const [indices, updates] = [inputOf(node, 0), inputOf(node, 1)];
  const row = sizeOf(node.shape.slice(1));
  if (batch > 0 || row >= NARROW_ROW) return node;
  const [count = 1] = indices.shape; // 1 where a single index is given
  const parts = chunksOf(count, sizeOf(updates.shape), rows * row);
  if (parts < 2) return node;
  return sum(scatterAdd(split(indices, 0, parts), split(updates, 0, parts), rows, 1), { axes: [0] });
}

function splitSum(node: Node & { op: "sum" }): Node {
  const x = inputOf(node, 0);
  const { axes } = node.attributes;
  const [axis] = axes;
  const results = sizeOf(node.shape);
  if (axis === undefined || results > FEW.sum) return node;
  const parts = chunksOf(sizeAt(x.shape, axis), sizeOf(x.shape), results);
  if (parts < 2) return node;
  const partial = make("sum", [split(x, axis, parts)], { axes: axes.map((other) => other + 1) });
  return sum(partial, { axes: [axis] });
}

function splitK(node: Node & { op: "contract" }): Node {
  const { a, b, out } = node.attributes;
  const [x, y] = [inputOf(node, 0), inputOf(node, 1)];
  const results = sizeOf(node.shape);
  const [label] = [...a].filter((l) => b.includes(l) && !out.includes(l));
  if (label === undefined || results > FEW.contract) return node;
  const [i, k] = [a.indexOf(label), b.indexOf(label)];
  const parts = chunksOf(sizeAt(x.shape, i), Math.max(sizeOf(x.shape), sizeOf(y.shape)), results);
  if (parts < 2) return node;
  const part = freeLabel(a + b);
  const withPart = (labels: string): string => labels.replace(label, part + label);
  const partial = make("contract", [split(x, i, parts), split(y, k, parts)], {
    a: withPart(a),
    b: withPart(b),
    out: part + out,
  });
  return sum(partial, { axes: [0] });
}
