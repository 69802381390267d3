import { describe, expect, it } from "vitest";
import type { Columns } from "../data/dataset.js";
import { tensor, type Tensor } from "../tensor/tensor.js";
import * as layers from "../nn/layers/index.js";
import type { LayerFunction } from "../nn/layer.js";
import { chain } from "../nn/chain.js";
import { input, Network } from "../nn/network.js";
import * as ops from "../ops/index.js";
import { type Chunk, chunksFor, inChunks, rowsAreApart } from "./predict.js";

const columns = (rows: number): Columns => ({ x: [tensor(Float32Array.from({ length: rows }, (_, i) => i))], y: [] });

const threes = (rows: number): Chunk[] =>
  Array.from({ length: Math.ceil(rows / 3) }, (_, i) => ({
    from: 3 * i,
    to: Math.min(3 * i + 3, rows),
    batch: 3,
    room: 3,
  }));

interface Sent {
  readonly given: readonly number[];
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

/** The rows of a chunk, which come back in one batch when they are answered, with a row that is thrown away. */
function engine(): { chunks: Sent[]; send: (columns: Columns) => Promise<readonly Tensor[]> } {
  const chunks: Sent[] = [];
  const send = ({ x }: Columns): Promise<readonly Tensor[]> =>
    new Promise((resolve, reject) => {
      const given = [...(x[0]?.data ?? [])];
      const output = tensor(Float32Array.of(...given, -1), { shape: [1, given.length + 1] });
      chunks.push({ given, answer: () => resolve([output]), fail: reject });
    });
  return { chunks, send };
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

describe("rows in chunks", () => {
  it("are one ahead of what has been answered, and come back in order", async () => {
    const { chunks, send } = engine();
    const all = inChunks(columns(7), threes(7), send);
    await turn();
    expect(chunks.map(({ given }) => given)).toEqual([
      [0, 1, 2],
      [3, 4, 5],
    ]);
    chunks[0]?.answer();
    await turn();
    expect(chunks[2]?.given).toEqual([6]);
    chunks[2]?.answer();
    chunks[1]?.answer();
    expect([...((await all)[0]?.data ?? [])]).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("fail with the first that fails; nobody has to hear of those behind it", async () => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown): void => void unheard.push(reason);
    process.on("unhandledRejection", hear);
    const { chunks, send } = engine();
    const all = inChunks(columns(9), threes(9), send);
    const failure = expect(all).rejects.toThrow("the first");
    await turn();
    chunks[1]?.fail(new Error("the second"));
    await turn();
    chunks[0]?.fail(new Error("the first"));
    await failure;
    await turn();
    process.off("unhandledRejection", hear);
    expect([chunks.length, unheard]).toEqual([2, []]);
  });
});

describe("chunks", () => {
  it("hold each row once, in order, in whole batches except for what is left over", () => {
    for (const apart of [true, false]) {
      for (const batch of [1, 2, 7, 8]) {
        for (let rows = 1; rows < 300; rows++) {
          const chunks = chunksFor(rows, batch, apart);
          let next = 0;
          for (const chunk of chunks) {
            expect(chunk.from).toBe(next);
            expect(chunk.to - chunk.from).toBeLessThanOrEqual(chunk.room);
            expect(chunk.batch).toBeLessThanOrEqual(apart ? 1.25 * batch : batch);
            if (!apart) expect((chunk.to - chunk.from) % chunk.batch).toBe(0);
            next = chunk.to;
          }
          expect(next).toBe(rows);
          expect(new Set(chunks.map((chunk) => chunk.batch)).size).toBeLessThanOrEqual(apart ? 1 : 2);
        }
      }
    }
  });
});

describe("rows are apart", () => {
  const of = (dtype: "float32" | "int32", shape: readonly number[], ...list: LayerFunction[]): boolean => {
    const place = input({ shape, dtype });
    return rowsAreApart(new Network([place], [chain(place, list)]));
  };
  const { conv1d, conv2d, dense, embedding, flatten, lambda } = layers;

  it("in networks of the library's layers, so that they share programs", () => {
    const tokens = embedding({ inputDim: 9, outputDim: 4, maskZero: true });
    const convolution = conv1d({ filters: 3, kernelSize: 3 });
    const pooling = layers.maxPooling1d();
    expect(
      of("int32", [12], tokens, convolution, layers.batchNormalization(), pooling, flatten(), dense({ units: 2 })),
    ).toBe(true);
    expect(
      of("float32", [8, 8, 4], conv2d({ filters: 4, kernelSize: 3 }), layers.groupNormalization({ groups: 2 })),
    ).toBe(true);
    expect(of("float32", [8, 4], layers.timeDistributed(dense({ units: 3 })), layers.layerNormalization())).toBe(true);
    expect(of("float32", [4], layers.residual([dense({ units: 4 })]), layers.dropout({ rate: 0.5 }))).toBe(true);
  });

  it("but not behind a layer that looks across the batch, nor one that takes some numbers of rows only", () => {
    expect(
      of(
        "float32",
        [4],
        lambda((x) => ops.softmax(x, 0)),
        dense({ units: 1 }),
      ),
    ).toBe(false);
    expect(
      of(
        "float32",
        [4],
        lambda((x) => ops.reshape(x, [2, 4])),
      ),
    ).toBe(false);
  });
});
