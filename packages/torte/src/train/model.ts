/** Models: a network with what it takes to train it, evaluate it and predict with it. */
import type { Source } from "../data/source.js";
import { refuseTest, SealedTest } from "../data/sealed.js";
import { Dataset, type TensorOrList } from "../data/dataset.js";
import {
  booleanOption,
  checkOptions,
  DataError,
  positiveInteger,
  seedOption,
  TorteError,
  TrainingError,
} from "../errors.js";
import type { State } from "../graph/node.js";
import type { Explanation } from "../nn/inspect/explain.js";
import type { Hyperparameters } from "../nn/inspect/hyperparameters.js";
import { countParameters } from "../nn/inspect/parameters.js";
import { INSPECTION } from "../nn/inspect/part.js";
import type { SummaryOptions } from "../nn/inspect/summary.js";
import type { CommonOptions, LayerFunction, Weight } from "../nn/layer.js";
import { networkLayer } from "../nn/layers/composite.js";
import type { Network } from "../nn/network.js";
import type { Direction } from "../metrics/metric.js";
import type { GraphDescription } from "../nn/serialize/description.js";
import type { Optimizer } from "../optim/optimizer.js";
import { readOptimizer } from "../optim/read.js";
import { Part } from "../parts.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import type { Bytes } from "../tensor/dtype.js";
import type { Tensor } from "../tensor/tensor.js";
import type { BackendOptions } from "../backends/select.js";
import type { Logs } from "./callbacks.js";
import { checkSize } from "./check-data.js";
import { EngineModel } from "./engine-model.js";
import type { GradientData, GradientOptions, Gradients } from "./gradients.js";
import { finishing } from "./finish.js";
import type { Plans } from "./feed.js";
import { firstBatches, Trainer } from "./fit.js";
import { checkFitOptions, type FitOptions } from "./fit-options.js";
import type { History } from "./history.js";
import {
  asDataset,
  type BatchOptions,
  batchColumns,
  type BatchStream,
  batchSizeOf,
  type Data,
  inBatches,
  isStream,
  learntFrom,
  planInOrder,
  type PredictData,
  predicted,
  refuseLooseParts,
  type Rows,
  sorted,
  type Whole,
  wholeOf,
  withHeldBack,
} from "./model-data.js";
import { type CompileOptions, readObjective } from "./objective.js";
import { chunksFor } from "./predict.js";
import type { Objective } from "./measure.js";
import type { PureFunction, pureFunction } from "./pure.js";
import { trainable } from "./trained.js";
import { TrainingSetup, Course } from "./training-setup.js";
import type { SavedTraining } from "./saved-training.js";
import type { Extras, ModelDescription, WeightReport } from "./saving.js";

export type { BatchOptions, BatchStream, Data, PartsTuple, PredictData, Rows } from "./model-data.js";
export type { ClassWeight, CompileOptions, PerOutput } from "./objective.js";

/** Options of {@link sequential} and {@link functional}: seed, threads, precision. */
export interface ModelOptions extends BackendOptions {
  /** Of the first weights and of everything random while training. Default 0. */
  readonly seed?: number;
  /** For the summary. */
  readonly name?: string;
}

/** Models as functions of their weights. */
export const PURE = new Part<typeof pureFunction>("torte/tools");

const MODEL_OPTIONS = ["backend", "precision", "threads", "seed", "name"] as const;

/** What predict gives: a tensor, or a list of them for a model whose outputs are a list. */
export type Outputs = Tensor | readonly Tensor[];

/** A model, however many outputs it has. */
export type AnyModel = Model<Outputs>;

