/** Cross-entropies and their kin: losses of probabilities and of logits. */
import { booleanOption, checkOptions, integerOption, numberIn } from "../errors.js";
import { iota } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { lastOf } from "../tensor/shape.js";
import { type Loss, type LossOptions, type PredictionKind, readReduction } from "./loss.js";
import { addsUpToOne, EPSILON, logitsOf, logOf, toLast } from "./logits.js";

const { add, mul, sub } = ops;

/** What cross-entropies have in common. */
export interface CrossentropyOptions extends LossOptions {
  /** The predictions are logits, without sigmoid or softmax. Default false. */
  readonly fromLogits?: boolean;
  /**
   * ε, from 0 to 1: targets y become y·(1 − ε) + ε/K for K classes, binary ones y·(1 − ε) + ε/2. In training and in evaluate
   * alike, as in Keras. Default 0.
   */
  readonly labelSmoothing?: number;
}

/** Options of cross-entropies over classes. */
export interface CategoricalOptions extends CrossentropyOptions {
  /** The axis of the classes. Default −1. */
  readonly axis?: number;
}

/** Options of cross-entropies whose targets are class numbers. */
export interface SparseCategoricalOptions extends CategoricalOptions {
  /** Positions with this label do not count. Default none. */
  readonly ignoreClass?: number;
}

const lastMean = (x: Node): Node => ops.mean(x, { axes: [-1] });
const lastSum = (x: Node): Node => ops.sum(x, { axes: [-1] });
const clipped = (p: Node): Node => ops.clip(p, EPSILON, 1 - EPSILON);

const CROSSENTROPY = ["fromLogits", "labelSmoothing", "reduction"] as const;
const CATEGORICAL = [...CROSSENTROPY, "axis"] as const;

interface Common {
  readonly logits: boolean;
  readonly predictions: PredictionKind;
  readonly smoothing: number;
  readonly axis: number;
}

function readCommon(where: string, options: CategoricalOptions): Common {
  const logits = booleanOption(where, "fromLogits", options.fromLogits ?? false);
  return {
    logits,
    predictions: logits ? "logits" : "probabilities",
    smoothing: numberIn(where, "labelSmoothing", options.labelSmoothing ?? 0, { min: 0, max: 1 }),
    axis: integerOption(where, "axis", options.axis ?? -1),
  };
}

/** y·(1 − ε) + ε/n. */
const smoothed = (y: Node, smoothing: number, n: number): Node =>
  smoothing === 0 ? y : add(mul(y, 1 - smoothing), smoothing / n);

/**
 * Mean over the last axis of −y·log p − (1 − y)·log(1 − p), y from 0 to 1. From logits z it is max(z, 0) − y·z +
 * log(1 + e^−|z|), whose relative error is that of rounding for every z, and so is that of its derivative σ(z) − y: a sure
 * and right prediction costs e^−|z|, not 0. Where p was made by a sigmoid or a softmax its logits are taken, through whatever only moves values: a
 * mask, a reshape, a block, a model as a layer. Other probabilities are clipped to 1e-7 … 1 − 1e-7, as in Keras; the gradient
 * is 0 beyond. In float32 the upper limit is 1 − 1.19e-7, its nearest number, and in the interpreter's float64 1 − 1e-7 itself.
 *
 * @throws OptionError for options that are unknown or out of range.
 * @example
 * import { binaryCrossentropy } from "torte";
 * console.log(binaryCrossentropy({ fromLogits: true }).name); // binaryCrossentropy
 */
export function binaryCrossentropy(options: CrossentropyOptions = {}): Loss {
  const name = "binaryCrossentropy";
  checkOptions(name, options, CROSSENTROPY);
  const { logits, predictions, smoothing } = readCommon(name, options);
  return {
    name,
    targets: "probabilities",
    predictions,
    ...readReduction(name, options),
    call: (target, p) => lastMean(binaryLosses(smoothed(target, smoothing, 2), p, logits)),
  };
}

function binaryLosses(y: Node, p: Node, logits: boolean): Node {
  const z = logits ? p : logitsOf(p);
  if (z !== undefined) return ofLogits(y, z);
  const q = clipped(p);
  return ops.neg(add(mul(y, ops.log(q)), mul(sub(1, y), ops.log(sub(1, q)))));
}

/** softplus(z) − y·z, of terms that do not cancel: what a label of 0 or 1 makes 0 is 0 before it is added. */
function ofLogits(y: Node, z: Node): Node {
  const positive = ops.less(0, z);
  const linear = mul(z, ops.where(positive, sub(1, y), ops.neg(y)));
  return add(linear, ops.softplus(ops.where(positive, ops.neg(z), z)));
}

