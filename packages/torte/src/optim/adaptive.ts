/** Rates for each element from the squares of its gradients: RMSprop, Adagrad, Adadelta, Adafactor. */
import { booleanOption, numberIn } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import {
  alike,
  type CommonOptimizerOptions,
  flush,
  fraction,
  movingAverage,
  type Optimizer,
  optimizer,
  positive,
  slotOf,
  type SlotNodes,
} from "./optimizer.js";

const { add, div, mul, sub, sqrt, square } = ops;

/** Options of {@link rmsprop}. */
export interface RmspropOptions extends CommonOptimizerOptions {
  /** Decay of the moving averages, 0 up to below 1. Default 0.9. */
  readonly rho?: number;
  /** Weight of the previous update, 0 up to below 1. Default 0. */
  readonly momentum?: number;
  /** Added to v, above 0. Default 1e-7. */
  readonly epsilon?: number;
  /** Takes the variance of the gradient, v − (mean g)², in place of v. Default false. */
  readonly centered?: boolean;
}

/**
 * v ← ρv + (1 − ρ)g², w ← w − rate·g/√(v + ε). Default rate 0.001. As in Keras; PyTorch has ρ = 0.99 and ε beside the root. The
 * first step for g = 1 is 3.16228·rate here, 10·rate there. Tieleman and Hinton 2012.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { rmsprop } from "torte";
 * console.log(rmsprop({ centered: true }).learningRate); // 0.001
 */
export function rmsprop(options: RmspropOptions = {}): Optimizer {
  const own = ["rho", "momentum", "epsilon", "centered"] as const;
  return optimizer("rmsprop", options, own, { learningRate: 1e-3 }, () => {
    const rho = fraction("rmsprop", "rho", options.rho ?? 0.9);
    const momentum = fraction("rmsprop", "momentum", options.momentum ?? 0);
    const epsilon = positive("rmsprop", "epsilon", options.epsilon ?? 1e-7);
    const centered = booleanOption("rmsprop", "centered", options.centered ?? false);
    return {
      slots: alike("v", ...(momentum > 0 ? ["velocity"] : []), ...(centered ? ["mean"] : [])),
      update: ({ weight, gradient, slots, learningRate }) => {
        const average = (name: string, value: Node): Node => movingAverage(slotOf(slots, name), value, rho);
        // Centered, v is the average of g² less the square of the mean: from the difference to the last mean, without cancellation.
        const v = average("v", centered ? mul(square(sub(gradient, slotOf(slots, "mean"))), rho) : square(gradient));
        const mean = centered ? average("mean", gradient) : undefined;
        const down = div(mul(gradient, learningRate), sqrt(add(v, epsilon)));
        const kept = { v, ...(mean === undefined ? {} : { mean }) };
        if (momentum === 0) return { weight: sub(weight, down), slots: kept };
        const velocity = flush(add(mul(slotOf(slots, "velocity"), momentum), down));
        return { weight: sub(weight, velocity), slots: { ...kept, velocity } };
      },
    };
  });
}

/** Options of {@link adagrad}. */
export interface AdagradOptions extends CommonOptimizerOptions {
  /** What the sum of squares begins with, at least 0. Default 0.1; 0 in PyTorch. */
  readonly initialAccumulatorValue?: number;
  /** Added to the sum, above 0. Default 1e-7. */
  readonly epsilon?: number;
}

/**
 * s ← s + g², w ← w − rate·g/√(s + ε), s starting at 0.1. Default rate 0.001. Duchi et al. 2011.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { adagrad } from "torte";
 * console.log(adagrad({ learningRate: 0.1 }).learningRate); // 0.1
 */
export function adagrad(options: AdagradOptions = {}): Optimizer {
  return optimizer("adagrad", options, ["initialAccumulatorValue", "epsilon"], { learningRate: 1e-3 }, () => {
    const start = numberIn("adagrad", "initialAccumulatorValue", options.initialAccumulatorValue ?? 0.1, { min: 0 });
    const epsilon = positive("adagrad", "epsilon", options.epsilon ?? 1e-7);
    return {
      slots: ({ shape }) => ({ sum: { shape, start } }),
      update: ({ weight, gradient, slots, learningRate }) => {
        const sum = add(slotOf(slots, "sum"), square(gradient));
        return { weight: sub(weight, div(mul(gradient, learningRate), sqrt(add(sum, epsilon)))), slots: { sum } };
      },
    };
  });
}

/** Options of {@link adadelta}. */
export interface AdadeltaOptions extends CommonOptimizerOptions {
  /** Decay of both averages, 0 up to below 1. Default 0.95. */
  readonly rho?: number;
  /** Added under both roots, above 0. Default 1e-7. */
  readonly epsilon?: number;
}

