/** Host tensors: what goes into a model and what comes out. */
import { DataError, ShapeError } from "../errors.js";
import type { HostDType, TypedArray } from "./dtype.js";
import { formatShape, type Shape, sizeOf } from "./shape.js";

export type NestedArray = number | boolean | readonly NestedArray[];

/** An array of numbers with a shape, row-major. */
export class Tensor {
  constructor(
    readonly data: TypedArray,
    readonly shape: Shape,
    readonly dtype: HostDType,
  ) {
    if (data.length !== sizeOf(shape)) {
      throw new ShapeError({
        where: "tensor",
        problem: "data does not fill the shape",
        expected: `${sizeOf(shape)} elements for ${formatShape(shape)}`,
        received: String(data.length),
      });
    }
  }

  /** Nested arrays of numbers. */
  toArray(): NestedArray {
    const build = (axis: number, start: number, size: number): NestedArray => {
      if (axis === this.shape.length) return this.data[start] ?? 0;
      const n = this.shape[axis] ?? 0;
      const step = n === 0 ? 0 : size / n;
      return Array.from({ length: n }, (_, i) => build(axis + 1, start + i * step, step));
    };
    return build(0, 0, this.data.length);
  }

  /** The same numbers in another shape. */
  reshape(shape: Shape): Tensor {
    return new Tensor(this.data, shape, this.dtype);
  }

  /** Rows `start` up to `stop` of the first axis, sharing memory. */
  rows(start: number, stop: number): Tensor {
    const [n = 0, ...rest] = this.shape;
    const row = sizeOf(rest);
    const [from, to] = [Math.max(0, start), Math.min(n, stop)];
    return new Tensor(this.data.subarray(from * row, to * row), [to - from, ...rest], this.dtype);
  }

  /** The rows at `indices`, copied. */
  take(indices: Int32Array): Tensor {
    const row = sizeOf(this.shape.slice(1));
    const data = emptyLike(this.data, indices.length * row);
    indices.forEach((index, i) => data.set(this.data.subarray(index * row, (index + 1) * row), i * row));
    return new Tensor(data, [indices.length, ...this.shape.slice(1)], this.dtype);
  }
}

function emptyLike(data: TypedArray, length: number): TypedArray {
  if (data instanceof Float32Array) return new Float32Array(length);
  if (data instanceof Float64Array) return new Float64Array(length);
  return data instanceof Int32Array ? new Int32Array(length) : new Uint8Array(length);
}

export function arrayOf(dtype: HostDType, length: number): TypedArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(length);
    case "float64":
      return new Float64Array(length);
    case "int32":
      return new Int32Array(length);
    case "bool":
      return new Uint8Array(length);
  }
}

export interface TensorOptions {
  /** Default: the nesting of the data; one axis for a typed array. */
  readonly shape?: Shape;
  /** Default: that of the typed array; float32 for numbers, bool for booleans. */
  readonly dtype?: HostDType;
}

/**
 * Makes a tensor of nested arrays or of a typed array (which it keeps, where the dtype is the same).
 *
 * @throws ShapeError where the nesting is ragged or the shape does not fit; DataError where a value is no whole number
 * in an int32 tensor.
 * @example
 * import { tensor } from "torte";
 * const x = tensor([[1, 2, 3], [4, 5, 6]]);
 * console.log(x.shape); // [2, 3]
 */
export function tensor(values: NestedArray | TypedArray, options: TensorOptions = {}): Tensor {
  if (ArrayBuffer.isView(values)) {
    const dtype = options.dtype ?? dtypeOf(values);
    const data = dtype === dtypeOf(values) ? values : fill(dtype, values);
    return new Tensor(data, options.shape ?? [values.length], dtype);
  }
  const flat: number[] = [];
  const shape = flatten(values, flat, [], 0);
  const dtype = options.dtype ?? (firstLeaf(values) === "boolean" ? "bool" : "float32");
  return new Tensor(fill(dtype, flat), options.shape ?? shape, dtype);
}

function dtypeOf(data: TypedArray): HostDType {
  if (data instanceof Float32Array) return "float32";
  if (data instanceof Float64Array) return "float64";
  return data instanceof Int32Array ? "int32" : "bool";
}

function fill(dtype: HostDType, values: ArrayLike<number>): TypedArray {
  const data = arrayOf(dtype, values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    data[i] = dtype === "bool" ? Number(value !== 0) : value;
    if (dtype === "int32" && data[i] !== value) {
      throw new DataError({ where: "tensor", problem: `element ${i} is no int32`, expected: "whole numbers", received: String(value) });
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
  if (into.length === 0 && depth === shape.length) shape.push(values.length);
  else if (shape[depth] !== values.length) ragged(shape, depth);
  for (const value of values) flatten(value, into, shape, depth + 1);
  return shape;
}

function ragged(shape: readonly number[], depth: number): never {
  throw new ShapeError({
    where: "tensor",
    problem: "nested arrays are ragged",
    expected: `${shape[depth] ?? "no"} elements at depth ${depth}, as before`,
    fix: "Pad the shorter rows.",
  });
}
