/** What earlier studies have found that a study can use. */
import { OptionError } from "torte";
import { type Assignment, contains } from "../space/parameter.js";
import type { Space } from "../space/space.js";
import type { Earlier } from "./searcher.js";

/**
 * Trials of the settings that the space has, too: with a value in the range for each hyperparameter that it has. Hyperparameters that
 * only the earlier study has fall away.
 *
 * @throws OptionError where a study has no such trial.
 */
export function fitting(
  { parameters, conditional }: Pick<Space, "parameters" | "conditional">,
  earlier: readonly Earlier[],
): readonly Earlier[] {
  return earlier.map(({ name, trials }) => {
    const fits = ({ values }: { readonly values: Assignment }): boolean =>
      parameters.every((parameter) => {
        const value = values[parameter.name];
        return value === undefined ? conditional.has(parameter.name) : contains(parameter, value);
      });
    const kept = trials.filter((trial) => Number.isFinite(trial.loss) && fits(trial));
    if (kept.length > 0) return { name, trials: kept };
    throw new OptionError({
      where: name,
      problem: "no trial of the earlier study fits into this space",
      expected: `values of ${parameters.map(({ name: own }) => own).join(", ")} within their ranges`,
      received: trials.length === 0 ? "no trials with a result" : Object.keys(trials[0]?.values ?? {}).join(", "),
      fix: "Start from a study of the same hyperparameters.",
    });
  });
}
