/** The safetensors format: a length, a header of JSON, and the arrays one after the other. */
import { DataError, show } from "../errors.js";
import type { Bytes, HostDType } from "../tensor/dtype.js";
import { formatShape, sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { BYTES, ELEMENTS, type ElementType, littleBytes, MOST_AXES, RANGES, readElements } from "./elements.js";
import { parseJson } from "./json.js";
import { isRecord } from "./schema.js";

/** The types that are written, by the tensor's. */
const NAMES = {
  float32: "F32",
  float64: "F64",
  int32: "I32",
  bool: "BOOL",
  uint8: "U8",
  int8: "I8",
} as const satisfies Record<HostDType, string>;
/** The types that are read. */
const TYPES: ReadonlyMap<unknown, ElementType> = new Map<unknown, ElementType>([
  ["F64", ELEMENTS.float64],
  ["F32", ELEMENTS.float32],
  ["F16", ELEMENTS.float16],
  ["BF16", ELEMENTS.bfloat16],
  ["I64", ELEMENTS.int64],
  ["U64", ELEMENTS.uint64],
  ["I32", ELEMENTS.int32],
  ["U32", ELEMENTS.uint32],
  ["I16", ELEMENTS.int16],
  ["U16", ELEMENTS.uint16],
  ["I8", ELEMENTS.int8],
  ["U8", ELEMENTS.uint8],
  ["BOOL", ELEMENTS.bool],
]);
/** The format's own limit. */
const LONGEST_HEADER = 100_000_000;
const METADATA = "__metadata__";
/** The header is padded so that the arrays lie at multiples of this. */
const ALIGNMENT = 8;

/**
 * Named tensors as the bytes of a safetensors file.
 *
 * @throws DataError for a tensor called `__metadata__`, which is the format's own name, and for metadata that is no text.
 * @example
 * import { formatSafetensors, parseSafetensors, tensor } from "torte";
 * const bytes = formatSafetensors({ "dense.bias": tensor([1, 2, 3]) }, { made: "by hand" });
 * console.log(parseSafetensors(bytes).tensors["dense.bias"]?.shape); // [3]
 */
export function formatSafetensors(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>> = {},
): Bytes {
  const pieces = safetensorsPieces(tensors, metadata);
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** The header, and the bytes of each tensor where they are: nothing is copied. */
export function safetensorsPieces(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  checkWritten(tensors, metadata);
  let end = 0;
  const described = Object.entries(tensors).map(([name, { dtype, shape, data }]) => {
    const start = end;
    end += data.length * BYTES[dtype];
    return [name, { dtype: NAMES[dtype], shape, data_offsets: [start, end] }] as const;
  });
  const extra = Object.keys(metadata).length === 0 ? [] : [[METADATA, metadata] as const];
  const text = JSON.stringify(Object.fromEntries<unknown>([...extra, ...described]));
  const unpadded = new TextEncoder().encode(text).length;
  const header = new TextEncoder().encode(text + " ".repeat((ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
  return [length, header, ...Object.values(tensors).map(({ dtype, data }) => littleBytes(dtype, data))];
}

function checkWritten(tensors: object, metadata: Readonly<Record<string, unknown>>): void {
  const where = "formatSafetensors";
  if (Object.hasOwn(tensors, METADATA))
    throw new DataError({ where, problem: `a tensor cannot be called ${METADATA}`, fix: "Give it another name." });
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === "string") continue;
    throw new DataError({
      where,
      problem: `metadata ${JSON.stringify(name)} is no text`,
      expected: "a text",
      received: show(value),
      fix: "Write it with JSON.stringify.",
    });
  }
}

/** What a safetensors file holds. */
export interface Safetensors {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Reads what a safetensors file holds: F64, F32, F16, BF16, I64, U64, I32, U32, I16, U16, I8, U8 and BOOL.
 *
 * F16 and BF16 become float32, which holds all their values; int8 and uint8 stay, other integers become int32 and must fit. The
 * ranges of the tensors must cover the file without gap, overlap or rest, as the format has it. Nothing is allocated before all
 * of them are checked.
 *
 * @throws DataError for bytes that are cut short, corrupt, or of a type that is not supported.
 */
export function parseSafetensors(bytes: Uint8Array, where = "safetensors"): Safetensors {
  const end = headerEnd(bytes, bytes.length, where);
  const { entries, metadata } = parseHeader(bytes.subarray(8, end), bytes.length - end, where);
  return { tensors: readTensors(bytes.subarray(end), entries, where), metadata };
}

/** Where the header of a file of `total` bytes ends, from the first 8 of them. */
export function headerEnd(first: Uint8Array, total: number, where: string): number {
  const length = total < 8 ? Infinity : Number(new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true));
  if (8 + length > total) throw new DataError({ where, problem: "the file is cut short, or no safetensors file" });
  if (length > LONGEST_HEADER) {
    const expected = `at most ${LONGEST_HEADER} bytes`;
    throw new DataError({ where, problem: "the header is too long", expected, received: String(length) });
  }
  return 8 + length;
}

/** What a file holds, before any of it is read. */
export interface Header {
  readonly entries: readonly Entry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** The header, checked against the number of bytes behind it. */
export function parseHeader(bytes: Uint8Array, length: number, where: string): Header {
  const header = readHeader(bytes, where);
  const entries = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, entry]) => readEntry(name, entry, `${where}: ${name}`));
  checkCover(entries, length, where);
  return { entries, metadata: readMetadata(Object.hasOwn(header, METADATA) ? header[METADATA] : {}, where) };
}

/** The tensors, from the bytes behind the header. */
export function readTensors(
  data: Uint8Array,
  entries: readonly Entry[],
  where: string,
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(entries.map((entry) => [entry.name, readTensor(data, entry, where)]));
}

function readHeader(bytes: Uint8Array, where: string): Readonly<Record<string, unknown>> {
  const unreadable = (received: string): never => {
    throw new DataError({ where, problem: "the header cannot be read", expected: "a JSON object", received });
  };
  let text = "";
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return unreadable("bytes that are no UTF-8");
  }
  const header = parseJson(text, `${where}: header`);
  return isRecord(header) ? header : unreadable(show(header));
}

