/** Dropout and noise: random while training, nothing in inference. */
import { checkOptions, numberIn, oneOf, OptionError, seedOption, show } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { formatShape, lastOf, type Shape, sizeAt, sizeOf } from "../../tensor/shape.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction, type Scope } from "../layer.js";
import { checkRank } from "../axes.js";
import { masked, spreadMask } from "../masks.js";

/** What layers that draw random numbers have in common. */
export interface NoiseOptions extends CommonOptions {
  /** Draws of its own, whatever the model's seed and the layer's name. Default: drawn from those. */
  readonly seed?: number;
}

/** Options of dropout of every kind. */
export interface RateOptions extends NoiseOptions {
  /** Probability that a value is dropped, 0 up to below 1. */
  readonly rate: number;
}

/** Options of dropout whose draws may be shared along axes. */
export interface NoiseShapeOptions extends RateOptions {
  /**
   * Shape of the draws, the batch included: 1 where all values along an axis share theirs, null where each has its own.
   * Default: each value its own.
   */
  readonly noiseShape?: readonly (number | null)[];
}

/** Options of {@link dropout}. */
export interface DropoutOptions extends NoiseShapeOptions {
  /** Probability that a value is dropped, 0 up to below 1; 0.05 to 0.35 is usual. */
  readonly rate: number;
  /** "expected" scales by 1/(1 − rate); "realized" by the share that was really kept, |M|/ΣM. Default "expected". */
  readonly rescale?: "expected" | "realized";
}

const readRate = (kind: string, { rate }: RateOptions): number => numberIn(kind, "rate", rate, { min: 0, below: 1 });
const readSeed = (kind: string, { seed }: NoiseOptions): number | undefined =>
  seed === undefined ? undefined : seedOption(kind, seed);

/** The shape of the draws for a value. */
function drawShape(where: string, { noiseShape }: NoiseShapeOptions, { shape }: Node): Shape {
  if (noiseShape === undefined) return shape;
  const given: unknown = noiseShape;
  const fits = (n: unknown, axis: number): boolean => n === null || n === 1 || (axis > 0 && n === shape[axis]);
  if (Array.isArray(given) && given.length === shape.length && given.every(fits))
    return shape.map((n, axis) => noiseShape[axis] ?? n);
  throw new OptionError({
    where,
    problem: "noiseShape does not fit",
    expected: `for each axis of ${formatShape([null, ...shape.slice(1)])} 1, or null`,
    received: show(noiseShape),
  });
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
  checkOptions("dropout", options, [...COMMON, "rate", "rescale", "noiseShape", "seed"]);
  const rate = readRate("dropout", options);
  const seed = readSeed("dropout", options);
  const rescale = oneOf("dropout", "rescale", options.rescale ?? "expected", ["expected", "realized"]);
  return layerFunction({
    kind: "dropout",
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const shape = drawShape(scope.where, options, value);
      if (!scope.training || rate === 0) return inputAt(inputs);
      const kept = ops.lessEqual(rate, scope.random(shape, seed));
      const factor = rescale === "expected" ? 1 / (1 - rate) : realized(ops.broadcastTo(kept, value.shape), mask);
      return { value: ops.where(kept, ops.mul(value, factor), 0), mask };
    },
  });
}

/** |M|/ΣM of each example, over the positions that count; 0 draws kept leave zeros whatever it is. */
function realized(kept: Node, mask: Node | undefined): Node {
  const axes = kept.shape.slice(1).map((_, i) => i + 1);
  const count = (condition: Node): Node => ops.sum(ops.cast(condition, "float32"), { axes, keepDims: true });
  if (mask === undefined) return ops.div(sizeOf(kept.shape.slice(1)), ops.maximum(count(kept), 1));
  const valid = ops.broadcastTo(spreadMask(mask, kept.shape.length), kept.shape);
  return ops.div(count(valid), ops.maximum(count(ops.logicalAnd(kept, valid)), 1));
}

