/** The kinds of numbers that tensors hold. */
export type DType = "float32" | "int32" | "bool";

/** Host tensors also carry the float64 results of the reference backend, and data of one byte a number. */
export type HostDType = DType | "float64" | ByteDType;

/** Integers of one byte: programs compute with int32 in their place. */
export type ByteDType = "uint8" | "int8";

export const isByteDType = (dtype: HostDType): dtype is ByteDType => dtype === "uint8" || dtype === "int8";

/** What programs compute with in place of the numbers of a tensor. */
export function computedAs(dtype: HostDType): DType {
  if (isByteDType(dtype)) return "int32";
  return dtype === "float64" ? "float32" : dtype;
}

/** The numbers of a tensor: one of these, and what the compiler does not find by itself in all of them. */
export type TypedArray = (Float32Array | Float64Array | Int32Array | Uint8Array | Int8Array) & Folds;

/** Methods with several signatures, of which a union of arrays has none in common. */
export interface Folds {
  reduce(fold: (previous: number, value: number, index: number) => number): number;
  reduce<T>(fold: (previous: T, value: number, index: number) => T, initial: T): T;
  reduceRight(fold: (previous: number, value: number, index: number) => number): number;
  reduceRight<T>(fold: (previous: T, value: number, index: number) => T, initial: T): T;
}

/** Bytes that nobody shares, as Blob and fetch take them; compilers before TypeScript 5.7 write the same without an argument. */
export type Bytes = ReturnType<Uint8ArrayConstructor["of"]>;
