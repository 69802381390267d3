/** What a learning rate may be: a number, a schedule over the updates, or a function of one's own. */
import { checkOptions, isRule, numberIn, OptionError, show } from "../errors.js";

/**
 * A rate for every update. The first update has `at(0)`; what counts is updates of the weights, not batches, so that
 * gradient accumulation does not speed a schedule up. Numbers are computed in float64 on the host and travel with the request
 * to run some dozens of steps.
 */
export interface Schedule {
  /** Name of the factory; "custom" for a function of one's own. */
  readonly kind: string;
  /** As they were given, for files. */
  readonly options: object;
  readonly at: (step: number) => number;
}

/** A number, a schedule, or a function from the number of updates done to a rate. */
export type RateOption = number | Schedule | ((step: number) => number);

/** @throws OptionError for a number that is no rate, or what is no schedule. */
export function readRate(where: string, name: string, option: RateOption): number | Schedule {
  if (typeof option === "number") return numberIn(where, name, option, { min: 0 });
  if (typeof option === "function") return { kind: "custom", options: {}, at: option };
  if (isRule(option, "at")) return option;
  throw new OptionError({
    where,
    problem: `${name} is out of range`,
    expected: "a number of at least 0, a schedule such as cosineDecay(…), or a function of the step",
    received: show(option),
  });
}

/** The rate of an update. @throws OptionError where a schedule gives what is no rate. */
export function rateAt(schedule: Schedule, step: number): number {
  return numberIn(schedule.kind, `the rate of step ${step}`, schedule.at(step), { min: 0 });
}

/** Makes a schedule of checked options. */
export function schedule<O extends object>(
  kind: string,
  options: O,
  allowed: readonly (keyof O & string)[],
  make: () => Schedule["at"],
): Schedule {
  checkOptions(kind, options, allowed);
  return { kind, options: { ...options }, at: make() };
}
