/** The safetensors format: a length, a header of JSON, and the arrays one after the other. */
import { DataError } from "../errors.js";
import type { HostDType } from "../tensor/dtype.js";
import { sizeOf } from "../tensor/shape.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";

const NAMES = { float32: "F32", float64: "F64", int32: "I32", bool: "BOOL" } as const satisfies Record<
  HostDType,
  string
>;
const BYTES: Readonly<Record<HostDType, number>> = { float32: 4, float64: 8, int32: 4, bool: 1 };
/** The header is padded so that the arrays lie at multiples of this. */
const ALIGNMENT = 8;

/**
 * Named tensors as the bytes of a safetensors file.
 *
 * @example
 * import { formatSafetensors, parseSafetensors, tensor } from "torte";
 * const bytes = formatSafetensors({ "dense.bias": tensor([1, 2, 3]) }, { made: "by hand" });
 * console.log(parseSafetensors(bytes).tensors["dense.bias"]?.shape); // [3]
 */
export function formatSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const entries: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata };
  let end = 0;
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    const start = end;
    end += data.length * BYTES[dtype];
    entries[name] = { dtype: NAMES[dtype], shape, data_offsets: [start, end] };
  }
  const text = JSON.stringify(entries);
  const unpadded = new TextEncoder().encode(text).length;
  const header = new TextEncoder().encode(text + " ".repeat((ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT));
  const bytes = new Uint8Array(8 + header.length + end);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  let at = 8 + header.length;
  for (const { dtype, data } of Object.values(tensors)) for (const value of data) at = put(view, at, dtype, value);
  return bytes;
}

function put(view: DataView, at: number, dtype: HostDType, value: number): number {
  if (dtype === "float32") view.setFloat32(at, value, true);
  else if (dtype === "float64") view.setFloat64(at, value, true);
  else if (dtype === "int32") view.setInt32(at, value, true);
  else view.setUint8(at, value);
  return at + BYTES[dtype];
}

function take(view: DataView, at: number, dtype: HostDType): number {
  if (dtype === "float32") return view.getFloat32(at, true);
  if (dtype === "float64") return view.getFloat64(at, true);
  return dtype === "int32" ? view.getInt32(at, true) : view.getUint8(at);
}

export interface Safetensors {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads what a safetensors file holds.
 *
 * @throws DataError for bytes that are cut short, corrupt, or of a type that is not supported.
 */
export function parseSafetensors(bytes: Uint8Array, where = "safetensors"): Safetensors {
  const { header, start } = readHeader(bytes, where);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tensors: Record<string, Tensor> = {};
  const metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") Object.assign(metadata, entry);
    else tensors[name] = readTensor(view, start, entry, `${where}: ${name}`);
  }
  return { tensors, metadata };
}

function readHeader(bytes: Uint8Array, where: string): { header: Record<string, unknown>; start: number } {
  const length =
    bytes.length < 8 ? Infinity : Number(new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true));
  const start = 8 + length;
  if (start > bytes.length) throw new DataError({ where, problem: "the file is cut short, or no safetensors file" });
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
    if (typeof header === "object" && header !== null && !Array.isArray(header))
      return { header: { ...header }, start };
  } catch {
    // Said below, as for a header that is something else.
  }
  throw new DataError({ where, problem: "the header cannot be read", expected: "a JSON object" });
}

function readTensor(view: DataView, start: number, entry: unknown, where: string): Tensor {
  const { dtype: code, shape, offsets } = checkEntry(entry, where);
  const dtype = (Object.keys(NAMES) as HostDType[]).find((name) => NAMES[name] === code);
  if (dtype === undefined) {
    throw new DataError({
      where,
      problem: "the type is not supported",
      expected: Object.values(NAMES).join(", "),
      received: String(code),
    });
  }
  const [from = 0, to = 0] = offsets;
  const size = sizeOf(shape);
  if (to - from !== size * BYTES[dtype] || start + to > view.byteLength) {
    throw new DataError({
      where,
      problem: "the file is cut short or corrupt",
      expected: `${size * BYTES[dtype]} bytes`,
    });
  }
  const data = arrayOf(dtype, size);
  for (let i = 0; i < size; i++) data[i] = take(view, start + from + i * BYTES[dtype], dtype);
  return new Tensor(data, shape, dtype);
}

const isCount = (n: unknown): n is number => typeof n === "number" && Number.isSafeInteger(n) && n >= 0;

function checkEntry(entry: unknown, where: string): { dtype: unknown; shape: number[]; offsets: number[] } {
  const fields: Record<string, unknown> = typeof entry === "object" && entry !== null ? { ...entry } : {};
  const { dtype, shape, data_offsets: offsets } = fields;
  if (
    Array.isArray(shape) &&
    shape.every(isCount) &&
    Array.isArray(offsets) &&
    offsets.length === 2 &&
    offsets.every(isCount)
  ) {
    return { dtype, shape, offsets };
  }
  throw new DataError({ where, problem: "the header cannot be read", expected: "dtype, shape and data_offsets" });
}
