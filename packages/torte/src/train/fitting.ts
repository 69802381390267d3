/** Whether loss and metrics are ones for what an output is, by how it is made. */
import { OptionError } from "../errors.js";
import { activationOf } from "../losses/logits.js";
import type { Loss } from "../losses/loss.js";
import type { Metric } from "../metrics/metric.js";
import type { SymbolicTensor } from "../nn/layer.js";

/**
 * Loss and metrics with what they leave open filled in: targets that are numbers to the loss are a distribution to metrics
 * where the output is a softmax, and probabilities where it is a sigmoid.
 *
 * @throws OptionError for a loss that the output's activation does not go with, or a metric that needs to know what targets are.
 */
export function fitting(
  output: string,
  loss: Loss,
  metrics: readonly Metric[],
  tensor: SymbolicTensor | undefined,
): { loss: Loss; metrics: readonly Metric[] } {
  const activation = tensor === undefined ? undefined : activationOf(tensor.traced.value);
  checkReduction(loss);
  checkActivation(output, loss, activation);
  const targets = loss.targets === "numbers" ? MEANT[activation ?? "linear"] : undefined;
  return { loss, metrics: metrics.map((metric) => withMeaning(metric, loss, targets)) };
}

/** What targets are that stand beside such outputs. */
const MEANT = { sigmoid: "probabilities", softmax: "distribution", single: undefined, linear: undefined } as const;

function withMeaning(metric: Metric, loss: Loss, meant: Loss["targets"] | undefined): Metric {
  if (metric.needsMeaning !== true || metric.targets !== undefined || loss.targets !== "numbers") return metric;
  if (meant !== undefined) return { ...metric, targets: meant, predictions: "probabilities" };
  throw new OptionError({
    where: "compile",
    problem: `${metric.name} cannot know what is right`,
    expected: "a loss, or an output's activation, that says what targets are",
    received: `${loss.name}, whose targets are numbers`,
    fix: "Use binaryAccuracy(), categoricalAccuracy() or sparseCategoricalAccuracy(), or a metric of numbers.",
  });
}

function checkReduction({ name, reduction }: Loss): void {
  if (reduction !== "none") return;
  throw new OptionError({
    where: "compile",
    problem: `${name} does not become one number`,
    expected: 'reduction "mean", "weightedMean" or "sum"',
    received: '"none"',
  });
}

function checkActivation(output: string, loss: Loss, activation: ReturnType<typeof activationOf>): void {
  const found = MISMATCHES.find(({ is }) => is(loss, activation));
  if (found === undefined) return;
  throw new OptionError({
    where: "compile",
    problem: `${loss.name} does not go with the output ${output}, ${found.because}`,
    fix: found.fix(loss),
  });
}

const isCategorical = ({ targets }: Loss): boolean => targets === "classes" || targets === "distribution";

const MISMATCHES: readonly {
  readonly is: (loss: Loss, activation: ReturnType<typeof activationOf>) => boolean;
  readonly because: string;
  readonly fix: (loss: Loss) => string;
}[] = [
  {
    is: (_loss, activation) => activation === "single",
    because: "a softmax over one value, which is always 1",
    fix: () =>
      'Give the last layer the activation "sigmoid", and the loss binaryCrossentropy; or as many units as classes.',
  },
  {
    is: ({ predictions }, activation) => predictions === "probabilities" && activation === "linear",
    because: "which is linear and gives no probabilities",
    fix: (loss) =>
      `Give the last layer the activation ${isCategorical(loss) ? '"softmax"' : '"sigmoid"'}` +
      (/rossentropy$/.test(loss.name) ? `, or write ${loss.name}({ fromLogits: true }).` : "."),
  },
  {
    is: ({ predictions }, activation) =>
      predictions === "logits" && (activation === "sigmoid" || activation === "softmax"),
    because: "which gives probabilities, not logits",
    fix: (loss) => `Leave fromLogits out: the logits of ${loss.name} are found behind the activation.`,
  },
  {
    is: (loss, activation) => loss.predictions === "probabilities" && isCategorical(loss) && activation === "sigmoid",
    because: "a sigmoid, whose values are no distribution",
    fix: () =>
      'Give the last layer the activation "softmax", or, where several classes may hold, the loss binaryCrossentropy.',
  },
];
