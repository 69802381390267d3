/** Images: PNG by fast-png, JPEG by mozjpeg (@jsquash/jpeg); a folder of them as a table. */
import createJpegDecoder from "@jsquash/jpeg/codec/dec/mozjpeg_dec.js";
import { decode as decodePng } from "fast-png";
import { Inflate } from "fflate";
import {
  type Cell,
  checkOptions,
  DataError,
  isNode,
  joinBytes,
  Picture,
  readBytes,
  type RowBatch,
  type StreamSource,
  streamName,
  type TableOptions,
  type TableStream,
} from "torte";

/** More pixels are taken as a bomb. */
const MOST_PIXELS = 2 ** 25;

interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly data: ArrayLike<number>;
}

interface JpegDecoder {
  decode(bytes: Uint8Array, preserveOrientation: boolean): Decoded | null;
}

let jpeg: JpegDecoder | undefined;
let jpegSays = "";
let broken = false;

/** Loads the decoder of JPEG, which is WebAssembly; to be awaited before the first one is decoded. */
export async function readyImages(): Promise<void> {
  if (jpeg !== undefined && !broken) return;
  broken = false;
  const options = {
    noInitialRun: true,
    printErr: (text: string) => (jpegSays = text),
    ...(isNode() ? { instantiateWasm: await instantiator() } : {}),
  };
  jpeg = (await (createJpegDecoder as (given: object) => Promise<unknown>)(options)) as JpegDecoder;
}

type Instantiate = (imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void) => unknown;
let instantiate: Instantiate | undefined;

/** Node's fetch reads no files. */
async function instantiator(): Promise<Instantiate> {
  if (instantiate !== undefined) return instantiate;
  const { readFile } = process.getBuiltinModule("node:fs/promises");
  const { createRequire } = process.getBuiltinModule("node:module");
  const path = createRequire(import.meta.url).resolve("@jsquash/jpeg/codec/dec/mozjpeg_dec.wasm");
  const module = await WebAssembly.compile(await readFile(path));
  instantiate = (imports, done) => {
    const instance = new WebAssembly.Instance(module, imports);
    done(instance);
    return instance.exports;
  };
  return instantiate;
}

const startsWith = (bytes: Uint8Array, start: readonly number[]): boolean =>
  start.every((byte, i) => bytes[i] === byte);

/**
 * The picture of a PNG or JPEG file: grey where it has no colours, transparent pixels on white.
 *
 * @throws DataError for what is neither, is cut short or damaged, or has more than 32 Mi pixels.
 */
