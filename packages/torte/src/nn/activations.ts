/** Activations: functions of one node, by name or as they are. */
import { checkOptions, numberIn, OptionError } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";

const { add, mul, div, sub, where } = ops;

export type Activation = (x: Node) => Node;

export const linear: Activation = (x) => x;
/** max(x, 0), with derivative 0 at 0. */
export const relu: Activation = ops.relu;
export const sigmoid: Activation = ops.sigmoid;
export const tanh: Activation = ops.tanh;
export const softplus: Activation = ops.softplus;
export const exponential: Activation = ops.exp;
/** x / (1 + |x|). */
export const softsign: Activation = (x) => div(x, add(1, ops.abs(x)));
/** Over the last axis. */
export const softmax: Activation = (x) => ops.softmax(x);
export const logSoftmax: Activation = (x) => ops.logSoftmax(x);
/** x·σ(x). Ramachandran et al. 2017. */
export const swish: Activation = (x) => mul(x, ops.sigmoid(x));
export const silu = swish;
/** x·tanh(softplus(x)). Misra 2019. */
export const mish: Activation = (x) => mul(x, ops.tanh(ops.softplus(x)));
/** x clipped to 0…6 of x + 3, by 6. */
export const hardSigmoid: Activation = (x) => mul(ops.clip(add(x, 3), 0, 6), 1 / 6);
export const hardSwish: Activation = (x) => mul(x, hardSigmoid(x));
export const relu6: Activation = (x) => ops.clip(x, 0, 6);

/** α(eˣ − 1) below 0. Clevert et al. 2016. */
export const elu =
  (alpha = 1): Activation =>
  (x) =>
    where(ops.less(0, x), x, mul(ops.expm1(ops.minimum(x, 0)), alpha));

const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;
/** Klambauer et al. 2017. */
export const selu: Activation = (x) => mul(elu(SELU_ALPHA)(x), SELU_SCALE);

/** x above 0, slope·x below; the slope is 0.2 by default, as in Keras. */
export const leakyRelu =
  (negativeSlope = 0.2): Activation =>
  (x) =>
    where(ops.less(0, x), x, mul(x, negativeSlope));

export interface GeluOptions {
  /** The tanh form. Default false: exact. */
  readonly approximate?: boolean;
  /** Mean and standard deviation of the normal distribution whose distribution function weighs x. Defaults 0 and 1. */
  readonly mu?: number;
  readonly sigma?: number;
}

/** x·Φ((x − μ)/σ). Hendrycks and Gimpel 2016. */
export function gelu(options: GeluOptions = {}): Activation {
  checkOptions("gelu", options, ["approximate", "mu", "sigma"]);
  const mu = numberIn("gelu", "mu", options.mu ?? 0);
  const sigma = numberIn("gelu", "sigma", options.sigma ?? 1, { above: 0 });
  if (options.approximate === true) {
    return (x) => {
      const z = mul(sub(x, mu), 1 / sigma);
      const inner = mul(add(z, mul(mul(mul(z, z), z), 0.044715)), Math.sqrt(2 / Math.PI));
      return mul(mul(x, 0.5), add(1, ops.tanh(inner)));
    };
  }
  return (x) => mul(mul(x, 0.5), add(1, ops.erf(mul(sub(x, mu), Math.SQRT1_2 / sigma))));
}

export const ACTIVATIONS = {
  linear,
  relu,
  sigmoid,
  tanh,
  softplus,
  exponential,
  softsign,
  softmax,
  logSoftmax,
  swish,
  silu,
  mish,
  hardSigmoid,
  hardSwish,
  relu6,
  elu: elu(),
  selu,
  leakyRelu: leakyRelu(),
  gelu: gelu(),
} as const;

export type ActivationName = keyof typeof ACTIVATIONS;
export type ActivationOption = Activation | ActivationName;

export function readActivation(where_: string, option: ActivationOption): Activation {
  if (typeof option === "function") return option;
  const found = Object.entries(ACTIVATIONS).find(([name]) => name === option);
  if (found === undefined) {
    const expected = `a function or one of ${Object.keys(ACTIVATIONS).join(", ")}`;
    throw new OptionError({
      where: where_,
      problem: "activation is unknown",
      expected,
      received: JSON.stringify(option),
    });
  }
  return found[1];
}
