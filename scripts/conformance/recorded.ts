/** Recorded calls of losses and metrics: the arguments that Torte takes for what another library was given. */
import * as torte from "torte";
import { type CollectMetric, type Loss, type Metric, type Node, ops, type Tensor, tensor } from "torte";
import type { ArrayData, RecordedLoss, RecordedMetric, Update } from "./cases.js";

type Options = Readonly<Record<string, unknown>>;

const REDUCTIONS: Readonly<Record<string, string>> = {
  sumOverBatchSize: "mean",
  sum_over_batch_size: "mean",
  meanWithSampleWeight: "weightedMean",
  mean_with_sample_weight: "weightedMean",
  mean: "mean",
  sum: "sum",
  none: "none",
};

/** Options of another name or form. */
export function lossOptions({ options, expected }: RecordedLoss): Options {
  const { reduction, ...others } = options;
  // A call of the function behind a loss gives a number for each position.
  const given = typeof reduction === "string" ? (REDUCTIONS[reduction] ?? reduction) : undefined;
  return { ...others, reduction: given ?? (expected.shape.length > 0 ? "none" : "mean") };
}

/** The number, or the numbers of the positions, that the loss comes to, in a model of prediction, target and weights. */
export function reducing(loss: Loss): (inputs: readonly Node[]) => Node {
  return ([prediction, target, sampleWeight]) => {
    if (prediction === undefined || target === undefined) throw new RangeError("a loss has a target");
    const result = torte.reduceLoss(loss, target, prediction, sampleWeight === undefined ? {} : { sampleWeight });
    return result.shape.length > 0 ? result : ops.broadcastTo(result, prediction.shape.slice(0, 1));
  };
}

/** What a metric is run with: its own factory's metrics, and the rows that they see. */
export interface MetricRun {
  readonly metrics: readonly Metric[];
  readonly targets: Loss["targets"];
  readonly predictions: NonNullable<Loss["predictions"]>;
  readonly x: Tensor;
  readonly y: Tensor;
  readonly sampleWeight?: Tensor;
}

/** Numbers with a shape, while they are brought into the form of rows. */
interface Rows {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

const float = ({ shape, data }: Rows): Tensor => tensor(Float32Array.from(data), { shape });
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Metrics of vectors: one axis alone is one row. All others take it for a column of rows. */
const OF_ROWS = new Set([
  "categoricalCrossentropy",
  "categoricalAccuracy",
  "topKCategoricalAccuracy",
  "cosineSimilarity",
  "klDivergence",
  "categoricalHinge",
  "categoricalFocalCrossentropy",
  "concordanceCorrelation",
  "pearsonCorrelation",
  "oneHotIou",
  "oneHotMeanIou",
]);

const rowsOf = ({ shape, data }: ArrayData, asRow: boolean): Rows => {
  if (shape.length > 1) return { shape, data };
  return { shape: asRow ? [1, data.length] : [data.length, 1], data };
};

/** Updates one after the other: a metric does not depend on how its rows come in batches. */
function joined(parts: readonly Rows[]): Rows {
  const [first] = parts;
  if (first === undefined) throw new RangeError("a metric has no updates");
  const rows = parts.reduce((sum, { shape: [n = 0] }) => sum + n, 0);
  return { shape: [rows, ...first.shape.slice(1)], data: parts.flatMap(({ data }) => data) };
}

/** Weights repeated to the shape, as NumPy broadcasts them; weights of rows stand at the front. */
function spread({ shape, data }: ArrayData, to: readonly number[]): Rows {
  const atFront =
    shape.length === 1 && shape[0] === to[0] && (to.length > 1 ? to.at(-1) !== shape[0] || to[0] === shape[0] : true);
  const aligned = atFront
    ? [...shape, ...to.slice(1).map(() => 1)]
    : [...to.slice(shape.length).map(() => 1), ...shape];
  const result = Array.from({ length: sizeOf(to) }, (_, i) => {
    let [rest, index, stride] = [i, 0, 1];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      const place = rest % (to[axis] ?? 1);
      rest = Math.floor(rest / (to[axis] ?? 1));
      const n = aligned[axis] ?? 1;
      index += (n === 1 ? 0 : place) * stride;
      stride *= n;
    }
    return data[index] ?? NaN;
  });
  return { shape: to, data: result };
}

/** Whether all elements of a row have one weight. */
const alikeInRows = ({ shape, data }: Rows): boolean => {
  const width = sizeOf(shape.slice(1));
  return data.every((weight, i) => weight === data[i - (i % width)]);
};

const columnOf = ({ shape, data }: Rows, k: number): Rows => {
  const width = shape.at(-1) ?? 1;
  return { shape: [data.length / width, 1], data: data.filter((_, i) => i % width === k) };
};

const elements = ({ data }: Rows): Rows => ({ shape: [data.length, 1], data });

/** One run, or one for each number of the result. */
export function metricRuns({ name, options, inputs, expected }: RecordedMetric): MetricRun[] {
  const asRow = OF_ROWS.has(name) || options["topK"] !== undefined;
  const updates = inputs.map((update) => rowsOfUpdate(update, options, asRow));
  const [p, y] = [joined(updates.map(({ p: part }) => part)), joined(updates.map(({ y: part }) => part))];
  const given = updates.some(({ w }) => w !== undefined);
  const ones = (shape: readonly number[]): Rows => ({ shape, data: Array<number>(sizeOf(shape)).fill(1) });
  const w = given ? joined(updates.map((part) => part.w ?? ones(part.p.shape))) : undefined;
  const count = expected.shape[0];
  if (count === undefined) return [oneRun(name, options, { p, y, w })];
  const thresholds = options["thresholds"];
  if (Array.isArray(thresholds))
    return thresholds.map((threshold: unknown) => oneRun(name, { ...options, thresholds: threshold }, { p, y, w }));
  // A number for each class, or for each output.
  const apart = name === "r2Score" || options["threshold"] !== undefined;
  return Array.from({ length: count }, (_, k) =>
    apart
      ? oneRun(name, options, { p: columnOf(p, k), y: columnOf(y, k), w: w === undefined ? undefined : columnOf(w, k) })
      : oneRun(name, { ...options, classId: k }, { p, y, w }),
  );
}

