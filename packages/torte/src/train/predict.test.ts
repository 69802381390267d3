import { describe, expect, it } from "vitest";
import type { Columns } from "../data/dataset.js";
import { tensor, type Tensor } from "../tensor/tensor.js";
import { inChunks } from "./predict.js";

const columns = (rows: number): Columns => ({ x: [tensor(Float32Array.from({ length: rows }, (_, i) => i))], y: [] });

interface Chunk {
  readonly given: readonly number[];
  readonly answer: () => void;
  readonly fail: (error: Error) => void;
}

/** The rows of a chunk, which come back in one batch when they are answered, with a row that is thrown away. */
function engine(): { chunks: Chunk[]; send: (columns: Columns) => Promise<readonly Tensor[]> } {
  const chunks: Chunk[] = [];
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
    const all = inChunks(columns(7), 3, send);
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
    const all = inChunks(columns(9), 3, send);
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
