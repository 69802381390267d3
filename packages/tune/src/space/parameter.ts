/** One hyperparameter of a space: what it may be, and where a value lies in it. */
import { OptionError, show } from "torte";

/** What a hyperparameter may be. */
export type Value = number | string | boolean;

/** Values by the names of their hyperparameters. */
export type Assignment = Readonly<Record<string, Value>>;

interface Named {
  readonly name: string;
  /** The present setting, which is tried first. */
  readonly default?: Value;
}

/** A hyperparameter that is a number between bounds. */
export interface FloatParameter extends Named {
  readonly kind: "float";
  readonly min: number;
  readonly max: number;
  /** The order of magnitude is what matters. */
  readonly log: boolean;
}

/** A hyperparameter that is an integer between bounds. */
export interface IntParameter extends Named {
  readonly kind: "int";
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly log: boolean;
}

interface Choices extends Named {
  readonly choices: readonly Value[];
}

/** A hyperparameter that is one of several choices without an order. */
export interface CategoricalParameter extends Choices {
  readonly kind: "categorical";
}

/** Choices that have an order. */
export interface OrderedParameter extends Choices {
  readonly kind: "ordered";
}

/** A hyperparameter that is on or off. */
export interface BooleanParameter extends Named {
  readonly kind: "boolean";
}

/** A hyperparameter of a search space. */
export type Parameter = FloatParameter | IntParameter | CategoricalParameter | OrderedParameter | BooleanParameter;

/** @throws OptionError for bounds or choices that leave nothing to choose. */
export function checkParameter(parameter: Parameter): void {
  const { name } = parameter;
  if (typeof name !== "string" || name === "")
    throw new OptionError({ where: "space", problem: "a hyperparameter has no name", received: show(name) });
  if (parameter.kind === "categorical" || parameter.kind === "ordered") checkChoices(parameter);
  else if (parameter.kind !== "boolean") checkRange(parameter);
  const { default: present } = parameter;
  if (present !== undefined && !contains(parameter, present))
    throw new OptionError({
      where: name,
      problem: "the default is not in the range",
      expected: rangeOf(parameter),
      received: show(present),
    });
}

function checkChoices({ name, choices }: CategoricalParameter | OrderedParameter): void {
  const wrong = (problem: string): never => {
    throw new OptionError({
      where: name,
      problem,
      expected: "a list of different numbers, texts, true or false, at least two",
      received: show(choices),
    });
  };
  if (!Array.isArray(choices) || choices.length < 2) return wrong("there is nothing to choose from");
  const plain = (choice: unknown): boolean =>
    typeof choice === "string" ||
    typeof choice === "boolean" ||
    (typeof choice === "number" && Number.isFinite(choice));
  if (!choices.every(plain)) wrong("a choice has the wrong type");
  if (new Set(choices).size < choices.length) wrong("a choice comes twice");
}

function checkRange(parameter: FloatParameter | IntParameter): void {
  const { name, kind, min, max, log } = parameter;
  const fits = kind === "int" ? Number.isSafeInteger : Number.isFinite;
  const wrong = (problem: string, expected: string): never => {
    throw new OptionError({ where: name, problem, expected, received: `${show(min)} to ${show(max)}` });
  };
  if (!fits(min) || !fits(max))
    wrong("the bounds have the wrong type", kind === "int" ? "two whole numbers" : "two finite numbers");
  if (!(min < max)) wrong("the range is empty", "a least value below the largest");
  if (log && min <= 0) wrong("a logarithmic range needs positive bounds", "a least value above 0");
  if (kind !== "int") return;
  if (!Number.isSafeInteger(parameter.step) || parameter.step < 1 || (max - min) % parameter.step !== 0)
    wrong("the step does not lead from one bound to the other", `a whole number that divides ${max - min}`);
  if (log && parameter.step !== 1) wrong("a logarithmic range has no step", "either log or step");
}

/** How many values there are; Infinity of a continuous one. */
export function levels(parameter: Parameter): number {
  if (parameter.kind === "float") return Infinity;
  if (parameter.kind === "boolean") return 2;
  if (parameter.kind === "int") return (parameter.max - parameter.min) / parameter.step + 1;
  return parameter.choices.length;
}

