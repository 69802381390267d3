/** A model's side of the engine: where its weights live, its programs, and the data that they run over. */
import type { Executable, RunOptions } from "../backends/backend.js";
import type { Columns } from "../data/dataset.js";
import { DataError, OptionError, TorteError } from "../errors.js";
import type { Program, State } from "../graph/node.js";
import type { Weight } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import { lengthOf, networkFor } from "../nn/open-axes.js";
import type { Shape } from "../tensor/shape.js";
import { inTurns, turnIfDue } from "../turns.js";
import { hashName, mixKey } from "../tensor/random.js";
import { concatenate, Tensor } from "../tensor/tensor.js";
import { type BackendOptions, type BackendSettings, readBackend } from "../backends/select.js";
import type { Logs } from "./callbacks.js";
import { checkInputs, checkTargets, type Look } from "./check-data.js";
import type { TrainingSetup } from "./training-setup.js";
import { type Chunk, chunksFor, inChunks, rowsAreApart } from "./predict.js";
import { type Collector, noSums } from "./figures.js";
import { checkFlag, isGuarded } from "./guards.js";
import type { Objective } from "./measure.js";
import { findingLimits } from "./limits.js";
import { evaluateProgram, predictProgram } from "./programs.js";
import { Queue } from "./queue.js";
import type { Taken } from "./batch-reader.js";
import type { StreamFeed, StreamFeedOptions } from "./stream-feed.js";
import { batchColumns, type BatchStream, type DataNames, namesFor } from "./model-data.js";
import { cutBack, filledUp } from "./open-data.js";
import { arrival, arrivals, piecesOf, type Resident, ResidentData, settled } from "./resident.js";
import { SharedSession } from "./shared-session.js";

export interface EngineModelOptions extends BackendOptions {
  /** For errors. */
  readonly name: string;
  readonly seed: number;
}

/** What data is for, and how messages tell which it is. */
const PARTS = { train: "", evaluate: "", validation: " of validationData" } as const;
export type DataName = keyof typeof PARTS;

/** Rows of columns in the order to visit them. */
export interface Rows {
  readonly compiled: TrainingSetup;
  readonly name: DataName;
  readonly columns: Columns;
  readonly order: Int32Array;
  /** Takes the contents of tensors as they are when it shows them for the first time. Default: each time is the first. */
  readonly request?: object;
}

/** A stream that is gone through once. */
export interface StreamOptions {
  /** The function that was given it, for errors. */
  readonly where: string;
  /** Batches that are taken. Default: all. */
  readonly steps?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Its number, for a stream that is given as a function. Default 0. */
  readonly pass?: number;
}

/** Batches that go to the engine together, to be evaluated or predicted. */
const TOGETHER = 16;

let nextModel = 0;

/** Programs that a model keeps: the ones that it has used last. */
const PROGRAMS = 12;

export class EngineModel {
  readonly network: Network;
  readonly seed: number;
  readonly session: SharedSession;
  /** What it runs on, as far as bits depend on it. */
  readonly backend: Pick<BackendSettings, "backend" | "precision">;
  readonly #name: string;
  readonly #id = nextModel++;
  readonly #resident: ResidentData;
  readonly #executables = new Map<string, Promise<Executable>>();
  /** Of predictions, as compile has chosen. */
  exactConvolutions = false;
  /** Predictions and evaluations take turns: they share places in the engine's memory. */
  readonly #turns = new Queue();
  /** Settles when every weight has values. */
  #ready: Promise<void> | undefined;
  #closed: Promise<void> | undefined;

