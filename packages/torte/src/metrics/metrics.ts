/** All metrics, by name. */
import { LOSSES } from "../losses/losses.js";
import * as accuracies from "./accuracy.js";
import { auc } from "./auc.js";
import * as counts from "./counts.js";
import * as ious from "./iou.js";
import { lossMetric } from "./loss-metric.js";
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
export const NAMED: Readonly<Record<string, () => Metric>> = {
  ...Object.fromEntries(Object.entries(LOSSES).map(([name, make]) => [name, () => lossMetric(make())])),
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
      (options: never): Metric => lossMetric(make(options)),
    ]),
  ),
};

/** The name of a metric, or of a loss taken as one. */
export type MetricName = keyof typeof OWN | keyof typeof LOSSES;
