/** Metrics of decisions: what is made of the numbers of right and wrong ones. */
import { checkOptions, numberIn, positiveInteger } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { lastOf } from "../tensor/shape.js";
import {
  actualLabels,
  asNumber,
  type Average,
  checkClass,
  classesLast,
  type ClassOption,
  isCategorical,
  type NameOption,
  readAverage,
  readClass,
  readName,
  thresholdOf,
  weightedSums,
} from "./common.js";
import type { CountsMetric, Direction, MetricContext } from "./metric.js";

/** Options of metrics that count decisions. */
export interface DecisionOptions extends NameOption, ClassOption {
  /**
   * What a prediction must exceed to be a yes. Default: 0.5 (0 for logits) for targets that are probabilities; of classes
   * the largest prediction is the yes.
   */
  readonly threshold?: number;
  /**
   * Only the k largest predictions of a position can be a yes; weights are those of positions, not of single labels as in Keras.
   * Default: no such limit.
   */
  readonly topK?: number;
  /** How the figures of several classes become one: see `Average`. */
  readonly average?: Average;
}

const OPTIONS = ["threshold", "topK", "classId", "average", "name"] as const;

/** Numbers of decisions about one class, with their weights. */
export interface Decisions {
  /** True and false positives, true and false negatives. */
  readonly tp: number;
  readonly fp: number;
  readonly tn: number;
  readonly fn: number;
}

/** Of each class: [true positives (K), predicted (K), actual (K), all (1)]. */
export function countDecisions(
  target: Node,
  prediction: Node,
  context: MetricContext,
  { threshold, topK }: { threshold: number | undefined; topK: number | undefined },
): Node {
  const actual = actualLabels(target, prediction, context);
  const predicted = predictedLabels(prediction, context, threshold, topK);
  const { weights } = context;
  return ops.concat(
    [
      weightedSums(ops.mul(actual, predicted), weights),
      weightedSums(predicted, weights),
      weightedSums(actual, weights),
      ops.reshape(ops.sum(weights), [1]),
    ],
    0,
  );
}

export function predictedLabels(
  prediction: Node,
  context: MetricContext,
  threshold: number | undefined,
  topK: number | undefined,
): Node {
  const scores = classesLast(prediction, context);
  const classes = lastOf(scores.shape);
  const within = topK === undefined ? undefined : withinTop(scores, topK);
  if (within !== undefined && threshold === undefined) return asNumber(within);
  if (threshold === undefined && isCategorical(context)) return ops.oneHot(ops.argmax(scores, { axes: [-1] }), classes);
  const yes = ops.less(threshold ?? thresholdOf(context), scores);
  return asNumber(within === undefined ? yes : ops.logicalAnd(within, yes));
}

/** Which of the last axis are among its k largest, the first of equal ones. */
function withinTop(scores: Node, k: number): Node {
  const rank = scores.shape.length;
  const pairs = [...scores.shape, lastOf(scores.shape)];
  const own = ops.broadcastTo(ops.expandDims(scores, -1), pairs);
  const other = ops.broadcastTo(ops.expandDims(scores, rank - 1), pairs);
  const before = ops.less(ops.iota(pairs, rank), ops.iota(pairs, rank - 1));
  const ahead = ops.logicalOr(ops.less(own, other), ops.logicalAnd(ops.equal(own, other), before));
  return ops.less(ops.sum(asNumber(ahead), { axes: [-1] }), k);
}

/** The decisions of each class, from the sums of `countDecisions`. */
export function decisionsOf(sums: Float64Array): Decisions[] {
  const classes = (sums.length - 1) / 3;
  const all = sums.at(-1) ?? NaN;
  return Array.from({ length: classes }, (_, i) => {
    const [tp = 0, predicted = 0, actual = 0] = [sums[i], sums[classes + i], sums[2 * classes + i]];
    return { tp, fp: predicted - tp, fn: actual - tp, tn: all - predicted - actual + tp };
  });
}

export const together = (decisions: readonly Decisions[]): Decisions =>
  decisions.reduce(
    (sum, { tp, fp, tn, fn }) => ({ tp: sum.tp + tp, fp: sum.fp + fp, tn: sum.tn + tn, fn: sum.fn + fn }),
    { tp: 0, fp: 0, tn: 0, fn: 0 },
  );

/** a/b, and 0 for 0/0. */
export const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

/** A metric of decisions about classes. */
function ofDecisions(
  where: string,
  direction: Direction,
  options: DecisionOptions,
  figure: (decisions: Decisions) => number,
  own: readonly string[] = [],
): CountsMetric {
  checkOptions(where, options, [...OPTIONS, ...own]);
  const threshold = options.threshold === undefined ? undefined : numberIn(where, "threshold", options.threshold);
  const topK = options.topK === undefined ? undefined : positiveInteger(where, "topK", options.topK);
  const classId = readClass(where, options.classId);
  const average = readAverage(where, options.average);
  return {
    ...readName(where, options),
    kind: "counts",
    direction,
    needsMeaning: true,
    call: (target, prediction, context) => {
      checkClass(where, "classId", classId, classesLast(prediction, context));
      return countDecisions(target, prediction, context, { threshold, topK });
    },
    figure: (sums, meaning) =>
      averaged(decisionsOf(sums), figure, {
        classId,
        average: average ?? (isCategorical(meaning) ? "classes" : "micro"),
      }),
  };
}

