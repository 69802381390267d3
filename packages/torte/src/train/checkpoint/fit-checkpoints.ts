/** The checkpoints of a fit: what it goes on from, and those that it makes on its way. */
import type { EpochPlan } from "../../data/dataset.js";
import { TrainingError } from "../../errors.js";
import { fingerprint, fingerprinting } from "../../tensor/fingerprint.js";
import { Tensor } from "../../tensor/tensor.js";
import { inTurns } from "../../turns.js";
import type { Callback } from "../callbacks.js";
import { describeCompile } from "../compile-description.js";
import type { TrainingSetup } from "../training-setup.js";
import type { EngineModel } from "../engine-model.js";
import { type Json, plainJson } from "../json.js";
import type { AnyModel } from "../model.js";
import { COLLECTED, type RunArrays } from "./arrays.js";
import { Checkpoints } from "./checkpoints.js";
import { type CheckpointOptions, folderOption, readCheckpointOptions } from "./options.js";
import type { CallbackState, Identity, RunState } from "./record.js";
import { readNewest, type Resumed, restoreArrays } from "./resume.js";

/** Checkpoints of a run, and going on from them. */
export interface ResumeOptions {
  /**
   * Keeps what the run needs to go on after whatever ends it, in a folder (Node). A run that goes on from a checkpoint comes to
   * the same weights and history, to the bit, as one that was never interrupted, on any number of threads. Default none.
   */
  readonly checkpoint?: CheckpointOptions;
  /**
   * Goes on from the newest checkpoint in this folder. Model, data, options and callbacks must be those of the run; `epochs` may
   * be more. Where `checkpoint` writes to the same folder and nothing is there yet, training begins at the beginning, so that the
   * same call can be repeated until the run is through. Default: training begins.
   */
  readonly resume?: string;
}

/** What a run is a run of. */
export interface RunFacts {
  readonly model: EngineModel;
  readonly compiled: TrainingSetup;
  readonly shown: AnyModel;
  readonly callbacks: readonly Callback[];
  /** Of the data: its first pass and the rows of a step; "stream" where it comes batch by batch. */
  readonly data: EpochPlan | "stream";
  readonly batchSize: number | undefined;
  readonly validation: EpochPlan | "stream" | undefined;
  /** Options of fit that the steps depend on. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What the run knows of itself; the arrays are in the engine. */
export type Progress = Omit<RunState, "callbacks" | "collected">;

export class FitCheckpoints {
  readonly #facts: RunFacts;
  readonly #arrays: RunArrays;
  readonly #identity: Identity;
  #resumed: Resumed | undefined;
  #writer: Checkpoints | undefined;

  private constructor(facts: RunFacts, identity: Identity) {
    const { model, compiled } = facts;
    this.#facts = facts;
    this.#arrays = {
      session: model.session,
      weights: new Map([...model.network.weights].map(([name, { state }]) => [name, state] as const)),
      states: compiled.state(),
      copy: model.snapshotName("checkpoint"),
      best: model.snapshotName("best weights"),
    };
    this.#identity = identity;
  }

  /**
   * Reads what the run goes on from, and opens the folder that it writes to.
   *
   * @throws DataError for files that are damaged, and for a folder that cannot be written; TrainingError for a checkpoint of
   * another run; OptionError for options out of range.
   */
  static async open({ checkpoint, resume }: ResumeOptions, facts: RunFacts): Promise<FitCheckpoints> {
    const opened = new FitCheckpoints(facts, await identityOf(facts));
    const plan = checkpoint === undefined ? undefined : readCheckpointOptions(checkpoint);
    if (resume !== undefined) {
      const folder = folderOption("fit", "resume", resume);
      opened.#resumed = await readNewest(folder, opened.#arrays, opened.#identity);
      if (opened.#resumed === undefined && plan?.folder !== folder) {
        throw new TrainingError({
          where: "fit, resume",
          problem: `there is no checkpoint in ${folder}`,
          fix: "Give the folder that fit({ checkpoint: { folder } }) has written, or leave resume out.",
        });
      }
    }
    const from = opened.#resumed;
    const known = from === undefined ? undefined : { folder: from.folder, best: from.bestFile };
    if (plan !== undefined) opened.#writer = await Checkpoints.open(plan, opened.#arrays, known);
    return opened;
  }