/** Whether values lie beside each other: not those of categories. Of two values there is no order to speak of. */
export const isNumeric = (parameter: Parameter): boolean =>
  parameter.kind !== "categorical" && parameter.kind !== "boolean";

/** The value at a level, from 0. */
export function valueAt(parameter: Exclude<Parameter, FloatParameter>, level: number): Value {
  if (parameter.kind === "boolean") return level === 1;
  if (parameter.kind === "int") return parameter.min + level * parameter.step;
  const choice = parameter.choices[level];
  if (choice === undefined) throw new RangeError(`${parameter.name} has no level ${level}`);
  return choice;
}

/** The level of a value; negative for what is none. */
export function levelOf(parameter: Exclude<Parameter, FloatParameter>, value: Value): number {
  if (parameter.kind === "boolean") return typeof value === "boolean" ? Number(value) : -1;
  if (parameter.kind !== "int") return parameter.choices.indexOf(value);
  const level = typeof value === "number" ? (value - parameter.min) / parameter.step : -1;
  return Number.isInteger(level) && level < levels(parameter) ? level : -1;
}

export function contains(parameter: Parameter, value: Value): boolean {
  if (parameter.kind === "float") return typeof value === "number" && value >= parameter.min && value <= parameter.max;
  return levelOf(parameter, value) >= 0;
}

/**
 * Where the cell of a level ends on the unit interval, which the levels fill: equal cells, or of a logarithmic range cells
 * between the logarithms of the halves.
 */
export function upperEdge(parameter: Exclude<Parameter, FloatParameter>, level: number): number {
  const count = levels(parameter);
  if (parameter.kind !== "int" || !parameter.log) return (level + 1) / count;
  const [low, high] = [Math.log(parameter.min - 0.5), Math.log(parameter.max + 0.5)];
  return (Math.log(parameter.min + level + 0.5) - low) / (high - low);
}

/** Where a value lies on the unit interval: of levels the middle of their cell. */
export function toUnit(parameter: Parameter, value: Value): number {
  if (parameter.kind !== "float") {
    const level = Math.max(0, levelOf(parameter, value));
    return (upperEdge(parameter, level - 1) + upperEdge(parameter, level)) / 2;
  }
  const { min, max, log } = parameter;
  const at = Number(value);
  return log ? (Math.log(at) - Math.log(min)) / (Math.log(max) - Math.log(min)) : (at - min) / (max - min);
}

/** The level whose cell has the point of the unit interval. */
export function levelAt(parameter: Exclude<Parameter, FloatParameter>, unit: number): number {
  const last = levels(parameter) - 1;
  if (parameter.kind !== "int" || !parameter.log) return Math.min(last, Math.max(0, Math.floor(unit * (last + 1))));
  const [low, high] = [Math.log(parameter.min - 0.5), Math.log(parameter.max + 0.5)];
  const at = Math.round(Math.exp(low + unit * (high - low)) - parameter.min);
  return Math.min(last, Math.max(0, at));
}

/** The value that a point of the unit interval stands for. */
export function fromUnit(parameter: Parameter, unit: number): Value {
  if (parameter.kind !== "float") return valueAt(parameter, levelAt(parameter, unit));
  const { min, max, log } = parameter;
  if (unit <= 0 || unit >= 1) return unit <= 0 ? min : max; // the ends themselves, not their logarithms' exponentials
  const value = log ? Math.exp(Math.log(min) + unit * (Math.log(max) - Math.log(min))) : min + unit * (max - min);
  return Math.min(max, Math.max(min, value));
}

/** What it may be, in words. */
export function rangeOf(parameter: Parameter): string {
  if (parameter.kind === "boolean") return "true or false";
  if (parameter.kind === "categorical" || parameter.kind === "ordered")
    return parameter.choices.map((choice) => show(choice)).join(parameter.kind === "ordered" ? " < " : ", ");
  const { min, max, log } = parameter;
  const step = parameter.kind === "int" && parameter.step > 1 ? ` by ${parameter.step}` : "";
  return `${min} to ${max}${log ? ", logarithmic" : ""}${step}`;
}

/** Whether two definitions leave the same to choose. */
export const sameParameter = (a: Parameter, b: Parameter): boolean => describe(a) === describe(b);

const describe = (parameter: Parameter): string => `${parameter.kind} ${rangeOf(parameter)}`;