interface Parts {
  readonly p: Rows;
  readonly y: Rows;
  /** Of the shape of p. */
  readonly w: Rows | undefined;
}

function rowsOfUpdate(update: Update, options: Options, asRow: boolean): Parts {
  const given = update.prediction ?? update.values;
  if (given === undefined) throw new RangeError("an update has no prediction");
  const classes = options["numClasses"];
  const sparse = options["sparseYPred"] === true && typeof classes === "number";
  // Predictions that are classes are scores that are sure of them.
  const p = sparse ? hot(given, classes) : options["fromSortedIds"] === true ? scored(given) : rowsOf(given, asRow);
  const target = update.target ?? { shape: given.shape, data: given.data.map(() => 0) };
  const isClasses =
    sizeOf(target.shape) * (p.shape.at(-1) ?? 1) === sizeOf(p.shape) && sizeOf(target.shape) !== sizeOf(p.shape);
  const y = isClasses ? { shape: [sizeOf(target.shape)], data: target.data } : { shape: p.shape, data: target.data };
  const { sampleWeight } = update;
  return { p, y, w: sampleWeight === undefined ? undefined : spread(sampleWeight, p.shape) };
}

const hot = ({ data }: ArrayData, classes: number): Rows => ({
  shape: [data.length, classes],
  data: data.flatMap((label) => Array.from({ length: classes }, (_, k) => Number(k === label))),
});

/** Classes in falling order, as scores of all classes. */
function scored({ shape: [rows = 0, ranks = 0], data }: ArrayData): Rows {
  const classes = Math.max(...data) + 1;
  const scores = Array<number>(rows * classes).fill(0);
  data.forEach((label, i) => (scores[Math.floor(i / ranks) * classes + label] = ranks - (i % ranks)));
  return { shape: [rows, classes], data: scores };
}

function oneRun(name: string, options: Options, parts: Parts): MetricRun {
  const made = makeMetric(name, options);
  // Weights of single elements: each element is a row of its own, which is the same to what counts elements.
  const flat = parts.w !== undefined && !alikeInRows(parts.w) && options["topK"] === undefined;
  const { p, y, w } = flat
    ? { p: elements(parts.p), y: elements(parts.y), w: elements(parts.w) }
    : { ...parts, w: parts.w === undefined ? undefined : columnOf(parts.w, 0) };
  return {
    ...made,
    x: float(p),
    y: made.targets === "classes" ? tensor(Int32Array.from(y.data), { shape: y.shape }) : float(y),
    ...(w === undefined ? {} : { sampleWeight: float({ shape: [w.data.length], data: w.data }) }),
  };
}

/** Options that say what Torte is told otherwise, or does exactly. */
const UNUSED = new Set([
  "numClasses",
  "sparseYTrue",
  "sparseYPred",
  "numThresholds",
  "fromSortedIds",
  "axis",
  "fromLogits",
]);

const RENAMED: Readonly<Record<string, (value: unknown) => Options>> = {
  thresholds: (value) => ({ threshold: Array.isArray(value) ? (value as unknown[])[0] : value }),
  classAggregation: (value) => ({ outputs: value === "varianceWeightedAverage" ? "variance" : "uniform" }),
  numRegressors: (value) => ({ regressors: value }),
  labelWeights: (value) => ({ labelWeights: (value as ArrayData).data }),
};

const CLASSES = new Set([
  "iou",
  "meanIou",
  "sparseCategoricalAccuracy",
  "sparseTopKCategoricalAccuracy",
  "sparseCategoricalCrossentropy",
]);

function makeMetric(name: string, options: Options): Pick<MetricRun, "metrics" | "targets" | "predictions"> {
  const predictions = options["fromLogits"] === true ? "logits" : "probabilities";
  const factory: unknown = (torte.metrics as Readonly<Record<string, unknown>>)[name];
  if (typeof factory !== "function") {
    const loss: unknown = (torte as Readonly<Record<string, unknown>>)[name];
    if (typeof loss !== "function") throw new NoSuchName(name);
    const metric = (loss as (options: Options) => Loss)(options);
    return { metrics: [metric], targets: metric.targets, predictions };
  }
  const own = Object.fromEntries(
    Object.entries(options).flatMap(([key, value]) => {
      const renamed = RENAMED[key];
      if (renamed !== undefined) return Object.entries(renamed(value));
      return UNUSED.has(key) && !(name === "auc" && key === "numThresholds") ? [] : [[key, value]];
    }),
  );
  const along = name.endsWith("Correlation") ? { along: "outputs" } : {};
  const metric = (factory as (options: Options) => Metric | CollectMetric)({ ...own, ...along });
  const isScore = name === "fBetaScore" || name === "f1Score";
  const targets = CLASSES.has(name)
    ? "classes"
    : isScore && options["threshold"] === undefined
      ? "distribution"
      : (metric.targets ?? "probabilities");
  return { metrics: [metric], targets, predictions };
}

/** Nothing of this name has been built. */
export class NoSuchName extends Error {
  constructor(name: string) {
    super(`there is no ${name}`);
  }
}
