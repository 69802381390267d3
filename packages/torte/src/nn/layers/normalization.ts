/** Normalization: over the batch, over features, over groups of channels. */
import { booleanOption, checkOptions, numberIn, OptionError, positiveInteger, ShapeError } from "../../errors.js";
import { read } from "../../graph/make.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { lastOf, sizeAt, sizeOf } from "../../tensor/shape.js";
import { type ConstraintOption, readConstraint } from "../constraints.js";
import { type InitializerOption, randomNormal, readInitializer } from "../initializers.js";
import {
  COMMON,
  type CommonOptions,
  inputAt,
  type LayerFunction,
  layerFunction,
  newTracing,
  refuseMask,
  type Scope,
  type Traced,
  type WeightOptions,
} from "../layer.js";
import { exampleAxis } from "../axes.js";
import { masked, spreadMask } from "../masks.js";
import { readRegularizer, type RegularizerOption } from "../regularizers.js";
import { checkInner, wrapping } from "./composite.js";

/** The trained scale γ and offset β of a normalization. */
export interface AffineOptions extends CommonOptions {
  /** Adds β. Default true. */
  readonly center?: boolean;
  /** Multiplies by γ. Default true. */
  readonly scale?: boolean;
  /** Default zeros. */
  readonly betaInitializer?: InitializerOption;
  /** Default ones. */
  readonly gammaInitializer?: InitializerOption;
  /** Default none. */
  readonly betaRegularizer?: RegularizerOption;
  /** Default none. */
  readonly gammaRegularizer?: RegularizerOption;
  /** Default none. */
  readonly betaConstraint?: ConstraintOption;
  /** Default none. */
  readonly gammaConstraint?: ConstraintOption;
}

/** What normalizations have in common. */
export interface NormalizationOptions extends AffineOptions {
  /** Added to the variance, above 0. Default 1e-3. */
  readonly epsilon?: number;
}

/** Options of {@link batchNormalization}. */
export interface BatchNormalizationOptions extends NormalizationOptions {
  /** The axis of the channels, counted with the batch as axis 0. Default −1. */
  readonly axis?: number;
  /** Weight of the old value in the moving averages, 0 … 1. Default 0.99. */
  readonly momentum?: number;
  /** Default zeros. */
  readonly movingMeanInitializer?: InitializerOption;
  /** Default ones. */
  readonly movingVarianceInitializer?: InitializerOption;
}

const AFFINE = [
  ...COMMON,
  "center",
  "scale",
  "betaInitializer",
  "gammaInitializer",
  "betaRegularizer",
  "gammaRegularizer",
  "betaConstraint",
  "gammaConstraint",
] as const;

/** γ·x + β, over the axes that the weights' shape shows. */
type Affine = (x: Node, shape: readonly number[], spread: readonly number[], scope: Scope) => Node;

function readAffine(kind: string, options: AffineOptions): Affine {
  const center = booleanOption(kind, "center", options.center ?? true);
  const scale = booleanOption(kind, "scale", options.scale ?? true);
  const gamma: WeightOptions = {
    initializer: readInitializer(kind, "gammaInitializer", options.gammaInitializer ?? "ones"),
    regularizer: readRegularizer(kind, "gammaRegularizer", options.gammaRegularizer),
    constraint: readConstraint(kind, "gammaConstraint", options.gammaConstraint),
  };
  const beta: WeightOptions = {
    initializer: readInitializer(kind, "betaInitializer", options.betaInitializer ?? "zeros"),
    regularizer: readRegularizer(kind, "betaRegularizer", options.betaRegularizer),
    constraint: readConstraint(kind, "betaConstraint", options.betaConstraint),
  };
  return (x, shape, spread, scope) => {
    const weight = (name: string, weightOptions: WeightOptions): Node =>
      ops.reshape(scope.weight(name, shape, weightOptions), spread);
    const scaled = scale ? ops.mul(x, weight("gamma", gamma)) : x;
    return center ? ops.add(scaled, weight("beta", beta)) : scaled;
  };
}

interface Counting {
  /** 0 where a mask leaves positions out. */
  readonly counted: (x: Node) => Node;
  /** Of what has been counted, over the axes, kept with size 1. */
  readonly mean: (x: Node) => Node;
  /** A number near the mean of the value. */
  readonly near: Node;
}

