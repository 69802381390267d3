/** Windows over positions: their geometry, the margins that padding adds, and which of them are valid. */
import { oneOf, OptionError, positiveInteger, ShapeError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { sizeAt } from "../tensor/shape.js";
import { checkRank } from "./axes.js";

/** One number for each spatial axis. */
export interface WindowGeometry {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
}

export interface WindowOptions extends WindowGeometry {
  readonly padding: Padding;
}

export type Padding = "valid" | "same" | "causal";

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

/** Options that the geometry of a window is read from. */
export interface GeometryOptions {
  readonly kernelSize: PerAxis;
  readonly strides?: PerAxis;
  readonly dilationRate?: PerAxis;
}

/** Options of a window over positions. */
export interface WindowedOptions extends GeometryOptions {
  readonly padding?: Padding;
}

export const readGeometry = (kind: string, rank: number, options: GeometryOptions): WindowGeometry => ({
  size: perAxis(kind, "kernelSize", rank, options.kernelSize),
  stride: perAxis(kind, "strides", rank, options.strides ?? 1),
  dilation: perAxis(kind, "dilationRate", rank, options.dilationRate ?? 1),
});

/** Reads the options of a convolution's window; looking back only is for one axis, which has a direction. */
export function readWindows(kind: string, rank: number, options: WindowedOptions): WindowOptions {
  const paddings: readonly Padding[] = rank === 1 ? ["valid", "same", "causal"] : ["valid", "same"];
  const padding = oneOf(kind, "padding", options.padding ?? "valid", paddings);
  return { ...readGeometry(kind, rank, options), padding };
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

/** Padding before and after one axis, as in Keras: "same" puts the odd one behind. */
export function marginOf(
  length: number,
  size: number,
  stride: number,
  dilation: number,
  padding: Padding,
): readonly [number, number] {
  const reach = (size - 1) * dilation;
  if (padding === "valid") return [0, 0];
  if (padding === "causal") return [reach, 0];
  const positions = Math.ceil(length / stride);
  const total = Math.max(0, (positions - 1) * stride + reach + 1 - length);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

/** Windows over the spatial axes (all but batch and channels) of a padded value: [batch, ...positions, ...taps, channels]. */
export function windowsOf(value: Node, { size, stride, dilation, padding }: WindowOptions, fill: number): Node {
  const margins = size.map((taps, i) =>
    marginOf(sizeAt(value.shape, i + 1), taps, sizeAt(stride, i), sizeAt(dilation, i), padding),
  );
  const padded = ops.pad(
    value,
    [[0, 0], ...margins, ...value.shape.slice(size.length + 1).map(() => [0, 0] as const)],
    fill,
  );
  return ops.windows(padded, { axis: 1, size, stride, dilation });
}

/** Which window positions are valid: with "valid" those whose taps all are, else those whose input o·stride is. */
export function windowMask(mask: Node, options: WindowOptions): Node {
  const [size, stride] = [sizeAt(options.size, 0), sizeAt(options.stride, 0)];
  if (options.padding === "valid") {
    const taps = ops.windows(mask, { axis: 1, size: [size], stride: [stride], dilation: options.dilation.slice(0, 1) });
    return ops.all(taps, { axes: [2] });
  }
  return ops.slice(mask, 1, 0, Infinity, stride);
}

/** Labels of einsum for the positions of a result and the taps of a window, one for each axis. */
export const POSITIONS = "opq";
export const TAPS = "ijk";
