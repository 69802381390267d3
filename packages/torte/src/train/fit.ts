/** The training loop: epochs of steps that run in the engine, in chunks short enough to report and to be stopped. */
import type { Executable, Session } from "../backends/backend.js";
import type { Columns, EpochPlan } from "../data/dataset.js";
import { booleanOption, checkOptions, numberIn, OptionError, positiveInteger, show, wholeNumber } from "../errors.js";
import type { Program } from "../graph/node.js";
import { isHostObject } from "../tensor/realm.js";
import { Tensor } from "../tensor/tensor.js";
import { type Callback, checkCallbacks, inStages, type Logs, type TrainingControl } from "./callbacks.js";
import { isWatched, progress, type Verbosity, verbosity } from "./callbacks/progress.js";
import type { Compiled } from "./compiled.js";
import { checkFlag, isGuarded } from "./guards.js";
import type { EngineModel } from "./engine-model.js";
import { finishing } from "./finish.js";
import { type EpochFeed, type Feed, NEVER, type Plans, type Portion, ResidentFeed } from "./feed.js";
import { batchSizeOf, type Data, inBatches, learntFrom, planInOrder, type Rows, type Sorted } from "./model-data.js";
import { Collector, noSums, validationName } from "./figures.js";
import type { Objective } from "./measure.js";
import { type ClassWeight, withClassWeight } from "./objective.js";
import { allTrainingStates, trainProgram } from "./programs.js";
import { checkWeights, type Chunk, failedStep, type Replay } from "./replay.js";
import { arrival, type Resident } from "./resident.js";
import { History } from "./history.js";
import type { AnyModel } from "./model.js";
import { NotFiniteError } from "./not-finite.js";
import { verdictOn } from "./verdict.js";

export interface FitOptions {
  /** The number of the last epoch, at least 1: as many passes over the data, where training begins with the first. Default 1. */
  readonly epochs?: number;
  /** Epochs that have been done before: training begins with the one behind them. Below `epochs`. Default 0. */
  readonly initialEpoch?: number;
  /** Rows in a step. Default: that of the dataset, else 32. The batches of a stream are as they come. */
  readonly batchSize?: number;
  /**
   * Steps that make an epoch, at least 1; the next one goes on behind them, and from the start where the data has come to its
   * end. Default: all that the data has.
   */
  readonly stepsPerEpoch?: number;
  /** Measured after every epoch: a Dataset, `{ x, y }`, `[x, y]`, `[x, y, sampleWeight]`, or a stream of such batches. */
  readonly validationData?: Data;
  /** Share of the rows that is held back for validation, above 0 and below 1: the last ones, before shuffling. Default none. */
  readonly validationSplit?: number;
  /** Batches of the validation data that are measured, at least 1. Default: all. */
  readonly validationSteps?: number;
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
  "initialEpoch",
  "batchSize",
  "stepsPerEpoch",
  "validationData",
  "validationSplit",
  "validationSteps",
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
  checkEpochs(options);
  const signal: unknown = options.signal;
  if (signal === undefined || isHostObject(signal, "AbortSignal")) return;
  throw new OptionError({
    where: "fit",
    problem: "signal has the wrong type",
    expected: "the signal of an AbortController",
    received: show(signal),
  });
}

function checkEpochs({ epochs = 1, initialEpoch = 0, ...options }: FitOptions): void {
  const { stepsPerEpoch, validationData, validationSplit, validationSteps } = options;
  wholeNumber("fit", "initialEpoch", initialEpoch);
  if (stepsPerEpoch !== undefined) positiveInteger("fit", "stepsPerEpoch", stepsPerEpoch);
  if (validationSteps !== undefined) positiveInteger("fit", "validationSteps", validationSteps);
  if (validationSplit !== undefined) numberIn("fit", "validationSplit", validationSplit, { above: 0, below: 1 });
  if (initialEpoch >= positiveInteger("fit", "epochs", epochs))
    throw new OptionError({
      where: "fit",
      problem: "no epoch is left",
      expected: `epochs above initialEpoch, ${initialEpoch}`,
      received: String(epochs),
      fix: "epochs is the number of the last epoch, not of those to come.",
    });
  const both = validationData !== undefined && validationSplit !== undefined;
  const none = validationSteps !== undefined && validationData === undefined && validationSplit === undefined;
  if (both || none)
    throw new OptionError({
      where: "fit",
      problem: both ? "validationData and validationSplit exclude each other" : "validationSteps is given without data",
      expected: both ? "one of them" : "validationData",
    });
}

