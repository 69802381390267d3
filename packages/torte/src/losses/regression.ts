/** Losses of numbers, of directions and of counts. */
import { checkOptions, integerOption, numberIn } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { type Loss, type LossOptions, readReduction } from "./loss.js";
import { EPSILON, toLast } from "./logits.js";

const { abs, add, div, mul, sub } = ops;

const lastMean = (x: Node): Node => ops.mean(x, { axes: [-1] });

/** A loss of numbers: the mean over the last axis of what `each` makes of target and prediction. */
function numeric(
  name: string,
  options: LossOptions,
  each: (target: Node, prediction: Node) => Node,
  own: readonly string[] = [],
): Loss {
  checkOptions(name, options, [...own, "reduction"]);
  return {
    name,
    targets: "numbers",
    ...readReduction(name, options),
    call: (y, p) => lastMean(each(y, p)),
  };
}

/** Mean (y − p)². Two batches of 2 and 1 rows with means 10 and 9 make an epoch's loss of 9.6667, not 9.5. */
export const meanSquaredError = (options: LossOptions = {}): Loss =>
  numeric("meanSquaredError", options, (y, p) => ops.square(sub(y, p)));

/** Mean |y − p|. Its derivative is 0 where both are equal, as that of |x| is at 0 (JAX has 1 there). */
export const meanAbsoluteError = (options: LossOptions = {}): Loss =>
  numeric("meanAbsoluteError", options, (y, p) => abs(sub(y, p)));

/** Mean 100·|y − p|/max(|y|, 1e-7), as in Keras: y = 0 and p = 1 cost 1e9 (scikit-learn divides by 2.2e-16 at least). */
export const meanAbsolutePercentageError = (options: LossOptions = {}): Loss =>
  numeric("meanAbsolutePercentageError", options, (y, p) =>
    mul(div(abs(sub(y, p)), ops.maximum(abs(y), EPSILON)), 100),
  );

/** Mean (log(1 + y) − log(1 + p))², y and p being at least 1e-7, as in Keras: what is negative, which others refuse, counts as 1e-7. */
export const meanSquaredLogarithmicError = (options: LossOptions = {}): Loss =>
  numeric("meanSquaredLogarithmicError", options, (y, p) => {
    const log = (x: Node): Node => ops.log1p(ops.maximum(x, EPSILON));
    return ops.square(sub(log(y), log(p)));
  });

/** Mean of ½e² within ±delta, delta·(|e| − ½delta) beyond, e = y − p. Huber 1964. */
export function huber(
  options: LossOptions & {
    /** Where the square ends, above 0. Default 1. */
    readonly delta?: number;
  } = {},
): Loss {
  checkOptions("huber", options, ["delta", "reduction"]);
  const delta = numberIn("huber", "delta", options.delta ?? 1, { above: 0 });
  const each = (y: Node, p: Node): Node => {
    const e = abs(sub(y, p));
    return ops.where(ops.lessEqual(e, delta), mul(ops.square(e), 0.5), mul(sub(e, delta / 2), delta));
  };
  return numeric("huber", options, each, ["delta"]);
}

/**
 * Mean log cosh e, e = p − y; computed as e + softplus(−2e) − log 2, and where |e| < 1, so that small errors keep all their
 * digits, as log(1 + t²/(2 + 2t)) with t = eᵉ − 1: cosh e − 1 is t²/(2 + 2t).
 */
export const logCosh = (options: LossOptions = {}): Loss =>
  numeric("logCosh", options, (y, p) => {
    const e = sub(p, y);
    const t = ops.expm1(ops.clip(e, -1, 1));
    const near = ops.log1p(div(ops.square(t), mul(add(t, 1), 2)));
    return ops.where(ops.less(abs(e), 1), near, sub(add(e, ops.softplus(mul(e, -2))), Math.LN2));
  });

/**
 * Mean p − y·log(p + 1e-7), as in Keras (PyTorch has 1e-8, and takes log p): the negative logarithm of Poisson's likelihood,
 * without what p cannot change. p = 0 costs 16.1·y.
 */
export const poisson = (options: LossOptions = {}): Loss =>
  numeric("poisson", options, (y, p) => sub(p, mul(y, ops.log(add(p, EPSILON)))));

/** −Σ y·p/(|y|·|p|) along the axis: −1 for the same direction, 1 for opposite ones, 0 where a vector is zero. */
export function cosineSimilarity(
  options: LossOptions & {
    /** The axis of the vectors. Default −1. */
    readonly axis?: number;
  } = {},
): Loss {
  const name = "cosineSimilarity";
  checkOptions(name, options, ["axis", "reduction"]);
  const axis = integerOption(name, "axis", options.axis ?? -1);
  return {
    name,
    targets: "numbers",
    ...readReduction(name, options),
    call: (target, prediction) => {
      const [y, p] = [direction(toLast(target, axis)), direction(toLast(prediction, axis))];
      return ops.neg(ops.sum(mul(y, p), { axes: [-1] }));
    },
  };
}

/** The vectors along the last axis with length 1; those that are zero stay so. Squares neither overflow nor vanish. */
export function direction(x: Node): Node {
  const largest = ops.stopGradient(ops.max(abs(x), { axes: [-1], keepDims: true }));
  const isZero = ops.equal(largest, 0);
  const scaled = div(x, ops.where(isZero, 1, largest));
  const squares = ops.sum(ops.square(scaled), { axes: [-1], keepDims: true });
  return div(scaled, ops.sqrt(ops.where(isZero, 1, squares)));
}