/**
 * −Σ y·log p over the classes, p scaled to sum 1; from logits by log-softmax. Where p was made by a softmax its logits are
 * taken, through whatever only moves values; other probabilities are clipped to 1e-7 … 1 − 1e-7 once they are scaled, as in
 * Keras. With labelSmoothing 0.1 and three classes the smoothed target is [0.9333, 0.0333, 0.0333]; a prediction of just that
 * costs the least, 0.291140. With two classes it is binaryCrossentropy.
 *
 * @throws OptionError for options that are unknown or out of range.
 */
export function categoricalCrossentropy(options: CategoricalOptions = {}): Loss {
  const name = "categoricalCrossentropy";
  checkOptions(name, options, CATEGORICAL);
  const { logits, predictions, smoothing, axis } = readCommon(name, options);
  return {
    name,
    targets: "distribution",
    predictions,
    axis,
    ...readReduction(name, options),
    call: (target, prediction) => {
      const [y, p] = [toLast(target, axis), toLast(prediction, axis)];
      return ops.neg(lastSum(mul(smoothed(y, smoothing, classesOf(p)), logProbabilities(p, logits))));
    },
  };
}

const classesOf = (p: Node): number => lastOf(p.shape);

/** log of p scaled to sum 1 along the last axis, or log-softmax. */
function logProbabilities(p: Node, logits: boolean): Node {
  if (logits) return ops.logSoftmax(p);
  const known = logOf(p);
  if (known === undefined) return ops.log(clipped(scaled(p)));
  return addsUpToOne(p) ? known : ops.logSoftmax(known);
}

/** p scaled to sum 1 along the last axis; zeros, as masks leave them, stay zero. */
function scaled(p: Node): Node {
  const total = ops.sum(p, { axes: [-1], keepDims: true });
  return ops.div(p, ops.where(ops.equal(total, 0), 1, total));
}

/**
 * As categoricalCrossentropy, labelSmoothing included (Keras has it here since 2026 only), the target being the number of the
 * class. Nothing is built that is as large as a one-hot target.
 *
 * @throws OptionError for options that are unknown or out of range.
 */
export function sparseCategoricalCrossentropy(options: SparseCategoricalOptions = {}): Loss {
  const name = "sparseCategoricalCrossentropy";
  checkOptions(name, options, [...CATEGORICAL, "ignoreClass"]);
  const { logits, predictions, smoothing, axis } = readCommon(name, options);
  const ignored = options.ignoreClass;
  return {
    name,
    targets: "classes",
    predictions,
    axis,
    ignoreClass: ignored === undefined ? undefined : integerOption(name, "ignoreClass", ignored),
    ...readReduction(name, options),
    call: (y, prediction) => {
      const logs = logProbabilities(toLast(prediction, axis), logits);
      const own = ofClass(y, logs);
      if (smoothing === 0) return ops.neg(own);
      return ops.neg(add(mul(own, 1 - smoothing), mul(lastSum(logs), smoothing / classesOf(logs))));
    },
  };
}

/** The value of the class that y names, of values (…, K). */
function ofClass(y: Node, values: Node): Node {
  const classes = ops.broadcastTo(ops.expandDims(y, -1), values.shape);
  const chosen = ops.equal(classes, iota(values.shape, values.shape.length - 1));
  return lastSum(ops.where(chosen, values, 0));
}

/** Options of the focal losses. */
export interface FocalOptions {
  /** How much sure predictions count less, at least 0; with 0 it is the cross-entropy. Default 2. */
  readonly gamma?: number;
  /** Weight of the classes, 0 to 1. Default 0.25. */
  readonly alpha?: number;
}

/** xᵞ for 0 ≤ x ≤ 1, with a derivative that stays finite at 0. */
function power(x: Node, gamma: number): Node {
  if (gamma === 0) return ops.constant(1, x.shape);
  if (gamma === 1) return x;
  return gamma === 2 ? ops.square(x) : ops.pow(ops.maximum(x, 1e-30), gamma);
}

/**
 * Mean over the last axis of (1 − p_t)ᵞ·crossentropy, p_t = y·p + (1 − y)·(1 − p); with applyClassBalancing also times
 * y·α + (1 − y)·(1 − α). With γ = 0 it is the cross-entropy. From logits it is exact, value and gradient, for every logit: one
 * that is wrong by 100 costs 100, where Keras clips at 1e-7, logits too, and so gives 16 and no gradient. Lin et al. 2017.
 *
 * @throws OptionError for options that are unknown or out of range.
 */
