/** Convolutions over one, two or three spatial axes: one implementation. */
import { checkOptions, oneOf, OptionError, positiveInteger, ShapeError, show } from "../../errors.js";
import type { Node } from "../../graph/node.js";
import { add, einsum, reshape } from "../../ops/index.js";
import { lastOf, sizeAt } from "../../tensor/shape.js";
import { inputAt, type LayerFunction, layerFunction } from "../layer.js";
import { checkRank } from "../axes.js";
import { masked } from "../masks.js";
import { type Padding, windowMask, type WindowOptions, windowsOf } from "../windows.js";
import { KERNEL_OPTIONS, type KernelOptions, readKernelOptions } from "./dense.js";

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

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

export function perAxis(where: string, name: string, rank: number, value: PerAxis): number[] {
  const given: unknown = value;
  if (Array.isArray(given) && given.length === rank) return given.map((n) => positiveInteger(where, name, n));
  if (typeof given === "number") return Array<number>(rank).fill(positiveInteger(where, name, given));
  throw new OptionError({
    where,
    problem: given === undefined ? `${name} is missing` : `${name} has the wrong form`,
    expected: rank === 1 ? "a number" : `a number, or a list of ${rank}`,
    received: show(given),
  });
}

/** The spatial input of a windowed layer: right rank, long enough. */
export function checkSpatial(
  where: string,
  value: Node,
  rank: number,
  { size, dilation, padding }: WindowOptions,
): void {
  checkRank(where, value, rank);
  const reach = size.map((taps, i) => (taps - 1) * sizeAt(dilation, i) + 1);
  const short = padding === "valid" && reach.some((n, i) => n > sizeAt(value.shape, i + 1));
  if (short) {
    throw new ShapeError({
      where,
      problem: "the window does not fit into the input",
      expected: `at least ${reach.join(" x ")} positions`,
      received: value.shape.slice(1, -1).join(" x "),
      fix: 'Take a smaller window, pool less before it, or set padding: "same".',
    });
  }
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
      const { value, mask } = inputAt(inputs);
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
          ? correlate(windowsOf(value, windows, 0), weights, rank)
          : correlateGroups(value, weights, windows, groups);
      const result = activation(useBias ? add(product, scope.weight("bias", [filters], bias)) : product);
      return masked(result, mask === undefined ? undefined : windowMask(mask, windows));
    },
  });
}

/** Labels of einsum for the positions of a result and the taps of a window, one for each axis. */
export const POSITIONS = "opq";
export const TAPS = "ijk";

/** Windows [batch, ...positions, ...taps, channels] times kernel [...taps, channels, filters]. */
function correlate(view: Node, kernel: Node, rank: number): Node {
  const [o, k] = [POSITIONS.slice(0, rank), TAPS.slice(0, rank)];
  return einsum(`b${o}${k}c,${k}cf->b${o}f`, view, kernel);
}

/** The channels split into groups before the windows are taken, each with its part of the kernel. */
function correlateGroups(value: Node, kernel: Node, options: WindowOptions, groups: number): Node {
  const rank = options.size.length;
  const [o, k] = [POSITIONS.slice(0, rank), TAPS.slice(0, rank)];
  const split = (x: Node): Node => reshape(x, [...x.shape.slice(0, -1), groups, lastOf(x.shape) / groups]);
  const product = einsum(`b${o}${k}gc,${k}cgf->b${o}gf`, windowsOf(split(value), options, 0), split(kernel));
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
