/**
 * The logarithm of a prediction, from how the prediction was made: a sigmoid or a softmax that is sure has lost in rounding
 * what its logarithm needs. Whatever only moves values (masks, reshapes, …) is looked through; blocks and models as layers
 * leave nothing of their own in the graph.
 */
import { make, rebuild } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { sizeAt } from "../tensor/shape.js";

/** Probabilities are kept this far from 0 and 1 before a logarithm is taken, as in Keras: the derivative is 0 there. */
export const EPSILON = 1e-7;

/** What replaces a value: a function of single numbers, for constants, and the nodes for which it is known otherwise. */
interface Replacement {
  readonly known: (node: Node) => Node | undefined;
  readonly ofNumber: (value: number) => number;
}

/** The function applied to the values where they were made; undefined where it is not known of all of them. */
function through(node: Node, replacement: Replacement): Node | undefined {
  const known = replacement.known(node);
  if (known !== undefined) return known;
  const inner = (at: number): Node | undefined => {
    const input = node.inputs[at];
    return input === undefined ? undefined : through(input, replacement);
  };
  switch (node.op) {
    case "reshape":
    case "transpose":
    case "broadcast":
    case "slice":
    case "reverse":
    case "stopGradient": {
      const value = inner(0);
      return value === undefined ? undefined : rebuild(node, [value]);
    }
    case "pad": {
      const value = inner(0);
      const around = replacement.ofNumber(node.attributes.value);
      return value === undefined ? undefined : make("pad", [value], { ...node.attributes, value: around });
    }
    case "concat": {
      const values = node.inputs.map((input) => through(input, replacement));
      return values.every((value) => value !== undefined) ? rebuild(node, values) : undefined;
    }
    case "select":
      return throughSelect(node, replacement);
    default:
      return undefined;
  }
}

/** Where a mask is false there is a number instead of a value. */
function throughSelect(node: Node, replacement: Replacement): Node | undefined {
  const [condition, ...branches] = node.inputs;
  const values = branches.map((branch) =>
    branch.op === "constant"
      ? ops.constant(replacement.ofNumber(branch.attributes.value), branch.shape)
      : through(branch, replacement),
  );
  const [a, b] = values;
  const found = branches.some((branch) => branch.op !== "constant");
  if (condition === undefined || a === undefined || b === undefined || !found) return undefined;
  return rebuild(node, [condition, a, b]);
}

const clipped = (p: number): number => Math.min(Math.max(p, EPSILON), 1 - EPSILON);

/** Logits z with p = σ(z), for each element by itself; undefined where p was not made by a sigmoid or a softmax. */
export function logitsOf(p: Node): Node | undefined {
  return through(p, {
    known: (node) => (node.op === "sigmoid" ? node.inputs[0] : logitsOfSoftmax(node)),
    ofNumber: (value) => Math.log(clipped(value) / (1 - clipped(value))),
  });
}

/** log(p/(1 − p)) = s − log Σ over the others of eˢ. */
function logitsOfSoftmax(node: Node): Node | undefined {
  const found = softmaxParts(node);
  if (found === undefined) return undefined;
  const { scores, axis } = found;
  const last = scores.shape.length - 1;
  const n = sizeAt(scores.shape, axis);
  if (n < 2) return undefined;
  const moved = toLast(scores, axis);
  const pairs = [...moved.shape, n];
  const others = ops.broadcastTo(ops.expandDims(moved, last), pairs);
  const self = ops.equal(ops.iota(pairs, last), ops.iota(pairs, last + 1));
  const logits = ops.sub(moved, ops.logSumExp(ops.where(self, -Infinity, others), { axes: [-1] }));
  return fromLast(logits, axis);
}

/** log p; undefined where p was not made by a sigmoid, a softmax or an exponential. */
export function logOf(p: Node): Node | undefined {
  return through(p, {
    known: (node) => {
      if (node.op === "sigmoid" && node.inputs[0] !== undefined) return logSigmoid(node.inputs[0]);
      return node.op === "exp" ? node.inputs[0] : logOfSoftmax(node);
    },
    ofNumber: (value) => Math.log(clipped(value)),
  });
}

