/** Transposed convolutions. */
import { checkOptions, oneOf, OptionError, positiveInteger, show, wholeNumber } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { lastOf, sizeAt } from "../../tensor/shape.js";
import { inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { checkRank } from "../axes.js";
import { masked } from "../masks.js";
import { type PerAxis, POSITIONS, readGeometry, TAPS } from "../windows.js";
import { KERNEL_OPTIONS, type KernelOptions, readKernelOptions } from "../kernel.js";

/** Options of transposed convolutions. */
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
  const { size, stride, dilation } = readGeometry(kind, rank, options);
  const padding = oneOf(kind, "padding", options.padding ?? "valid", ["valid", "same"]);
  const extra = readOutputPadding(kind, rank, stride, options.outputPadding);
  const { activation, useBias, kernel, bias } = readKernelOptions(kind, options);
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, mask } = inputAt(inputs);
      checkRank(scope.where, value, rank);
      const channels = lastOf(value.shape);
      const weights = scope.weight("kernel", [...size, filters, channels], kernel);
      const [o, k] = [POSITIONS.slice(0, rank), TAPS.slice(0, rank)];
      const product = ops.einsum(`b${o}c,${k}fc->b${o}${k}f`, value, weights);
      const plan = size.map((taps, i) => {
        const [length, step, apart] = [sizeAt(value.shape, i + 1), sizeAt(stride, i), sizeAt(dilation, i)];
        return transposedPlan(length, { taps, step, apart, padding, extra: extra?.[i] });
      });
      const lengths = plan.map(({ full }) => full);
      const summed = ops.fold(product, { axis: 1, size, stride, dilation, lengths });
      const result = plan.reduce((x, { from, length }, i) => ops.slice(x, i + 1, from, from + length), summed);
      const shifted = useBias ? ops.add(result, scope.weight("bias", [filters], bias)) : result;
      const [first] = plan;
      const reached =
        mask === undefined || first === undefined
          ? undefined
          : reachedMask(mask, { ...first, step: sizeAt(stride, 0) });
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
  const fits = (n: unknown, i: number): n is number => wholeNumber(kind, "outputPadding", n) < sizeAt(stride, i);
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
  const [batch, n] = [sizeAt(mask.shape, 0), sizeAt(mask.shape, 1)];
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
