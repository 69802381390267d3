/** How much each hyperparameter matters. */
import { fanova } from "../numeric/fanova.js";
import { encode } from "../searchers/searcher.js";
import { isNumeric, levels, type Parameter } from "../space/parameter.js";
import type { Assignment } from "../space/parameter.js";

export interface Measured {
  readonly values: Assignment;
  readonly loss: number;
}

/**
 * The share of each hyperparameter in what single hyperparameters explain of the results' variance over the whole space (fANOVA); the
 * largest first, together 1. A hyperparameter that a trial does not have, lies in the middle of its range there, or is a category of its own.
 */
export function importanceOf(
  parameters: readonly Parameter[],
  trials: readonly Measured[],
): Readonly<Record<string, number>> {
  const finite = trials.filter(({ loss }) => Number.isFinite(loss));
  if (finite.length < 2) return {};
  const categories = parameters.map((parameter) => {
    if (isNumeric(parameter)) return 0;
    const isMissing = finite.some(({ values }) => values[parameter.name] === undefined);
    return levels(parameter) + Number(isMissing);
  });
  const points = finite.map(({ values }) =>
    Array.from(encode(parameters, values), (at, k) => {
      if (!Number.isNaN(at)) return at;
      return categories[k] === 0 ? 0.5 : (categories[k] ?? 1) - 1;
    }),
  );
  const shares = fanova(
    points,
    finite.map(({ loss }) => loss),
    { categories },
  );
  const total = shares.reduce((sum, share) => sum + share, 0) || 1;
  const entries = parameters.map(({ name }, k) => [name, (shares[k] ?? 0) / total] as const);
  return Object.fromEntries(entries.sort((a, b) => b[1] - a[1]));
}
