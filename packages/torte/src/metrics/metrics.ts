/** Metrics by name, as `compile` takes them. */
import { hintFor, isRule, OptionError, show } from "../errors.js";
import { LOSSES } from "../losses/losses.js";
import type { Loss } from "../losses/loss.js";
import * as accuracies from "./accuracy.js";
import { auc } from "./auc.js";
import * as counts from "./counts.js";
import * as ious from "./iou.js";
import type { Metric } from "./metric.js";
import { brierScore, expectedCalibrationError, perplexity } from "./probability.js";
import {
  auroc,
  averagePrecision,
  precisionAtRecall,
  recallAtPrecision,
  sensitivityAtSpecificity,
  specificityAtSensitivity,
} from "./ranking.js";
import * as numbers from "./regression.js";
import { balancedAccuracy, cohenKappa, mcc } from "./table.js";

const OWN = {
  accuracy: () => accuracies.accuracy,
  binaryAccuracy: accuracies.binaryAccuracy,
  categoricalAccuracy: accuracies.categoricalAccuracy,
  sparseCategoricalAccuracy: accuracies.sparseCategoricalAccuracy,
  topKAccuracy: accuracies.topKAccuracy,
  topKCategoricalAccuracy: accuracies.topKCategoricalAccuracy,
  sparseTopKCategoricalAccuracy: accuracies.sparseTopKCategoricalAccuracy,
  precision: counts.precision,
  recall: counts.recall,
  specificity: counts.specificity,
  fBetaScore: counts.fBetaScore,
  f1Score: counts.f1Score,
  absentClasses: counts.absentClasses,
  truePositives: counts.truePositives,
  falsePositives: counts.falsePositives,
  trueNegatives: counts.trueNegatives,
  falseNegatives: counts.falseNegatives,
  balancedAccuracy,
  mcc,
  cohenKappa,
  iou: ious.iou,
  meanIou: ious.meanIou,
  binaryIou: ious.binaryIou,
  oneHotIou: ious.oneHotIou,
  oneHotMeanIou: ious.oneHotMeanIou,
  auroc,
  averagePrecision,
  auc,
  brierScore,
  expectedCalibrationError,
  perplexity,
  rootMeanSquaredError: numbers.rootMeanSquaredError,
  r2Score: numbers.r2Score,
  pearsonCorrelation: numbers.pearsonCorrelation,
  spearmanCorrelation: numbers.spearmanCorrelation,
  concordanceCorrelation: numbers.concordanceCorrelation,
  cosineSimilarity: numbers.cosineSimilarity,
  mean: numbers.mean,
  sum: numbers.sum,
};

/** Losses as metrics by their names; of the same name, the metric comes first. */
const NAMED: Readonly<Record<string, () => Metric>> = {
  ...Object.fromEntries(Object.entries(LOSSES).map(([name, make]) => [name, () => numbers.lossMetric(make())])),
  ...OWN,
};

/** Every factory of a metric by the name that its metrics have as their origin. */
export const METRICS: Readonly<Record<string, (options: never) => Metric>> = {
  ...OWN,
  sensitivityAtSpecificity,
  specificityAtSensitivity,
  precisionAtRecall,
  recallAtPrecision,
  ...Object.fromEntries(
    Object.entries(LOSSES).map(([name, make]) => [
      `losses.${name}`,
      (options: never): Metric => numbers.lossMetric(make(options)),
    ]),
  ),
};

/** The name of a metric, or of a loss taken as one. */
export type MetricName = keyof typeof OWN | keyof typeof LOSSES;
/** A metric, its name, or a loss, which is a metric, too: its mean is reported. */
export type MetricOption = Metric | MetricName;

/** @throws OptionError for what is no list of metrics, or for two of one name. */
export function readMetrics(options: readonly MetricOption[]): Metric[] {
  if (!Array.isArray(options)) {
    const expected = 'a list, such as ["accuracy"]';
    const received = show(options);
    throw new OptionError({ where: "compile", problem: "metrics has the wrong type", expected, received });
  }
  const metrics = options.map((option: MetricOption) => readMetric(option));
  const names = metrics.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return metrics;
  throw new OptionError({
    where: "compile",
    problem: `two metrics are called ${JSON.stringify(twice)}`,
    fix: "Give one of them another name with the option name.",
  });
}

function readMetric(option: MetricOption): Metric {
  if (isRule(option, "call")) return isLoss(option) ? numbers.lossMetric(option) : option;
  const name: unknown = option;
  const make = typeof name === "string" && Object.hasOwn(NAMED, name) ? NAMED[name] : undefined;
  if (make !== undefined) return make();
  const names = Object.keys(NAMED);
  throw new OptionError({
    where: "compile",
    problem: "metric is unknown",
    expected: 'a metric, a loss, or the name of one, such as "accuracy", "auroc" or "meanAbsoluteError"',
    received: show(option),
    ...(typeof name === "string" ? hintFor(name, names) : {}),
  });
}

/** Losses say how they are reduced; metrics do not. */
const isLoss = (option: Metric): option is Metric & Loss => "reduction" in option;
