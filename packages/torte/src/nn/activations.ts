/** Activations: functions of one node, by name or as they are. */
import { booleanOption, checkOptions, numberIn, OptionError, ShapeError, show } from "../errors.js";
import { constant } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { formatShape, lastOf, sizeAt } from "../tensor/shape.js";
import { made, readNamed } from "./factories.js";

const { add, mul, div, sub, where } = ops;

/** From a node to one of the same shape (glu halves an axis). */
export type Activation = (x: Node) => Node;

const plain = (name: string, call: Activation): Activation => made(`activations.${name}`, call);

/** x. */
export const linear = plain("linear", (x) => x);
/** max(x, 0), with derivative 0 at 0. */
export const relu = plain("relu", (x) => ops.relu(x));
/** x clipped to 0 … 6. */
export const relu6 = plain("relu6", (x) => ops.clip(x, 0, 6));
/** σ(x) = 1/(1 + e⁻ˣ). */
export const sigmoid = plain("sigmoid", (x) => ops.sigmoid(x));
/** log σ(x) = −log(1 + e⁻ˣ). */
export const logSigmoid = plain("logSigmoid", (x) => ops.neg(ops.softplus(ops.neg(x))));
/** (x + 3)/6 clipped to 0 … 1. */
export const hardSigmoid = plain("hardSigmoid", (x) => mul(ops.clip(add(x, 3), 0, 6), 1 / 6));
/** (x + 1)/2 clipped to 0 … 1: the derivative of sparsePlus. */
export const sparseSigmoid = plain("sparseSigmoid", (x) => ops.clip(mul(add(x, 1), 0.5), 0, 1));
/** tanh(x). */
export const tanh = plain("tanh", (x) => ops.tanh(x));
/** x clipped to −1 … 1. */
export const hardTanh = plain("hardTanh", (x) => ops.clip(x, -1, 1));
/** x − tanh(x). */
export const tanhShrink = plain("tanhShrink", (x) => {
  const far = ops.less(1, ops.abs(x));
  const near = where(far, 0, x);
  const squared = ops.square(near);
  // The continued fraction tanh x = x/(1 + r), r = x²/(3 + x²/(5 + …)): no difference of two numbers that are nearly equal.
  const rest = div(
    squared,
    [11, 9, 7, 5, 3].reduce((below, odd) => add(div(squared, below), odd), constant(13, x.shape)),
  );
  return where(far, sub(x, ops.tanh(x)), mul(near, div(rest, add(rest, 1))));
});
/** log(1 + eˣ). */
export const softplus = plain("softplus", (x) => ops.softplus(x));
/** 0 up to −1, x from 1 on, (x + 1)²/4 between. */
export const sparsePlus = plain("sparsePlus", (x) => {
  const between = where(ops.lessEqual(1, ops.abs(x)), 0, x);
  const bend = mul(ops.square(add(between, 1)), 0.25);
  return where(ops.lessEqual(x, -1), 0, where(ops.lessEqual(1, x), x, bend));
});
/** x/(1 + |x|). */
export const softsign = plain("softsign", (x) => div(x, add(1, ops.abs(x))));
/** eˣ. */
export const exponential = plain("exponential", (x) => ops.exp(x));
/** x·σ(x). Ramachandran et al. 2017. */
export const swish = plain("swish", (x) => mul(x, ops.sigmoid(x)));
/** {@link swish} by its other name. */
export const silu = swish;
/** x·hardSigmoid(x). Howard et al. 2019. */
export const hardSwish = plain("hardSwish", (x) => mul(x, hardSigmoid(x)));
/** {@link hardSwish} by its other name. */
export const hardSilu = hardSwish;
/** x·tanh(softplus(x)). Misra 2019. */
export const mish = plain("mish", (x) => mul(x, ops.tanh(ops.softplus(x))));

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;
/**
 * x above 0, another function up to it. That one gets 0 where x is above, lest it overflow there, but x itself at 0: a bound,
 * which passes no derivative where it is met, would stop a layer that starts with zero kernels.
 */
function belowZero(x: Node, below: (negative: Node) => Node): Node {
  const positive = ops.less(0, x);
  return where(positive, x, below(where(positive, 0, x)));
}
/** α·x above 0, α·β·(eˣ − 1) below, with the α and β that keep mean 0 and variance 1. Klambauer et al. 2017. */
export const selu = plain("selu", (x) =>
  mul(
    belowZero(x, (negative) => mul(ops.expm1(negative), SELU_ALPHA)),
    SELU_SCALE,
  ),
);