/** The mean of a sample of 1/SAMPLE of the values or more is at most √SAMPLE standard deviations from the mean of all. */
const SAMPLE = 64;

function counting({ value, mask }: Traced, axes: readonly number[]): Counting {
  const keep = { axes, keepDims: true };
  if (mask === undefined || !(axes.includes(0) || axes.includes(1))) {
    const [first = 0] = axes;
    const sample = ops.slice(value, first, 0, Math.ceil(sizeAt(value.shape, first) / SAMPLE));
    return { counted: (x) => x, mean: (x) => ops.mean(x, keep), near: ops.mean(sample, keep) };
  }
  const valid = spreadMask(mask, value.shape.length);
  const positions = ops.sum(ops.cast(valid, "float32"), keep);
  const others = sizeOf(axes.filter((axis) => axis > 1).map((axis) => sizeAt(value.shape, axis)));
  const count = ops.maximum(ops.mul(positions, others), 1);
  const counted = (x: Node): Node => ops.where(valid, x, 0);
  const mean = (x: Node): Node => ops.div(ops.sum(x, keep), count);
  return { counted, mean, near: mean(counted(value)) };
}

interface Moments {
  readonly mean: Node;
  readonly variance: Node;
  /** x − mean. */
  readonly deviation: Node;
}

/**
 * Mean and biased variance over the axes, kept with size 1; positions that a mask leaves out do not count. Both in one
 * pass: of the differences d to a shift near the mean, σ² = Σd²/n − (Σd/n)². Chan, Golub and LeVeque 1983.
 */
function moments(input: Traced, axes: readonly number[]): Moments {
  const { counted, mean, near } = counting(input, axes);
  const shift = ops.stopGradient(near);
  const difference = ops.sub(input.value, shift);
  const average = mean(counted(difference));
  const rounded = ops.sub(mean(ops.square(counted(difference))), ops.square(average));
  return {
    mean: ops.add(shift, average),
    // Rounding can make it negative; a bound would pass no derivative at 0.
    variance: ops.where(ops.less(rounded, 0), 0, rounded),
    // Not x less the mean, which has lost digits where it is large, and x − shift has not.
    deviation: ops.sub(difference, average),
  };
}

/** Values up to it have squares of which millions can be added up; what is larger is measured in units of 2⁸⁰. */
const LARGE = 2 ** 53;
const UNIT = 2 ** 80;

/** The unit that makes squares of the values of each group finite, 1 but for large ones, and ε as it is for squares in it. */
function unitOf(value: Node, axes: readonly number[], epsilon: number): { unit: Node; epsilon: Node } {
  const largest = ops.stopGradient(ops.max(ops.abs(value), { axes, keepDims: true }));
  const large = ops.less(LARGE, largest);
  // In those units ε is nothing, but still keeps equal values from 0/0.
  return { unit: ops.where(large, UNIT, 1), epsilon: ops.where(large, 2 ** -120, epsilon) };
}

/** (x − mean)/√(variance + ε) over axes of each example. */
function standardize({ value, mask }: Traced, axes: readonly number[], epsilon: number): Node {
  const within = unitOf(value, axes, epsilon);
  const scaled = ops.div(value, within.unit);
  const { deviation, variance } = moments(mask === undefined ? { value: scaled } : { value: scaled, mask }, axes);
  return ops.mul(deviation, ops.rsqrt(ops.add(variance, within.epsilon)));
}

const readEpsilon = (kind: string, epsilon: number | undefined, otherwise: number): number =>
  numberIn(kind, "epsilon", epsilon ?? otherwise, { above: 0 });

/** Size 1 on all axes but those. */
const spreadOver = (value: Node, axes: readonly number[]): number[] =>
  value.shape.map((n, axis) => (axes.includes(axis) ? n : 1));

/**
 * Normalizes each channel over the batch and all positions.
 *
 * y = γ·(x − μ)/√(σ² + ε) + β, with mean μ and biased variance σ² of the batch while training (valid positions only) and
 * their moving averages in inference, or where the layer is frozen. Ioffe and Szegedy 2015.
 *
 * In a batch with one value for a channel (one example without other axes) the variance is 0 and the result β. A batch of
 * another size needs nothing; the moving averages count every step alike.
 *
 * Input and output have the same shape; weights gamma, beta, movingMean, movingVariance, each (channels).
 *
 * @throws OptionError for options out of range.
 * @example
 * import { batchNormalization, input } from "torte";
 * const y = batchNormalization()(input({ shape: [28, 28, 8] }));
 * console.log(y.shape); // [null, 28, 28, 8]
 */
