/** Adam and what came of it: first and second moments of each element of a gradient. */
import { booleanOption, wholeNumber } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import {
  alike,
  beta,
  type CommonOptimizerOptions,
  correction,
  flush,
  movingAverage,
  type Optimizer,
  optimizer,
  type OptimizerStep,
  positive,
  slotOf,
  type UpdateRule,
} from "./optimizer.js";

const { add, div, mul, sub, sqrt, square } = ops;

export interface MomentOptions extends CommonOptimizerOptions {
  /** Decay of the first moment, above 0 and below 1. Default 0.9. */
  readonly beta1?: number;
  /** Decay of the second moment, above 0 and below 1. Default 0.999. */
  readonly beta2?: number;
  /** Added to the root of the second moment, above 0. Default 1e-7. */
  readonly epsilon?: number;
}

export interface AdamOptions extends MomentOptions {
  /** Divides by the largest second moment so far. Reddi et al. 2018. Default false. */
  readonly amsgrad?: boolean;
}

const MOMENTS = ["beta1", "beta2", "epsilon"] as const;

interface Moments {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

const momentsOf = (where: string, options: MomentOptions, epsilon = 1e-7): Moments => ({
  beta1: beta(where, "beta1", options.beta1 ?? 0.9),
  beta2: beta(where, "beta2", options.beta2 ?? 0.999),
  epsilon: positive(where, "epsilon", options.epsilon ?? epsilon),
});

/** m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g². */
const moved = ({ gradient, slots }: OptimizerStep, { beta1, beta2 }: Moments): { m: Node; v: Node } => ({
  m: movingAverage(slotOf(slots, "m"), gradient, beta1),
  v: movingAverage(slotOf(slots, "v"), square(gradient), beta2),
});

/** Also the rule of muon for what is no matrix. */
export function adamRule(moments: Moments, amsgrad: boolean): UpdateRule {
  const { beta1, beta2, epsilon } = moments;
  return {
    slots: amsgrad ? alike("m", "v", "vMax") : alike("m", "v"),
    update: (given) => {
      const { weight, learningRate, step, slots } = given;
      const { m, v } = moved(given, moments);
      const size = div(mul(learningRate, sqrt(correction(beta2, step))), correction(beta1, step));
      const largest = amsgrad ? ops.maximum(slotOf(slots, "vMax"), v) : v;
      const next = sub(weight, div(mul(m, size), add(sqrt(largest), epsilon)));
      return { weight: next, slots: amsgrad ? { m, v, vMax: largest } : { m, v } };
    },
  };
}

function adamLike(name: string, options: AdamOptions, weightDecay: number): Optimizer {
  return optimizer(name, options, [...MOMENTS, "amsgrad"], { learningRate: 1e-3, weightDecay }, () =>
    adamRule(momentsOf(name, options), booleanOption(name, "amsgrad", options.amsgrad ?? false)),
  );
}

/**
 * m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², w ← w − rate·√(1 − β₂ᵗ)/(1 − β₁ᵗ)·m/(√v + ε). Default rate 0.001. Kingma and
 * Ba 2015, in the form before their section 2.1, as in Keras.
 *
 * ε stands beside √v; PyTorch and optax have it beside √v̂ = √(v/(1 − β₂ᵗ)), which is the same where
 * ε = ε̂·√(1 − β₂ᵗ). The first step for g = 1e-6 and ε = 1e-7 is 0.24025·rate here, 0.90909·rate there. With `amsgrad` the largest v
 * counts, not the largest v̂. 1 − βᵗ is computed as −expm1(t·ln β), which loses no digits; in Keras's float32 it loses some.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { adam } from "torte";
 * console.log(adam({ learningRate: 1e-3 }).learningRate); // 0.001
 */
export const adam = (options: AdamOptions = {}): Optimizer => adamLike("adam", options, 0);

/**
 * Adam with weights shrunk by rate·weightDecay·w before each update, 0.004 by default; the rate is that of the update, so
 * that a schedule bears on both. A weight without a gradient moves by rate·λ·w; the penalty of `l2` passes through the
 * moments and moves it by about the rate. Biases and normalizations are excluded (Keras decays them, `exclude: "none"`).
 * Loshchilov and Hutter 2019.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { adamw } from "torte";
 * console.log(adamw({ weightDecay: 0.1, exclude: ["embedding"] }).name); // adamw
 */
export const adamw = (options: AdamOptions = {}): Optimizer => adamLike("adamw", options, 0.004);

export interface NadamOptions extends MomentOptions {
  /** How fast the momentum nears β₁, above 0: 1 as in Keras, 0.004 as in the paper and PyTorch. Default 1. */
  readonly momentumDecay?: number;
}

/**
 * Adam with Nesterov's look ahead: μₜ = β₁(1 − ½·0.96^(t·momentumDecay)), m̂ = μₜ₊₁·m/(1 − Πμ up to t + 1) +
 * (1 − μₜ)·g/(1 − Πμ up to t), w ← w − rate·m̂/(√(v/(1 − β₂ᵗ)) + ε). Default rate 0.001. μ₁ is 0.468 with momentumDecay 1,
 * 0.45007 with 0.004. Dozat 2016.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { nadam } from "torte";
 * console.log(nadam({ momentumDecay: 0.004 }).name); // nadam
 */
export function nadam(options: NadamOptions = {}): Optimizer {
  return optimizer("nadam", options, [...MOMENTS, "momentumDecay"], { learningRate: 1e-3 }, () => {
    const moments = momentsOf("nadam", options);
    const { beta1, beta2, epsilon } = moments;
    const speed = Math.log(0.96) * positive("nadam", "momentumDecay", options.momentumDecay ?? 1);
    const momentumAt = (step: Node): Node => mul(sub(1, mul(ops.exp(mul(step, speed)), 0.5)), beta1);
    return {
      slots: (facts) => ({ ...alike("m", "v")(facts), product: { shape: [], start: 1 } }),
      update: (given) => {
        const { weight, gradient, slots, learningRate, step } = given;
        const { m, v } = moved(given, moments);
        const [now, next] = [momentumAt(step), momentumAt(add(step, 1))];
        const product = flush(mul(slotOf(slots, "product"), now));
        const ahead = mul(m, div(next, sub(1, mul(product, next))));
        const here = mul(gradient, div(sub(1, now), sub(1, product)));
        const spread = add(sqrt(div(v, correction(beta2, step))), epsilon);
        return {
          weight: sub(weight, div(mul(add(ahead, here), learningRate), spread)),
          slots: { m, v, product },
        };
      },
    };
  });
}

/**
 * m as in Adam, u ← max(β₂u, |g|), w ← w − rate/(1 − β₁ᵗ)·m/(u + ε). Default rate 0.001. Kingma and Ba 2015, section 7.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { adamax } from "torte";
 * console.log(adamax().learningRate); // 0.001
 */
export function adamax(options: MomentOptions = {}): Optimizer {
  return optimizer("adamax", options, MOMENTS, { learningRate: 1e-3 }, () => {
    const { beta1, beta2, epsilon } = momentsOf("adamax", options);
    return {
      slots: alike("m", "u"),
      update: ({ weight, gradient, slots, learningRate, step }) => {
        const m = movingAverage(slotOf(slots, "m"), gradient, beta1);
        const u = ops.maximum(flush(mul(slotOf(slots, "u"), beta2)), ops.abs(gradient));
        const size = div(learningRate, correction(beta1, step));
        return { weight: sub(weight, div(mul(m, size), add(u, epsilon))), slots: { m, u } };
      },
    };
  });
}

/**
 * r = m̂/(√v̂ + ε) + λw with m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ), w ← w − rate·‖w‖/‖r‖·r; the quotient is 1 where one of the
 * norms is 0. Default rate 0.001. You et al. 2020: the decay λ is part of r. Keras decays outside of it: w = [3, 4], m̂/√v̂ =
 * [1, 1] and rate = λ = 0.1 give [2.65977, 3.63360], in Keras [2.61998, 3.60998].
 *
 * @throws OptionError for options out of range.
 * @example
 * import { lamb } from "torte";
 * console.log(lamb({ weightDecay: 0.01 }).name); // lamb
 */
export function lamb(options: MomentOptions = {}): Optimizer {
  return optimizer("lamb", options, MOMENTS, { learningRate: 1e-3 }, () => {
    const moments = momentsOf("lamb", options);
    const { beta1, beta2, epsilon } = moments;
    const norm = (x: Node): Node => sqrt(ops.sum(square(x)));
    return {
      slots: alike("m", "v"),
      decaysItself: true,
      update: (given) => {
        const { weight, learningRate, step, weightDecay } = given;
        const { m, v } = moved(given, moments);
        const spread = add(sqrt(div(v, correction(beta2, step))), epsilon);
        const direction = div(div(m, correction(beta1, step)), spread);
        const r = weightDecay === 0 ? direction : add(direction, mul(weight, weightDecay));
        const [size, length] = [norm(weight), norm(r)];
        const usable = ops.logicalAnd(ops.less(0, size), ops.less(0, length));
        const trust = ops.where(usable, div(size, ops.where(usable, length, 1)), 1);
        return { weight: sub(weight, mul(r, mul(learningRate, trust))), slots: { m, v } };
      },
    };
  });
}

export interface ScheduleFreeAdamWOptions extends MomentOptions {
  /** Updates in which the rate rises from rate/warmupSteps to the whole rate, at least 0. Default 0. */
  readonly warmupSteps?: number;
}

/**
 * Two sequences instead of a schedule: z ← z − rate·g/(√(v/(1 − β₂ᵗ)) + ε), x ← (1 − 1/t)·x + z/t, and gradients are taken at
 * y = (1 − β₁)z + β₁x. Training computes with y; evaluate, validation, callbacks, predict and save see x. Default rate 0.0025, ε
 * 1e-8, no decay as in Keras. Defazio et al. 2024.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { scheduleFreeAdamW } from "torte";
 * console.log(scheduleFreeAdamW({ warmupSteps: 100 }).learningRate); // 0.0025
 */
export function scheduleFreeAdamW(options: ScheduleFreeAdamWOptions = {}): Optimizer {
  const where = "scheduleFreeAdamW";
  return optimizer(where, options, [...MOMENTS, "warmupSteps"], { learningRate: 0.0025 }, () => {
    const { beta1, beta2, epsilon } = momentsOf(where, options, 1e-8);
    const warmup = wholeNumber(where, "warmupSteps", options.warmupSteps ?? 0);
    const averageOf = (y: Node, z: Node): Node => div(sub(y, mul(z, 1 - beta1)), beta1);
    return {
      slots: ({ shape }) => ({ z: { shape, start: "weight" }, v: { shape, start: 0 } }),
      shown: (weight, slots) => averageOf(weight, slotOf(slots, "z")),
      update: ({ weight, gradient, slots, learningRate, step }) => {
        const rate = warmup === 0 ? learningRate : mul(learningRate, ops.minimum(div(step, warmup), 1));
        const v = movingAverage(slotOf(slots, "v"), square(gradient), beta2);
        const before = slotOf(slots, "z");
        const spread = add(sqrt(div(v, correction(beta2, step))), epsilon);
        const z = sub(before, div(mul(gradient, rate), spread));
        const share = div(1, step);
        const x = add(mul(averageOf(weight, before), sub(1, share)), mul(z, share));
        return { weight: add(mul(z, 1 - beta1), mul(x, beta1)), slots: { z, v } };
      },
    };
  });
}