/** eˣ/Σeˣ over the last axis. */
export const softmax = plain("softmax", (x) => ops.softmax(x));
/** x − log Σeˣ over the last axis. */
export const logSoftmax = plain("logSoftmax", (x) => ops.logSoftmax(x));

/**
 * max(x − τ, 0) over the last axis, with the τ for which the values add up to 1. Martins and Astudillo 2016.
 *
 * An element belongs to the support if 1 + k·x > Σ of the k elements that are at least as large as it; comparing all pairs
 * takes n² steps and needs no sorting. Only differences to the largest element matter, and those beyond −1 never belong to it.
 */
export const sparsemax = plain("sparsemax", (logits) => {
  const highest = ops.stopGradient(ops.max(logits, { axes: [-1], keepDims: true }));
  const x = ops.maximum(sub(logits, highest), -1);
  const n = lastOf(x.shape);
  const pairs = [...x.shape, n];
  const [one, other] = [
    ops.broadcastTo(ops.expandDims(x, -1), pairs),
    ops.broadcastTo(ops.expandDims(x, x.shape.length - 1), pairs),
  ];
  const larger = ops.lessEqual(one, other);
  const overLast = { axes: [-1] } as const;
  const rank = ops.sum(ops.cast(larger, "float32"), overLast);
  const above = ops.sum(where(larger, other, 0), overLast);
  const inside = ops.less(above, add(1, mul(rank, x)));
  const support = { axes: [-1], keepDims: true } as const;
  const count = ops.sum(ops.cast(inside, "float32"), support);
  const tau = div(sub(ops.sum(where(inside, x, 0), support), 1), count);
  return ops.relu(sub(x, tau));
});

/** α(eˣ − 1) below 0; α = 1 by default. Clevert et al. 2016. */
export function elu(alpha = 1): Activation {
  const a = numberIn("elu", "alpha", alpha);
  return made("activations.elu", (x) => belowZero(x, (negative) => mul(ops.expm1(negative), a)), alpha, { alpha });
}

/** α(e^(x/α) − 1) below 0, smooth at 0 for every α; α = 1 by default. Barron 2017. */
export function celu(alpha = 1): Activation {
  const a = numberIn("celu", "alpha", alpha, { above: 0 });
  return made("activations.celu", (x) => belowZero(x, (negative) => mul(ops.expm1(mul(negative, 1 / a)), a)), alpha, {
    alpha,
  });
}

/** x above 0, slope·x below; the slope is 0.2 by default, as in Keras. Maas et al. 2013. */
export function leakyRelu(negativeSlope = 0.2): Activation {
  const slope = numberIn("leakyRelu", "negativeSlope", negativeSlope, { min: 0 });
  return made("activations.leakyRelu", (x) => where(ops.less(0, x), x, mul(x, slope)), negativeSlope, {
    negativeSlope,
  });
}

/** 0 within ±threshold, x beyond; 0.5 by default. */
export function hardShrink(threshold_ = 0.5): Activation {
  const limit = numberIn("hardShrink", "threshold", threshold_, { min: 0 });
  return made("activations.hardShrink", (x) => where(ops.lessEqual(ops.abs(x), limit), 0, x), threshold_, {
    threshold: limit,
  });
}

/** 0 within ±threshold, x moved towards 0 by the threshold beyond; 0.5 by default. */
export function softShrink(threshold_ = 0.5): Activation {
  const limit = numberIn("softShrink", "threshold", threshold_, { min: 0 });
  return made("activations.softShrink", (x) => sub(x, ops.clip(x, -limit, limit)), threshold_, { threshold: limit });
}

/** (x + √(x² + b))/2; b = 4 by default. */
export function squareplus(b = 4): Activation {
  const size = numberIn("squareplus", "b", b, { above: 0 });
  const root = Math.sqrt(size);
  const call: Activation = (x) => {
    const negative = ops.less(x, 0);
    const magnitude = where(negative, ops.neg(x), x);
    // Out there √(x² + b) is |x|, and squares would overflow.
    const far = ops.less(1e9 * root, magnitude);
    const u = div(where(far, 0, magnitude), root);
    const larger = where(far, magnitude, mul(add(u, ops.sqrt(add(ops.square(u), 1))), root / 2));
    // The product of the two roots (√(x² + b) ± x)/2 is b/4.
    return where(negative, div(size / 4, larger), larger);
  };
  return made("activations.squareplus", call, b, { b });
}

/** Options of {@link threshold}. */
export interface ThresholdOptions {
  /** Values above it stay. Default 0. */
  readonly threshold?: number;
  /** What the others become. Default 0. */
  readonly defaultValue?: number;
}

