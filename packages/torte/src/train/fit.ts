/** The training loop: epochs of steps that run in the engine, in chunks short enough to report and to be stopped. */
import type { Executable, Session } from "../backends/backend.js";
import type { Columns, EpochPlan } from "../data/dataset.js";
import { OptionError, positiveInteger } from "../errors.js";
import type { Program } from "../graph/node.js";
import { Tensor } from "../tensor/tensor.js";
import type { FitCheckpoints } from "./checkpoint/fit-checkpoints.js";
import type { Place } from "./checkpoint/record.js";
import { type Callback, inStages, type Logs, type TrainingControl } from "./callbacks.js";
import { isWatched } from "./callbacks/verbosity.js";
import type { TrainingSetup } from "./training-setup.js";
import { checkFlag, isGuarded } from "./guards.js";
import type { EngineModel } from "./engine-model.js";
import { finishing } from "./finish.js";
import type { FitOptions } from "./fit-options.js";
import { type EpochFeed, type Feed, NEVER, type Plans, type Portion, ResidentFeed } from "./feed.js";
import {
  batchSizeOf,
  type Data,
  inBatches,
  isSpent,
  learntFrom,
  planInOrder,
  type Rows,
  type Sorted,
} from "./model-data.js";
import { Collector, noSums, validationName } from "./figures.js";
import type { Objective } from "./measure.js";
import { withClassWeight } from "./objective.js";
import { allTrainingStates, trainProgram } from "./programs.js";
import { checkWeights, type Chunk, failedStep, type Replay } from "./replay.js";
import { arrival, type Resident } from "./resident.js";
import { History } from "./history.js";
import type { AnyModel } from "./model.js";
import { NotFiniteError } from "./not-finite.js";
import type { RunData } from "./verdict.js";

/** Chunks are sized to take about this long. */
const CHUNK_MS = 100;

export class Trainer {
  readonly #model: EngineModel;
  readonly #compiled: TrainingSetup;
  readonly #session: Session;
  readonly #options: FitOptions;
  #callbacks: readonly Callback[];
  readonly #history: History;
  readonly #control: TrainingControl;
  readonly #replay: Replay;
  readonly #best: string;
  #checkpoints: FitCheckpoints | undefined;
  #lastChunk: Chunk | undefined;
  #stopped = false;
  /** The pass over the data that the run begins with. */
  #firstPass = 0;
  /** What comes next: a step of an epoch. */
  #place: Place = { epoch: 0, step: 0 };
  /** Epoch of the weights that have been kept last, and how often some have been. */
  #kept: { readonly epoch: number | undefined; readonly count: number } = { epoch: undefined, count: 0 };

