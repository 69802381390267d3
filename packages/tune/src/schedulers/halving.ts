/** Bandits on a finite budget: many trials for a few epochs, the best for more. */
import { checkOptions, numberIn, positiveInteger } from "torte";
import { lossAt, type Schedule, type ScheduledTrial, type Scheduler, startOrEnd, type Task } from "./scheduler.js";

/** So many trials up to so many epochs. */
export interface Rung {
  readonly trials: number;
  readonly epochs: number;
}

/** Options of successive halving. */
export interface HalvingOptions {
  /** One trial of so many goes on at each rung; at least 2. Default 3. */
  readonly eta?: number;
  /** Epochs of the lowest rung. Default 1. */
  readonly least?: number;
}

interface Read {
  readonly eta: number;
  readonly least: number;
}

function readHalving(where: string, options: HalvingOptions, more: readonly string[] = []): Read {
  checkOptions(where, options, ["eta", "least", ...more]);
  return {
    eta: numberIn(where, "eta", options.eta ?? 3, { min: 2 }),
    least: positiveInteger(where, "least", options.least ?? 1),
  };
}

/** Of rounding errors in powers and logarithms. */
const TINY = 1e-9;

/** Numbers of epochs from the least to the most, η times as many at each rung; the last is the most. */
export function rungs(epochs: number, { eta, least }: Read): readonly number[] {
  const count = Math.max(0, Math.floor(Math.log(epochs / least) / Math.log(eta) + TINY));
  return Array.from({ length: count + 1 }, (_, k) =>
    k === count ? epochs : Math.max(1, Math.round(epochs * eta ** (k - count))),
  );
}

/**
 * The brackets of Hyperband for trials of R epochs: with s from ⌊log_η R⌋ down to 0, n = ⌈(s_max + 1)·ηˢ/(s + 1)⌉ trials of R·η⁻ˢ
 * epochs, of which ⌊n·η⁻ⁱ⌋ reach R·ηⁱ⁻ˢ.
 *
 * Source: L. Li and others, Hyperband (2018), algorithm 1. The paper's table prints 6 and 9 trials where the algorithm gives 8 and 15.
 *
 * @example
 * import { brackets } from "@torte/tune";
 * console.log(brackets(81, 3).map(([first]) => first?.trials)); // [ 81, 34, 15, 8, 5 ]
 * console.log(brackets(81, 3)[1]?.map(({ trials, epochs }) => `${trials} × ${epochs}`)); // [ '34 × 3', '11 × 9', '3 × 27', '1 × 81' ]
 */
export function brackets(epochs: number, eta = 3): readonly (readonly Rung[])[] {
  const most = Math.floor(Math.log(epochs) / Math.log(eta) + TINY);
  return Array.from({ length: most + 1 }, (_, b) => {
    const s = most - b;
    const first = Math.ceil(((most + 1) * eta ** s) / (s + 1) - TINY);
    return Array.from({ length: s + 1 }, (_, i) => ({
      trials: Math.floor(first * eta ** -i + TINY),
      epochs: i === s ? epochs : Math.max(1, Math.floor(epochs * eta ** (i - s) + TINY)),
    }));
  });
}

/** What a bracket does next with its trials; undefined where it is over, "wait" where results are missing. */
function nextOf(plan: readonly Rung[], members: readonly ScheduledTrial[], open: boolean): Task | "wait" | undefined {
  let chosen = members;
  for (const [i, { trials, epochs }] of plan.entries()) {
    if (i === 0 && members.length < trials && open) return { kind: "start", until: epochs };
    if (i > 0) {
      const before = plan[i - 1]?.epochs ?? 0;
      if (chosen.some((trial) => Number.isNaN(lossAt(trial, before)))) return "wait";
      const ordered = [...chosen].sort((a, b) => lossAt(a, before) - lossAt(b, before) || a.number - b.number);
      // Where the budget has ended a bracket early, each rung is as much smaller as planned.
      const share = Math.floor((members.length * trials) / (plan[0]?.trials ?? 1));
      chosen = ordered.slice(0, Math.max(1, Math.min(trials, share))).filter((one) => lossAt(one, before) < Infinity);
    }
    const next = chosen.find(({ state, losses }) => state === "paused" && losses.length < epochs);
    if (next !== undefined) return { kind: "resume", trial: next.number, until: epochs };
  }
  return chosen.some(({ state }) => state === "running") ? "wait" : undefined;
}