/** x above the threshold, a fixed value up to it. */
export function threshold(options: ThresholdOptions = {}): Activation {
  checkOptions("threshold", options, ["threshold", "defaultValue"]);
  const limit = numberIn("threshold", "threshold", options.threshold ?? 0);
  const otherwise = numberIn("threshold", "defaultValue", options.defaultValue ?? 0);
  return made("activations.threshold", (x) => where(ops.lessEqual(x, limit), otherwise, x), options, {
    threshold: limit,
    defaultValue: otherwise,
  });
}

/** a·σ(b), a and b being the halves of the input along an axis, the last by default. Dauphin et al. 2017. */
export function glu(axis = -1): Activation {
  if (!Number.isInteger(axis)) {
    throw new OptionError({
      where: "glu",
      problem: "axis is no axis",
      expected: "a whole number",
      received: show(axis),
    });
  }
  return made(
    "activations.glu",
    (x) => {
      const at = axis < 0 ? axis + x.shape.length : axis;
      const size = sizeAt(x.shape, at);
      if (at < 1 || size === 0 || size % 2 !== 0) {
        throw new ShapeError({
          where: "glu",
          problem: "the axis cannot be halved",
          expected: `an even size on axis ${axis}`,
          received: formatShape([null, ...x.shape.slice(1)]),
        });
      }
      return mul(ops.slice(x, at, 0, size / 2), ops.sigmoid(ops.slice(x, at, size / 2, size)));
    },
    axis,
    { axis },
  );
}

/** Options of {@link gelu}. */
export interface GeluOptions {
  /** The tanh form. Default false: exact. */
  readonly approximate?: boolean;
  /** Mean of the normal distribution whose distribution function weighs x. Default 0. */
  readonly mu?: number;
  /** Its standard deviation, above 0. Default 1. */
  readonly sigma?: number;
}

/** x·Φ((x − μ)/σ). Hendrycks and Gimpel 2016. */
export function gelu(options: GeluOptions = {}): Activation {
  checkOptions("gelu", options, ["approximate", "mu", "sigma"]);
  const mu = numberIn("gelu", "mu", options.mu ?? 0);
  const sigma = numberIn("gelu", "sigma", options.sigma ?? 1, { above: 0 });
  const approximate = booleanOption("gelu", "approximate", options.approximate ?? false);
  const standard = (x: Node): Node => mul(sub(x, mu), 1 / sigma);
  // Φ(z) = erfc(−z/√2)/2, which is exact where it is small, unlike 1 + erf.
  const exact: Activation = (x) => mul(mul(x, 0.5), ops.erfc(mul(sub(x, mu), -Math.SQRT1_2 / sigma)));
  const tanhForm: Activation = (x) => {
    // Saturated long before ±16; (1 + tanh u)/2 = σ(2u) is exact where it is small.
    const z = ops.clip(standard(x), -16, 16);
    const inner = mul(add(z, mul(mul(mul(z, z), z), 0.044715)), Math.sqrt(2 / Math.PI));
    return mul(x, ops.sigmoid(mul(inner, 2)));
  };
  return made("activations.gelu", approximate ? tanhForm : exact, options, {
    ...(approximate ? { approximate } : {}),
    mu,
    sigma,
  });
}

/** By name, with the options that Keras takes by default. */
export const ACTIVATIONS = {
  linear: () => linear,
  relu: () => relu,
  relu6: () => relu6,
  leakyRelu,
  elu,
  celu,
  selu: () => selu,
  gelu,
  sigmoid: () => sigmoid,
  logSigmoid: () => logSigmoid,
  hardSigmoid: () => hardSigmoid,
  sparseSigmoid: () => sparseSigmoid,
  tanh: () => tanh,
  hardTanh: () => hardTanh,
  tanhShrink: () => tanhShrink,
  hardShrink,
  softShrink,
  threshold,
  softplus: () => softplus,
  squareplus,
  sparsePlus: () => sparsePlus,
  softsign: () => softsign,
  exponential: () => exponential,
  swish: () => swish,
  silu: () => silu,
  hardSwish: () => hardSwish,
  hardSilu: () => hardSilu,
  mish: () => mish,
  glu,
  softmax: () => softmax,
  logSoftmax: () => logSoftmax,
  sparsemax: () => sparsemax,
} as const;

/** The name of an activation. */
export type ActivationName = keyof typeof ACTIVATIONS;
/** An activation, or its name. */
export type ActivationOption = Activation | ActivationName;

/**
 * The activation that an option means.
 *
 * @throws OptionError for an unknown name.
 */
export const readActivation = (where_: string, option: ActivationOption): Activation =>
  readNamed(where_, "activation", option, ACTIVATIONS);
