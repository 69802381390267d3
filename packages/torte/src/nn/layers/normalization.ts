/** Normalization over the batch or over the features. */
import { booleanOption, checkOptions, numberIn, OptionError } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { ones, zeros } from "../initializers.js";
import { COMMON, type CommonOptions, inputAt, type LayerFunction, layerFunction, type Scope } from "../layer.js";
import { masked, spreadMask } from "../masks.js";

export interface NormalizationOptions extends CommonOptions {
  /** Adds β. Default true. */
  readonly center?: boolean;
  /** Multiplies by γ. Default true. */
  readonly scale?: boolean;
  /** Added to the variance, above 0. Default 1e-3. */
  readonly epsilon?: number;
}

export interface BatchNormalizationOptions extends NormalizationOptions {
  /** Weight of the old value in the moving averages, 0 … 1. Default 0.99. */
  readonly momentum?: number;
}

function readOptions(kind: string, options: NormalizationOptions) {
  return {
    center: booleanOption(kind, "center", options.center ?? true),
    scale: booleanOption(kind, "scale", options.scale ?? true),
    epsilon: numberIn(kind, "epsilon", options.epsilon ?? 1e-3, { above: 0 }),
  };
}

function rescale(x: Node, width: number, scope: Scope, { center, scale }: { center: boolean; scale: boolean }): Node {
  const scaled = scale ? ops.mul(x, scope.weight("gamma", [width], { initializer: ones })) : x;
  return center ? ops.add(scaled, scope.weight("beta", [width], { initializer: zeros })) : scaled;
}

/**
 * Normalizes each channel over the batch and all positions.
 *
 * y = γ·(x − μ)/√(σ² + ε) + β, with mean μ and biased variance σ² of the batch while training (valid positions only) and
 * their moving averages in inference. Ioffe and Szegedy 2015.
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
  checkOptions(kind, options, [...COMMON, "center", "scale", "epsilon", "momentum"]);
  const { epsilon, ...affine } = readOptions(kind, options);
  const momentum = numberIn(kind, "momentum", options.momentum ?? 0.99, { min: 0, max: 1 });
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const width = value.shape.at(-1) ?? 1;
      const movingMean = scope.weight("movingMean", [width], { initializer: zeros, trainable: false });
      const movingVariance = scope.weight("movingVariance", [width], { initializer: ones, trainable: false });
      let [mean, variance] = [movingMean, movingVariance];
      if (scope.training) {
        [mean, variance] = batchStatistics(value, mask);
        const move = (old: Node, now: Node): Node =>
          ops.add(ops.mul(old, momentum), ops.mul(ops.stopGradient(now), 1 - momentum));
        scope.assign("movingMean", move(movingMean, mean));
        scope.assign("movingVariance", move(movingVariance, variance));
      }
      const normal = ops.mul(ops.sub(value, mean), ops.rsqrt(ops.add(variance, epsilon)));
      return masked(rescale(normal, width, scope, affine), mask);
    },
  });
}

/** Mean and biased variance of each channel over the valid positions. */
function batchStatistics(value: Node, mask: Node | undefined): [Node, Node] {
  const axes = value.shape.slice(0, -1).map((_, axis) => axis);
  if (mask === undefined) return [ops.mean(value, { axes }), ops.variance(value, { axes })];
  const valid = spreadMask(mask, value.shape.length);
  const rest = value.shape.slice(mask.shape.length, -1).reduce((product, n) => product * n, 1);
  const count = ops.maximum(ops.mul(ops.sum(ops.cast(mask, "float32")), rest), 1);
  const mean = ops.div(ops.sum(value, { axes }), count);
  const deviation = ops.where(valid, ops.sub(value, mean), 0);
  return [mean, ops.div(ops.sum(ops.mul(deviation, deviation), { axes }), count)];
}

export interface LayerNormalizationOptions extends NormalizationOptions {
  /** Axis to normalize over. Only −1, the last, is supported with a mask. Default −1. */
  readonly axis?: number;
}

/**
 * Normalizes each position over its features.
 *
 * y = γ·(x − μ)/√(σ² + ε) + β over the last axis. Ba et al. 2016. Independent of the batch.
 *
 * Input and output have the same shape; weights gamma and beta, each (channels).
 *
 * @throws OptionError for options out of range.
 * @example
 * import { input, layerNormalization } from "torte";
 * const y = layerNormalization()(input({ shape: [10, 8] }));
 * console.log(y.shape); // [null, 10, 8]
 */
export function layerNormalization(options: LayerNormalizationOptions = {}): LayerFunction {
  const kind = "layerNormalization";
  checkOptions(kind, options, [...COMMON, "center", "scale", "epsilon", "axis"]);
  const { epsilon, ...affine } = readOptions(kind, options);
  if (options.axis !== undefined && options.axis !== -1) {
    throw new OptionError({
      where: kind,
      problem: "axis is not supported",
      expected: "-1",
      received: String(options.axis),
    });
  }
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      const over = { axes: [-1], keepDims: true };
      const mean = ops.mean(value, over);
      const normal = ops.mul(ops.sub(value, mean), ops.rsqrt(ops.add(ops.variance(value, over), epsilon)));
      return masked(rescale(normal, value.shape.at(-1) ?? 1, scope, affine), mask);
    },
  });
}
