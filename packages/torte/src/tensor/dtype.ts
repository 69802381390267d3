/** The kinds of numbers that tensors hold. */
export type DType = "float32" | "int32" | "bool";

/** Host tensors also carry the float64 results of the reference backend. */
export type HostDType = DType | "float64";

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;
