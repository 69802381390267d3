/**
 * Zip archives, read strictly: sizes are checked against the file before anything is allocated, names and methods against
 * both headers, contents against their checksum. (fflate, which inflates here, trusts them in its own `unzip`.)
 */
import { inflateSync } from "fflate";
import { DataError } from "../errors.js";

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly checksum: number;
  readonly packed: number;
  readonly size: number;
  readonly header: number;
}

interface Directory {
  readonly start: number;
  readonly stop: number;
  readonly count: number;
}

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const STORED = 0;
const DEFLATED = 8;
/** Deflate cannot do better than this; a larger claim is a corrupt header. */
const MOST_INFLATED = 1032;

function corrupt(where: string, received: string): never {
  throw new DataError({
    where,
    problem: "the archive is cut short or corrupt",
    expected: "a complete zip archive",
    received,
    fix: "Download or copy the file again.",
  });
}

/** Members by name, in the archive's order. All of them are checked before the first is unpacked. `most`: bytes in all. */
export function readZip(bytes: Uint8Array, where: string, most: number): Map<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const directory = findDirectory(view, where);
  const places = new Map<string, Place>();
  for (const entry of readDirectory(view, directory, where)) {
    if (places.has(entry.name)) corrupt(where, `two members called ${JSON.stringify(entry.name)}`);
    places.set(entry.name, findMember(view, entry, directory, `${where}: ${entry.name}`));
  }
  checkPlaces([...places.values()], where, most);
  return new Map([...places].map(([name, place]) => [name, unpack(bytes, place, `${where}: ${name}`)]));
}

/** An entry and where its contents lie. */
interface Place {
  readonly entry: Entry;
  readonly start: number;
  readonly stop: number;
}

/** Members that share bytes make a small file unpack to anything. */
function checkPlaces(places: readonly Place[], where: string, most: number): void {
  let end = 0;
  for (const { entry, stop } of [...places].sort((a, b) => a.entry.header - b.entry.header)) {
    if (entry.header < end) corrupt(`${where}: ${entry.name}`, "a member that overlaps another one");
    end = stop;
  }
  const size = places.reduce((sum, { entry }) => sum + entry.size, 0);
  if (size <= most) return;
  throw new DataError({
    where,
    problem: "the archive unpacks to too much",
    expected: `at most ${most} bytes`,
    received: String(size),
    fix: "If you trust the file, give a larger maxBytes.",
  });
}

function findDirectory(view: DataView, where: string): Directory {
  const length = view.byteLength;
  let end = length - 22;
  while (end >= 0 && !(view.getUint32(end, true) === END && end + 22 + view.getUint16(end + 20, true) === length)) {
    end = end > length - 22 - 0xffff ? end - 1 : -1;
  }
  if (end < 0) corrupt(where, `${length} bytes without a directory at their end`);
  let [count, size, start] = [
    view.getUint16(end + 10, true),
    view.getUint32(end + 12, true),
    view.getUint32(end + 16, true),
  ];
  if (end >= 20 && view.getUint32(end - 20, true) === LOCATOR_64) {
    const record = long(view, end - 12);
    if (record + 56 > end - 20 || view.getUint32(record, true) !== END_64)
      corrupt(where, "a directory that is not where it should be");
    [count, size, start] = [long(view, record + 32), long(view, record + 40), long(view, record + 48)];
  }
  if (start + size > end) corrupt(where, "a directory that is not where it should be");
  return { start, stop: start + size, count };
}

/** A 64-bit number, exact as far as file sizes go. */
const long = (view: DataView, at: number): number => view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;

function* readDirectory(view: DataView, { start, stop, count }: Directory, where: string): Generator<Entry> {
  let at = start;
  for (let i = 0; i < count; i++) {
    if (at + 46 > stop || view.getUint32(at, true) !== CENTRAL)
      corrupt(where, `a broken directory entry (number ${i})`);
    const [nameLength, extraLength] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true)];
    const [extra, next] = [at + 46 + nameLength, at + 46 + nameLength + extraLength + view.getUint16(at + 32, true)];
    if (next > stop) corrupt(where, `a broken directory entry (number ${i})`);
    const name = text(view, at + 46, nameLength);
    if ((view.getUint16(at + 8, true) & 1) === 1) {
      throw new DataError({
        where: `${where}: ${name}`,
        problem: "the member is encrypted",
        fix: "Save the archive without a password.",
      });
    }
    const [size, packed, header] = wide(view, [at + 24, at + 20, at + 42], extra, extra + extraLength);
    yield {
      name,
      method: view.getUint16(at + 10, true),
      checksum: view.getUint32(at + 16, true),
      packed,
      size,
      header,
    };
    at = next;
  }
  if (at !== stop) corrupt(where, "a directory of another length than it claims");
}

/** 32-bit fields, or their 64-bit values from the extra field where they are all ones (zip64). */
function wide(
  view: DataView,
  fields: readonly [number, number, number],
  extra: number,
  stop: number,
): readonly [number, number, number] {
  let at = extra;
  while (at + 4 <= stop && view.getUint16(at, true) !== 1) at += 4 + view.getUint16(at + 2, true);
  at += 4;
  const read = (field: number): number => {
    const value = view.getUint32(field, true);
    if (value !== 0xffffffff || at + 8 > stop) return value;
    at += 8;
    return long(view, at - 8);
  };
  const [a, b, c] = fields;
  return [read(a), read(b), read(c)];
}

const text = (view: DataView, at: number, length: number): string =>
  new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, length));

function findMember(view: DataView, entry: Entry, directory: Directory, where: string): Place {
  const { header, name, method, packed, size } = entry;
  if (header + 30 > directory.start || view.getUint32(header, true) !== LOCAL)
    corrupt(where, "no member where the directory says");
  const nameLength = view.getUint16(header + 26, true);
  const start = header + 30 + nameLength + view.getUint16(header + 28, true);
  if (start + packed > directory.start) corrupt(where, `a member of ${packed} bytes that ends beyond the members`);
  if (text(view, header + 30, nameLength) !== name) corrupt(where, "two different names for the member");
  if (view.getUint16(header + 8, true) !== method) corrupt(where, "two different compression methods");
  if (method === STORED ? size !== packed : size > MOST_INFLATED * packed)
    corrupt(where, `${packed} bytes that claim to hold ${size}`);
  return { entry, start, stop: start + packed };
}

function unpack(bytes: Uint8Array, { entry, start, stop }: Place, where: string): Uint8Array {
  const { method, size } = entry;
  const content = inflate(bytes.subarray(start, stop), method, size, where);
  if (content.length !== size)
    corrupt(
      where,
      content.length > size ? `more than the ${size} bytes it claims` : `${content.length} bytes instead of ${size}`,
    );
  if (crc32(content) !== entry.checksum) corrupt(where, "contents that do not fit their checksum");
  return content;
}

function inflate(packed: Uint8Array, method: number, size: number, where: string): Uint8Array {
  if (method === STORED) return packed;
  if (method !== DEFLATED) {
    throw new DataError({
      where,
      problem: "unknown compression",
      expected: "0 (stored) or 8 (deflate)",
      received: String(method),
    });
  }
  try {
    return inflateSync(packed, { out: new Uint8Array(size + 1) }); // one more, so that contents that go on are noticed
  } catch (error) {
    return corrupt(
      where,
      `compressed data that cannot be read (${error instanceof Error ? error.message : String(error)})`,
    );
  }
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = (c & 1) === 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

export function crc32(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = (CRC_TABLE[(c ^ byte) & 0xff] ?? 0) ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}
