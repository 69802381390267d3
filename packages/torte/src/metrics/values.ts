/** Confusion matrices and curves as values, from targets and predictions at hand. */
import { checkOptions, DataError, numberIn, oneOf, OptionError, positiveInteger } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { areaUnderRoc, averagePrecisionOf, thresholdCounts, type ThresholdCounts } from "./curves.js";
import { bestPoint, type Rate, rateAt } from "./ranking.js";

/** Numbers: a tensor or a list. */
export type Numbers = Tensor | ArrayLike<number>;

const numbersOf = (values: Numbers): Float64Array => Float64Array.from(values instanceof Tensor ? values.data : values);

export interface ValueOptions {
  /** One for each target. Default 1. */
  readonly sampleWeight?: Numbers;
}

/** Options of {@link confusionMatrix}. */
export interface ConfusionOptions extends ValueOptions {
  /** Number of classes. Default: one more than the largest label. */
  readonly classes?: number;
}

/** Σ of the weights of each pair of classes: row i are the targets of class i, column j the predictions of class j. */
export interface ConfusionMatrix {
  readonly classes: number;
  readonly rows: readonly (readonly number[])[];
}

/**
 * How often class i was taken for class j: `rows[i][j]`, rows being true, columns predicted, as in scikit-learn.
 *
 * @throws DataError for labels that are no classes, or lists of different lengths.
 * @example
 * import { confusionMatrix } from "torte";
 * console.log(confusionMatrix([0, 1, 1, 2], [0, 1, 2, 2]).rows); // [[1, 0, 0], [0, 1, 1], [0, 0, 1]]
 */
export function confusionMatrix(
  targets: Numbers,
  predictions: Numbers,
  options: ConfusionOptions = {},
): ConfusionMatrix {
  const where = "confusionMatrix";
  checkOptions(where, options, ["classes", "sampleWeight"]);
  const [actual, predicted] = [numbersOf(targets), numbersOf(predictions)];
  const weights = checkedWeights(where, actual, predicted, options);
  const largest = actual.reduce(
    (most, label) => Math.max(most, label),
    predicted.reduce((a, b) => Math.max(a, b), 0),
  );
  const classes = positiveInteger(where, "classes", options.classes ?? largest + 1);
  const rows = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  actual.forEach((label, i) => {
    const other = predicted[i] ?? NaN;
    const row = rows[label];
    if (row === undefined || row[other] === undefined) {
      const received = `${label} and ${other} at ${i}`;
      throw new DataError({
        where,
        problem: "a label is out of range",
        expected: `whole numbers 0…${classes - 1}`,
        received,
      });
    }
    row[other] = (row[other] ?? 0) + (weights[i] ?? NaN);
  });
  return { classes, rows };
}

function checkedWeights(
  where: string,
  targets: Float64Array,
  others: Float64Array,
  options: ValueOptions,
): Float64Array {
  const weights =
    options.sampleWeight === undefined ? new Float64Array(targets.length).fill(1) : numbersOf(options.sampleWeight);
  const found = [others, weights].find(({ length }) => length !== targets.length);
  if (found === undefined) return weights;
  const [expected, received] = [`${targets.length}, as many as targets`, String(found.length)];
  throw new DataError({ where, problem: "the lists have different lengths", expected, received });
}

async function countsOf(
  where: string,
  targets: Numbers,
  scores: Numbers,
  options: ValueOptions,
): Promise<ThresholdCounts> {
  checkOptions(where, options, ["sampleWeight"]);
  const [labels, values] = [numbersOf(targets), numbersOf(scores)];
  return thresholdCounts(values, labels, checkedWeights(where, labels, values, options));
}

/** From no prediction to all: a point for each different score. */
export interface RocCurve {
  /** A prediction is a yes from this score on; Infinity for the first point. */
  readonly thresholds: readonly number[];
  readonly falsePositiveRate: readonly number[];
  readonly truePositiveRate: readonly number[];
  /** By trapezoids: what `auroc` reports. */
  readonly area: number;
}

/**
 * The rate of true over that of false positives at all thresholds.
 *
 * @throws DataError for lists of different lengths.
 * @example
 * import { rocCurve } from "torte";
 * const { area, truePositiveRate } = await rocCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]);
 * console.log(area, truePositiveRate); // 0.75 [0, 0.5, 0.5, 1, 1]
 */
export async function rocCurve(targets: Numbers, scores: Numbers, options: ValueOptions = {}): Promise<RocCurve> {
  const counts = await countsOf("rocCurve", targets, scores, options);
  return {
    thresholds: [Infinity, ...counts.thresholds],
    falsePositiveRate: [0, ...counts.fp].map((fp) => fp / counts.negatives),
    truePositiveRate: [0, ...counts.tp].map((tp) => tp / counts.positives),
    area: await areaUnderRoc(counts),
  };
}

