/** Event files, read back by a reader of their own: records by the format's description, messages field by field. */
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { dense, type Callback, input, sequential, sgd, tensor, tensorBoard } from "../../index.js";
import { crc32c, maskedCrc } from "./crc32c.js";
import { buckets } from "./events.js";
import { EventWriter } from "./writer.js";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Bit by bit, as RFC 3720 defines it. */
function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffffffffn;
  for (const byte of bytes) {
    for (let bit = 0; bit < 8; bit++) {
      const one = ((BigInt(byte) >> BigInt(bit)) ^ crc) & 1n;
      crc = (crc >> 1n) ^ (one === 1n ? 0x82f63b78n : 0n);
    }
  }
  return Number(crc ^ 0xffffffffn);
}

describe("CRC-32C", () => {
  it("is that of the RFC's examples", () => {
    expect(crc32c(ascii("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });
});

type Message = Map<number, (bigint | Uint8Array)[]>;

/** Varints and fixed numbers as bigints of their bits, the rest as bytes. */
function parse(bytes: Uint8Array): Message {
  const fields: Message = new Map();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = view.getUint8(at++);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    let value: bigint | Uint8Array;
    if (wire === 0) value = varint();
    else if (wire === 1) [value, at] = [view.getBigUint64(at, true), at + 8];
    else if (wire === 5) [value, at] = [BigInt(view.getUint32(at, true)), at + 4];
    else if (wire === 2) {
      const length = Number(varint());
      [value, at] = [bytes.subarray(at, at + length), at + length];
    } else throw new Error(`wire type ${wire}`);
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value]);
  }
  return fields;
}

const part = (message: Message, ...path: number[]): bigint | Uint8Array | undefined => {
  const [first = 0, ...rest] = path;
  const value = message.get(first)?.[0];
  return rest.length === 0 || value === undefined ? value : part(parse(value as Uint8Array), ...rest);
};
const words = (value: unknown): string => new TextDecoder().decode(value as Uint8Array);
const float = (bits: unknown): number => new Float32Array(Uint32Array.of(Number(bits)).buffer)[0]!;

/** The messages of a file, checksums looked at. */
function records(file: string): Message[] {
  const bytes = new Uint8Array(readFileSync(file));
  const view = new DataView(bytes.buffer);
  const all: Message[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true));
    const mask = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
    expect(view.getUint32(at + 8, true)).toBe(mask(slowCrc(bytes.subarray(at, at + 8))));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(view.getUint32(at + 12 + length, true)).toBe(mask(slowCrc(data)));
    all.push(parse(data));
    at += 16 + length;
  }
  return all;
}

interface Shown {
  readonly step: number;
  readonly tag: string;
  readonly plugin: string;
  readonly tensor: Message;
}

const shown = (messages: readonly Message[]): Shown[] =>
  messages
    .filter((message) => message.has(5))
    .map((message) => ({
      step: Number(message.get(2)?.[0] ?? 0n),
      tag: words(part(message, 5, 1, 1)),
      plugin: words(part(message, 5, 1, 9, 1, 1)),
      tensor: parse(part(message, 5, 1, 8) as Uint8Array),
    }));

const newFolder = (): string => mkdtempSync(join(tmpdir(), "torte-test-"));
const filesOf = (folder: string): string[] =>
  readdirSync(folder)
    .sort()
    .map((name) => join(folder, name));

