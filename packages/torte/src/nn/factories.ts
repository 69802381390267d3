/**
 * Functions with a name: activations, initializers, regularizers and constraints. An option takes them by name or as they
 * are; a file keeps those that a factory of the library has made, by the factory's name and argument.
 */
import { hintFor, OptionError, show } from "../errors.js";

/** Of an option that takes functions: what its names stand for. */
export type Factories<T> = Readonly<Record<string, (argument?: never) => T>>;

/** How a function was made. */
export interface Recipe {
  /** Name of its table and, after a dot, of its factory there. */
  readonly factory: string;
  readonly argument?: unknown;
}

/** What a function was made with, for listings. */
export interface Made {
  readonly name: string;
  /** As it was given. */
  readonly argument?: unknown;
  /** Every option by name, defaults included. */
  readonly settled: Readonly<Record<string, unknown>>;
}

const recipes = new WeakMap<object, Recipe & Pick<Made, "settled">>();

/** Remembers how the function was made, and with which options once the defaults are filled in. */
export function made<F extends object>(
  factory: string,
  value: F,
  argument?: unknown,
  settled: Made["settled"] = typeof argument === "object" && argument !== null ? { ...argument } : {},
): F {
  recipes.set(value, argument === undefined ? { factory, settled } : { factory, argument, settled });
  return value;
}

export function recipeOf(value: object): Recipe | undefined {
  const found = recipes.get(value);
  if (found === undefined) return undefined;
  const { factory, argument } = found;
  return argument === undefined ? { factory } : { factory, argument };
}

export function madeWith(value: object): Made | undefined {
  const found = recipes.get(value);
  if (found === undefined) return undefined;
  const { factory, ...made } = found;
  return { name: factory.slice(factory.indexOf(".") + 1), ...made };
}

/** The function that an option stands for. */
export function readNamed<T extends object>(where: string, name: string, option: unknown, factories: Factories<T>): T {
  // What a function of another kind does wrong shows where it is called.
  if (typeof option === "function") return option as unknown as T;
  const factory = typeof option === "string" && Object.hasOwn(factories, option) ? factories[option] : undefined;
  if (factory !== undefined) return factory();
  const known = Object.keys(factories);
  throw new OptionError({
    where,
    problem: `${name} is unknown`,
    expected: `a function or one of ${known.join(", ")}`,
    received: show(option),
    ...(typeof option === "string" ? hintFor(option, known) : {}),
  });
}
