/** What data of unknown origin must look like: small checks, put together, that name the place of what is wrong. */
import { DataError, printable, show } from "../errors.js";

export interface Fault {
  /** Such as `layers[3].options`. */
  readonly path: string;
  readonly expected: string;
  readonly received: unknown;
}

/** The first fault of a value, if it has one. */
export type Check = (value: unknown, path: string) => Fault | undefined;

/** @throws DataError that names the place of the first fault. */
export function checkSchema(value: unknown, check: Check, where: string, problem: string): void {
  const fault = check(value, "");
  if (fault === undefined) return;
  const { path, expected, received } = fault;
  throw new DataError({
    where,
    problem: path === "" ? problem : `${problem} at ${path}`,
    expected,
    received: received === undefined ? "nothing" : show(received),
  });
}

const when = (fits: boolean, expected: string, path: string, received: unknown): Fault | undefined =>
  fits ? undefined : { path, expected, received };

/** Whether a value is a plain object. */
export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A whole number. */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): Check {
  const expected =
    most === Number.MAX_SAFE_INTEGER
      ? `a whole number of at least ${least}`
      : `a whole number from ${least} to ${most}`;
  return (value, path) =>
    when(Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most, expected, path, value);
}

export const truth: Check = (value, path) => when(typeof value === "boolean", "true or false", path, value);

export const text: Check = (value, path) => when(typeof value === "string", "a text", path, value);

/** A name as people see it: neither empty nor endless, and nothing in it that a terminal obeys. */
export const label: Check = (value, path) =>
  when(
    typeof value === "string" &&
      value.length > 0 &&
      value.length <= 1000 &&
      printable(value) === value &&
      !value.includes("\n"),
    "a name of 1 to 1000 letters on one line",
    path,
    value,
  );

export const among =
  (...allowed: readonly unknown[]): Check =>
  (value, path) =>
    when(allowed.includes(value), allowed.map(show).join(" or "), path, value);

export const nullOr =
  (check: Check): Check =>
  (value, path) =>
    value === null ? undefined : check(value, path);

export function list(check: Check, least = 0): Check {
  return (value, path) => {
    if (!Array.isArray(value) || value.length < least)
      return { path, expected: least === 0 ? "a list" : `a list of at least ${least}`, received: value };
    for (const [i, item] of value.entries()) {
      const fault = check(item, `${path}[${i}]`);
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

const below = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

/** Values by names of any kind. */
export function record(check: Check): Check {
  return (value, path) => {
    if (!isRecord(value)) return { path, expected: "an object", received: value };
    for (const [name, item] of Object.entries(value)) {
      const fault = check(item, below(path, name));
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}

/** An object with these fields; `more` says whether it may have others. */
export function fields(
  required: Readonly<Record<string, Check>>,
  {
    optional = {},
    more = false,
  }: { readonly optional?: Readonly<Record<string, Check>>; readonly more?: boolean } = {},
): Check {
  const known = { ...required, ...optional };
  return (value, path) => {
    if (!isRecord(value))
      return { path, expected: `an object with ${Object.keys(required).join(", ")}`, received: value };
    const strange = more ? undefined : Object.keys(value).find((name) => !Object.hasOwn(known, name));
    if (strange !== undefined)
      return {
        path: below(path, strange),
        expected: `only ${Object.keys(known).join(", ")}`,
        received: value[strange],
      };
    for (const [name, check] of Object.entries(known)) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      if (given === undefined && Object.hasOwn(optional, name)) continue;
      const fault = check(given, below(path, name));
      if (fault !== undefined) return fault;
    }
    return undefined;
  };
}
