/** Metrics, as the public surface has them. */
export { accuracy } from "./accuracy.js";
export type { Collected, CollectMetric, CountsMetric, Direction, Meaning, MeanMetric, Metric } from "./metric.js";
