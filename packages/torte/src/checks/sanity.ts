/** What to look at before a long run: steps that a model must pass, each with what it should give. */
import { baselineOf } from "../train/baseline.js";
import { Dataset } from "../data/dataset.js";
import { checkOptions, numberIn, OptionError, positiveInteger, seedOption } from "../errors.js";
import { PAGE, Report, wrap } from "../nn/inspect/report.js";
import { mixKey, shuffle } from "../tensor/random.js";
import { concatenate, Tensor } from "../tensor/tensor.js";
import type { Logs } from "../train/callbacks.js";
import type { Goal } from "../train/measure.js";
import { type Data, planOf } from "../train/model-data.js";
import { type ProbeOptions, withProbe } from "./probe.js";
import type { AnyModel } from "../train/model.js";

/** One step's result; prints as text. */
export class SanityCheck extends Report {
  constructor(
    readonly name: string,
    /** Undefined where nothing is known to compare with. */
    readonly passed: boolean | undefined,
    /** What was seen, with its numbers. */
    readonly text: string,
    readonly numbers: Readonly<Record<string, number>>,
    /** What to look for where it has not passed. */
    readonly hint: string,
  ) {
    super();
  }

  override toString(): string {
    const verdict = this.passed === undefined ? "not judged" : this.passed ? "passed" : "FAILED";
    const lines = [`${this.name}: ${verdict}. ${this.text}`, ...(this.passed === false ? [`  ${this.hint}`] : [])];
    return lines.flatMap((line) => wrap(line, PAGE)).join("\n");
  }
}

const short = (value: number): string => String(Number(value.toPrecision(4)));

/** The goals of a compiled model. @throws OptionError where it is not compiled. */
export function goalsOf(where: string, model: AnyModel): readonly Goal[] {
  if (model.objective !== undefined) return model.objective.goals;
  throw new OptionError({
    where,
    problem: "the model is not compiled",
    fix: "Call model.compile({ optimizer, loss }) first.",
  });
}

/** The loss of the data alone: without penalties. */
const dataLoss = (logs: Logs): number => (logs["loss"] ?? NaN) - (logs["penalty"] ?? 0);

/** Options of {@link checkInitialLoss}. */
export interface InitialLossOptions {
  /** Share of the expected loss that it may differ by, above 0. Default 0.25. */
  readonly tolerance?: number;
}

/**
 * Compares the loss before training with that of a model that knows nothing: ln K for a softmax over K classes, ln 2 for a
 * sigmoid, the mean of y² for a squared error, where outputs should be about 0. Other losses are told and not judged.
 *
 * @throws OptionError for a model that is not compiled; DataError for data that it cannot take.
 * @example
 * import { checkInitialLoss, dense, input, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [2] }), dense({ units: 4, activation: "softmax", kernelInitializer: "zeros" }));
 * model.compile({ loss: "sparseCategoricalCrossentropy" });
 * const check = await checkInitialLoss(model, { x: tensor([[1, 2], [3, 4]]), y: tensor([0, 3]) });
 * console.log(check.passed, check.numbers.expected); // true 1.3862943611198906
 */
export async function checkInitialLoss(
  model: AnyModel,
  data: Data,
  options: InitialLossOptions = {},
): Promise<SanityCheck> {
  const where = "checkInitialLoss";
  checkOptions(where, options, ["tolerance"]);
  const tolerance = numberIn(where, "tolerance", options.tolerance ?? 0.25, { above: 0 });
  const goals = goalsOf(where, model);
  const { columns } = await planOf(where, data, model.network, goals);
  const logs = await model.evaluate(data);
  const parts = goals.map((goal, i) => {
    const loss = goals.length === 1 ? dataLoss(logs) : (logs[`${goal.name}.loss`] ?? NaN);
    return { name: goal.name, loss, expected: expectedLoss(goal, columns.y[i], model) };
  });
  const judged = parts.filter(({ expected }) => expected !== undefined);
  const far = judged.filter(({ loss, expected = NaN }) => !(Math.abs(loss - expected) <= tolerance * expected));
  const texts = parts.map(({ name, loss, expected }) => {
    const known = expected === undefined ? "nothing to compare with" : `${short(expected)} expected`;
    return `${name} begins with a loss of ${short(loss)}, ${known}`;
  });
  const [first] = parts;
  return new SanityCheck(
    "loss at the start",
    judged.length === 0 ? undefined : far.length === 0,
    `${texts.join("; ")}.`,
    { loss: first?.loss ?? NaN, ...(first?.expected === undefined ? {} : { expected: first.expected }) },
    "Look at the last layer's activation and initializer, the scale of inputs and targets, and the reduction of the loss.",
  );
}

