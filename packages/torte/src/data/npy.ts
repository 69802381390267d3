/** NumPy's file formats: npy, one array, and npz, a zip archive of them. */
import { checkOptions, DataError, positiveInteger } from "../errors.js";
import type { HostDType, TypedArray } from "../tensor/dtype.js";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import { ELEMENTS, type ElementType, MOST_AXES, RANGES, readElements } from "./elements.js";
import { readSource, type Source, sourceName } from "./source.js";
import { readZip } from "./zip.js";

/** The types that are read, by NumPy's code without the byte order. */
const TYPES: ReadonlyMap<string, ElementType> = new Map<string, ElementType>([
  ["b1", ELEMENTS.bool],
  ["i1", ELEMENTS.int8],
  ["u1", ELEMENTS.uint8],
  ["i2", ELEMENTS.int16],
  ["u2", ELEMENTS.uint16],
  ["i4", ELEMENTS.int32],
  ["u4", ELEMENTS.uint32],
  ["i8", ELEMENTS.int64],
  ["u8", ELEMENTS.uint64],
  ["f2", ELEMENTS.float16],
  ["f4", ELEMENTS.float32],
  ["f8", ELEMENTS.float64],
]);

interface Header {
  readonly type: ElementType;
  readonly little: boolean;
  readonly fortran: boolean;
  readonly shape: Shape;
  /** Where the numbers begin. */
  readonly start: number;
}

function fail(where: string, problem: string, expected: string, received: string, fix?: string): never {
  throw new DataError({ where, problem, expected, received, ...(fix === undefined ? {} : { fix }) });
}

/** The header of an array of numbers is never longer. */
const LONGEST_HEADER = 0xffff;

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
  if (length > LONGEST_HEADER)
    fail(where, "the npy header is too long", `at most ${LONGEST_HEADER} bytes`, String(length));
  const decoder = new TextDecoder(version === 3 ? "utf-8" : "latin1");
  return { text: decoder.decode(bytes.subarray(at, at + length)).trim(), start: at + length };
}

const FIELDS = ["descr", "fortran_order", "shape"];

function readHeader(bytes: Uint8Array, where: string): Header {
  const { text, start } = headerText(bytes, where);
  const fields = readDictionary(text);
  const sizes = shapeOf(fields?.get("shape") ?? "");
  const [descr = "", order = ""] = [fields?.get("descr"), fields?.get("fortran_order")];
  const known = fields?.size === FIELDS.length && FIELDS.every((name) => fields.has(name));
  if (!known || (order !== "True" && order !== "False") || sizes === undefined) {
    fail(where, "the npy header cannot be read", "descr, fortran_order and shape", JSON.stringify(text.slice(0, 120)));
  }
  const [, endian, name] = /^'([<>|=]?)([a-z]\d+)'$/.exec(descr) ?? [];
  const type = TYPES.get(name ?? "");
  if (type === undefined) {
    fail(
      where,
      "the array's type is not supported",
      [...TYPES.keys()].join(", "),
      descr,
      "Convert it with astype before saving.",
    );
  }
  return { type, little: endian !== ">", fortran: order === "True", shape: sizes, start };
}

/** The entries of a Python dictionary with names for keys, each value as it is written; undefined for anything else. */
function readDictionary(text: string): ReadonlyMap<string, string> | undefined {
  if (!text.startsWith("{") || !text.endsWith("}")) return undefined;
  const entries = new Map<string, string>();
  for (const part of splitOutside(text.slice(1, -1), ",")) {
    if (part === "" && entries.size > 0) continue; // after the last comma
    const [key = "", value, ...more] = splitOutside(part, ":");
    const [, name] = /^['"](\w+)['"]$/.exec(key) ?? [];
    if (name === undefined || value === undefined || more.length > 0 || entries.has(name)) return undefined;
    entries.set(name, value);
  }
  return entries;
}

/** The parts between separators that stand neither in quotation marks nor in brackets, without blanks around them. */
function splitOutside(text: string, separator: string): string[] {
  const parts: string[] = [];
  let [start, depth, quote] = [0, 0, ""];
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] ?? "";
    if (quote !== "") {
      if (letter === quote) quote = "";
    } else if (letter === "'" || letter === '"') quote = letter;
    else if ("([{".includes(letter)) depth++;
    else if (")]}".includes(letter)) depth--;
    else if (letter === separator && depth === 0) {
      parts.push(text.slice(start, i).trim());
      start = i + 1;
    }
  }
  parts.push(text.slice(start).trim());
  return parts;
}

