/** NumPy's file formats: npy, one array, and npz, a zip archive of them. */
import { unzipSync } from "fflate";
import { DataError } from "../errors.js";
import { sizeOf } from "../tensor/shape.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import type { HostDType, TypedArray } from "../tensor/dtype.js";

interface Kind {
  readonly bytes: number;
  readonly dtype: HostDType;
  readonly read: (view: DataView, at: number, little: boolean) => number;
}

const KINDS: Readonly<Record<string, Kind>> = {
  b1: { bytes: 1, dtype: "bool", read: (v, at) => Number(v.getUint8(at) !== 0) },
  i1: { bytes: 1, dtype: "int32", read: (v, at) => v.getInt8(at) },
  u1: { bytes: 1, dtype: "int32", read: (v, at) => v.getUint8(at) },
  i2: { bytes: 2, dtype: "int32", read: (v, at, little) => v.getInt16(at, little) },
  u2: { bytes: 2, dtype: "int32", read: (v, at, little) => v.getUint16(at, little) },
  i4: { bytes: 4, dtype: "int32", read: (v, at, little) => v.getInt32(at, little) },
  u4: { bytes: 4, dtype: "int32", read: (v, at, little) => v.getUint32(at, little) },
  i8: { bytes: 8, dtype: "int32", read: (v, at, little) => Number(v.getBigInt64(at, little)) },
  u8: { bytes: 8, dtype: "int32", read: (v, at, little) => Number(v.getBigUint64(at, little)) },
  f2: { bytes: 2, dtype: "float32", read: (v, at, little) => half(v.getUint16(at, little)) },
  f4: { bytes: 4, dtype: "float32", read: (v, at, little) => v.getFloat32(at, little) },
  f8: { bytes: 8, dtype: "float32", read: (v, at, little) => v.getFloat64(at, little) },
};

function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
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
  readonly shape: number[];
  readonly start: number;
}

function fail(where: string, problem: string, expected?: string, received?: string): never {
  throw new DataError({
    where,
    problem,
    ...(expected === undefined ? {} : { expected }),
    ...(received === undefined ? {} : { received }),
  });
}

function readHeader(bytes: Uint8Array, where: string): Header {
  const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
  if (bytes.length < 12 || magic.some((byte, i) => bytes[i] !== byte)) fail(where, "this is no npy array", "the bytes \\x93NUMPY at the start");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = bytes[6] ?? 0;
  if (version < 1 || version > 3) fail(where, "unknown npy version", "1, 2 or 3", String(version));
  const [length, at] = version === 1 ? [view.getUint16(8, true), 10] : [view.getUint32(8, true), 12];
  if (at + length > bytes.length) fail(where, "the file is cut short", `a header of ${length} bytes`, `${bytes.length - at}`);
  const text = new TextDecoder().decode(bytes.subarray(at, at + length));
  const descr = /'descr':\s*'([<>|=]?)([a-zA-Z]\d+)'/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text);
  const shape = /'shape':\s*\(([\d,\sL]*)\)/.exec(text);
  if (order === null || shape === null) fail(where, "the npy header cannot be read", undefined, text.trim());
  const kind = KINDS[descr?.[2] ?? ""];
  if (kind === undefined) fail(where, "the array's type is not supported", Object.keys(KINDS).join(", "), /'descr':\s*([^,]+)/.exec(text)?.[1] ?? "none");
  const sizes = (shape[1] ?? "").split(",").map((n) => n.trim()).filter((n) => n !== "");
  return { kind, little: descr?.[1] !== ">", fortran: order[1] === "True", shape: sizes.map((n) => parseInt(n, 10)), start: at + length };
}

/**
 * Reads one npy array. 64-bit integers become int32 (and must fit), float64 becomes float32; arrays in Fortran order are
 * put into row-major order.
 *
 * @throws DataError for a file that is cut short, corrupt, or of a type that is not supported.
 */