/** Of a model whose answers do not depend on the input. */
function expectedLoss({ loss, output }: Goal, targets: Tensor | undefined, model: AnyModel): number | undefined {
  if (loss.reduction === "sum" || targets === undefined) return undefined;
  const shape = model.network.outputs[output]?.shape ?? [];
  const classes = shape.at(loss.axis ?? -1) ?? 1;
  if (/^(sparseC|c)ategoricalCrossentropy$/.test(loss.name)) return Math.log(classes);
  if (loss.name === "binaryCrossentropy") return Math.LN2;
  if (loss.name !== "meanSquaredError") return undefined;
  return targets.data.reduce((sum: number, y: number) => sum + y * y, 0) / targets.data.length;
}

/** Options of {@link overfitOneBatch}. */
export interface OneBatchOptions extends ProbeOptions {
  /** Rows in the batch, at least 1. Default 16. */
  readonly rows?: number;
  /** Steps on it, at least 1. Default 300. */
  readonly steps?: number;
}

/**
 * Trains on one small batch again and again: a model that can learn brings the loss below a tenth of where it began, or every
 * answer right. It begins with the model's weights as they are, and puts them back.
 *
 * @throws OptionError for a model that is not compiled, or options out of range; DataError for data that it cannot take.
 * @example
 * import { dense, input, overfitOneBatch, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 16, activation: "tanh" }), dense({ units: 1 }));
 * model.compile({ loss: "meanSquaredError" });
 * const check = await overfitOneBatch(model, { x: tensor([[0], [1], [2]]), y: tensor([[1], [0], [1]]) });
 * console.log(check.passed); // true
 */
export async function overfitOneBatch(
  model: AnyModel,
  data: Data,
  options: OneBatchOptions = {},
): Promise<SanityCheck> {
  const where = "overfitOneBatch";
  checkOptions(where, options, ["rows", "steps", "optimizer"]);
  const most = positiveInteger(where, "rows", options.rows ?? 16);
  const epochs = positiveInteger(where, "steps", options.steps ?? 300);
  const goals = goalsOf(where, model);
  const rows = await rowsOf(where, model, data, most);
  const batch = Dataset.fromTensors(rows);
  return withProbe(model, goals, options, async (probe) => {
    const before = await probe.evaluate(batch);
    await probe.fit(batch, { epochs, batchSize: batch.size, verbose: 0 });
    const after = await probe.evaluate(batch);
    const [loss, end, accuracy] = [dataLoss(before), dataLoss(after), after["accuracy"]];
    const share = end / loss;
    const right = accuracy === undefined ? "" : `, accuracy ${short(accuracy)}`;
    return new SanityCheck(
      "overfit one batch",
      share <= 0.1 || accuracy === 1,
      `${epochs} steps on ${batch.size} rows brought the loss from ${short(loss)} to ${short(end)}${right}.`,
      { before: loss, after: end, rows: batch.size, steps: epochs, ...(accuracy === undefined ? {} : { accuracy }) },
      "Look whether inputs and targets belong together, whether the gradient reaches every layer (checkGradientFlow), and at " +
        "the rate, dropout and regularizers.",
    );
  });
}

/** What checks that train have in common. */
export interface TrainedCheckOptions extends ProbeOptions {
  /** Passes over the rows, at least 1. Default 5. */
  readonly epochs?: number;
  /** Rows in a step, at least 1. Default 32. */
  readonly batchSize?: number;
  /** Most rows that are trained on, at least 2. Default 2048. */
  readonly rows?: number;
}

const TRAINED = ["epochs", "batchSize", "rows", "optimizer"];

