/** Gradient descent with and without momentum, and the sign of a momentum. */
import { booleanOption } from "../errors.js";
import * as ops from "../ops/index.js";
import {
  alike,
  beta,
  type CommonOptimizerOptions,
  flush,
  fraction,
  movingAverage,
  type Optimizer,
  optimizer,
  slotOf,
} from "./optimizer.js";

const { add, mul, sub } = ops;

/** Options of {@link sgd}. */
export interface SgdOptions extends CommonOptimizerOptions {
  /** Weight of the previous update, 0 up to below 1. Default 0. */
  readonly momentum?: number;
  /** Looks ahead along the momentum. Default false. */
  readonly nesterov?: boolean;
}

/**
 * v ← momentum·v − rate·g; w ← w + v (with Nesterov: w + momentum·v − rate·g). Default rate 0.01.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { sgd } from "torte";
 * console.log(sgd({ momentum: 0.9, nesterov: true }).learningRate); // 0.01
 */
export function sgd(options: SgdOptions = {}): Optimizer {
  return optimizer("sgd", options, ["momentum", "nesterov"], { learningRate: 0.01 }, () => {
    const momentum = fraction("sgd", "momentum", options.momentum ?? 0);
    const nesterov = booleanOption("sgd", "nesterov", options.nesterov ?? false);
    return {
      slots: momentum === 0 ? alike() : alike("velocity"),
      update: ({ weight, gradient, slots, learningRate }) => {
        const down = mul(gradient, learningRate);
        if (momentum === 0) return { weight: sub(weight, down), slots: {} };
        const velocity = flush(sub(mul(slotOf(slots, "velocity"), momentum), down));
        const step = nesterov ? sub(mul(velocity, momentum), down) : velocity;
        return { weight: add(weight, step), slots: { velocity } };
      },
    };
  });
}

/** Options of {@link lion}. */
export interface LionOptions extends CommonOptimizerOptions {
  /** Share of the moment in the direction of the update. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the moment. Default 0.99. */
  readonly beta2?: number;
}

/**
 * w ← w − rate·sign(β₁m + (1 − β₁)g); m ← β₂m + (1 − β₂)g. Default rate 0.001: every element moves by just that, so that a
 * third to a tenth of Adam's rate is usual, with as much more weight decay. Chen et al. 2023.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { lion } from "torte";
 * console.log(lion({ learningRate: 3e-4, weightDecay: 0.1 }).name); // lion
 */
export function lion(options: LionOptions = {}): Optimizer {
  return optimizer("lion", options, ["beta1", "beta2"], { learningRate: 1e-3 }, () => {
    const beta1 = beta("lion", "beta1", options.beta1 ?? 0.9);
    const beta2 = beta("lion", "beta2", options.beta2 ?? 0.99);
    return {
      slots: alike("m"),
      update: ({ weight, gradient, slots, learningRate }) => {
        const m = slotOf(slots, "m");
        const direction = ops.sign(add(mul(m, beta1), mul(gradient, 1 - beta1)));
        return {
          weight: sub(weight, mul(direction, learningRate)),
          slots: { m: movingAverage(m, gradient, beta2) },
        };
      },
    };
  });
}
