/** A model in words of JSON: what belongs beside its weights. */
import type { Model } from "torte";

export interface ModelDescription {
  readonly format: "torte-model";
  readonly version: 1;
  readonly name: string;
  readonly parameters: number;
  readonly inputs: readonly { name: string; shape: readonly number[]; dtype: string }[];
  readonly layers: readonly LayerDescription[];
}

export interface LayerDescription {
  readonly name: string;
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** Names of the layers, or inputs, whose results it takes. */
  readonly from: readonly string[];
  readonly shape: readonly (number | null)[];
  readonly weights: Readonly<Record<string, readonly number[]>>;
}

export function describeModel(model: Model): ModelDescription {
  const { network } = model;
  return {
    format: "torte-model",
    version: 1,
    name: model.name,
    parameters: model.countParams(),
    inputs: network.inputSpecs.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
    layers: network.values
      .filter(({ producer }) => producer.layer.kind !== "input")
      .map(({ producer, shape }) => ({
        name: producer.layer.where,
        kind: producer.layer.kind,
        options: plain(producer.layer.options),
        from: producer.inputs.map((value) => value.producer.layer.where),
        shape,
        weights: Object.fromEntries([...producer.layer.weights.values()].map(({ name, state }) => [name, state.shape])),
      })),
  };
}

/** Functions have no text of their own; they are named as what they are. */
function plain(options: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]: [string, unknown]) => [
      name,
      typeof value === "function" ? { function: value.name } : value,
    ]),
  );
}