describe("an event file", () => {
  it("has what was written, in records with their checksums", async () => {
    const folder = newFolder();
    const writer = new EventWriter(folder);
    writer.scalar("loss", 0.5, 0);
    writer.scalar("loss", -1e30, 300);
    writer.text("größe", "**a** ≤ b", 7);
    writer.histogram("weights", [0, 1, 1, 3, NaN, Infinity], 2);
    await writer.flush();
    writer.scalar("later", NaN, 2 ** 40);
    await writer.flush();
    await writer.flush();
    expect(filesOf(folder)).toEqual([writer.path]);
    expect(writer.path).toMatch(/events\.out\.tfevents\.\d+/);
    const messages = records(writer.path);
    expect(words(part(messages[0]!, 3))).toBe("brain.Event:2");
    const values = shown(messages);
    expect(values.map(({ step, tag, plugin }) => [step, tag, plugin])).toEqual([
      [0, "loss", "scalars"],
      [300, "loss", "scalars"],
      [7, "größe", "text"],
      [2, "weights", "histograms"],
      [2 ** 40, "later", "scalars"],
    ]);
    const [half, large, text, histogram, nan] = values.map(({ tensor }) => tensor);
    expect([half, large, nan].map((tensor) => float(tensor?.get(5)?.[0]))).toEqual([0.5, Math.fround(-1e30), NaN]);
    expect(words(text?.get(8)?.[0])).toBe("**a** ≤ b");
    const content = histogram?.get(4)?.[0] as Uint8Array;
    const rows = new Float64Array(content.slice().buffer);
    const counts = Array.from({ length: 30 }, (_, i) => rows[3 * i + 2]);
    expect(counts.map((n, i) => [i, n]).filter(([, n]) => n !== 0)).toEqual([
      [0, 1],
      [10, 2],
      [29, 1],
    ]);
    expect([rows[0], rows[88]]).toEqual([0, 3]);
  });

  it("counts every finite value once, whatever they are", () => {
    expect(buckets([])).toEqual([]);
    expect(buckets([NaN])).toEqual([]);
    expect(buckets([2, 2])).toEqual([[1.5, 2.5, 2]]);
    const values = Array.from({ length: 999 }, (_, i) => Math.sin(i) ** 5 * 1e-8);
    const rows = buckets(values);
    expect(rows.reduce((sum, [, , n]) => sum + n, 0)).toBe(999);
    expect([rows[0]?.[0], rows.at(-1)?.[1]]).toEqual([Math.min(...values), Math.max(...values)]);
  });

  it("refuses what has no step and no folder", () => {
    expect(() => new EventWriter("")).toThrow('EventWriter: folder is missing: expected a path, received "".');
    expect(() => {
      new EventWriter(newFolder()).scalar("a", 1, 0.5);
    }).toThrow("EventWriter: step is out of range");
  });

  it("has masks as TensorFlow's", () => {
    expect(maskedCrc(ascii("123456789"))).toBe((((0xe3069283 >>> 15) | (0xe3069283 << 17)) + 0xa282ead8) >>> 0);
  });
});

describe("tensorBoard", () => {
  const data = { x: tensor([[1], [2], [3]]), y: tensor([[2], [4], [6]]) };
  const model = () => {
    const made = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "zeros" }));
    made.compile({ optimizer: sgd({ learningRate: 0.01 }), loss: "meanSquaredError" });
    return made;
  };

  it("writes the figures of the history, rates, weights and the summary", async () => {
    const folder = newFolder();
    const trained = model();
    const callbacks = [tensorBoard({ logDir: folder, histogramFreq: 2, updateFreq: "batch" })];
    const { epochs } = await trained.fit(data, { epochs: 3, batchSize: 1, validationData: data, callbacks });
    const valuesOf = (name: string): Shown[] => filesOf(join(folder, name)).flatMap((file) => shown(records(file)));
    const series = (values: readonly Shown[], tag: string): number[] =>
      values.filter((value) => value.tag === tag).map(({ tensor }) => float(tensor.get(5)?.[0]));
    const train = valuesOf("train");
    expect(series(train, "epoch_loss")).toEqual(epochs.map(({ loss }) => Math.fround(loss!)));
    expect(series(valuesOf("validation"), "epoch_loss")).toEqual(epochs.map(({ valLoss }) => Math.fround(valLoss!)));
    expect(series(train, "epoch_learning_rate")).toEqual([0.01, 0.01, 0.01].map(Math.fround));
    expect(train.filter(({ plugin }) => plugin === "histograms").map(({ tag, step }) => `${tag} ${step}`)).toEqual([
      "dense.kernel 0",
      "dense.bias 0",
      "dense.kernel 2",
      "dense.bias 2",
    ]);
    expect(words(train[0]?.tensor.get(8)?.[0])).toContain("Model: ");
    const batches = valuesOf("batch");
    expect(batches.map(({ step }) => step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    // Averages over the epoch so far: the last of an epoch is the epoch's.
    expect(series(batches, "batch_loss").filter((_, i) => i % 3 === 2)).toEqual(series(train, "epoch_loss"));
    await trained.close();
  });

  it("goes on in a file that voids what comes again", async () => {
    const folder = newFolder();
    const [first, second] = [tensorBoard({ logDir: folder }), tensorBoard({ logDir: folder })];
    const trained = model();
    await trained.fit(data, { epochs: 2, callbacks: [first] });
    const resumed: Callback = {
      ...second,
      onTrainBegin: async (control) => {
        await second.onTrainBegin?.(control);
        await second.load?.((await first.state?.()) ?? null);
      },
    };
    await trained.fit(data, { epochs: 1, callbacks: [resumed] });
    const files = filesOf(join(folder, "train"));
    expect(files).toHaveLength(2);
    const restart = records(files[1]!)[1]!;
    expect([part(restart, 2), part(restart, 7, 1)]).toEqual([2n, 1n]);
    await trained.close();
  });
});
