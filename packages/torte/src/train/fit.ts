/** The training loop: epochs of steps that run in the engine, in chunks short enough to report and to be stopped. */
import type { Executable, Session } from "../backends/backend.js";
import type { Dataset, EpochPlan } from "../data/dataset.js";
import {
  booleanOption,
  checkOptions,
  OptionError,
  positiveInteger,
  show,
  TrainingError,
  wholeNumber,
} from "../errors.js";
import type { Program } from "../graph/node.js";
import { sizeOf } from "../tensor/shape.js";
import { learningRateOption } from "../optim/optimizers.js";
import { Tensor } from "../tensor/tensor.js";
import { type Callback, checkCallbacks, inStages, type Logs, type TrainingControl } from "./callbacks.js";
import { isWatched, progress, type Verbosity, verbosity } from "./callbacks/progress.js";
import type { Compiled } from "./compiled.js";
import { findBadLayer } from "./diagnose.js";
import { checkFlag, isGuarded } from "./guards.js";
import type { EngineModel } from "./engine-model.js";
import { finishing } from "./finish.js";
import { batchSizeOf, type Data, learntFrom } from "./model-data.js";
import { Collector, validationName } from "./figures.js";
import { type ClassWeight, withClassWeight } from "./objective.js";
import { allTrainingStates, finiteProgram, trainProgram } from "./programs.js";
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
  if (signal === undefined || Object.prototype.toString.call(signal) === "[object AbortSignal]") return;
  throw new OptionError({
    where: "fit",
    problem: "signal has the wrong type",
    expected: "the signal of an AbortController",
    received: show(signal),
  });
}

/** Chunks are sized to take about this long. */
const CHUNK_MS = 100;

export class Trainer {
  readonly #model: EngineModel;
  readonly #compiled: Compiled;
  readonly #session: Session;
  readonly #options: FitOptions;
  readonly #callbacks: readonly Callback[];
  readonly #history: History;
  readonly #control: TrainingControl;
  #stopped = false;

