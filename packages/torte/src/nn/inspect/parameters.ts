import type { State } from "../../graph/node.js";
import { sizeOf } from "../../tensor/shape.js";
import type { Layer } from "../layer.js";

export interface ParameterCount {
  readonly trainable: number;
  /** Those that training leaves as they are, or changes by other means than the gradient. */
  readonly frozen: number;
}

/** Parameters of the layers and of all layers inside them, each weight once; trainable only where nothing around it is frozen. */
export function countParameters(layers: readonly Layer[]): ParameterCount {
  const weights = new Map<State, boolean>();
  for (const { state, trainable } of layers.flatMap((layer) => layer.everyWeight()))
    weights.set(state, trainable || weights.get(state) === true);
  const count = { trainable: 0, frozen: 0 };
  for (const [state, trainable] of weights) count[trainable ? "trainable" : "frozen"] += sizeOf(state.shape);
  return count;
}
