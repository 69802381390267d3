/**
 * Which nodes are kept in memory. All others are recomputed by whoever reads them, inside the reader's kernel.
 *
 * Products, scatters and reductions are kept; an elementwise node is kept where recomputing it for each of its readers
 * would cost more than a round trip through memory; operands of products must be plain strided views. A linear map computes what
 * it reads, margins included, since it reads everything about as often as there are results.
 */
import { inputOf, type Node, nodesOf, type Program, roots } from "../../graph/node.js";
import { PRIMITIVES } from "../../graph/primitives.js";
import { entryOf, sameShape, sizeOf } from "../../tensor/shape.js";
import { atOnce, eachInSteps } from "../../turns.js";
import { COST } from "../cost.js";
import { Exprs } from "../loops/expr.js";
import { indexOf, linearIndex } from "../loops/index-expr.js";
import { isRearrangement, moveIndex } from "../loops/inline.js";

/** Recomputing up to this much is cheaper than storing and loading. */
const CHEAP = 8;
/** An element that is read more often than this, on average, is read repeatedly: margins and remainders aside. */
const REPEATED = 1.5;
/** Reductions over at most this many values are unrolled into their reader. */
const UNROLLED = 8;

export const chooseMaterialized = (program: Program): Set<Node> => atOnce(choosingMaterialized(program));

/** Nodes between two steps. */
const STEP = 256;

/** The same, in steps. */
export function* choosingMaterialized(program: Program): Generator<undefined, Set<Node>> {
  const order = nodesOf(program);
  const costs = yield* inlineCosts(order);
  const materialized = new Set<Node>(roots(program).filter((node) => node.op !== "state"));
  const repeats = new Map<Node, number>();
  const siblings = new Map<Node, Node[]>();
  const positions = order.filter((node) => node.op === "argmax");
  yield* eachInSteps([...order].reverse(), STEP, (node) => {
    const times = repeats.get(node) ?? 0;
    const keep = mustKeep(node, times, entryOf(costs, node)) || isFoundAnyway(node, positions);
    if (node.op !== "state" && keep) materialized.add(node);
    if (node.op === "contract" || node.op === "linearMap")
      for (const operand of node.inputs)
        if (node.op === "contract" || decidesWithinVectors(operand)) materialized.add(strided(operand) ?? operand);
    const kept = materialized.has(node);
    if (kept && sharesLoops(node, siblings)) return;
    for (const input of node.inputs) {
      const through = kept ? 1 : times;
      repeats.set(input, (repeats.get(input) ?? 0) + through * expansion(node, input));
    }
  });
  for (const node of materialized) if (node.op === "state") materialized.delete(node);
  return materialized;
}

/** Whether another reduction that is kept goes over the same array along the same axes: they read it together. */
function sharesLoops(node: Node, siblings: Map<Node, Node[]>): boolean {
  if (PRIMITIVES[node.op].kind !== "reduction") return false;
  const input = inputOf(node, 0);
  const others = siblings.get(input) ?? [];
  siblings.set(input, [...others, node]);
  return others.some((other) => sameAxes(other, node));
}

function mustKeep(node: Node, times: number, cost: number): boolean {
  switch (PRIMITIVES[node.op].kind) {
    case "leaf":
      return node.op === "uniform" && times > REPEATED;
    case "contract":
      return true;
    case "indirect":
      return node.op === "scatterAdd" || (times > REPEATED && cost > CHEAP);
    case "reduction":
      return !isUnrollable(node) || times > REPEATED;
    case "movement":
      return node.op === "fold" && times > REPEATED && cost > CHEAP;
    default:
      return times > REPEATED && cost > CHEAP;
  }
}

/** A maximum whose position is looked for as well. */
const isFoundAnyway = (node: Node, positions: readonly Node[]): boolean =>
  node.op === "reduceMax" &&
  positions.some((position) => inputOf(position, 0) === inputOf(node, 0) && sameAxes(position, node));

export function sameAxes(a: Node, b: Node): boolean {
  return "axes" in a.attributes && "axes" in b.attributes && sameShape(a.attributes.axes, b.attributes.axes);
}

function isUnrollable(node: Node): boolean {
  if (node.op !== "sum" && node.op !== "reduceMax") return false;
  return sizeOf(inputOf(node, 0).shape) <= UNROLLED * sizeOf(node.shape);
}

/** How often each element of `input` is read by an inlined `node`. */
function expansion(node: Node, input: Node): number {
  if (node.op === "gather" && input === node.inputs[1]) return 1;
  const expands = node.op === "broadcast" || node.op === "windows" || node.op === "gather";
  return expands ? Math.max(1, sizeOf(node.shape) / Math.max(1, sizeOf(input.shape))) : 1;
}

function* inlineCosts(order: readonly Node[]): Generator<undefined, Map<Node, number>> {
  const costs = new Map<Node, number>();
  yield* eachInSteps(order, STEP, (node) => {
    const { kind } = PRIMITIVES[node.op];
    const below = node.inputs.reduce((sum, input) => sum + entryOf(costs, input), 0);
    const own = COST[node.op];
    if (kind === "reduction") {
      const count = sizeOf(inputOf(node, 0).shape) / Math.max(1, sizeOf(node.shape));
      costs.set(node, isUnrollable(node) ? count * (below + 1) : 1);
    } else if (kind === "contract" || node.op === "scatterAdd") costs.set(node, 1);
    else if (kind === "movement")
      costs.set(node, repeatsKept(node, below) ? 1 : below + (isRearrangement(node) ? 0 : 1));
    else costs.set(node, Math.min(1e6, below + own));
  });
  return costs;
}

/** Whether each element of what is repeated costs so much that it is kept. */
const repeatsKept = (node: Node, below: number): boolean =>
  node.op === "broadcast" && below > CHEAP && expansion(node, inputOf(node, 0)) > REPEATED;

/** Whether computing the values takes decisions that lanes of a vector may not share: it is done once, before they are read. */
function decidesWithinVectors(values: Node): boolean {
  const found = new Set([values]);
  for (const node of found) {
    const { op } = node;
    if (op === "concat" || (op === "pad" && (node.attributes.low.at(-1) !== 0 || node.attributes.high.at(-1) !== 0)))
      return true;
    const computed = !["leaf", "reduction", "contract"].includes(PRIMITIVES[op].kind) && op !== "scatterAdd";
    if (computed) for (const input of node.inputs) found.add(input);
  }
  return false;
}

/**
 * The node under the rearrangements of `operand` whose memory, read with constant strides, is the operand; undefined
 * where no such view exists and the operand itself has to be laid out.
 */
export function strided(operand: Node): Node | undefined {
  const exprs = new Exprs();
  let node = operand;
  let at = operand.shape.map((n) => indexOf(exprs.atoms.variable(n)));
  while (isRearrangement(node)) {
    at = moveIndex(exprs, node, at);
    node = inputOf(node, 0);
  }
  if (node.op === "constant" || node.op === "iota") return undefined;
  const linear = linearIndex(at, node.shape);
  return linear.terms.every(({ atom }) => atom.kind === "variable") ? node : undefined;
}