  /** Where the run goes on from; undefined where it begins. */
  get from(): RunState | undefined {
    return this.#resumed?.record.state;
  }

  /** Arrays, and callbacks, as they were; gives what metrics had collected. */
  async restore(): Promise<readonly Tensor[]> {
    const resumed = this.#resumed;
    if (resumed === undefined) return [];
    await restoreArrays(this.#arrays, resumed);
    const { callbacks } = resumed.record.state;
    const own = stateful(this.#facts.callbacks);
    for (const [i, { state }] of callbacks.entries()) await own[i]?.load?.(state);
    this.#resumed = { ...resumed, arrays: {}, best: undefined, collected: [] }; // they are in the engine now
    return resumed.collected;
  }

  /** Steps that may run until a checkpoint is due. */
  get stepsLeft(): number {
    return this.#writer?.stepsLeft ?? Infinity;
  }

  /** So many steps are done; whether a checkpoint is due. */
  isDueAfter(steps: number): boolean {
    this.#writer?.count(steps);
    return this.#writer?.isDue ?? false;
  }

  /** Whether a checkpoint is due after an epoch that has just ended. */
  isDueAfterEpoch(): boolean {
    return this.#writer?.isDueAfterEpoch() ?? false;
  }

  /** Whether any are made. */
  get isWriting(): boolean {
    return this.#writer !== undefined;
  }

  /**
   * A checkpoint of this moment. `keeps` counts the weights that have been kept so far.
   *
   * @throws DataError where the one before could not be written.
   */
  async take(progress: Progress, collected: readonly Tensor[], keeps: number): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    await writer.take(async () => {
      const callbacks: CallbackState[] = [];
      for (const callback of stateful(this.#facts.callbacks)) {
        const state = (await callback.state?.()) ?? null;
        callbacks.push({ kind: kindOf(callback), state });
      }
      const state = { ...progress, callbacks, collected: collected.length };
      return {
        record: { state, identity: this.#identity },
        collected: Object.fromEntries(collected.map((tensor, i) => [`${COLLECTED}${i}`, tensor])),
        kept: keeps,
      };
    });
  }

  /** Before other weights are kept. */
  async bestIsFree(): Promise<void> {
    await this.#writer?.bestIsFree();
  }

  /** Waits for what is being written. @throws DataError where it could not be. */
  async close(): Promise<void> {
    await this.#writer?.written();
    if (this.#writer !== undefined) await this.#arrays.session.forget(this.#arrays.copy);
  }
}

const stateful = (callbacks: readonly Callback[]): Callback[] =>
  callbacks.filter((callback) => callback.state !== undefined);
const kindOf = ({ kind = "callback" }: Callback): string => kind;

async function identityOf(facts: RunFacts): Promise<Identity> {
  const { model, compiled, shown, callbacks, data, batchSize, validation, options } = facts;
  const { given } = compiled;
  const compile = given === undefined ? null : describeCompile(given, (_, __, own) => ({ $own: textOf(own) }));
  const { optimizer = null, ...goals } = compile ?? {};
  const identity = {
    ...model.backend,
    batchSize: batchSize ?? null,
    model: shown.describe(),
    optimizer,
    goals,
    options,
    data: await rowsOf(data),
    validation: validation === undefined ? null : await rowsOf(validation),
    callbacks: stateful(callbacks).map(kindOf),
  };
  return plainJson("fit", identity) as Readonly<Record<string, Json>>;
}

/** Functions of one's own are told apart by their text. */
const textOf = (own: unknown): string => fingerprintOf(new TextEncoder().encode(String(own)));

async function rowsOf(plan: EpochPlan | "stream"): Promise<unknown> {
  if (plan === "stream") return plan;
  const { x, y, sampleWeight = [] } = plan.columns;
  const prints = async (tensors: readonly Tensor[]): Promise<string[]> => {
    const found: string[] = [];
    for (const tensor of tensors) found.push(await inTurns(fingerprinting(tensor)));
    return found;
  };
  const [order = ""] = await prints([new Tensor(plan.order, [plan.order.length], "int32")]);
  return { x: await prints(x), y: await prints(y), sampleWeight: await prints(sampleWeight), order };
}

const fingerprintOf = (bytes: Uint8Array): string => fingerprint(new Tensor(bytes, [bytes.length], "bool"));
