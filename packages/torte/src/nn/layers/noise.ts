/** Layers that are random while training and do nothing in inference. */
import { checkOptions, numberIn, oneOf } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { type Shape, sizeOf } from "../../tensor/shape.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction, type Scope } from "../layer.js";
import { checkRank, masked } from "../masks.js";
import { l1l2 } from "../regularizers.js";

export interface DropoutOptions extends CommonOptions {
  /** Probability that a value is dropped, 0 up to below 1; 0.05 to 0.35 is usual. */
  readonly rate: number;
  /** "expected" scales by 1/(1 − rate); "realized" by the share that was really kept, |M|/ΣM. Default "expected". */
  readonly rescale?: "expected" | "realized";
}

/**
 * Sets values to zero at random while training, and scales the others up.
 *
 * y = x·M/(1 − rate), M = 1 with probability 1 − rate. In inference y = x. Srivastava et al. 2014.
 *
 * Input and output have the same shape; a mask is passed on.
 *
 * @throws OptionError for a rate outside 0 … 1.
 * @example
 * import { dropout, input } from "torte";
 * const y = dropout({ rate: 0.3 })(input({ shape: [64] }));
 * console.log(y.shape); // [null, 64]
 */
export function dropout(options: DropoutOptions): LayerFunction {
  checkOptions("dropout", options, [...COMMON, "rate", "rescale"]);
  const rate = numberIn("dropout", "rate", options.rate, { min: 0, below: 1 });
  const rescale = oneOf("dropout", "rescale", options.rescale ?? "expected", ["expected", "realized"]);
  return layerFunction({
    kind: "dropout",
    options,
    call: (inputs, scope) => {
      const input = inputAt(inputs);
      if (!scope.training || rate === 0) return input;
      const { value, mask } = input;
      const kept = ops.lessEqual(rate, scope.random(value.shape));
      if (rescale === "expected") return { value: ops.where(kept, ops.mul(value, 1 / (1 - rate)), 0), mask };
      const axes = value.shape.slice(1).map((_, i) => i + 1);
      const count = ops.sum(ops.cast(kept, "float32"), { axes, keepDims: true });
      const scale = ops.div(sizeOf(value.shape.slice(1)), ops.maximum(count, 1));
      return { value: ops.where(kept, ops.mul(value, scale), 0), mask };
    },
  });
}

export interface SpatialDropoutOptions extends CommonOptions {
  /** Probability that a channel is dropped, 0 up to below 1. */
  readonly rate: number;
}

function spatialDropout(rank: number, options: SpatialDropoutOptions): LayerFunction {
  const kind = `spatialDropout${rank}d`;
  checkOptions(kind, options, [...COMMON, "rate"]);
  const rate = numberIn(kind, "rate", options.rate, { min: 0, below: 1 });
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      if (!scope.training || rate === 0) return inputAt(inputs);
      const [batch = 1] = value.shape;
      const kept = ops.lessEqual(
        rate,
        scope.random([batch, ...value.shape.slice(1, -1).map(() => 1), value.shape.at(-1) ?? 1]),
      );
      return { value: ops.where(kept, ops.mul(value, 1 / (1 - rate)), 0), mask };
    },
  });
}

/**
 * Drops whole channels of each example while training, and scales the others by 1/(1 − rate). Tompson et al. 2015.
 *
 * Input and output (length, channels); a mask is passed on.
 *
 * @throws OptionError for a rate outside 0 … 1.
 * @example
 * import { input, spatialDropout1d } from "torte";
 * console.log(spatialDropout1d({ rate: 0.2 })(input({ shape: [50, 16] })).shape); // [null, 50, 16]
 */
export const spatialDropout1d = (options: SpatialDropoutOptions): LayerFunction => spatialDropout(1, options);
/** Over images; otherwise as spatialDropout1d. */
export const spatialDropout2d = (options: SpatialDropoutOptions): LayerFunction => spatialDropout(2, options);
/** Over volumes; otherwise as spatialDropout1d. */
export const spatialDropout3d = (options: SpatialDropoutOptions): LayerFunction => spatialDropout(3, options);