export function batchNormalization(options: BatchNormalizationOptions = {}): LayerFunction {
  const kind = "batchNormalization";
  checkOptions(kind, options, [
    ...AFFINE,
    "epsilon",
    "momentum",
    "axis",
    "movingMeanInitializer",
    "movingVarianceInitializer",
  ]);
  const affine = readAffine(kind, options);
  const epsilon = readEpsilon(kind, options.epsilon, 1e-3);
  const momentum = numberIn(kind, "momentum", options.momentum ?? 0.99, { min: 0, max: 1 });
  const zeros = readInitializer(kind, "movingMeanInitializer", options.movingMeanInitializer ?? "zeros");
  const ones = readInitializer(kind, "movingVarianceInitializer", options.movingVarianceInitializer ?? "ones");
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const input = inputAt(inputs);
      const { value, mask } = input;
      const axis = exampleAxis(scope.where, value, options.axis ?? -1);
      const width = sizeAt(value.shape, axis);
      const movingMean = scope.weight("movingMean", [width], { initializer: zeros, trainable: false });
      const movingVariance = scope.weight("movingVariance", [width], { initializer: ones, trainable: false });
      const spread = spreadOver(value, [axis]);
      let standard: Node;
      if (scope.training && scope.trainable) {
        const axes = value.shape.map((_, i) => i).filter((i) => i !== axis);
        const ofBatch = moments(input, axes);
        standard = ops.mul(ofBatch.deviation, ops.rsqrt(ops.add(ofBatch.variance, epsilon)));
        const move = (old: Node, now: Node): Node =>
          ops.add(ops.mul(old, momentum), ops.mul(ops.stopGradient(ops.reshape(now, [width])), 1 - momentum));
        scope.assign("movingMean", move(movingMean, ofBatch.mean));
        scope.assign("movingVariance", move(movingVariance, ofBatch.variance));
      } else {
        const deviation = ops.rsqrt(ops.add(ops.reshape(movingVariance, spread), epsilon));
        standard = ops.mul(ops.sub(value, ops.reshape(movingMean, spread)), deviation);
      }
      return masked(affine(standard, [width], spread, scope), mask);
    },
  });
}

/** Options of {@link layerNormalization}. */
export interface LayerNormalizationOptions extends NormalizationOptions {
  /** Axis or axes to normalize over, counted with the batch as axis 0. Default −1, the features. */
  readonly axis?: number | readonly number[];
}

const axesOf = (where: string, value: Node, axis: number | readonly number[] | undefined): number[] =>
  axesGiven(where, axis)
    .map((given) => exampleAxis(where, value, given))
    .filter((given, i, all) => all.indexOf(given) === i)
    .sort((a, b) => a - b);

function axesGiven(where: string, axis: number | readonly number[] | undefined): readonly number[] {
  if (!Array.isArray(axis)) return [(axis as number | undefined) ?? -1];
  if (axis.length > 0) return axis as readonly number[];
  throw new OptionError({ where, problem: "axis is empty", expected: "an axis, or a list of axes", received: "[]" });
}

/**
 * Normalizes each position over its features.
 *
 * y = γ·(x − μ)/√(σ² + ε) + β over the last axis, or over `axis`. Ba et al. 2016. Independent of the batch.
 *
 * Input and output have the same shape; weights gamma and beta, of the sizes of the axes.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { input, layerNormalization } from "torte";
 * const y = layerNormalization()(input({ shape: [10, 8] }));
 * console.log(y.shape); // [null, 10, 8]
 */
export function layerNormalization(options: LayerNormalizationOptions = {}): LayerFunction {
  const kind = "layerNormalization";
  checkOptions(kind, options, [...AFFINE, "epsilon", "axis"]);
  const affine = readAffine(kind, options);
  const epsilon = readEpsilon(kind, options.epsilon, 1e-3);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const input = inputAt(inputs);
      const { value } = input;
      const axes = axesOf(scope.where, value, options.axis);
      const standard = standardize(input, axes, epsilon);
      const shape = axes.map((axis) => sizeAt(value.shape, axis));
      return masked(affine(standard, shape, spreadOver(value, axes), scope), input.mask);
    },
  });
}

