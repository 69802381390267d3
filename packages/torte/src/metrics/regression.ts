/** Metrics of numbers. */
import { checkOptions, oneOf, wholeNumber } from "../errors.js";
import type { Node } from "../graph/node.js";
import type { Loss } from "../losses/loss.js";
import { direction } from "../losses/regression.js";
import * as ops from "../ops/index.js";
import { type NameOption, readName } from "./common.js";
import type { Collected, CollectMetric, CountsMetric, MeanMetric } from "./metric.js";

/** A loss as a metric: its mean, without penalties. */
export const lossMetric = ({ name, origin, targets, predictions, ignoreClass, call }: Loss): MeanMetric => ({
  name,
  ...(origin === undefined ? {} : { origin: { factory: `losses.${origin.factory}`, options: origin.options } }),
  kind: "mean",
  direction: "min",
  targets,
  ...(predictions === undefined ? {} : { predictions }),
  ...(ignoreClass === undefined ? {} : { ignoreClass }),
  call,
});

/** √(Σ w·mean (y − p)² / Σ w): the root is taken once, of the whole epoch. */
export function rootMeanSquaredError(options: NameOption = {}): CountsMetric {
  const where = "rootMeanSquaredError";
  checkOptions(where, options, ["name"]);
  return {
    ...readName(where, options),
    kind: "counts",
    direction: "min",
    targets: "numbers",
    call: (y, p, { weights }) => averageSums(ops.mean(ops.square(ops.sub(y, p)), { axes: [-1] }), weights),
    figure: ([sum = 0, weight = 0]) => Math.sqrt(sum / weight),
  };
}

/** [Σ w·x, Σ w]; what has no weight may be anything. */
export const averageSums = (x: Node, weights: Node): Node => {
  const weighed = ops.where(ops.equal(weights, 0), 0, ops.mul(x, weights));
  return ops.stack([ops.sum(weighed), ops.sum(weights)]);
};

/** Σ y·p/(|y|·|p|) along the last axis: 1 for the same direction. The loss of this name is its negative. */
export function cosineSimilarity(options: NameOption = {}): MeanMetric {
  checkOptions("cosineSimilarity", options, ["name"]);
  return {
    ...readName("cosineSimilarity", options),
    direction: "max",
    targets: "numbers",
    call: (y, p) => ops.sum(ops.mul(direction(y), direction(p)), { axes: [-1] }),
  };
}

/** Σ w·p / Σ w of the predictions, whatever the targets. */
export function mean(options: NameOption = {}): MeanMetric {
  checkOptions("mean", options, ["name"]);
  return { ...readName("mean", options), targets: "numbers", call: (_, p) => ops.mean(p, { axes: [-1] }) };
}

/** Σ w·p of the predictions, whatever the targets. */
export function sum(options: NameOption = {}): CountsMetric {
  checkOptions("sum", options, ["name"]);
  return {
    ...readName("sum", options),
    kind: "counts",
    targets: "numbers",
    call: (_, p, { weights }) =>
      ops.reshape(ops.sum(ops.where(ops.equal(weights, 0), 0, ops.mul(ops.sum(p, { axes: [-1] }), weights))), [1]),
    figure: ([total = 0]) => total,
  };
}

/** Targets and predictions of one output, with weights: what a figure is made of. */
interface Pairs {
  readonly y: Float64Array;
  readonly p: Float64Array;
  readonly w: Float64Array;
}

/** A metric of pairs of numbers, one figure for each output. */
function ofPairs(
  where: string,
  options: NameOption,
  combine: (outputs: readonly Pairs[], rows: readonly Pairs[]) => number,
): CollectMetric {
  return {
    ...readName(where, options),
    kind: "collect",
    direction: "max",
    targets: "numbers",
    call: (y, p) => [y, p],
    figure: (collected) => combine(outputsOf(collected), rowsOf(collected)),
  };
}

function outputsOf({ values: [y = new Float64Array(), p = new Float64Array()], weights }: Collected): Pairs[] {
  const n = weights.length;
  const width = n === 0 ? 1 : y.length / n;
  const column = (x: Float64Array, k: number): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => x[i * width + k] ?? NaN);
  return Array.from({ length: width }, (_, k) => ({ y: column(y, k), p: column(p, k), w: weights }));
}

function rowsOf({ values: [y = new Float64Array(), p = new Float64Array()], weights }: Collected): Pairs[] {
  const width = weights.length === 0 ? 1 : y.length / weights.length;
  const row = (x: Float64Array, i: number): Float64Array => x.subarray(i * width, (i + 1) * width);
  return Array.from(weights, (_, i) => ({ y: row(y, i), p: row(p, i), w: new Float64Array(width).fill(1) }));
}

const average = (values: readonly number[], weights?: readonly number[]): number => {
  const total = weights?.reduce((a, b) => a + b, 0) ?? values.length;
  return values.reduce((a, b, i) => a + b * (weights?.[i] ?? 1), 0) / total;
};

const weightedMean = (x: Float64Array, w: Float64Array): number => {
  let [total, weight] = [0, 0];
  x.forEach((value, i) => {
    total += value * (w[i] ?? NaN);
    weight += w[i] ?? NaN;
  });
  return total / weight;
};

