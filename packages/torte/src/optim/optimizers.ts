/** Optimizers: from a weight, its gradient and what was remembered of it to the new weight. */
import { booleanOption, checkOptions, isRule, numberIn, OptionError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";

const { add, div, mul, sub, sqrt, square } = ops;

export interface OptimizerStep {
  readonly weight: Node;
  readonly gradient: Node;
  /** What the optimizer remembers of this weight, by name; zero at first. */
  readonly slots: Readonly<Record<string, Node>>;
  readonly learningRate: Node;
  /** Number of this step, from 1, float32. */
  readonly step: Node;
}

export interface Optimizer {
  readonly name: string;
  readonly learningRate: number;
  readonly slots: readonly string[];
  readonly update: (step: OptimizerStep) => { weight: Node; slots: Readonly<Record<string, Node>> };
}

/** Moments that have decayed to nothing become 0: arithmetic on denormal numbers is several times slower. */
const flush = (moment: Node): Node => ops.where(ops.less(ops.abs(moment), 1e-30), 0, moment);

const slot = (slots: Readonly<Record<string, Node>>, name: string): Node => {
  const node = slots[name];
  if (node === undefined) throw new RangeError(`slot ${name} is missing`);
  return node;
};

/** A learning rate: a finite number of at least 0. */
export const learningRateOption = (where: string, value: unknown): number =>
  numberIn(where, "learningRate", value, { min: 0 });
const fraction = (where: string, name: string, value: number): number =>
  numberIn(where, name, value, { min: 0, below: 1 });

export interface SgdOptions {
  /** Default 0.01. */
  readonly learningRate?: number;
  /** Weight of the previous update, 0 up to below 1. Default 0. */
  readonly momentum?: number;
  /** Looks ahead along the momentum. Default false. */
  readonly nesterov?: boolean;
}

/** v ← momentum·v − rate·g; w ← w + v (with Nesterov: w + momentum·v − rate·g). */
export function sgd(options: SgdOptions = {}): Optimizer {
  checkOptions("sgd", options, ["learningRate", "momentum", "nesterov"]);
  const momentum = fraction("sgd", "momentum", options.momentum ?? 0);
  const nesterov = booleanOption("sgd", "nesterov", options.nesterov ?? false);
  return {
    name: "sgd",
    learningRate: learningRateOption("sgd", options.learningRate ?? 0.01),
    slots: momentum === 0 ? [] : ["velocity"],
    update: ({ weight, gradient, slots, learningRate }) => {
      const down = mul(gradient, learningRate);
      if (momentum === 0) return { weight: sub(weight, down), slots: {} };
      const velocity = flush(sub(mul(slot(slots, "velocity"), momentum), down));
      const step = nesterov ? sub(mul(velocity, momentum), down) : velocity;
      return { weight: add(weight, step), slots: { velocity } };
    },
  };
}

export interface AdamOptions {
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Decay of the first moment. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment. Default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment. Default 1e-7. */
  readonly epsilon?: number;
  /** Divides by the largest second moment so far. Reddi et al. 2018. Default false. */
  readonly amsgrad?: boolean;
}

/** 1 − βᵗ, without loss of digits for a β near 1. */
const correction = (beta: number, step: Node): Node => ops.neg(ops.expm1(mul(step, Math.log(beta))));

function adamLike(name: string, options: AdamOptions, decay: number): Optimizer {
  const beta1 = numberIn(name, "beta1", options.beta1 ?? 0.9, { above: 0, below: 1 });
  const beta2 = numberIn(name, "beta2", options.beta2 ?? 0.999, { above: 0, below: 1 });
  const epsilon = numberIn(name, "epsilon", options.epsilon ?? 1e-7, { above: 0 });
  const amsgrad = booleanOption(name, "amsgrad", options.amsgrad ?? false);
  return {
    name,
    learningRate: learningRateOption(name, options.learningRate ?? 1e-3),
    slots: amsgrad ? ["m", "v", "vMax"] : ["m", "v"],
    update: ({ weight, gradient, slots, learningRate, step }) => {
      const m = flush(add(mul(slot(slots, "m"), beta1), mul(gradient, 1 - beta1)));
      const v = flush(add(mul(slot(slots, "v"), beta2), mul(square(gradient), 1 - beta2)));
      const size = div(mul(learningRate, sqrt(correction(beta2, step))), correction(beta1, step));
      const largest = amsgrad ? ops.maximum(slot(slots, "vMax"), v) : v;
      const decayed = decay === 0 ? weight : sub(weight, mul(weight, mul(learningRate, decay)));
      const next = sub(decayed, div(mul(m, size), add(sqrt(largest), epsilon)));
      return { weight: next, slots: amsgrad ? { m, v, vMax: largest } : { m, v } };
    },
  };
}

/**
 * m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − rate·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m/(√v + ε). Kingma and Ba 2015.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { adam } from "torte";
 * console.log(adam({ learningRate: 1e-3 }).learningRate); // 0.001
 */
export function adam(options: AdamOptions = {}): Optimizer {
  checkOptions("adam", options, ["learningRate", "beta1", "beta2", "epsilon", "amsgrad"]);
  return adamLike("adam", options, 0);
}

/** Adam with weights shrunk by rate·weightDecay in each step. Loshchilov and Hutter 2019. */
export function adamw(options: AdamOptions & { weightDecay?: number } = {}): Optimizer {
  checkOptions("adamw", options, ["learningRate", "beta1", "beta2", "epsilon", "amsgrad", "weightDecay"]);
  return adamLike("adamw", options, numberIn("adamw", "weightDecay", options.weightDecay ?? 0.004, { min: 0 }));
}

export interface RmspropOptions {
  /** Default 0.001. */
  readonly learningRate?: number;
  /** Decay of the moving averages. Default 0.9. */
  readonly rho?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Default 1e-7. */
  readonly epsilon?: number;
  /** Takes the variance of the gradient, v − (mean g)², in place of v. Default false. */
  readonly centered?: boolean;
}

/** v ← ρv + (1 − ρ)g², w ← w − rate·g/√(v + ε). */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  checkOptions("rmsprop", options, ["learningRate", "rho", "momentum", "epsilon", "centered"]);
  const rho = fraction("rmsprop", "rho", options.rho ?? 0.9);
  const momentum = fraction("rmsprop", "momentum", options.momentum ?? 0);
  const epsilon = numberIn("rmsprop", "epsilon", options.epsilon ?? 1e-7, { above: 0 });
  const centered = booleanOption("rmsprop", "centered", options.centered ?? false);
  return {
    name: "rmsprop",
    learningRate: learningRateOption("rmsprop", options.learningRate ?? 1e-3),
    slots: ["v", ...(momentum > 0 ? ["velocity"] : []), ...(centered ? ["mean"] : [])],
    update: ({ weight, gradient, slots, learningRate }) => {
      const average = (name: string, value: Node): Node => flush(add(mul(slot(slots, name), rho), mul(value, 1 - rho)));
      // Centered, v is the average of g² less the square of the mean: from the difference to the last mean, without cancellation.
      const v = average("v", centered ? mul(square(sub(gradient, slot(slots, "mean"))), rho) : square(gradient));
      const mean = centered ? average("mean", gradient) : undefined;
      const down = div(mul(gradient, learningRate), sqrt(add(v, epsilon)));
      const kept = { v, ...(mean === undefined ? {} : { mean }) };
      if (momentum === 0) return { weight: sub(weight, down), slots: kept };
      const velocity = flush(add(mul(slot(slots, "velocity"), momentum), down));
      return { weight: sub(weight, velocity), slots: { ...kept, velocity } };
    },
  };
}

