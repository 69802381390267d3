/** Convolutions of each channel by itself: depthwise, and separable ones, which mix the channels afterwards. */
import { checkOptions, positiveInteger } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { lastOf } from "../../tensor/shape.js";
import { type ConstraintOption, readConstraint } from "../constraints.js";
import { type InitializerOption, readInitializer } from "../initializers.js";
import { inputAt, type LayerFunction, layerFunction } from "../layer.js";
import {
  checkSpatial,
  type Padding,
  type PerAxis,
  POSITIONS,
  readWindows,
  TAPS,
  windowed,
  windowsOf,
} from "../windows.js";
import { readRegularizer, type RegularizerOption } from "../regularizers.js";
import { KERNEL_OPTIONS, type KernelOptions, readKernelOptions } from "../kernel.js";

interface WindowedOptions extends Omit<KernelOptions, "kernelInitializer" | "kernelRegularizer" | "kernelConstraint"> {
  /** Taps of the window along each axis, at least 1. */
  readonly kernelSize: PerAxis;
  /** Steps between windows. Default 1. */
  readonly strides?: PerAxis;
  /** "valid", "same", or "causal" (one axis). Default "valid". */
  readonly padding?: Padding;
  /** Distance between taps. Default 1. */
  readonly dilationRate?: PerAxis;
  /** Filters for each channel, at least 1. Default 1. */
  readonly depthMultiplier?: number;
}

/** Options of depthwise convolutions. */
export interface DepthwiseConvOptions extends WindowedOptions {
  /** Default glorotUniform. */
  readonly depthwiseInitializer?: InitializerOption;
  /** Default none. */
  readonly depthwiseRegularizer?: RegularizerOption;
  /** Default none. */
  readonly depthwiseConstraint?: ConstraintOption;
}

/** Options of separable convolutions. */
export interface SeparableConvOptions extends DepthwiseConvOptions {
  /** Channels of the result, at least 1. */
  readonly filters: number;
  /** Default glorotUniform. */
  readonly pointwiseInitializer?: InitializerOption;
  /** Default none. */
  readonly pointwiseRegularizer?: RegularizerOption;
  /** Default none. */
  readonly pointwiseConstraint?: ConstraintOption;
}

const NO_KERNEL = ["kernelInitializer", "kernelRegularizer", "kernelConstraint"];
const WINDOWED = [
  ...KERNEL_OPTIONS.filter((name) => !NO_KERNEL.includes(name)),
  "kernelSize",
  "strides",
  "padding",
  "dilationRate",
  "depthMultiplier",
  "depthwiseInitializer",
  "depthwiseRegularizer",
  "depthwiseConstraint",
];

function readWindowed(kind: string, rank: number, options: DepthwiseConvOptions) {
  return {
    windows: readWindows(kind, rank, options),
    multiplier: positiveInteger(kind, "depthMultiplier", options.depthMultiplier ?? 1),
    depthwise: {
      initializer: readInitializer(kind, "depthwiseInitializer", options.depthwiseInitializer ?? "glorotUniform"),
      regularizer: readRegularizer(kind, "depthwiseRegularizer", options.depthwiseRegularizer),
      constraint: readConstraint(kind, "depthwiseConstraint", options.depthwiseConstraint),
    },
    ...readKernelOptions(kind, options),
  };
}

/** Each channel convolved by itself: windows [batch, …positions, …taps, channels] times kernel [...taps, channels, m]. */
function depthwiseProduct(view: Node, kernel: Node, rank: number): Node {
  const [o, k] = [POSITIONS.slice(0, rank), TAPS.slice(0, rank)];
  const product = ops.einsum(`b${o}${k}c,${k}cm->b${o}cm`, view, kernel);
  return ops.reshape(product, [...product.shape.slice(0, -2), -1]);
}

function depthwiseConv(rank: number, options: DepthwiseConvOptions): LayerFunction {
  const kind = `depthwiseConv${rank}d`;
  checkOptions(kind, options, WINDOWED);
  const { windows, multiplier, depthwise, activation, useBias, bias } = readWindowed(kind, rank, options);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, ends } = inputAt(inputs);
      checkSpatial(scope.where, value, rank, windows);
      const channels = lastOf(value.shape);
      const kernel = scope.weight("kernel", [...windows.size, channels, multiplier], depthwise);
      const product = depthwiseProduct(windowsOf(value, ends, windows, 0), kernel, rank);
      const result = useBias ? ops.add(product, scope.weight("bias", [channels * multiplier], bias)) : product;
      return windowed(activation(result), inputAt(inputs), windows);
    },
  });
}

