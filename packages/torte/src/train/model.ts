/** Models: a network with what it takes to train it, evaluate it and predict with it. */
import type { Executable, Session } from "../backends/backend.js";
import { Dataset, type Columns, type TensorOrList } from "../data/dataset.js";
import {
  checkOptions,
  DataError,
  OptionError,
  positiveInteger,
  show,
  TorteError,
  TrainingError,
  wholeNumber,
} from "../errors.js";
import type { Program, State } from "../graph/node.js";
import { type LossOption, readLoss } from "../losses/losses.js";
import { type MetricOption, readMetrics } from "../metrics/metrics.js";
import { type LayerFunction, SymbolicTensor, type Weight } from "../nn/layer.js";
import { chain, Network } from "../nn/network.js";
import { summarize } from "../nn/summary.js";
import { type OptimizerOption, readOptimizer } from "../optim/optimizers.js";
import { hashName, mixKey } from "../tensor/random.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { type BackendOptions, selectBackend } from "./backend.js";
import type { Logs } from "./callbacks.js";
import { checkInputs, checkTargets } from "./checks.js";
import { computeGradients, type GradientData, type GradientOptions, type Gradients } from "./gradients.js";
import { checkFitOptions, type FitOptions, type History, Trainer } from "./fit.js";
import { batchFor, chunkFor, inChunks } from "./predict.js";
import { Queue } from "./queue.js";
import { evaluateProgram, type Objective, predictProgram } from "./programs.js";
import { type Resident, ResidentData } from "./resident.js";
import { Compiled } from "./compiled.js";

export interface CompileOptions {
  /** Default "rmsprop", as in Keras. */
  readonly optimizer?: OptimizerOption;
  readonly loss: LossOption;
  /** Default none. */
  readonly metrics?: readonly MetricOption[];
}

export interface ModelOptions extends BackendOptions {
  /** Of the first weights and of everything random while training. Default 0. */
  readonly seed?: number;
  /** For the summary. */
  readonly name?: string;
}

const MODEL_OPTIONS = ["backend", "precision", "threads", "seed", "name"] as const;

export interface BatchOptions {
  /** Rows at a time. Default: that of the dataset, else 32. */
  readonly batchSize?: number;
}

/** Data to train or evaluate on. */
export type Data = Dataset | { readonly x: TensorOrList; readonly y?: TensorOrList };

/** A model: made by `sequential` or `functional`. */
export class Model {
  readonly network: Network;
  readonly name: string;
  readonly seed: number;
  readonly #session: Session;
  #ready: Promise<void> | undefined;
  #compiled: Compiled | undefined;
  readonly #executables = new Map<string, Promise<Executable>>();
  /** Predictions and evaluations take turns: they share places in the engine's memory. */
  readonly #turns = new Queue();
  #training = false;
  #closed: Promise<void> | undefined;
  /** Used by fit, too. */
  readonly resident: ResidentData;

  constructor(network: Network, options: ModelOptions = {}) {
    checkOptions("model", options, MODEL_OPTIONS);
    this.network = network;
    this.name = options.name ?? "sequential";
    this.seed = wholeNumber("model", "seed", options.seed ?? 0);
    this.#session = selectBackend(options).createSession();
    this.resident = new ResidentData(this.#session, ({ cursor }) => {
      for (const key of this.#executables.keys()) if (key.startsWith(`${cursor.name} `)) this.#executables.delete(key);
    });
  }

  /** The table of layers, shapes and parameters, as text. */
  summary(): string {
    return summarize(this.network, this.name);
  }

  /** Number of all parameters. */
  countParams(): number {
    return [...this.network.weights.values()].reduce(
      (sum, { state }) => sum + state.shape.reduce((a, b) => a * b, 1),
      0,
    );
  }

  /** Chooses what training does. */
  compile(options: CompileOptions): void {
    checkOptions("compile", options, ["optimizer", "loss", "metrics"]);
    this.#refuseWhileTraining("compile");
    const loss = readLoss(options.loss);
    const metrics = readMetrics(options.metrics ?? []);
    const objective: Objective = { network: this.network, loss, metrics };
    this.#executables.clear();
    this.#compiled = new Compiled(objective, readOptimizer(options.optimizer ?? "rmsprop"));
  }

