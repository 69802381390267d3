/** Convolutions over one, two or three spatial axes: one implementation. */
import { checkOptions, OptionError, positiveInteger, ShapeError } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import { add, einsum, reshape } from "../../ops/index.js";
import { lastOf } from "../../tensor/shape.js";
import { inputAt, type LayerFunction, layerFunction } from "../layer.js";
import {
  checkSpatial,
  type Padding,
  type PerAxis,
  POSITIONS,
  readWindows,
  TAPS,
  windowed,
  type WindowOptions,
  windowsOf,
} from "../windows.js";
import { KERNEL_OPTIONS, type KernelOptions, readKernelOptions } from "../kernel.js";

/** Options of convolutions. */
export interface ConvOptions extends KernelOptions {
  /** Channels of the result, at least 1. */
  readonly filters: number;
  /** Taps of the window along each axis, at least 1. */
  readonly kernelSize: PerAxis;
  /** Steps between windows. Default 1. */
  readonly strides?: PerAxis;
  /** "valid" only full windows; "same" ⌈n/stride⌉ positions; "causal" (one axis) no look ahead. Default "valid". */
  readonly padding?: Padding;
  /** Distance between taps. Default 1; not together with strides above 1. */
  readonly dilationRate?: PerAxis;
  /** Channels are convolved in this many separate groups. Default 1; divides the channels and the filters. */
  readonly groups?: number;
}

function conv(rank: number, options: ConvOptions): LayerFunction {
  const kind = `conv${rank}d`;
  checkOptions(kind, options, [
    ...KERNEL_OPTIONS,
    "filters",
    "kernelSize",
    "strides",
    "padding",
    "dilationRate",
    "groups",
  ]);
  const filters = positiveInteger(kind, "filters", options.filters);
  const groups = positiveInteger(kind, "groups", options.groups ?? 1);
  const windows = readWindows(kind, rank, options);
  const { activation, useBias, kernel, bias } = readKernelOptions(kind, options);
  if (filters % groups !== 0) {
    throw new OptionError({
      where: kind,
      problem: "groups does not divide filters",
      expected: `a divisor of ${filters}`,
      received: String(groups),
    });
  }
  return layerFunction({
    kind,
    options,
    call: (inputs, scope) => {
      const { value, ends } = inputAt(inputs);
      checkSpatial(scope.where, value, rank, windows);
      const channels = lastOf(value.shape);
      if (channels % groups !== 0) {
        const [expected, received] = [`channels in multiples of ${groups}`, String(channels)];
        throw new ShapeError({
          where: scope.where,
          problem: "groups does not divide the channels",
          expected,
          received,
        });
      }
      const weights = scope.weight("kernel", [...windows.size, channels / groups, filters], kernel);
      const product =
        groups === 1
          ? correlate(windowsOf(value, ends, windows, 0), weights, rank)
          : correlateGroups(value, ends, weights, windows, groups);
      const result = activation(useBias ? add(product, scope.weight("bias", [filters], bias)) : product);
      return windowed(result, inputAt(inputs), windows);
    },
  });
}

/** Windows [batch, ...positions, ...taps, channels] times kernel [...taps, channels, filters]. */
function correlate(view: Node, kernel: Node, rank: number): Node {
  const [o, k] = [POSITIONS.slice(0, rank), TAPS.slice(0, rank)];
  return einsum(`b${o}${k}c,${k}cf->b${o}f`, view, kernel);
}

/** The channels split into groups before the windows are taken, each with its part of the kernel. */
function correlateGroups(
  value: Node,
  ends: Node | undefined,
  kernel: Node,
  options: WindowOptions,
  groups: number,
): Node {
  const rank = options.size.length;
  const [o, k] = [POSITIONS.slice(0, rank), TAPS.slice(0, rank)];
  const split = (x: Node): Node => reshape(x, [...x.shape.slice(0, -1), groups, lastOf(x.shape) / groups]);
  const product = einsum(`b${o}${k}gc,${k}cgf->b${o}gf`, windowsOf(split(value), ends, options, 0), split(kernel));
  return reshape(product, [...product.shape.slice(0, -2), -1]);
}

/**
 * A convolution over sequences.
 *
 * y[o, f] = activation(Σₖ Σ_c x[o·stride + k·dilation, c]·kernel[k, c, f] + bias[f])
 *
 * Input (length, channels), output (positions, filters) with ⌊(length − (kernelSize − 1)·dilation − 1)/stride⌋ + 1
 * positions for padding "valid". Kernel (kernelSize, channels/groups, filters), bias (filters). With a mask, masked
 * inputs count as zero and masked outputs are zero.
 *
 * @throws OptionError for options out of range; ShapeError where the window does not fit.
 * @example
 * import { conv1d, input } from "torte";
 * const y = conv1d({ filters: 16, kernelSize: 5, activation: "relu" })(input({ shape: [200, 16] }));
 * console.log(y.shape); // [null, 196, 16]
 */
export const conv1d = (options: ConvOptions): LayerFunction => conv(1, options);
/** A convolution over images: input (height, width, channels); otherwise as conv1d. */
export const conv2d = (options: ConvOptions): LayerFunction => conv(2, options);
/** A convolution over volumes: input (depth, height, width, channels); otherwise as conv1d. */
export const conv3d = (options: ConvOptions): LayerFunction => conv(3, options);
