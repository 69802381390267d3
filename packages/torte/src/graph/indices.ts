/** Indices that come from the inputs as they are, or moved by a number: their limits are known before a program runs. */
import { inputOf, type Node, topological } from "./node.js";
import { PRIMITIVES } from "./primitives.js";
import { sizeAt } from "../tensor/shape.js";

/** A lookup, or a scatter, of the rows 0 … rows − 1. */
export interface Lookup {
  readonly index: Node;
  readonly rows: number;
}

/** The index of a node that has one. */
export function lookupOf(node: Node): Lookup | undefined {
  const index = node.op === "gather" ? node.inputs[1] : node.inputs[0];
  if (index === undefined) return undefined;
  if (node.op === "gather") return { index, rows: sizeAt(inputOf(node, 0).shape, 0) };
  return node.op === "scatterAdd" ? { index, rows: node.attributes.rows } : undefined;
}

/** Gives every number as it is, wherever: all movements but `fold`, which adds. */
const isMoving = ({ op }: Node): boolean =>
  PRIMITIVES[op].kind === "identity" || (PRIMITIVES[op].kind === "movement" && op !== "fold");

/** No more than numbers, whatever the data: constants and positions. */
const isFixed = (node: Node): boolean =>
  topological([node]).every(({ op, inputs }) => inputs.length > 0 || op === "constant" || op === "iota");

/**
 * Whether each number of an index is one of an input, or one plus a number that does not depend on the data; what is not
 * one of an input at all, such as padding, may be among them.
 */
export function carries(index: Node, inputs: ReadonlySet<Node>): boolean {
  const known = new Map<Node, boolean>();
  const carried = (node: Node): boolean => {
    let result = known.get(node);
    if (result === undefined) known.set(node, (result = follow(node)));
    return result;
  };
  const follow = (node: Node): boolean => {
    if (inputs.has(node)) return true;
    const [a, b] = node.inputs;
    if (node.op === "add" && a !== undefined && b !== undefined)
      return (carried(a) && isFixed(b)) || (isFixed(a) && carried(b));
    if (node.op === "sub" && a !== undefined && b !== undefined) return carried(a) && isFixed(b);
    if (isMoving(node)) return node.inputs.every((input) => carried(input) || isFixed(input));
    return false;
  };
  return index.dtype === "int32" && carried(index);
}