/** Whether targets or predictions have the class. */
const isPresent = ({ tp, fp, fn }: Decisions): boolean => tp + fp + fn > 0;

/** The figure of one class, or of all; absent classes, which neither targets nor predictions have, do not count. */
function averaged(
  decisions: readonly Decisions[],
  figure: (decisions: Decisions) => number,
  { classId, average }: { classId: number | undefined; average: Average | "classes" },
): number {
  const chosen = classId === undefined ? undefined : decisions[classId];
  if (chosen !== undefined) return figure(chosen);
  if (average === "classes" && decisions.length === 2 && decisions[1] !== undefined) return figure(decisions[1]);
  if (average === "micro") return figure(together(decisions));
  const present = decisions.filter(isPresent);
  const weights = present.map(({ tp, fn }) => (average === "weighted" ? tp + fn : 1));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return ratio(
    present.reduce((sum, each, i) => sum + (weights[i] ?? NaN) * figure(each), 0),
    total,
  );
}

/** TP/(TP + FP), and 0 for 0/0: the share of yes that are right. */
export const precision = (options: DecisionOptions = {}): CountsMetric =>
  ofDecisions("precision", "max", options, ({ tp, fp }) => ratio(tp, tp + fp));

/** TP/(TP + FN), and 0 for 0/0: the share of positives that are found; sensitivity. */
export const recall = (options: DecisionOptions = {}): CountsMetric =>
  ofDecisions("recall", "max", options, ({ tp, fn }) => ratio(tp, tp + fn));

/** TN/(TN + FP), and 0 for 0/0: the share of negatives that are left alone. */
export const specificity = (options: DecisionOptions = {}): CountsMetric =>
  ofDecisions("specificity", "max", options, ({ tn, fp }) => ratio(tn, tn + fp));

/**
 * (1 + β²)·precision·recall/(β²·precision + recall), and 0 for 0/0. Classes that neither targets nor predictions have do not count
 * (in Keras they do, as 0); `absentClasses` says how many there are.
 */
export function fBetaScore(
  options: DecisionOptions & {
    /** How many times as much recall counts as precision, above 0. Default 1. */
    readonly beta?: number;
  } = {},
): CountsMetric {
  const beta = numberIn("fBetaScore", "beta", options.beta ?? 1, { above: 0 });
  return ofDecisions("fBetaScore", "max", options, fBeta(beta), ["beta"]);
}

const fBeta =
  (beta: number) =>
  ({ tp, fp, fn }: Decisions): number =>
    ratio((1 + beta ** 2) * tp, (1 + beta ** 2) * tp + beta ** 2 * fn + fp);

/** fBetaScore with β = 1. */
export const f1Score = (options: DecisionOptions = {}): CountsMetric =>
  ofDecisions("f1Score", "max", options, fBeta(1));

/**
 * Number of classes that neither the targets nor the predictions of the epoch have: those that macro and weighted figures leave out,
 * and whose F-beta, precision and recall by themselves are 0 for 0/0.
 *
 * @example
 * import { dense, input, metrics, sequential, tensor } from "torte";
 * const model = sequential(input({ shape: [3] }), dense({ units: 3, activation: "softmax", kernelInitializer: "identity" }));
 * const { absentClasses, f1Score } = metrics;
 * model.compile({ loss: "sparseCategoricalCrossentropy", metrics: [f1Score({ average: "macro" }), absentClasses()] });
 * const figures = await model.evaluate({ x: tensor([[5, 0, 0], [0, 5, 0]]), y: tensor([0, 1]) });
 * console.log(figures["f1Score"], figures["absentClasses"]); // 1 1
 */
export function absentClasses(options: Omit<DecisionOptions, "classId" | "average"> = {}): CountsMetric {
  checkOptions("absentClasses", options, ["threshold", "topK", "name"]);
  return {
    ...ofDecisions("absentClasses", "none", options, () => NaN),
    figure: (sums) => decisionsOf(sums).filter((decisions) => !isPresent(decisions)).length,
  };
}

const counted = (
  where: "truePositives" | "falsePositives" | "trueNegatives" | "falseNegatives",
  of: keyof Decisions,
) => {
  const direction = of === "tp" || of === "tn" ? "max" : "min";
  return (options: DecisionOptions = {}): CountsMetric => {
    checkOptions(where, options, OPTIONS);
    return ofDecisions(where, direction, { average: "micro", ...options }, (decisions) => decisions[of]);
  };
};

/** Σ of the weights of yes that are right. */
export const truePositives = counted("truePositives", "tp");
/** Σ of the weights of yes that are wrong. */
export const falsePositives = counted("falsePositives", "fp");
/** Σ of the weights of no that are right. */
export const trueNegatives = counted("trueNegatives", "tn");
/** Σ of the weights of no that are wrong. */
export const falseNegatives = counted("falseNegatives", "fn");
