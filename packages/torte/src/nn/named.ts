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

const recipes = new WeakMap<object, Recipe>();

/** Remembers how the function was made. */
export function made<F extends object>(factory: string, value: F, argument?: unknown): F {
  recipes.set(value, argument === undefined ? { factory } : { factory, argument });
  return value;
}

export const recipeOf = (value: object): Recipe | undefined => recipes.get(value);

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
