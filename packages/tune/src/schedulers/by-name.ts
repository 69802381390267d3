/** Schedulers by name. */
import { oneOf, OptionError, show } from "torte";
import { asha, hyperband, successiveHalving } from "./halving.js";
import type { Scheduler } from "./scheduler.js";
import { curveFitting, medianStopping, none } from "./stopping.js";

const SCHEDULERS = { none, asha, successiveHalving, hyperband, medianStopping, curveFitting } as const;

/** The name of a scheduler. */
export type SchedulerName = keyof typeof SCHEDULERS;

export const SCHEDULER_NAMES = Object.keys(SCHEDULERS) as readonly SchedulerName[];

/** @throws OptionError for a name that is unknown, and for what cannot schedule. */
export function readScheduler(option: SchedulerName | Scheduler): Scheduler {
  if (typeof option === "string") return SCHEDULERS[oneOf("scheduler", "scheduler", option, SCHEDULER_NAMES)]();
  if (typeof (option as Partial<Scheduler> | null)?.next === "function") return option;
  throw new OptionError({
    where: "scheduler",
    problem: "the scheduler has the wrong type",
    expected: `one of ${SCHEDULER_NAMES.join(", ")}, or an object with next`,
    received: show(option),
  });
}
