/** What a function that defines a space is given: each call names a hyperparameter and gives its value. */
import { checkOptions, OptionError, show } from "torte";
import { checkParameter, contains, type Parameter, rangeOf, sameParameter, type Value } from "./parameter.js";

/** Options of a hyperparameter with bounds. */
export interface RangeOptions {
  /** The order of magnitude is what matters: 0.001 to 0.01 is as far as 0.01 to 0.1. Default false. */
  readonly log?: boolean;
  /** The present setting; a study tries it first. Default: none. */
  readonly default?: number;
}

/** Options of an integer hyperparameter. */
export interface IntOptions extends RangeOptions {
  /** Distance of neighbours; with `log` it is 1. Default 1. */
  readonly step?: number;
}

/** The setting that a hyperparameter has now. */
export interface DefaultOption<T> {
  /** The present setting; a study tries it first. Default: none. */
  readonly default?: T;
}

/** Hyperparameters of one run of the function; a name that is asked for again gives the same value. */
export interface Hyper {
  /** A real number from `min` to `max`, both included. */
  float(name: string, min: number, max: number, options?: RangeOptions): number;
  /** A whole number from `min` to `max`, both included. */
  int(name: string, min: number, max: number, options?: IntOptions): number;
  /** One of several values that have no order. */
  categorical<const T extends Value>(name: string, choices: readonly T[], options?: DefaultOption<T>): T;
  /** One of several values that have an order, such as batch sizes. */
  ordered<const T extends Value>(name: string, choices: readonly T[], options?: DefaultOption<T>): T;
  boolean(name: string, options?: DefaultOption<boolean>): boolean;
}

/** Answers each definition with a value, and remembers both. */
export class Recorder implements Hyper {
  /** In the order in which they were asked for. */
  readonly parameters = new Map<string, Parameter>();
  readonly values: Record<string, Value> = {};
  readonly #choose: (parameter: Parameter) => Value;

  constructor(choose: (parameter: Parameter) => Value) {
    this.#choose = choose;
  }

  float(name: string, min: number, max: number, options: RangeOptions = {}): number {
    checkOptions(name, options, ["log", "default"]);
    return this.#number({ kind: "float", name, min, max, log: options.log ?? false, ...present(options) });
  }

  int(name: string, min: number, max: number, options: IntOptions = {}): number {
    checkOptions(name, options, ["log", "step", "default"]);
    const { log = false, step = 1 } = options;
    return this.#number({ kind: "int", name, min, max, step, log, ...present(options) });
  }

  categorical<const T extends Value>(name: string, choices: readonly T[], options: DefaultOption<T> = {}): T {
    return this.#choice("categorical", name, choices, options);
  }

  ordered<const T extends Value>(name: string, choices: readonly T[], options: DefaultOption<T> = {}): T {
    return this.#choice("ordered", name, choices, options);
  }

  boolean(name: string, options: DefaultOption<boolean> = {}): boolean {
    checkOptions(name, options, ["default"]);
    return this.#ask({ kind: "boolean", name, ...present(options) }) === true;
  }

  #number(parameter: Parameter): number {
    return Number(this.#ask(parameter));
  }

  #choice<T extends Value>(
    kind: "categorical" | "ordered",
    name: string,
    choices: readonly T[],
    options: DefaultOption<T>,
  ): T {
    checkOptions(name, options, ["default"]);
    // What is chosen is one of the choices.
    return this.#ask({
      kind,
      name,
      choices,
      ...present(options),
    }) as T;
  }

  #ask(parameter: Parameter): Value {
    const known = this.parameters.get(parameter.name);
    if (known !== undefined && !sameParameter(known, parameter)) throw contradiction(known, parameter);
    const held = this.values[parameter.name];
    if (known !== undefined && held !== undefined) return held;
    checkParameter(parameter);
    const value = this.#choose(parameter);
    if (!contains(parameter, value))
      throw new SpaceError({
        where: parameter.name,
        problem: "the value is not in the range",
        expected: rangeOf(parameter),
        received: show(value),
      });
    this.parameters.set(parameter.name, parameter);
    this.values[parameter.name] = value;
    return value;
  }
}

const present = (options: DefaultOption<Value>): { readonly default?: Value } =>
  options.default === undefined ? {} : { default: options.default };

/** The space or a searcher is wrong, not what a setting makes. */
export class SpaceError extends OptionError {}

export function contradiction(known: Parameter, other: Parameter): OptionError {
  return new SpaceError({
    where: known.name,
    problem: "two hyperparameters have the same name",
    expected: `${known.kind}, ${rangeOf(known)}`,
    received: `${other.kind}, ${rangeOf(other)}`,
    fix: "Give each a name of its own.",
  });
}