function readMetadata(given: unknown, where: string): Readonly<Record<string, string>> {
  if (isRecord(given) && Object.values(given).every((value) => typeof value === "string"))
    return given as Readonly<Record<string, string>>;
  throw new DataError({
    where: `${where}: ${METADATA}`,
    problem: "the header cannot be read",
    expected: "texts by name",
    received: show(given),
  });
}

export interface Entry {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly from: number;
  readonly to: number;
}

const isCount = (n: unknown): n is number => typeof n === "number" && Number.isSafeInteger(n) && n >= 0;
const areCounts = (list: unknown): list is readonly number[] => Array.isArray(list) && list.every(isCount);

function readEntry(name: string, entry: unknown, where: string): Entry {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  if (!areCounts(shape) || shape.length > MOST_AXES || !areCounts(offsets) || offsets.length !== 2) {
    throw new DataError({
      where,
      problem: "the header cannot be read",
      expected: `dtype, shape (at most ${MOST_AXES} axes) and data_offsets (two) of whole numbers`,
      received: show(entry),
    });
  }
  const type = TYPES.get(dtype);
  if (type === undefined) {
    throw new DataError({
      where,
      problem: "the type is not supported",
      expected: [...TYPES.keys()].join(", "),
      received: show(dtype),
    });
  }
  const [from = 0, to = 0] = offsets;
  const needed = shape.includes(0) ? 0 : sizeOf(shape) * type.bytes;
  if (to - from !== needed) {
    throw new DataError({
      where,
      problem: "the range does not fit the shape",
      expected: `${needed} bytes for ${formatShape(shape)}`,
      received: `${to - from} (data_offsets ${from} to ${to})`,
    });
  }
  return { name, type, shape, from, to };
}

/** The ranges, in their order, must follow each other from the first byte to the last. */
function checkCover(entries: readonly Entry[], length: number, where: string): void {
  let end = 0;
  for (const { name, from, to } of [...entries].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end) {
      const problem =
        from < end ? "the range overlaps another tensor's" : "nothing describes the bytes before the tensor";
      throw new DataError({
        where: `${where}: ${name}`,
        problem,
        expected: `data_offsets from ${end}`,
        received: String(from),
      });
    }
    end = to;
  }
  if (end === length) return;
  const problem = end > length ? "the file is cut short" : "the file is longer than its header says";
  throw new DataError({ where, problem, expected: `${end} bytes of data`, received: String(length) });
}

function readTensor(data: Uint8Array, { name, type, shape, from, to }: Entry, where: string): Tensor {
  const size = shape.includes(0) ? 0 : sizeOf(shape);
  const values = readElements(data.subarray(from, to), type, size, {}, ({ index, value }) => {
    throw new DataError({
      where: `${where}: ${name}`,
      problem: `element ${index} does not fit ${type.dtype}`,
      expected: RANGES[type.dtype],
      received: String(value),
    });
  });
  return new Tensor(values, shape, type.dtype);
}
