/** Predictions: rows go to the engine in chunks of a few batches, so that any number of them needs few programs and little memory. */
import type { Columns } from "../data/dataset.js";
import { concatenate, type Tensor } from "../tensor/tensor.js";
import type { Rows } from "./checks.js";

/** Batches in a chunk. */
const CHUNK = 16;

/**
 * Rows of a batch: at most `batchSize`; for fewer rows the next power of two, so that the sizes that people ask for share
 * their programs. What is missing of the last batch is computed and thrown away.
 */
export const batchFor = (rows: number, batchSize: number): number =>
  rows >= batchSize ? batchSize : Math.min(batchSize, 2 ** Math.ceil(Math.log2(rows)));

/** Rows that the engine has room for. */
export const chunkFor = (rows: number, batch: number): number => (rows <= batch ? batch : CHUNK * batch);

/**
 * Sends one chunk of rows after the other and joins what comes back, [steps, batch, …] each time. While the engine works on
 * a chunk, the next one is already on its way.
 */
export async function inChunks(
  { x }: Columns,
  chunk: number,
  send: (columns: Columns, rows: Rows) => Promise<readonly Tensor[]>,
): Promise<Tensor[]> {
  const rows = x[0]?.shape[0] ?? 0;
  const parts: Tensor[][] = [];
  const collect = async ({ outputs, count }: Sent): Promise<void> => {
    (await outputs).forEach((output, k) => {
      const [steps = 0, batch = 0, ...row] = output.shape;
      (parts[k] ??= []).push(output.reshape([steps * batch, ...row]).rows(0, count));
    });
  };
  let before: Sent | undefined;
  for (let from = 0; from < rows; from += chunk) {
    const to = Math.min(from + chunk, rows);
    const outputs = send({ x: x.map((tensor) => tensor.rows(from, to)), y: [] }, { from, to });
    // Nobody will await it if the chunk before fails.
    outputs.catch(() => undefined);
    if (before !== undefined) await collect(before);
    before = { outputs, count: to - from };
  }
  if (before !== undefined) await collect(before);
  return parts.map((list) => concatenate(list));
}

interface Sent {
  readonly outputs: Promise<readonly Tensor[]>;
  readonly count: number;
}
