/** Metrics of the order of scores, exact: all scores of the epoch are brought out, up to ten million. */
import { checkOptions, integerIn, numberIn } from "../errors.js";
import { errorOfArea, errorOfPrecision, inBins, weighed } from "./bins.js";
import {
  actualLabels,
  type Average,
  checkClass,
  type ClassOption,
  column,
  isCategorical,
  mapped,
  type NameOption,
  readAverage,
  readClass,
  readName,
  scoresOf,
} from "./common.js";
import { areaUnderRoc, averagePrecisionOf, thresholdCounts, type ThresholdCounts } from "./curves.js";
import { ratio } from "./counts.js";
import type { Collected, CollectMetric, Meaning } from "./metric.js";

/** Options of metrics of a ranking. */
export interface RankingOptions extends NameOption, ClassOption {
  /**
   * How several classes become one figure, each against the rest: "macro" their mean, "weighted" by the number of targets,
   * "micro" all decisions together. Default "macro"; with two classes the figure is that of class 1.
   */
  readonly average?: Average;
  /**
   * Scores that are kept, at least 100. Beyond it they are put into bins of equal weight, 65,536 of a class at most, whose scores
   * count as equal; a warning says by how much the figure may be off. Default 10,000,000.
   */
  readonly maxSamples?: number;
}

const OPTIONS = ["classId", "average", "maxSamples", "name"] as const;

/** A figure of the counts at all thresholds, and by how much it is off where scores in one bin were no ties. */
interface Figure {
  readonly of: (counts: ThresholdCounts) => number | Promise<number>;
  readonly error?: (counts: ThresholdCounts) => number;
}

/** A metric of the counts at all thresholds. */
function ofRanking(where: string, options: RankingOptions, figure: Figure, own: readonly string[] = []): CollectMetric {
  checkOptions(where, options, [...OPTIONS, ...own]);
  const average = readAverage(where, options.average) ?? "macro";
  const classId = readClass(where, options.classId);
  const above = integerIn(where, "maxSamples", options.maxSamples ?? 1e7, { min: 100 });
  const named = readName(where, options);
  return {
    ...named,
    kind: "collect",
    direction: "max",
    needsMeaning: true,
    call: (target, prediction, context) => {
      const scores = scoresOf(prediction, context);
      checkClass(where, "classId", classId, scores);
      return [scores, actualLabels(target, prediction, context)];
    },
    figure: async (collected, meaning) => {
      const { value, error } = await figureOf(collected, meaning, figure, { average, classId });
      if (error !== undefined) warnOf(named.name, above, figure.error === undefined ? undefined : error);
      return value;
    },
    compaction: { above, of: (collected) => inBins(collected, above) },
  };
}

function warnOf(name: string, above: number, error: number | undefined): void {
  const off = error === undefined ? "its threshold is that of a bin" : `it is off by at most ${error.toPrecision(3)}`;
  console.warn(
    `${name}: more than ${above} scores were put into bins, so that memory stays bounded: ${off}. The option maxSamples keeps more.`,
  );
}

/** The figure, and where scores were put into bins by how much it may be off. */
interface Found {
  readonly value: number;
  readonly error: number | undefined;
}

async function figureOf(
  { values: [scores = new Float64Array(), labels = new Float64Array()], weights }: Collected,
  meaning: Meaning,
  figure: Figure,
  { average, classId }: { average: Average; classId: number | undefined },
): Promise<Found> {
  const classes = weights.length === 0 ? 1 : scores.length / weights.length;
  const count = async (given: Parameters<typeof weighed>[0]): Promise<Found & { readonly positives: number }> => {
    const { isBinned, ...found } = await weighed(given);
    const counts = await thresholdCounts(found.scores, found.labels, found.weights);
    const error = isBinned ? (figure.error?.(counts) ?? NaN) : undefined;
    return { value: await figure.of(counts), error, positives: counts.positives };
  };
  const one = async (k: number): ReturnType<typeof count> =>
    count({ scores: await column(scores, classes, k), labels: await column(labels, classes, k), weights });
  if (classId !== undefined) return one(classId);
  if (classes === 1) return one(0);
  if (classes === 2 && isCategorical(meaning)) return one(1);
  if (average === "micro") {
    const repeated = await mapped(scores.length, (i) => weights[Math.floor(i / classes)] ?? NaN);
    return count({ scores, labels, weights: repeated });
  }
  let [sum, total] = [0, 0];
  let errors: number | undefined;
  for (let k = 0; k < classes; k++) {
    const { value, error, positives } = await one(k);
    const share = average === "weighted" ? positives : 1;
    sum += share * value;
    total += share;
    if (error !== undefined) errors = (errors ?? 0) + share * error;
  }
  return { value: sum / total, error: errors === undefined ? undefined : errors / total };
}

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
export const auroc = (options: RankingOptions = {}): CollectMetric =>
  ofRanking("auroc", options, { of: areaUnderRoc, error: errorOfArea });

/**
 * Average precision Σ (Rₙ − Rₙ₋₁)·Pₙ over falling thresholds, R being recall and P precision: the area under the
 * precision-recall curve without interpolation, as in scikit-learn. Trapezoids (0.791667 below) and Keras's interpolation
 * between thresholds (`auc({ curve: "PR" })`) are other numbers of the same name. Without positives it is not defined: NaN.
 * y = [0, 0, 1, 1], s = [.1, .4, .35, .8] give 0.833333.
 */
export const averagePrecision = (options: RankingOptions = {}): CollectMetric =>
  ofRanking("averagePrecision", options, { of: averagePrecisionOf, error: errorOfPrecision });

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
    return ofRanking(where, options, { of: (counts) => largestRate(counts, wanted, kept, limit) }, [option]);
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
