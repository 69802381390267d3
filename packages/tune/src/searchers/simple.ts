/** Searchers that do not look at results: random, Sobol's sequence, a grid, a list by hand. */
import { checkOptions, OptionError, positiveInteger, show } from "torte";
import { MOST_DIMENSIONS, SobolSequence } from "../numeric/sobol.js";
import { Random } from "../random.js";
import { type Assignment, fromUnit, levels, type Parameter, type Value, valueAt } from "../space/parameter.js";
import type { Space } from "../space/space.js";
import { drawn, type Searcher } from "./searcher.js";

/** Every setting is as likely as any other. */
export const random = (): Searcher => ({
  name: "random",
  propose: ({ space, seed, number }) => {
    const stream = new Random(seed, "random", number);
    return valuesOf(space, (parameter) => drawn(stream, parameter));
  },
});

const valuesOf = (space: Space, choose: (parameter: Parameter, i: number) => Value): Assignment =>
  Object.fromEntries(space.parameters.map((parameter, i) => [parameter.name, choose(parameter, i)]));

/** Scrambled points of Sobol's sequence, which lie more evenly than random ones. */
export const sobol = (): Searcher => ({
  name: "sobol",
  propose: ({ space, seed, number }) => sobolPoint(space, seed, number),
});

/** Point number i of the study's sequence. What lies beyond the table of dimensions is drawn. */
export function sobolPoint(space: Space, seed: number, i: number): Assignment {
  const point = new SobolSequence(Math.min(space.parameters.length, MOST_DIMENSIONS), { seed }).point(i);
  const stream = new Random(seed, "beyond sobol", i);
  return valuesOf(space, (parameter, at) => fromUnit(parameter, point[at] ?? stream.uniform()));
}

/** Options of the searcher by a grid. */
export interface GridOptions {
  /** Values of a hyperparameter that has more, evenly from end to end. Default 5. */
  readonly values?: number;
}

/** All combinations, in order: the first hyperparameter changes slowest. */
export function grid(options: GridOptions = {}): Searcher {
  checkOptions("grid", options, ["values"]);
  const most = positiveInteger("grid", "values", options.values ?? 5);
  const begun = new WeakMap<Space, { readonly all: Assignment[]; readonly more: Generator<Assignment> }>();
  return {
    name: "grid",
    propose: ({ space, number }) => {
      const { all, more } = begun.get(space) ?? { all: [], more: combinations(space, most) };
      begun.set(space, { all, more });
      while (all.length <= number) {
        const next = more.next();
        if (next.done === true) return undefined;
        all.push(next.value);
      }
      return all[number];
    },
  };
}

/** Runs the function again and again, the last choice that has another value changed first, as an odometer turns. */
export function* combinations(space: Space, most: number): Generator<Assignment, void> {
  let fixed: number[] = [];
  for (;;) {
    const counts: number[] = [];
    const values: Record<string, Value> = {};
    const choose = (parameter: Parameter): Value => {
      const count = Math.min(levels(parameter), most);
      const at = fixed[counts.length] ?? 0;
      counts.push(count);
      return (values[parameter.name] = spread(parameter, at, count));
    };
    // A setting that cannot work is none of the grid.
    if (!("error" in space.resolve({}, choose))) yield values;
    const at = counts.findLastIndex((count, i) => (fixed[i] ?? 0) + 1 < count);
    if (at < 0) return;
    fixed = counts.slice(0, at + 1).map((_, i) => (fixed[i] ?? 0) + Number(i === at));
  }
}

function spread(parameter: Parameter, at: number, count: number): Value {
  if (parameter.kind === "float") return fromUnit(parameter, count === 1 ? 0.5 : at / (count - 1));
  const last = levels(parameter) - 1;
  return valueAt(parameter, count === 1 ? Math.round(last / 2) : Math.round((at * last) / (count - 1)));
}

/** The settings of a list, one after the other; what a setting leaves out has its default or the middle of its range. */
export function byHand(settings: readonly Assignment[]): Searcher {
  if (!Array.isArray(settings) || settings.length === 0)
    throw new OptionError({
      where: "byHand",
      problem: "there are no settings",
      expected: "a list such as [{ rate: 0.1 }, { rate: 0.3 }]",
      received: show(settings),
    });
  return {
    name: "byHand",
    propose: ({ space, number }) => {
      const setting = (settings as readonly Assignment[])[number];
      return setting === undefined ? undefined : { ...space.base, ...setting };
    },
  };
}
