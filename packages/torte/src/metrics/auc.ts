/** Areas under curves of a fixed number of thresholds, as Keras has them: counts instead of scores, and an error of their own. */
import { booleanOption, checkOptions, oneOf, OptionError, positiveInteger, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { lastOf, sizeAt } from "../tensor/shape.js";
import { actualLabels, asNumber, type NameOption, probabilitiesOf, readName } from "./common.js";
import type { CountsMetric } from "./metric.js";

/** Options of the areas under curves. */
export interface AucOptions extends NameOption {
  /** "ROC", "PR" (precision over recall) or "PRGAIN" (gains of both over chance, no recall gain counting below 0; Flach and Kull 2015). Default "ROC". */
  readonly curve?: "ROC" | "PR" | "PRGAIN";
  /** At least 3: evenly from 0 to 1, both included. Default 200. */
  readonly numThresholds?: number;
  /**
   * How the curve goes between thresholds: "interpolation" (of PR that of Davis and Goadrich 2006, else straight), "minoring" the
   * lower, "majoring" the higher end. Default "interpolation".
   */
  readonly summationMethod?: "interpolation" | "minoring" | "majoring";
  /** An area for each label, of which the mean is taken. Default false: all labels together. */
  readonly multiLabel?: boolean;
  /** Weights of the labels. Default 1 each. */
  readonly labelWeights?: readonly number[];
}

/**
 * Area under a curve by thresholds, as in Keras: scores between two neighbouring thresholds count as equal, so that all scores in
 * one bin give 0.5. `auroc` and `averagePrecision` are exact; this one keeps counts only.
 */
export function auc(options: AucOptions = {}): CountsMetric {
  const where = "auc";
  checkOptions(where, options, ["curve", "numThresholds", "summationMethod", "multiLabel", "labelWeights", "name"]);
  const curve = oneOf(where, "curve", options.curve ?? "ROC", ["ROC", "PR", "PRGAIN"]);
  const method = oneOf(where, "summationMethod", options.summationMethod ?? "interpolation", METHODS);
  const count = positiveInteger(where, "numThresholds", options.numThresholds ?? 200);
  if (count < 3) {
    const received = show(count);
    throw new OptionError({
      where,
      problem: "numThresholds is out of range",
      expected: "a whole number of at least 3",
      received,
    });
  }
  const each = booleanOption(where, "multiLabel", options.multiLabel ?? false);
  const { labelWeights } = options;
  return {
    ...readName(where, options),
    kind: "counts",
    direction: "max",
    needsMeaning: true,
    call: (target, prediction, context) => {
      const p = probabilitiesOf(prediction, context);
      const actual = actualLabels(target, prediction, context);
      checkLabelWeights(labelWeights, lastOf(p.shape));
      return countAbove(p, actual, ops.expandDims(context.weights, -1), count);
    },
    figure: (sums) => {
      const labels = labelsOf(sums, count);
      const weights = labels.map((_, i) => labelWeights?.[i] ?? 1);
      if (!each) return area(mixed(labels, weights), curve, method);
      const total = weights.reduce((a, b) => a + b, 0);
      return labels.reduce((sum, label, i) => sum + (weights[i] ?? NaN) * area(label, curve, method), 0) / total;
    },
  };
}

const METHODS = ["interpolation", "minoring", "majoring"] as const;

function checkLabelWeights(weights: AucOptions["labelWeights"], labels: number): void {
  if (weights === undefined || weights.length === labels) return;
  const [expected, received] = [`${labels}, one for each label`, String(weights.length)];
  throw new OptionError({ where: "auc", problem: "labelWeights has the wrong length", expected, received });
}

/** [T, K] positives above each threshold, then negatives. The first threshold is below 0, the last above 1. */
function countAbove(p: Node, actual: Node, weights: Node, count: number): Node {
  const labels = lastOf(p.shape);
  const flat = (x: Node): Node => ops.reshape(x, [1, -1, labels]);
  const places = sizeAt(flat(p).shape, 1);
  const shape = [count, places, labels];
  const steps = ops.mul(ops.cast(ops.iota([count, 1, 1], 0), "float32"), 1 / (count - 1));
  const ends = ops.sub(ops.mul(ops.cast(ops.greater(steps, 1 - 0.5 / (count - 1)), "float32"), 2e-7), 1e-7);
  const inside = ops.logicalAnd(ops.greater(steps, 0.5 / (count - 1)), ops.less(steps, 1 - 0.5 / (count - 1)));
  const thresholds = ops.add(steps, ops.where(inside, 0, ends));
  const above = asNumber(ops.less(ops.broadcastTo(thresholds, shape), ops.broadcastTo(flat(p), shape)));
  const weighed = ops.mul(above, flat(ops.broadcastTo(weights, p.shape)));
  const positives = ops.sum(ops.mul(weighed, flat(actual)), { axes: [1] });
  const negatives = ops.sum(ops.mul(weighed, flat(ops.sub(1, actual))), { axes: [1] });
  return ops.reshape(ops.concat([positives, negatives], 0), [-1]);
}

/** True and false positives at each threshold. */
interface Counts {
  readonly tp: readonly number[];
  readonly fp: readonly number[];
}

function labelsOf(sums: Float64Array, count: number): Counts[] {
  const labels = sums.length / (2 * count);
  const read = (from: number, k: number): number[] =>
    Array.from({ length: count }, (_, t) => sums[(from + t) * labels + k] ?? NaN);
  return Array.from({ length: labels }, (_, k) => ({ tp: read(0, k), fp: read(count, k) }));
}

function mixed(labels: readonly Counts[], weights: readonly number[]): Counts {
  const total = (of: (label: Counts) => readonly number[]): number[] =>
    (labels[0] === undefined ? [] : of(labels[0])).map((_, t) =>
      labels.reduce((sum, label, i) => sum + (weights[i] ?? 1) * (of(label)[t] ?? NaN), 0),
    );
  return { tp: total(({ tp }) => tp), fp: total(({ fp }) => fp) };
}

const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

function area({ tp, fp }: Counts, curve: string, method: (typeof METHODS)[number]): number {
  const [positives = 0, negatives = 0] = [tp[0], fp[0]];
  if (curve === "PR" && method === "interpolation") return interpolated(tp, fp, positives);
  const points = tp.map((t, i) => {
    const f = fp[i] ?? NaN;
    if (curve === "ROC") return { x: ratio(f, negatives), y: ratio(t, positives) };
    if (curve === "PR") return { x: ratio(t, positives), y: ratio(t, t + f) };
    if (t === 0) return { x: 0, y: 1 };
    const odds = ratio(positives, negatives);
    return { x: Math.max(0, 1 - (odds * (positives - t)) / t), y: 1 - (odds * f) / t };
  });
  return points.slice(1).reduce((sum, { x, y }, i) => {
    const before = points[i] ?? { x, y };
    const height =
      method === "interpolation"
        ? (y + before.y) / 2
        : method === "minoring"
          ? Math.min(y, before.y)
          : Math.max(y, before.y);
    return sum + (before.x - x) * height;
  }, 0);
}

/** Between thresholds true positives grow in proportion to all: ∫ of the precision over the recall in closed form. */
function interpolated(tp: readonly number[], fp: readonly number[], positives: number): number {
  let sum = 0;
  for (let i = 0; i + 1 < tp.length; i++) {
    const [high, low] = [tp[i] ?? NaN, tp[i + 1] ?? NaN];
    const [all, fewer] = [high + (fp[i] ?? NaN), low + (fp[i + 1] ?? NaN)];
    const slope = ratio(high - low, all - fewer);
    const intercept = low - slope * fewer;
    const growth = all > 0 && fewer > 0 ? all / fewer : 1;
    sum += ratio(slope * (high - low + intercept * Math.log(growth)), positives);
  }
  return sum;
}
