/** Moving tensors: what is done to the inputs, and what should then have happened to the results. */
import { arrayOf, Tensor } from "../tensor/tensor.js";
import { sizeOf, stridesOf } from "../tensor/shape.js";

/** Coordinates in the result to coordinates in the source, in place of which undefined gives zero. */
type Source = (at: number[]) => readonly number[] | undefined;

/** Elements of a new tensor, each from where `from` says. */
function rearranged(source: Tensor, shape: readonly number[], from: Source): Tensor {
  const data = arrayOf(source.dtype, sizeOf(shape));
  const strides = stridesOf(source.shape);
  eachPlace(shape, (i, at) => {
    const place = from([...at]);
    if (place !== undefined) data[i] = source.data[place.reduce((sum, n, k) => sum + n * (strides[k] ?? 0), 0)] ?? 0;
  });
  return new Tensor(data, shape, source.dtype);
}

/** Calls `visit` with the row-major number and the coordinates of each element; the coordinates are reused. */
export function eachPlace(shape: readonly number[], visit: (i: number, at: readonly number[]) => void): void {
  const at = shape.map(() => 0);
  for (let i = 0; i < sizeOf(shape); i++) {
    visit(i, at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = (at[axis] ?? 0) + 1;
      if ((at[axis] ?? 0) < (shape[axis] ?? 0)) break;
      at[axis] = 0;
    }
  }
}

/** Everything `by` positions further along the axis (backwards if negative), zeros where nothing comes from. */
export function shifted(x: Tensor, axis: number, by: number): Tensor {
  const length = x.shape[axis] ?? 0;
  return rearranged(x, x.shape, (at) => {
    const from = (at[axis] ?? 0) - by;
    return from < 0 || from >= length ? undefined : at.with(axis, from);
  });
}

/** Position i is what was at order[i]. */
export const reordered = (x: Tensor, axis: number, order: readonly number[]): Tensor =>
  rearranged(x, x.shape, (at) => at.with(axis, order[at[axis] ?? 0] ?? 0));

/** A quarter turn of two axes, against the clock where rows go down: (i, j) comes from (j, n − 1 − i). */
export function turned(x: Tensor, [first, second]: readonly [number, number]): Tensor {
  const shape = x.shape.with(first, x.shape[second] ?? 0).with(second, x.shape[first] ?? 0);
  const last = (x.shape[second] ?? 0) - 1;
  return rearranged(x, shape, (at) => at.with(first, at[second] ?? 0).with(second, last - (at[first] ?? 0)));
}

/** The largest absolute value. */
export function largestOf({ data }: Tensor): number {
  let largest = 0;
  for (const value of data) largest = Math.max(largest, Math.abs(value));
  return largest;
}
