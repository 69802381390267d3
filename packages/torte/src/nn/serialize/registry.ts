/** What a file may name: the layers, and the factories of the functions that their options take. */
import { DataError } from "../../errors.js";
import { ACTIVATIONS } from "../activations.js";
import { CONSTRAINTS } from "../constraints.js";
import { INITIALIZERS } from "../initializers.js";
import type { LayerFunction } from "../layer.js";
import * as layers from "../layers/index.js";
import type { Recipe } from "../factories.js";
import { REGULARIZERS } from "../regularizers.js";

/** Makes a layer of its options. */
export type LayerFactory = (options: never) => LayerFunction;

type Inner = { readonly layer: LayerFunction };

/** Blocks and residual blocks are told by their networks, and lambda is a function: their options do not make them. */
const incomplete = (kind: string) => (): never => {
  throw new DataError({ where: kind, problem: "the file does not say what the layer does" });
};

/** Every layer by its kind. Where the first argument is no object of options, it is one of the layer's own options. */
export const LAYERS: Readonly<Record<string, LayerFactory>> = {
  ...layers,
  block: incomplete("block"),
  residual: incomplete("residual"),
  lambda: incomplete("lambda"),
  activation: ({ activation, ...rest }: { activation: Parameters<typeof layers.activation>[0] }) =>
    layers.activation(activation, rest),
  timeDistributed: ({ layer, ...rest }: Inner) => layers.timeDistributed(layer, rest),
  spectralNormalization: ({ layer, ...rest }: Inner) => layers.spectralNormalization(layer, rest),
};

const FUNCTIONS: Readonly<Record<string, Readonly<Record<string, (argument?: never) => unknown>>>> = {
  activations: ACTIVATIONS,
  initializers: INITIALIZERS,
  regularizers: REGULARIZERS,
  constraints: CONSTRAINTS,
};

/** The function that the recipe makes. */
export function follow(where: string, { factory, argument }: Recipe): unknown {
  const [table = "", name = ""] = factory.split(".");
  const functions = Object.hasOwn(FUNCTIONS, table) ? FUNCTIONS[table] : undefined;
  const found = functions !== undefined && Object.hasOwn(functions, name) ? functions[name] : undefined;
  if (found === undefined) {
    throw new DataError({
      where,
      problem: `there is no function ${JSON.stringify(factory)}`,
      expected: "one of this library",
    });
  }
  return found(argument as never);
}
