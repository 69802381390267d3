/** Fuzzing every reader of files: whatever the bytes, a reader ends soon, with success or an error of Torte's own. */
import { formatSafetensors, parseSafetensors } from "../data/safetensors.js";
import { parseNpy, parseNpz } from "../data/npy.js";
import { readZip } from "../data/zip.js";
import type { GraphDescription } from "../nn/serialize/description.js";
import { describedOptions } from "../nn/inspect/hyperparameter-table.js";
import { loadModel } from "../train/load-model.js";
import { dice, mutateBytes, mutateJson, mutateOptions, type Outcome, outcomeOf } from "./mutate.js";

/** A reader, and files that it reads. */
interface Target {
  readonly read: (bytes: Uint8Array) => unknown;
  readonly files: readonly Uint8Array[];
}

export interface FuzzReport {
  readonly cases: number;
  readonly refused: number;
  /** Milliseconds of the slowest case. */
  readonly slowest: number;
}

/** Changes each file of a reader by each seed. @throws for the first outcome that is neither success nor a TorteError. */
export async function fuzzBytes(name: string, { read, files }: Target, seeds: Iterable<number>): Promise<FuzzReport> {
  const outcomes: Outcome[] = [];
  for (const seed of seeds)
    for (const [i, file] of files.entries()) {
      const changed = mutateBytes(file, dice(seed * files.length + i));
      outcomes.push(await outcomeOf(`${name}, file ${i}, seed ${seed}`, () => read(changed)));
    }
  return reportOf(outcomes);
}

/** Changes the description in each model file by each seed: its structure, or the options of a layer. */
export async function fuzzModels(files: readonly Uint8Array[], seeds: Iterable<number>): Promise<FuzzReport> {
  const outcomes: Outcome[] = [];
  const parts = files.map((file) => {
    const { tensors, metadata } = parseSafetensors(file);
    const description = JSON.parse(metadata["torte-model"] ?? "") as GraphDescription;
    const optionNames = description.layers.flatMap(({ kind }) => Object.keys(describedOptions(kind) ?? {}));
    return { tensors, description, optionNames };
  });
  for (const seed of seeds)
    for (const [i, { tensors, description, optionNames }] of parts.entries()) {
      const roll = dice(seed * files.length + i);
      const all = [...optionNames, "name", "trainable", "activityRegularizer"];
      const changed = JSON.stringify(
        seed % 2 === 0 ? mutateJson(description, roll) : mutateOptions(description, all, roll),
      );
      const bytes = formatSafetensors(tensors, { "torte-model": changed });
      const name = `model ${i}, seed ${seed}: ${changed.slice(0, 3000)}`;
      outcomes.push(
        await outcomeOf(name, async () => {
          await (await loadModel(bytes, { backend: "reference" })).close();
        }),
      );
    }
  return reportOf(outcomes);
}

/** Changes by each seed what each model file has of its training. */
export async function fuzzTraining(files: readonly Uint8Array[], seeds: Iterable<number>): Promise<FuzzReport> {
  const outcomes: Outcome[] = [];
  const key = "torte-training";
  const parts = files.map((file) => parseSafetensors(file));
  for (const seed of seeds)
    for (const [i, { tensors, metadata }] of parts.entries()) {
      const changed = JSON.stringify(mutateJson(JSON.parse(metadata[key] ?? ""), dice(seed * files.length + i)));
      const bytes = formatSafetensors(tensors, { ...metadata, [key]: changed });
      const name = `trained model ${i}, seed ${seed}: ${changed.slice(0, 3000)}`;
      outcomes.push(
        await outcomeOf(name, async () => {
          await (await loadModel(bytes, { backend: "reference" })).close();
        }),
      );
    }
  return reportOf(outcomes);
}

export const READERS = { safetensors: parseSafetensors, npy: parseNpy, npz: parseNpz, zip: readFully } as const;

function readFully(bytes: Uint8Array): unknown {
  return readZip(bytes, "zip", 2 ** 24);
}

function reportOf(outcomes: readonly Outcome[]): FuzzReport {
  return {
    cases: outcomes.length,
    refused: outcomes.filter(({ refused }) => refused !== undefined).length,
    slowest: Math.max(0, ...outcomes.map(({ milliseconds }) => milliseconds)),
  };
}

/** The whole numbers from `from` up to `to`. */
export function* seedsOf(from: number, to: number): Generator<number> {
  for (let seed = from; seed < to; seed++) yield seed;
}