/**
 * v ← ρv + (1 − ρ)g², d = √(u + ε)/√(v + ε)·g, u ← ρu + (1 − ρ)d², w ← w − rate·d. Zeiler 2012. The default rate is Keras's
 * 0.001, with which weights hardly move; the paper and PyTorch have 1.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { adadelta } from "torte";
 * console.log(adadelta({ learningRate: 1 }).learningRate); // 1
 */
export function adadelta(options: AdadeltaOptions = {}): Optimizer {
  return optimizer("adadelta", options, ["rho", "epsilon"], { learningRate: 1e-3 }, () => {
    const rho = fraction("adadelta", "rho", options.rho ?? 0.95);
    const epsilon = positive("adadelta", "epsilon", options.epsilon ?? 1e-7);
    const root = (x: Node): Node => sqrt(add(x, epsilon));
    return {
      slots: alike("v", "u"),
      update: ({ weight, gradient, slots, learningRate }) => {
        const v = movingAverage(slotOf(slots, "v"), square(gradient), rho);
        const u = slotOf(slots, "u");
        const delta = mul(gradient, div(root(u), root(v)));
        return {
          weight: sub(weight, mul(delta, learningRate)),
          slots: { v, u: movingAverage(u, square(delta), rho) },
        };
      },
    };
  });
}

/** Options of {@link adafactor}. */
export interface AdafactorOptions extends CommonOptimizerOptions {
  /** Exponent c in β₂ = 1 − tᶜ, below 0. Default −0.8. */
  readonly beta2Decay?: number;
  /** Added to the squares of the gradient, above 0. Default 1e-30. */
  readonly epsilon1?: number;
  /** Least size of a weight that the rate is multiplied with, above 0. Default 0.001. */
  readonly epsilon2?: number;
  /** Largest root mean square of an update before the rate, above 0. Default 1. */
  readonly clipThreshold?: number;
  /** The rate is at most 1/√t. As in Keras both values come to that. Default true. */
  readonly relativeStep?: boolean;
}

/**
 * Second moments of a matrix as means of its rows r and columns c, over the last two axes: v = r·c/mean(r); of a vector
 * element by element. u = g/√v divided by max(1, RMS(u)/clipThreshold), w ← w − min(rate, 1/√t)·max(ε₂, RMS(w))·u, with
 * r ← β₂r + (1 − β₂)·mean(g² + ε₁) and β₂ = 1 − t^beta2Decay. Default rate 0.001. A kernel of (64, 32) is remembered in 96 numbers.
 * Shazeer and Stern 2018.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { adafactor } from "torte";
 * console.log(adafactor({ learningRate: 0.01 }).name); // adafactor
 */
export function adafactor(options: AdafactorOptions = {}): Optimizer {
  const where = "adafactor";
  const own = ["beta2Decay", "epsilon1", "epsilon2", "clipThreshold", "relativeStep"] as const;
  return optimizer(where, options, own, { learningRate: 1e-3 }, () => {
    const decay = numberIn(where, "beta2Decay", options.beta2Decay ?? -0.8, { below: 0 });
    const epsilon1 = positive(where, "epsilon1", options.epsilon1 ?? 1e-30);
    const epsilon2 = positive(where, "epsilon2", options.epsilon2 ?? 1e-3);
    const threshold = positive(where, "clipThreshold", options.clipThreshold ?? 1);
    booleanOption(where, "relativeStep", options.relativeStep ?? true);
    const rms = (x: Node): Node => sqrt(ops.mean(square(x)));
    return {
      slots: ({ shape }) =>
        shape.length < 2
          ? { v: { shape, start: 0 } }
          : {
              rows: { shape: shape.slice(0, -1), start: 0 },
              columns: { shape: [...shape.slice(0, -2), ...shape.slice(-1)], start: 0 },
            },
      update: ({ weight, gradient, slots, learningRate, step }) => {
        const rest = ops.pow(step, decay); // 1 − β₂
        const squares = add(square(gradient), epsilon1);
        const average = (name: string, value: Node): Node =>
          add(mul(slotOf(slots, name), sub(1, rest)), mul(value, rest));
        const kept: SlotNodes =
          weight.shape.length < 2
            ? { v: average("v", squares) }
            : {
                rows: average("rows", ops.mean(squares, { axes: [-1] })),
                columns: average("columns", ops.mean(squares, { axes: [-2] })),
              };
        const u = div(gradient, sqrt(secondMoment(kept)));
        const limited = div(u, ops.maximum(div(rms(u), threshold), 1));
        const rate = mul(ops.minimum(learningRate, div(1, sqrt(step))), ops.maximum(rms(weight), epsilon2));
        return { weight: sub(weight, mul(limited, rate)), slots: kept };
      },
    };
  });
}

/** Of every element, from what is kept of a matrix or a vector. */
function secondMoment({ v, rows, columns }: SlotNodes): Node {
  if (rows === undefined || columns === undefined) return v ?? slotOf({}, "v");
  const relative = div(rows, ops.mean(rows, { axes: [-1], keepDims: true }));
  return mul(ops.expandDims(relative, -1), ops.expandDims(columns, -2));
}
