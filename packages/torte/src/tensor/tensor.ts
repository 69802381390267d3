/** Host tensors: what goes into a model and what comes out. */
import { checkOptions, DataError, oneOf, ShapeError, show } from "../errors.js";
import { type HostDType, isByteDType, type TypedArray } from "./dtype.js";
import { numbersOf, ofThisRealm } from "./realm.js";
import { checkShape, formatShape, sameShape, type Shape, sizeOf } from "./shape.js";

/** Numbers in arrays in arrays. */
export type NestedArray = number | boolean | readonly NestedArray[];

/**
 * Numbers in arrays, as deep as the tensor has axes: a number for none, `number[][]` for two. How deep is known at run time
 * only, so that this type is all of them at once.
 */
export type NestedNumbers = number & NestedNumbers[];

/** An array of numbers with a shape, row-major. */
export class Tensor {
  readonly data: TypedArray;

  constructor(
    data: TypedArray,
    readonly shape: Shape,
    readonly dtype: HostDType,
  ) {
    this.data = ofThisRealm(data);
    checkShape("tensor", shape);
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError({
        where: "tensor",
        problem: "data does not fill the shape",
        expected: `${sizeOf(shape)} elements for ${formatShape(shape)}`,
        received: String(data.length),
      });
    }
  }

  /**
   * Nested arrays of numbers.
   *
   * @example
   * import { tensor } from "torte";
   * const rows: number[][] = tensor([[1, 2], [3, 4]]).toArray();
   * console.log(rows.map(([a = 0, b = 0]) => a + b)); // [3, 7]
   */
  toArray(): NestedNumbers {
    const build = (axis: number, start: number, size: number): NestedArray => {
      if (axis === this.shape.length) return this.data[start] ?? 0;
      const n = this.shape[axis] ?? 0;
      const step = n === 0 ? 0 : size / n;
      return Array.from({ length: n }, (_, i) => build(axis + 1, start + i * step, step));
    };
    return build(0, 0, this.data.length) as NestedNumbers;
  }

  /** The same numbers in another shape. */
  reshape(shape: Shape): Tensor {
    return new Tensor(this.data, shape, this.dtype);
  }

  /** Rows `start` up to `stop` of the first axis, sharing memory. */
  rows(start: number, stop: number): Tensor {
    const [n = 0, ...rest] = this.shape;
    if (!(Number.isInteger(start) && Number.isInteger(stop) && 0 <= start && start <= stop && stop <= n)) {
      const expected = `0 ≤ start ≤ stop ≤ ${n} for ${formatShape(this.shape)}`;
      throw new ShapeError({
        where: "rows",
        problem: "rows are out of range",
        expected,
        received: `${start} to ${stop}`,
      });
    }
    const row = sizeOf(rest);
    return new Tensor(this.data.subarray(start * row, stop * row), [stop - start, ...rest], this.dtype);
  }

  /** The rows of the first axis at `indices`, copied. */
  take(indices: ArrayLike<number>): Tensor {
    const [n = 0, ...rest] = this.shape;
    const row = sizeOf(rest);
    const data = arrayOf(this.dtype, indices.length * row);
    for (let i = 0; i < indices.length; i++) {
      const index = indices[i] ?? 0;
      if (!Number.isInteger(index) || index < 0 || index >= n) {
        throw new ShapeError({
          where: "take",
          problem: "row is out of range",
          expected: `0 to ${n - 1}`,
          received: String(index),
        });
      }
      data.set(this.data.subarray(index * row, (index + 1) * row), i * row);
    }
    return new Tensor(data, [indices.length, ...rest], this.dtype);
  }
}

/** Zeros; in memory that threads can share, where that is asked for. */
export function arrayOf(dtype: HostDType, length: number, shared = false): TypedArray {
  const size = (bytes: number): SharedArrayBuffer | number => (shared ? new SharedArrayBuffer(bytes * length) : length);
  switch (dtype) {
    case "float32":
      return new Float32Array(size(4) as number);
    case "float64":
      return new Float64Array(size(8) as number);
    case "int32":
      return new Int32Array(size(4) as number);
    case "bool":
    case "uint8":
      return new Uint8Array(size(1) as number);
    case "int8":
      return new Int8Array(size(1) as number);
  }
}

const DTYPES = ["float32", "int32", "bool", "uint8", "int8", "float64"] as const satisfies readonly HostDType[];

/** Options of {@link tensor}. */
export interface TensorOptions {
  /** Default: the nesting of the data; one axis for a typed array. */
  readonly shape?: Shape;
  /**
   * Default: bool for booleans, uint8 and int8 for typed arrays of bytes, int32 for those of other whole numbers, otherwise float32.
   * Bytes stay bytes until the step that reads them.
   */
  readonly dtype?: HostDType;
}

/** Typed arrays that become tensors. */
export type NumberArray =
  TypedArray | Uint8ClampedArray | Int16Array | Uint16Array | Uint32Array | BigInt64Array | BigUint64Array;