  constructor(model: EngineModel, compiled: TrainingSetup, options: FitOptions, shown: AnyModel) {
    const { session, weights } = model;
    this.#best = model.snapshotName("best weights");
    this.#model = model;
    this.#compiled = compiled;
    this.#session = session;
    this.#options = options;
    this.#callbacks = inStages(options.callbacks ?? []);
    const initialEpoch = options.initialEpoch ?? 0;
    this.#history = new History(
      {
        direction: (figure) => compiled.figures.direction(figure),
        evidence: async () => (await import("./verdict.js")).evidenceOn(model, compiled, this.#data),
      },
      initialEpoch,
    );
    this.#replay = { session, compiled, snapshot: model.snapshotName("chunk start") };
    const rate = compiled.learningRate;
    this.#control = {
      model: shown,
      epochs: positiveInteger("fit", "epochs", options.epochs ?? 1),
      stop: () => {
        this.#stopped = true;
      },
      keepWeights: async () => {
        this.#kept = { epoch: initialEpoch + this.#history.epochs.length - 1, count: this.#kept.count + 1 };
        await this.#checkpoints?.bestIsFree();
        await session.snapshot(this.#best, weights);
      },
      restoreWeights: () => {
        this.#history.restoredEpoch = this.#kept.epoch;
        return session.restore(this.#best);
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
  #data: RunData = { train: undefined, validation: undefined };

  async run(given: Sorted<Plans, Rows>): Promise<History> {
    const { epochs } = this.#control;
    const { initialEpoch = 0, validationData, verbose = isWatched() ? 1 : 0 } = this.#options;
    if (verbose !== 0) {
      const { progress } = await import("./callbacks/progress.js");
      this.#callbacks = inStages([progress({ verbose }), ...this.#callbacks]);
    }
    const rows = this.#rows(given);
    const held = validationData === undefined ? undefined : await this.#heldBack(validationData, rows?.batch);
    await this.#compiled.begin(this.#session, this.#model.seed);
    this.#place = { epoch: initialEpoch, step: 0 };
    await this.#openCheckpoints(given, rows, held);
    const feed = await this.#feed(given, rows);
    const train = async (): Promise<History> => {
      await this.#each((callback) => callback.onTrainBegin?.(this.#control));
      await this.#resume();
      while (this.#place.epoch < epochs && !this.#ends()) {
        // Orders go on where the last fit has ended, as the layers' random numbers do.
        this.#compiled.course.epochs++;
        await this.#epoch(feed, held).catch((error: unknown) => this.#failed(error));
      }
      await this.#lastCheckpoint();
      return this.#history;
    };
    const ends = this.#callbacks.map((callback) => () => callback.onTrainEnd?.(this.#control));
    return finishing(train, [() => feed.close(), () => this.#swap("shown"), ...ends, () => this.#checkpoints?.close()]);
  }

  /** Of data that is all there: the rows of a step, and all rows in the order of each pass. */
  #rows({ whole: given }: Sorted<Plans, Rows>): RowPlans | undefined {
    if (given === undefined) return undefined;
    const { shuffle } = this.#options;
    const data = (shuffle === true ? given.shuffle?.({ seed: this.#model.seed }) : undefined) ?? given;
    const names = this.#model.names(this.#compiled);
    const plan = async (pass: number): Promise<EpochPlan> => planInOrder(await data.plan(pass), names, "fit");
    return { batch: batchSizeOf("fit", given, this.#options), plan };
  }

  /** What the run goes on from is read, and the folder that it writes to is opened, where that is asked for. */
  async #openCheckpoints(
    { stream }: Sorted<Plans, Rows>,
    rows: RowPlans | undefined,
    held: HeldBack | undefined,
  ): Promise<void> {
    const { checkpoint, resume, classWeight, initialEpoch, stepsPerEpoch, validationSteps } = this.#options;
    this.#firstPass = this.#compiled.course.epochs;
    if (checkpoint === undefined && resume === undefined) return;
    if (stream !== undefined && isSpent(stream)) {
      throw new OptionError({
        where: `fit, ${resume === undefined ? "checkpoint" : "resume"}`,
        problem: "the stream cannot be gone through again, which going on from a checkpoint takes",
        fix: "Give a function that returns a new one, such as the generator function itself.",
      });
    }
    const { FitCheckpoints } = await import("./checkpoint/fit-checkpoints.js");
    this.#checkpoints = await FitCheckpoints.open(
      {
        ...(checkpoint === undefined ? {} : { checkpoint }),
        ...(resume === undefined ? {} : { resume }),
      },
      {
        model: this.#model,
        compiled: this.#compiled,
        shown: this.#control.model,
        callbacks: this.#callbacks,
        data: rows === undefined ? "stream" : await rows.plan(0),
        batchSize: rows?.batch ?? this.#options.batchSize,
        validation: held === undefined ? undefined : (held.plan ?? "stream"),
        options: { classWeight, initialEpoch, stepsPerEpoch, validationSteps },
      },
    );
    this.#firstPass = this.#checkpoints.from?.firstPass ?? this.#firstPass;
  }

  /** Everything as it was when the checkpoint was made. */
  async #resume(): Promise<void> {
    const { from } = this.#checkpoints ?? {};
    if (from === undefined) return;
    const { course, learningRate } = this.#compiled;
    this.#collector = this.#compiled.figures.collector(await this.#checkpoints?.restore());
    await learningRate.reload(this.#session);
    const { place, inPlace, stopped, history, earlier, kept } = from;
    course.epochs = this.#firstPass + place.epoch - this.#history.initialEpoch;
    course.history.splice(0, course.history.length, ...earlier, ...history);
    this.#history.epochs.push(...history);
    [this.#place, this.#inPlace, this.#stopped] = [place, inPlace, this.#stopped || stopped];
    this.#saved = place;
    if (kept !== null) this.#kept = { epoch: kept, count: 1 };
  }

  /** A checkpoint of what is in the engine now, unless it holds numbers that are not finite. */
  async #checkpoint(): Promise<void> {
    if (this.#checkpoints?.isWriting !== true) return;
    if (this.#lastChunk !== undefined) await checkWeights(this.#replay, this.#lastChunk);
    await this.#compiled.learningRate.settle(this.#session);
    const { course } = this.#compiled;
    const { epochs } = this.#history;
    const progress = {
      place: this.#place,
      firstPass: this.#firstPass,
      inPlace: this.#inPlace,
      stopped: this.#stopped,
      history: epochs,
      earlier: course.history.slice(0, course.history.length - epochs.length),
      kept: this.#kept.epoch ?? null,
    };
    const collected = this.#place.step === 0 ? [] : await this.#collector.all();
    await this.#checkpoints.take(progress, collected, this.#kept.count);
    this.#saved = this.#place;
  }

  /** Where in the run the last checkpoint is. */
  #saved: Place | undefined;

  /** At the end, whatever has ended the run, but for numbers that are not finite. */
  async #lastCheckpoint(): Promise<void> {
    if (this.#saved !== this.#place && this.#history.failure === undefined) await this.#checkpoint();
  }

  /** Where the steps come from. */
  async #feed({ stream }: Sorted<Plans, Rows>, rows: RowPlans | undefined): Promise<Feed> {
    const { shuffle, signal, batchSize, initialEpoch, stepsPerEpoch } = this.#options;
    const size = batchSize === undefined ? {} : { batchSize };
    const [model, compiled, firstPass] = [this.#model, this.#compiled, this.#firstPass];
    if (stream !== undefined) {
      if (shuffle === true) refuseForStreams("shuffle", "Shuffle where the batches are made.");
      const ahead = compiled.states.optimizer.window !== undefined;
      const batches = inBatches("fit", stream, size);
      return model.stream(compiled, "train", batches, { where: "fit", signal, initialEpoch, stepsPerEpoch, ahead });
    }
    if (rows === undefined) throw new RangeError("there is no data");
    const { batch, plan } = rows;
    const load = ({ columns, order }: EpochPlan): Promise<Resident> => {
      model.check(compiled, columns, { values: false });
      return model.load({ compiled, name: "train", columns, order, request: this });
    };
    return new ResidentFeed(plan, { batch, firstPass, initialEpoch, stepsPerEpoch, load });
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
    await model.checkAll(compiled, plan.columns, " of validationData");
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

  async #epoch(feed: Feed, held: HeldBack | undefined): Promise<void> {
    const { states } = this.#compiled;
    const { epoch, step } = this.#place;
    const steps = await feed.open(epoch, step);
    this.#data = { train: feed.plan, validation: held?.plan };
    const first = await steps.next(this.#most);
    if (first === undefined && (step === 0 || this.#ends())) return; // aborted
    if (first !== undefined) await this.#program(first.data, first.batch); // compiled before the clock starts
    if (step === 0) await this.#begin(epoch);
    await this.#swap("raw");
    const sums = first === undefined ? await this.#session.read(states.sums) : await this.#steps(steps, first);
    if (this.#lastChunk !== undefined) await checkWeights(this.#replay, this.#lastChunk);
    await this.#swap("shown");
    if (sums === undefined) return;
    const logs = await this.#compiled.figures.logs(sums, this.#collector);
    const measured = held === undefined ? {} : await held.measure(epoch);
    if (measured === undefined) return; // aborted
    const all = { ...logs, ...named(measured) };
    this.#history.epochs.push(all);
    this.#compiled.course.history.push(all);
    await this.#each((callback) => callback.onEpochEnd?.(epoch, all, this.#control));
    this.#place = { epoch: epoch + 1, step: 0 };
    if (this.#checkpoints?.isDueAfterEpoch() === true) await this.#checkpoint();
  }

  /** An epoch begins; one that a checkpoint was made in has begun already. */
  async #begin(epoch: number): Promise<void> {
    this.#collector = this.#compiled.figures.collector();
    await Promise.all([...this.#zeroed(), this.#openWindow()]);
    await this.#each((callback) => callback.onEpochBegin?.(epoch, this.#control));
  }

  /** Sums begin at 0, and no step has been bad. */
  #zeroed(): Promise<void>[] {
    const { sums, badStep } = this.#compiled.states;
    return [this.#session.write(sums, noSums(sums)), this.#session.write(badStep, whole(-1))];
  }

  /**
   * One step over one batch, which belongs to no epoch: windows of accumulated gradients go on.
   *
   * @throws as run does.
   */
  async step(columns: Columns): Promise<Logs> {
    const { figures } = this.#compiled;
    this.#model.check(this.#compiled, columns);
    await this.#compiled.begin(this.#session, this.#model.seed);
    const batch = columns.x[0]?.shape[0] ?? 1;
    const data = await this.#model.room("train batch", columns, batch);
    await Promise.all(this.#zeroed());
    const train = async (): Promise<Logs> => {
      await this.#swap("raw");
      const sums = await this.#run({ data, batch, count: 1, writes: arrival(data, columns), end: NEVER });
      if (this.#lastChunk !== undefined) await checkWeights(this.#replay, this.#lastChunk);
      return figures.logs(sums, this.#collector);
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
    const { chunk, learningRate } = this.#compiled;
    return this.#isHeard ? 1 : Math.min(chunk, learningRate.most, this.#checkpoints?.stepsLeft ?? Infinity);
  }

  /** All steps of an epoch that are to come, from the first on: its sums, or undefined where it was interrupted. */
  async #steps(feed: EpochFeed, first: Portion): Promise<Tensor | undefined> {
    const { figures } = this.#compiled;
    const { epoch } = this.#place;
    const started = performance.now();
    let rows = 0;
    let sums: Tensor | undefined;
    for (let portion: Portion | undefined = first; portion !== undefined;) {
      sums = await this.#run(portion);
      const logs = figures.ofSums(sums);
      const step = this.#place.step + portion.count;
      this.#place = { epoch, step };
      rows += portion.count * portion.batch;
      const seconds = (performance.now() - started) / 1000;
      const progress = { epoch, step, steps: feed.steps, logs, examplesPerSecond: rows / seconds };
      if (this.#isHeard) await this.#each((callback) => callback.onBatchEnd?.(step - 1, logs, this.#control));
      await this.#each((callback) => callback.onProgress?.(progress, this.#control));
      const isDue = this.#checkpoints?.isDueAfter(portion.count) === true;
      if (step === feed.steps) return sums;
      if (feed.steps !== undefined && this.#ends()) return undefined;
      if (isDue) await this.#checkpoint();
      portion = await feed.next(this.#most);
      if (portion !== undefined && this.#ends()) return undefined;
    }
    return this.#options.signal?.aborted === true ? undefined : sums;
  }

  /** What the steps are for. */
  readonly #objective = (data: Resident): Objective =>
    withClassWeight(this.#model.objectiveFor(this.#compiled, data), this.#options.classWeight);

  #program(data: Resident, batch: number): Promise<Executable> {
    const { optimizer, trained, states, id } = this.#compiled;
    const { classWeight } = this.#options;
    const make = (resident: Resident): Generator<undefined, Program> =>
      trainProgram({ objective: this.#objective(resident), optimizer, trained, states }, resident, batch);
    const weights = classWeight === undefined ? "" : ` ${JSON.stringify(classWeight)}`;
    return this.#model.executable(data, make, `train ${batch} ${id}${weights}`);
  }

  /** Gives the sums of the epoch so far. All requests are made at once: the engine has the next one when it is done with one. */
  async #run({ data, batch, count, writes, end }: Portion): Promise<Tensor> {
    const { states, learningRate } = this.#compiled;
    const { window } = states.optimizer;
    const executable = await this.#program(data, batch);
    const everything = [...allTrainingStates(states), data.cursor, data.flag, ...this.#model.weights];
    await learningRate.settle(this.#session);
    const before = performance.now();
    const ends = window === undefined ? [] : [{ state: window.epochEnd, value: whole(end) }];
    const sent = [...writes, ...ends, ...learningRate.writes(count)];
    const arrived = this.#session.writeAll(sent);
    const requests = [
      this.#session.snapshot(this.#replay.snapshot, everything),
      this.#session.run(executable, { steps: count }),
      this.#session.read(states.badStep),
      this.#session.read(states.optimizer.step),
      this.#session.read(states.sums),
      isGuarded(executable.program) ? this.#session.read(data.flag) : Promise.resolve(undefined),
    ] as const;
    const [, outputs, badStep, updates, sums, flag] = await Promise.all([...requests, arrived]).catch(
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
    return sums;
  }
}

/** Data that is all there. */
interface RowPlans {
  /** Rows of a step. */
  readonly batch: number;
  /** All rows, and the order of a pass over them. */
  readonly plan: (pass: number) => Promise<EpochPlan>;
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
