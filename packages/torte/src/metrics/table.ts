/** Metrics of the whole table of actual and predicted classes. */
import { checkOptions, numberIn, oneOf } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { lastOf, sizeAt, sizeOf } from "../tensor/shape.js";
import { actualLabels, isCategorical, type NameOption, readName } from "./common.js";
import { countDecisions, type Decisions, decisionsOf, predictedLabels, ratio, together } from "./counts.js";
import type { CountsMetric, MetricContext } from "./metric.js";

/** Metrics of the whole table of decisions: of two classes, yes and no, for targets that are probabilities. */
export function ofTable(
  where: string,
  options: ThresholdOptions,
  figure: (decisions: readonly Decisions[]) => number,
): CountsMetric {
  checkOptions(where, options, ["threshold", "name"]);
  const threshold = options.threshold === undefined ? undefined : numberIn(where, "threshold", options.threshold);
  return {
    ...readName(where, options),
    kind: "counts",
    direction: "max",
    needsMeaning: true,
    call: (target, prediction, context) => countDecisions(target, prediction, context, { threshold, topK: undefined }),
    figure: (sums, meaning) => {
      const decisions = decisionsOf(sums);
      return figure(isCategorical(meaning) ? decisions : twoClasses(together(decisions)));
    },
  };
}

export interface ThresholdOptions extends NameOption {
  /** What a prediction must exceed to be a yes, for targets that are probabilities. Default 0.5, for logits 0. */
  readonly threshold?: number;
}

/** No and yes as two classes. */
const twoClasses = ({ tp, fp, tn, fn }: Decisions): Decisions[] => [
  { tp: tn, fp: fn, tn: tp, fn: fp },
  { tp, fp, tn, fn },
];

/**
 * Matthews' correlation of targets and decisions, for any number of classes (Gorodkin 2004): (c·s − Σ pₖ·tₖ)/√((s² − Σ pₖ²)·
 * (s² − Σ tₖ²)) with c right ones of s, pₖ predicted and tₖ actual ones of class k. 0 where the denominator is 0, as in
 * scikit-learn (torchmetrics says ±1 where there is one class only).
 */
export const mcc = (options: ThresholdOptions = {}): CountsMetric =>
  ofTable("mcc", options, (decisions) => {
    const { right, all, products, predicted, actual } = agreement(decisions);
    return ratio(right * all - products, Math.sqrt((all ** 2 - predicted) * (all ** 2 - actual)));
  });

/** Sums over the classes: right ones, all, Σ pₖ·tₖ, Σ pₖ², Σ tₖ². */
function agreement(
  decisions: readonly Decisions[],
): Record<"right" | "all" | "products" | "predicted" | "actual", number> {
  const total = (of: (each: Decisions) => number): number => decisions.reduce((sum, each) => sum + of(each), 0);
  return {
    right: total(({ tp }) => tp),
    all: total(({ tp, fn }) => tp + fn),
    products: total(({ tp, fp, fn }) => (tp + fp) * (tp + fn)),
    predicted: total(({ tp, fp }) => (tp + fp) ** 2),
    actual: total(({ tp, fn }) => (tp + fn) ** 2),
  };
}

/** Mean recall over the classes that targets have. */
export const balancedAccuracy = (options: ThresholdOptions = {}): CountsMetric =>
  ofTable("balancedAccuracy", options, (decisions) => {
    const present = decisions.filter(({ tp, fn }) => tp + fn > 0);
    return ratio(
      present.reduce((sum, { tp, fn }) => sum + tp / (tp + fn), 0),
      present.length,
    );
  });

/** Options of {@link cohenKappa}. */
export interface KappaOptions extends ThresholdOptions {
  /** How wrong it is to take class i for class j: "linear" |i − j|, "quadratic" (i − j)². Default: all mistakes alike. */
  readonly weights?: "linear" | "quadratic";
}

/** 1 − Σ w·observed/Σ w·expected by chance, w being 0 for right ones. 0/0, where there is one class only, is NaN. Cohen 1960. */
export function cohenKappa(options: KappaOptions = {}): CountsMetric {
  const where = "cohenKappa";
  checkOptions(where, options, ["threshold", "name", "weights"]);
  const { weights, ...others } = options;
  if (weights === undefined)
    return ofTable(where, others, (decisions) => {
      const { right, all, products } = agreement(decisions);
      return (right * all - products) / (all ** 2 - products);
    });
  const power = oneOf(where, "weights", weights, ["linear", "quadratic"]) === "linear" ? 1 : 2;
  return {
    ...readName(where, options),
    kind: "counts",
    direction: "max",
    needsMeaning: true,
    call: (target, prediction, context) => confusion(target, prediction, context, others.threshold),
    figure: (table) => weightedKappa(table, (i, j) => Math.abs(i - j) ** power),
  };
}

/** The table of actual (rows) and predicted (columns) classes, row after row. */
function confusion(target: Node, prediction: Node, context: MetricContext, threshold: number | undefined): Node {
  const labels = [
    actualLabels(target, prediction, context),
    predictedLabels(prediction, context, threshold, undefined),
  ].map((x) => (isCategorical(context) ? x : ops.stack([ops.sub(1, ops.reshape(x, [-1])), ops.reshape(x, [-1])], 1)));
  const [actual, predicted] = labels.map((x) => ops.reshape(x, [-1, lastOf(x.shape)]));
  if (actual === undefined || predicted === undefined) throw new RangeError("there are two sides to a table");
  const rows = sizeAt(actual.shape, 0);
  const places = sizeOf(context.weights.shape);
  const weights = ops.broadcastTo(ops.reshape(context.weights, [places, 1]), [places, rows / places]);
  const weighed = ops.mul(actual, ops.reshape(weights, [rows, 1]));
  return ops.reshape(ops.einsum("nt,np->tp", weighed, predicted), [-1]);
}

function weightedKappa(table: Float64Array, weight: (i: number, j: number) => number): number {
  const n = Math.round(Math.sqrt(table.length));
  const at = (i: number, j: number): number => table[i * n + j] ?? NaN;
  const indices = Array.from({ length: n }, (_, i) => i);
  const rows = indices.map((i) => indices.reduce((sum, j) => sum + at(i, j), 0));
  const columns = indices.map((j) => indices.reduce((sum, i) => sum + at(i, j), 0));
  const all = rows.reduce((a, b) => a + b, 0);
  let [observed, expected] = [0, 0];
  for (const i of indices) {
    for (const j of indices) {
      observed += weight(i, j) * at(i, j);
      expected += (weight(i, j) * (rows[i] ?? NaN) * (columns[j] ?? NaN)) / all;
    }
  }
  return 1 - observed / expected;
}
