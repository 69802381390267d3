/** Files as streams: bytes of a path, an address, a Blob or a stream, gunzipped where they are gzip, as text, as lines. */
import { isHostObject } from "../tensor/realm.js";
import { DataError, show } from "../errors.js";
import { builtin } from "../builtin.js";
import { isFile, joinBytes, pathOf, readSource, type Source, sourceName } from "./source.js";

/** What is read part by part: also a dropped file (a Blob) or the body of an answer. */
export type StreamSource = Source | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** How bytes become text. */
export interface TextOptions {
  /** A label of the Encoding Standard, such as "windows-1252". Default: by the byte order mark, else "utf-8". */
  readonly encoding?: string;
  /** The name in messages. Default: the path or address. */
  readonly name?: string;
}

/** A line, or a field, is never longer: 16 Mi letters. What goes on beyond is no text, or a bomb. */
export const LONGEST_LINE = 2 ** 24;

/** The name of a source in messages. */
export function streamName(source: StreamSource, otherwise: string): string {
  if (typeof Blob !== "undefined" && source instanceof Blob) {
    const { name } = source as { readonly name?: unknown };
    return typeof name === "string" && name !== "" ? name : otherwise;
  }
  return sourceName(source as Source, otherwise);
}

/**
 * The bytes of the source, part by part. Gzip is known by its first two bytes and unpacked on the way.
 *
 * @throws DataError where they cannot be had, and for gzip that is cut short or corrupt.
 */
export async function* readStream(source: StreamSource, where: string): AsyncGenerator<Uint8Array> {
  const parts = partsOf(source, where)[Symbol.asyncIterator]();
  const head = await headOf(parts);
  const all = resumed(head, parts);
  if (head[0] === 0x1f && head[1] === 0x8b) yield* gunzip(all, where);
  else yield* all;
}

/** All bytes of the source, unpacked where they are gzip. @throws DataError as {@link readStream}. */
export async function readBytes(source: StreamSource, where: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of readStream(source, where)) parts.push(part);
  return joinBytes(parts);
}

async function* partsOf(source: StreamSource, where: string): AsyncGenerator<Uint8Array> {
  if (typeof source === "string" || isHostObject(source, "URL")) {
    if (isFile(source)) yield* fileParts(source, where);
    else yield await readSource(source, where);
  } else if (isAsyncIterable(source)) yield* checkedParts(source, where);
  else if (typeof Blob !== "undefined" && source instanceof Blob) yield* streamParts(source.stream(), where);
  else if (typeof ReadableStream !== "undefined" && source instanceof ReadableStream) yield* streamParts(source, where);
  else yield await readSource(source as Source, where);
}

const isAsyncIterable = (value: unknown): value is AsyncIterable<Uint8Array> =>
  typeof value === "object" && value !== null && Symbol.asyncIterator in value;

async function* checkedParts(parts: AsyncIterable<unknown>, where: string): AsyncGenerator<Uint8Array> {
  for await (const part of parts) {
    if (!ArrayBuffer.isView(part))
      throw new DataError({
        where,
        problem: "the stream gives no bytes",
        expected: "Uint8Arrays",
        received: show(part),
      });
    yield new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
  }
}

async function* fileParts(path: string | URL, where: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of builtin("node:fs").createReadStream(pathOf(path), { highWaterMark: 1 << 18 }))
      yield part as Uint8Array;
  } catch (error) {
    throw new DataError({ where, problem: "the file cannot be read", received: messageOf(error) });
  }
}

/** Not by the stream's own iterator, which Safari does not have. */
async function* streamParts(stream: ReadableStream<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let whole = false;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) yield part.value;
    whole = true;
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError({ where, problem: "the stream failed", received: messageOf(error) });
  } finally {
    if (!whole) await reader.cancel().catch(() => undefined);
  }
}

/** The first bytes, two at least where there are as many. */
async function headOf(parts: AsyncIterator<Uint8Array>): Promise<Uint8Array> {
  let head = new Uint8Array();
  while (head.length < 8) {
    const part = await parts.next();
    if (part.done === true) break;
    const joined = new Uint8Array(head.length + part.value.length);
    joined.set(head);
    joined.set(part.value, head.length);
    head = joined;
  }
  return head;
}

async function* resumed(head: Uint8Array, parts: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    if (head.length > 0) yield head;
    for (let part = await parts.next(); part.done !== true; part = await parts.next()) yield part.value;
  } finally {
    await parts.return?.();
  }
}

/** Beyond so many bytes, gzip that unpacks to more than so many times its size is taken as a bomb; text packs 2 to 20 times. */
const UNPACKED = 2 ** 28;
const MOST_PER_BYTE = 500;

