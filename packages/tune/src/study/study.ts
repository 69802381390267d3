/** What became of a study: its trials, the best one, what mattered. */
import { paretoFront } from "../numeric/pareto.js";
import type { Space } from "../space/space.js";
import { importanceOf } from "./importance.js";
import { ranked } from "./leader.js";
import type { Ledger, Trial } from "./ledger.js";
import type { Objective } from "./objective.js";
import { reportOf } from "./report.js";
import { type Goal, signOf } from "./search.js";

/** Mean and standard error of runs with fresh seeds. */
export interface Confirmed {
  readonly mean: number;
  /** NaN of a single run. */
  readonly standardError: number;
  readonly runs: number;
}

/** The best trial, as it was seen and as it was confirmed. */
export interface BestTrial extends Trial {
  /** The first objective, as the search has seen it: the best of many, and therefore too good. */
  readonly seen: number;
  /** With fresh seeds; undefined where nothing was confirmed. */
  readonly confirmation: Confirmed | undefined;
}

/** A study: its trials, and the best of them. */
export class Study {
  readonly space: Space;
  readonly objectives: readonly (Objective & { readonly direction: Goal })[];
  readonly seed: number;
  readonly #ledger: Ledger;

  constructor(
    space: Space,
    objectives: readonly Objective[],
    directions: readonly Goal[],
    seed: number,
    ledger: Ledger,
  ) {
    this.space = space;
    this.objectives = objectives.map((objective, i) => ({ ...objective, direction: directions[i] ?? "min" }));
    this.seed = seed;
    this.#ledger = ledger;
  }

  /** In the order of their numbers. */
  get trials(): readonly Trial[] {
    return this.#ledger.trials;
  }

  /** What the study has cost: epochs of all trials, seconds of the clock over all of its runs. */
  get cost(): { readonly epochs: number; readonly seconds: number } {
    return { epochs: this.#ledger.spentEpochs, seconds: this.#ledger.elapsedSeconds };
  }

  /**
   * The best trial that keeps the constraints: of those that were run again with fresh seeds the one with the best mean, else the best
   * that was seen. Undefined where no trial has a result.
   */
  get best(): BestTrial | undefined {
    return this.finalists[0];
  }

  /** The trials that were confirmed, or else the best one; the best first. */
  get finalists(): readonly BestTrial[] {
    const all = ranked(this.trials, this.#signs).map((trial) => bestOf(trial));
    const confirmed = all.filter(({ confirmation }) => confirmation !== undefined);
    const sign = this.#signs[0] ?? 1;
    const mean = ({ confirmation }: BestTrial): number => (confirmation?.mean ?? NaN) * sign;
    return confirmed.length === 0 ? all.slice(0, 1) : confirmed.sort((a, b) => mean(a) - mean(b));
  }

  /** The trials that no other one beats in all objectives: the Pareto front. */
  get front(): readonly Trial[] {
    const all = ranked(this.trials, this.#signs).filter(({ results }) => results?.every(Number.isFinite) === true);
    const losses = all.map(({ results }) => (results ?? []).map((value, i) => value * (this.#signs[i] ?? 1)));
    return paretoFront(losses).flatMap((at) => all[at] ?? []);
  }

  /** The share of each hyperparameter in what they explain of the first objective (fANOVA), the largest first; of all trials with a result. */
  importance(): Readonly<Record<string, number>> {
    const observed = this.#ledger.observed.flatMap(({ values, losses }) =>
      losses === undefined ? [] : [{ values, loss: losses[0] ?? NaN }],
    );
    return importanceOf(this.space.parameters, observed);
  }

  /** The study in words, as text of 80 columns. */
  report(): string {
    return reportOf(this);
  }

  toString(): string {
    return this.report();
  }

  toJSON(): object {
    const { seed, objectives, trials, best, cost } = this;
    return {
      seed,
      objectives,
      space: this.space,
      size: this.space.size,
      cost,
      best,
      importance: this.importance(),
      trials,
    };
  }

  get #signs(): readonly number[] {
    return this.objectives.map(({ direction }) => signOf(direction));
  }
}

function bestOf(trial: Trial): BestTrial {
  const runs = trial.confirmed.map(([first]) => first ?? NaN).filter(Number.isFinite);
  const mean = runs.reduce((sum, value) => sum + value, 0) / runs.length;
  const variance = runs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (runs.length - 1);
  const confirmation =
    runs.length === 0
      ? undefined
      : { mean, standardError: runs.length < 2 ? NaN : Math.sqrt(variance / runs.length), runs: runs.length };
  return { ...trial, seen: trial.results?.[0] ?? NaN, confirmation };
}
