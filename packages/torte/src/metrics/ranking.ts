/** Metrics of the order of scores, exact: all scores of the epoch are brought out. */
import { checkOptions, numberIn } from "../errors.js";
import {
  actualLabels,
  type Average,
  checkClass,
  type ClassOption,
  isCategorical,
  type NameOption,
  readAverage,
  readClass,
  readName,
  scoresOf,
} from "./common.js";
import { areaUnderRoc, averagePrecisionOf, thresholdCounts, type ThresholdCounts } from "./curves.js";
import { ratio } from "./counts.js";
import type { Collected, CollectMetric, Meaning } from "./metric.js";

export interface RankingOptions extends NameOption, ClassOption {
  /**
   * How several classes become one figure, each against the rest: "macro" their mean, "weighted" by the number of targets,
   * "micro" all decisions together. Default "macro"; with two classes the figure is that of class 1.
   */
  readonly average?: Average;
}

const OPTIONS = ["classId", "average", "name"] as const;

/** A metric of the counts at all thresholds. */
function ofRanking(
  where: string,
  options: RankingOptions,
  figure: (counts: ThresholdCounts) => number,
  own: readonly string[] = [],
): CollectMetric {
  checkOptions(where, options, [...OPTIONS, ...own]);
  const average = readAverage(where, options.average) ?? "macro";
  const classId = readClass(where, options.classId);
  return {
    ...readName(where, options),
    kind: "collect",
    direction: "max",
    needsMeaning: true,
    call: (target, prediction, context) => {
      const scores = scoresOf(prediction, context);
      checkClass(where, "classId", classId, scores);
      return [scores, actualLabels(target, prediction, context)];
    },
    figure: (collected, meaning) => figureOf(collected, meaning, figure, { average, classId }),
  };
}

async function figureOf(
  { values: [scores = new Float64Array(), labels = new Float64Array()], weights }: Collected,
  meaning: Meaning,
  figure: (counts: ThresholdCounts) => number,
  { average, classId }: { average: Average; classId: number | undefined },
): Promise<number> {
  const classes = weights.length === 0 ? 1 : scores.length / weights.length;
  const one = async (k: number): Promise<ThresholdCounts> =>
    thresholdCounts(column(scores, classes, k), column(labels, classes, k), weights);
  if (classId !== undefined) return figure(await one(classId));
  if (classes === 1) return figure(await one(0));
  if (classes === 2 && isCategorical(meaning)) return figure(await one(1));
  if (average === "micro") {
    const repeated = Float64Array.from({ length: scores.length }, (_, i) => weights[Math.floor(i / classes)] ?? NaN);
    return figure(await thresholdCounts(scores, labels, repeated));
  }
  let [sum, total] = [0, 0];
  for (let k = 0; k < classes; k++) {
    const counts = await one(k);
    const share = average === "weighted" ? counts.positives : 1;
    sum += share * figure(counts);
    total += share;
  }
  return sum / total;
}

const column = (values: Float64Array, width: number, k: number): Float64Array =>
  width === 1 ? values : Float64Array.from({ length: values.length / width }, (_, i) => values[i * width + k] ?? NaN);

/**
 * Area under the ROC curve: the probability that a positive has a higher score than a negative, ties counting half. Exact, by
 * ranks, whatever the batches, as in scikit-learn; of logits where they are known, so that sure predictions stay in order
 * (torchmetrics takes sigmoids of what it guesses to be logits, batch by batch, and gives 0.5 for logits near 99 whose area is
 * 0.928571; Keras's 200 thresholds give 0.5 where all scores lie in one bin). Where one class is missing it is not defined:
 * NaN, which a mean shows, as 0.5 would not. y = [0, 0, 1, 1], s = [.1, .4, .35, .8] give 0.75.
 *
 * @example
 * import { auroc, dense, input, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [1] }), dense({ units: 1, activation: "sigmoid", kernelInitializer: "ones" }));
 * model.compile({ loss: "binaryCrossentropy", metrics: [auroc()] });
 * const figures = await model.evaluate({ x: tensor([[0.1], [0.4], [0.35], [0.8]]), y: tensor([[0], [0], [1], [1]]) });
 * console.log(figures.auroc); // 0.75
 */
export const auroc = (options: RankingOptions = {}): CollectMetric => ofRanking("auroc", options, areaUnderRoc);

/**
 * Average precision Σ (Rₙ − Rₙ₋₁)·Pₙ over falling thresholds, R being recall and P precision: the area under the
 * precision-recall curve without interpolation, as in scikit-learn. Trapezoids (0.791667 below) and Keras's interpolation
 * between thresholds (`auc({ curve: "PR" })`) are other numbers of the same name. Without positives it is not defined: NaN.
 * y = [0, 0, 1, 1], s = [.1, .4, .35, .8] give 0.833333.
 */
export const averagePrecision = (options: RankingOptions = {}): CollectMetric =>
  ofRanking("averagePrecision", options, averagePrecisionOf);

export type Rate = "sensitivity" | "specificity" | "precision";

/** The rates at the i-th threshold; above all scores for i = −1. 0 where a rate is not defined. */
export function rateAt({ tp, fp, positives, negatives }: ThresholdCounts, i: number, rate: Rate): number {
  const [t, f] = i < 0 ? [0, 0] : [tp[i] ?? NaN, fp[i] ?? NaN];
  if (rate === "sensitivity") return ratio(t, positives);
  if (rate === "specificity") return ratio(negatives - f, negatives);
  return ratio(t, t + f);
}

/**
 * The number of the threshold with the largest `wanted` among those where `kept` is at least `limit`, the highest of equal
 * ones; undefined where there is none with a `wanted` above 0.
 */
export function bestPoint(counts: ThresholdCounts, wanted: Rate, kept: Rate, limit: number): number | undefined {
  let [best, value]: [number | undefined, number] = [undefined, 0];
  for (let i = -1; i < counts.thresholds.length; i++) {
    const rate = rateAt(counts, i, wanted);
    if (rateAt(counts, i, kept) >= limit && rate > value) [best, value] = [i, rate];
  }
  return best;
}

function largestRate(counts: ThresholdCounts, wanted: Rate, kept: Rate, limit: number): number {
  const best = bestPoint(counts, wanted, kept, limit);
  return best === undefined ? 0 : rateAt(counts, best, wanted);
}

const atLeast =
  <const Option extends string>(where: string, option: Option, wanted: Rate, kept: Rate) =>
  (options: RankingOptions & Readonly<Record<Option, number>>): CollectMetric => {
    const limit = numberIn(where, option, (options as Partial<Record<Option, number>> | undefined)?.[option], {
      min: 0,
      max: 1,
    });
    return ofRanking(where, options, (counts) => largestRate(counts, wanted, kept, limit), [option]);
  };

/** The largest sensitivity (recall) among all thresholds whose specificity is at least the given one; 0 where there is none. */
export const sensitivityAtSpecificity = atLeast(
  "sensitivityAtSpecificity",
  "specificity",
  "sensitivity",
  "specificity",
);
/** The largest specificity among all thresholds whose sensitivity (recall) is at least the given one; 0 where there is none. */
export const specificityAtSensitivity = atLeast(
  "specificityAtSensitivity",
  "sensitivity",
  "specificity",
  "sensitivity",
);
/** The largest precision among all thresholds whose recall is at least the given one; 0 where there is none. */
export const precisionAtRecall = atLeast("precisionAtRecall", "recall", "precision", "sensitivity");
/** The largest recall among all thresholds whose precision is at least the given one; 0 where there is none. */
export const recallAtPrecision = atLeast("recallAtPrecision", "precision", "sensitivity", "precision");