export function decodeImage(bytes: Uint8Array, where: string): Picture {
  const isPng = startsWith(bytes, [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  if (!isPng && !startsWith(bytes, [0xff, 0xd8, 0xff]))
    throw new DataError({ where, problem: "this is no image", expected: "PNG or JPEG" });
  try {
    return isPng ? png(bytes, where) : fromJpeg(bytes, where);
  } catch (error) {
    if (error instanceof DataError) throw error;
    const received = error instanceof Error ? error.message : String(error);
    throw new DataError({ where, problem: "the image is cut short or damaged", received });
  }
}

function checkSize(width: number, height: number, where: string): void {
  if (width >= 1 && height >= 1 && width * height <= MOST_PIXELS) return;
  throw new DataError({
    where,
    problem: "the image has too many pixels, or none",
    expected: `at most ${MOST_PIXELS}`,
    received: `${width} × ${height}`,
  });
}

/** Samples of a pixel, by the kind of colour that a PNG says. */
const SAMPLES: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function png(bytes: Uint8Array, where: string): Picture {
  const { width, height, channels, depth, data, palette } = decodePng(checkedPng(bytes, where), { checkCrc: true });
  const largest = 2 ** depth - 1;
  const pixels = width * height;
  const indexed = palette !== undefined;
  const rowBytes = Math.ceil((width * channels * depth) / 8);
  /** Below a byte, samples lie packed in rows of whole bytes. */
  const sample = (pixel: number, c: number): number => {
    if (depth >= 8) return data[pixel * channels + c] ?? 0;
    const bit = (pixel % width) * depth;
    const byte = data[Math.floor(pixel / width) * rowBytes + (bit >> 3)] ?? 0;
    return (byte >> (8 - depth - (bit & 7))) & largest;
  };
  const rgba = (pixel: number): readonly [number, number, number, number] => {
    if (indexed) {
      const [r = 0, g = 0, b = 0, a = 255] = palette[sample(pixel, 0)] ?? [];
      return [r, g, b, a];
    }
    const scaled = (c: number): number => (sample(pixel, c) * 255) / largest;
    if (channels <= 2) return [scaled(0), scaled(0), scaled(0), channels === 2 ? scaled(1) : 255];
    return [scaled(0), scaled(1), scaled(2), channels === 4 ? scaled(3) : 255];
  };
  return pictureOf(where, width, height, !indexed && channels <= 2 ? 1 : 3, pixels, rgba);
}

/** Without transparency, and without colours where there are none. */
function pictureOf(
  where: string,
  width: number,
  height: number,
  channels: 1 | 3,
  pixels: number,
  rgba: (pixel: number) => readonly [number, number, number, number],
): Picture {
  const data = new Uint8Array(pixels * channels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const colour = rgba(pixel);
    const opaque = colour[3] / 255;
    for (let c = 0; c < channels; c++)
      data[pixel * channels + c] = Math.round(opaque * (colour[c] ?? 0) + (1 - opaque) * 255);
  }
  return channels === 3 && isGrey(data)
    ? new Picture(
        where,
        width,
        height,
        1,
        data.filter((_, i) => i % 3 === 0),
      )
    : new Picture(where, width, height, channels, data);
}

/** Of a picture in three channels. */
function isGrey(data: Uint8Array): boolean {
  for (let i = 0; i < data.length; i += 3) if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) return false;
  return true;
}

/** What makes up the picture; all other chunks may be anything. */
const CHUNKS = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND"];

/** Before anything is allocated: the sizes, and that the data unpacks to what they say. Gives the chunks that make up the picture. */
function checkedPng(bytes: Uint8Array, where: string): Uint8Array {
  if (bytes.length < 33) throw new DataError({ where, problem: "the image is cut short or damaged" });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  checkSize(width, height, where);
  const samples = SAMPLES[bytes[25] ?? -1] ?? 4;
  // Interlaced images have up to seven rows that begin with a byte for each of theirs.
  const most = Math.ceil((width * samples * (bytes[24] ?? 8)) / 8 + 1) * height * 2 + 64;
  let unpacked = 0;
  const inflate = new Inflate((part) => {
    unpacked += part.length;
    if (unpacked > most)
      throw new DataError({
        where,
        problem: "the image unpacks to more than its size",
        expected: `at most ${most} bytes`,
      });
  });
  let skip = 2; // zlib's header
  const kept = [bytes.subarray(0, 8)];
  for (let at = 8; at + 8 <= bytes.length;) {
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const chunk = bytes.subarray(at, at + 12 + length);
    if (CHUNKS.includes(type)) kept.push(chunk);
    if (type === "IDAT") {
      const part = bytes.subarray(at + 8, Math.min(bytes.length, at + 8 + length));
      // In pieces, so that little is unpacked before it is looked at.
      for (let from = Math.min(skip, part.length); from < part.length; from += 4096)
        inflate.push(part.subarray(from, from + 4096));
      skip = Math.max(0, skip - part.length);
    }
    at += 12 + length;
  }
  const least = Math.ceil((width * height * samples * (bytes[24] ?? 8)) / 8);
  if (unpacked < least)
    throw new DataError({
      where,
      problem: "the image is cut short or damaged",
      expected: `${least} bytes`,
      received: String(unpacked),
    });
  return joinBytes(kept);
}

function fromJpeg(bytes: Uint8Array, where: string): Picture {
  const size = jpegSize(bytes);
  checkSize(size.width, size.height, where);
  if (jpeg === undefined) throw new RangeError("readyImages has not been awaited");
  jpegSays = "";
  const { width, height, data } = decodedJpeg(jpeg, bytes) ?? { width: 0, height: 0, data: [] };
  if (data.length === 0 || jpegSays !== "")
    throw new DataError({ where, problem: "the image is cut short or damaged", received: jpegSays });
  const colourOf = (pixel: number): readonly [number, number, number, number] => [
    data[4 * pixel] ?? 0,
    data[4 * pixel + 1] ?? 0,
    data[4 * pixel + 2] ?? 0,
    255,
  ];
  return pictureOf(where, width, height, 3, data.length / 4, colourOf);
}

/** The decoder asks for the page's ImageData, which Node does not have. */
function decodedJpeg(decoder: JpegDecoder, bytes: Uint8Array): Decoded | null {
  const scope = globalThis as { ImageData?: unknown };
  const added = scope.ImageData === undefined;
  if (added)
    scope.ImageData = class {
      constructor(
        readonly data: Uint8ClampedArray,
        readonly width: number,
        readonly height: number,
      ) {}
    };
  try {
    return decoder.decode(bytes, true);
  } catch {
    // It has ended in the middle of what it did; the next file begins with a fresh one.
    broken = true;
    return null;
  } finally {
    if (added) delete scope.ImageData;
  }
}

/** The sizes that the frame's header says (SOF), before anything is decoded. */
function jpegSize(bytes: Uint8Array): { readonly width: number; readonly height: number } {
  const word = (at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  for (let at = 2; at + 9 < bytes.length;) {
    const marker = bytes[at + 1] ?? 0;
    if (bytes[at] !== 0xff) break;
    if (marker === 0xff) {
      at++;
      continue;
    }
    // All SOF markers but those of tables: DHT, JPG, DAC.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { height: word(at + 5), width: word(at + 7) };
    at += 2 + word(at + 2);
  }
  return { width: 0, height: 0 };
}

/** Images that come together. */
const BATCH = 64;

interface ImageFile {
  /** Its path in the folder. */
  readonly name: string;
  readonly bytes: () => Promise<Uint8Array>;
}

/**
 * A folder of images as a table: `id`, the path; `image`; and where there are folders in it, `label`, the name of the first one. Also one image, and
 * in a page the files that were dropped. In the place of an image that cannot be read there is a text that says why.
 *
 * @throws DataError where there are no images.
 */
export async function openImages(
  source: StreamSource | readonly File[],
  options: TableOptions = {},
): Promise<TableStream> {
  checkOptions("openImages", options, ["encoding", "name"]);
  const where = options.name ?? (Array.isArray(source) ? "files" : streamName(source as StreamSource, "images"));
  const { files, others } = await imageFiles(source, where);
  if (files.length === 0) throw noImages(where, others);
  const labels = files.map(({ name }) => (name.includes("/") ? (name.split("/")[0] ?? "") : null));
  const labelled = labels.some((label) => label !== null);
  const batches = async function* (): AsyncGenerator<RowBatch> {
    for (let from = 0; from < files.length; from += BATCH) {
      const rows: Cell[][] = [];
      for (const [i, { name, bytes }] of files.slice(from, from + BATCH).entries()) {
        await readyImages();
        rows.push([name, await imageOrReason(name, bytes), ...(labelled ? [labels[from + i] ?? null] : [])]);
      }
      yield { rows, lines: rows.map((_, i) => from + i + 1) };
    }
  };
  return { columns: ["id", "image", ...(labelled ? ["label"] : [])], batches: batches() };
}

async function imageOrReason(name: string, bytes: () => Promise<Uint8Array>): Promise<Cell> {
  try {
    return decodeImage(await bytes(), name);
  } catch (error) {
    if (error instanceof DataError) return `no image: ${error.message}`;
    throw error;
  }
}

const IMAGE = /\.(png|jpe?g)$/i;

interface Found {
  readonly files: readonly ImageFile[];
  /** Names of what is no image. */
  readonly others: readonly string[];
}

function noImages(where: string, others: readonly string[]): DataError {
  const ends = [...new Set(others.map((name) => /\.[^./]+$/.exec(name)?.[0] ?? name))];
  return new DataError({
    where,
    problem: "there are no images",
    expected: "files that end in .png, .jpg or .jpeg, in a folder for each class, as cats/1.png and dogs/2.png",
    received: ends.length === 0 ? "an empty folder" : ends.slice(0, 5).join(", "),
    ...(others.length === 0 ? {} : { fix: "Of a table in it, give the file." }),
  });
}

async function imageFiles(source: StreamSource | readonly File[], where: string): Promise<Found> {
  if (Array.isArray(source)) {
    const given = source as readonly File[];
    return { files: given.flatMap(ofFile).sort(byName), others: given.map(({ name }) => name) };
  }
  const path = typeof source === "string" && source.startsWith("file:") ? new URL(source) : source;
  if (isNode() && (typeof path === "string" || path instanceof URL) && !/^(https?|data|blob):/.test(String(path))) {
    const { readdir, readFile, stat } = process.getBuiltinModule("node:fs/promises");
    const paths = process.getBuiltinModule("node:path");
    const { fileURLToPath } = process.getBuiltinModule("node:url");
    const folder = path instanceof URL ? fileURLToPath(path) : path;
    const found = await stat(folder).catch((error: unknown) => {
      throw new DataError({ where, problem: "the folder cannot be read", received: (error as Error).message });
    });
    if (found.isDirectory()) {
      const names = await readdir(folder, { recursive: true });
      const files = names
        .filter((name) => IMAGE.test(name))
        .map((name) => ({ name: name.split(paths.sep).join("/"), bytes: () => readFile(paths.join(folder, name)) }))
        .sort(byName);
      return { files, others: names.filter((name) => !IMAGE.test(name)).sort() };
    }
  }
  const name = where.split("/").at(-1) ?? where;
  return { files: [{ name, bytes: () => readBytes(source as StreamSource, where) }], others: [] };
}

/** Of a page: a folder that is dropped stands before the paths of its files. */
function ofFile(file: File): readonly ImageFile[] {
  const { webkitRelativePath: path = "" } = file as { readonly webkitRelativePath?: string };
  const name = path === "" ? file.name : path.split("/").slice(1).join("/");
  return IMAGE.test(name) ? [{ name, bytes: async () => new Uint8Array(await file.arrayBuffer()) }] : [];
}

const byName = (a: ImageFile, b: ImageFile): number => (a.name < b.name ? -1 : 1);