async function* gunzip(parts: AsyncGenerator<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  // An error of the source itself says more than what gunzip makes of it.
  let failure: unknown;
  let [packed, unpacked] = [0, 0];
  const feed = async (): Promise<void> => {
    try {
      for await (const part of parts) {
        packed += part.length;
        await writer.ready;
        await writer.write(part as BufferSource);
      }
      await writer.close();
    } catch (error) {
      failure = error;
      await writer.abort(error).catch(() => undefined);
    }
  };
  const fed = feed();
  const reader = (readable as ReadableStream<Uint8Array>).getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      unpacked += part.value.length;
      if (unpacked > UNPACKED && unpacked > MOST_PER_BYTE * packed) throw bomb(where, packed);
      yield part.value;
    }
    await fed;
  } catch (error) {
    if (error instanceof DataError) throw error;
    if (failure instanceof DataError) throw failure;
    throw new DataError({ where, problem: "the gzip is cut short or corrupt", received: messageOf(error) });
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

const bomb = (where: string, packed: number): DataError =>
  new DataError({
    where,
    problem: "the gzip unpacks to more than data does",
    expected: `at most ${MOST_PER_BYTE} bytes for each of its own`,
    received: `more than ${UNPACKED} bytes of ${packed}`,
    fix: "Unpack it, if it is what it should be.",
  });

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** First bytes of files that are no text, whatever their names. */
const SIGNATURES: readonly (readonly [kind: string, start: readonly number[]])[] = [
  ["a zip archive (or a workbook)", [0x50, 0x4b, 0x03, 0x04]],
  ["an HDF5 file", [0x89, 0x48, 0x44, 0x46]],
  ["a PNG image", [0x89, 0x50, 0x4e, 0x47]],
  ["a JPEG image", [0xff, 0xd8, 0xff]],
  ["a PDF document", [0x25, 0x50, 0x44, 0x46]],
  ["a Parquet file", [0x50, 0x41, 0x52, 0x31]],
  ["a NumPy array", [0x93, 0x4e, 0x55, 0x4d]],
  ["an old Excel workbook", [0xd0, 0xcf, 0x11, 0xe0]],
];

function checkText(head: Uint8Array, where: string): void {
  const [kind] = SIGNATURES.find(([, start]) => start.every((byte, i) => head[i] === byte)) ?? [];
  if (kind !== undefined) throw new DataError({ where, problem: "this is no text", received: kind });
}

/** By its byte order mark. */
function encodingOf(head: Uint8Array): string {
  if (head[0] === 0xff && head[1] === 0xfe) return "utf-16le";
  if (head[0] === 0xfe && head[1] === 0xff) return "utf-16be";
  return "utf-8";
}

/**
 * The text of the source, part by part, without a byte order mark.
 *
 * @throws DataError for bytes that are no text in the encoding, and for files that are known to be something else.
 */
export async function* readText(source: StreamSource, options: TextOptions = {}): AsyncGenerator<string> {
  const where = options.name ?? streamName(source, "text");
  let decoder: TextDecoder | undefined;
  let line = 1;
  let first = true;
  const decode = (part?: Uint8Array): string => {
    try {
      return decoder?.decode(part, { stream: part !== undefined }) ?? "";
    } catch {
      const encoding = decoder?.encoding ?? "utf-8";
      throw new DataError({
        where,
        problem: `the bytes are no ${encoding} text, in line ${line} or soon after`,
        fix: encoding === "utf-8" ? 'Say the encoding, as in encoding: "windows-1252".' : "Say another encoding.",
      });
    }
  };
  for await (const part of readStream(source, where)) {
    if (decoder === undefined) checkText(part, where);
    decoder ??= decoderFor(options.encoding ?? encodingOf(part), where);
    const text = decode(part);
    if (first && /^\s*<(!doctype|html)/i.test(text))
      throw new DataError({ where, problem: "this is no data", received: "a page of HTML" });
    first = first && text === "";
    const zero = text.indexOf("\0");
    if (zero >= 0)
      throw new DataError({
        where,
        problem: `this is no text: a zero byte is in line ${line + newlines(text, zero)}`,
        fix: 'Where it is UTF-16, say so: encoding: "utf-16le".',
      });
    line += newlines(text, text.length);
    if (text !== "") yield text;
  }
  const rest = decode();
  if (rest !== "") yield rest;
}

function decoderFor(encoding: string, where: string): TextDecoder {
  try {
    return new TextDecoder(encoding, { fatal: true });
  } catch {
    const expected = 'a label of the Encoding Standard, such as "utf-8" or "windows-1252"';
    throw new DataError({ where, problem: "the encoding is unknown", expected, received: encoding });
  }
}

function newlines(text: string, end: number): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) count++;
  return count;
}

/** Lines, and the number of the first of them, from 1. */
export interface Lines {
  readonly first: number;
  readonly lines: readonly string[];
}

/**
 * The lines of the text, as many at a time as have come; they end with LF or CRLF, which they no longer have.
 *
 * @throws DataError as `readText`, and for a line of more than 16 Mi letters.
 */
export async function* readLines(source: StreamSource, options: TextOptions = {}): AsyncGenerator<Lines> {
  const where = options.name ?? streamName(source, "text");
  let first = 1;
  let open: string[] = [];
  let length = 0;
  for await (const text of readText(source, options)) {
    const lines = text.split("\n");
    const last = lines.pop() ?? "";
    if (lines.length > 0) {
      lines[0] = `${open.join("")}${lines[0] ?? ""}`;
      yield { first, lines: lines.map(withoutReturn) };
      first += lines.length;
      [open, length] = [[], 0];
    }
    open.push(last);
    length += last.length;
    if (length > LONGEST_LINE)
      throw new DataError({ where, problem: `line ${first} is too long`, expected: `at most ${LONGEST_LINE} letters` });
  }
  const rest = open.join("");
  if (rest !== "") yield { first, lines: [withoutReturn(rest)] };
}

const withoutReturn = (line: string): string => (line.endsWith("\r") ? line.slice(0, -1) : line);