/** Chunks are sized to take about this long. */
const CHUNK_MS = 100;

export type { Plans } from "./feed.js";

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
    const initialEpoch = options.initialEpoch ?? 0;
    this.#history = new History(
      verdictOn(model, compiled, () => this.#data),
      initialEpoch,
    );
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
        kept = initialEpoch + this.#history.epochs.length - 1;
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
      figures: compiled.figures.names(options.validationData !== undefined || options.validationSplit !== undefined),
    };
  }

  /** What was trained and validated on last, for the verdict. */
  #data: { train: EpochPlan | undefined; validation: EpochPlan | undefined } = {
    train: undefined,
    validation: undefined,
  };

  async run(given: Sorted<Plans, Rows>): Promise<History> {
    const { epochs } = this.#control;
    const { initialEpoch = 0, validationData } = this.#options;
    const [feed, batch] = this.#feed(given);
    const held = validationData === undefined ? undefined : await this.#heldBack(validationData, batch);
    await this.#compiled.begin(this.#session, this.#model.seed);
    const train = async (): Promise<History> => {
      await this.#each((callback) => callback.onTrainBegin?.(this.#control));
      for (let epoch = initialEpoch; epoch < epochs && !this.#ends(); epoch++) {
        // Orders go on where the last fit has ended, as the layers' random numbers do.
        this.#compiled.course.epochs++;
        await this.#epoch(epoch, feed, held).catch((error: unknown) => this.#failed(error));
      }
      return this.#history;
    };
    const ends = this.#callbacks.map((callback) => () => callback.onTrainEnd?.(this.#control));
    return finishing(train, [() => feed.close(), () => this.#swap("shown"), ...ends]);
  }

  /** Where the steps come from, and how many rows they have where that is settled. */
  #feed({ stream, whole: given }: Sorted<Plans, Rows>): [feed: Feed, batch: number | undefined] {
    const { shuffle, signal, batchSize, initialEpoch, stepsPerEpoch } = this.#options;
    const size = batchSize === undefined ? {} : { batchSize };
    const [model, compiled] = [this.#model, this.#compiled];
    if (stream !== undefined) {
      if (shuffle === true) refuseForStreams("shuffle", "Shuffle where the batches are made.");
      const ahead = compiled.states.optimizer.window !== undefined;
      const feed = model.stream(compiled, "train", inBatches("fit", stream, size), {
        where: "fit",
        signal,
        initialEpoch,
        stepsPerEpoch,
        ahead,
      });
      return [feed, undefined];
    }
    const batch = batchSizeOf("fit", given, this.#options);
    const data = (shuffle === true ? given.shuffle?.({ seed: model.seed }) : undefined) ?? given;
    const plan = async (pass: number): Promise<EpochPlan> =>
      planInOrder(await data.plan(pass), model.names(compiled), "fit");
    const firstPass = compiled.course.epochs;
    const load = ({ columns, order }: EpochPlan): Promise<Resident> => {
      model.check(compiled, columns, { values: false });
      return model.load({ compiled, name: "train", columns, order, request: this });
    };
    return [new ResidentFeed(plan, { batch, firstPass, initialEpoch, stepsPerEpoch, load }), batch];
  }

  /** Numbers that are not finite end training with an error, unless a callback ends it before. */
  async #failed(error: unknown): Promise<void> {
    if (!(error instanceof NotFiniteError)) throw error;
    await this.#each((callback) => callback.onNotFinite?.(error.failure, this.#control));
    if (!this.#stopped) throw error;
    [this.#history.ended, this.#history.failure] = ["stopped", error.failure];
  }

  /** What measures the validation data, which has been looked at; undefined where the run has been aborted meanwhile. */
  async #heldBack(given: Data, batch: number | undefined): Promise<HeldBack> {
    const { validationSteps: steps, signal } = this.#options;
    const [model, compiled] = [this.#model, this.#compiled];
    const where = "validationData";
    const { stream, whole: validation } = learntFrom(where, given);
    if (stream !== undefined)
      return {
        measure: (pass) =>
          model.evaluateStream(compiled, "validation", inBatches(where, stream, {}), { where, steps, signal, pass }),
      };
    const plan = planInOrder(await validation.plan(0), model.names(compiled), where);
    model.check(compiled, plan.columns, { part: " of validationData" });
    const { columns, order } = plan;
    const size = batchSizeOf("fit", validation, batch === undefined ? {} : { batchSize: batch });
    const seen = steps === undefined ? order : firstBatches("fit", order, { validationSteps: steps }, size);
    const rows = steps === undefined ? Math.min(order.length, Math.max(size, 64)) : size;
    const data = { compiled, name: "validation", columns, order: seen, request: this } as const;
    return { plan, measure: () => model.evaluateRows(data, rows) };
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

  async #epoch(epoch: number, feed: Feed, held: HeldBack | undefined): Promise<void> {
    const { states } = this.#compiled;
    const steps = await feed.open(epoch);
    this.#data = { train: feed.plan, validation: held?.plan };
    const first = await steps.next(this.#most);
    if (first === undefined) return; // aborted
    await this.#session.write(states.sums, noSums(states.sums));
    this.#collector = this.#compiled.figures.collector();
    await this.#session.write(states.badStep, whole(-1));
    await this.#openWindow();
    await this.#program(first.data, first.batch); // compiled before the clock starts
    await this.#each((callback) => callback.onEpochBegin?.(epoch, this.#control));
    await this.#swap("raw");
    const finished = await this.#steps(epoch, steps, first);
    if (this.#lastChunk !== undefined) await checkWeights(this.#replay, this.#lastChunk);
    await this.#swap("shown");
    if (!finished) return;
    const logs = await this.#compiled.figures.logs(await this.#session.read(states.sums), this.#collector);
    const measured = held === undefined ? {} : await held.measure(epoch);
    if (measured === undefined) return; // aborted
    const all = { ...logs, ...named(measured) };
    this.#history.epochs.push(all);
    this.#compiled.course.history.push(all);
    await this.#each((callback) => callback.onEpochEnd?.(epoch, all, this.#control));
  }

  /**
   * One step over one batch, which belongs to no epoch: windows of accumulated gradients go on.
   *
   * @throws as run does.
   */
  async step(columns: Columns): Promise<Logs> {
    const { states, figures } = this.#compiled;
    this.#model.check(this.#compiled, columns);
    await this.#compiled.begin(this.#session, this.#model.seed);
    const batch = columns.x[0]?.shape[0] ?? 1;
    const data = await this.#model.room("train batch", columns, batch);
    await this.#session.write(states.sums, noSums(states.sums));
    await this.#session.write(states.badStep, whole(-1));
    const train = async (): Promise<Logs> => {
      await this.#swap("raw");
      await this.#run({ data, batch, count: 1, writes: arrival(data, columns), end: NEVER });
      if (this.#lastChunk !== undefined) await checkWeights(this.#replay, this.#lastChunk);
      return figures.logs(await this.#session.read(states.sums), this.#collector);
    };
    return finishing(train, [() => this.#swap("shown")]);
  }

  /** What the steps of the epoch bring out for its metrics. */
  #collector = new Collector([]);

  /** Windows of accumulated gradients begin and end with the epoch. */
  async #openWindow(): Promise<void> {
    const { window } = this.#compiled.states.optimizer;
    if (window !== undefined) await this.#session.write(window.filled, whole(0));
  }

  #inPlace: "shown" | "raw" = "shown";

  /** Between epochs the model shows averages of its weights, where the optimizer keeps some. */
  async #swap(to: "shown" | "raw"): Promise<void> {
    if (this.#inPlace === to) return;
    await this.#compiled.swap(this.#session, to);
    this.#inPlace = to;
  }

  get #isHeard(): boolean {
    return this.#callbacks.some((callback) => "onBatchEnd" in callback);
  }

  /** Steps that may follow each other without JavaScript in between. */
  get #most(): number {
    return this.#isHeard ? 1 : Math.min(this.#compiled.chunk, this.#compiled.learningRate.most);
  }

  /** All steps of an epoch from the first on; false where it was interrupted. */
  async #steps(epoch: number, feed: EpochFeed, first: Portion): Promise<boolean> {
    const { figures, states } = this.#compiled;
    const started = performance.now();
    let [step, rows] = [0, 0];
    for (let portion: Portion | undefined = first; portion !== undefined;) {
      await this.#run(portion);
      step += portion.count;
      rows += portion.count * portion.batch;
      const logs = figures.ofSums(await this.#session.read(states.sums));
      const seconds = (performance.now() - started) / 1000;
      const progress = { epoch, step, steps: feed.steps, logs, examplesPerSecond: rows / seconds };
      const done = step;
      if (this.#isHeard) await this.#each((callback) => callback.onBatchEnd?.(done - 1, logs, this.#control));
      await this.#each((callback) => callback.onProgress?.(progress, this.#control));
      if (step === feed.steps) return true;
      if (feed.steps !== undefined && this.#ends()) return false;
      portion = await feed.next(this.#most);
      if (portion !== undefined && this.#ends()) return false;
    }
    return this.#options.signal?.aborted !== true;
  }

  /** What the steps are for. */
  readonly #objective = (data: Resident): Objective =>
    withClassWeight(this.#model.objectiveFor(this.#compiled, data), this.#options.classWeight);

  #program(data: Resident, batch: number): Promise<Executable> {
    const { optimizer, trained, states, id } = this.#compiled;
    const { classWeight } = this.#options;
    const make = (resident: Resident): Program =>
      trainProgram({ objective: this.#objective(resident), optimizer, trained, states }, resident, batch);
    const weights = classWeight === undefined ? "" : ` ${JSON.stringify(classWeight)}`;
    return this.#model.executable(data, make, `train ${batch} ${id}${weights}`);
  }

  async #run({ data, batch, count, writes, end }: Portion): Promise<void> {
    const { states, learningRate } = this.#compiled;
    const { window } = states.optimizer;
    const executable = await this.#program(data, batch);
    const everything = [...allTrainingStates(states), data.cursor, data.flag, ...this.#model.weights];
    await learningRate.settle(this.#session);
    const before = performance.now();
    const ends = window === undefined ? [] : [{ state: window.epochEnd, value: whole(end) }];
    const sent = [...writes, ...ends, ...learningRate.writes(count)];
    const arrived = Promise.all(sent.map(({ state, value }) => this.#session.write(state, value)));
    const requests = [
      this.#session.snapshot(this.#replay.snapshot, everything),
      this.#session.run(executable, { steps: count }),
      this.#session.read(states.badStep),
      this.#session.read(states.optimizer.step),
      isGuarded(executable.program) ? this.#session.read(data.flag) : Promise.resolve(undefined),
    ] as const;
    const [, outputs, badStep, updates, flag] = await Promise.all([...requests, arrived]).catch(
      async (error: unknown) => {
        // Steps that failed may have changed some of the weights.
        const [snapshot] = await Promise.allSettled(requests);
        if (snapshot.status === "fulfilled") await Promise.allSettled([this.#session.restore(this.#replay.snapshot)]);
        throw error;
      },
    );
    const took = performance.now() - before;
    const chunk = { executable, objective: this.#objective(data), data, batch, count };
    const [bad = -1] = badStep.data;
    if (bad >= 0) await failedStep(this.#replay, chunk, bad);
    if (flag !== undefined) checkFlag(executable.program, flag);
    await this.#collector.add(outputs);
    learningRate.updates = updates.data[0] ?? 0;
    this.#lastChunk = chunk;
    if (count === this.#compiled.chunk) {
      const fitting = Math.round((count * CHUNK_MS) / Math.max(took, 0.1));
      this.#compiled.chunk = Math.max(1, Math.min(fitting, 4 * count));
    }
  }
}

/** Validation data: its rows, where they are known, and what measures it. */
interface HeldBack {
  readonly plan?: EpochPlan;
  /** The figures, by the names that they have of training data; undefined where the run has been aborted. */
  readonly measure: (pass: number) => Promise<Logs | undefined>;
}

const named = (logs: Logs): Logs =>
  Object.fromEntries(Object.entries(logs).map(([name, value]) => [validationName(name), value]));

/** The rows of the first batches. @throws OptionError where there are not as many as the option says. */
export function firstBatches(
  where: string,
  order: Int32Array,
  option: Readonly<Record<string, number>>,
  batch: number,
): Int32Array {
  const there = Math.ceil(order.length / batch);
  const [name = "", steps = 0] = Object.entries(option)[0] ?? [];
  if (steps <= there) return order.subarray(0, steps * batch);
  const expected = `at most ${there}, as the data has`;
  throw new OptionError({ where, problem: `${name} is out of range`, expected, received: String(steps) });
}

function refuseForStreams(option: string, fix: string): never {
  throw new OptionError({ where: "fit", problem: `${option} is for rows, and the data is a stream`, fix });
}

const whole = (value: number): Tensor => new Tensor(Int32Array.of(value), [], "int32");
