/** Arrays of the interpreter and walking over their coordinates. */
import type { DType } from "../../tensor/dtype.js";
import { type Shape, sizeOf, stridesOf } from "../../tensor/shape.js";

export type Values = Float64Array | Int32Array | Uint8Array;

export interface Value {
  readonly shape: Shape;
  readonly data: Values;
}

export function emptyValues(dtype: DType, length: number): Values {
  if (dtype === "float32") return new Float64Array(length);
  return dtype === "int32" ? new Int32Array(length) : new Uint8Array(length);
}

/** Calls `visit` with the row-major number and the coordinates of each element; the coordinates are reused. */
export function eachPlace(shape: Shape, visit: (i: number, at: readonly number[]) => void): void {
  const at = shape.map(() => 0);
  const size = sizeOf(shape);
  for (let i = 0; i < size; i++) {
    visit(i, at);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = (at[axis] ?? 0) + 1;
      if ((at[axis] ?? 0) < (shape[axis] ?? 0)) break;
      at[axis] = 0;
    }
  }
}

/** Row-major number of the element at the coordinates. */
export function placeOf(shape: Shape, at: readonly number[]): number {
  const strides = stridesOf(shape);
  return at.reduce((sum, c, axis) => sum + c * (strides[axis] ?? 0), 0);
}

/** Elements of `shape`, each copied from where `from` says, or `otherwise` where it says nothing. */
export function pick(
  dtype: DType,
  shape: Shape,
  source: Value,
  from: (at: readonly number[]) => readonly number[] | undefined,
  otherwise = 0,
): Values {
  const result = emptyValues(dtype, sizeOf(shape));
  const strides = stridesOf(source.shape);
  eachPlace(shape, (i, at) => {
    const place = from(at);
    let offset = 0;
    place?.forEach((c, axis) => (offset += c * (strides[axis] ?? 0)));
    result[i] = place === undefined ? otherwise : (source.data[offset] ?? 0);
  });
  return result;
}
