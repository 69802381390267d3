/** Models in files: the description of the layers in the header, the weights behind it. */
import { parseJson } from "../data/json.js";
import { checkSchema, fields, isRecord, text, truth, whole } from "../data/schema.js";
import { DataError, OptionError, printable, show } from "../errors.js";
import type { GraphDescription } from "../nn/serialize/description.js";
import type { Weight } from "../nn/layer.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import type { Tensor } from "../tensor/tensor.js";
import { type Json, plainJson } from "./json.js";

/** A model's file as plain JSON. */
export interface ModelDescription extends GraphDescription {
  readonly format: "torte-model";
  readonly version: 1;
  readonly name: string;
  readonly seed: number;
  /** Whether predict gives a list. */
  readonly listed: boolean;
  readonly parameters: number;
}

/** Where the header of the file keeps the description. */
const KEY = "torte-model";
/** What else goes with the model. */
const EXTRAS = "torte-extras";
/** What training needs to go on. */
export const TRAINING = "torte-training";

export const modelMetadata = (
  description: ModelDescription,
  extras: Readonly<Record<string, unknown>>,
): Record<string, string> => ({
  [KEY]: JSON.stringify(description),
  ...(Object.keys(extras).length === 0 ? {} : { [EXTRAS]: JSON.stringify(plainJson("save", extras, "extras")) }),
});

/** What a file keeps beside a model, by names: encoders, labels, whatever JSON can hold. */
export type Extras = Readonly<Record<string, Json>>;

/** @throws DataError where the header has something else under this name. */
export function readExtras(metadata: Readonly<Record<string, string>>, where: string): Extras {
  const json = Object.hasOwn(metadata, EXTRAS) ? metadata[EXTRAS] : undefined;
  if (json === undefined) return {};
  const extras = parseJson(json, `${where}: extras`);
  if (isRecord(extras)) return extras as Extras;
  throw new DataError({ where, problem: "the extras are corrupt", expected: "an object", received: show(extras) });
}

/** @throws OptionError for a text under a name that `model.save` uses itself. */
export function checkMetadata(where: string, metadata: Readonly<Record<string, string>>): void {
  const own = Object.keys(metadata).find((name) => [KEY, EXTRAS, TRAINING].includes(name));
  if (own === undefined) return;
  const fix = "Give it another name.";
  throw new OptionError({ where, problem: `metadata ${JSON.stringify(own)} is a name of the library's own`, fix });
}

/** @throws DataError where the header has no description that can be read. */
export function readDescription(metadata: Readonly<Record<string, string>>, where: string): ModelDescription {
  const json = Object.hasOwn(metadata, KEY) ? metadata[KEY] : undefined;
  if (json === undefined) {
    throw new DataError({
      where,
      problem: "the file has weights, but no model",
      expected: "a file that model.save has made",
      fix: "Build the model and give it the file with model.loadWeights.",
    });
  }
  const description = parseJson(json, `${where}: description`);
  const { format, version } = isRecord(description) ? description : {};
  if (format !== "torte-model" || version !== 1) {
    throw new DataError({
      where,
      problem: "the description is of an unknown version",
      expected: "version 1",
      received: show(version),
      fix: "Read it with the version of torte that wrote it, or a later one.",
    });
  }
  checkSchema(description, MODEL, where, "the description is corrupt");
  const model = description as ModelDescription;
  return { ...model, name: printable(model.name) };
}

/** Of the model itself; networkOf checks its layers. Later versions of the library may add fields beside these. */
const MODEL = fields({ name: text, seed: whole(0, 0xffffffff), listed: truth, parameters: whole(0) }, { more: true });

/** What became of the weights of a file. */
export interface WeightReport {
  /** Set from the file. */
  readonly loaded: readonly string[];
  /** Of the model, but not in the file. */
  readonly missing: readonly string[];
  /** In the file, but not of the model. */
  readonly unexpected: readonly string[];
  /** In both, with different shapes. */
  readonly mismatched: readonly {
    readonly name: string;
    readonly expected: readonly number[];
    readonly received: readonly number[];
  }[];
}

/** The weights of a file beside those of a network, without touching either. */
export function compareWeights(
  weights: ReadonlyMap<string, Weight>,
  tensors: Readonly<Record<string, Tensor>>,
): WeightReport {
  const [loaded, missing, mismatched]: [string[], string[], WeightReport["mismatched"][number][]] = [[], [], []];
  for (const [name, { state }] of weights) {
    const given = Object.hasOwn(tensors, name) ? tensors[name] : undefined;
    if (given === undefined) missing.push(name);
    else if (sameShape(state.shape, given.shape)) loaded.push(name);
    else mismatched.push({ name, expected: state.shape, received: given.shape });
  }
  return { loaded, missing, unexpected: Object.keys(tensors).filter((name) => !weights.has(name)), mismatched };
}

/** @throws DataError where the file does not have exactly the weights of the network. */
export function requireAll(
  { missing, unexpected, mismatched }: WeightReport,
  tensors: Readonly<Record<string, Tensor>>,
  where: string,
  fix = "",
): void {
  const [first] = mismatched;
  if (first !== undefined) {
    throw new DataError({
      where: first.name,
      problem: "the weight has another shape",
      expected: formatShape(first.expected),
      received: formatShape(first.received),
      ...(fix === "" ? {} : { fix }),
    });
  }
  if (missing.length > 0) {
    throw new DataError({
      where,
      problem: "weights of the model are missing",
      expected: missing.join(", "),
      received: Object.keys(tensors).join(", ") || "none",
      ...(fix === "" ? {} : { fix }),
    });
  }
  if (unexpected.length === 0) return;
  throw new DataError({
    where,
    problem: "the file has weights that the model does not have",
    received: unexpected.join(", "),
    ...(fix === "" ? {} : { fix }),
  });
}

/** What is set from a file: of the weights that fit, the values, which float32 must hold. */
export function fitting(
  { loaded }: WeightReport,
  tensors: Readonly<Record<string, Tensor>>,
): Readonly<Record<string, Tensor>> {
  const chosen = loaded.flatMap((name) => {
    const tensor = tensors[name];
    return tensor === undefined ? [] : [[name, tensor] as const];
  });
  for (const [name, { data, dtype }] of chosen) {
    if (dtype !== "float64") continue;
    const bad = data.findIndex((value) => Number.isFinite(value) && !Number.isFinite(Math.fround(value)));
    if (bad < 0) continue;
    throw new DataError({
      where: name,
      problem: `element ${bad} is too large for float32`,
      expected: "-3.4e38 to 3.4e38",
      received: String(data[bad]),
    });
  }
  return Object.fromEntries(chosen);
}
