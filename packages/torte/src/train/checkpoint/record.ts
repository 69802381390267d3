/** What a checkpoint tells of a run besides its arrays: how far it has come, and what it is a run of. */
import { parseJson } from "../../data/json.js";
import {
  among,
  type Check,
  checkSchema,
  fields,
  isRecord,
  list,
  nullOr,
  record,
  text,
  truth,
  whole,
} from "../../data/schema.js";
import { DataError, show } from "../../errors.js";
import { VERSION } from "../../version.js";
import type { Logs } from "../callbacks.js";
import { exactJson, exactly, type Json } from "../json.js";

/** Where in a run: the next step, from 0, of an epoch. */
export interface Place {
  readonly epoch: number;
  readonly step: number;
}

/** What is kept of a callback, under what kind it is of. */
export interface CallbackState {
  readonly kind: string;
  readonly state: Json;
}

export interface RunState {
  readonly place: Place;
  /** The pass over the data that the run began with. */
  readonly firstPass: number;
  /** Whether the weights are those that the model shows, or those that training goes on with. */
  readonly inPlace: "shown" | "raw";
  /** A callback has ended the run. */
  readonly stopped: boolean;
  readonly history: readonly Logs[];
  /** Figures of the model's fits before. */
  readonly earlier: readonly Logs[];
  /** The epoch whose weights have been kept. */
  readonly kept: number | null;
  readonly callbacks: readonly CallbackState[];
  /** What the metrics of the epoch under way have collected: that many arrays. */
  readonly collected: number;
}

/** What a run is a run of; it can only go on where all of it is the same. */
export type Identity = Readonly<Record<string, Json>>;

export interface RunRecord {
  readonly state: RunState;
  readonly identity: Identity;
}

/** Where the header of the file keeps it. */
const KEY = "torte-checkpoint";

export function recordMetadata({ state, identity }: RunRecord): Record<string, string> {
  // The interfaces have nothing that JSON does not.
  const exact = exactJson(state as unknown as Json);
  return { [KEY]: JSON.stringify({ format: KEY, version: 1, torte: VERSION, state: exact, identity }) };
}

const number: Check = (value, path) =>
  typeof value === "number" ? undefined : { path, expected: "a number", received: value };
const anything: Check = () => undefined;
const MOST = 2 ** 31 - 1;
const STATE = fields(
  {
    place: fields({ epoch: whole(0, MOST), step: whole(0, MOST) }),
    firstPass: whole(0, MOST),
    inPlace: among("shown", "raw"),
    stopped: truth,
    history: list(record(number)),
    earlier: list(record(number)),
    kept: nullOr(whole(0)),
    callbacks: list(fields({ kind: text, state: anything })),
    collected: whole(0, 100_000),
  },
  { more: true },
);

/** @throws DataError where the header has no record of a run that can be read. */
export function readRecord(metadata: Readonly<Record<string, string>>, where: string): RunRecord {
  const json = Object.hasOwn(metadata, KEY) ? metadata[KEY] : undefined;
  if (json === undefined) {
    const expected = "a file that fit({ checkpoint }) has written";
    throw new DataError({ where, problem: "the file is no checkpoint", expected });
  }
  const value = parseJson(json, `${where}: record`);
  const { format, version, state, identity } = isRecord(value) ? value : {};
  if (format !== KEY || version !== 1 || !isRecord(identity)) {
    throw new DataError({
      where,
      problem: "the record is corrupt, or of an unknown version",
      expected: "version 1",
      received: show(version),
      fix: "Resume with the version of torte that wrote it, or a later one.",
    });
  }
  const exact = exactly((state ?? null) as Json);
  checkSchema(exact, STATE, where, "the record is corrupt");
  return { state: exact as unknown as RunState, identity: identity as Identity };
}
