/**
 * Masks: bool [batch, length], true where a position belongs to the sequence. Wherever a value has a mask, its masked
 * positions are zero; every layer keeps that.
 */
import { MaskError, OptionError, ShapeError, show } from "../errors.js";
import { constant } from "../graph/make.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import type { Traced } from "./layer.js";

/** Lower than any value of a network, and finite, so that a maximum over nothing gives no infinity. */
export const LOWEST = -3.4028234663852886e38;

/** An axis of one example, which may be counted from the end, as a position in the batch's shape. */
export function exampleAxis(where: string, value: Node, given: number): number {
  const rank = value.shape.length;
  const axis = given < 0 ? given + rank : given;
  if (Number.isInteger(axis) && axis >= 1 && axis < rank) return axis;
  throw new OptionError({
    where,
    problem: "the axis does not exist",
    expected: `1…${rank - 1}, or negative (axis 0 is the batch)`,
    received: show(given),
  });
}

const AXES = ["length", "height, width", "depth, height, width"];

/** Batch, `rank` spatial axes, channels. */
export function checkRank(where: string, value: Node, rank: number): void {
  if (value.shape.length === rank + 2) return;
  throw new ShapeError({
    where,
    problem: "wrong number of axes",
    expected: `(batch, ${AXES[rank - 1] ?? ""}, channels)`,
    received: formatShape([null, ...value.shape.slice(1)]),
  });
}

/** At least one axis besides the batch. */
export function checkFeatures(where: string, value: Node): void {
  if (value.shape.length >= 2) return;
  const fix = "Declare the input with shape: [1].";
  throw new ShapeError({
    where,
    problem: "there are no features",
    expected: "(batch, …, features)",
    received: "(None)",
    fix,
  });
}

/** The mask with axes of size 1 up to the rank of the value, to be broadcast. */
export function spreadMask(mask: Node, rank: number): Node {
  return ops.reshape(mask, [...mask.shape, ...Array<number>(rank - mask.shape.length).fill(1)]);
}

/** The value with masked positions set to zero, and its mask. */
export function masked(value: Node, mask: Node | undefined): Traced {
  if (mask !== undefined && !sameShape(mask.shape, value.shape.slice(0, mask.shape.length))) {
    throw new MaskError({
      where: "masked",
      problem: "the mask does not fit the value",
      expected: `one of ${value.shape[1] ?? 0} positions for ${formatShape([null, ...value.shape.slice(1)])}`,
      received: `one of ${mask.shape[1] ?? 0}`,
    });
  }
  return mask === undefined ? { value } : { value: ops.where(spreadMask(mask, value.shape.length), value, 0), mask };
}

export interface WindowOptions {
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: Padding;
}

export type Padding = "valid" | "same" | "causal";

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
    marginOf(value.shape[i + 1] ?? 1, taps, stride[i] ?? 1, dilation[i] ?? 1, padding),
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
  const [size = 1] = options.size;
  const [stride = 1] = options.stride;
  if (options.padding === "valid") {
    const taps = ops.windows(mask, { axis: 1, size: [size], stride: [stride], dilation: options.dilation.slice(0, 1) });
    return ops.all(taps, { axes: [2] });
  }
  return ops.slice(mask, 1, 0, Infinity, stride);
}

/** Number of valid positions of each sequence, at least 1, as floats [batch]. */
export function validCount(mask: Node): Node {
  const count = ops.sum(ops.cast(mask, "float32"), { axes: [1] });
  return ops.maximum(count, constant(1, count.shape));
}