/**
 * Makes a tensor of nested arrays or of a typed array (which it keeps, where the dtype is the same).
 *
 * @throws ShapeError where the nesting is ragged or the shape does not fit; DataError where a value is not of the dtype
 * (a fraction or a number beyond 32 bits for int32, anything but 0, 1, false and true for bool).
 * @example
 * import { tensor } from "torte";
 * const x = tensor([[1, 2, 3], [4, 5, 6]]);
 * console.log(x.shape); // [2, 3]
 */
export function tensor(values: NestedArray | NumberArray, options: TensorOptions = {}): Tensor {
  checkOptions("tensor", options, ["shape", "dtype"]);
  if (options.dtype !== undefined) oneOf("tensor", "dtype", options.dtype, DTYPES);
  if (ArrayBuffer.isView(values)) {
    const { numbers, dtype: own } = numbersOf(values);
    const dtype = options.dtype ?? own;
    return new Tensor(converted(dtype, numbers), options.shape ?? [numbers.length], dtype);
  }
  const flat: number[] = [];
  const shape = flatten(values, flat, [], 0);
  const dtype = options.dtype ?? (firstLeaf(values) === "boolean" ? "bool" : "float32");
  return new Tensor(converted(dtype, flat), options.shape ?? shape, dtype);
}

/** Tensors of one dtype joined along their first axis, the sizes of the other axes being equal. */
export function concatenate(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (first === undefined || first.shape.length === 0) {
    throw new ShapeError({
      where: "concatenate",
      problem: "nothing to join",
      expected: "tensors with at least one axis",
    });
  }
  for (const other of tensors) {
    if (
      other.dtype !== first.dtype ||
      other.shape.length === 0 ||
      !sameShape(other.shape.slice(1), first.shape.slice(1))
    ) {
      throw new ShapeError({
        where: "concatenate",
        problem: "tensors differ in more than their first axis",
        expected: `${first.dtype}${formatShape([null, ...first.shape.slice(1)])}`,
        received: `${other.dtype}${formatShape(other.shape)}`,
      });
    }
  }
  const rows = tensors.reduce((sum, t) => sum + (t.shape[0] ?? 0), 0);
  const data = arrayOf(first.dtype, rows * sizeOf(first.shape.slice(1)));
  let at = 0;
  for (const t of tensors) {
    data.set(t.data, at);
    at += t.data.length;
  }
  return new Tensor(data, [rows, ...first.shape.slice(1)], first.dtype);
}

function holds(data: ArrayLike<number>, dtype: HostDType): data is TypedArray {
  switch (dtype) {
    case "float32":
      return data instanceof Float32Array;
    case "float64":
      return data instanceof Float64Array;
    case "int32":
      return data instanceof Int32Array;
    case "uint8":
      return data instanceof Uint8Array;
    case "int8":
      return data instanceof Int8Array;
    case "bool":
      return false; // 0 and 1 are not yet known to be all it holds
  }
}

const WHOLE = { int32: "whole numbers", uint8: "whole numbers from 0 to 255", int8: "whole numbers from -128 to 127" };

function converted(dtype: HostDType, values: ArrayLike<number>): TypedArray {
  if (holds(values, dtype)) return values;
  const data = arrayOf(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    data[i] = value;
    if (dtype === "float32" && Number.isFinite(value) && !Number.isFinite(data[i])) {
      throw new DataError({
        where: "tensor",
        problem: `element ${i} is too large`,
        expected: "at most 3.4e38, in 32 bits",
        received: show(value),
      });
    }
    if ((dtype === "int32" || isByteDType(dtype)) && data[i] !== value) {
      throw new DataError({
        where: "tensor",
        problem: `element ${i} is no ${dtype}`,
        expected: WHOLE[dtype],
        received: show(value),
      });
    }
    if (dtype === "bool" && value !== 0 && value !== 1) {
      throw new DataError({
        where: "tensor",
        problem: `element ${i} is no bool`,
        expected: "0, 1, false or true",
        received: show(value),
      });
    }
  }
  return data;
}

function firstLeaf(values: NestedArray): string {
  let value: NestedArray | undefined = values;
  while (Array.isArray(value)) value = (value as readonly NestedArray[])[0];
  return typeof value;
}

function flatten(values: NestedArray, into: number[], shape: number[], depth: number): number[] {
  if (typeof values === "number" || typeof values === "boolean") {
    if (depth !== shape.length) ragged(shape, depth);
    into.push(Number(values));
    return shape;
  }
  if (!Array.isArray(values)) {
    throw new DataError({
      where: "tensor",
      problem: "data holds something that is no number",
      expected: "numbers, booleans, arrays of them or a typed array",
      received: show(values),
    });
  }
  const items: readonly NestedArray[] = values;
  if (into.length === 0 && depth === shape.length) shape.push(items.length);
  else if (shape[depth] !== items.length) ragged(shape, depth);
  for (const item of items) flatten(item, into, shape, depth + 1);
  return shape;
}

function ragged(shape: readonly number[], depth: number): never {
  throw new ShapeError({
    where: "tensor",
    problem: "nested arrays are ragged",
    expected:
      depth < shape.length
        ? `${shape[depth] ?? 0} elements at depth ${depth}, as before`
        : `numbers at depth ${depth}, as before`,
    fix: "Pad the shorter rows.",
  });
}
