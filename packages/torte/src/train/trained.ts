/** The weights of a network as training sees them. */
import type { Layer, SymbolicTensor, Weight } from "../nn/layer.js";
import type { Network } from "../nn/network.js";
import type { WeightFacts } from "../optim/optimizer.js";

/** A weight that training changes: by its gradient, or as a moving statistic of a layer that is trained. */
export interface TrainedWeight {
  readonly weight: Weight;
  readonly facts: WeightFacts;
}

/** Weights that the optimizer changes. */
export const trainable = (network: Network): Weight[] =>
  [...network.weights.values()].filter((weight) => weight.trainable);

/** Those and the moving statistics of layers that are not frozen, in the order of the layers. */
export function changing(network: Network): TrainedWeight[] {
  const owners = new Map<Weight["state"], { layer: Layer; frozen: boolean }>();
  for (const layer of network.layers) own(layer, false, owners);
  const last = lastLayers(network);
  return [...network.weights].flatMap(([path, weight]) => {
    const owner = owners.get(weight.state);
    if (owner === undefined || (owner.frozen && !weight.trainable)) return [];
    const { layer } = owner;
    return { weight, facts: { path, shape: weight.state.shape, layer: layer.kind, last: last.has(layer) } };
  });
}

/** A layer that several others share is trained where any of them is. */
function own(layer: Layer, inFrozen: boolean, owners: Map<Weight["state"], { layer: Layer; frozen: boolean }>): void {
  const frozen = inFrozen || !layer.trainable;
  for (const { state } of layer.weights.values()) {
    const known = owners.get(state);
    owners.set(state, { layer, frozen: frozen && (known?.frozen ?? true) });
  }
  for (const child of layer.children) own(child, frozen, owners);
}

/** Layers that give an output as it is, or through layers without weights. */
function lastLayers({ outputs }: Network, found = new Set<Layer>()): Set<Layer> {
  const seen = new Set<SymbolicTensor>();
  const open = [...outputs];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    const { layer, inputs } = value.producer;
    if (layer.everyWeight().length === 0) open.push(...inputs);
    else if (layer.network !== undefined) lastLayers(layer.network, found);
    else for (const end of layer.children.length === 0 ? [layer] : layer.children) found.add(end);
  }
  return found;
}
