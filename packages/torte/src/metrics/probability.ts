/** Metrics of probabilities: how far they are off, and whether they mean what they say. */
import { booleanOption, checkOptions, integerOption, oneOf, positiveInteger } from "../errors.js";
import { binaryCrossentropy, sparseCategoricalCrossentropy } from "../losses/crossentropy.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { lastOf } from "../tensor/shape.js";
import { inSlices } from "../turns.js";
import {
  actualLabels,
  asNumber,
  classesLast,
  isCategorical,
  type NameOption,
  probabilitiesOf,
  readName,
} from "./common.js";
import type { CollectMetric, CountsMetric, MeanMetric, MetricContext } from "./metric.js";
import { averageSums } from "./regression.js";

/** Options of {@link brierScore}. */
export interface BrierOptions extends NameOption {
  /** Halves the sum over classes, so that two classes agree with the binary score. Default false. */
  readonly scaleByHalf?: boolean;
}

/**
 * Mean (p − y)² for targets that are probabilities; Σ over the classes of (p − y)² for classes, from 0 to 2: for two classes
 * twice the binary score, or with scaleByHalf the same. Brier 1950.
 */
export function brierScore(options: BrierOptions = {}): MeanMetric {
  checkOptions("brierScore", options, ["scaleByHalf", "name"]);
  const half = booleanOption("brierScore", "scaleByHalf", options.scaleByHalf ?? false);
  return {
    ...readName("brierScore", options),
    direction: "min",
    needsMeaning: true,
    call: (target, prediction, context) => {
      const p = probabilitiesOf(prediction, context);
      const y = context.targets === "classes" ? ops.oneHot(target, lastOf(p.shape)) : classesLast(target, context);
      const squares = ops.square(ops.sub(p, y));
      if (!isCategorical(context)) return ops.mean(squares, { axes: [-1] });
      const total = ops.sum(squares, { axes: [-1] });
      return half ? ops.mul(total, 0.5) : total;
    },
  };
}

/** Options of {@link expectedCalibrationError}. */
export interface CalibrationOptions extends NameOption {
  /** Number of bins of equal width over the confidences 0 … 1. Default 15. */
  readonly bins?: number;
  /**
   * "topLabel": the confidence is that of the predicted label, max(p, 1 − p) for one probability (Guo et al. 2017);
   * "positive": it is p, beside the share of positives. Default "topLabel".
   */
  readonly of?: "topLabel" | "positive";
}

/**
 * Expected calibration error: Σ over bins of (share of the bin)·|mean confidence − share of right ones|. A bin has its lower
 * limit, the last one both (in torchmetrics a confidence of 1 has a bin of its own, and binary ones are `of: "positive"`).
 */
export function expectedCalibrationError(options: CalibrationOptions = {}): CollectMetric {
  const where = "expectedCalibrationError";
  checkOptions(where, options, ["bins", "of", "name"]);
  const bins = positiveInteger(where, "bins", options.bins ?? 15);
  const of = oneOf(where, "of", options.of ?? "topLabel", ["topLabel", "positive"]);
  return {
    ...readName(where, options),
    kind: "collect",
    direction: "min",
    needsMeaning: true,
    call: (target, prediction, context) => {
      const p = probabilitiesOf(prediction, context);
      const actual = actualLabels(target, prediction, context);
      if (of === "positive") return [p, actual];
      if (isCategorical(context)) return topClass(p, actual);
      const yes = ops.less(0.5, p);
      return [ops.where(yes, p, ops.sub(1, p)), asNumber(ops.equal(asNumber(yes), actual))];
    },
    figure: async ({ values: [confidences = new Float64Array(), right = new Float64Array()], weights }) => {
      const width = weights.length === 0 ? 1 : confidences.length / weights.length;
      const sums = Array.from({ length: bins }, () => ({ confidence: 0, right: 0 }));
      let total = 0;
      const count = (i: number): void => {
        const [confidence = NaN, weight = NaN] = [confidences[i], weights[Math.floor(i / width)]];
        const bin = sums[Math.min(bins - 1, Math.floor(confidence * bins))];
        if (bin === undefined) return;
        bin.confidence += weight * confidence;
        bin.right += weight * (right[i] ?? NaN);
        total += weight;
      };
      await inSlices(confidences.length, (from, to) => {
        for (let i = from; i < to; i++) count(i);
      });
      return sums.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.right), 0) / total;
    },
  };
}

/** The largest probability (…), and whether its class is the actual one. */
function topClass(p: Node, actual: Node): [Node, Node] {
  const predicted = ops.oneHot(ops.argmax(p, { axes: [-1] }), lastOf(p.shape));
  return [ops.max(p, { axes: [-1] }), ops.sum(ops.mul(predicted, actual), { axes: [-1] })];
}

/** Options of {@link perplexity}. */
export interface PerplexityOptions extends NameOption {
  /** Positions with this class do not count. Default none. */
  readonly ignoreClass?: number;
}

/** exp(Σ w·crossentropy / Σ w), over the positions of the whole epoch. */
export function perplexity(options: PerplexityOptions = {}): CountsMetric {
  const where = "perplexity";
  checkOptions(where, options, ["ignoreClass", "name"]);
  return {
    ...readName(where, options),
    kind: "counts",
    direction: "min",
    needsMeaning: true,
    ...(options.ignoreClass === undefined
      ? {}
      : { ignoreClass: integerOption(where, "ignoreClass", options.ignoreClass) }),
    call: (target, prediction, context) => averageSums(surprise(target, prediction, context), context.weights),
    figure: ([total = 0, weight = 0]) => Math.exp(total / weight),
  };
}

/** −log of the probability that the actual class, or label, was given. */
function surprise(target: Node, prediction: Node, context: MetricContext): Node {
  const fromLogits = context.predictions === "logits";
  if (isCategorical(context)) {
    const classes = context.targets === "classes" ? target : ops.argmax(classesLast(target, context), { axes: [-1] });
    return sparseCategoricalCrossentropy({ fromLogits }).call(classes, classesLast(prediction, context));
  }
  return binaryCrossentropy({ fromLogits }).call(target, prediction);
}
