/**
 * Operands of products are laid out so that vectors can run along the last axis of the result: where that axis is not
 * the innermost of its operand, the operand is copied into an order in which it is.
 */
import { make, rebuild } from "../../graph/make.js";
import { inputOf, type Node, nodesOf, type Program, roots } from "../../graph/node.js";
import { Exprs } from "../loops/expr.js";
import { factorOf, indexOf, linearIndex } from "../loops/index-expr.js";
import { chooseRoles, type Roles } from "../lower/gemm-tile.js";
import { WIDTH } from "../loops/loops.js";
import { sizeAt, sizeOf } from "../../tensor/shape.js";
import { isRearrangement, moveIndex } from "../loops/inline.js";
import { rewriting } from "./rewrite.js";

export function* layOutOperands(program: Program): Generator<undefined, Program> {
  return yield* rewriting(yield* shareMargins(program), (node) => (node.op === "contract" ? withVectors(node) : node));
}

function withVectors(node: Node & { op: "contract" }): Node {
  const roles = chooseRoles(node);
  if (roles === undefined) return node;
  const size = (label: string): number => sizeAt(node.shape, node.attributes.out.indexOf(label));
  const last = [...roles.columns].reverse().find((label) => size(label) > 1);
  const rows = [...roles.rows].reduce((product, label) => product * size(label), 1);
  if (last === undefined || stepAlong(roles.vectors, roles.vectorLabels.indexOf(last)) === 1) return node;
  if (rows < 2) return node;
  const turned = transposedResult(node, roles);
  if (turned !== undefined) return turned;
  const order = [...roles.vectorLabels].filter((label) => label !== last).concat(last);
  const permutation = order.map((label) => roles.vectorLabels.indexOf(label));
  const copy = make("copy", [make("transpose", [roles.vectors], { permutation })], {});
  const { a, b, out } = node.attributes;
  return roles.vectorLabels === a && roles.vectors === node.inputs[0]
    ? make("contract", [copy, inputOf(node, 1)], { a: order.join(""), b, out })
    : make("contract", [inputOf(node, 0), copy], { a, b: order.join(""), out });
}

/**
 * The transposed result instead, where the operand to be copied is large and the other operand and the result are small:
 * then those are rearranged.
 */
function transposedResult(node: Node & { op: "contract" }, roles: Roles): Node | undefined {
  const { a, b, out } = node.attributes;
  const wide = [...roles.rows].reverse().find((label) => sizeAt(node.shape, out.indexOf(label)) >= WIDTH);
  const small = sizeOf(roles.broadcast.shape) + 2 * sizeOf(node.shape);
  if (wide === undefined || sizeOf(roles.vectors.shape) < 2 * small) return undefined;
  const order = [...out].filter((label) => label !== wide).concat(wide);
  const transposed = make("contract", node.inputs, { a, b, out: order.join("") });
  const permutation = [...out].map((label) => order.indexOf(label));
  return transposed.op === "contract" ? make("transpose", [withVectors(transposed)], { permutation }) : undefined;
}

/** Distance in memory between neighbours along an axis, undefined where it is not constant. */
function stepAlong(operand: Node, axis: number): number | undefined {
  const exprs = new Exprs();
  const variables = operand.shape.map((n) => exprs.atoms.variable(n));
  let at = variables.map((variable) => indexOf(variable));
  let node = operand;
  while (isRearrangement(node)) {
    at = moveIndex(exprs, node, at);
    node = inputOf(node, 0);
  }
  const variable = variables[axis];
  return variable === undefined ? undefined : factorOf(linearIndex(at, node.shape), variable);
}

/** Where an array is laid out with a margin for one product, its other readers read it from there. */
function* shareMargins(program: Program): Generator<undefined, Program> {
  const margins = new Map<Node, Node>();
  for (const node of nodesOf(program)) {
    if (node.op !== "contract") continue;
    for (const operand of node.inputs) {
      const padded = underRearrangements(operand);
      if (padded.op === "pad" && padded.attributes.interior.every((n) => n === 0))
        margins.set(inputOf(padded, 0), padded);
    }
  }
  const padded = new Map<Node, Node>();
  const taken = new Set(roots(program));
  return yield* rewriting(program, (node, original) => {
    const own = inputMargin(original, margins);
    if (own !== undefined) return padded.get(own) ?? node;
    const inputs = original.inputs.map((input, i) => {
      const margin = padded.get(input);
      return margin?.op === "pad" ? inner(margin) : inputOf(node, i);
    });
    const result = rebuild(node, inputs);
    const margin = margins.get(original);
    if (margin?.op === "pad" && !taken.has(original)) padded.set(original, make("pad", [result], margin.attributes));
    return result;
  });
}

/** The array that `node` is the chosen margin of. */
function inputMargin(node: Node, margins: ReadonlyMap<Node, Node>): Node | undefined {
  const input = node.inputs[0];
  return input !== undefined && margins.get(input) === node ? input : undefined;
}

function underRearrangements(node: Node): Node {
  let below = node;
  while (isRearrangement(below)) below = inputOf(below, 0);
  return below;
}

/** What was padded, as a slice of the result. */
function inner(padded: Node & { op: "pad" }): Node {
  const { low } = padded.attributes;
  const shape = inputOf(padded, 0).shape;
  return make("slice", [padded], {
    start: low,
    stop: shape.map((n, i) => n + sizeAt(low, i)),
    step: shape.map(() => 1),
  });
}
