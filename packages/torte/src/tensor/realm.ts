/**
 * Typed arrays by their kind, not by `instanceof`, which is false for those of another realm (an iframe, node:vm, Jest): theirs
 * are seen through arrays of this realm over the same memory.
 */
import { DataError, show } from "../errors.js";
import type { HostDType, TypedArray } from "./dtype.js";

const prototype: unknown = Object.getPrototypeOf(Int8Array.prototype);
const tag = Object.getOwnPropertyDescriptor(prototype, Symbol.toStringTag);

/** "Float32Array", for example; undefined for what is no typed array. */
export const kindOf = (value: unknown): string | undefined => tag?.get?.call(value) as string | undefined;

/** The dtype of a tensor that is made of such an array. */
const DTYPES: Readonly<Record<string, HostDType>> = {
  Float16Array: "float32",
  Float32Array: "float32",
  Float64Array: "float32",
  Int8Array: "int8",
  Uint8Array: "uint8",
  Uint8ClampedArray: "uint8",
  Int16Array: "int32",
  Uint16Array: "int32",
  Int32Array: "int32",
  Uint32Array: "int32",
  BigInt64Array: "int32",
  BigUint64Array: "int32",
};

/** The numbers of a typed array of any kind and realm, and the dtype of a tensor that is made of it. */
export function numbersOf(values: ArrayBufferView): { numbers: ArrayLike<number>; dtype: HostDType } {
  const kind = kindOf(values) ?? "";
  const dtype = Object.hasOwn(DTYPES, kind) ? DTYPES[kind] : undefined;
  if (dtype === undefined) {
    throw new DataError({
      where: "tensor",
      problem: "data holds something that is no number",
      expected: `numbers, booleans, arrays of them or one of ${Object.keys(DTYPES).join(", ")}`,
      received: show(values),
    });
  }
  if (kind.startsWith("Big")) return { numbers: Array.from(values as unknown as ArrayLike<bigint>, Number), dtype };
  return { numbers: ofThisRealm(values as TypedArray), dtype };
}

const HERE = { Float32Array, Float64Array, Int32Array, Uint8Array, Int8Array } as const;

/** The same array, or one of this realm over the same memory. */
export function ofThisRealm<T extends ArrayLike<number>>(data: T): T {
  const kind = kindOf(data);
  const own = Object.entries(HERE).find(([name]) => name === kind)?.[1];
  if (own === undefined || data instanceof own) return data;
  const { buffer, byteOffset } = data as unknown as TypedArray;
  return new own(buffer as ArrayBuffer, byteOffset, data.length) as unknown as T;
}

interface Kinds {
  ArrayBuffer: ArrayBuffer;
  SharedArrayBuffer: SharedArrayBuffer;
  AbortSignal: AbortSignal;
  URL: URL;
}

/** Whether a value is an object of the host's, of any realm: by its tag, not by `instanceof`. */
export const isHostObject = <K extends keyof Kinds>(value: unknown, kind: K): value is Kinds[K] =>
  Object.prototype.toString.call(value) === `[object ${kind}]`;
