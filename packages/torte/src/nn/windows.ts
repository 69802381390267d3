/** Windows over positions: their geometry, the margins that padding adds, and which of them are valid. */
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { sizeAt } from "../tensor/shape.js";

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