/** Options of {@link groupNormalization}. */
export interface GroupNormalizationOptions extends NormalizationOptions {
  /** Groups of neighbouring channels, a divisor of their number; −1 for each channel by itself. Default 32. */
  readonly groups?: number;
  /** The axis of the channels, counted with the batch as axis 0. Default −1. */
  readonly axis?: number;
}

/**
 * Normalizes each example over groups of channels and all positions.
 *
 * y = γ·(x − μ)/√(σ² + ε) + β with μ and σ² of the group, over valid positions. Wu and He 2018. With groups 1 it is layer
 * normalization over everything, with groups −1 instance normalization.
 *
 * Input and output have the same shape; weights gamma and beta, each (channels).
 *
 * @throws OptionError for options out of range; ShapeError where groups does not divide the channels.
 * @example
 * import { groupNormalization, input } from "torte";
 * console.log(groupNormalization({ groups: 4 })(input({ shape: [28, 28, 8] })).shape); // [null, 28, 28, 8]
 */
export function groupNormalization(options: GroupNormalizationOptions = {}): LayerFunction {
  const kind = "groupNormalization";
  checkOptions(kind, options, [...AFFINE, "epsilon", "groups", "axis"]);
  const affine = readAffine(kind, options);
  const epsilon = readEpsilon(kind, options.epsilon, 1e-3);
  const groups = options.groups === -1 ? -1 : positiveInteger(kind, "groups", options.groups ?? 32);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const axis = exampleAxis(scope.where, value, options.axis ?? -1);
      const channels = sizeAt(value.shape, axis);
      const count = groups === -1 ? channels : groups;
      if (channels % count !== 0) {
        const [expected, received] = [`channels in multiples of ${count}`, String(channels)];
        const problem = "groups does not divide the channels";
        throw new ShapeError({ where: scope.where, problem, expected, received });
      }
      const split = [count, channels / count];
      const grouped = ops.reshape(value, [...value.shape.slice(0, axis), ...split, ...value.shape.slice(axis + 1)]);
      const axes = grouped.shape.map((_, i) => i).filter((i) => i > 0 && i !== axis);
      // Groups along the sequence would depend on its length.
      if (axis === 1) refuseMask(scope, inputs);
      const standard = standardize({ value: grouped, mask }, axes, epsilon);
      const back = ops.reshape(standard, value.shape);
      return masked(affine(back, [channels], spreadOver(value, [axis]), scope), mask);
    },
  });
}

/** Options of {@link rmsNormalization}. */
export interface RmsNormalizationOptions extends CommonOptions {
  /** Axis or axes to normalize over, counted with the batch as axis 0. Default −1, the features. */
  readonly axis?: number | readonly number[];
  /** Added to the mean square, above 0. Default 1e-6. */
  readonly epsilon?: number;
}

/**
 * Scales each position to mean square 1: y = γ·x/√(mean x² + ε). Zhang and Sennrich 2019.
 *
 * Input and output have the same shape; weight scale, of the sizes of the axes.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { input, rmsNormalization } from "torte";
 * console.log(rmsNormalization()(input({ shape: [10, 8] })).shape); // [null, 10, 8]
 */
export function rmsNormalization(options: RmsNormalizationOptions = {}): LayerFunction {
  const kind = "rmsNormalization";
  checkOptions(kind, options, [...COMMON, "axis", "epsilon"]);
  const epsilon = readEpsilon(kind, options.epsilon, 1e-6);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const axes = axesOf(scope.where, value, options.axis);
      const { counted, mean } = counting({ value, mask }, axes);
      const within = unitOf(value, axes, epsilon);
      const scaled = ops.div(value, within.unit);
      const square = mean(ops.square(counted(scaled)));
      const shape = axes.map((axis) => sizeAt(value.shape, axis));
      const scale = scope.weight("scale", shape, { initializer: readInitializer(kind, "scale", "ones") });
      const standard = ops.mul(scaled, ops.rsqrt(ops.add(square, within.epsilon)));
      return masked(ops.mul(standard, ops.reshape(scale, spreadOver(value, axes))), mask);
    },
  });
}

/**
 * Scales each position to norm 1 along its features, or along `axis`: y = x/√(Σx²), zero vectors staying zero.
 *
 * @throws OptionError for an axis that does not exist.
 * @example
 * import { input, unitNormalization } from "torte";
 * console.log(unitNormalization()(input({ shape: [10, 8] })).shape); // [null, 10, 8]
 */
