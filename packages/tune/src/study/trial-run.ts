/** Training of one setting: a model for each repeat and fold, all trained in step. */
import {
  DataError,
  type Dataset,
  type FitOptions,
  kFold,
  loadModel,
  type Logs,
  Model,
  type ModelOptions,
  type CompileOptions,
  OptionError,
  refuseTest,
} from "torte";
import type { Checkpoint } from "../storage/checkpoints.js";
import { type Costs, measured, type Objective } from "./objective.js";

/** What a setting is trained with. */
export type TrialFit = Pick<FitOptions, "batchSize" | "callbacks" | "classWeight" | "shuffle">;

/** Rows to learn from and to choose by: two parts, or one that is folded. The test part is not among them. */
export type TuneData =
  | { readonly train: Dataset; readonly validation: Dataset }
  | {
      readonly train: Dataset;
      /** Parts of cross-validation; a trial trains a model for each. */
      readonly folds: number;
      /** The class of each row: every fold gets the same shares. Default: none. */
      readonly labels?: readonly (string | number)[];
      /** The group of each row, which lies in one fold. Default: none. */
      readonly groups?: ArrayLike<string | number>;
    };

/** What a function of the setting has made. */
export interface Made {
  readonly model: Model;
  readonly compile: CompileOptions | undefined;
  readonly fit: TrialFit;
}

interface Part {
  readonly train: Dataset;
  readonly validation: Dataset;
}

/** @throws DataError for the sealed test, also an opened one, and for what are no parts. */
export function checkData(data: TuneData): void {
  const given: unknown = data;
  if (
    typeof given !== "object" ||
    given === null ||
    !("train" in given) ||
    !("validation" in given || "folds" in given)
  )
    throw new DataError({
      where: "tune",
      problem: "data has the wrong form",
      expected: "{ train, validation } or { train, folds }",
    });
  refuseTest("tune", data.train);
  if ("validation" in data) refuseTest("tune", data.validation);
  const unknown = Object.keys(data).find(
    (name) => !["train", "validation", "folds", "labels", "groups"].includes(name),
  );
  if (unknown !== undefined)
    throw new DataError({
      where: "tune",
      problem: `data has a part that no trial may see: ${JSON.stringify(unknown)}`,
      expected: "{ train, validation } or { train, folds }",
      fix: "Evaluate the test part once, after the study.",
    });
}

function partsOf(data: TuneData, seed: number): readonly Part[] {
  if ("validation" in data) return [data];
  const { train, folds, labels, groups } = data;
  const split = kFold({
    rows: train.length,
    folds,
    seed,
    ...(labels === undefined ? {} : { labels }),
    ...(groups === undefined ? {} : { groups }),
  });
  return split.map((fold) => ({ train: train.select(fold.train), validation: train.select(fold.test) }));
}

/** What an epoch of all models has brought. */
export interface EpochResult {
  /** One for each objective: means over repeats and folds. */
  readonly values: readonly number[];
  readonly seconds: number;
  /** Who has trained it, where that is another process. */
  readonly worker?: string;
}

/** Told of each epoch from 1, and of how far the constraints are violated so far; where it answers false, the training ends. */
export type Report = (epoch: number, result: EpochResult, violations?: readonly number[]) => boolean | Promise<boolean>;

interface Trained {
  model: Model;
  readonly part: Part;
  readonly fit: TrialFit;
  /** A callback has ended the training. */
  ended: boolean;
  last: Logs;
}

export interface TrialRunOptions {
  readonly data: TuneData;
  readonly objectives: readonly Objective[];
  /** Models of each fold, with seeds of their own. */
  readonly repeats: number;
  /** Of the folds. */
  readonly seed: number;
  /** Of the models; undefined for the seed that the model was made with. */
  readonly modelSeed: number | undefined;
  readonly make: (seed: number | undefined) => Made;
  /** Of models that come back from checkpoints, such as their threads. */
  readonly modelOptions?: ModelOptions;
}

/** A setting in training: it goes on where it was. */
export class TrialRun {
  readonly #options: TrialRunOptions;
  readonly #models: Trained[] = [];
  #epochs = 0;
  #costs: Partial<Costs> = {};

  constructor(options: TrialRunOptions) {
    this.#options = options;
  }

  get epochs(): number {
    return this.#epochs;
  }

