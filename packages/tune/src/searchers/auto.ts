/** The searcher that a study has by default, and the searchers by name. */
import { oneOf, OptionError, show } from "torte";
import { gp } from "./gp.js";
import type { Assignment } from "../space/parameter.js";
import type { Earlier, Searcher } from "./searcher.js";
import { grid, random, sobol, sobolPoint } from "./simple.js";
import { tpe } from "./tpe.js";

/** Trials before results count. */
const STARTUP = 10;

/**
 * The present setting first, where the space has one; the best settings of earlier studies, where there are any; points of Sobol's
 * sequence up to ten trials; then a Gaussian process, or a Parzen estimator where the space has conditions.
 */
export function auto(): Searcher {
  const [process, estimator] = [gp({ startup: 1 }), tpe({ startup: 3 })];
  return {
    name: "auto",
    propose: (ask) => {
      const { space, seed, number, trials, earlier = [] } = ask;
      const first = [...(space.present === undefined ? [] : [space.present]), ...bestOf(earlier)];
      if (number < first.length) return first[number];
      const told = trials.filter(({ losses }) => losses?.every(Number.isFinite) === true).length;
      // What earlier studies have found stands for the points that only explore.
      const startup = earlier.length > 0 && space.conditional.size === 0 ? 3 : STARTUP;
      if (number < startup || told < 3) return sobolPoint(space, seed, number);
      return (space.conditional.size > 0 ? estimator : process).propose(ask);
    },
  };
}

/** The best settings of earlier studies, one of each after the other, at least two and at most five. */
function bestOf(earlier: readonly Earlier[]): readonly Assignment[] {
  const ordered = earlier.map(({ trials }) => [...trials].sort((a, b) => a.loss - b.loss));
  const count = earlier.length === 0 ? 0 : Math.min(5, Math.max(2, earlier.length));
  return Array.from({ length: count }, (_, i) => ordered[i % ordered.length]?.[Math.floor(i / ordered.length)]).flatMap(
    (trial) => (trial === undefined ? [] : [trial.values]),
  );
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