/** Means, variances and covariance with weights, from the deviations: an offset does not harm them. */
function moments({
  y,
  p,
  w,
}: Pairs): Record<"meanY" | "meanP" | "varianceY" | "varianceP" | "covariance" | "squares", number> {
  const [meanY, meanP] = [weightedMean(y, w), weightedMean(p, w)];
  let [varianceY, varianceP, covariance, squares, weight] = [0, 0, 0, 0, 0];
  y.forEach((value, i) => {
    const [a, b, each] = [value - meanY, (p[i] ?? NaN) - meanP, w[i] ?? NaN];
    varianceY += each * a * a;
    varianceP += each * b * b;
    covariance += each * a * b;
    squares += each * (value - (p[i] ?? NaN)) ** 2;
    weight += each;
  });
  const scaled = (x: number): number => x / weight;
  return {
    meanY,
    meanP,
    varianceY: scaled(varianceY),
    varianceP: scaled(varianceP),
    covariance: scaled(covariance),
    squares: scaled(squares),
  };
}

export interface R2Options extends NameOption {
  /** How several outputs become one figure. Default "uniform": their mean; "variance" weighs them by their targets' variance. */
  readonly outputs?: "uniform" | "variance";
  /** Number p of regressors, for the adjusted figure 1 − (1 − R²)·(n − 1)/(n − p − 1); not adjusted for n ≤ p + 1 rows. Default 0. */
  readonly regressors?: number;
}

/**
 * 1 − Σ w·(y − p)²/Σ w·(y − ȳ)², computed in float64 from the deviations: targets of 10,000 with variance 1e-4 are no trouble.
 * Targets that are all the same give 1 for perfect predictions, else 0.
 */
export function r2Score(options: R2Options = {}): CollectMetric {
  const where = "r2Score";
  checkOptions(where, options, ["outputs", "regressors", "name"]);
  const outputs = oneOf(where, "outputs", options.outputs ?? "uniform", ["uniform", "variance"]);
  const regressors = wholeNumber(where, "regressors", options.regressors ?? 0);
  return ofPairs(where, options, (pairs) => {
    const all = pairs.map(moments);
    const each = all.map(({ varianceY, squares }) =>
      varianceY === 0 ? Number(squares === 0) : 1 - squares / varianceY,
    );
    const variances = all.map(({ varianceY }) => varianceY);
    const weighed = outputs === "variance" && variances.some((variance) => variance > 0);
    const r2 = average(each, weighed ? variances : undefined);
    const n = pairs[0]?.y.length ?? 0;
    return regressors === 0 || regressors >= n - 1 ? r2 : 1 - ((1 - r2) * (n - 1)) / (n - regressors - 1);
  });
}

export interface CorrelationOptions extends NameOption {
  /**
   * Along what is correlated: "rows", for each output over all positions of the epoch; or "outputs", for each position over its
   * outputs, as in Keras. The mean is reported. Default "rows".
   */
  readonly along?: "rows" | "outputs";
}

/** A correlation of pairs, of each output or of each row. */
function correlation(where: string, options: CorrelationOptions, of: (pairs: Pairs) => number): CollectMetric {
  checkOptions(where, options, ["along", "name"]);
  const along = oneOf(where, "along", options.along ?? "rows", ["rows", "outputs"]);
  return ofPairs(where, options, (outputs, rows) =>
    along === "rows"
      ? average(outputs.map(of))
      : average(rows.map(of), outputs[0] === undefined ? [] : [...outputs[0].w]),
  );
}

/** cov(y, p)/(σ_y·σ_p); NaN where either does not vary. */
export const pearsonCorrelation = (options: CorrelationOptions = {}): CollectMetric =>
  correlation("pearsonCorrelation", options, pearson);

function pearson(pairs: Pairs): number {
  const { covariance, varianceY, varianceP } = moments(pairs);
  return covariance / Math.sqrt(varianceY * varianceP);
}

/** Pearson's correlation of the ranks, equal values having the mean of theirs; NaN where either does not vary. */
export const spearmanCorrelation = (options: CorrelationOptions = {}): CollectMetric =>
  correlation("spearmanCorrelation", options, ({ y, p, w }) => pearson({ y: ranks(y), p: ranks(p), w }));

/** 1 for the least; equal values get the mean of their ranks. */
function ranks(x: Float64Array): Float64Array {
  const order = Uint32Array.from(x, (_, i) => i).sort((i, j) => (x[i] ?? 0) - (x[j] ?? 0));
  const result = new Float64Array(x.length);
  for (let from = 0; from < order.length;) {
    let to = from + 1;
    while (to < order.length && x[order[to] ?? 0] === x[order[from] ?? 0]) to++;
    for (let k = from; k < to; k++) result[order[k] ?? 0] = (from + to + 1) / 2;
    from = to;
  }
  return result;
}

/** 2·cov(y, p)/(σ_y² + σ_p² + (ȳ − p̄)²): correlation that an offset or a scale lowers. Lin 1989. */
export const concordanceCorrelation = (options: CorrelationOptions = {}): CollectMetric =>
  correlation("concordanceCorrelation", options, (pairs) => {
    const { covariance, varianceY, varianceP, meanY, meanP } = moments(pairs);
    return (2 * covariance) / (varianceY + varianceP + (meanY - meanP) ** 2);
  });
