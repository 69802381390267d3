/** What a study improves: figures of the validation data, and costs. */
import { checkOptions, hintFor, type Logs, oneOf, OptionError, show } from "torte";
import type { Goal } from "./search.js";

/** What a study makes small or large. */
export interface Objective {
  /**
   * A metric of the model, which is taken of the validation data ("auroc" is the history's valAuroc), "loss", or a cost: "parameters",
   * "millisecondsPerStep".
   */
  readonly metric: string;
  /** Whether less or more is better. Default: as the metric says; less of a cost. */
  readonly direction?: Goal;
}

/** What training costs, beside what its figures say. */
export interface Costs {
  readonly parameters: number;
  readonly millisecondsPerStep: number;
}

const COSTS: readonly (keyof Costs)[] = ["parameters", "millisecondsPerStep"];

export const isCost = (metric: string): metric is keyof Costs => COSTS.some((cost) => cost === metric);

export function readObjectives(given: Objective | readonly Objective[]): readonly Objective[] {
  const list = [given].flat() as readonly Objective[];
  if (list.length === 0)
    throw new OptionError({ where: "objective", problem: "there is none", expected: 'as { metric: "loss" }' });
  for (const objective of list) {
    checkOptions("objective", objective, ["metric", "direction"]);
    if (typeof objective.metric !== "string" || objective.metric === "")
      throw new OptionError({
        where: "objective",
        problem: "metric has the wrong type",
        expected: 'a name such as "loss" or "auroc"',
        received: show(objective.metric),
      });
    if (objective.direction !== undefined) oneOf("objective", "direction", objective.direction, ["min", "max"]);
  }
  return list;
}

/** The history's name of a metric of the validation data. */
export function figureName(metric: string): string {
  const [name = "", ...output] = metric.split(".").reverse();
  if (/^val[A-Z]/.test(name)) return metric;
  return [...output.reverse(), `val${name.charAt(0).toUpperCase()}${name.slice(1)}`].join(".");
}

/** @throws OptionError where the model has no such metric. */
export function measured(metric: string, logs: Logs, costs: Costs): number {
  if (isCost(metric)) return costs[metric];
  const figure = figureName(metric);
  const value = logs[figure];
  if (value !== undefined) return value;
  throw noFigure(
    metric,
    Object.keys(logs).filter((name) => Object.hasOwn(logs, figureName(name))),
  );
}

/** `names`: the model's figures. */
export function noFigure(metric: string, names: readonly string[]): OptionError {
  return new OptionError({
    where: "objective",
    problem: `the model has no metric ${JSON.stringify(metric)}`,
    expected: [...names, ...COSTS].join(", "),
    ...hintFor(metric, names),
  });
}

/** The most that a trial may cost. */
export type Constraints = Partial<Costs>;

export function checkConstraints(constraints: Constraints): void {
  checkOptions("constraints", constraints, COSTS);
  for (const [name, limit] of Object.entries(constraints))
    if (typeof limit !== "number" || !(limit > 0))
      throw new OptionError({
        where: "constraints",
        problem: `${name} is out of range`,
        expected: "a number above 0",
        received: show(limit),
      });
}

/** How far each cost is above its limit, as a share of it. */
export const violationsOf = (constraints: Constraints, costs: Partial<Costs>): readonly number[] =>
  COSTS.flatMap((cost) => {
    const [limit, value] = [constraints[cost], costs[cost]];
    return limit === undefined ? [] : [value === undefined ? NaN : value / limit - 1];
  });
