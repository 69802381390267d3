/** Plain JSON: what callbacks keep of themselves for a run that goes on later, and what goes into files beside a model. */
import { DataError, OptionError, show } from "../errors.js";

/** A value of JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Kinds of fields: "number?" may be null. */
type Kind = "number" | "number?" | "boolean";

interface Values {
  readonly number: number;
  readonly "number?": number | undefined;
  readonly boolean: boolean;
}

/** The fields of a state. @throws DataError where one is missing, or of another kind. */
export function readState<Fields extends Readonly<Record<string, Kind>>>(
  where: string,
  state: Json,
  fields: Fields,
): { [Name in keyof Fields]: Values[Fields[Name]] } {
  const given: Readonly<Record<string, unknown>> = typeof state === "object" && state !== null ? { ...state } : {};
  const entries = Object.entries(fields).map(([name, kind]) => {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    if (kind === "number?" && value === null) return [name, undefined];
    if (kind === "boolean" ? typeof value === "boolean" : Number.isFinite(value)) return [name, value];
    const expected = `${name}: ${kind === "boolean" ? "true or false" : "a finite number"}`;
    throw new DataError({ where, problem: "the state does not fit", expected, received: show(state) });
  });
  return Object.fromEntries(entries) as { [Name in keyof Fields]: Values[Fields[Name]] };
}

/** As deep as files are read. */
const DEEPEST = 32;

/**
 * A copy of what JSON can hold. Values with `toJSON` are what that gives; entries of objects that are undefined are left out.
 *
 * @throws OptionError that names the place of what JSON cannot hold.
 */
export function plainJson(where: string, value: unknown, place = "", depth = 0): Json {
  const wrong = (problem: string): never => {
    const expected = "numbers that are finite, texts, true, false, null, lists and objects of them";
    throw new OptionError({ where, problem: `${place} ${problem}`.trim(), expected, received: show(value) });
  };
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : wrong("is no number that JSON has");
  if (typeof value !== "object") return wrong("is nothing that JSON has");
  if (depth > DEEPEST) return wrong(`is nested more than ${DEEPEST} deep, or in itself`);
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === "function") return plainJson(where, toJSON.call(value), place, depth + 1);
  if (Array.isArray(value)) return value.map((item: unknown, i) => plainJson(where, item, `${place}[${i}]`, depth + 1));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return wrong("is nothing that JSON has");
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return Object.fromEntries(
    entries.map(([name, item]) => [name, plainJson(where, item, place === "" ? name : `${place}.${name}`, depth + 1)]),
  );
}

/** Numbers that JSON does not have, by their names. */
const UNUSUAL: ReadonlyMap<string, number> = new Map([
  ["NaN", NaN],
  ["Infinity", Infinity],
  ["-Infinity", -Infinity],
  ["-0", -0],
]);
const NUMBER = "$number";

/** JSON from which `exactly` makes the same value, to the bit of each number. */
export function exactJson(value: Json): Json {
  if (typeof value === "number") {
    const name = Object.is(value, -0) ? "-0" : String(value);
    return UNUSUAL.has(name) ? { [NUMBER]: name } : value;
  }
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) return value.map(exactJson);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, exactJson(item)]));
}

export function exactly(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (isList(value)) return value.map(exactly);
  const name = Object.hasOwn(value, NUMBER) ? value[NUMBER] : undefined;
  const unusual = typeof name === "string" ? UNUSUAL.get(name) : undefined;
  if (unusual !== undefined) return unusual;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, exactly(item)]));
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value);
