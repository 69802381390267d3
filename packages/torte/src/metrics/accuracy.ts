/** Shares of right answers. */
import { checkOptions, numberIn, positiveInteger } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { lastOf } from "../tensor/shape.js";
import { asNumber, classesLast, isCategorical, type NameOption, readName, thresholdOf } from "./common.js";
import type { MeanMetric, Meaning, MetricContext } from "./metric.js";

/**
 * Share of right answers. What is right follows what the loss declares its targets to be, never its name: for classes and
 * distributions the largest prediction must be that of the class (the first of equal ones), for probabilities p > 0.5 must
 * be the label (z > 0 for logits), for signs the sign must agree. Targets that are numbers get the meaning of the output, if
 * it is a softmax or a sigmoid; else accuracy is refused. (The share of numbers that are equal, Keras's Accuracy, is none of
 * its meanings.)
 */
export const accuracy: MeanMetric = {
  name: "accuracy",
  origin: { factory: "accuracy", options: {} },
  direction: "max",
  needsMeaning: true,
  call: (target, prediction, meaning) => {
    if (isCategorical(meaning)) return rightClass(target, prediction, meaning);
    const label = ops.less(meaning.targets === "signs" ? 0 : 0.5, target);
    return rightLabels(asNumber(label), prediction, thresholdOf(meaning));
  },
};

function rightClass(target: Node, prediction: Node, meaning: Meaning): Node {
  const axes = [meaning.axis ?? -1];
  const actual = meaning.targets === "classes" ? target : ops.argmax(target, { axes });
  return asNumber(ops.equal(ops.argmax(prediction, { axes }), actual));
}

const rightLabels = (label: Node, prediction: Node, threshold: number): Node =>
  ops.mean(asNumber(ops.equal(asNumber(ops.less(threshold, prediction)), label)), { axes: [-1] });

export interface ThresholdOption extends NameOption {
  /** What a prediction must exceed to be a yes. Default 0.5; for logits 0. */
  readonly threshold?: number;
}

/** Share of elements whose label is p > threshold. */
export function binaryAccuracy(options: ThresholdOption = {}): MeanMetric {
  const where = "binaryAccuracy";
  checkOptions(where, options, ["threshold", "name"]);
  const threshold = options.threshold === undefined ? undefined : numberIn(where, "threshold", options.threshold);
  return {
    ...readName(where, options),
    direction: "max",
    targets: "probabilities",
    call: (target, prediction, meaning) => rightLabels(target, prediction, threshold ?? thresholdOf(meaning)),
  };
}

const categorical =
  (where: string, targets: "classes" | "distribution") =>
  (options: NameOption = {}): MeanMetric => {
    checkOptions(where, options, ["name"]);
    return { ...readName(where, options), direction: "max", targets, call: (y, p, m) => rightClass(y, p, m) };
  };

/** Share of positions whose largest prediction is where the target is largest. */
export const categoricalAccuracy = categorical("categoricalAccuracy", "distribution");
/** Share of positions whose largest prediction is that of the class. */
export const sparseCategoricalAccuracy = categorical("sparseCategoricalAccuracy", "classes");

export interface TopKOptions extends NameOption {
  /** How many of the largest predictions may be right, at least 1. Default 5. */
  readonly k?: number;
}

const topK =
  (where: string, targets?: "classes" | "distribution") =>
  (options: TopKOptions = {}): MeanMetric => {
    checkOptions(where, options, ["k", "name"]);
    const k = positiveInteger(where, "k", options.k ?? 5);
    return {
      ...readName(where, options),
      direction: "max",
      needsMeaning: true,
      ...(targets === undefined ? {} : { targets }),
      call: (target, prediction, meaning) => withinTop(target, prediction, meaning, k),
    };
  };

/** Whether fewer than k predictions are larger than that of the target's class; equal ones do no harm. */
function withinTop(target: Node, prediction: Node, meaning: MetricContext, k: number): Node {
  const scores = classesLast(prediction, meaning);
  const actual = meaning.targets === "classes" ? target : ops.argmax(classesLast(target, meaning), { axes: [-1] });
  const chosen = ops.greater(ops.oneHot(actual, lastOf(scores.shape)), 0);
  const own = ops.sum(ops.where(chosen, scores, 0), { axes: [-1], keepDims: true });
  const larger = ops.sum(asNumber(ops.less(ops.broadcastTo(own, scores.shape), scores)), { axes: [-1] });
  return asNumber(ops.less(larger, k));
}

/** Share of positions whose class is among the k largest predictions; what targets are, the loss declares. */
export const topKAccuracy = topK("topKAccuracy");
/** As topKAccuracy, for targets that are distributions. */
export const topKCategoricalAccuracy = topK("topKCategoricalAccuracy", "distribution");
/** As topKAccuracy, for targets that are classes. */
export const sparseTopKCategoricalAccuracy = topK("sparseTopKCategoricalAccuracy", "classes");