/** What goes into a file beside the weights. */
export interface SaveOptions {
  /** Texts to keep in the file's header beside the model. Default none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** Options of a model's `evaluate`. */
export interface EvaluateOptions extends BatchOptions {
  /** Batches that are gone through, at least 1. Default: all. */
  readonly steps?: number;
}

/** Options of a model's `save`. */
export interface SaveModelOptions extends SaveOptions {
  /**
   * What belongs to the model besides: encoders, labels, whatever `JSON.stringify` takes. After loading it is `model.extras`.
   * Default: the extras that the model was loaded with.
   */
  readonly extras?: Readonly<Record<string, unknown>>;
  /** Of a compiled model, what training needs to go on: the optimizer's memory is up to twice the weights. Default true. */
  readonly training?: boolean;
}

/** What is known of a model besides its network. */
export interface ModelFacts {
  /** Whether predict gives a list. Default false. */
  readonly listed?: boolean;
  readonly extras?: Extras;
  /** What its file has of training. */
  readonly training?: SavedTraining | undefined;
  /** The same as compile takes it, where it was compiled. */
  readonly compile?: CompileOptions | undefined;
}

/** How far a model's training has come, over all its fits, those before it was saved included. */
export interface TrainingProgress {
  /** Epochs that have begun. */
  readonly epochs: number;
  /** Updates of the weights by the optimizer, since it began. */
  readonly updates: number;
  /** Figures of the epochs that have ended. */
  readonly history: readonly Logs[];
}

/** Options of a model's `loadWeights`. */
export interface LoadWeightsOptions {
  /** The file must have exactly the model's weights; false sets those that fit. Default true. */
  readonly strict?: boolean;
}

/** A model: made by `sequential`, `functional` or `loadModel`. */
export class Model<Output extends Outputs = Tensor> {
  readonly network: Network;
  readonly name: string;
  readonly seed: number;
  /** What the file had beside the model, as `save({ extras })` was given it; `{}` for a model of no file. */
  readonly extras: Extras;
  /** What the model's file could not hold, in words, such as a loss of your own: compile the model with it again. */
  readonly leftOut: readonly string[];
  readonly #saved: SavedTraining | undefined;
  readonly #course = new Course();
  readonly #listed: boolean;
  readonly #options: ModelOptions;
  readonly #engine: EngineModel;
  #compiled: TrainingSetup | undefined;
  #training = false;