  /** Known so far: the parameters at once, the time after the first epoch. */
  get costs(): Partial<Costs> {
    this.#prepare();
    return { parameters: this.#models[0]?.model.countParams() ?? 0, ...this.#costs };
  }

  #prepare(): void {
    if (this.#models.length > 0) return;
    const { data, repeats, seed, modelSeed, make } = this.#options;
    const parts = partsOf(data, seed);
    for (let repeat = 0; repeat < repeats; repeat++)
      for (const part of parts) {
        const wanted = repeat === 0 && modelSeed === undefined ? undefined : ((modelSeed ?? 0) + repeat) >>> 0;
        const { model: made, compile, fit } = make(wanted);
        const model = seeded(made, wanted);
        if (compile !== undefined) model.compile(compile);
        else if (model.optimizer === undefined || model !== made)
          throw new OptionError({
            where: "tune",
            problem:
              model === made
                ? "the model is not compiled"
                : "a model that is compiled already cannot be repeated with other seeds",
            fix: "Give compile to tune: { optimizer, loss, metrics }, or a function of h that returns it.",
          });
        this.#models.push({ model, part, fit, ended: false, last: {} });
      }
  }

  /**
   * Trains up to so many epochs. `report` is told of each epoch, and says whether to go on.
   *
   * @throws what training throws.
   */
  async train(until: number, report: Report, signal?: AbortSignal): Promise<"finished" | "stopped" | "aborted"> {
    this.#prepare();
    const [only] = this.#models;
    if (only !== undefined && this.#models.length === 1) return this.#alone(only, until, report, signal);
    while (this.#epochs < until) {
      const started = performance.now();
      for (const trained of this.#models) {
        if (!trained.ended) await this.#fit(trained, 1, () => true, signal);
        if (signal?.aborted === true) return "aborted";
      }
      this.#epochs++;
      const seconds = (performance.now() - started) / 1000;
      if (!(await report(this.#epochs, this.#mean(seconds)))) return "stopped";
      if (this.#models.every(({ ended }) => ended)) return "finished";
    }
    return "finished";
  }

  /** One model: in one call of fit, so that nothing is set up for each epoch. */
  async #alone(
    trained: Trained,
    until: number,
    report: Report,
    signal: AbortSignal | undefined,
  ): Promise<"finished" | "stopped" | "aborted"> {
    if (this.#epochs >= until) return "finished";
    let [started, goesOn] = [performance.now(), true];
    const told = async (): Promise<boolean> => {
      const seconds = (performance.now() - started) / 1000;
      goesOn = await report(++this.#epochs, this.#mean(seconds));
      started = performance.now();
      return goesOn;
    };
    const ended = await this.#fit(trained, until - this.#epochs, told, signal);
    if (ended === "aborted") return "aborted";
    return goesOn ? "finished" : "stopped";
  }

  async #fit(
    trained: Trained,
    epochs: number,
    told: () => boolean | Promise<boolean>,
    signal: AbortSignal | undefined,
  ): Promise<string> {
    const { model, part, fit } = trained;
    const history = await model.fit(part.train, {
      ...fit,
      epochs,
      verbose: 0,
      validationData: part.validation,
      ...(signal === undefined ? {} : { signal }),
      callbacks: [
        ...(fit.callbacks ?? []),
        {
          onEpochEnd: async (_, logs, control) => {
            trained.last = logs;
            if (!(await told())) control.stop();
          },
        },
      ],
    });
    if (history.ended === "stopped") trained.ended = true;
    return history.ended;
  }

  #mean(seconds: number): EpochResult {
    const steps = this.#models.map(({ part, fit }) =>
      Math.ceil(part.train.size / (fit.batchSize ?? part.train.batchSize ?? 32)),
    );
    const costs: Costs = {
      parameters: this.#models[0]?.model.countParams() ?? 0,
      millisecondsPerStep:
        (1000 * seconds) /
        Math.max(
          1,
          steps.reduce((sum, count) => sum + count, 0),
        ),
    };
    this.#costs = costs;
    const values = this.#options.objectives.map(({ metric }) => {
      const all = this.#models.map(({ last }) => measured(metric, last, costs));
      return all.reduce((sum, value) => sum + value, 0) / all.length;
    });
    return { values, seconds };
  }

  /** All that is needed to go on from here: the bytes of `model.save` for each model. */
  async save(): Promise<Checkpoint> {
    this.#prepare();
    const models: Uint8Array[] = [];
    for (const { model, ended } of this.#models) models.push(await model.save({ extras: { ended } }));
    return { epochs: this.#epochs, models };
  }

  /** Goes on from a checkpoint, to the bit. @throws where a file cannot hold a part of the models. */
  async restore({ epochs, models }: Checkpoint): Promise<void> {
    this.#prepare();
    if (models.length !== this.#models.length) throw new RangeError("the checkpoint is of other repeats or folds");
    for (const [i, trained] of this.#models.entries()) {
      const loaded = await loadModel(models[i] ?? new Uint8Array(), this.#options.modelOptions ?? {});
      if (loaded.leftOut.length > 0) throw new RangeError(`the checkpoint lacks ${loaded.leftOut.join(", ")}`);
      await trained.model.close();
      const { ended } = loaded.extras as { readonly ended?: boolean };
      [trained.model, trained.ended] = [loaded, ended === true];
    }
    this.#epochs = epochs;
  }

  async close(): Promise<void> {
    for (const { model } of this.#models) await model.close();
    this.#models.length = 0;
  }
}

/** The model with other random numbers. */
function seeded(model: Model, seed: number | undefined): Model {
  if (seed === undefined || model.seed === seed) return model;
  return new Model(model.network, { seed, name: model.name });
}
