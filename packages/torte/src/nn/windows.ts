/** Windows over positions: their geometry, the margins that padding adds, and which of them are valid. */
import { oneOf, OptionError, positiveInteger, ShapeError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import { iota } from "../graph/make.js";
import * as ops from "../ops/index.js";
import { sizeAt } from "../tensor/shape.js";
import { checkRank } from "./axes.js";
import type { Traced } from "./layer.js";
import { masked, spreadMask } from "./masks.js";

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

/**
 * Windows over the spatial axes (all but batch and channels) of a padded value: [batch, ...positions, ...taps, channels]. With
 * padding "same" and a stride, those of a sequence of open length begin where they would without what lies behind its end; where
 * the length is known, it goes by that, as in Keras.
 */
export function windowsOf(value: Node, ends: Node | undefined, options: WindowOptions, fill: number): Node {
  const { size, stride, dilation, padding } = options;
  const margins = size.map((taps, i) =>
    marginOf(sizeAt(value.shape, i + 1), taps, sizeAt(stride, i), sizeAt(dilation, i), padding),
  );
  const around = [[0, 0] as const, ...margins, ...value.shape.slice(size.length + 1).map(() => [0, 0] as const)];
  const aligns = ends !== undefined && padding === "same" && sizeAt(stride, 0) > 1;
  const padded = aligns ? aligned(value, ends, options, around, fill) : ops.pad(value, around, fill);
  return ops.windows(padded, { axis: 1, size, stride, dilation });
}

/** The margin that "same" puts before a sequence of n positions hangs on n modulo the stride alone. */
function aligned(
  value: Node,
  mask: Node,
  { size, stride, dilation }: WindowOptions,
  around: readonly (readonly [number, number])[],
  fill: number,
): Node {
  const [length, step] = [sizeAt(value.shape, 1), sizeAt(stride, 0)];
  const reach = (sizeAt(size, 0) - 1) * sizeAt(dilation, 0) + 1;
  const total = (Math.ceil(length / step) - 1) * step + reach;
  const before = (rest: number): number => Math.floor(Math.max(0, reach - rest) / 2);
  const begun = (low: number): Node => {
    const kept = ops.slice(value, 1, 0, Math.min(length, Math.max(1, total - low)));
    const high = Math.max(0, total - low - sizeAt(kept.shape, 1));
    const all = ops.pad(
      kept,
      around.map((margin, axis) => (axis === 1 ? [low, high] : margin)),
      fill,
    );
    return ops.slice(all, 1, 0, total);
  };
  // Behind the last valid position, for each sequence.
  const count = ops.max(ops.mul(ops.cast(mask, "int32"), ops.add(iota(mask.shape, 1), 1)), { axes: [1] });
  // 1 … step, as n − step·(⌈n/step⌉ − 1).
  const rest = ops.add(ops.mod(ops.add(count, step - 1), step), 1);
  const rests = Array.from({ length: step }, (_, i) => i + 1);
  const [first = 0, ...others] = [...new Set(rests.map(before))];
  return others.reduce((chosen, low) => {
    const such = rests.filter((one) => before(one) === low);
    const is = such.map((one) => ops.equal(rest, one)).reduce((a, b) => ops.logicalOr(a, b));
    return ops.where(spreadMask(is, value.shape.length), begun(low), chosen);
  }, begun(first));
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

/** What is computed of the windows of an input, masked where they are. */
export function windowed(value: Node, { mask, ends }: Traced, options: WindowOptions): Traced {
  const [valid, own] = [mask, ends].map((given) => given && windowMask(given, options));
  return { ...masked(value, valid), ends: own };
}

/** Labels of einsum for the positions of a result and the taps of a window, one for each axis. */
export const POSITIONS = "opq";
export const TAPS = "ijk";
