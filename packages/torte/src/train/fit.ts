/** The training loop: epochs of steps that run in the engine, in chunks short enough to report and to be stopped. */
import type { Executable, Session } from "../backends/backend.js";
import type { Dataset, EpochPlan } from "../data/dataset.js";
import { booleanOption, checkOptions, OptionError, positiveInteger, show } from "../errors.js";
import type { Program } from "../graph/node.js";
import { isHostObject } from "../tensor/realm.js";
import { Tensor } from "../tensor/tensor.js";
import { type Callback, checkCallbacks, inStages, type Logs, type TrainingControl } from "./callbacks.js";
import { isWatched, progress, type Verbosity, verbosity } from "./callbacks/progress.js";
import type { Compiled } from "./compiled.js";
import { checkFlag, isGuarded } from "./guards.js";
import type { EngineModel } from "./engine-model.js";
import { finishing } from "./finish.js";
import { batchSizeOf, type Data, learntFrom } from "./model-data.js";
import { Collector, noSums, validationName } from "./figures.js";
import { type ClassWeight, withClassWeight } from "./objective.js";
import { allTrainingStates, trainProgram } from "./programs.js";
import { checkWeights, type Chunk, failedStep, type Replay } from "./replay.js";
import type { Resident } from "./resident.js";
import { History } from "./history.js";
import type { AnyModel } from "./model.js";
import { NotFiniteError } from "./not-finite.js";
import { verdictOn } from "./verdict.js";

export interface FitOptions {
  /** Passes over the data, at least 1. Default 1. */
  readonly epochs?: number;
  /** Rows in a step. Default: that of the dataset, else 32. */
  readonly batchSize?: number;
  /** Measured after every epoch. */
  readonly validationData?: Data;
  readonly callbacks?: readonly Callback[];
  /** Ends training cleanly at the next report. */
  readonly signal?: AbortSignal;
  /**
   * Weights of the classes in the loss, such as { 0: 1, 1: 5 }; of several outputs an object of those by name. In training
   * only, as in Keras: neither valLoss nor the metrics know them, so that valLoss may be below loss. Class weights of 2 for all
   * double the loss. Default 1 each.
   */
  readonly classWeight?: ClassWeight | Readonly<Record<string, ClassWeight>>;
  /** A new order of the rows in every epoch, on top of the dataset's own. Default: true for plain tensors. */
  readonly shuffle?: boolean;
  /**
   * What is printed: 0 nothing, 1 a bar for each epoch as it goes on, 2 a line for each epoch. Default: 1 where the output is a
   * terminal, else 0.
   */
  readonly verbose?: Verbosity;
}

const FIT_OPTIONS = [
  "epochs",
  "batchSize",
  "validationData",
  "callbacks",
  "signal",
  "shuffle",
  "classWeight",
  "verbose",
];

/** @throws OptionError for options that are unknown or of the wrong type; `epochs` and `batchSize` are read later. */
export function checkFitOptions(options: FitOptions): void {
  checkOptions("fit", options, FIT_OPTIONS);
  booleanOption("fit", "shuffle", options.shuffle ?? false);
  checkCallbacks("fit", options.callbacks ?? []);
  verbosity("fit", options.verbose ?? 0);
  const signal: unknown = options.signal;
  if (signal === undefined || isHostObject(signal, "AbortSignal")) return;
  throw new OptionError({
    where: "fit",
    problem: "signal has the wrong type",
    expected: "the signal of an AbortController",
    received: show(signal),
  });
}

/** Chunks are sized to take about this long. */
const CHUNK_MS = 100;

/** What training asks of data. */
export type Plans = Pick<Dataset, "batchSize" | "plan"> & Partial<Pick<Dataset, "shuffle">>;

export class Trainer {
  readonly #model: EngineModel;
  readonly #compiled: Compiled;
  readonly #session: Session;
  readonly #options: FitOptions;
  readonly #callbacks: readonly Callback[];
  readonly #history: History;
  readonly #control: TrainingControl;
  readonly #replay: Replay;
  #lastChunk: Chunk | undefined;
  #stopped = false;