export const logSigmoid = (z: Node): Node => ops.neg(ops.softplus(ops.neg(z)));

/** eˢ/Σeˢ: s − log Σeˢ. */
function logOfSoftmax(node: Node): Node | undefined {
  const found = softmaxParts(node);
  if (found === undefined) return undefined;
  const { scores, total, divisor } = found;
  const log = through(divisor, {
    known: (inner) => (inner === total ? ops.log(total) : undefined),
    ofNumber: Math.log,
  });
  return log === undefined ? undefined : ops.sub(scores, log);
}

interface SoftmaxParts {
  /** Shifted by their maximum. */
  readonly scores: Node;
  readonly total: Node;
  /** The total, repeated along the axis. */
  readonly divisor: Node;
  readonly axis: number;
}

/** Recognises e / Σ e over one axis, e being an exponential. */
function softmaxParts(node: Node): SoftmaxParts | undefined {
  const [exponential, divisor] = node.inputs;
  if (node.op !== "div" || exponential?.op !== "exp" || divisor === undefined) return undefined;
  let total: Node | undefined = divisor;
  while (total?.op === "reshape" || total?.op === "broadcast") total = total.inputs[0];
  const [scores] = exponential.inputs;
  if (total?.op !== "sum" || total.inputs[0] !== exponential || scores === undefined) return undefined;
  const [axis, ...more] = total.attributes.axes;
  if (axis === undefined || more.length > 0) return undefined;
  return { scores, total, divisor, axis };
}

/** Whether the values add up to 1 along the last axis (or are masked) because a softmax has made them. */
export function addsUpToOne(p: Node): boolean {
  let node = p;
  for (;;) {
    const parts = softmaxParts(node);
    if (parts !== undefined) return parts.axis === node.shape.length - 1;
    const next: Node | undefined =
      node.op === "select" ? node.inputs.slice(1).find(({ op }) => op !== "constant") : node.inputs[0];
    const keeps = (node.op === "reshape" || node.op === "select") && next?.shape.at(-1) === node.shape.at(-1);
    if (!keeps || next === undefined) return false;
    node = next;
  }
}

/** What made the values that masks, reshapes and the like only move. */
function sourceOf(node: Node): Node {
  let source = node;
  for (;;) {
    const moved: Node | undefined =
      source.op === "select"
        ? source.inputs.slice(1).find(({ op }) => op !== "constant")
        : MOVES.has(source.op)
          ? source.inputs[0]
          : undefined;
    if (moved === undefined) return source;
    source = moved;
  }
}

const MOVES: ReadonlySet<Node["op"]> = new Set<Node["op"]>([
  "reshape",
  "transpose",
  "broadcast",
  "slice",
  "reverse",
  "pad",
]);

/**
 * What a prediction is by how it was made: "linear" is what weights give without an activation, "single" a softmax over one
 * value; undefined for all else.
 */
export function activationOf(p: Node): "sigmoid" | "softmax" | "single" | "linear" | undefined {
  const source = sourceOf(p);
  if (source.op === "sigmoid") return "sigmoid";
  const softmax = softmaxParts(source);
  if (softmax !== undefined) return softmax.scores.shape[softmax.axis] === 1 ? "single" : "softmax";
  const summands = source.op === "add" ? source.inputs : [source];
  return summands.some((summand) => sourceOf(summand).op === "contract") ? "linear" : undefined;
}

/** The axis behind all others. */
export function toLast(x: Node, axis: number): Node {
  const at = axis < 0 ? axis + x.shape.length : axis;
  return ops.transpose(x, [...x.shape.map((_, i) => i).filter((i) => i !== at), at]);
}

/** The last axis back where it was. */
function fromLast(x: Node, axis: number): Node {
  const order = x.shape.map((_, i) => i).slice(0, -1);
  return ops.transpose(x, [...order.slice(0, axis), x.shape.length - 1, ...order.slice(axis)]);
}
