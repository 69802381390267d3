/** Losses: for each position of the result one number, from the target and the prediction. */
import { checkOptions, isRule, numberIn, OptionError, show } from "../errors.js";
import { iota } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";

const { abs, add, mul, sub } = ops;

export interface Loss {
  readonly name: string;
  /** What the targets are: numbers as they are, or integers that name a class. */
  readonly targets: "numbers" | "classes" | "binary";
  /** Reduces the last axis: target and prediction (…, n) give (…); class targets are (…) themselves. */
  readonly call: (target: Node, prediction: Node) => Node;
}

export interface CrossentropyOptions {
  /** The predictions are logits, without sigmoid or softmax. Default false. */
  readonly fromLogits?: boolean;
}

/** Probabilities are kept this far from 0 and 1, as in Keras. */
const EPSILON = 1e-7;

const lastMean = (x: Node): Node => ops.mean(x, { axes: [-1] });
const lastSum = (x: Node): Node => ops.sum(x, { axes: [-1] });
const clipped = (p: Node): Node => ops.clip(p, EPSILON, 1 - EPSILON);

/** The logits of a prediction, if it is a sigmoid: then the loss needs no logarithm of a rounded probability. */
function logitsOf(prediction: Node): Node | undefined {
  let node = prediction;
  while (node.op === "reshape" && node.inputs[0] !== undefined) node = node.inputs[0];
  if (node.op !== "sigmoid" || node.inputs[0] === undefined) return undefined;
  return ops.reshape(node.inputs[0], prediction.shape);
}

/**
 * −y·log p − (1 − y)·log(1 − p), computed from logits z as softplus(z) − y·z where the prediction is a sigmoid.
 *
 * @example
 * import { binaryCrossentropy } from "torte";
 * console.log(binaryCrossentropy({ fromLogits: true }).name); // binaryCrossentropy
 */
export function binaryCrossentropy(options: CrossentropyOptions = {}): Loss {
  checkOptions("binaryCrossentropy", options, ["fromLogits"]);
  return {
    name: "binaryCrossentropy",
    targets: "binary",
    call: (y, p) => {
      const z = options.fromLogits === true ? p : logitsOf(p);
      if (z !== undefined) return lastMean(sub(ops.softplus(z), mul(y, z)));
      const q = clipped(p);
      return lastMean(ops.neg(add(mul(y, ops.log(q)), mul(sub(1, y), ops.log(sub(1, q))))));
    },
  };
}

/** −Σ y·log p, p scaled to sum 1; from logits by log-softmax. */
export function categoricalCrossentropy(options: CrossentropyOptions = {}): Loss {
  checkOptions("categoricalCrossentropy", options, ["fromLogits"]);
  return {
    name: "categoricalCrossentropy",
    targets: "numbers",
    call: (y, p) => ops.neg(lastSum(mul(y, logProbabilities(p, options)))),
  };
}

function logProbabilities(p: Node, { fromLogits }: CrossentropyOptions): Node {
  if (fromLogits === true) return ops.logSoftmax(p);
  return ops.log(clipped(ops.div(p, ops.sum(p, { axes: [-1], keepDims: true }))));
}

/** As categoricalCrossentropy, the target being the number of the class. */
export function sparseCategoricalCrossentropy(options: CrossentropyOptions = {}): Loss {
  checkOptions("sparseCategoricalCrossentropy", options, ["fromLogits"]);
  return {
    name: "sparseCategoricalCrossentropy",
    targets: "classes",
    call: (y, p) => {
      const classes = ops.broadcastTo(ops.expandDims(y, -1), p.shape);
      const chosen = ops.equal(classes, iota(p.shape, p.shape.length - 1));
      return ops.neg(lastSum(ops.where(chosen, logProbabilities(p, options), 0)));
    },
  };
}

const numeric = (name: string, call: Loss["call"]): Loss => ({ name, targets: "numbers", call });

/** mean (y − p)². */
export const meanSquaredError = (): Loss => numeric("meanSquaredError", (y, p) => lastMean(ops.square(sub(y, p))));
/** mean |y − p|. */
export const meanAbsoluteError = (): Loss => numeric("meanAbsoluteError", (y, p) => lastMean(abs(sub(y, p))));

/** ½e² within ±delta, delta·(|e| − ½delta) beyond. */
export function huber(options: { delta?: number } = {}): Loss {
  checkOptions("huber", options, ["delta"]);
  const delta = numberIn("huber", "delta", options.delta ?? 1, { above: 0 });
  return numeric("huber", (y, p) => {
    const e = abs(sub(y, p));
    return lastMean(ops.where(ops.lessEqual(e, delta), mul(ops.square(e), 0.5), mul(sub(e, delta / 2), delta)));
  });
}

/** log cosh e = e + softplus(−2e) − log 2. */
export const logCosh = (): Loss =>
  numeric("logCosh", (y, p) => {
    const e = sub(p, y);
    return lastMean(sub(add(e, ops.softplus(mul(e, -2))), Math.LN2));
  });

/** max(1 − y·p, 0); targets 0 count as −1, as in Keras. */
export const hinge = (): Loss =>
  numeric("hinge", (y, p) => {
    const sign = ops.where(ops.equal(y, 0), -1, y);
    return lastMean(ops.relu(sub(1, mul(sign, p))));
  });

const NAMED = {
  binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
  meanSquaredError,
  meanAbsoluteError,
  huber,
  logCosh,
  hinge,
};
export type LossOption = Loss | keyof typeof NAMED;

export function readLoss(option: LossOption): Loss {
  if (isRule(option, "call")) return option;
  const found = Object.entries(NAMED).find(([name]) => name === option);
  if (found === undefined) {
    const expected = `a loss or one of ${Object.keys(NAMED).join(", ")}`;
    throw new OptionError({ where: "compile", problem: "loss is unknown", expected, received: show(option) });
  }
  return found[1]();
}
