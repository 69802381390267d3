/** A model back from its file. */
import { parseSafetensors } from "../data/safetensors.js";
import { readSource, type Source, sourceName } from "../data/source.js";
import { booleanOption, checkOptions } from "../errors.js";
import { networkOf } from "../nn/serialize/description.js";
import type { LayerFactory } from "../nn/serialize/registry.js";
import type { Tensor } from "../tensor/tensor.js";
import { compileOptionsOf } from "./compile-description.js";
import { Model, type ModelOptions, type Outputs } from "./model.js";
import { takeApart } from "./saved-training.js";
import { compareWeights, fitting, readDescription, readExtras, requireAll } from "./saving.js";

/** Options of {@link loadModel}. */
export interface LoadOptions extends ModelOptions {
  /** The model is compiled as it was when it was saved, and training goes on from there. Default true, where the file has it. */
  readonly training?: boolean;
  /** Factories of layers of your own, by their kind; each takes the options that its layer was made with. Default none. */
  readonly layers?: Readonly<Record<string, LayerFactory>>;
}

/**
 * The model that a file of `model.save` holds, with its weights: from bytes, a path (Node) or an address. A model that was
 * compiled when it was saved is compiled again, and a fit goes on from there; `model.leftOut` says where it could not be. Where
 * the model's outputs are a list, say so: `loadModel<readonly Tensor[]>(…)`.
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
  checkOptions("loadModel", options, ["layers", "training", "backend", "precision", "threads", "seed", "name"]);
  const where = sourceName(source, "loadModel");
  const bytes = await readSource(source, where);
  const { tensors, metadata } = parseSafetensors(bytes, where);
  const description = readDescription(metadata, where);
  const { layers = {}, training: wanted, ...own } = options;
  const goesOn = booleanOption("loadModel", "training", wanted ?? true);
  const { weights, training } = takeApart(tensors, metadata, where, goesOn);
  const network = networkOf(description, layers, where);
  const report = compareWeights(network.weights, weights);
  requireAll(report, weights, where); // before anything of their size is allocated
  const { name, seed, listed } = description;
  const compile = training === undefined || training.compile === null ? undefined : compileOptionsOf(training.compile);
  const facts = { listed, extras: readExtras(metadata, where), training, compile };
  const model = new Model<Output>(network, { name, seed, ...own }, facts);
  await model.setWeights(fitting(report, weights));
  return model;
}
