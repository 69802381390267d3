/** NumPy's file formats: npy, one array, and npz, a zip archive of them. */
import { DataError } from "../errors.js";
import type { DType, TypedArray } from "../tensor/dtype.js";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import { readSource, type Source, sourceName } from "./source.js";
import { readZip } from "./zip.js";

interface Kind {
  readonly bytes: number;
  readonly dtype: DType;
  readonly read: (view: DataView, at: number, little: boolean) => number;
}

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  ["b1", { bytes: 1, dtype: "bool", read: (v, at) => Number(v.getUint8(at) !== 0) }],
  ["i1", { bytes: 1, dtype: "int32", read: (v, at) => v.getInt8(at) }],
  ["u1", { bytes: 1, dtype: "int32", read: (v, at) => v.getUint8(at) }],
  ["i2", { bytes: 2, dtype: "int32", read: (v, at, little) => v.getInt16(at, little) }],
  ["u2", { bytes: 2, dtype: "int32", read: (v, at, little) => v.getUint16(at, little) }],
  ["i4", { bytes: 4, dtype: "int32", read: (v, at, little) => v.getInt32(at, little) }],
  ["u4", { bytes: 4, dtype: "int32", read: (v, at, little) => v.getUint32(at, little) }],
  ["i8", { bytes: 8, dtype: "int32", read: (v, at, little) => long(v, at, little, "getInt32") }],
  ["u8", { bytes: 8, dtype: "int32", read: (v, at, little) => long(v, at, little, "getUint32") }],
  ["f2", { bytes: 2, dtype: "float32", read: (v, at, little) => half(v.getUint16(at, little)) }],
  ["f4", { bytes: 4, dtype: "float32", read: (v, at, little) => v.getFloat32(at, little) }],
  ["f8", { bytes: 8, dtype: "float32", read: (v, at, little) => v.getFloat64(at, little) }],
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

interface Header {
  readonly kind: Kind;
  readonly little: boolean;
  readonly fortran: boolean;
  readonly shape: Shape;
  /** Where the numbers begin. */
  readonly start: number;
}

function fail(where: string, problem: string, expected: string, received: string, fix?: string): never {
  throw new DataError({ where, problem, expected, received, ...(fix === undefined ? {} : { fix }) });
}

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

/** The header's text, a Python dictionary, and where it ends. */
function headerText(bytes: Uint8Array, where: string): { readonly text: string; readonly start: number } {
  if (MAGIC.some((byte, i) => bytes[i] !== byte)) {
    const received = [...bytes.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    fail(
      where,
      "this is no npy array",
      "93 4e 55 4d 50 59 (npy's signature) at the start",
      received === "" ? "no bytes" : received,
    );
  }
  const version = bytes[6] ?? 0;
  if (bytes.length > 6 && (version < 1 || version > 3))
    fail(where, "unknown npy version", "1, 2 or 3", String(version));
  const at = version === 1 ? 10 : 12;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const length = bytes.length < at ? Infinity : version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (at + length > bytes.length) fail(where, "the array is cut short", "a complete header", `${bytes.length} bytes`);
  const decoder = new TextDecoder(version === 3 ? "utf-8" : "latin1");
  return { text: decoder.decode(bytes.subarray(at, at + length)).trim(), start: at + length };
}

function readHeader(bytes: Uint8Array, where: string): Header {
  const { text, start } = headerText(bytes, where);
  const order = /'fortran_order':\s*(True|False)\s*[,}]/.exec(text)?.[1];
  const sizes = /'shape':\s*\(\s*((?:\d+L?\s*,\s*)*(?:\d+L?)?)\s*\)/.exec(text)?.[1];
  const descr = /'descr':\s*(\[.*\]|'[^']*')/.exec(text)?.[1];
  if (order === undefined || sizes === undefined || descr === undefined) {
    fail(where, "the npy header cannot be read", "descr, fortran_order and shape", JSON.stringify(text.slice(0, 120)));
  }
  const [, endian, name] = /^'([<>|=]?)([a-z]\d+)'$/.exec(descr) ?? [];
  const kind = KINDS.get(name ?? "");
  if (kind === undefined) {
    fail(
      where,
      "the array's type is not supported",
      [...KINDS.keys()].join(", "),
      descr,
      "Convert it with astype before saving.",
    );
  }
  const shape = [...sizes.matchAll(/\d+/g)].map(([digits]) => Number(digits));
  return { kind, little: endian !== ">", fortran: order === "True", shape, start };
}

