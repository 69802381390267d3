/** A space of hyperparameters, found by running the function that defines it. */
import { OptionError, show } from "torte";
import { explore, type Found } from "./explore.js";
import { type Hyper, Recorder, SpaceError } from "./hyper.js";
import { type Assignment, type Parameter, rangeOf, type Value } from "./parameter.js";

/** Continuous hyperparameters count as many values where combinations are counted. */
const CONTINUOUS_VALUES = 100;

/** How large a search space is. */
export interface Size {
  /** How many combinations there are, a continuous hyperparameter counted with 100 values. */
  readonly combinations: number;
  /** Nothing is continuous: the number is exact, unless conditions depend on each other. */
  readonly finite: boolean;
}

/** What a run of the function has asked for, and what it has made. */
export type Resolved<T> =
  | { readonly values: Assignment; readonly made: T }
  /** The function has thrown; the values are those that it had asked for. */
  | { readonly values: Assignment; readonly error: unknown };

/**
 * All settings that a function can ask for. The function is run with every choice in turn, to learn which hyperparameters
 * there are only under a condition; it must have no effects beside its result.
 */
export class Space<T = unknown> {
  readonly #define: (h: Hyper) => T;
  readonly #found: Found;

  constructor(define: (h: Hyper) => T) {
    this.#define = define;
    this.#found = explore(define);
    if (this.#found.parameters.length === 0)
      throw new OptionError({
        where: "space",
        problem: "the space is empty",
        expected: "a function that asks for hyperparameters",
        fix: 'Write space((h) => ({ rate: h.float("rate", 0.05, 0.35) })).',
      });
  }

  /** In the order in which they are asked for; those that depend on a condition where they were met first. */
  get parameters(): readonly Parameter[] {
    return this.#found.parameters;
  }

  /** Names of the hyperparameters that not every setting has. */
  get conditional(): ReadonlySet<string> {
    return this.#found.conditional;
  }

  get size(): Size {
    const finite = this.parameters.every(({ kind }) => kind !== "float");
    return { combinations: this.#found.count(CONTINUOUS_VALUES), finite };
  }

  /** Defaults, and what has none at the middle of its range. */
  get base(): Assignment {
    return this.#found.base;
  }

  /** The present setting, where a default says that there is one. */
  get present(): Assignment | undefined {
    return this.parameters.some((parameter) => parameter.default !== undefined) ? this.base : undefined;
  }

  /**
   * Runs the function. What it asks for and `proposed` does not have, is drawn; what it does not ask for, falls away.
   *
   * @throws OptionError for a proposed value that is not in the range.
   */
  resolve(proposed: Assignment, draw: (parameter: Parameter) => Value): Resolved<T> {
    const recorder = new Recorder((parameter) => proposed[parameter.name] ?? draw(parameter));
    try {
      const made = this.#define(recorder);
      return { values: { ...recorder.values }, made };
    } catch (error) {
      if (error instanceof SpaceError) throw error;
      return { values: { ...recorder.values }, error };
    }
  }

  /**
   * What the function makes of a setting.
   *
   * @throws OptionError for a hyperparameter that is missing, or that the function does not ask for.
   */
  build(values: Assignment): T {
    const resolved = this.resolve(values, ({ name }) => {
      throw new SpaceError({ where: name, problem: "the setting has no value for it", received: show(values) });
    });
    if ("error" in resolved) throw resolved.error;
    const { values: asked, made } = resolved;
    const strange = Object.keys(values).find((name) => !Object.hasOwn(asked, name));
    if (strange === undefined) return made;
    throw new OptionError({
      where: strange,
      problem: "no such hyperparameter is asked for",
      expected: Object.keys(asked).join(", "),
    });
  }

  /** The hyperparameters and the size, as a table. */
  toString(): string {
    const rows = this.parameters.map((parameter) => [
      `${this.conditional.has(parameter.name) ? "? " : "  "}${parameter.name}`,
      parameter.kind,
      rangeOf(parameter),
    ]);
    const widths = [0, 1].map((i) => Math.max(...rows.map((row) => (row[i] ?? "").length)) + 2);
    const lines = rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(""));
    const conditions = this.conditional.size > 0 ? ["? under a condition"] : [];
    return [...lines, ...conditions, sizeText(this.size)].join("\n");
  }

  /** For records: the space of a resumed study must be the same. */
  toJSON(): readonly Parameter[] {
    return this.parameters;
  }
}

const SCALES = [
  [1e15, ""],
  [1e12, " trillion"],
  [1e9, " billion"],
  [1e6, " million"],
  [0, ""],
] as const;

/** "3.1 billion combinations (a continuous hyperparameter counts 100)". */
export function sizeText({ combinations, finite }: Size): string {
  const [unit, name] = SCALES.find(([least]) => combinations >= least) ?? [0, ""];
  const shown =
    combinations >= 1e15
      ? combinations.toExponential(1)
      : unit === 0
        ? combinations.toLocaleString("en")
        : `${(combinations / unit).toFixed(1)}${name}`;
  return `${shown} combinations${finite ? "" : ` (a continuous hyperparameter counts ${CONTINUOUS_VALUES})`}`;
}

/**
 * A space of hyperparameters, defined by a function that asks for them; what it returns is what a setting makes.
 *
 * @throws OptionError for a space with nothing to choose, and for ranges and names that contradict each other.
 * @example
 * import { space } from "@torte/tune";
 * const settings = space((h) => {
 *   const optimizer = h.categorical("optimizer", ["sgd", "adam"]);
 *   const momentum = optimizer === "sgd" ? h.float("momentum", 0, 0.99) : undefined;
 *   return { optimizer, momentum, units: h.int("units", 32, 512, { log: true }) };
 * });
 * console.log(settings.parameters.map(({ name }) => name)); // [ 'optimizer', 'momentum', 'units' ]
 * console.log([...settings.conditional], settings.size.combinations); // [ 'momentum' ] 48581
 * console.log(settings.build({ optimizer: "adam", units: 64 })); // { optimizer: 'adam', momentum: undefined, units: 64 }
 */
export const space = <T>(define: (h: Hyper) => T): Space<T> => new Space(define);