function spatialDropout(rank: number, options: RateOptions): LayerFunction {
  const kind = `spatialDropout${rank}d`;
  checkOptions(kind, options, [...COMMON, "rate", "seed"]);
  const rate = readRate(kind, options);
  const seed = readSeed(kind, options);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      if (!scope.training || rate === 0) return inputAt(inputs);
      const kept = ops.lessEqual(
        rate,
        scope.random([sizeAt(value.shape, 0), ...value.shape.slice(1, -1).map(() => 1), lastOf(value.shape)], seed),
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
export const spatialDropout1d = (options: RateOptions): LayerFunction => spatialDropout(1, options);
/** Over images; otherwise as spatialDropout1d. */
export const spatialDropout2d = (options: RateOptions): LayerFunction => spatialDropout(2, options);
/** Over volumes; otherwise as spatialDropout1d. */
export const spatialDropout3d = (options: RateOptions): LayerFunction => spatialDropout(3, options);

/** Normal numbers by the transform of Box and Muller 1958. */
function gaussian(scope: Scope, shape: Shape, seed: number | undefined): Node {
  const radius = ops.sqrt(ops.mul(ops.log1p(ops.neg(scope.random(shape, seed))), -2));
  return ops.mul(radius, ops.cos(ops.mul(scope.random(shape, seed), 2 * Math.PI)));
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
export function gaussianDropout(options: RateOptions): LayerFunction {
  const kind = "gaussianDropout";
  checkOptions(kind, options, [...COMMON, "rate", "seed"]);
  const rate = readRate(kind, options);
  const seed = readSeed(kind, options);
  const deviation = Math.sqrt(rate / (1 - rate));
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      if (!scope.training || rate === 0) return inputAt(inputs);
      return masked(ops.mul(value, ops.add(ops.mul(gaussian(scope, value.shape, seed), deviation), 1)), mask);
    },
  });
}

/** Options of {@link gaussianNoise}. */
export interface GaussianNoiseOptions extends NoiseOptions {
  /** Standard deviation, at least 0. */
  readonly stddev: number;
}

/**
 * Adds normal numbers of mean 0 while training: y = x + stddev·N(0, 1).
 *
 * Input and output have the same shape; masked positions stay zero.
 *
 * @throws OptionError for a standard deviation below 0.
 * @example
 * import { gaussianNoise, input } from "torte";
 * console.log(gaussianNoise({ stddev: 0.1 })(input({ shape: [8] })).shape); // [null, 8]
 */
export function gaussianNoise(options: GaussianNoiseOptions): LayerFunction {
  const kind = "gaussianNoise";
  checkOptions(kind, options, [...COMMON, "stddev", "seed"]);
  const stddev = numberIn(kind, "stddev", options.stddev, { min: 0 });
  const seed = readSeed(kind, options);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      if (!scope.training || stddev === 0) return inputAt(inputs);
      return masked(ops.add(value, ops.mul(gaussian(scope, value.shape, seed), stddev)), mask);
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
 * @example
 * import { alphaDropout, input } from "torte";
 * console.log(alphaDropout({ rate: 0.1 })(input({ shape: [8] })).shape); // [null, 8]
 */
export function alphaDropout(options: NoiseShapeOptions): LayerFunction {
  const kind = "alphaDropout";
  checkOptions(kind, options, [...COMMON, "rate", "noiseShape", "seed"]);
  const rate = readRate(kind, options);
  const seed = readSeed(kind, options);
  const scale = 1 / Math.sqrt((1 - rate) * (1 + rate * SELU_FLOOR ** 2));
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const shape = drawShape(scope.where, options, value);
      if (!scope.training || rate === 0) return inputAt(inputs);
      const kept = ops.lessEqual(rate, scope.random(shape, seed));
      const dropped = ops.where(kept, value, SELU_FLOOR);
      return masked(ops.add(ops.mul(dropped, scale), -scale * SELU_FLOOR * rate), mask);
    },
  });
}