/**
 * Reads one npy array (format 1, 2 or 3, either byte order).
 *
 * 64-bit and unsigned integers become int32 and must fit, float16 and float64 become float32, bool stays; an array in
 * Fortran order is put into row-major order.
 *
 * @throws DataError for an array that is cut short, corrupt, of a type that is not supported, or with a number out of range.
 */
export function parseNpy(bytes: Uint8Array, where = "npy"): Tensor {
  const { kind, little, fortran, shape, start } = readHeader(bytes, where);
  const size = sizeOf(shape);
  const length = bytes.length - start;
  if (length !== size * kind.bytes) {
    const problem = length < size * kind.bytes ? "the array is cut short" : "the array is longer than its shape";
    fail(where, problem, `${size * kind.bytes} bytes for ${formatShape(shape)}`, `${length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, length);
  const data = arrayOf(kind.dtype, size);
  for (let i = 0; i < size; i++) {
    const exact = kind.read(view, i * kind.bytes, little);
    data[i] = exact;
    if (data[i] !== exact && (kind.dtype === "int32" || (Number.isFinite(exact) && !Number.isFinite(data[i])))) {
      const position = formatShape(fortran ? positionOf(i, [...shape].reverse()).reverse() : positionOf(i, shape));
      fail(where, `element ${position} is too large for ${kind.dtype}`, RANGES[kind.dtype], String(exact));
    }
  }
  return new Tensor(fortran ? rowMajor(data, shape, kind.dtype) : data, shape, kind.dtype);
}

const RANGES = { int32: "-2147483648 to 2147483647", float32: "-3.4e38 to 3.4e38", bool: "0 or 1" } as const;

/** Index along each axis of element `i` in row-major order. */
function positionOf(i: number, shape: Shape): number[] {
  let rest = i;
  return shape
    .map((_, axis) => {
      const n = shape[shape.length - 1 - axis] ?? 1;
      const index = rest % n;
      rest = (rest - index) / n;
      return index;
    })
    .reverse();
}

/** From first axis fastest to last axis fastest. */
function rowMajor(data: TypedArray, shape: Shape, dtype: DType): TypedArray {
  const result = arrayOf(dtype, data.length);
  const steps = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  const last = shape.length - 1;
  const [run, step] = [shape[last] ?? 1, steps[last] ?? 1];
  const index = shape.map(() => 0);
  for (let at = 0, from = 0; at < data.length; at += run) {
    for (let i = 0; i < run; i++) result[at + i] = data[from + i * step] ?? 0;
    for (let axis = last - 1; axis >= 0; axis--) {
      const [n, over] = [(index[axis] ?? 0) + 1, steps[axis] ?? 0];
      index[axis] = n === shape[axis] ? 0 : n;
      from += n === shape[axis] ? over * (1 - n) : over;
      if (n !== shape[axis]) break;
    }
  }
  return result;
}

/** The arrays of an npz archive by name. @throws DataError as parseNpy does, and for an archive that is cut short or corrupt. */
export function parseNpz(bytes: Uint8Array, where = "npz"): Record<string, Tensor> {
  const arrays = new Map<string, Tensor>();
  for (const [name, member] of readZip(bytes, where)) {
    if (!name.endsWith(".npy"))
      fail(where, `member ${JSON.stringify(name)} is no array`, "names that end in .npy", name);
    arrays.set(name.slice(0, -4), parseNpy(member, `${where}: ${name}`));
  }
  if (arrays.size === 0) fail(where, "the archive is empty", "at least one array", "none");
  return Object.fromEntries(arrays);
}

/**
 * Loads the arrays of an npz archive from a file (Node), an address (everywhere) or bytes.
 *
 * Types as in `parseNpy`: int64 becomes int32, float64 becomes float32.
 *
 * @throws DataError that names the file and the member, for a file that cannot be read, is cut short or corrupt (every
 * checksum is verified), or holds something else than numbers.
 */
export async function loadNpz(source: Source): Promise<Record<string, Tensor>> {
  const where = sourceName(source, "npz");
  return parseNpz(await readSource(source, where), where);
}

/** Loads one npy array; everything else as `loadNpz`. */
export async function loadNpy(source: Source): Promise<Tensor> {
  const where = sourceName(source, "npy");
  return parseNpy(await readSource(source, where), where);
}