/** Normal numbers by the transform of Box and Muller 1958. */
function gaussian(scope: Scope, shape: Shape): Node {
  const radius = ops.sqrt(ops.mul(ops.log1p(ops.neg(scope.random(shape))), -2));
  return ops.mul(radius, ops.cos(ops.mul(scope.random(shape), 2 * Math.PI)));
}

/**
 * Multiplies by normal numbers of mean 1 and standard deviation √(rate/(1 − rate)) while training. Srivastava et al. 2014.
 *
 * Input and output have the same shape; a mask is passed on.
 *
 * @throws OptionError for a rate outside 0 … 1.
 * @example
 * import { gaussianDropout, input } from "torte";
 * console.log(gaussianDropout({ rate: 0.2 })(input({ shape: [8] })).shape); // [null, 8]
 */
export function gaussianDropout(options: SpatialDropoutOptions): LayerFunction {
  const kind = "gaussianDropout";
  checkOptions(kind, options, [...COMMON, "rate"]);
  const rate = numberIn(kind, "rate", options.rate, { min: 0, below: 1 });
  const deviation = Math.sqrt(rate / (1 - rate));
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      if (!scope.training || rate === 0) return inputAt(inputs);
      return masked(ops.mul(value, ops.add(ops.mul(gaussian(scope, value.shape), deviation), 1)), mask);
    },
  });
}

export interface GaussianNoiseOptions extends CommonOptions {
  /** Standard deviation, at least 0. */
  readonly stddev: number;
}

/** Adds normal numbers of mean 0 while training. Input and output have the same shape; masked positions stay zero. */
export function gaussianNoise(options: GaussianNoiseOptions): LayerFunction {
  const kind = "gaussianNoise";
  checkOptions(kind, options, [...COMMON, "stddev"]);
  const stddev = numberIn(kind, "stddev", options.stddev, { min: 0 });
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      if (!scope.training || stddev === 0) return inputAt(inputs);
      return masked(ops.add(value, ops.mul(gaussian(scope, value.shape), stddev)), mask);
    },
  });
}

/** What selu tends to below: −scale·α. */
const SELU_FLOOR = -1.7580993408473766;

/**
 * Sets values to the floor of selu at random while training, and scales so that mean and variance stay: for networks with
 * selu. Klambauer et al. 2017.
 *
 * y = a·(x·M + α′·(1 − M)) + b, a = 1/√((1 − rate)(1 + rate·α′²)), b = −a·α′·rate, α′ = −1.758.
 *
 * Input and output have the same shape; masked positions stay zero.
 *
 * @throws OptionError for a rate outside 0 … 1.
 */
export function alphaDropout(options: SpatialDropoutOptions): LayerFunction {
  const kind = "alphaDropout";
  checkOptions(kind, options, [...COMMON, "rate"]);
  const rate = numberIn(kind, "rate", options.rate, { min: 0, below: 1 });
  const scale = 1 / Math.sqrt((1 - rate) * (1 + rate * SELU_FLOOR ** 2));
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      if (!scope.training || rate === 0) return inputAt(inputs);
      const kept = ops.lessEqual(rate, scope.random(value.shape));
      const dropped = ops.where(kept, value, SELU_FLOOR);
      return masked(ops.add(ops.mul(dropped, scale), -scale * SELU_FLOOR * rate), mask);
    },
  });
}

export interface ActivityRegularizationOptions extends CommonOptions {
  /** Factor of Σ|x|, at least 0. Default 0. */
  readonly l1?: number;
  /** Factor of Σx², at least 0. Default 0. */
  readonly l2?: number;
}

/**
 * Passes its input on and adds a penalty on it to the loss: (l1·Σ|x| + l2·Σx²)/batch. The same as the option
 * `activityRegularizer` of any other layer.
 *
 * @throws OptionError for factors below 0.
 */
export function activityRegularization(options: ActivityRegularizationOptions = {}): LayerFunction {
  const kind = "activityRegularization";
  checkOptions(kind, options, [...COMMON, "l1", "l2"]);
  const penalty = l1l2({ l1: options.l1 ?? 0, l2: options.l2 ?? 0 });
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value } = inputAt(inputs);
      scope.penalty(ops.mul(penalty(value), 1 / (value.shape[0] ?? 1)));
      return inputAt(inputs);
    },
  });
}