  constructor(network: Network, { name, seed, ...options }: EngineModelOptions) {
    this.network = network;
    this.seed = seed;
    this.#name = name;
    const { backend, precision } = readBackend("model", options);
    this.backend = { backend, precision };
    this.session = SharedSession.for(this.weights, options);
    const open = network.inputs.filter(({ other }) => other !== undefined);
    const inputs = [...network.inputs.map(({ dtype }) => dtype), ...open.map(() => "int32" as const)];
    this.#resident = new ResidentData(this.session, inputs, ({ cursor }) => {
      for (const key of this.#executables.keys()) if (key.startsWith(`${cursor.name} `)) this.#executables.delete(key);
    });
  }

  get weights(): State[] {
    return [...this.network.weights.values()].map(({ state }) => state);
  }

  /** The name of a copy of states, apart from those of models with the same session. */
  snapshotName(purpose: string): string {
    return `${purpose} ${this.#id}`;
  }

  /** Weights in the engine, with their first values unless they have values: those given, else those of their initializers. */
  async prepare(given?: Readonly<Record<string, Tensor>>): Promise<void> {
    if (this.#closed !== undefined) throw new TorteError({ where: this.#name, problem: "the model is closed" });
    if (given !== undefined) return this.#begin(given);
    const ready = (this.#ready ??= this.#begin({}));
    ready.catch(() => {
      if (this.#ready === ready) this.#ready = undefined;
    });
    await ready;
  }

  async #begin(given: Readonly<Record<string, Tensor>>): Promise<void> {
    await this.session.allocate(this.weights);
    for (const [name, weight] of this.network.weights)
      await this.session.begin(weight.state, () => given[name] ?? firstValues(name, weight, this.seed));
  }

  /** The columns in the engine, where they stay under their name until others take their place. */
  async load({ compiled, name, columns, order, request }: Rows): Promise<Resident> {
    await inTurns(findingLimits(networkFor(this.network, columns.x)));
    const run = (piece: Columns, firstRow: number): void =>
      this.check(compiled, piece, { part: PARTS[name], firstRow });
    return await this.#resident.load(name, columns, order, { purpose: compiled, run, request });
  }

  /** What the parts of data are called. */
  names(compiled?: TrainingSetup): DataNames {
    return namesFor(this.network, compiled?.objective.goals);
  }

  /** Room in the engine for so many rows like these; of its own for each length. */
  room(name: string, columns: Columns, rows: number): Promise<Resident> {
    const length = this.network.isOpen ? ` of ${lengthOf(this.network, columns.x)}` : "";
    return this.#resident.room(`${name}${length}`, columns, rows);
  }

  /** What is trained, over the network for such data. */
  objectiveFor({ objective }: TrainingSetup, { x }: { readonly x: readonly { readonly shape: Shape }[] }): Objective {
    return this.network.isOpen ? { ...objective, network: networkFor(this.network, x) } : objective;
  }

  /** Columns as the engine takes them: sequences of any length are filled up to one of a few. */
  filledUp(columns: Columns, compiled?: TrainingSetup): Columns {
    return filledUp(this.network, compiled?.objective.goals ?? [], columns);
  }

  /** @throws DataError, or ShapeError, for inputs that the model cannot take. */
  checkInputs(x: readonly Tensor[], look: Look = {}): void {
    checkInputs(networkFor(this.network, x), x, look);
  }

  /** Whether a batch may hold other rows than those asked for. */
  rowsAreApart(x: readonly Tensor[]): boolean {
    return rowsAreApart(networkFor(this.network, x));
  }

  /** The batches of a stream, to train on. */
  async stream(
    compiled: TrainingSetup,
    name: DataName,
    stream: BatchStream,
    options: Omit<StreamFeedOptions, "read" | "room">,
  ): Promise<StreamFeed> {
    const { StreamFeed } = await import("./stream-feed.js");
    return new StreamFeed(stream, {
      ...options,
      read: this.#reader(options.where, compiled),
      room: (columns, rows) => this.room(`${name} stream`, columns, rows),
    });
  }

  /** Looks at each batch of a stream: inputs, and targets where the model is compiled for some. */
  #reader(where: string, compiled: TrainingSetup | undefined): (batch: unknown, part: string) => Columns {
    const names = this.names(compiled);
    return (batch, part) => {
      const columns = batchColumns(`${where}${part}`, batch, names);
      if (compiled === undefined) this.checkInputs(columns.x, { part });
      else this.check(compiled, columns, { part });
      // Predictions are filled up on their way.
      return compiled === undefined ? columns : this.filledUp(columns, compiled);
    };
  }

  /** @throws DataError, or ShapeError, for data that the model cannot take. */
  check({ objective }: TrainingSetup, columns: Columns, look: Look = {}): void {
    const network = networkFor(this.network, columns.x);
    checkInputs(network, columns.x, look);
    checkTargets(network, objective.goals, columns, look);
  }

  /** The same, every value too, with turns of others in between. @throws as check does. */
  async checkAll(compiled: TrainingSetup, columns: Columns, part = ""): Promise<void> {
    this.check(compiled, columns, { part, values: false });
    await inTurns(findingLimits(networkFor(this.network, columns.x)));
    for (const { from, columns: piece } of piecesOf(columns)) {
      await turnIfDue();
      this.check(compiled, piece, { part, firstRow: from });
    }
  }

  /** The compiled program over some resident data, made once. */
  executable(
    data: Resident,
    make: (data: Resident) => Generator<undefined, Program>,
    name: string,
  ): Promise<Executable> {
    const key = `${data.cursor.name} ${name}`;
    const executable =
      this.#executables.get(key) ?? inTurns(make(data)).then((program) => this.session.compile(program));
    executable.catch(() => {
      if (this.#executables.get(key) === executable) this.#executables.delete(key);
    });
    // Behind all others, as the one that was used last.
    this.#executables.delete(key);
    this.#executables.set(key, executable);
    const [oldest] = this.#executables;
    if (oldest !== undefined && this.#executables.size > (this.network.isOpen ? 4 * PROGRAMS : PROGRAMS)) {
      this.#executables.delete(oldest[0]);
      void this.#unload(oldest[1]);
    }
    return executable;
  }

  /** Runs a program over resident data. @throws DataError where it meets an index that is no row of its table. */
  async run(
    executable: Executable,
    { flag }: Resident,
    options: RunOptions,
    look: Omit<Look, "values"> = {},
  ): Promise<Tensor[]> {
    const { program } = executable;
    if (!isGuarded(program)) return this.session.run(executable, options);
    const [outputs, found] = await Promise.all([this.session.run(executable, options), this.session.read(flag)]);
    checkFlag(program, found, look);
    return outputs;
  }

  async #unload(executable: Promise<Executable>): Promise<void> {
    await executable.then((loaded) => this.session.unload(loaded)).catch(() => undefined);
  }

  /** What the model was compiled for is not needed any more: its programs, its states, and the copies of them. */
  forget(compiled: TrainingSetup): void {
    const programs = [...this.#executables.values(), ...compiled.programs];
    this.#executables.clear();
    // An evaluation may be on its way.
    const release = this.#turns.run(async () => {
      for (const program of programs) await this.#unload(program);
      await this.session.release(compiled.ownStates);
      for (const copy of ["chunk start", "best weights", "checkpoint"])
        await this.session.forget(this.snapshotName(copy));
    });
    release.catch(() => undefined);
  }

  /** Loss and metrics over the rows; the columns stay in the engine under their name. */
  evaluateRows(rows: Rows, batch: number): Promise<Logs> {
    return this.#turns.run(() => this.#evaluateRows(rows, batch));
  }

  async #evaluateRows(rows: Rows, batch: number): Promise<Logs> {
    const { compiled, name, order } = rows;
    const { evaluationSums } = compiled;
    await this.session.allocate([evaluationSums]);
    const data = await this.load(rows);
    await this.session.write(evaluationSums, noSums(evaluationSums));
    const collector = compiled.figures.collector();
    await inBatches(order.length, batch, async (size, steps) => {
      const executable = await this.executable(
        data,
        (resident) => evaluateProgram(this.objectiveFor(compiled, resident), evaluationSums, resident, size),
        `evaluate ${size}`,
      );
      await collector.add(await this.run(executable, data, { steps }, { part: PARTS[name] }));
    });
    return compiled.figures.logs(await this.session.read(evaluationSums), collector);
  }

  /** Loss and metrics over the batches of a stream; undefined where the signal has come meanwhile. */
  async evaluateStream(
    compiled: TrainingSetup,
    name: DataName,
    stream: BatchStream,
    options: StreamOptions,
  ): Promise<Logs | undefined> {
    let sums = noSums(compiled.evaluationSums);
    const collector = compiled.figures.collector();
    const whole = await this.#gone(stream, this.#reader(options.where, compiled), options, async (taken) => {
      // Others may evaluate while the stream is waited for.
      sums = await this.#turns.run(() => this.#evaluateBatches(compiled, name, taken, { sums, collector }));
    });
    return whole ? compiled.figures.logs(sums, collector) : undefined;
  }

  async #evaluateBatches(
    compiled: TrainingSetup,
    name: DataName,
    { batches, batch }: Taken,
    { sums, collector }: { readonly sums: Tensor; readonly collector: Collector },
  ): Promise<Tensor> {
    const { evaluationSums } = compiled;
    await this.session.allocate([evaluationSums]);
    const data = await this.room(`${name} stream`, batches[0], batch * TOGETHER);
    const make = (resident: Resident): Generator<undefined, Program> =>
      evaluateProgram(this.objectiveFor(compiled, resident), evaluationSums, resident, batch);
    const executable = await this.executable(data, make, `evaluate ${batch}`);
    const writes = [...arrivals(data, batches, true), { state: evaluationSums, value: sums }];
    const steps = batches.length;
    await collector.add(await this.run(executable, data, { steps, writes }, { part: PARTS[name] }));
    return this.session.read(evaluationSums);
  }

  /** The outputs for the batches of a stream, one after the other. */
  async predictStream(stream: BatchStream<unknown>, options: StreamOptions): Promise<Tensor[]> {
    const { joined } = await import("./batch-reader.js");
    const outputs: Tensor[][] = [];
    await this.#gone(stream, this.#reader(options.where, undefined), options, async ({ batches, batch }) => {
      const columns = joined(batches);
      const chunks = chunksFor(batch * batches.length, batch, this.rowsAreApart(columns.x));
      outputs.push(await this.predictRows(columns, chunks));
    });
    return (outputs[0] ?? []).map((_, i) => concatenate(outputs.flatMap((parts) => parts[i] ?? [])));
  }

  /** Goes through a stream; false where the signal has come. @throws DataError where it has fewer batches than were asked for. */
  async #gone(
    stream: BatchStream<unknown>,
    read: (batch: unknown, part: string) => Columns,
    { where, steps, signal, pass = 0 }: StreamOptions,
    each: (taken: Taken) => Promise<void>,
  ): Promise<boolean> {
    const { BatchReader } = await import("./batch-reader.js");
    const reader = await BatchReader.open(stream, pass, { where, read, signal });
    let done = 0;
    try {
      while (done < (steps ?? Infinity)) {
        const taken = await reader.take(Math.min(TOGETHER, (steps ?? Infinity) - done));
        if (taken === undefined) break;
        done += taken.batches.length;
        await each(taken);
      }
    } finally {
      await reader.close();
    }
    if (signal?.aborted === true) return false;
    if (done > 0 && done >= (steps ?? 1)) return true;
    throw new DataError({
      where,
      problem: done === 0 ? "the stream has no batches" : "the stream has fewer batches than were asked for",
      expected: String(steps ?? "at least 1"),
      received: String(done),
      fix: "What can be gone through only once is empty the second time: give a function that returns a new one.",
    });
  }

  /** The outputs for the rows, in their order; inputs are looked at on their way. */
  async predictRows(columns: Columns, chunks: readonly Chunk[]): Promise<Tensor[]> {
    const { network } = this;
    if (!network.isOpen) return this.#turns.run(() => this.#predictRows(columns, chunks));
    this.checkInputs(columns.x, { values: false }); // as they are, at their own length
    const outputs = await this.#turns.run(() => this.#predictRows(this.filledUp(columns), chunks));
    return cutBack(network, lengthOf(network, columns.x), outputs);
  }

  async #predictRows(columns: Columns, chunks: readonly Chunk[]): Promise<Tensor[]> {
    const places = new Map<number, { data: Resident; executable: Executable }>();
    for (const { batch, room } of chunks) {
      if (places.has(batch)) continue;
      // So that many sizes share few rooms.
      const capacity = 2 ** Math.ceil(Math.log2(room));
      const data = await this.room(`predict ${capacity}`, columns, capacity);
      const { exactConvolutions } = this;
      const make = (resident: Resident): Generator<undefined, Program> =>
        predictProgram(networkFor(this.network, resident.x), resident, batch, { exactConvolutions });
      const name = `predict ${batch}${exactConvolutions ? " exactly" : ""}`;
      places.set(batch, { data, executable: await this.executable(data, make, name) });
    }
    return inChunks(columns, chunks, async (given, { batch, from, to }) => {
      const [place, part] = [places.get(batch), settled(given)];
      if (place === undefined) throw new RangeError(`no program for ${batch} rows`);
      // Looked at while the engine works on the rows before.
      this.checkInputs(part.x, { firstRow: from });
      const [steps, writes] = [Math.ceil((to - from) / batch), arrival(place.data, part)];
      return this.run(place.executable, place.data, { steps, writes }, { firstRow: from });
    });
  }

  /** Gives the engine's memory back, and with it the values of weights that no other model uses. */
  close(compiled?: TrainingSetup): Promise<void> {
    this.#closed ??= this.session.leave(this.weights, [...this.#resident.states, ...(compiled?.ownStates ?? [])]);
    return this.#closed;
  }
}

/** Full batches first, then what is left over. */
async function inBatches(
  rows: number,
  batch: number,
  run: (size: number, steps: number) => Promise<void>,
): Promise<void> {
  const steps = Math.floor(rows / batch);
  if (steps > 0) await run(batch, steps);
  if (rows % batch > 0) await run(rows % batch, 1);
}

function firstValues(name: string, { state: { shape }, initializer }: Weight, seed: number): Tensor {
  const values = initializer(shape, mixKey(seed, hashName(name), 0));
  const size = shape.reduce((a, b) => a * b, 1);
  if (values.length === size) return new Tensor(values, shape, "float32");
  throw new OptionError({
    where: name,
    problem: "the initializer gives another number of values",
    expected: String(size),
    received: String(values.length),
  });
}
