/** Metrics, as the public surface has them; those that share a name with a loss are in `metrics` only. */
export {
  accuracy,
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  topKAccuracy,
  topKCategoricalAccuracy,
  type ThresholdOption,
  type TopKOptions,
} from "./accuracy.js";
export { auc, type AucOptions } from "./auc.js";
export type { Average } from "./common.js";
export {
  absentClasses,
  f1Score,
  falseNegatives,
  falsePositives,
  fBetaScore,
  precision,
  recall,
  specificity,
  trueNegatives,
  truePositives,
  type DecisionOptions,
} from "./counts.js";
export { binaryIou, iou, meanIou, oneHotIou, oneHotMeanIou, type IouOptions } from "./iou.js";
export type {
  Collected,
  CollectMetric,
  Compaction,
  CountsMetric,
  Direction,
  Meaning,
  MeanMetric,
  Metric,
  MetricContext,
} from "./metric.js";
export type { MetricName } from "./metrics.js";
export type { MetricOption } from "./read.js";
export {
  brierScore,
  expectedCalibrationError,
  perplexity,
  type BrierOptions,
  type CalibrationOptions,
  type PerplexityOptions,
} from "./probability.js";
export {
  auroc,
  averagePrecision,
  precisionAtRecall,
  recallAtPrecision,
  sensitivityAtSpecificity,
  specificityAtSensitivity,
  type RankingOptions,
} from "./ranking.js";
export {
  concordanceCorrelation,
  pearsonCorrelation,
  r2Score,
  rootMeanSquaredError,
  spearmanCorrelation,
  type CorrelationOptions,
  type R2Options,
} from "./regression.js";
export { balancedAccuracy, cohenKappa, mcc, type KappaOptions } from "./table.js";
export {
  confusionMatrix,
  operatingPoint,
  precisionRecallCurve,
  rocCurve,
  type ConfusionMatrix,
  type ConfusionOptions,
  type OperatingPoint,
  type OperatingPointOptions,
  type PrecisionRecallCurve,
  type RocCurve,
} from "./values.js";
