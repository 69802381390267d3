/** What `compile` was given, in words of JSON, and back. */
import { OptionError, show } from "../errors.js";
import { isRecord } from "../data/schema.js";
import { type Loss, type Origin } from "../losses/loss.js";
import { LOSSES } from "../losses/losses.js";
import { type LossOption, readLoss } from "../losses/read.js";
import type { Metric } from "../metrics/metric.js";
import { METRICS } from "../metrics/metrics.js";
import { type MetricOption, readMetrics } from "../metrics/read.js";
import { describeWith, optimizerOf, type OwnFunction } from "../optim/optimizers.js";
import { readOptimizer } from "../optim/read.js";
import { type Json, plainJson } from "./json.js";
import type { CompileOptions } from "./objective.js";

/** Optimizer, losses and metrics by their factories and options, in the form in which compile takes them. */
export type CompileDescription = Readonly<Record<"optimizer" | "loss" | "lossWeights" | "metrics", Json>> & {
  /** Where it is chosen. */
  readonly exactConvolutions?: true;
};

/**
 * `own` says what stands for a function of the user's own, or throws.
 */
export function describeCompile(options: CompileOptions, own: OwnFunction): CompileDescription {
  const { optimizer = "rmsprop", loss, lossWeights = {}, metrics = [], exactConvolutions = false } = options;
  const described = {
    optimizer: describeWith(readOptimizer(optimizer), own),
    loss: each(loss, isOne, (one) => describeLoss(one as LossOption, own)),
    lossWeights,
    metrics: each(metrics, isOne, (one) => describeMetric(one as MetricOption, own)),
    ...(exactConvolutions ? { exactConvolutions } : {}),
  };
  return plainJson("compile", described) as CompileDescription;
}

/** What compile takes, of a description. @throws DataError, or OptionError, for what describes none. */
export function compileOptionsOf(described: CompileDescription): CompileOptions {
  const { optimizer, loss, lossWeights, metrics, ...exact } = described;
  // Compile checks what they are.
  return {
    optimizer: optimizerOf(optimizer),
    loss: each(loss, isOrigin, (origin) => follow(LOSS_TABLE, origin as Origin)),
    lossWeights,
    metrics: each(metrics, isOrigin, (origin) => follow(METRICS, origin as Origin)),
    ...exact,
  } as CompileOptions;
}

type Factories = Readonly<Record<string, (options: never) => object>>;
const LOSS_TABLE: Factories = LOSSES;

/** A name, a function, or an object that has what makes it a loss or a metric. */
const isOne = (value: unknown): boolean =>
  typeof value !== "object" || value === null || typeof (value as { readonly call?: unknown }).call === "function";
const isOrigin = (value: unknown): boolean => isRecord(value) && typeof value["factory"] === "string";

/** What `make` gives for one, for each of a list, or for each of an object. */
function each(value: unknown, isSingle: (value: unknown) => boolean, make: (one: unknown) => unknown): unknown {
  if (isSingle(value)) return make(value);
  if (Array.isArray(value)) return value.map((item: unknown) => each(item, isSingle, make));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, each(item, isSingle, make)]));
}

function describeLoss(option: LossOption, own: OwnFunction): unknown {
  const loss = readLoss(option);
  const { origin } = loss;
  if (origin !== undefined && isMade(loss, LOSS_TABLE, origin)) return origin;
  return own(`loss ${loss.name}`, "a loss of your own", loss.call);
}

function describeMetric(option: MetricOption, own: OwnFunction): unknown {
  const [metric] = readMetrics([option]);
  if (metric === undefined) return null;
  const { origin } = metric;
  if (origin !== undefined && isMade(metric, METRICS, origin)) return origin;
  return own(`metric ${metric.name}`, "a metric of your own", metric.call);
}

/** Whether it is as the factory makes it: a copy with another function or another field is the user's own. */
function isMade(value: Loss | Metric, table: Factories, { factory, options }: Origin): boolean {
  const make = Object.hasOwn(table, factory) ? table[factory] : undefined;
  if (make === undefined) return false;
  const made: Readonly<Record<string, unknown>> = { ...make(options as never) };
  const given: Readonly<Record<string, unknown>> = { ...value };
  return isAlike({ ...made, origin: undefined }, { ...given, origin: undefined });
}

/** The same values, functions by their text. */
function isAlike(a: unknown, b: unknown): boolean {
  if (typeof a === "function" && typeof b === "function") return String(a) === String(b);
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  const [one, other]: Readonly<Record<string, unknown>>[] = [{ ...a }, { ...b }];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => isAlike(one?.[name], other?.[name]));
}

function follow(table: Factories, { factory, options }: Origin): object {
  const make = Object.hasOwn(table, factory) ? table[factory] : undefined;
  if (make !== undefined && isRecord(options)) return make(options as never);
  throw new OptionError({ where: "compile", problem: "there is no such loss or metric", received: show(factory) });
}
