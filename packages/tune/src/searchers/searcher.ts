/** What proposes settings: the interface of searchers, and what they share. */
import type { Random } from "../random.js";
import { type Assignment, fromUnit, isNumeric, type Parameter, toUnit, type Value } from "../space/parameter.js";
import type { Space } from "../space/space.js";

/** A trial as a searcher sees it. */
export interface Observation {
  readonly number: number;
  readonly values: Assignment;
  /** One for each objective, less is better; NaN where the trial has failed. Undefined while it runs. */
  readonly losses: readonly number[] | undefined;
  /** One for each constraint: above 0 it is violated, by so much. Empty where there are none, or nothing is known. */
  readonly violations: readonly number[];
}

/** What an earlier study of related data has found. */
export interface Earlier {
  /** Where it comes from, for people. */
  readonly name: string;
  readonly trials: readonly {
    readonly values: Assignment;
    /** The first objective, less is better. */
    readonly loss: number;
  }[];
}

/** What a proposal is a function of: nothing else may go into it, so that a study can be replayed. */
export interface Ask {
  readonly space: Space;
  /** Of the study. */
  readonly seed: number;
  /** Of the trial, from 0. */
  readonly number: number;
  /** All trials so far in the order in which their results came, those that run last. */
  readonly trials: readonly Observation[];
  /** How many objectives there are. */
  readonly objectives: number;
  /** Earlier studies to learn from. Default: none. */
  readonly earlier?: readonly Earlier[];
}

/** Proposes settings. One of your own needs the one function. */
export interface Searcher {
  readonly name: string;
  /**
   * Values by name; those that the space does not ask for fall away, those that it asks for and are missing are drawn. Undefined where
   * there is nothing left to propose.
   */
  propose(ask: Ask): Assignment | undefined;
}

/** Without a preference. */
export const drawn = (random: Random, parameter: Parameter): Value => fromUnit(parameter, random.uniform());

/** A setting as one text, whatever the order of its names. */
export const keyOf = (values: Assignment): string =>
  JSON.stringify(Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1)));

/** A setting as a point: coordinates of the unit interval, and the numbers of categories. */
export const encode = (parameters: readonly Parameter[], values: Assignment): Float64Array =>
  Float64Array.from(parameters, (parameter) => {
    const value = values[parameter.name];
    if (value === undefined) return NaN;
    return isNumeric(parameter) ? toUnit(parameter, value) : levelNumber(parameter, value);
  });

export const levelNumber = (parameter: Parameter, value: Value): number => {
  if (parameter.kind === "boolean") return Number(value);
  return parameter.kind === "categorical" ? parameter.choices.indexOf(value) : 0;
};

/** Trials with a result that is a number, and the worst of them for those that have failed. */
export function finished(
  trials: readonly Observation[],
): readonly (Observation & { readonly losses: readonly number[] })[] {
  const told = trials.filter(
    (trial): trial is Observation & { losses: readonly number[] } => trial.losses !== undefined,
  );
  const objectives = told[0]?.losses.length ?? 0;
  const worst = Array.from({ length: objectives }, (_, i) => {
    const finite = told.map(({ losses }) => losses[i] ?? NaN).filter(Number.isFinite);
    return finite.length === 0 ? 0 : Math.max(...finite);
  });
  return told.map((trial) => ({
    ...trial,
    losses: trial.losses.map((loss, i) => (Number.isFinite(loss) ? loss : (worst[i] ?? 0))),
  }));
}

/** By how much all constraints are violated. */
export const violation = ({ violations }: Observation): number =>
  violations.reduce((sum, by) => sum + (Number.isNaN(by) ? Infinity : Math.max(0, by)), 0);
