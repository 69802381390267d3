/** Training for a check: on the model's own weights, which are put back afterwards. */
import { accuracy } from "../metrics/accuracy.js";
import type { MetricOption } from "../metrics/read.js";
import { adam } from "../optim/adam.js";
import { finishing } from "../train/finish.js";
import type { Goal } from "../train/measure.js";
import { type AnyModel, type CompileOptions, Model } from "../train/model.js";

export interface ProbeOptions {
  /** What trains. Default: adam with a learning rate of 0.01. */
  readonly optimizer?: NonNullable<CompileOptions["optimizer"]>;
}

/**
 * A second model over the same layers, compiled for the same losses, and for accuracy where the first one's targets allow it. The
 * first one's optimizer and random numbers do not notice.
 */
export async function withProbe<T>(
  model: AnyModel,
  goals: readonly Goal[],
  { optimizer = adam({ learningRate: 0.01 }) }: ProbeOptions,
  use: (probe: AnyModel) => Promise<T>,
): Promise<T> {
  const before = await model.getWeights();
  const probe: AnyModel = new Model(model.network, { seed: model.seed, name: model.name });
  probe.compile({
    optimizer,
    loss: Object.fromEntries(goals.map(({ name, loss }) => [name, loss])),
    lossWeights: Object.fromEntries(goals.map(({ name, weight }) => [name, weight])),
    metrics: Object.fromEntries(goals.map((goal) => [goal.name, metricsOf(goal)])),
  });
  return finishing(() => use(probe), [() => model.setWeights(before), () => probe.close()]);
}

const metricsOf = ({ loss, metrics }: Goal): readonly MetricOption[] =>
  loss.targets === "numbers" ? metrics.filter(({ name }) => name === "accuracy") : [accuracy];
