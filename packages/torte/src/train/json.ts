/** What callbacks keep of themselves for a run that goes on later: plain JSON. */
import { DataError, show } from "../errors.js";

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
