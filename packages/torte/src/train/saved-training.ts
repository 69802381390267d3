/** What a model's file keeps of its training: what compile chose, the optimizer's arrays, how far it has come. */
import { parseJson } from "../data/json.js";
import { among, type Check, checkSchema, fields, isRecord, list, nullOr, record, text, whole } from "../data/schema.js";
import { DataError, show } from "../errors.js";
import type { Tensor } from "../tensor/tensor.js";
import type { Logs } from "./callbacks.js";
import { type CompileDescription, describeCompile } from "./compile-description.js";
import { exactJson, exactly, type Json } from "./json.js";
import type { CompileOptions } from "./objective.js";
import { TRAINING } from "./saving.js";

/** Arrays of training by their names. */
export type SavedStates = Readonly<Record<string, Tensor>>;

export interface SavedTraining {
  /** What compile was given; null where a function of the user's own is among it. */
  readonly compile: CompileDescription | null;
  /** What the file does not have, in words. */
  readonly leftOut: readonly string[];
  /** Epochs that have begun, and their figures. */
  readonly epochs: number;
  readonly history: readonly Logs[];
  /** Empty before the first step. */
  readonly states: SavedStates;
}

/** As `describeCompile`, with what cannot be written left out by name. */
export function describeWhole(options: CompileOptions): Pick<SavedTraining, "compile" | "leftOut"> {
  const leftOut: string[] = [];
  const described = describeCompile(options, (where, what) => {
    leftOut.push(`${where}: ${what}`);
    return null;
  });
  return { compile: leftOut.length > 0 ? null : described, leftOut };
}

/** Header and tensors; these have names that none of the weights has. */
export function trainingParts(
  { states, history, ...told }: SavedTraining,
  weights: Readonly<Record<string, Tensor>>,
): { readonly metadata: Readonly<Record<string, string>>; readonly tensors: SavedStates } {
  let prefix = "training:";
  while (Object.keys(weights).some((name) => name.startsWith(prefix))) prefix += ":";
  const names = Object.fromEntries(Object.keys(states).map((name) => [name, `${prefix}${name}`]));
  const facts = { version: 1, ...told, history: exactJson(history), states: names };
  return {
    metadata: { [TRAINING]: JSON.stringify(facts) },
    tensors: Object.fromEntries(Object.entries(states).map(([name, value]) => [`${prefix}${name}`, value])),
  };
}

const number: Check = (value, path) =>
  typeof value === "number" ? undefined : { path, expected: "a number", received: value };
const anything: Check = () => undefined;
const COMPILE = fields(
  { optimizer: anything, loss: anything, lossWeights: anything, metrics: anything },
  { optional: { exactConvolutions: among(true) } },
);
const SCHEMA = fields(
  {
    compile: nullOr(COMPILE),
    leftOut: list(text),
    epochs: whole(0, 2 ** 31 - 1),
    history: list(record(number)),
    states: record(text),
  },
  { more: true },
);

/**
 * A file's weights, and apart from them what it keeps of training; undefined where it keeps nothing.
 *
 * @throws DataError where that cannot be read.
 */
export function takeApart(
  tensors: Readonly<Record<string, Tensor>>,
  metadata: Readonly<Record<string, string>>,
  where: string,
  wanted: boolean,
): { readonly weights: Readonly<Record<string, Tensor>>; readonly training: SavedTraining | undefined } {
  const json = Object.hasOwn(metadata, TRAINING) ? metadata[TRAINING] : undefined;
  if (json === undefined) return { weights: tensors, training: undefined };
  const value = parseJson(json, `${where}: training`);
  const { version, ...facts } = isRecord(value) ? value : {};
  const keys = isRecord(facts["states"]) ? Object.values(facts["states"]) : [];
  const apart = new Set<unknown>(keys);
  const weights = Object.fromEntries(Object.entries(tensors).filter(([name]) => !apart.has(name)));
  if (!wanted) return { weights, training: undefined };
  if (version !== 1) {
    throw new DataError({
      where,
      problem: "what the file has of training is of an unknown version",
      expected: "version 1",
      received: show(version),
      fix: "Read it with the version of torte that wrote it, or a later one, or give { training: false }.",
    });
  }
  const told = { ...facts, history: exactly((facts["history"] ?? null) as Json) };
  checkSchema(told, SCHEMA, where, "what the file has of training is corrupt");
  const training = told as unknown as Omit<SavedTraining, "states"> & { states: Readonly<Record<string, string>> };
  const states = Object.entries(training.states).map(([name, key]) => {
    const tensor = Object.hasOwn(tensors, key) ? tensors[key] : undefined;
    if (tensor !== undefined) return [name, tensor] as const;
    throw new DataError({ where, problem: `an array of training is missing: ${JSON.stringify(name)}` });
  });
  return { weights, training: { ...training, states: Object.fromEntries(states) } };
}