/** "(2, 3L)" as numbers. */
function shapeOf(text: string): Shape | undefined {
  if (!text.startsWith("(") || !text.endsWith(")")) return undefined;
  const parts = text.slice(1, -1).split(",");
  if (parts.at(-1)?.trim() === "") parts.pop(); // after the last comma
  const sizes = parts.map((part) => (/^\d{1,16}L?$/.test(part.trim()) ? Number.parseInt(part, 10) : NaN));
  return sizes.length <= MOST_AXES && sizes.every(Number.isSafeInteger) ? sizes : undefined;
}

/**
 * Reads one npy array (format 1, 2 or 3, either byte order).
 *
 * int8 and uint8 stay, other integers become int32 and must fit, float16 and float64 become float32, bool stays; an array in
 * Fortran order is put into row-major order.
 *
 * @throws DataError for an array that is cut short, corrupt, of a type that is not supported, or with a number out of range.
 */
export function parseNpy(bytes: Uint8Array, where = "npy"): Tensor {
  const { type, little, fortran, shape, start } = readHeader(bytes, where);
  const size = shape.includes(0) ? 0 : sizeOf(shape);
  const length = bytes.length - start;
  if (length !== size * type.bytes) {
    const problem = length < size * type.bytes ? "the array is cut short" : "the array is longer than its shape";
    fail(where, problem, `${size * type.bytes} bytes for ${formatShape(shape)}`, `${length} bytes`);
  }
  const dtype = type.dtype === "float64" ? "float32" : type.dtype;
  const data = readElements(bytes.subarray(start), type, size, { dtype, little }, ({ index, value }) => {
    const position = fortran ? positionOf(index, [...shape].reverse()).reverse() : positionOf(index, shape);
    fail(where, `element ${formatShape(position)} is too large for ${dtype}`, RANGES[dtype], String(value));
  });
  return new Tensor(fortran ? rowMajor(data, shape, dtype) : data, shape, dtype);
}

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
function rowMajor(data: TypedArray, shape: Shape, dtype: HostDType): TypedArray {
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

export interface NpzOptions {
  /** Most bytes that the arrays of an archive may unpack to. Default 2³² (4 GiB). */
  readonly maxBytes?: number;
}

/** The arrays of an npz archive by name. @throws DataError as parseNpy does, and for an archive that is cut short or corrupt. */
export function parseNpz(bytes: Uint8Array, where = "npz", options: NpzOptions = {}): Record<string, Tensor> {
  checkOptions("parseNpz", options, ["maxBytes"]);
  const most = positiveInteger("parseNpz", "maxBytes", options.maxBytes ?? 2 ** 32);
  const arrays = new Map<string, Tensor>();
  for (const [name, member] of readZip(bytes, where, most)) {
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
 * checksum is verified), unpacks to more than `maxBytes`, or holds something else than numbers.
 */
export async function loadNpz(source: Source, options: NpzOptions = {}): Promise<Record<string, Tensor>> {
  const where = sourceName(source, "npz");
  return parseNpz(await readSource(source, where), where, options);
}

/** Loads one npy array; everything else as `loadNpz`. */
export async function loadNpy(source: Source): Promise<Tensor> {
  const where = sourceName(source, "npy");
  return parseNpy(await readSource(source, where), where);
}
