/** Metrics of numbers. */
import { checkOptions, oneOf, wholeNumber } from "../errors.js";
import type { Node } from "../graph/node.js";
import { direction } from "../losses/regression.js";
import * as ops from "../ops/index.js";
import { inSlices, turnIfDue } from "../turns.js";
import { column, type NameOption, readName } from "./common.js";
import { orderOf } from "./curves.js";
import type { Collected, CollectMetric, CountsMetric, MeanMetric } from "./metric.js";

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
  combine: (collected: Collected) => Promise<number>,
): CollectMetric {
  return {
    ...readName(where, options),
    kind: "collect",
    direction: "max",
    targets: "numbers",
    call: (y, p) => [y, p],
    figure: combine,
  };
}

const widthOf = ({ values: [y], weights }: Collected): number =>
  y === undefined || weights.length === 0 ? 1 : y.length / weights.length;

/** Something of each output, over all positions. */
async function ofOutputs<T>(collected: Collected, of: (pairs: Pairs) => Promise<T>): Promise<T[]> {
  const { values, weights: w } = collected;
  const [y = new Float64Array(), p = new Float64Array()] = values;
  const results: T[] = [];
  for (let k = 0, width = widthOf(collected); k < width; k++)
    results.push(await of({ y: await column(y, width, k), p: await column(p, width, k), w }));
  return results;
}

/** Something of each position, over its outputs. */
async function ofRows<T>(collected: Collected, of: (pairs: Pairs) => Promise<T>): Promise<T[]> {
  const [y = new Float64Array(), p = new Float64Array()] = collected.values;
  const width = widthOf(collected);
  const w = new Float64Array(width).fill(1);
  const results: T[] = [];
  for (let from = 0; from < y.length; from += width)
    results.push(await of({ y: y.subarray(from, from + width), p: p.subarray(from, from + width), w }));
  return results;
}

const average = (values: readonly number[], weights?: readonly number[]): number => {
  const total = weights?.reduce((a, b) => a + b, 0) ?? values.length;
  return values.reduce((a, b, i) => a + b * (weights?.[i] ?? 1), 0) / total;
};

async function weightedMean(x: Float64Array, w: Float64Array): Promise<number> {
  let [total, weight] = [0, 0];
  await inSlices(x.length, (from, to) => {
    for (let i = from; i < to; i++) {
      total += (x[i] ?? NaN) * (w[i] ?? NaN);
      weight += w[i] ?? NaN;
    }
  });
  return total / weight;
}

type Moments = Record<"meanY" | "meanP" | "varianceY" | "varianceP" | "covariance" | "squares", number>;

