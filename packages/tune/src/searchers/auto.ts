/** The searcher that a study has by default, and the searchers by name. */
import { oneOf, OptionError, show } from "torte";
import { gp } from "./gp.js";
import type { Searcher } from "./searcher.js";
import { grid, random, sobol, sobolPoint } from "./simple.js";
import { tpe } from "./tpe.js";

/** Trials before results count. */
const STARTUP = 10;

/**
 * The present setting first, where the space has one; points of Sobol's sequence up to ten trials; then a Gaussian process, or a Parzen
 * estimator where the space has conditions.
 */
export function auto(): Searcher {
  const [process, estimator] = [gp({ startup: 1 }), tpe({ startup: 3 })];
  return {
    name: "auto",
    propose: (ask) => {
      const { space, seed, number, trials } = ask;
      if (number === 0 && space.present !== undefined) return space.present;
      const told = trials.filter(({ losses }) => losses?.every(Number.isFinite) === true).length;
      if (number < STARTUP || told < 3) return sobolPoint(space, seed, number);
      return (space.conditional.size > 0 ? estimator : process).propose(ask);
    },
  };
}

const SEARCHERS = { auto, random, sobol, grid, tpe, gp } as const;

/** The name of a searcher. */
export type SearcherName = keyof typeof SEARCHERS;

/** @throws OptionError for a name that is unknown, and for what cannot propose. */
export function readSearcher(option: SearcherName | Searcher): Searcher {
  if (typeof option === "string")
    return SEARCHERS[oneOf("searcher", "searcher", option, Object.keys(SEARCHERS) as SearcherName[])]();
  if (typeof (option as Partial<Searcher> | null)?.propose === "function") return option;
  throw new OptionError({
    where: "searcher",
    problem: "the searcher has the wrong type",
    expected: `one of ${Object.keys(SEARCHERS).join(", ")}, or an object with propose`,
    received: show(option),
  });
}