/** One bracket after the other; trials belong to them by their numbers. */
function inBrackets(schedule: Schedule, plans: readonly (readonly Rung[])[]): Task | "wait" | "done" {
  const { trials, open } = schedule;
  let waits = false;
  for (let from = 0, b = 0; from <= trials.length; b++) {
    const plan = plans[b % plans.length] ?? [];
    const size = plan[0]?.trials ?? 1;
    const next = nextOf(plan, trials.slice(from, from + size), open);
    if (next !== undefined && next !== "wait") return next;
    waits ||= next === "wait";
    from += size;
    if (!open && from >= trials.length) break;
  }
  return waits ? "wait" : "done";
}

/**
 * Successive halving: so many trials for a few epochs, of which the best are given η times as many, and so on. A rung waits for all of
 * its trials. Brackets follow each other while the budget lasts.
 *
 * Source: K. Jamieson and A. Talwalkar, Non-stochastic best arm identification (2016).
 */
export function successiveHalving(options: HalvingOptions & { readonly trials?: number } = {}): Scheduler {
  const read = readHalving("successiveHalving", options, ["trials"]);
  const planOf = (epochs: number): readonly Rung[] => {
    const levels = rungs(epochs, read);
    const first = positiveInteger(
      "successiveHalving",
      "trials",
      options.trials ?? Math.round(read.eta ** (levels.length - 1)),
    );
    return levels.map((level, i) => ({
      trials: Math.max(1, Math.floor(first * read.eta ** -i + TINY)),
      epochs: level,
    }));
  };
  return {
    name: "successiveHalving",
    next: (schedule) => inBrackets(schedule, [planOf(schedule.epochs)]),
    plan: (epochs) => table([planOf(epochs)]),
  };
}

/** Hyperband: brackets of successive halving, from many short trials to a few long ones; see `brackets`. */
export function hyperband(options: Pick<HalvingOptions, "eta"> = {}): Scheduler {
  const { eta } = readHalving("hyperband", options);
  return {
    name: "hyperband",
    next: (schedule) => inBrackets(schedule, brackets(schedule.epochs, eta)),
    plan: (epochs) => table(brackets(epochs, eta)),
  };
}

/** Trials × epochs, a bracket on a line. */
function table(plans: readonly (readonly Rung[])[]): string {
  const lines = plans.map((plan, b) => {
    const cells = plan.map(({ trials, epochs }) => `${trials} × ${epochs}`.padStart(9));
    return `bracket ${plans.length - 1 - b}${cells.join("")}`;
  });
  return ["trials × epochs", ...lines].join("\n");
}

/**
 * Asynchronous successive halving: whenever there is room, the best paused trial that is among the best 1/η of its rung goes on to the
 * next one, exactly from where it was; where there is none, a new trial begins. Nothing waits.
 *
 * Source: L. Li and others, A system for massively parallel hyperparameter tuning (arXiv 1810.05934).
 */
export function asha(options: HalvingOptions = {}): Scheduler {
  const read = readHalving("asha", options);
  return {
    name: "asha",
    next: (schedule) => {
      const levels = rungs(schedule.epochs, read);
      for (let k = levels.length - 2; k >= 0; k--) {
        const [level = 1, above = 1] = [levels[k], levels[k + 1]];
        const promoted = promotable(schedule.trials, level, read.eta);
        if (promoted !== undefined) return { kind: "resume", trial: promoted, until: above };
      }
      return startOrEnd(schedule, levels[0] ?? schedule.epochs);
    },
    plan: (epochs) => `rungs at ${rungs(epochs, read).join(", ")} epochs, one of ${read.eta} goes on`,
  };
}

function promotable(trials: readonly ScheduledTrial[], level: number, eta: number): number | undefined {
  const reached = trials.filter((trial) => !Number.isNaN(lossAt(trial, level)));
  const count = Math.floor(reached.length / eta + TINY);
  return reached
    .sort((a, b) => lossAt(a, level) - lossAt(b, level) || a.number - b.number)
    .slice(0, count)
    .find((trial) => trial.state === "paused" && trial.losses.length === level && lossAt(trial, level) < Infinity)
    ?.number;
}