  /**
   * Trains on the data. A later fit goes on from where this one ends.
   *
   * @throws DataError for data that the model cannot take; TrainingError where the loss is no longer finite, or where the
   * model is in training already.
   */
  async fit(data: Data, options: FitOptions = {}): Promise<History> {
    checkFitOptions(options);
    const compiled = this.#needCompiled("fit");
    this.#refuseWhileTraining("fit");
    this.#training = true;
    try {
      await this.#prepare();
      const shuffle = options.shuffle ?? !(data instanceof Dataset);
      return await new Trainer(this, compiled, this.#session, { ...options, shuffle }).run(asDataset(data));
    } finally {
      this.#training = false;
    }
  }

  #refuseWhileTraining(where: string): void {
    if (!this.#training) return;
    throw new TrainingError({
      where,
      problem: "the model is in training",
      fix: "Await the fit that is running first.",
    });
  }

  /**
   * Looks at every row, as fit and evaluate do.
   *
   * @throws DataError, or ShapeError, for data that the model cannot take, with row and column.
   */
  async checkData(data: Data): Promise<void> {
    const { columns } = await asDataset(data).plan(0);
    checkInputs(this.network, columns.x);
    checkTargets(this.network, this.#needCompiled("checkData").objective.loss, columns.y);
  }

  /** Loss (with its penalties) and metrics over the data. */
  async evaluate(data: Data, options: BatchOptions = {}): Promise<Logs> {
    checkOptions("evaluate", options, ["batchSize"]);
    const compiled = this.#needCompiled("evaluate");
    const dataset = asDataset(data);
    const { columns, order } = await dataset.plan(0);
    checkInputs(this.network, columns.x);
    checkTargets(this.network, compiled.objective.loss, columns.y);
    await this.#prepare();
    return this.evaluateRows("evaluate", columns, order, batchSizeOf("evaluate", dataset, options));
  }

  /** Used by fit for its validation data, too; the columns stay in the engine under their name. */
  evaluateRows(name: string, columns: Columns, order: Int32Array, batch: number): Promise<Logs> {
    return this.#turns.run(() => this.#evaluateRows(name, columns, order, batch));
  }

  async #evaluateRows(name: string, columns: Columns, order: Int32Array, batch: number): Promise<Logs> {
    const compiled = this.#needCompiled("evaluate");
    const { evaluationSums } = compiled;
    await this.#session.allocate([evaluationSums]);
    const data = await this.resident.load(name, columns, order);
    await this.#session.write(
      evaluationSums,
      new Tensor(new Float32Array(evaluationSums.shape[0] ?? 0), evaluationSums.shape, "float32"),
    );
    await this.inBatches(order.length, batch, async (size, steps) => {
      const executable = await this.executable(
        data,
        (resident) => evaluateProgram(compiled.objective, evaluationSums, resident, size),
        `evaluate ${size}`,
      );
      await this.#session.run(executable, { steps });
    });
    return compiled.logs(await this.#session.read(evaluationSums));
  }

  /**
   * The outputs for the inputs, in their order.
   *
   * @throws DataError for inputs that the model cannot take.
   */
  async predict(x: TensorOrList, options: BatchOptions = {}): Promise<Tensor> {
    checkOptions("predict", options, ["batchSize"]);
    const dataset = Dataset.fromTensors({ x });
    const { columns } = await dataset.plan(0);
    checkInputs(this.network, columns.x);
    await this.#prepare();
    const batch = batchFor(dataset.size, positiveInteger("predict", "batchSize", options.batchSize ?? 256));
    return this.#turns.run(() => this.#predict(columns, dataset.size, batch));
  }

  async #predict(columns: Columns, size: number, batch: number): Promise<Tensor> {
    const chunk = chunkFor(size, batch);
    const [output] = await inChunks(columns, chunk, async (part, rows) => {
      const data = await this.resident.load(`predict ${chunk}`, part, undefined, chunk);
      const executable = await this.executable(
        data,
        (resident) => predictProgram(this.network, resident, batch),
        `predict ${batch}`,
      );
      return this.#session.run(executable, { steps: Math.ceil(rows / batch) });
    });
    if (output === undefined) throw new RangeError("a prediction has at least one batch");
    return output;
  }

  /**
   * The derivatives of the loss where targets `y` are given, of Σ output·upstream otherwise, all rows being one batch.
   *
   * @throws DataError for data that the model cannot take; OptionError for targets without a loss.
   * @example
   * import { dense, input, sequential, tensor } from "torte";
   * const model = sequential(input({ shape: [2] }), dense({ units: 1, kernelInitializer: "ones" }));
   * const { weights } = await model.gradients({ x: tensor([[3, 4]]), upstream: tensor([[1]]) });
   * console.log(weights["dense.kernel"]?.toArray()); // [[3], [4]]
   */
  async gradients(data: GradientData, options: GradientOptions = {}): Promise<Gradients> {
    await this.#prepare();
    const objective = this.#compiled?.objective;
    return computeGradients(this.network, this.#session, { data, options, objective, seed: this.seed });
  }

  #needCompiled(where: string): Compiled {
    if (this.#compiled === undefined) {
      throw new TorteError({
        where,
        problem: "the model is not compiled",
        fix: "Call model.compile({ optimizer, loss }) first.",
      });
    }
    return this.#compiled;
  }

  /** Full batches first, then what is left over. */
  async inBatches(rows: number, batch: number, run: (size: number, steps: number) => Promise<void>): Promise<void> {
    const steps = Math.floor(rows / batch);
    if (steps > 0) await run(batch, steps);
    if (rows % batch > 0) await run(rows % batch, 1);
  }

  /** The compiled program over some resident data, made once. */
  executable(data: Resident, make: (data: Resident) => Program, name: string): Promise<Executable> {
    const key = `${data.cursor.name} ${name}`;
    let executable = this.#executables.get(key);
    if (executable === undefined) {
      executable = this.#session.compile(make(data));
      this.#executables.set(key, executable);
    }
    return executable;
  }

