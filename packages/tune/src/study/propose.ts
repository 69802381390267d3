/** From a searcher's proposal to a setting that the space has and that was not tried before. */
import { Random } from "../random.js";
import { type Ask, drawn, keyOf, type Searcher } from "../searchers/searcher.js";
import { combinations } from "../searchers/simple.js";
import type { Assignment } from "../space/parameter.js";
import type { Resolved, Space } from "../space/space.js";

/** Draws before the settings that are left are looked for one by one. */
const DRAWS = 100;

/**
 * The next setting, a function of the study's seed, the trial's number and the results so far. Undefined where the searcher has no
 * more, or where every setting of a finite space was tried. `settings`: of all trials, where not all have something to tell.
 */
export function propose<T>(
  space: Space<T>,
  searcher: Searcher,
  ask: Ask,
  settings: readonly Assignment[] = ask.trials.map(({ values }) => values),
): Resolved<T> | undefined {
  const proposed = searcher.propose(ask);
  if (proposed === undefined) return undefined;
  const random = new Random(ask.seed, "draw", ask.number);
  const tried = new Set(settings.map(keyOf));
  const resolve = (values: typeof proposed): Resolved<T> =>
    space.resolve(values, (parameter) => drawn(random, parameter));
  for (let i = 0; i < DRAWS; i++) {
    const resolved = resolve(i === 0 ? proposed : {});
    if (!tried.has(keyOf(resolved.values))) return resolved;
  }
  if (!space.size.finite) return undefined;
  for (const values of combinations(space, Infinity)) if (!tried.has(keyOf(values))) return resolve(values);
  return undefined;
}
