/**
 * Events as TensorBoard reads them: messages of event.proto and summary.proto in records of their length, its checksum, the
 * bytes and their checksum (TensorFlow, record_writer.cc).
 */
import { maskedCrc } from "./crc32c.js";
import { bytes, double, type Field, float, joined, message, string, varint } from "./protobuf.js";

/** Of event.proto. */
const EVENT = { wallTime: 1, step: 2, fileVersion: 3, summary: 5, sessionLog: 7 } as const;
/** Of summary.proto: a value in a summary, and what plugin shows it. */
const VALUE = { tag: 1, tensor: 8, metadata: 9 } as const;
const METADATA = { plugin: 1, dataClass: 4 } as const;
/** Of tensor.proto and types.proto. */
const TENSOR = { dtype: 1, shape: 2, content: 4, floats: 5, strings: 8 } as const;
const FLOAT = 1;
const DOUBLE = 2;
const STRING = 7;

/** DataClass of summary.proto. */
const SCALAR = 1;
const ANY_TENSOR = 2;

/** One record. */
export function record(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const head = new DataView(new ArrayBuffer(12));
  head.setBigUint64(0, BigInt(data.length), true);
  head.setUint32(8, maskedCrc(new Uint8Array(head.buffer, 0, 8)), true);
  const foot = new DataView(new ArrayBuffer(4));
  foot.setUint32(0, maskedCrc(data), true);
  return joined([new Uint8Array(head.buffer), data, new Uint8Array(foot.buffer)]);
}

/** What stands at the beginning of a file. `wallTime` in seconds since 1970. */
export const firstEvent = (wallTime: number): Uint8Array =>
  joined([double(EVENT.wallTime, wallTime), string(EVENT.fileVersion, "brain.Event:2")]);

/** A run starts at this step: everything of it and later, in files before, is void. */
export const startEvent = (wallTime: number, step: number): Uint8Array =>
  joined([double(EVENT.wallTime, wallTime), varint(EVENT.step, step), message(EVENT.sessionLog, varint(1, 1))]);

/** A value at a step. */
export const valueEvent = (
  wallTime: number,
  step: number,
  name: string,
  { plugin, dataClass, tensor }: Shown,
): Uint8Array =>
  joined([
    double(EVENT.wallTime, wallTime),
    varint(EVENT.step, step),
    message(
      EVENT.summary,
      message(
        1,
        string(VALUE.tag, name),
        message(VALUE.metadata, message(METADATA.plugin, string(1, plugin)), varint(METADATA.dataClass, dataClass)),
        message(VALUE.tensor, ...tensor),
      ),
    ),
  ]);

/** A tensor, and which of TensorBoard's plugins shows it. */
export interface Shown {
  readonly plugin: "scalars" | "histograms" | "text";
  readonly dataClass: number;
  readonly tensor: readonly Field[];
}

const shapeOf = (...sizes: readonly number[]): Field =>
  message(TENSOR.shape, ...sizes.map((size) => message(2, varint(1, size))));

export const scalar = (value: number): Shown => ({
  plugin: "scalars",
  dataClass: SCALAR,
  tensor: [varint(TENSOR.dtype, FLOAT), shapeOf(), float(TENSOR.floats, value)],
});

/** Markdown. */
export const text = (value: string): Shown => ({
  plugin: "text",
  dataClass: ANY_TENSOR,
  tensor: [varint(TENSOR.dtype, STRING), shapeOf(), string(TENSOR.strings, value)],
});

/** Counts within limits: rows of lower limit, upper limit and count. */
export function histogram(rows: readonly Bucket[]): Shown {
  const content = new DataView(new ArrayBuffer(24 * rows.length));
  rows.forEach((row, i) => {
    row.forEach((value, k) => {
      content.setFloat64(24 * i + 8 * k, value, true);
    });
  });
  return {
    plugin: "histograms",
    dataClass: ANY_TENSOR,
    tensor: [
      varint(TENSOR.dtype, DOUBLE),
      shapeOf(rows.length, 3),
      bytes(TENSOR.content, new Uint8Array(content.buffer)),
    ],
  };
}

export type Bucket = readonly [low: number, high: number, count: number];

/** Counts in `count` intervals of equal width from the least to the largest value; what is not finite is left out. */
export function buckets(values: ArrayLike<number>, count = 30): Bucket[] {
  let [low, high, finite] = [Infinity, -Infinity, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isFinite(value)) continue;
    [low, high, finite] = [Math.min(low, value), Math.max(high, value), finite + 1];
  }
  if (finite === 0) return [];
  if (low === high) return [[low - 0.5, high + 0.5, finite]];
  const counts = new Float64Array(count);
  const width = (high - low) / count;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? NaN;
    if (!Number.isFinite(value)) continue;
    const at = Math.min(count - 1, Math.floor((value - low) / width));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return Array.from(counts, (n, i) => [low + i * width, i === count - 1 ? high : low + (i + 1) * width, n] as const);
}
