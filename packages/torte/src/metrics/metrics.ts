/** Metrics by name, as `compile` takes them. */
import { isRule, OptionError, show } from "../errors.js";
import { accuracy } from "./accuracy.js";
import type { Metric } from "./metric.js";

export type MetricOption = Metric | "accuracy";

export function readMetrics(options: readonly MetricOption[]): Metric[] {
  if (Array.isArray(options)) return options.map((option: MetricOption) => readMetric(option));
  const expected = 'a list, such as ["accuracy"]';
  throw new OptionError({
    where: "compile",
    problem: "metrics has the wrong type",
    expected,
    received: show(options),
  });
}

function readMetric(option: MetricOption): Metric {
  if (isRule(option, "call")) return option;
  if ((option as string) === "accuracy") return accuracy;
  throw new OptionError({
    where: "compile",
    problem: "metric is unknown",
    expected: 'a metric or "accuracy"',
    received: show(option),
  });
}
