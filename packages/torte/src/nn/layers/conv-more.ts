/** Convolutions of other forms: transposed, depthwise, separable. */
import { checkOptions, oneOf, OptionError, positiveInteger, show, wholeNumber } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { type ConstraintOption, readConstraint } from "../constraints.js";
import { type InitializerOption, readInitializer } from "../initializers.js";
import { inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { checkRank, masked, type Padding, windowMask, type WindowOptions, windowsOf } from "../masks.js";
import { readRegularizer, type RegularizerOption } from "../regularizers.js";
import { checkSpatial, type PerAxis, perAxis } from "./conv.js";
import { KERNEL_OPTIONS, type KernelOptions, readKernelOptions } from "./dense.js";

const POSITIONS = "opq";
const TAPS = "ijk";

export interface ConvTransposeOptions extends KernelOptions {
  /** Channels of the result, at least 1. */
  readonly filters: number;
  /** Taps of the window along each axis, at least 1. */
  readonly kernelSize: PerAxis;
  /** Steps between windows of the result. Default 1. */
  readonly strides?: PerAxis;
  /** "same" gives length·stride positions; "valid" all that a window reaches. Default "valid". */
  readonly padding?: "valid" | "same";
  /** Distance between taps. Default 1. */
  readonly dilationRate?: PerAxis;
  /**
   * Positions more at the end, below the stride; the length is then (length − 1)·stride + reach for "valid", that − 2·⌊reach/2⌋
   * for "same". Default: the lengths that padding gives.
   */
  readonly outputPadding?: PerAxis;
}

function convTranspose(rank: number, options: ConvTransposeOptions): LayerFunction {
  const kind = `conv${rank}dTranspose`;
  checkOptions(kind, options, [
    ...KERNEL_OPTIONS,
    "filters",
    "kernelSize",
    "strides",
    "padding",
    "dilationRate",
    "outputPadding",
  ]);
  const filters = positiveInteger(kind, "filters", options.filters);
  const size = perAxis(kind, "kernelSize", rank, options.kernelSize);
  const stride = perAxis(kind, "strides", rank, options.strides ?? 1);
  const dilation = perAxis(kind, "dilationRate", rank, options.dilationRate ?? 1);
  const padding = oneOf(kind, "padding", options.padding ?? "valid", ["valid", "same"]);
  const extra = readOutputPadding(kind, rank, stride, options.outputPadding);
  const { activation, useBias, kernel, bias } = readKernelOptions(kind, options);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      const channels = value.shape.at(-1) ?? 1;
      const weights = scope.weight("kernel", [...size, filters, channels], kernel);
      const [o, k] = [POSITIONS.slice(0, rank), TAPS.slice(0, rank)];
      const product = ops.einsum(`b${o}c,${k}fc->b${o}${k}f`, value, weights);
      const plan = size.map((taps, i) => {
        const [length, step, apart] = [value.shape[i + 1] ?? 1, stride[i] ?? 1, dilation[i] ?? 1];
        return transposedPlan(length, { taps, step, apart, padding, extra: extra?.[i] });
      });
      const lengths = plan.map(({ full }) => full);
      const summed = ops.fold(product, { axis: 1, size, stride, dilation, lengths });
      const result = plan.reduce((x, { from, length }, i) => ops.slice(x, i + 1, from, from + length), summed);
      const shifted = useBias ? ops.add(result, scope.weight("bias", [filters], bias)) : result;
      const [first] = plan;
      const reached =
        mask === undefined || first === undefined ? undefined : reachedMask(mask, { ...first, step: stride[0] ?? 1 });
      return masked(activation(shifted), reached);
    },
  });
}

interface TransposedAxis {
  readonly taps: number;
  readonly step: number;
  readonly apart: number;
  readonly padding: "valid" | "same";
  readonly extra: number | undefined;
}

/** Along one axis: all positions that are summed, and which part of them is the result. */
function transposedPlan(
  n: number,
  { taps, step, apart, padding, extra }: TransposedAxis,
): { full: number; from: number; length: number } {
  const reach = (taps - 1) * apart + 1;
  const summed = (n - 1) * step + reach;
  const same = padding === "same";
  const plain = same ? n * step : n * step + Math.max(reach - step, 0);
  const length = extra === undefined ? plain : summed - (same ? 2 * Math.floor(reach / 2) : 0) + extra;
  // What "same" leaves out, it leaves out at both ends, the odd one at the later.
  const from = same ? Math.max(0, Math.floor((summed - length) / 2)) : 0;
  return { full: Math.max(summed, from + length), from, length };
}