export function unitNormalization(
  options: CommonOptions & { readonly axis?: number | readonly number[] } = {},
): LayerFunction {
  checkOptions("unitNormalization", options, [...COMMON, "axis"]);
  return layerFunction({
    kind: "unitNormalization",
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const axes = axesOf(scope.where, value, options.axis);
      return masked(ops.normalize(value, { axes }), mask);
    },
  });
}

/** Options of {@link spectralNormalization}. */
export interface SpectralNormalizationOptions extends CommonOptions {
  /** Rounds of power iteration in each training step, 1 to 100. Default 1. */
  readonly powerIterations?: number;
}

/** As many as PyTorch takes when it meets a kernel for the first time. */
const INFERENCE_ROUNDS = 15;

/**
 * A layer with its kernel divided by the kernel's largest singular value, which power iteration follows while training.
 * In inference it takes enough rounds to find that of any kernel, one that has just been made or loaded, too. A kernel of
 * zeros stays one. Miyato et al. 2018.
 *
 * The weights are those of the layer, and vectorU (1, units), which is not trained.
 *
 * @throws OptionError where the layer has no kernel.
 * @example
 * import { dense, input, spectralNormalization } from "torte";
 * console.log(spectralNormalization(dense({ units: 5 }))(input({ shape: [8] })).shape); // [null, 5]
 */
export function spectralNormalization(inner: LayerFunction, options: SpectralNormalizationOptions = {}): LayerFunction {
  const kind = "spectralNormalization";
  checkOptions(kind, options, [...COMMON, "powerIterations"]);
  checkInner(kind, inner);
  const rounds = positiveInteger(kind, "powerIterations", options.powerIterations ?? 1);
  numberIn(kind, "powerIterations", rounds, { max: 100 }); // each is traced
  return layerFunction({
    kind,
    options: wrapping(options, inner),
    inputs: "many",
    integers: "accept",
    endsMask: true,
    children: () => [inner.layer],
    call: (inputs, scope) => {
      const { layer } = inner;
      const { tracing } = scope;
      // The weights come into being when the layer is traced.
      if (layer.weights.size === 0) layer.trace(inputs, newTracing(false));
      const weight = layer.weights.get("kernel") ?? layer.weights.get("embeddings");
      if (weight === undefined) {
        throw new ShapeError({
          where: scope.where,
          problem: "the layer has no kernel to normalize",
          expected: "a layer with a kernel, such as dense or a convolution",
          received: layer.kind,
        });
      }
      const kernel = tracing.substitutes.get(weight.state) ?? read(weight.state);
      const width = lastOf(kernel.shape);
      const matrix = ops.reshape(kernel, [-1, width]);
      const start = scope.weight("vectorU", [1, width], {
        initializer: randomNormal({ stddev: 0.02 }),
        trainable: false,
      });
      const { left, right } = powerIteration(
        ops.stopGradient(matrix),
        start,
        scope.training ? rounds : Math.max(rounds, INFERENCE_ROUNDS),
      );
      if (scope.training && scope.trainable) scope.assign("vectorU", right);
      const largest = ops.sum(ops.mul(ops.einsum("ri,ij->rj", left, matrix), right));
      const divisor = ops.where(ops.equal(largest, 0), 1, largest);
      const substitutes = new Map([...tracing.substitutes, [weight.state, ops.div(kernel, divisor)]]);
      return layer.trace(inputs, { ...tracing, substitutes });
    },
  });
}

/**
 * Left and right singular vectors of the largest singular value, as rows. The matrix is measured by its own norm, so that it
 * may be of any size; one of zeros leaves the start as it is, from which the next one goes on.
 */
function powerIteration(kernel: Node, start: Node, rounds: number): { left: Node; right: Node } {
  const matrix = ops.normalize(kernel);
  const toLeft = (right: Node): Node => ops.einsum("rj,ij->ri", right, matrix);
  let right = ops.normalize(start);
  for (let round = 0; round < rounds; round++) {
    const next = ops.einsum("ri,ij->rj", toLeft(right), matrix);
    right = ops.where(ops.equal(ops.max(ops.abs(next)), 0), right, ops.normalize(next));
  }
  return { left: ops.stopGradient(ops.normalize(toLeft(right))), right: ops.stopGradient(right) };
}