/** Means, variances and covariance with weights, from the deviations: an offset does not harm them. */
async function moments({ y, p, w }: Pairs): Promise<Moments> {
  const [meanY, meanP] = [await weightedMean(y, w), await weightedMean(p, w)];
  let [varianceY, varianceP, covariance, squares, weight] = [0, 0, 0, 0, 0];
  await inSlices(y.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const [value = NaN, predicted = NaN, each = NaN] = [y[i], p[i], w[i]];
      const [a, b] = [value - meanY, predicted - meanP];
      varianceY += each * a * a;
      varianceP += each * b * b;
      covariance += each * a * b;
      squares += each * (value - predicted) ** 2;
      weight += each;
    }
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

/** Options of {@link r2Score}. */
export interface R2Options extends NameOption {
  /** How several outputs become one figure. Default "uniform": their mean; "variance" weighs them by their targets' variance. */
  readonly outputs?: "uniform" | "variance";
  /** Number p of regressors, for the adjusted figure 1 − (1 − R²)·(n − 1)/(n − p − 1); not adjusted for n ≤ p + 1 rows. Default 0. */
  readonly regressors?: number;
}

/**
 * 1 − Σ w·(y − p)²/Σ w·(y − ȳ)², computed in float64 from the deviations: targets of 10,000 with variance 1e-4 are no trouble.
 * Targets that are all the same give 1 for perfect predictions, else 0. Of several outputs the mean of their scores, as in
 * scikit-learn, not the score of all numbers together, as in TensorFlow.js.
 */
export function r2Score(options: R2Options = {}): CollectMetric {
  const where = "r2Score";
  checkOptions(where, options, ["outputs", "regressors", "name"]);
  const outputs = oneOf(where, "outputs", options.outputs ?? "uniform", ["uniform", "variance"]);
  const regressors = wholeNumber(where, "regressors", options.regressors ?? 0);
  return ofPairs(where, options, async (collected) => {
    const all = await ofOutputs(collected, moments);
    const each = all.map(({ varianceY, squares }) =>
      varianceY === 0 ? Number(squares === 0) : 1 - squares / varianceY,
    );
    const variances = all.map(({ varianceY }) => varianceY);
    const weighed = outputs === "variance" && variances.some((variance) => variance > 0);
    const r2 = average(each, weighed ? variances : undefined);
    const n = collected.weights.length;
    return regressors === 0 || regressors >= n - 1 ? r2 : 1 - ((1 - r2) * (n - 1)) / (n - regressors - 1);
  });
}

/** Options of the correlations. */
export interface CorrelationOptions extends NameOption {
  /**
   * Along what is correlated: "rows", for each output over all positions of the epoch; or "outputs", for each position over its
   * outputs, as in Keras. The mean is reported. Default "rows".
   */
  readonly along?: "rows" | "outputs";
}

/** A correlation of pairs, of each output or of each row. */
function correlation(where: string, options: CorrelationOptions, of: (pairs: Pairs) => Promise<number>): CollectMetric {
  checkOptions(where, options, ["along", "name"]);
  const along = oneOf(where, "along", options.along ?? "rows", ["rows", "outputs"]);
  return ofPairs(where, options, async (collected) =>
    along === "rows"
      ? average(await ofOutputs(collected, of))
      : average(await ofRows(collected, of), [...collected.weights]),
  );
}

/** cov(y, p)/(σ_y·σ_p); NaN where either does not vary. */
export const pearsonCorrelation = (options: CorrelationOptions = {}): CollectMetric =>
  correlation("pearsonCorrelation", options, pearson);

async function pearson(pairs: Pairs): Promise<number> {
  const { covariance, varianceY, varianceP } = await moments(pairs);
  return covariance / Math.sqrt(varianceY * varianceP);
}

/** Pearson's correlation of the ranks, equal values having the mean of theirs; NaN where either does not vary. */
export const spearmanCorrelation = (options: CorrelationOptions = {}): CollectMetric =>
  correlation("spearmanCorrelation", options, async ({ y, p, w }) =>
    pearson({ y: await ranks(y), p: await ranks(p), w }),
  );

/** 1 for the least; equal values get the mean of their ranks. */
async function ranks(x: Float64Array): Promise<Float64Array> {
  const order = await orderOf(x); // the largest first
  const result = new Float64Array(x.length);
  for (let from = 0; from < order.length;) {
    if (from % 1024 === 0) await turnIfDue();
    let to = from + 1;
    while (to < order.length && x[order[to] ?? 0] === x[order[from] ?? 0]) to++;
    for (let k = from; k < to; k++) result[order[k] ?? 0] = x.length - (from + to - 1) / 2;
    from = to;
  }
  return result;
}

/** 2·cov(y, p)/(σ_y² + σ_p² + (ȳ − p̄)²): correlation that an offset or a scale lowers. Lin 1989. */
export const concordanceCorrelation = (options: CorrelationOptions = {}): CollectMetric =>
  correlation("concordanceCorrelation", options, async (pairs) => {
    const { covariance, varianceY, varianceP, meanY, meanP } = await moments(pairs);
    return (2 * covariance) / (varianceY + varianceP + (meanY - meanP) ** 2);
  });
