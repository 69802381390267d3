/** Where Torte departs on purpose from what was recorded: the table in packages/torte/test/fixtures/conformance/departures.json. */
import { readFileSync } from "node:fs";
import type { Case } from "./cases.js";

/** A case, what Torte gives instead, and why. */
export interface Departure {
  readonly source: string;
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The one backend that departs. Default: all do. */
  readonly backend?: string;
  /** Part of the message that the comparison gives, with the figure. */
  readonly figure: string;
  readonly reason: string;
}

const file = new URL("../../packages/torte/test/fixtures/conformance/departures.json", import.meta.url);
// The repository's own file; a test runs every case in it.
const departures = JSON.parse(readFileSync(file, "utf8")) as readonly Departure[];

export function departureOf(conformance: Case, backend: string): Departure | undefined {
  if (!("source" in conformance)) return undefined;
  const options = JSON.stringify(conformance.options);
  return departures.find(
    ({ source, name, options: others, backend: only = backend }) =>
      only === backend &&
      source === conformance.source &&
      name === conformance.name &&
      JSON.stringify(others) === options,
  );
}