  constructor(
    network: Network,
    options: ModelOptions = {},
    { listed = false, extras = {}, training, compile }: ModelFacts = {},
  ) {
    checkOptions("model", options, MODEL_OPTIONS);
    this.network = network;
    this.name = options.name ?? "sequential";
    this.seed = seedOption("model", options.seed ?? 0);
    this.#options = options;
    this.#listed = listed;
    this.extras = extras;
    this.leftOut = training?.leftOut ?? [];
    this.#saved = training;
    const { backend, precision, threads } = options;
    this.#engine = new EngineModel(network, {
      name: this.name,
      seed: this.seed,
      ...(backend === undefined ? {} : { backend }),
      ...(precision === undefined ? {} : { precision }),
      ...(threads === undefined ? {} : { threads }),
    });
    if (training === undefined) return;
    this.#course.epochs = training.epochs;
    this.#course.history.push(...training.history);
    if (compile !== undefined) this.compile(compile);
  }

  /**
   * The table of layers, shapes and parameters, as text of 80 columns. A column shows which layers carry a mask, where any
   * does; another one what each layer is connected to, where that is not simply the row before.
   *
   * @throws OptionError for an unknown option.
   * @example
   * import { block, conv1d, input, maxPooling1d, sequential } from "torte";
   * const model = sequential(
   *   input({ shape: [100, 4] }),
   *   block("convolution block", [conv1d({ filters: 16, kernelSize: 5 }), maxPooling1d()]),
   * );
   * console.log(model.summary({ expandNested: true }).includes("conv1d (Conv1D)")); // true
   */
  summary(options: SummaryOptions = {}): string {
    return INSPECTION.need(this.name, "summary").summarize(this.network, this.name, options);
  }

  /**
   * How the model works, layer by layer: the arithmetic of each shape and of the parameters, the axes by name, what one
   * element of the result sees of the input, multiply-adds and memory for one example, and from which length on a masked
   * sequence has a valid position left. Prints as text; `rows`, `totals` and `warnings` are for programs.
   *
   * @example
   * import { conv1d, input, sequential } from "torte";
   * const model = sequential(input({ shape: [200, 16] }), conv1d({ filters: 16, kernelSize: 5 }));
   * const [conv] = model.explain().rows;
   * console.log(conv?.shape[0]); // length: 200 − 5 + 1 = 196
   * console.log(conv?.parameterArithmetic); // 5·16·16 + 16 = 1,296
   */
  explain(): Explanation {
    return INSPECTION.need(this.name, "explain").explain(this.network, this.name);
  }

  /**
   * Every hyperparameter of every layer, the layers inside of blocks included: layer, name, value, kind (continuous,
   * integer, categorical or boolean), default and usual range, also where the default was left. Prints as a table; `rows`
   * is for programs.
   *
   * @example
   * import { dense, dropout, input, sequential } from "torte";
   * const model = sequential(input({ shape: [4] }), dense({ units: 8 }), dropout({ rate: 0.2 }));
   * const rate = model.hyperparameters().rows.find(({ name }) => name === "rate");
   * console.log(rate?.layer, rate?.value, rate?.kind, rate?.usual); // dropout 0.2 continuous { min: 0.05, max: 0.35 }
   */
  hyperparameters(): Hyperparameters<Model<Output>> {
    return INSPECTION.need(this.name, "hyperparameters").listHyperparameters(
      this.network,
      (network, options: ModelOptions) => {
        const made = new Model<Output>(network, { ...this.#options, ...options }, { listed: this.#listed });
        if (this.#compiled?.given !== undefined) made.compile(this.#compiled.given);
        return made;
      },
    );
  }

  /** Number of all parameters, shared ones counted once. */
  countParams(): number {
    const { trainable, frozen } = countParameters(this.network.layers);
    return trainable + frozen;
  }

  /** Whether training changes any layer. Setting it freezes or releases all layers; compile again afterwards. */
  get trainable(): boolean {
    return this.network.layers.some((layer) => layer.trainable);
  }

  set trainable(value: boolean) {
    booleanOption(this.name, "trainable", value);
    for (const layer of this.network.layers) layer.trainable = value;
  }

  /**
   * The model as a layer of another one. It keeps its weights: training the one model trains the other.
   *
   * @throws TorteError for a model with several outputs.
   * @example
   * import { dense, input, sequential } from "torte";
   * const base = sequential(input({ shape: [8] }), dense({ units: 4 }));
   * const whole = sequential(input({ shape: [8] }), base.asLayer({ trainable: false }), dense({ units: 1 }));
   * console.log(whole.countParams()); // 41
   */
  asLayer(options: CommonOptions = {}): LayerFunction {
    return networkLayer(this.network, options);
  }

  /** Chooses what training does. */
  compile(options: CompileOptions): void {
    this.#refuseWhileTraining("compile");
    const chosen = readObjective(this.network, options);
    const optimizer = readOptimizer(options.optimizer ?? "rmsprop");
    if (this.#compiled !== undefined) this.#engine.forget(this.#compiled);
    const { course = this.#course, objective } = this.#compiled ?? {};
    // What a file has of training goes on with the first thing that the model is compiled for.
    const saved = objective === undefined ? this.#saved?.states : {};
    this.#compiled = new TrainingSetup(chosen, optimizer, course, { given: options, saved });
    this.#engine.exactConvolutions = chosen.exactConvolutions === true;
  }

  /**
   * Trains on the data. A later fit goes on from where this one ends: with its weights, its optimizer, and the orders and
   * random numbers that come next.
   *
   * @throws DataError for data that the model cannot take; TrainingError where the loss is no longer finite, or where the
   * model is in training already.
   */
  async fit(data: Data, options: FitOptions = {}): Promise<History> {
    refuseLooseParts("fit", data, options);
    checkFitOptions(options);
    const compiled = this.#needCompiled("fit");
    this.#refuseWhileTraining("fit");
    this.#checkTrainable(compiled);
    this.#training = true;
    try {
      await this.#engine.prepare();
      const shuffle = options.shuffle ?? !(data instanceof Dataset || isStream(data));
      const { validationSplit, ...others } = options;
      const all = learntFrom("fit", data);
      const parts = validationSplit === undefined ? undefined : withHeldBack(data, validationSplit);
      const held = parts === undefined ? {} : { validationData: parts.validation };
      const trainer = new Trainer(this.#engine, compiled, { ...others, ...held, shuffle }, this);
      return await trainer.run(parts === undefined ? all : { whole: parts.train });
    } finally {
      this.#training = false;
    }
  }

  /**
   * Trains with another optimizer, then puts everything back as it was. For `learningRateRange`.
   *
   * @throws as fit does.
   * @internal
   */
  async trial(where: string, optimizer: Optimizer, data: Plans, options: FitOptions): Promise<History> {
    const { objective } = this.#needCompiled(where);
    this.#refuseWhileTraining(where);
    this.#training = true;
    try {
      const { session, weights } = this.#engine;
      const compiled = new TrainingSetup(objective, optimizer);
      const before = this.#engine.snapshotName("before the trial");
      await this.#engine.prepare();
      await session.snapshot(before, weights);
      return await finishing(
        () => new Trainer(this.#engine, compiled, { verbose: 0, ...options }, this).run({ whole: data }),
        [
          () => session.restore(before),
          () => session.forget(before),
          () => {
            this.#engine.forget(compiled);
          },
        ],
      );
    } finally {
      this.#training = false;
    }
  }

  /**
   * The figures of an epoch by name, and whether more ("max") or less ("min") of each is better; "none" where neither is. Those of
   * validation data have the same directions.
   *
   * @throws TorteError where the model is not compiled.
   * @example
   * import { dense, input, sequential } from "torte";
   * const model = sequential(input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" }));
   * model.compile({ loss: "binaryCrossentropy", metrics: ["auc"] });
   * console.log(model.figures); // { loss: 'min', auc: 'max' }
   */
  get figures(): Readonly<Record<string, Direction>> {
    return Object.fromEntries(this.#needCompiled("figures").figures.directions);
  }

  /** What the model was compiled with, if it was. */
  get optimizer(): Optimizer | undefined {
    return this.#compiled?.optimizer;
  }

  /** How far training has come: all zero for a model that was neither compiled nor loaded. */
  get progress(): TrainingProgress {
    const { epochs, history } = this.#compiled?.course ?? this.#course;
    return { epochs, updates: this.#compiled?.learningRate.updates ?? 0, history: [...history] };
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
    const compiled = this.#needCompiled("checkData");
    const plan = await wholeOf("checkData", data).plan(0);
    await this.#engine.checkAll(compiled, planInOrder(plan, this.#engine.names(compiled), "checkData").columns);
  }

  /**
   * One step of training on one batch, for loops of your own; gives the figures from before its update. It belongs to no epoch:
   * windows of accumulated gradients go on from batch to batch.
   *
   * @throws as fit does.
   * @example
   * import { dense, input, sequential, tensor } from "torte";
   * const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "zeros" }));
   * model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
   * const batch = { x: tensor([[1], [2]]), y: tensor([[2], [4]]) };
   * console.log(await model.trainOnBatch(batch)); // { loss: 10 }
   * console.log((await model.testOnBatch(batch)).loss! < 10); // true
   */
  async trainOnBatch(batch: Rows, options: Pick<FitOptions, "classWeight"> = {}): Promise<Logs> {
    refuseLooseParts("trainOnBatch", batch, options);
    checkOptions("trainOnBatch", options, ["classWeight"]);
    const compiled = this.#needCompiled("trainOnBatch");
    this.#refuseWhileTraining("trainOnBatch");
    refuseTest("trainOnBatch", batch);
    this.#checkTrainable(compiled);
    const columns = batchColumns("trainOnBatch", batch, this.#engine.names(compiled));
    this.#training = true;
    try {
      await this.#engine.prepare();
      return await new Trainer(this.#engine, compiled, { ...options, verbose: 0 }, this).step(columns);
    } finally {
      this.#training = false;
    }
  }

  /** The figures of one batch, without training on it. @throws as evaluate does. */
  async testOnBatch(batch: Rows): Promise<Logs> {
    refuseLooseParts("testOnBatch", batch, {});
    const rows = asDataset(batch, "testOnBatch");
    return this.evaluate(rows, { batchSize: rows.size });
  }

  /**
   * Loss (with its penalties) and metrics over the data. A sealed test is opened for it, and says so in its `openings`.
   *
   * @throws DataError for data that the model cannot take.
   */
  async evaluate(data: Data | SealedTest, options: EvaluateOptions = {}): Promise<Logs> {
    const where = "evaluate";
    refuseLooseParts(where, data, options);
    checkOptions(where, options, ["batchSize", "steps"]);
    const compiled = this.#needCompiled(where);
    const { batchSize } = options;
    const steps = options.steps === undefined ? undefined : positiveInteger(where, "steps", options.steps);
    const size = batchSize === undefined ? {} : { batchSize };
    const { stream, whole } = sorted<Whole | SealedTest>(data);
    if (stream !== undefined) {
      await this.#engine.prepare();
      return (
        (await this.#engine.evaluateStream(compiled, where, inBatches(where, stream, size), { where, steps })) ?? {}
      );
    }
    const dataset = whole instanceof SealedTest ? whole.open(where) : asDataset(whole, where);
    const { columns, order } = planInOrder(await dataset.plan(0), this.#engine.names(compiled), where);
    this.#engine.check(compiled, columns, { values: false });
    await this.#engine.prepare();
    const filled = this.#engine.filledUp(columns, compiled);
    const batch = batchSizeOf(where, dataset, options);
    const seen = steps === undefined ? order : firstBatches(where, order, { steps }, batch);
    return this.#engine.evaluateRows({ compiled, name: where, columns: filled, order: seen }, batch);
  }

  /**
   * The outputs for the inputs, in their order: of one tensor, of a list or an object of them by the inputs' names, of the rows of a
   * Dataset, or of a stream of batches, each of which is inputs, `{ x }` or `[x]`.
   *
   * @throws DataError for inputs that the model cannot take.
   */
  async predict(x: PredictData, options: EvaluateOptions = {}): Promise<Output> {
    const where = "predict";
    checkOptions(where, options, ["batchSize", "steps"]);
    const { batchSize } = options;
    const steps = options.steps === undefined ? undefined : positiveInteger(where, "steps", options.steps);
    const size = batchSize === undefined ? {} : { batchSize };
    const { stream, whole } = sorted<TensorOrList | Whole, TensorOrList | Rows>(x);
    const outputs = await (stream === undefined
      ? this.#predictRows(whole, options)
      : this.#predictStream(inBatches(where, stream, size), steps));
    // The type of the model says whether its outputs are a list.
    return (this.#listed ? outputs : outputs[0]) as Output;
  }

  async #predictStream(stream: BatchStream<TensorOrList | Rows>, steps: number | undefined): Promise<Tensor[]> {
    await this.#engine.prepare();
    return this.#engine.predictStream(stream, { where: "predict", steps });
  }

  async #predictRows(x: TensorOrList | Whole, options: EvaluateOptions): Promise<Tensor[]> {
    const dataset = predicted(x);
    const { columns, order } = planInOrder(await dataset.plan(0), this.#engine.names(), "predict");
    this.#engine.checkInputs(columns.x, { values: false });
    await this.#engine.prepare();
    const batchSize = positiveInteger("predict", "batchSize", options.batchSize ?? dataset.batchSize ?? 256);
    const seen =
      options.steps === undefined ? order : firstBatches("predict", order, { steps: options.steps }, batchSize);
    const isWhole = !(x instanceof Dataset) && seen === order;
    const rows = isWhole ? columns : { x: columns.x.map((tensor) => tensor.take(seen)), y: [] };
    return this.#engine.predictRows(rows, chunksFor(seen.length, batchSize, this.#engine.rowsAreApart(columns.x)));
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
    const { computeGradients } = await import("./gradients.js");
    await this.#engine.prepare();
    const objective = this.#compiled?.objective;
    return computeGradients(this.network, this.#engine.session, { data, options, objective, seed: this.seed });
  }

  /**
   * The model as a function of its weights: (weights, x, { training, seed }) → outputs, which nothing else goes into and
   * nothing else comes out of. It can be transformed: gradients of single examples, products with Hessians, several sets of
   * weights in one program.
   *
   * Weights are those of `getWeights`, all of them; x is a batch, or a list of inputs. Penalties of weights are left out,
   * and moving averages stay as they are given.
   *
   * @throws OptionError for weights that the model does not have; ShapeError for what does not fit; GraphError for batch
   * statistics within vmap.
   * @example
   * import { dense, grad, input, ops, sequential, tensor, vmap, type Node } from "torte";
   * const model = sequential(input({ shape: [2] }), dense({ units: 1, kernelInitializer: "ones" }));
   * const apply = model.pure();
   * const loss = (weights: Record<string, Node>, x: Node, y: Node) =>
   *   ops.sum(ops.square(ops.sub(apply(weights, ops.expandDims(x, 0)), y)));
   * const perExample = vmap(grad(loss), { in: [null, 0, 0] });
   * const gradients = await perExample(await model.getWeights(), tensor([[1, 2], [3, 4]]), tensor([1, 1]));
   * console.log(gradients["dense.bias"]?.toArray()); // [[4], [12]]
   */
  pure(): PureFunction<Output> {
    return PURE.need(this.name, "pure")<Output>(this.network, this.#listed, this.seed);
  }

  /**
   * What the model was compiled for, if it was.
   *
   * @internal
   */
  get objective(): Objective | undefined {
    return this.#compiled?.objective;
  }

  #needCompiled(where: string): TrainingSetup {
    if (this.#compiled === undefined) {
      throw new TorteError({
        where,
        problem: "the model is not compiled",
        fix: "Call model.compile({ optimizer, loss }) first.",
      });
    }
    return this.#compiled;
  }

  /** Training updates what was trainable when the model was compiled. */
  #checkTrainable({ trained }: TrainingSetup): void {
    const now = trainable(this.network);
    if (now.length === trained.length && now.every(({ state }, i) => state === trained[i]?.weight.state)) return;
    throw new TorteError({
      where: "fit",
      problem: "other layers are trainable than when the model was compiled",
      fix: "Call model.compile again after freezing or releasing layers.",
    });
  }

  /** All weights by name, such as `conv1d_1.kernel`. */
  async getWeights(): Promise<Record<string, Tensor>> {
    await this.#engine.prepare();
    const entries = [...this.network.weights].map(
      async ([name, { state }]) => [name, await this.#engine.session.read(state)] as const,
    );
    return Object.fromEntries(await Promise.all(entries));
  }

  /** @throws DataError for a name that the model does not have, or a shape that does not fit. */
  async setWeights(values: Readonly<Record<string, Tensor>>): Promise<void> {
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
      checkSize(name, value);
    }
    await this.#engine.prepare(values);
    for (const [name, value] of Object.entries(values))
      await this.#engine.session.write(weightState(weights, name), value);
  }

  /** The weights as the bytes of a safetensors file. */
  async saveWeights(options: SaveOptions = {}): Promise<Bytes> {
    checkOptions("saveWeights", options, ["metadata"]);
    const { weightsFile } = await import("./model-files.js");
    return weightsFile(() => this.getWeights(), options);
  }

  /**
   * Sets weights by name from a safetensors file: bytes, a path or an address. Gives the names of those that were loaded, are
   * missing in the file, are unexpected there, or have another shape in it.
   *
   * @throws DataError where the file does not have exactly the model's weights, unless `strict` is false; the model is then as
   * it was.
   * @example
   * import { dense, input, sequential } from "torte";
   * const hidden = () => dense({ units: 4, name: "hidden" });
   * const first = sequential(input({ shape: [3] }), hidden(), dense({ units: 2, name: "two" }));
   * const second = sequential(input({ shape: [3] }), hidden(), dense({ units: 5, name: "five" }));
   * const report = await second.loadWeights(await first.saveWeights(), { strict: false });
   * console.log(report.loaded); // [ 'hidden.kernel', 'hidden.bias' ]
   * console.log(report.missing, report.unexpected); // [ 'five.kernel', 'five.bias' ] [ 'two.kernel', 'two.bias' ]
   */
  async loadWeights(source: Source, options: LoadWeightsOptions = {}): Promise<WeightReport> {
    checkOptions("loadWeights", options, ["strict"]);
    const strict = booleanOption("loadWeights", "strict", options.strict ?? true);
    const { weightsOf } = await import("./model-files.js");
    const { report, values } = await weightsOf(this.network, source, strict);
    await this.setWeights(values);
    return report;
  }

  /** The model in words of JSON; functions of the user's own appear by their names only. */
  describe(): ModelDescription {
    const { describeNetwork } = INSPECTION.need(this.name, "describe");
    const unnamed = ({ value }: { readonly value: unknown }): object => ({
      $unknown: typeof value === "function" ? value.name : typeof value,
    });
    return this.#described(describeNetwork(this.network, unnamed));
  }

  #described(graph: GraphDescription): ModelDescription {
    return {
      format: "torte-model",
      version: 1,
      name: this.name,
      seed: this.seed,
      listed: this.#listed,
      parameters: this.countParams(),
      ...graph,
    };
  }

  /**
   * The model with its weights as the bytes of a safetensors file, for loadModel. Of a compiled model it keeps what compile
   * chose, the optimizer with its memory, the state of random numbers, epochs, updates and history, so that a later fit goes on
   * as if nothing had come between; functions of your own that compile was given are left out by name.
   *
   * @throws OptionError for an option of a layer that no file can hold, such as a function of your own.
   * @example
   * import { dense, input, loadModel, sequential } from "torte";
   * const model = sequential(input({ shape: [4] }), dense({ units: 3, kernelRegularizer: "l2" }));
   * const again = await loadModel(await model.save({ extras: { labels: ["no", "yes", "maybe"] } }));
   * console.log(again.countParams(), again.extras["labels"]); // 15 [ 'no', 'yes', 'maybe' ]
   */
  async save(options: SaveModelOptions = {}): Promise<Bytes> {
    checkOptions("save", options, ["metadata", "extras", "training"]);
    const withTraining = booleanOption("save", "training", options.training ?? true);
    const compiled = withTraining ? this.#compiled : undefined;
    const { describeNetwork, modelFile, refuse } = await import("./model-files.js");
    const [description, extras] = [this.#described(describeNetwork(this.network, refuse)), this.extras];
    const readWeights = (): Promise<Record<string, Tensor>> => this.getWeights();
    return modelFile({ description, engine: this.#engine, compiled, extras, readWeights }, options);
  }

  /**
   * Gives the engine's memory back, and with it the values of weights that no other model uses. The model cannot be used
   * afterwards. Not needed: a model that is forgotten costs only memory.
   */
  close(): Promise<void> {
    return this.#engine.close(this.#compiled);
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