/** From no prediction to all: a point for each different score. */
export interface PrecisionRecallCurve {
  /** A prediction is a yes from this score on; Infinity for the first point. */
  readonly thresholds: readonly number[];
  /** 1 where nothing is a yes. */
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  /** Σ (Rₙ − Rₙ₋₁)·Pₙ: what `averagePrecision` reports. */
  readonly averagePrecision: number;
  /** The area by trapezoids, which is too large where the curve is a staircase. */
  readonly trapezoid: number;
}

/**
 * Precision over recall at all thresholds.
 *
 * @throws DataError for lists of different lengths.
 * @example
 * import { precisionRecallCurve } from "torte";
 * const { averagePrecision, trapezoid } = await precisionRecallCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]);
 * console.log(averagePrecision.toFixed(6), trapezoid.toFixed(6)); // 0.833333 0.791667
 */
export async function precisionRecallCurve(
  targets: Numbers,
  scores: Numbers,
  options: ValueOptions = {},
): Promise<PrecisionRecallCurve> {
  const counts = await countsOf("precisionRecallCurve", targets, scores, options);
  const precision = [1, ...Array.from(counts.tp, (tp, i) => tp / (tp + (counts.fp[i] ?? NaN)))];
  const recall = [0, ...Array.from(counts.tp, (tp) => tp / counts.positives)];
  const trapezoid = recall.slice(1).reduce((sum, r, i) => {
    return sum + ((r - (recall[i] ?? NaN)) * ((precision[i] ?? NaN) + (precision[i + 1] ?? NaN))) / 2;
  }, 0);
  return {
    thresholds: [Infinity, ...counts.thresholds],
    precision,
    recall,
    averagePrecision: await averagePrecisionOf(counts),
    trapezoid,
  };
}

/** Options of {@link operatingPoint}. */
export interface OperatingPointOptions extends ValueOptions {
  /** Least share of positives that must be found, 0 to 1. One of the three is given. */
  readonly sensitivity?: number;
  /** Least share of negatives that must be left alone, 0 to 1. */
  readonly specificity?: number;
  /** Least share of yes that must be right, 0 to 1. */
  readonly precision?: number;
  /** What is to be as large as it can. Default "sensitivity"; where that is given "specificity". */
  readonly maximize?: Rate;
}

/** A threshold, and what comes of it. */
export interface OperatingPoint {
  /** A prediction is a yes from this score on; Infinity where none is, as no score keeps the condition. */
  readonly threshold: number;
  readonly sensitivity: number;
  readonly specificity: number;
  readonly precision: number;
}

/**
 * The best threshold among those that keep a condition, exact, over all scores: what `sensitivityAtSpecificity` and its like
 * report, with the threshold (Keras looks at 200 thresholds; torchmetrics says 1e6 where there is none).
 *
 * @throws OptionError where not just one condition is given; DataError for lists of different lengths.
 * @example
 * import { operatingPoint } from "torte";
 * const point = await operatingPoint([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], { specificity: 0.9 });
 * console.log(point.threshold, point.sensitivity); // 0.8 0.5
 */
export async function operatingPoint(
  targets: Numbers,
  scores: Numbers,
  options: OperatingPointOptions,
): Promise<OperatingPoint> {
  const where = "operatingPoint";
  checkOptions(where, options, [...RATES, "maximize", "sampleWeight"]);
  const given = RATES.filter((rate) => options[rate] !== undefined);
  const [kept] = given;
  if (kept === undefined || given.length > 1) {
    const received = given.join(", ") || "none";
    throw new OptionError({
      where,
      problem: "conditions do not fit",
      expected: `one of ${RATES.join(", ")}`,
      received,
    });
  }
  const limit = numberIn(where, kept, options[kept], { min: 0, max: 1 });
  const usual = kept === "sensitivity" ? "specificity" : "sensitivity";
  const wanted = oneOf(where, "maximize", options.maximize ?? usual, RATES);
  const { sampleWeight } = options;
  const counts = await countsOf(where, targets, scores, sampleWeight === undefined ? {} : { sampleWeight });
  const best = bestPoint(counts, wanted, kept, limit) ?? -1;
  const [sensitivity, specificity, precision] = RATES.map((rate) => rateAt(counts, best, rate)) as [
    number,
    number,
    number,
  ];
  return { threshold: counts.thresholds[best] ?? Infinity, sensitivity, specificity, precision };
}

const RATES = ["sensitivity", "specificity", "precision"] as const;