function trainedOptions(
  where: string,
  options: TrainedCheckOptions,
): { epochs: number; batchSize: number; rows: number } {
  return {
    epochs: positiveInteger(where, "epochs", options.epochs ?? 5),
    batchSize: positiveInteger(where, "batchSize", options.batchSize ?? 32),
    rows: Math.max(2, positiveInteger(where, "rows", options.rows ?? 2048)),
  };
}

/** Options of {@link checkShuffledLabels}. */
export interface ShuffledLabelsOptions extends TrainedCheckOptions {
  /** Rows that the model is judged on. Default: the last fifth of the data. */
  readonly validationData?: Data;
  /** Of the shuffling. Default 0. */
  readonly seed?: number;
}

/**
 * Trains on targets that have been dealt out anew and so have nothing to do with their inputs (rows with the same inputs keep
 * the same target): on other rows the model must not be better than the same answer for every example. Where it is, rows are in
 * both parts, and what it seems to know of them it has learnt by heart. It begins with the model's weights as they are, and
 * puts them back.
 *
 * @throws OptionError for a model that is not compiled, or options out of range; DataError for data that it cannot take.
 * @example
 * import { checkShuffledLabels, dense, input, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1, activation: "sigmoid" }));
 * model.compile({ loss: "binaryCrossentropy", metrics: ["accuracy"] });
 * const numbers = Array.from({ length: 100 }, (_, i) => Math.sin(i));
 * const data = { x: tensor(numbers.map((n) => [n])), y: tensor(numbers.map((n) => [n > 0 ? 1 : 0])) };
 * const check = await checkShuffledLabels(model, data, { epochs: 1 });
 * console.log(Object.keys(check.numbers)); // [ 'loss', 'trainLoss', 'rows', 'accuracy', 'majority' ]
 */
export async function checkShuffledLabels(
  model: AnyModel,
  data: Data,
  options: ShuffledLabelsOptions = {},
): Promise<SanityCheck> {
  const where = "checkShuffledLabels";
  checkOptions(where, options, [...TRAINED, "validationData", "seed"]);
  const { epochs, batchSize, rows } = trainedOptions(where, options);
  const seed = seedOption(where, options.seed ?? 0);
  const goals = goalsOf(where, model);
  const all = await rowsOf(where, model, data, rows);
  const count = all.x[0]?.shape[0] ?? 0;
  const cut = options.validationData === undefined ? Math.max(1, Math.floor(0.8 * count)) : count;
  const part = (from: number, to: number): Rows => ({
    x: all.x.map((tensor) => tensor.rows(from, to)),
    y: all.y.map((tensor) => tensor.rows(from, to)),
  });
  const held =
    options.validationData === undefined ? part(cut, count) : await rowsOf(where, model, options.validationData, rows);
  const [seen, judged] = relabelled([part(0, cut), held], seed).map((part) => Dataset.fromTensors(part));
  if (seen === undefined || judged === undefined) throw new RangeError("a part is missing");
  return withProbe(model, goals, options, async (probe) => {
    await probe.fit(seen, { epochs, batchSize, verbose: 0 });
    const [known, logs] = [await probe.evaluate(seen), await probe.evaluate(judged)];
    const [goal] = goals;
    const baseline = goal === undefined ? undefined : baselineOf(goal, 0, await seen.plan(0), await judged.plan(0));
    const [accuracy, majority] = [logs["accuracy"], baseline?.accuracy];
    const [loss, constant] = [dataLoss(logs), baseline?.loss];
    const answers = held.y[0]?.shape[0] ?? 1;
    const noise = majority === undefined ? 0 : 3 * Math.sqrt(Math.max(majority * (1 - majority), 0.01) / answers);
    const byAccuracy = accuracy !== undefined && majority !== undefined;
    const passed = byAccuracy
      ? accuracy <= majority + noise
      : constant === undefined
        ? undefined
        : loss >= 0.9 * constant;
    const text = byAccuracy
      ? `on other rows its accuracy is ${short(accuracy)}, beside ${short(majority)} ± ${short(noise)} of the majority`
      : `on other rows its loss is ${short(loss)}${constant === undefined ? "" : `, beside ${short(constant)} of the best constant`}`;
    return new SanityCheck(
      "shuffled labels",
      passed,
      `After ${epochs} epochs on shuffled targets ${text}; its training loss is ${short(dataLoss(known))}.`,
      {
        loss,
        trainLoss: dataLoss(known),
        rows: answers,
        ...(accuracy === undefined ? {} : { accuracy }),
        ...(majority === undefined ? {} : { majority }),
        ...(constant === undefined || byAccuracy ? {} : { constant }),
      },
      "The same rows are in both parts: split before copies are made (augmentation, windows), and by groups where rows belong together.",
    );
  });
}

