/** A model back from its file. */
import { parseSafetensors } from "../data/safetensors.js";
import { readSource, type Source, sourceName } from "../data/source.js";
import { checkOptions } from "../errors.js";
import { networkOf } from "../nn/serialize/description.js";
import type { LayerFactory } from "../nn/serialize/registry.js";
import type { Tensor } from "../tensor/tensor.js";
import { Model, type ModelOptions, type Outputs } from "./model.js";
import { compareWeights, fitting, readDescription, requireAll } from "./saving.js";

export interface LoadOptions extends ModelOptions {
  /** Factories of layers of your own, by their kind; each takes the options that its layer was made with. Default none. */
  readonly layers?: Readonly<Record<string, LayerFactory>>;
}

/**
 * The model that a file of `model.save` holds, with its weights: from bytes, a path (Node) or an address. Compile it to train
 * on. Where the model's outputs are a list, say so: `loadModel<readonly Tensor[]>(…)`.
 *
 * @throws DataError where the file is no such file, or has a layer that is neither the library's nor among `layers`.
 * @example
 * import { input, layerFunction, loadModel, masked, ops, sequential } from "torte";
 * const square = (options: { name?: string } = {}) =>
 *   layerFunction({ kind: "square", options, call: ([x]) => masked(ops.square(x!.value), x!.mask) });
 * const model = sequential(input({ shape: [4] }), square());
 * const again = await loadModel(await model.save(), { layers: { square } });
 * console.log(again.network.layers[0]?.kind); // square
 */
export async function loadModel<Output extends Outputs = Tensor>(
  source: Source,
  options: LoadOptions = {},
): Promise<Model<Output>> {
  checkOptions("loadModel", options, ["layers", "backend", "precision", "threads", "seed", "name"]);
  const where = sourceName(source, "loadModel");
  const bytes = await readSource(source, where);
  const { tensors, metadata } = parseSafetensors(bytes, where);
  const description = readDescription(metadata, where);
  const { layers = {}, ...own } = options;
  const network = networkOf(description, layers, where);
  const report = compareWeights(network.weights, tensors);
  requireAll(report, tensors, where); // before anything of their size is allocated
  const { name, seed, listed } = description;
  const model = new Model<Output>(network, { name, seed, ...own }, listed);
  await model.setWeights(fitting(report, tensors));
  return model;
}
