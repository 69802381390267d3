/** Metrics: for each position one number, averaged over all that count. */
import { isRule, OptionError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import type { Loss } from "../losses/losses.js";
import * as ops from "../ops/index.js";

export interface Metric {
  readonly name: string;
  /** As a loss: reduces the last axis. */
  readonly call: (target: Node, prediction: Node, loss: Loss) => Node;
}

export type MetricOption = Metric | "accuracy";

/** Share of right answers: threshold 0.5 for one output, the largest of several. */
export const accuracy: Metric = {
  name: "accuracy",
  call: (target, prediction, loss) => {
    if (loss.targets === "classes") return right(ops.equal(ops.argmax(prediction, { axes: [-1] }), target));
    if (loss.name === "categoricalCrossentropy") {
      return right(ops.equal(ops.argmax(prediction, { axes: [-1] }), ops.argmax(target, { axes: [-1] })));
    }
    return ops.mean(right(ops.equal(right(ops.less(0.5, prediction)), target)), { axes: [-1] });
  },
};

const right = (condition: Node): Node => ops.cast(condition, "float32");

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