  /** Weights in the engine, with their first values unless they have been set. */
  async #prepare(): Promise<void> {
    if (this.#closed !== undefined) throw new TorteError({ where: this.name, problem: "the model is closed" });
    await (this.#ready ??= this.#initialize());
  }

  async #initialize(): Promise<void> {
    const weights = this.network.weights;
    await this.#session.allocate([...weights.values()].map(({ state }) => state));
    for (const [name, weight] of weights) {
      const data = weight.initializer(weight.state.shape, mixKey(this.seed, hashName(name), 0));
      await this.#session.write(weight.state, new Tensor(data, weight.state.shape, "float32"));
    }
  }

  /** All weights by name, such as `conv1d_1.kernel`. */
  async getWeights(): Promise<Record<string, Tensor>> {
    await this.#prepare();
    const entries = [...this.network.weights].map(
      async ([name, { state }]) => [name, await this.#session.read(state)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  /** @throws DataError for a name that the model does not have, or a shape that does not fit. */
  async setWeights(values: Readonly<Record<string, Tensor>>): Promise<void> {
    await this.#prepare();
    const weights = this.network.weights;
    for (const [name, value] of Object.entries(values)) {
      const state = weightState(weights, name);
      if (!sameShape(state.shape, value.shape)) {
        throw new DataError({
          where: name,
          problem: "the weight has another shape",
          expected: formatShape(state.shape),
          received: formatShape(value.shape),
        });
      }
    }
    for (const [name, value] of Object.entries(values)) await this.#session.write(weightState(weights, name), value);
  }

  /** Gives the engine's memory back. The model cannot be used afterwards. Not needed: a model that is forgotten costs only memory. */
  close(): Promise<void> {
    this.#closed ??= this.#session.close();
    return this.#closed;
  }
}

function weightState(weights: ReadonlyMap<string, Weight>, name: string): State {
  const weight = weights.get(name);
  if (weight === undefined) {
    throw new DataError({
      where: "setWeights",
      problem: `there is no weight ${JSON.stringify(name)}`,
      expected: [...weights.keys()].join(", "),
    });
  }
  return weight.state;
}

export function asDataset(data: Data): Dataset {
  return data instanceof Dataset ? data : Dataset.fromTensors(data);
}

export function batchSizeOf(where: string, data: Dataset, options: BatchOptions): number {
  return positiveInteger(where, "batchSize", options.batchSize ?? data.batchSize ?? 32);
}

export interface FunctionalOptions extends ModelOptions {
  readonly inputs: SymbolicTensor | readonly SymbolicTensor[];
  readonly outputs: SymbolicTensor | readonly SymbolicTensor[];
}

/**
 * A model of layers one after the other, beginning with an input.
 *
 * @throws ShapeError where a layer cannot take what the one before gives, with the summary up to there.
 * @example
 * import { dense, input, sequential } from "torte";
 * const model = sequential(input({ shape: [4] }), dense({ units: 8, activation: "relu" }), dense({ units: 1 }));
 * console.log(model.countParams()); // 49
 */
export function sequential(first: SymbolicTensor, ...rest: readonly (LayerFunction | ModelOptions)[]): Model {
  checkParts([first, ...rest]);
  const layers = rest.filter((part): part is LayerFunction => typeof part === "function");
  const options = rest.filter((part): part is ModelOptions => typeof part !== "function");
  if (layers.length === 0)
    throw new TorteError({
      where: "sequential",
      problem: "there are no layers",
      expected: "an input and at least one layer",
    });
  return new Model(new Network([first], [chain(first, layers)]), Object.assign({}, ...options) as ModelOptions);
}

/** As from JavaScript, where nobody checks types. */
function checkParts(parts: readonly unknown[]): void {
  const wrong = (i: number, expected: string): never => {
    const fix = "Write sequential(input({ shape }), layer, layer, …, options).";
    throw new OptionError({
      where: "sequential",
      problem: `part ${i} has the wrong type`,
      expected,
      received: show(parts[i]),
      fix,
    });
  };
  parts.forEach((part, i) => {
    if (i === 0 && !(part instanceof SymbolicTensor)) wrong(i, "an input");
    const isOptions = i === parts.length - 1 && typeof part === "object" && part !== null && !Array.isArray(part);
    if (i > 0 && typeof part !== "function" && (!isOptions || part instanceof SymbolicTensor)) wrong(i, "a layer");
  });
}

/**
 * A model between symbolic inputs and outputs.
 *
 * @example
 * import { add, dense, functional, input } from "torte";
 * const x = input({ shape: [64] });
 * const y = add()([dense({ units: 64, activation: "relu" })(x), x]);
 * console.log(functional({ inputs: x, outputs: y }).countParams()); // 4160
 */
export function functional({ inputs, outputs, ...options }: FunctionalOptions): Model {
  const list = (values: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[] =>
    "traced" in values ? [values] : values;
  return new Model(new Network(list(inputs), list(outputs)), { name: "functional", ...options });
}
