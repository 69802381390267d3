/** The number types of array files: how each is read, and the tensor type that holds it. */
import { type HostDType, isByteDType, type TypedArray } from "../tensor/dtype.js";
import { arrayOf } from "../tensor/tensor.js";

/** As many axes as NumPy allows. */
export const MOST_AXES = 64;

export interface ElementType {
  readonly bytes: number;
  readonly dtype: HostDType;
  readonly read: (view: DataView, at: number, little: boolean) => number;
}

type Whole = `${"" | "u"}int${8 | 16 | 32 | 64}`;
export type ElementName = "bool" | Whole | "float16" | "bfloat16" | "float32" | "float64";

/** Integers of more than one byte become int32 and must fit; halves become float32, which holds all of them. */
export const ELEMENTS: Readonly<Record<ElementName, ElementType>> = {
  bool: { bytes: 1, dtype: "bool", read: (v, at) => v.getUint8(at) },
  int8: { bytes: 1, dtype: "int8", read: (v, at) => v.getInt8(at) },
  uint8: { bytes: 1, dtype: "uint8", read: (v, at) => v.getUint8(at) },
  int16: { bytes: 2, dtype: "int32", read: (v, at, little) => v.getInt16(at, little) },
  uint16: { bytes: 2, dtype: "int32", read: (v, at, little) => v.getUint16(at, little) },
  int32: { bytes: 4, dtype: "int32", read: (v, at, little) => v.getInt32(at, little) },
  uint32: { bytes: 4, dtype: "int32", read: (v, at, little) => v.getUint32(at, little) },
  int64: { bytes: 8, dtype: "int32", read: (v, at, little) => long(v, at, little, "getInt32") },
  uint64: { bytes: 8, dtype: "int32", read: (v, at, little) => long(v, at, little, "getUint32") },
  float16: { bytes: 2, dtype: "float32", read: (v, at, little) => half(v.getUint16(at, little)) },
  bfloat16: { bytes: 2, dtype: "float32", read: (v, at, little) => brain(v.getUint16(at, little)) },
  float32: { bytes: 4, dtype: "float32", read: (v, at, little) => v.getFloat32(at, little) },
  float64: { bytes: 8, dtype: "float64", read: (v, at, little) => v.getFloat64(at, little) },
};

/** Those that tensors keep as they are. */
const KEPT: ReadonlySet<ElementType> = new Set([
  ELEMENTS.int8,
  ELEMENTS.uint8,
  ELEMENTS.int32,
  ELEMENTS.float32,
  ELEMENTS.float64,
]);

/** Exact within 53 bits, which is all that the check for 32 bits needs, and several times faster than through a bigint. */
function long(view: DataView, at: number, little: boolean, high: "getInt32" | "getUint32"): number {
  return view[high](little ? at + 4 : at, little) * 2 ** 32 + view.getUint32(little ? at : at + 4, little);
}

function half(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const word = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a float32. */
function brain(bits: number): number {
  word.setUint32(0, bits << 16);
  return word.getFloat32(0);
}

/** What an element is that the tensor type does not hold. */
export interface Misfit {
  readonly index: number;
  readonly value: number;
}

export const RANGES: Readonly<Record<HostDType, string>> = {
  int32: "-2147483648 to 2147483647",
  float32: "-3.4e38 to 3.4e38",
  float64: "a number",
  bool: "0 or 1",
  uint8: "0 to 255",
  int8: "-128 to 127",
};

const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** `size` numbers of a file as a typed array; `misfit` is called for one that `dtype` does not hold. */
export function readElements(
  bytes: Uint8Array,
  type: ElementType,
  size: number,
  { dtype = type.dtype, little = true }: { readonly dtype?: HostDType; readonly little?: boolean },
  misfit: (facts: Misfit) => never,
): TypedArray {
  if (HOST_IS_LITTLE && little && KEPT.has(type) && dtype === type.dtype && dtype !== "bool")
    return viewOf(dtype, new Uint8Array(bytes.subarray(0, size * type.bytes)));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const data = arrayOf(dtype, size);
  for (let index = 0; index < size; index++) {
    const value = type.read(view, index * type.bytes, little);
    data[index] = value;
    const exact = data[index] === value && (dtype !== "bool" || value <= 1);
    if (!exact && (isWhole(dtype) || (Number.isFinite(value) && !Number.isFinite(data[index]))))
      misfit({ index, value });
  }
  return data;
}

const isWhole = (dtype: HostDType): boolean => dtype === "int32" || dtype === "bool" || isByteDType(dtype);

export const BYTES: Readonly<Record<HostDType, number>> = {
  float32: 4,
  float64: 8,
  int32: 4,
  bool: 1,
  uint8: 1,
  int8: 1,
};

/** Bytes with a buffer of their own, as numbers. */
function viewOf(dtype: Exclude<HostDType, "bool">, { buffer }: Uint8Array<ArrayBuffer>): TypedArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer);
    case "float64":
      return new Float64Array(buffer);
    case "int32":
      return new Int32Array(buffer);
    case "uint8":
      return new Uint8Array(buffer);
    case "int8":
      return new Int8Array(buffer);
  }
}

/** The numbers as a file has them, the low byte of each first. */
export function littleBytes(dtype: HostDType, data: TypedArray): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const width = BYTES[dtype];
  if (HOST_IS_LITTLE || width === 1) return bytes;
  return bytes.map((_, i) => bytes[i - (i % width) + (width - 1 - (i % width))] ?? 0);
}
