/** Going on from a checkpoint. */
import type { Entry, Header } from "../../data/safetensors.js";
import { DataError } from "../../errors.js";
import type { State } from "../../graph/node.js";
import { sameShape } from "../../tensor/shape.js";
import type { Tensor } from "../../tensor/tensor.js";
import { COLLECTED, namedArrays, type RunArrays } from "./arrays.js";
import { type CheckpointEntry, type FileRecord, listCheckpoints, readRecorded } from "./folder.js";
import { requireSame } from "./identity.js";
import { type Identity, readRecord, type RunRecord } from "./record.js";

type Tensors = Readonly<Record<string, Tensor>>;

/** A checkpoint, read and checked. */
export interface Resumed {
  readonly folder: string;
  readonly record: RunRecord;
  readonly arrays: Tensors;
  /** The weights that have been kept, and their file. */
  readonly best: Tensors | undefined;
  readonly bestFile: FileRecord | undefined;
  /** Arrays that metrics have collected. */
  readonly collected: readonly Tensor[];
}

/**
 * The newest checkpoint that is whole; undefined where there is none at all. From whichever a run goes on, it comes to the same.
 *
 * @throws DataError where all are damaged; TrainingError where it is one of another run.
 */
export async function readNewest(folder: string, run: RunArrays, identity: Identity): Promise<Resumed | undefined> {
  const failures: DataError[] = [];
  for (const entry of [...(await listCheckpoints(folder))].reverse()) {
    try {
      return await readOne(folder, entry, run, identity);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      failures.push(error);
    }
  }
  if (failures[0] !== undefined) throw failures[0];
  return undefined;
}

async function readOne(
  folder: string,
  { state, best }: CheckpointEntry,
  run: RunArrays,
  identity: Identity,
): Promise<Resumed> {
  const all = namedArrays(run);
  const check = ({ metadata, entries }: Header, path: string): void => {
    const { identity: saved, state: read } = readRecord(metadata, path);
    requireSame(saved, identity, folder);
    checkArrays(entries, all, read.collected, path);
  };
  const { tensors, metadata } = await readRecorded(folder, state, check);
  const record = readRecord(metadata, state.file);
  const kept =
    best === undefined
      ? undefined
      : await readRecorded(folder, best, ({ entries }, path) => {
          checkArrays(entries, run.weights, 0, path);
        });
  const collected = Array.from({ length: record.state.collected }, (_, i) => tensors[`${COLLECTED}${i}`]);
  return {
    folder,
    record,
    arrays: tensors,
    best: kept?.tensors,
    bestFile: best,
    collected: collected.filter((tensor) => tensor !== undefined),
  };
}

/** Exactly the arrays of the run, before memory is asked for. */
function checkArrays(
  entries: readonly Entry[],
  all: ReadonlyMap<string, State>,
  collected: number,
  where: string,
): void {
  const found = new Map(entries.map((entry) => [entry.name, entry]));
  const fits = [...all].every(([name, { shape }]) => sameShape(found.get(name)?.shape ?? [NaN], shape));
  const others = [...found.keys()].filter((name) => !all.has(name));
  const expected = new Set(Array.from({ length: collected }, (_, i) => `${COLLECTED}${i}`));
  if (fits && others.length === expected.size && others.every((name) => expected.has(name))) return;
  throw new DataError({ where, problem: "the file has other arrays than the run" });
}

/** Puts everything back where it was. */
export async function restoreArrays(run: RunArrays, { arrays, best }: Resumed): Promise<void> {
  const { session, weights } = run;
  const writeAll = async (states: ReadonlyMap<string, State>, values: Tensors): Promise<void> => {
    const writes = [...states].flatMap(([name, state]) => {
      const value = values[name];
      return value === undefined ? [] : [session.write(state, value)];
    });
    await Promise.all(writes);
  };
  if (best !== undefined) {
    await writeAll(weights, best);
    await session.snapshot(run.best, [...weights.values()]);
  }
  await writeAll(namedArrays(run), arrays);
}