/**
 * A convolution of each channel by itself.
 *
 * y[o, c·m + j] = activation(Σₖ x[o·stride + k·dilation, c]·kernel[k, c, j] + bias[c·m + j]), m = depthMultiplier
 *
 * Input (length, channels), output (positions, channels·m); kernel (kernelSize, channels, m), bias (channels·m). Masks as in
 * conv1d.
 *
 * @throws OptionError for options out of range; ShapeError where the window does not fit.
 * @example
 * import { depthwiseConv1d, input } from "torte";
 * console.log(depthwiseConv1d({ kernelSize: 3, depthMultiplier: 2 })(input({ shape: [10, 4] })).shape); // [null, 8, 8]
 */
export const depthwiseConv1d = (options: DepthwiseConvOptions): LayerFunction => depthwiseConv(1, options);
/** Over images; otherwise as depthwiseConv1d. */
export const depthwiseConv2d = (options: DepthwiseConvOptions): LayerFunction => depthwiseConv(2, options);
/** Over volumes; otherwise as depthwiseConv1d. */
export const depthwiseConv3d = (options: DepthwiseConvOptions): LayerFunction => depthwiseConv(3, options);

function separableConv(rank: number, options: SeparableConvOptions): LayerFunction {
  const kind = `separableConv${rank}d`;
  const own = ["filters", "pointwiseInitializer", "pointwiseRegularizer", "pointwiseConstraint"];
  checkOptions(kind, options, [...WINDOWED, ...own]);
  const filters = positiveInteger(kind, "filters", options.filters);
  const { windows, multiplier, depthwise, activation, useBias, bias } = readWindowed(kind, rank, options);
  const pointwise = {
    initializer: readInitializer(kind, "pointwiseInitializer", options.pointwiseInitializer ?? "glorotUniform"),
    regularizer: readRegularizer(kind, "pointwiseRegularizer", options.pointwiseRegularizer),
    constraint: readConstraint(kind, "pointwiseConstraint", options.pointwiseConstraint),
  };
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, ends } = inputAt(inputs);
      checkSpatial(scope.where, value, rank, windows);
      const channels = lastOf(value.shape);
      const taps = scope.weight("depthwiseKernel", [...windows.size, channels, multiplier], depthwise);
      const ones = windows.size.map(() => 1);
      const points = scope.weight("pointwiseKernel", [...ones, channels * multiplier, filters], pointwise);
      const spatial = depthwiseProduct(windowsOf(value, ends, windows, 0), taps, rank);
      const o = POSITIONS.slice(0, rank);
      const mixed = ops.einsum(`b${o}c,cf->b${o}f`, spatial, ops.reshape(points, [channels * multiplier, filters]));
      const result = useBias ? ops.add(mixed, scope.weight("bias", [filters], bias)) : mixed;
      return windowed(activation(result), inputAt(inputs), windows);
    },
  });
}

/**
 * A convolution of each channel by itself, then one of kernelSize 1 that mixes the channels. Chollet 2017.
 *
 * Input (length, channels), output (positions, filters); depthwiseKernel (kernelSize, channels, m), pointwiseKernel
 * (1, channels·m, filters), bias (filters). Masks as in conv1d.
 *
 * @throws OptionError for options out of range; ShapeError where the window does not fit.
 * @example
 * import { input, separableConv1d } from "torte";
 * const layer = separableConv1d({ filters: 8, kernelSize: 3 });
 * console.log(layer(input({ shape: [10, 4] })).shape); // [null, 8, 8]
 */
export const separableConv1d = (options: SeparableConvOptions): LayerFunction => separableConv(1, options);
/** Over images; otherwise as separableConv1d. */
export const separableConv2d = (options: SeparableConvOptions): LayerFunction => separableConv(2, options);
/** Over volumes; otherwise as separableConv1d. */
export const separableConv3d = (options: SeparableConvOptions): LayerFunction => separableConv(3, options);
