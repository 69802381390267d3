/** Checkpoints of trials: a folder for each trial, with the newest one only. */
import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeFolder } from "./lock.js";
import { StudyFileError } from "./journal.js";

/** The models of a trial after so many epochs: the bytes of `model.save`, one for each repeat and fold. */
export interface Checkpoint {
  readonly epochs: number;
  readonly models: readonly Uint8Array[];
}

/** Where checkpoints are kept: a folder, or a database. */
export interface CheckpointStore {
  write(trial: number, checkpoint: Checkpoint): void | Promise<void>;
  /** The newest whole one up to so many epochs. */
  read(trial: number, atMost: number): Checkpoint | undefined | Promise<Checkpoint | undefined>;
  remove(trial: number): void | Promise<void>;
}

const NAME = /^epoch-(\d+)\.(\d+)-of-(\d+)\.safetensors$/;

export class Checkpoints implements CheckpointStore {
  readonly #folder: string;

  constructor(study: string) {
    this.#folder = join(study, "trials");
  }

  #of(trial: number): string {
    return join(this.#folder, String(trial));
  }

  /** Writes all parts, each renamed when it is whole, then removes older ones. */
  write(trial: number, { epochs, models }: Checkpoint): void {
    const folder = this.#of(trial);
    makeFolder(folder);
    models.forEach((bytes, i) => {
      const path = join(folder, `epoch-${epochs}.${i}-of-${models.length}.safetensors`);
      const part = `${path}.${process.pid}.part`;
      try {
        const file = openSync(part, "w");
        try {
          for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
          fsyncSync(file);
        } finally {
          closeSync(file);
        }
        renameSync(part, path);
      } catch (error) {
        rmSync(part, { force: true });
        throw new StudyFileError(path, error);
      }
    });
    for (const name of readdirSync(folder))
      if (Number(NAME.exec(name)?.[1] ?? -1) !== epochs) rmSync(join(folder, name), { force: true });
  }

  /** The newest whole checkpoint up to so many epochs. */
  read(trial: number, atMost: number): Checkpoint | undefined {
    const folder = this.#of(trial);
    const found = new Map<number, string[]>();
    for (const name of list(folder)) {
      const [, epochs, place, count] = NAME.exec(name) ?? [];
      if (epochs === undefined || Number(epochs) > atMost) continue;
      const parts = found.get(Number(epochs)) ?? new Array<string>(Number(count)).fill("");
      parts[Number(place)] = join(folder, name);
      found.set(Number(epochs), parts);
    }
    const [newest] = [...found].filter(([, parts]) => !parts.includes("")).sort(([a], [b]) => b - a);
    if (newest === undefined) return undefined;
    return { epochs: newest[0], models: newest[1].map((path) => readFileSync(path)) };
  }

  remove(trial: number): void {
    rmSync(this.#of(trial), { recursive: true, force: true });
  }

  /** Trials that have one. */
  get trials(): readonly number[] {
    return list(this.#folder).map(Number).filter(Number.isInteger);
  }
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
