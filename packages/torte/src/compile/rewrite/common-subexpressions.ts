/** Common-subexpression elimination, constant folding, and removal of what changes nothing. */
import { constant } from "../../graph/make.js";
import type { Node, Program } from "../../graph/node.js";
import { attributesKey } from "../../graph/print.js";
import { PRIMITIVES } from "../../graph/primitives.js";
import { entryOf, sameShape } from "../../tensor/shape.js";
import { make } from "../../graph/make.js";
import { rewriting } from "./rewrite.js";
import { simplifySum } from "./simplify-sums.js";

export function* eliminateCommonSubexpressions(program: Program): Generator<undefined, Program> {
  const representatives = new Map<string, Node>();
  const states = new Map<object, number>();
  const shared = (node: Node): Node => {
    const key = keyOf(node, states);
    const found = representatives.get(key);
    if (found === undefined) representatives.set(key, node);
    return found ?? node;
  };
  return yield* rewriting(program, (node) => shared(simplifyNode(node, shared)));
}

/** The same key for equal nodes: type and shape follow from the inputs where there are some. */
function keyOf(node: Node, states: Map<object, number>): string {
  if (node.op === "state") {
    const { state } = node.attributes;
    if (!states.has(state)) states.set(state, states.size);
    return `state ${entryOf(states, state)}`;
  }
  let key = `${node.op}${attributesKey(node)}`;
  if (node.op === "uniform" || node.inputs.length === 0) key += `${node.dtype} ${node.shape.join("x")}`;
  for (let i = 0, input = node.inputs[0]; input !== undefined; input = node.inputs[++i]) key += ` ${input.id}`;
  return key;
}

const valueOf = (node: Node | undefined): number | undefined =>
  node?.op === "constant" ? node.attributes.value : undefined;

/** What stands in for the node; new nodes that it is made of go through `shared`. */
function simplifyNode(node: Node, shared: (node: Node) => Node): Node {
  const [a, b, c] = node.inputs;
  const movement = PRIMITIVES[node.op].kind === "movement";
  const first = valueOf(a);
  const fills = node.op === "pad" || node.op === "concat" || node.op === "fold";
  if (movement && !fills && first !== undefined) return constant(first, node.shape, node.dtype);
  switch (node.op) {
    case "reshape":
      if (a !== undefined && sameShape(a.shape, node.shape)) return a;
      if (a?.op === "reshape" && a.inputs[0] !== undefined) return make("reshape", [a.inputs[0]], node.attributes);
      return node;
    case "broadcast":
      return a !== undefined && sameShape(a.shape, node.shape) ? a : node;
    case "transpose":
      return a !== undefined && node.attributes.permutation.every((axis, i) => axis === i) ? a : node;
    case "add":
      if (isNumber(b, 0) && a !== undefined) return a;
      return isNumber(a, 0) && b !== undefined ? b : foldBinary(node, (x, y) => x + y);
    case "sub":
      return isNumber(b, 0) && a !== undefined ? a : foldBinary(node, (x, y) => x - y);
    case "mul":
      if (isNumber(b, 1) && a !== undefined) return a;
      return isNumber(a, 1) && b !== undefined ? b : foldBinary(node, (x, y) => x * y);
    case "div":
      return isNumber(b, 1) && a !== undefined ? a : node;
    case "select":
      if (b === c && b !== undefined) return b;
      return node;
    case "sum":
      return simplifySum(node, shared);
    default:
      return node;
  }
}

const isNumber = (node: Node | undefined, value: number): boolean => valueOf(node) === value;

function foldBinary(node: Node, compute: (a: number, b: number) => number): Node {
  const [a, b] = [valueOf(node.inputs[0]), valueOf(node.inputs[1])];
  if (a === undefined || b === undefined) return node;
  const value = node.dtype === "int32" ? compute(a, b) | 0 : Math.fround(compute(Math.fround(a), Math.fround(b)));
  return constant(value, node.shape, node.dtype);
}
