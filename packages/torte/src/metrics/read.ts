/** What `compile` takes as metrics. */
import { isRule, OptionError, show } from "../errors.js";
import type { Loss } from "../losses/loss.js";
import { Names } from "../parts.js";
import { lossMetric } from "./loss-metric.js";
import type { Metric } from "./metric.js";
import type { MetricName } from "./metrics.js";

/** A metric, its name, or a loss, which is a metric, too: its mean is reported. */
export type MetricOption = Metric | MetricName;

/** Metrics by name, and losses as metrics. */
export const METRIC_NAMES = new Names<Metric>("metric", {
  expected: 'a metric, a loss, or the name of one, such as "accuracy", "auroc" or "meanAbsoluteError"',
});

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
  if (isRule(option, "call")) return isLoss(option) ? lossMetric(option) : option;
  return METRIC_NAMES.make(option);
}

/** Losses say how they are reduced; metrics do not. */
const isLoss = (option: Metric): option is Metric & Loss => "reduction" in option;
