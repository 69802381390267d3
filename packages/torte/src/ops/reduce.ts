/** Reductions, products and the functions made of them. */
import { make } from "../graph/make.js";
import type { Matrix, Node } from "../graph/node.js";
import { sizeOf } from "../tensor/shape.js";
import {
  abs,
  add,
  cast,
  div,
  equal,
  exp,
  less,
  log,
  logicalAnd,
  logicalNot,
  mul,
  neg,
  sqrt,
  square,
  stopGradient,
  sub,
  where,
} from "./basic.js";
import { normalizeAxis, reshape } from "./movement.js";

/** Which axes are reduced, and whether they stay. */
export interface ReduceOptions {
  /** Axes to reduce; all by default. Negative ones count from the end. */
  readonly axes?: readonly number[];
  /** Keeps the reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

function reduce(op: "sum" | "reduceMax" | "argmax", x: Node, options: ReduceOptions): Node {
  const axes = (options.axes ?? x.shape.map((_, i) => i)).map((axis) => normalizeAxis(axis, x.shape.length));
  const result = make(op, [x], { axes: [...axes].sort((a, b) => a - b) });
  return options.keepDims
    ? reshape(
        result,
        x.shape.map((n, i) => (axes.includes(i) ? 1 : n)),
      )
    : result;
}

/** Σx over axes; over all unless said otherwise. */
export const sum = (x: Node, options: ReduceOptions = {}): Node => reduce("sum", x, options);
/** The largest value over axes. */
export const max = (x: Node, options: ReduceOptions = {}): Node => reduce("reduceMax", x, options);
/** The smallest value over axes. */
export const min = (x: Node, options: ReduceOptions = {}): Node => neg(max(neg(x), options));
/** Row-major position of the first maximum within the reduced axes. */
export const argmax = (x: Node, options: ReduceOptions = {}): Node => reduce("argmax", x, options);

/** The mean of x over axes. */
export function mean(x: Node, options: ReduceOptions = {}): Node {
  const total = sum(x, options);
  return mul(total, sizeOf(total.shape) / sizeOf(x.shape));
}

/** Biased variance, from the deviations, so that an offset does not harm it, nor what the mean has lost to rounding. */
export function variance(x: Node, options: ReduceOptions = {}): Node {
  const deviation = sub(x, stopGradient(mean(x, { ...options, keepDims: true })));
  const rounded = sub(mean(square(deviation), options), square(mean(deviation, options)));
  return where(less(rounded, 0), 0, rounded);
}

/** Whether the condition holds anywhere along the axes. */
export function any(x: Node, options: ReduceOptions = {}): Node {
  const counted = max(cast(x, "int32"), options);
  return less(0, counted);
}

/** Whether the condition holds everywhere along the axes. */
export const all = (x: Node, options: ReduceOptions = {}): Node => logicalNot(any(logicalNot(x), options));

/** Product of two operands summed over the labels missing in the result, e.g. `einsum("bik,kj->bij", a, b)`. */
export function einsum(spec: string, a: Node, b: Node): Node {
  const match = /^(\w*),(\w*)->(\w*)$/.exec(spec);
  if (match === null) throw new RangeError(`einsum: expected "ab,bc->ac", received "${spec}"`);
  const [, left = "", right = "", out = ""] = match;
  return make("contract", [a, b], { a: left, b: right, out });
}

/** A matrix of numbers applied along `axis`, which becomes axis `to` (default: stays): yᵢ = Σ_j matrix[i][j]·xⱼ. */
export function linearMap(x: Node, axis: number, matrix: Matrix, to = axis): Node {
  const rank = x.shape.length;
  return make("linearMap", [x], { axis: normalizeAxis(axis, rank), to: normalizeAxis(to, rank), matrix });
}

/** The largest absolute value along the axes, kept with size 1; 1 where that is no measure: 0, infinite or NaN. */
function scaleOf(x: Node, options: ReduceOptions): Node {
  const largest = stopGradient(max(abs(x), { ...options, keepDims: true }));
  return where(logicalAnd(less(0, largest), less(largest, Infinity)), largest, 1);
}

/**
 * √Σx², of values measured by the largest one, so that squares neither overflow nor vanish. The derivative is 0 where all
 * values are 0.
 */
export function norm(x: Node, options: ReduceOptions = {}): Node {
  const scale = scaleOf(x, options);
  const squares = sum(square(div(x, scale)), options);
  const none = equal(squares, 0);
  return mul(where(none, 0, sqrt(where(none, 1, squares))), reshape(scale, squares.shape));
}

/** x/√Σx² along the axes, for values of any size; zeros stay as they are, derivative 1 included. */
export function normalize(x: Node, options: ReduceOptions = {}): Node {
  const scaled = div(x, scaleOf(x, options));
  const squares = sum(square(scaled), { ...options, keepDims: true });
  return div(scaled, sqrt(where(equal(squares, 0), 1, squares)));
}

/** x less its maximum along the axes, so that no exponential overflows and a common offset changes nothing. */
const belowMaximum = (x: Node, options: ReduceOptions): Node =>
  sub(x, stopGradient(max(x, { ...options, keepDims: true })));

/** log Σ exp(x), shifted by the maximum where that is finite. */
export function logSumExp(x: Node, options: ReduceOptions = {}): Node {
  const highest = stopGradient(max(x, { ...options, keepDims: true }));
  const shift = where(less(abs(highest), Infinity), highest, 0);
  const total = log(sum(exp(sub(x, shift)), options));
  return add(total, reshape(shift, total.shape));
}

/** Of the differences to the maximum, which are as exact as the logits are: log Σ is of their size, the maximum may not be. */
export function logSoftmax(x: Node, axis = -1): Node {
  const shifted = belowMaximum(x, { axes: [axis] });
  return sub(shifted, log(sum(exp(shifted), { axes: [axis], keepDims: true })));
}

/** exp(x) / Σexp(x) along an axis, stable for any x. */
export function softmax(x: Node, axis = -1): Node {
  const powers = exp(belowMaximum(x, { axes: [axis] }));
  return div(powers, sum(powers, { axes: [axis], keepDims: true }));
}