export function parseNpy(bytes: Uint8Array, where = "npy"): Tensor {
  const { kind, little, fortran, shape, start } = readHeader(bytes, where);
  const size = sizeOf(shape);
  if (!Number.isSafeInteger(size) || bytes.length - start < size * kind.bytes) {
    fail(where, "the file is cut short", `${size * kind.bytes} bytes of data`, String(bytes.length - start));
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, size * kind.bytes);
  const data = arrayOf(kind.dtype, size);
  for (let i = 0; i < size; i++) data[i] = kind.read(view, i * kind.bytes, little);
  if (kind.dtype === "int32" && kind.bytes >= 4) checkRange(data, view, kind, little, where);
  return new Tensor(fortran ? rowMajor(data, shape, kind.dtype) : data, shape, kind.dtype);
}

function checkRange(data: TypedArray, view: DataView, kind: Kind, little: boolean, where: string): void {
  data.forEach((value, i) => {
    const exact = kind.read(view, i * kind.bytes, little);
    if (exact !== value) fail(where, `element ${i} is too large`, "integers that fit into 32 bits", String(exact));
  });
}

/** From first axis fastest to last axis fastest. */
function rowMajor(data: TypedArray, shape: readonly number[], dtype: HostDType): TypedArray {
  const result = arrayOf(dtype, data.length);
  const at = shape.map(() => 0);
  const steps: number[] = [];
  shape.reduce((step, n) => {
    steps.push(step);
    return step * n;
  }, 1);
  for (let i = 0; i < data.length; i++) {
    result[i] = data[at.reduce((sum, c, axis) => sum + c * (steps[axis] ?? 0), 0)] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at[axis] = (at[axis] ?? 0) + 1;
      if ((at[axis] ?? 0) < (shape[axis] ?? 0)) break;
      at[axis] = 0;
    }
  }
  return result;
}

/** The arrays of an npz archive by name. */
export function parseNpz(bytes: Uint8Array, where = "npz"): Record<string, Tensor> {
  let members: Record<string, Uint8Array>;
  try {
    members = unzipSync(bytes);
  } catch (error) {
    return fail(where, "the archive is cut short or corrupt", "a zip archive of npy arrays", error instanceof Error ? error.message : String(error));
  }
  const checksums = directoryChecksums(bytes);
  return Object.fromEntries(
    Object.entries(members).map(([name, member]) => {
      const expected = checksums.get(name);
      if (expected !== undefined && crc32(member) !== expected) fail(`${where}: ${name}`, "the checksum does not fit: the file is corrupt");
      return [name.replace(/\.npy$/, ""), parseNpy(member, `${where}: ${name}`)];
    }),
  );
}

/** CRC-32 of each member as the central directory has it; the unzip library does not check them. */
function directoryChecksums(bytes: Uint8Array): Map<string, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const checksums = new Map<string, number>();
  let end = bytes.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end--;
  let at = end < 0 ? bytes.length : view.getUint32(end + 16, true);
  while (at + 46 <= bytes.length && view.getUint32(at, true) === 0x02014b50) {
    const [name, extra, comment] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    checksums.set(new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)), view.getUint32(at + 16, true));
    at += 46 + name + extra + comment;
  }
  return checksums;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (CRC_TABLE[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/**
 * Loads an npz archive from a file (Node), an address (browsers and Node) or bytes.
 *
 * @throws DataError naming the file and the member that cannot be read.
 */
export async function loadNpz(source: string | URL | Uint8Array | ArrayBuffer): Promise<Record<string, Tensor>> {
  if (source instanceof Uint8Array) return parseNpz(source);
  if (source instanceof ArrayBuffer) return parseNpz(new Uint8Array(source));
  const where = String(source);
  return parseNpz(await readBytes(source, where), where);
}

async function readBytes(source: string | URL, where: string): Promise<Uint8Array> {
  const remote = /^https?:/.test(where) || typeof process !== "object";
  if (remote) {
    const response = await fetch(source);
    if (!response.ok) fail(where, "the download failed", "status 200", String(response.status));
    return new Uint8Array(await response.arrayBuffer());
  }
  const { readFile } = await import("node:fs/promises");
  try {
    return new Uint8Array(await readFile(source));
  } catch (error) {
    return fail(where, "the file cannot be read", undefined, error instanceof Error ? error.message : String(error));
  }
}