export function binaryFocalCrossentropy(
  options: CrossentropyOptions &
    FocalOptions & {
      /** Weighs positives by alpha and negatives by 1 − alpha. Default false. */
      readonly applyClassBalancing?: boolean;
    } = {},
): Loss {
  const name = "binaryFocalCrossentropy";
  checkOptions(name, options, [...CROSSENTROPY, "gamma", "alpha", "applyClassBalancing"]);
  const { logits, predictions, smoothing } = readCommon(name, options);
  const { gamma, alpha } = readFocal(name, options);
  const balanced = booleanOption(name, "applyClassBalancing", options.applyClassBalancing ?? false);
  return {
    name,
    targets: "probabilities",
    predictions,
    ...readReduction(name, options),
    call: (target, p) => {
      const y = smoothed(target, smoothing, 2);
      const z = logits ? p : logitsOf(p);
      const [yes, no] = z === undefined ? [p, sub(1, p)] : [ops.sigmoid(z), ops.sigmoid(ops.neg(z))];
      const wrong = add(mul(y, no), mul(sub(1, y), yes));
      const focal = mul(power(wrong, gamma), binaryLosses(y, p, logits));
      return lastMean(balanced ? mul(focal, add(mul(y, alpha), mul(sub(1, y), 1 - alpha))) : focal);
    },
  };
}

function readFocal(where: string, options: FocalOptions): { gamma: number; alpha: number } {
  return {
    gamma: numberIn(where, "gamma", options.gamma ?? 2, { min: 0 }),
    alpha: numberIn(where, "alpha", options.alpha ?? 0.25, { min: 0, max: 1 }),
  };
}

/**
 * −α·Σ (1 − p)ᵞ·y·log p over the classes, p scaled to sum 1 or the softmax of logits. With γ = 0 and α = 1 it is the
 * cross-entropy; logits are not clipped, as Keras does it. Lin et al. 2017.
 *
 * @throws OptionError for options that are unknown or out of range.
 */
export function categoricalFocalCrossentropy(options: CategoricalOptions & FocalOptions = {}): Loss {
  const name = "categoricalFocalCrossentropy";
  checkOptions(name, options, [...CATEGORICAL, "gamma", "alpha"]);
  const { logits, predictions, smoothing, axis } = readCommon(name, options);
  const { gamma, alpha } = readFocal(name, options);
  return {
    name,
    targets: "distribution",
    predictions,
    axis,
    ...readReduction(name, options),
    call: (target, prediction) => {
      const [y, p] = [toLast(target, axis), toLast(prediction, axis)];
      const logs = logProbabilities(p, logits);
      const others = ops.neg(ops.expm1(logs));
      const losses = mul(power(others, gamma), mul(smoothed(y, smoothing, classesOf(p)), logs));
      return mul(lastSum(losses), -alpha);
    },
  };
}

/**
 * (1 − p_y^q)/q for the probability p_y of the class y, whose derivative ends at 1e-30: between cross-entropy (q → 0) and mean
 * absolute error (q = 1), robust against wrong labels. Zhang and Sabuncu 2018.
 *
 * @throws OptionError for options that are unknown or out of range.
 */
export function categoricalGeneralizedCrossEntropy(
  options: LossOptions & {
    /** Above 0, at most 1. Default 0.5. */
    readonly q?: number;
  } = {},
): Loss {
  const name = "categoricalGeneralizedCrossEntropy";
  checkOptions(name, options, ["q", "reduction"]);
  const q = numberIn(name, "q", options.q ?? 0.5, { above: 0, max: 1 });
  return {
    name,
    targets: "classes",
    predictions: "probabilities",
    ...readReduction(name, options),
    call: (y, p) => {
      const own = ops.maximum(ofClass(y, p), 1e-30);
      return mul(sub(1, ops.pow(own, q)), 1 / q);
    },
  };
}

/**
 * Σ y·log(y/p) over the last axis, y and p clipped to 1e-7 … 1, as in Keras (scipy and PyTorch take 0·log 0 for 0, and ∞ for
 * p = 0): y = 0 costs 1e-7·log(1e-7/p), p = 0 a finite y·log(y/1e-7), y = p = 0 nothing. Where p was made by a softmax its logits are taken.
 */
export function klDivergence(options: LossOptions = {}): Loss {
  const name = "klDivergence";
  checkOptions(name, options, ["reduction"]);
  return {
    name,
    targets: "distribution",
    predictions: "probabilities",
    ...readReduction(name, options),
    call: (target, p) => {
      const y = ops.clip(target, EPSILON, 1);
      const logs = logOf(p) ?? ops.log(ops.clip(p, EPSILON, 1));
      return lastSum(mul(y, sub(ops.log(y), logs)));
    },
  };
}