function readOutputPadding(
  kind: string,
  rank: number,
  stride: readonly number[],
  option: PerAxis | undefined,
): number[] | undefined {
  if (option === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(option) ? option : Array<unknown>(rank).fill(option);
  const fits = (n: unknown, i: number): n is number => wholeNumber(kind, "outputPadding", n) < (stride[i] ?? 1);
  if (list.length !== rank || !list.every(fits)) {
    throw new OptionError({
      where: kind,
      problem: "outputPadding is out of range",
      expected: `${rank === 1 ? "a number" : `${rank} numbers`} below the strides ${stride.join(", ")}`,
      received: show(option),
    });
  }
  return [...list];
}

/**
 * Positions of the result that belong to the sequence: those that the result of the unpadded sequence would have. A result
 * of n input positions is (n − 1)·step + tail long, and position o writes from o·step − from on.
 */
function reachedMask(mask: Node, { step, from, length }: { step: number; from: number; length: number }): Node {
  const [batch = 1, n = 1] = mask.shape;
  const tail = length - (n - 1) * step;
  // Where windows leave gaps, the gap before a position counts as its own.
  const before = Math.max(from, step - tail);
  const taps = before + tail;
  const spread = ops.broadcastTo(ops.reshape(ops.cast(mask, "float32"), [batch, n, 1]), [batch, n, taps]);
  const lengths = [before + length];
  const counted = ops.fold(spread, { axis: 1, size: [taps], stride: [step], dilation: [1], lengths });
  return ops.less(0, ops.slice(counted, 1, before, before + length));
}

/**
 * The transpose of a convolution over sequences: every input position adds its window of values to the result.
 *
 * y[o·stride + k·dilation, f] += Σ_c x[o, c]·kernel[k, f, c], then bias and activation. Dumoulin and Visin 2016.
 *
 * Input (length, channels), output (length·stride + max(reach − stride, 0), filters) for padding "valid", reach being
 * (kernelSize − 1)·dilation + 1, and (length·stride, filters) for "same". Kernel (kernelSize, filters, channels), bias
 * (filters). With a mask, those positions are valid that the unpadded sequence gives.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { conv1dTranspose, input } from "torte";
 * const y = conv1dTranspose({ filters: 8, kernelSize: 4, strides: 2, padding: "same" })(input({ shape: [10, 16] }));
 * console.log(y.shape); // [null, 20, 8]
 */
export const conv1dTranspose = (options: ConvTransposeOptions): LayerFunction => convTranspose(1, options);
/** Over images; otherwise as conv1dTranspose. */
export const conv2dTranspose = (options: ConvTransposeOptions): LayerFunction => convTranspose(2, options);
/** Over volumes; otherwise as conv1dTranspose. */
export const conv3dTranspose = (options: ConvTransposeOptions): LayerFunction => convTranspose(3, options);

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

export interface DepthwiseConvOptions extends WindowedOptions {
  /** Default glorotUniform. */
  readonly depthwiseInitializer?: InitializerOption;
  /** Default none. */
  readonly depthwiseRegularizer?: RegularizerOption;
  /** Default none. */
  readonly depthwiseConstraint?: ConstraintOption;
}

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
  const windows: WindowOptions = {
    size: perAxis(kind, "kernelSize", rank, options.kernelSize),
    stride: perAxis(kind, "strides", rank, options.strides ?? 1),
    dilation: perAxis(kind, "dilationRate", rank, options.dilationRate ?? 1),
    padding: oneOf(
      kind,
      "padding",
      options.padding ?? "valid",
      rank === 1 ? ["valid", "same", "causal"] : ["valid", "same"],
    ),
  };
  return {
    windows,
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
      const { value, mask } = inputAt(inputs);
      checkSpatial(scope.where, value, rank, windows);
      const channels = value.shape.at(-1) ?? 1;
      const kernel = scope.weight("kernel", [...windows.size, channels, multiplier], depthwise);
      const product = depthwiseProduct(windowsOf(value, windows, 0), kernel, rank);
      const result = useBias ? ops.add(product, scope.weight("bias", [channels * multiplier], bias)) : product;
      return masked(activation(result), mask === undefined ? undefined : windowMask(mask, windows));
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
      const { value, mask } = inputAt(inputs);
      checkSpatial(scope.where, value, rank, windows);
      const channels = value.shape.at(-1) ?? 1;
      const taps = scope.weight("depthwiseKernel", [...windows.size, channels, multiplier], depthwise);
      const ones = windows.size.map(() => 1);
      const points = scope.weight("pointwiseKernel", [...ones, channels * multiplier, filters], pointwise);
      const spatial = depthwiseProduct(windowsOf(value, windows, 0), taps, rank);
      const o = POSITIONS.slice(0, rank);
      const mixed = ops.einsum(`b${o}c,cf->b${o}f`, spatial, ops.reshape(points, [channels * multiplier, filters]));
      const result = useBias ? ops.add(mixed, scope.weight("bias", [filters], bias)) : mixed;
      return masked(activation(result), mask === undefined ? undefined : windowMask(mask, windows));
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
