/**
 * Sums into a small table in parts: rows narrower than two cache lines cannot be shared out among threads by their
 * columns, so parts of the indices get tables of their own, which are added up in order. The number of parts depends on
 * the shapes alone, never on the threads.
 */
import type { Node, Program } from "../graph/node.js";
import { reshape, scatterAdd, sum } from "../ops/index.js";
import { largestDivisor, sizeOf } from "../tensor/shape.js";
import { inputOf } from "./reader.js";
import { rewrite } from "./rewrite.js";

const WIDE_ROW = 32;
const MOST_PARTS = 8;
/** Updates for each element of the additional tables. */
const WORTH = 32;

export function partScatters(program: Program): Program {
  return rewrite(program, (node) => (node.op === "scatterAdd" ? inParts(node) : node));
}

function inParts(node: Node & { op: "scatterAdd" }): Node {
  const { rows, batch } = node.attributes;
  const [indices, updates] = [inputOf(node, 0), inputOf(node, 1)];
  const [first = 1] = indices.shape;
  const row = sizeOf(node.shape.slice(1));
  const most = Math.min(MOST_PARTS, Math.floor(sizeOf(updates.shape) / (WORTH * rows * row)));
  if (batch > 0 || row >= WIDE_ROW || most < 2) return node;
  const parts = largestDivisor(first, most);
  if (parts < 2) return node;
  const split = (x: Node): Node => reshape(x, [parts, first / parts, ...x.shape.slice(1)]);
  const tables = scatterAdd(split(indices), split(updates), rows, 1);
  return sum(tables, { axes: [0] });
}
