/** Predictions: rows go to the engine in chunks of a few batches, so that any number of them needs few programs and little memory. */
import type { Columns } from "../data/dataset.js";
import { TorteError } from "../errors.js";
import { read } from "../graph/make.js";
import { State } from "../graph/node.js";
import { rowsAreIndependent, type TracedRows } from "../graph/rows.js";
import { newTracing } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { zerosAreGood } from "./limits.js";
import { concatenate, type Tensor } from "../tensor/tensor.js";

/** Batches in a chunk. */
const CHUNK = 16;

/** Rows that go to the engine together, and how they are computed there. */
export interface Chunk {
  readonly from: number;
  readonly to: number;
  /** Rows of a step. */
  readonly batch: number;
  /** Rows that the engine has room for. */
  readonly room: number;
}

/**
 * Chunks for so many rows. Where rows can be computed apart, what is missing of the last batch is computed and thrown away;
 * for less than a batch the next power of two is taken, and other sizes are rounded, so that the sizes that people ask for
 * share their programs.
 * Where they cannot, each batch has exactly the rows that were given: the last one is a chunk of its own.
 */
export function chunksFor(rows: number, batchSize: number, apart: boolean): Chunk[] {
  const most = Math.min(batchSize, rows);
  const batch = apart ? Math.min(rounded(batchSize), 2 ** Math.ceil(Math.log2(most))) : most;
  const last = apart ? 0 : rows % batch;
  const room = rows - last <= batch ? batch : CHUNK * batch;
  const chunks: Chunk[] = [];
  for (let from = 0; from < rows - last; from += room)
    chunks.push({ from, to: Math.min(from + room, rows - last), batch, room });
  if (last > 0) chunks.push({ from: rows - last, to: rows, batch: last, room: last });
  return chunks;
}

/** Up, to three binary digits: by a quarter at most. */
function rounded(size: number): number {
  const unit = 2 ** Math.max(0, Math.floor(Math.log2(size)) - 2);
  return unit * Math.ceil(size / unit);
}

const known = new WeakMap<Network, boolean>();

/**
 * Whether each row that the network gives depends on the same row of its inputs alone, and not on their number, so that a
 * batch may hold other rows, too.
 */
export function rowsAreApart(network: Network): boolean {
  let apart = known.get(network);
  if (apart === undefined) known.set(network, (apart = analyse(network)));
  return apart;
}

function analyse(network: Network): boolean {
  try {
    return zerosAreGood(network) && rowsAreIndependent(tracedFor(network, 2), tracedFor(network, 3));
  } catch (error) {
    // A layer that takes some numbers of rows only.
    if (error instanceof TorteError) return false;
    throw error;
  }
}

function tracedFor(network: Network, rows: number): TracedRows {
  const data = network.inputSpecs.map(({ name, shape, dtype }) => new State(name, [rows, ...shape], dtype));
  const inputs = data.map((state) => ({ value: read(state) }));
  return { rows, data, results: network.trace(inputs, newTracing(false)).map(({ value }) => value) };
}

/**
 * Sends one chunk of rows after the other and joins what comes back, [steps, batch, …] each time. While the engine works on
 * a chunk, the next one is already on its way.
 */
export async function inChunks(
  { x }: Columns,
  chunks: readonly Chunk[],
  send: (columns: Columns, chunk: Chunk) => Promise<readonly Tensor[]>,
): Promise<Tensor[]> {
  const parts: Tensor[][] = [];
  const collect = async ({ outputs, count }: Sent): Promise<void> => {
    (await outputs).forEach((output, k) => {
      const [steps = 0, batch = 0, ...row] = output.shape;
      (parts[k] ??= []).push(output.reshape([steps * batch, ...row]).rows(0, count));
    });
  };
  let before: Sent | undefined;
  for (const chunk of chunks) {
    const { from, to } = chunk;
    const outputs = send({ x: x.map((tensor) => tensor.rows(from, to)), y: [] }, chunk);
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
