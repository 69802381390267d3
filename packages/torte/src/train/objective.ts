/** What `compile` takes: losses, their weights and metrics, for one output or for each of several. */
import { booleanOption, checkOptions, numberIn, OptionError, show } from "../errors.js";
import { type LossOption, readLoss } from "../losses/read.js";
import { type MetricOption, readMetrics } from "../metrics/read.js";
import type { Network } from "../nn/network.js";
import type { OptimizerOption } from "../optim/read.js";
import { fitting } from "./fitting.js";
import type { Goal, Objective } from "./measure.js";

/** For every output the same, or one each in the order of the outputs, or by the outputs' names. */
export type PerOutput<T> = T | readonly T[] | Readonly<Record<string, T>>;

/** Options of a model's `compile`. */
export interface CompileOptions {
  /** Default "rmsprop", as in Keras. */
  readonly optimizer?: OptimizerOption;
  /**
   * Of a model with several outputs one for all of them, a list, or an object by the names of the outputs' layers; outputs
   * that an object leaves out are not trained.
   */
  readonly loss: PerOutput<LossOption>;
  /** Factors of the losses in their sum: a list, or an object by the outputs' names. Default 1. */
  readonly lossWeights?: readonly number[] | Readonly<Record<string, number>>;
  /** For every output, or an object with a list for each. Default none. */
  readonly metrics?: readonly MetricOption[] | Readonly<Record<string, readonly MetricOption[]>>;
  /**
   * Convolutions are computed as plain sums of products. Otherwise wide ones with three taps or more take fewer
   * multiplications (Winograd 1980) and are up to twice as fast, with a rounding error that is some times as large: docs/performance.md has
   * the figures. Holds for training, evaluation, gradients and predictions from here on. Default false.
   */
  readonly exactConvolutions?: boolean;
}

/** What compile trains the network for. @throws OptionError for options that do not fit it. */
export function readObjective(network: Network, options: CompileOptions): Objective {
  checkOptions("compile", options, ["optimizer", "loss", "lossWeights", "metrics", "exactConvolutions"]);
  const exactConvolutions = booleanOption("compile", "exactConvolutions", options.exactConvolutions ?? false);
  return { network, goals: readGoals(network, options), exactConvolutions };
}

function readGoals(network: Network, options: CompileOptions): Goal[] {
  const names = outputNames(network);
  const listed: unknown = options.metrics ?? [];
  if (typeof listed !== "object") readMetrics(listed as readonly MetricOption[]);
  const losses = spread("loss", names, options.loss, isOneLoss);
  const weights = spread("lossWeights", names, options.lossWeights ?? {}, isNothing);
  const metrics = spread<readonly MetricOption[]>("metrics", names, options.metrics ?? [], isList);
  const goals = names.flatMap((name, output) => {
    const [loss, weight] = [losses.get(name), weights.get(name)];
    if (loss === undefined) return [];
    return {
      name,
      output,
      ...fitting(name, readLoss(loss), readMetrics(metrics.get(name) ?? []), network.outputs[output]),
      weight: numberIn("compile", "lossWeights", weight ?? 1),
    };
  });
  if (goals.length > 0) return goals;
  if (names.length === 1) readLoss(options.loss as LossOption);
  const expected = `a loss for at least one of ${names.join(", ")}`;
  throw new OptionError({ where: "compile", problem: "there is no loss", expected });
}

/** Weights of classes by their numbers, at least 0; what is left out weighs 1. */
export type ClassWeight = Readonly<Record<number, number>>;

/** The objective with weights of classes in its losses; of several outputs by their names. */
export function withClassWeight(
  objective: Objective,
  given: ClassWeight | Readonly<Record<string, ClassWeight>> | undefined,
): Objective {
  if (given === undefined) return objective;
  const names = objective.goals.map(({ name }) => name);
  const single = names.length === 1 && !Object.values(given).some((value) => typeof value === "object");
  const byName = (single ? { [names[0] ?? ""]: given } : given) as Readonly<Record<string, ClassWeight>>;
  checkOptions("classWeight", byName, names);
  const goals = objective.goals.map((goal) => {
    const weights = byName[goal.name];
    return weights === undefined ? goal : { ...goal, classWeight: readClassWeight(objective.network, goal, weights) };
  });
  return { ...objective, goals };
}

function readClassWeight(network: Network, { loss, output }: Goal, given: ClassWeight): ReadonlyMap<number, number> {
  const last = network.outputs[output]?.shape.at(loss.axis ?? -1) ?? 1;
  const several = loss.targets === "classes" || loss.targets === "distribution";
  if (loss.targets === "numbers" || (!several && last !== 1)) {
    throw new OptionError({
      where: "fit",
      problem: `classWeight needs one class for each position, which ${loss.name} does not have`,
      fix: "Give sampleWeight beside x and y.",
    });
  }
  const classes = several ? last : 2;
  checkOptions(
    "classWeight",
    given,
    Array.from({ length: classes }, (_, i) => String(i)),
  );
  const entries = Object.entries(given);
  return new Map(entries.map(([label, weight]) => [Number(label), numberIn("classWeight", label, weight, { min: 0 })]));
}

/** Names of the outputs' layers, numbered where a layer gives several outputs. */
function outputNames({ outputs }: Network): string[] {
  const counts = new Map<string, number>();
  return outputs.map(({ producer }) => {
    const name = producer.layer.where;
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  });
}

const isOneLoss = (value: unknown): value is LossOption =>
  typeof value !== "object" || value === null || typeof (value as { readonly call?: unknown }).call === "function";
const isList = (value: unknown): value is readonly MetricOption[] => Array.isArray(value);
/** No number stands for all outputs. */
const isNothing = (value: unknown): value is never => value === undefined;

/** What each output gets, by name. */
function spread<T>(
  option: string,
  names: readonly string[],
  given: PerOutput<T>,
  isOne: (value: unknown) => value is T,
): Map<string, T> {
  if (isOne(given)) return new Map(names.map((name) => [name, given]));
  if (Array.isArray(given)) {
    if (given.length === names.length) return new Map(names.map((name, i) => [name, (given as readonly T[])[i] as T]));
    throw new OptionError({
      where: "compile",
      problem: `${option} has the wrong length`,
      expected: `one for each output: ${names.join(", ")}`,
      received: String(given.length),
    });
  }
  const entries = Object.entries(given as Readonly<Record<string, T>>);
  const unknown = entries.find(([name]) => !names.includes(name));
  if (unknown !== undefined) {
    throw new OptionError({
      where: "compile",
      problem: `${option} names an output that is not there`,
      expected: names.join(", "),
      received: show(unknown[0]),
      fix: "Outputs have the names of their layers.",
    });
  }
  return new Map(entries);
}