/**
 * Trains on the inputs and, from the same weights, on inputs that are all alike (zeros; the token 1 where there are tokens):
 * with the real ones the loss must be lower, by a twentieth at least, or the model does not read them. It begins with the
 * model's weights as they are, and puts them back.
 *
 * @throws OptionError for a model that is not compiled, or options out of range; DataError for data that it cannot take.
 * @example
 * import { checkZeroInput, dense, input, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
 * model.compile({ loss: "meanSquaredError" });
 * const numbers = Array.from({ length: 64 }, (_, i) => Math.sin(i));
 * const data = { x: tensor(numbers.map((n) => [n])), y: tensor(numbers.map((n) => [3 * n])) };
 * const check = await checkZeroInput(model, data, { epochs: 20 });
 * console.log(check.passed); // true
 */
export async function checkZeroInput(
  model: AnyModel,
  data: Data,
  options: TrainedCheckOptions = {},
): Promise<SanityCheck> {
  const where = "checkZeroInput";
  checkOptions(where, options, TRAINED);
  const { epochs, batchSize, rows } = trainedOptions(where, options);
  const goals = goalsOf(where, model);
  const real = await rowsOf(where, model, data, rows);
  const zero = { x: real.x.map(alike), y: real.y };
  const trained = (given: Rows): Promise<number> =>
    withProbe(model, goals, options, async (probe) => {
      const dataset = Dataset.fromTensors(given);
      await probe.fit(dataset, { epochs, batchSize, verbose: 0 });
      return dataLoss(await probe.evaluate(dataset));
    });
  const [loss, without] = [await trained(real), await trained(zero)];
  return new SanityCheck(
    "zero input",
    loss < 0.95 * without,
    `After ${epochs} epochs the loss is ${short(loss)}, and ${short(without)} where all inputs are alike.`,
    { loss, zeroLoss: without },
    "Look whether the inputs reach the model, are scaled and belong to their targets; train longer or faster.",
  );
}

function alike({ data, shape, dtype }: Tensor): Tensor {
  const tokens = dtype === "int32";
  return tokens
    ? new Tensor(new Int32Array(data.length).fill(1), shape, "int32")
    : new Tensor(new Float32Array(data.length), shape, "float32");
}

/** Targets dealt out anew over all parts; rows with the same inputs get the same ones, in whatever part they are. */
function relabelled(parts: readonly Rows[], seed: number): Rows[] {
  const counts = parts.map(({ x }) => x[0]?.shape[0] ?? 0);
  const y = (parts[0]?.y ?? []).map((_, i) => concatenate(parts.flatMap((part) => part.y[i] ?? [])));
  const total = counts.reduce((a, b) => a + b, 0);
  const dealt = shuffle(
    Int32Array.from({ length: total }, (_, i) => i),
    mixKey(seed, 0x1abe1, 0),
  );
  const known = new Map<string, number>();
  return parts.map(({ x }, p) => {
    const rows = Array.from({ length: counts[p] ?? 0 }, (_, row) => {
      const inputs = x.map((tensor) => tensor.rows(row, row + 1).data.join()).join(";");
      const group = known.get(inputs) ?? known.size;
      known.set(inputs, group);
      return dealt[group] ?? 0;
    });
    return { x, y: y.map((tensor) => tensor.take(rows)) };
  });
}

interface Rows {
  readonly x: Tensor[];
  readonly y: Tensor[];
}

/** The first rows of the first epoch. */
async function rowsOf(where: string, model: AnyModel, data: Data, most: number): Promise<Rows> {
  const { columns, order } = await planOf(where, data, model.network, model.objective?.goals);
  const rows = order.subarray(0, most);
  return { x: columns.x.map((tensor) => tensor.take(rows)), y: columns.y.map((tensor) => tensor.take(rows)) };
}
