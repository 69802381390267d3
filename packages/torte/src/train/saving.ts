/** Models in files: the description of the layers in the header, the weights behind it. */
import { DataError } from "../errors.js";
import type { GraphDescription } from "../nn/description.js";

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

export const modelMetadata = (description: ModelDescription): Record<string, string> => ({
  [KEY]: JSON.stringify(description),
});

/** @throws DataError where the header has no description that can be read. */
export function readDescription(metadata: Readonly<Record<string, string>>, where: string): ModelDescription {
  const text = Object.hasOwn(metadata, KEY) ? metadata[KEY] : undefined;
  if (typeof text !== "string") {
    throw new DataError({
      where,
      problem: "the file has weights, but no model",
      expected: "a file that model.save has made",
      fix: "Build the model and give it the file with model.loadWeights.",
    });
  }
  let description: unknown;
  try {
    description = JSON.parse(text);
  } catch {
    throw new DataError({ where, problem: "the description is corrupt", expected: "JSON" });
  }
  const { format, version }: { format?: unknown; version?: unknown } =
    typeof description === "object" && description !== null ? description : {};
  if (format !== "torte-model" || version !== 1) {
    throw new DataError({
      where,
      problem: "the description is of an unknown version",
      expected: "version 1",
      received: String(version),
      fix: "Read it with the version of torte that wrote it, or a later one.",
    });
  }
  return checked(description as Partial<ModelDescription>, where);
}

/** The parts that are walked through. */
function checked(description: Partial<ModelDescription>, where: string): ModelDescription {
  const { layers, network, name, seed, listed, parameters } = description;
  const lists = [layers, network?.inputs, network?.calls, network?.outputs];
  if (lists.every(Array.isArray) && typeof name === "string" && typeof seed === "number")
    return { ...(description as ModelDescription), listed: listed === true, parameters: parameters ?? 0 };
  throw new DataError({ where, problem: "the description is corrupt", expected: "layers, network, name and seed" });
}
