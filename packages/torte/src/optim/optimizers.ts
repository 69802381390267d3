/** Optimizers by name, and in words of JSON. */
import { DataError, OptionError, show } from "../errors.js";
import { adam, adamax, adamw, lamb, nadam, scheduleFreeAdamW } from "./adam.js";
import { adadelta, adafactor, adagrad, rmsprop } from "./adaptive.js";
import * as cycles from "./cycles.js";
import { muon } from "./muon.js";
import type { Optimizer } from "./optimizer.js";
import type { Schedule } from "./schedule.js";
import * as falling from "./schedules.js";
import { lion, sgd } from "./sgd.js";

export const OPTIMIZERS = {
  sgd,
  adam,
  adamw,
  nadam,
  adamax,
  rmsprop,
  adagrad,
  adadelta,
  adafactor,
  lion,
  lamb,
  muon,
  scheduleFreeAdamW,
};

/** The name of an optimizer. */
export type OptimizerName = keyof typeof OPTIMIZERS;

/** An optimizer in words of JSON: the factory and what it was given; a schedule among the options is described likewise. */
export interface OptimizerDescription {
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
}

const { warmup, ...fallingSchedules } = falling;
const SCHEDULES: Readonly<Record<string, (options: never) => Schedule>> = {
  ...fallingSchedules,
  ...cycles,
  warmup: ({ steps, schedule, ...rest }: { steps: number; schedule: number | Schedule } & falling.WarmupOptions) =>
    warmup(steps, schedule, rest),
};

/**
 * How the optimizer was made, for files.
 *
 * @throws OptionError for what no file can hold: a function of your own.
 * @example
 * import { adam, cosineDecay, describeOptimizer, optimizerOf } from "torte";
 * const optimizer = adam({ learningRate: cosineDecay({ initialLearningRate: 1e-3, decaySteps: 100 }) });
 * const text = JSON.stringify(describeOptimizer(optimizer));
 * console.log(optimizerOf(JSON.parse(text)).name); // adam
 */
export function describeOptimizer(optimizer: Optimizer): OptimizerDescription {
  return describeWith(optimizer, (where, what) => {
    throw unwritable(where, what);
  });
}

/** What stands for a function of the user's own. */
export type OwnFunction = (where: string, what: string, value: unknown) => unknown;

export function describeWith(optimizer: Optimizer, own: OwnFunction): OptimizerDescription {
  const { name, options } = optimizer;
  const described = describeOptions(name, options, own);
  if (Object.hasOwn(OPTIMIZERS, name)) return { kind: name, options: described };
  return { kind: name, options: { ...described, $own: own(name, "an optimizer of your own", optimizer.update) } };
}

const describeOptions = (where: string, options: object, own: OwnFunction): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([option, value]: [string, unknown]) => [option, describeValue(`${where}, ${option}`, value, own)]),
  );

function describeValue(where: string, value: unknown, own: OwnFunction): unknown {
  if (typeof value === "function") return own(where, "a function of your own", value);
  if (typeof value !== "object" || value === null || !("at" in value) || Array.isArray(value)) return value;
  const { kind, options, at } = value as Schedule;
  if (!Object.hasOwn(SCHEDULES, kind)) return own(where, "a schedule of your own", at);
  return { $schedule: kind, options: describeOptions(where, options, own) };
}

const unwritable = (where: string, what: string): OptionError =>
  new OptionError({
    where,
    problem: `${what} cannot be written to a file`,
    fix: "Use what the library has, or give the optimizer to compile again after loading.",
  });

/** The optimizer that a description tells of. @throws DataError, or OptionError, for what describes none. */
export function optimizerOf(description: unknown): Optimizer {
  const { kind, options } = asDescription(description, "kind");
  const factory = Object.hasOwn(OPTIMIZERS, kind) ? OPTIMIZERS[kind as keyof typeof OPTIMIZERS] : undefined;
  if (factory === undefined) throw new DataError({ where: "optimizer", problem: `there is no ${show(kind)}` });
  return factory(readOptions(options));
}

const readOptions = (options: Readonly<Record<string, unknown>>): object =>
  Object.fromEntries(Object.entries(options).map(([name, value]) => [name, readValue(value)]));

function readValue(value: unknown): unknown {
  if (typeof value !== "object" || value === null || !("$schedule" in value)) return value;
  const { kind, options } = asDescription(value, "$schedule");
  const factory = Object.hasOwn(SCHEDULES, kind) ? SCHEDULES[kind] : undefined;
  if (factory === undefined) throw new DataError({ where: "optimizer", problem: `there is no schedule ${show(kind)}` });
  return factory(readOptions(options) as never);
}

function asDescription(value: unknown, key: string): OptimizerDescription {
  const record = (x: unknown): x is Readonly<Record<string, unknown>> =>
    typeof x === "object" && x !== null && !Array.isArray(x);
  if (record(value)) {
    const { [key]: kind, options } = value;
    if (typeof kind === "string" && record(options)) return { kind, options };
  }
  throw new DataError({ where: "optimizer", problem: "the description is corrupt", expected: `${key} and options` });
}