  /** Of the copy that a chunk can be replayed from. */
  get #chunkStart(): string {
    return this.#model.snapshotName("chunk start");
  }

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
        return compiled.rate.value;
      },
      set learningRate(value) {
        compiled.rate = { value: learningRateOption("control", value), written: false };
      },
      direction: (figure) => compiled.figures.direction(figure),
    };
  }

  /** What was trained and validated on last, for the verdict. */
  #data: { train: EpochPlan | undefined; validation: EpochPlan | undefined } = {
    train: undefined,
    validation: undefined,
  };

  async run(given: Dataset): Promise<History> {
    const { epochs } = this.#control;
    const batch = batchSizeOf("fit", given, this.#options);
    const data = this.#options.shuffle === true ? given.shuffle({ seed: this.#model.seed }) : given;
    const validation =
      this.#options.validationData === undefined
        ? undefined
        : learntFrom("validationData", this.#options.validationData);
    const held = await this.#checked(validation);
    await this.#begin();
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
    return finishing(train, ends);
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

  /** The states of training, fresh the first time; a later fit goes on from where the last one ended. */
  async #begin(): Promise<void> {
    const { states, optimizer } = this.#compiled;
    await this.#session.allocate(allTrainingStates(states));
    const { course } = this.#compiled;
    if (!course.begun)
      await this.#session.write(states.random, new Tensor(Int32Array.of(this.#model.seed | 0, 0), [2], "int32"));
    course.begun = true;
    if (this.#compiled.started) return;
    this.#compiled.rate = { value: optimizer.learningRate, written: false };
    this.#compiled.started = true;
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
    const data = await this.#model.load(this.#compiled, "train", plan.columns, plan.order);
    await this.#session.write(
      states.sums,
      new Tensor(new Float32Array(sizeOf(states.sums.shape)), states.sums.shape, "float32"),
    );
    this.#collector = new Collector();
    await this.#session.write(states.badStep, new Tensor(Int32Array.of(-1), [], "int32"));
    const size = Math.min(batch, plan.order.length);
    await this.#program(data, size); // compiled before the clock starts
    await this.#each((callback) => callback.onEpochBegin?.(epoch, this.#control));
    const finished = await this.#steps(epoch, data, plan.order.length, size);
    await this.#checkWeights();
    if (!finished) return;
    const logs = await this.#compiled.figures.logs(await this.#session.read(states.sums), this.#collector);
    const measured = held === undefined ? {} : await this.#validate(held, batch);
    const all = { ...logs, ...measured };
    this.#history.epochs.push(all);
    await this.#each((callback) => callback.onEpochEnd?.(epoch, all, this.#control));
  }

  /** What the steps of the epoch bring out for its metrics. */
  #collector = new Collector();

  async #validate(held: EpochPlan, batch: number): Promise<Logs> {
    const rows = Math.min(held.order.length, Math.max(batch, 64));
    const logs = await this.#model.evaluateRows(this.#compiled, "validation", held.columns, held.order, rows);
    return Object.fromEntries(Object.entries(logs).map(([name, value]) => [validationName(name), value]));
  }

  /** All steps of an epoch; false where it was interrupted. */
  async #steps(epoch: number, data: Resident, rows: number, batch: number): Promise<boolean> {
    const steps = Math.ceil(rows / batch);
    const started = performance.now();
    const most = this.#callbacks.some((callback) => "onBatchEnd" in callback) ? 1 : Infinity;
    for (let step = 0; step < steps;) {
      const full = Math.floor(rows / batch) - step;
      const size = full > 0 ? batch : rows % batch;
      const count = full > 0 ? Math.min(this.#compiled.chunk, full, most) : 1;
      await this.#run(data, size, count);
      step += count;
      const logs = this.#compiled.figures.ofSums(await this.#session.read(this.#compiled.states.sums));
      const seconds = (performance.now() - started) / 1000;
      const progress = { epoch, step, steps, logs, examplesPerSecond: Math.min(step * batch, rows) / seconds };
      if (most === 1) await this.#each((callback) => callback.onBatchEnd?.(step - 1, logs, this.#control));
      await this.#each((callback) => callback.onProgress?.(progress, this.#control));
      if (step < steps && this.#ends()) return false;
    }
    return true;
  }

  #lastChunk: { readonly executable: Executable; readonly count: number } | undefined;

  /** A step's loss is from before its update: whether the last update was good is seen in the weights. */
  async #checkWeights(): Promise<void> {
    const session = this.#session;
    if ((await this.#badState()) === undefined || this.#lastChunk === undefined) return;
    const { executable, count } = this.#lastChunk;
    await session.restore(this.#chunkStart);
    const [done = 0] = (await session.read(this.#compiled.states.step)).data;
    let bad = await this.#badState();
    let step = 0;
    for (; bad === undefined && step < count; step++) {
      await session.run(executable);
      bad = await this.#badState();
    }
    // The weights of before the bad update are what the model is left with.
    await session.restore(this.#chunkStart);
    if (step > 1) await session.run(executable, { steps: step - 1 });
    throw new TrainingError({
      where: `step ${done + step}`,
      problem: `${bad ?? "a weight"} is not finite after the update`,
      fix: FIX,
    });
  }

  /** The first weight, or memory of the optimizer, that is not finite. */
  async #badState(): Promise<string | undefined> {
    const { states } = this.#compiled;
    const weights = [...this.#model.network.weights.values()].map(({ state }) => state);
    const slots = [...states.slots.values()].flatMap((record) => Object.values(record));
    this.#compiled.finite ??= await this.#session.compile(finiteProgram([...weights, ...slots]));
    const results = await this.#session.run(this.#compiled.finite);
    return [...weights, ...slots].find((_, i) => results[i]?.data[0] === 0)?.name;
  }

  #program(data: Resident, batch: number): Promise<Executable> {
    const { objective, optimizer, states } = this.#compiled;
    const weighted = withClassWeight(objective, this.#options.classWeight);
    const make = (resident: Resident): Program => trainProgram(weighted, optimizer, states, resident, batch);
    const classWeight = this.#options.classWeight;
    const weights = classWeight === undefined ? "" : ` ${JSON.stringify(classWeight)}`;
    return this.#model.executable(data, make, `train ${batch}${weights}`);
  }

  async #run(data: Resident, batch: number, count: number): Promise<void> {
    const { states } = this.#compiled;
    const executable = await this.#program(data, batch);
    const everything = [...allTrainingStates(states), data.cursor, data.flag, ...this.#model.weights];
    const { rate } = this.#compiled;
    if (!rate.written) await this.#session.write(states.learningRate, scalar(rate.value));
    this.#compiled.rate = { ...rate, written: true };
    const before = performance.now();
    const kept = this.#session.snapshot(this.#chunkStart, everything);
    const requests = [
      kept,
      this.#session.run(executable, { steps: count }),
      this.#session.read(states.badStep),
      isGuarded(executable.program) ? this.#session.read(data.flag) : Promise.resolve(undefined),
    ] as const;
    const [, outputs, badStep, flag] = await Promise.all(requests).catch(async (error: unknown) => {
      // Steps that failed may have changed some of the weights.
      const [snapshot] = await Promise.allSettled(requests);
      if (snapshot.status === "fulfilled") await Promise.allSettled([this.#session.restore(this.#chunkStart)]);
      throw error;
    });
    const took = performance.now() - before;
    const [bad = -1] = badStep.data;
    if (bad >= 0) await this.#fail(data, batch, bad);
    if (flag !== undefined) checkFlag(executable.program, flag);
    this.#collector.add(outputs);
    this.#lastChunk = { executable, count };
    if (count === this.#compiled.chunk) {
      const fitting = Math.round((count * CHUNK_MS) / Math.max(took, 0.1));
      this.#compiled.chunk = Math.max(1, Math.min(fitting, 4 * count));
    }
  }

  /** Names the step and, by replaying the chunk up to it, the layer where the numbers went wrong. */
  async #fail(data: Resident, batch: number, bad: number): Promise<never> {
    const { objective, states } = this.#compiled;
    await this.#session.restore(this.#chunkStart);
    const [done = 0] = (await this.#session.read(states.step)).data;
    const executable = await this.#program(data, batch);
    if (bad - 1 - done > 0) await this.#session.run(executable, { steps: bad - 1 - done });
    const layer = await findBadLayer(this.#session, objective, states, data, batch);
    throw new TrainingError({
      where: `step ${wholeNumber("fit", "step", bad)}`,
      problem: `the loss is not finite; the first number that is not comes from ${layer}`,
      fix: FIX,
    });
  }
}

const FIX = "Try a smaller learning rate, scale the inputs, or look for extreme values in the data.";

/** In full precision, for the reference backend. */
const scalar = (value: number): Tensor => new Tensor(Float64Array.of(value), [], "float64");
