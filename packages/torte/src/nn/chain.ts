/** Layers one after the other. */
import { TorteError } from "../errors.js";
import { INSPECTION } from "./inspect/part.js";
import type { LayerFunction, SymbolicTensor } from "./layer.js";
import { Network } from "./network.js";

/** Applies layers one after the other; an error behind the first layer shows the summary of those before. */
export function chain(first: SymbolicTensor, layers: readonly LayerFunction[]): SymbolicTensor {
  let value = first;
  for (const layer of layers) {
    try {
      value = layer(value);
    } catch (error) {
      const summarize = INSPECTION.provided?.summarize;
      if (!(error instanceof TorteError) || value === first || summarize === undefined) throw error;
      const network = new Network([first], [value]);
      error.message += `\n\nThe model up to the layer that failed:\n\n${summarize(network)}`;
      throw error;
    }
  }
  return value;
}