  constructor(model: EngineModel, compiled: Compiled, options: FitOptions, shown: AnyModel) {
    const { session, weights } = model;
    const best = model.snapshotName("best weights");
    this.#model = model;
    this.#compiled = compiled;
    this.#session = session;
    this.#options = options;
    const verbose = options.verbose ?? (isWatched() ? 1 : 0);
    const told = verbose === 0 ? [] : [progress({ verbose })];
    this.#callbacks = inStages([...told, ...(options.callbacks ?? [])]);
    this.#history = new History(verdictOn(model, compiled, () => this.#data));
    let kept: number | undefined;
    this.#replay = { session, compiled, snapshot: model.snapshotName("chunk start") };
    const rate = compiled.learningRate;
    this.#control = {
      model: shown,
      epochs: positiveInteger("fit", "epochs", options.epochs ?? 1),
      stop: () => {
        this.#stopped = true;
      },
      keepWeights: () => {
        kept = this.#history.epochs.length - 1;
        return session.snapshot(best, weights);
      },
      restoreWeights: () => {
        this.#history.restoredEpoch = kept;
        return session.restore(best);
      },
      get learningRate() {
        return rate.value;
      },
      set learningRate(value) {
        rate.value = value;
      },
      direction: (figure) => compiled.figures.direction(figure),
    };
  }

  /** What was trained and validated on last, for the verdict. */
  #data: { train: EpochPlan | undefined; validation: EpochPlan | undefined } = {
    train: undefined,
    validation: undefined,
  };

  async run(given: Plans): Promise<History> {
    const { epochs } = this.#control;
    const batch = batchSizeOf("fit", given, this.#options);
    const { shuffle } = this.#options;
    const data = (shuffle === true ? given.shuffle?.({ seed: this.#model.seed }) : undefined) ?? given;
    const validation =
      this.#options.validationData === undefined
        ? undefined
        : learntFrom("validationData", this.#options.validationData);
    const held = await this.#checked(validation);
    await this.#compiled.begin(this.#session, this.#model.seed);
    const train = async (): Promise<History> => {
      await this.#each((callback) => callback.onTrainBegin?.(this.#control));
      for (let epoch = 0; epoch < epochs && !this.#ends(); epoch++) {
        // Orders go on where the last fit has ended, as the layers' random numbers do.
        const plan = await data.plan(this.#compiled.course.epochs++);
        this.#data = { train: plan, validation: held };
        await this.#epoch(epoch, plan, batch, held).catch((error: unknown) => this.#failed(error));
      }
      return this.#history;
    };
    const ends = this.#callbacks.map((callback) => () => callback.onTrainEnd?.(this.#control));
    return finishing(train, [() => this.#swap("shown"), ...ends]);
  }

  /** Numbers that are not finite end training with an error, unless a callback ends it before. */
  async #failed(error: unknown): Promise<void> {
    if (!(error instanceof NotFiniteError)) throw error;
    await this.#each((callback) => callback.onNotFinite?.(error.failure, this.#control));
    if (!this.#stopped) throw error;
    [this.#history.ended, this.#history.failure] = ["stopped", error.failure];
  }

  async #checked(validation: Dataset | undefined): Promise<EpochPlan | undefined> {
    const plan = await validation?.plan(0);
    if (plan !== undefined) this.#model.check(this.#compiled, plan.columns, { part: " of validationData" });
    return plan;
  }

  #ends(): boolean {
    if (this.#options.signal?.aborted === true) this.#history.ended = "aborted";
    else if (this.#stopped) this.#history.ended = "stopped";
    else return false;
    return true;
  }

  async #each(call: (callback: Callback) => void | Promise<void> | undefined): Promise<void> {
    for (const callback of this.#callbacks) await call(callback);
  }

  async #epoch(epoch: number, plan: EpochPlan, batch: number, held: EpochPlan | undefined): Promise<void> {
    this.#model.check(this.#compiled, plan.columns, { values: false });
    const { states } = this.#compiled;
    const { columns, order } = plan;
    const data = await this.#model.load({ compiled: this.#compiled, name: "train", columns, order, request: this });
    await this.#session.write(states.sums, noSums(states.sums));
    this.#collector = new Collector();
    await this.#session.write(states.badStep, whole(-1));
    await this.#openWindow(plan.order.length);
    const size = Math.min(batch, plan.order.length);
    await this.#program(data, size); // compiled before the clock starts
    await this.#each((callback) => callback.onEpochBegin?.(epoch, this.#control));
    await this.#swap("raw");
    const finished = await this.#steps(epoch, data, plan.order.length, size);
    if (this.#lastChunk !== undefined) await checkWeights(this.#replay, this.#lastChunk);
    await this.#swap("shown");
    if (!finished) return;
    const logs = await this.#compiled.figures.logs(await this.#session.read(states.sums), this.#collector);
    const measured = held === undefined ? {} : await this.#validate(held, batch);
    const all = { ...logs, ...measured };
    this.#history.epochs.push(all);
    await this.#each((callback) => callback.onEpochEnd?.(epoch, all, this.#control));
  }

  /** What the steps of the epoch bring out for its metrics. */
  #collector = new Collector();

  /** Windows of accumulated gradients begin and end with the epoch. */
  async #openWindow(rows: number): Promise<void> {
    const { window } = this.#compiled.states.optimizer;
    if (window === undefined) return;
    await this.#session.write(window.filled, whole(0));
    await this.#session.write(window.epochEnd, whole(rows));
  }

  #inPlace: "shown" | "raw" = "shown";

  /** Between epochs the model shows averages of its weights, where the optimizer keeps some. */
  async #swap(to: "shown" | "raw"): Promise<void> {
    if (this.#inPlace === to) return;
    await this.#compiled.swap(this.#session, to);
    this.#inPlace = to;
  }

  async #validate(held: EpochPlan, batch: number): Promise<Logs> {
    const rows = Math.min(held.order.length, Math.max(batch, 64));
    const { columns, order } = held;
    const given = { compiled: this.#compiled, name: "validation", columns, order, request: this } as const;
    const logs = await this.#model.evaluateRows(given, rows);
    return Object.fromEntries(Object.entries(logs).map(([name, value]) => [validationName(name), value]));
  }

  /** All steps of an epoch; false where it was interrupted. */
  async #steps(epoch: number, data: Resident, rows: number, batch: number): Promise<boolean> {
    const steps = Math.ceil(rows / batch);
    const started = performance.now();
    const isHeard = this.#callbacks.some((callback) => "onBatchEnd" in callback);
    const most = isHeard ? 1 : this.#compiled.learningRate.most;
    for (let step = 0; step < steps;) {
      const full = Math.floor(rows / batch) - step;
      const size = full > 0 ? batch : rows % batch;
      const count = full > 0 ? Math.min(this.#compiled.chunk, full, most) : 1;
      await this.#run(data, size, count);
      step += count;
      const logs = this.#compiled.figures.ofSums(await this.#session.read(this.#compiled.states.sums));
      const seconds = (performance.now() - started) / 1000;
      const progress = { epoch, step, steps, logs, examplesPerSecond: Math.min(step * batch, rows) / seconds };
      if (isHeard) await this.#each((callback) => callback.onBatchEnd?.(step - 1, logs, this.#control));
      await this.#each((callback) => callback.onProgress?.(progress, this.#control));
      if (step < steps && this.#ends()) return false;
    }
    return true;
  }

  #program(data: Resident, batch: number): Promise<Executable> {
    const { objective, optimizer, trained, states, id } = this.#compiled;
    const { classWeight } = this.#options;
    const make = (resident: Resident): Program => {
      const weighted = withClassWeight(objective, classWeight);
      return trainProgram({ objective: weighted, optimizer, trained, states }, resident, batch);
    };
    const weights = classWeight === undefined ? "" : ` ${JSON.stringify(classWeight)}`;
    return this.#model.executable(data, make, `train ${batch} ${id}${weights}`);
  }

  async #run(data: Resident, batch: number, count: number): Promise<void> {
    const { states, learningRate } = this.#compiled;
    const executable = await this.#program(data, batch);
    const everything = [...allTrainingStates(states), data.cursor, data.flag, ...this.#model.weights];
    await learningRate.settle(this.#session);
    const before = performance.now();
    const rates = learningRate.writes(count);
    if (rates.length > 0) await Promise.all(rates.map(({ state, value }) => this.#session.write(state, value)));
    const requests = [
      this.#session.snapshot(this.#replay.snapshot, everything),
      this.#session.run(executable, { steps: count }),
      this.#session.read(states.badStep),
      this.#session.read(states.optimizer.step),
      isGuarded(executable.program) ? this.#session.read(data.flag) : Promise.resolve(undefined),
    ] as const;
    const [, outputs, badStep, updates, flag] = await Promise.all(requests).catch(async (error: unknown) => {
      // Steps that failed may have changed some of the weights.
      const [snapshot] = await Promise.allSettled(requests);
      if (snapshot.status === "fulfilled") await Promise.allSettled([this.#session.restore(this.#replay.snapshot)]);
      throw error;
    });
    const took = performance.now() - before;
    const chunk = { executable, data, batch, count };
    const [bad = -1] = badStep.data;
    if (bad >= 0) await failedStep(this.#replay, chunk, bad);
    if (flag !== undefined) checkFlag(executable.program, flag);
    this.#collector.add(outputs);
    learningRate.updates = updates.data[0] ?? 0;
    this.#lastChunk = chunk;
    if (count === this.#compiled.chunk) {
      const fitting = Math.round((count * CHUNK_MS) / Math.max(took, 0.1));
      this.#compiled.chunk = Math.max(1, Math.min(fitting, 4 * count));
    }
  }
}

const whole = (value: number): Tensor => new Tensor(Int32Array.of(value), [], "int32");