/** s ← s + g², w ← w − rate·g/√(s + ε), s starting at 0.1. Duchi et al. 2011. */
export function adagrad(
  options: { learningRate?: number; initialAccumulatorValue?: number; epsilon?: number } = {},
): Optimizer {
  checkOptions("adagrad", options, ["learningRate", "initialAccumulatorValue", "epsilon"]);
  const start = numberIn("adagrad", "initialAccumulatorValue", options.initialAccumulatorValue ?? 0.1, { min: 0 });
  const epsilon = numberIn("adagrad", "epsilon", options.epsilon ?? 1e-7, { above: 0 });
  return {
    name: "adagrad",
    learningRate: learningRateOption("adagrad", options.learningRate ?? 1e-3),
    slots: ["sum"],
    update: ({ weight, gradient, slots, learningRate }) => {
      // The slot starts at zero and holds what has come on top of the initial value.
      const sum = add(slot(slots, "sum"), square(gradient));
      const down = div(mul(gradient, learningRate), sqrt(add(sum, start + epsilon)));
      return { weight: sub(weight, down), slots: { sum } };
    },
  };
}

const NAMED = { sgd, adam, adamw, rmsprop, adagrad };
export type OptimizerOption = Optimizer | keyof typeof NAMED;

export function readOptimizer(option: OptimizerOption): Optimizer {
  if (isRule(option, "update")) {
    learningRateOption(option.name, option.learningRate);
    return option;
  }
  const found = Object.entries(NAMED).find(([name]) => name === option);
  if (found === undefined) {
    const expected = `an optimizer or one of ${Object.keys(NAMED).join(", ")}`;
    throw new OptionError({
      where: "compile",
      problem: "optimizer is unknown",
      expected,
      received: show(option),
    });
  }
  return found[1]();
}
