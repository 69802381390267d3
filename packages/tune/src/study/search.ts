/** Ask and tell: a search without a study around it, for results that come from anywhere. */
import { checkOptions, oneOf, OptionError, seedOption, show, TorteError } from "torte";
import { paretoFront } from "../numeric/pareto.js";
import { readSearcher, type SearcherName } from "../searchers/auto.js";
import type { Earlier, Observation, Searcher } from "../searchers/searcher.js";
import type { Assignment } from "../space/parameter.js";
import type { Space } from "../space/space.js";
import { fitting } from "../searchers/earlier.js";
import { propose } from "./propose.js";

/** Whether less or more of an objective is better. */
export type Goal = "min" | "max";

/** Options of `search`. */
export interface SearchOptions {
  /** What proposes: "auto", "gp", "tpe", "sobol", "random", "grid", or a searcher of your own. Default "auto". */
  readonly searcher?: SearcherName | Searcher;
  /** Default 0. */
  readonly seed?: number;
  /** Of the objective, or of each. Default "min". */
  readonly direction?: Goal | readonly Goal[];
  /** Earlier searches of related functions, whose results a Gaussian process learns from as far as they fit. Default: none. */
  readonly earlier?: readonly Earlier[];
}

/** A trial of a search: its values, and what came of it. */
export interface SearchTrial {
  readonly number: number;
  readonly values: Assignment;
  /** As they were told; undefined while the trial runs. */
  readonly results: readonly number[] | undefined;
  readonly violations: readonly number[];
}

/** A setting to try. */
export interface Suggestion<T> {
  readonly number: number;
  readonly values: Assignment;
  /** What the space's function makes of it. @throws what the function throws. */
  readonly build: () => T;
}

/**
 * A search that is asked for settings and told their results, in any order. What is proposed depends on the seed, the number of the
 * trial and the results in the order in which they were told, on nothing else.
 *
 * @example
 * import { Search, space } from "@torte/tune";
 * const search = new Search(space((h) => ({ x: h.float("x", -2, 2), y: h.float("y", -2, 2) })));
 * for (let i = 0; i < 30; i++) {
 *   const trial = search.ask();
 *   if (trial === undefined) break;
 *   const { x, y } = trial.build();
 *   search.tell(trial.number, (x - 1) ** 2 + (y + 0.5) ** 2);
 * }
 * console.log((search.best?.results?.[0] ?? 1) < 0.01); // true
 */
export class Search<T> {
  readonly space: Space<T>;
  readonly #searcher: Searcher;
  readonly #seed: number;
  readonly #signs: readonly number[];
  readonly #earlier: readonly Earlier[];
  readonly #trials: SearchTrial[] = [];
  /** Numbers of the trials in the order in which their results came. */
  readonly #told: number[] = [];

  constructor(space: Space<T>, options: SearchOptions = {}) {
    checkOptions("search", options, ["searcher", "seed", "direction", "earlier"]);
    this.space = space;
    this.#searcher = readSearcher(options.searcher ?? "auto");
    this.#seed = seedOption("search", options.seed ?? 0);
    this.#earlier = fitting(space, options.earlier ?? []);
    this.#signs = [options.direction ?? "min"].flat().map(signOf);
  }

  get trials(): readonly SearchTrial[] {
    return this.#trials;
  }

  /** The next setting; undefined where every setting was tried. */
  ask(): Suggestion<T> | undefined {
    const number = this.#trials.length;
    const trials = [...this.#told, ...this.#trials.filter(({ results }) => results === undefined).map((t) => t.number)];
    const resolved = propose(this.space, this.#searcher, {
      space: this.space,
      seed: this.#seed,
      number,
      objectives: this.#signs.length,
      earlier: this.#earlier,
      trials: trials.map((at) => this.#observed(this.#trial(at))),
    });
    if (resolved === undefined) return undefined;
    this.#trials.push({ number, values: resolved.values, results: undefined, violations: [] });
    const build = (): T => {
      if ("error" in resolved) throw resolved.error;
      return resolved.made;
    };
    return { number, values: resolved.values, build };
  }

  /**
   * The result of a trial: a number, or one for each objective; NaN where the trial has failed. `violations` has one number for each
   * constraint, above 0 where it is violated.
   *
   * @throws OptionError for a trial that there is not or that has a result, and for too many or too few numbers.
   */
  tell(number: number, result: number | readonly number[], violations: readonly number[] = []): void {
    const trial = this.#trial(number);
    const results = [result].flat();
    const wrong = (problem: string, expected: string, received: string): never => {
      throw new OptionError({ where: `trial ${number}`, problem, expected, received });
    };
    if (trial.results !== undefined) wrong("it has a result already", "a trial that runs", show(trial.results));
    if (results.length !== this.#signs.length || results.some((one) => typeof one !== "number"))
      wrong("the result has the wrong form", `${this.#signs.length} numbers`, show(result));
    this.#trials[number] = { ...trial, results, violations };
    this.#told.push(number);
  }

  /** The best trial of those that keep the constraints; of several objectives the first of the front. */
  get best(): SearchTrial | undefined {
    const [first] = this.front;
    return first;
  }

  /** The trials that no other one beats in everything: the Pareto front. */
  get front(): readonly SearchTrial[] {
    const kept = this.#trials.filter(
      ({ results, violations }) => results?.every(Number.isFinite) === true && violations.every((by) => by <= 0),
    );
    const losses = kept.map((trial) => this.#observed(trial).losses ?? []);
    return paretoFront(losses).flatMap((at) => kept[at] ?? []);
  }

  #trial(number: number): SearchTrial {
    const trial = this.#trials[number];
    if (trial !== undefined) return trial;
    throw new TorteError({ where: "search", problem: "there is no such trial", received: show(number) });
  }

  #observed({ number, values, results, violations }: SearchTrial): Observation {
    const losses = results?.map((result, i) => result * (this.#signs[i] ?? 1));
    return { number, values, losses, violations };
  }
}

/** @throws OptionError for what is no direction. */
export const signOf = (direction: Goal): number =>
  oneOf("direction", "direction", direction, ["min", "max"]) === "min" ? 1 : -1;
