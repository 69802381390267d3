/** Training that starts from a model that was trained before (transfer learning). */
import { join } from "node:path";
import { loadModel, type Model, OptionError } from "torte";
import type { StartFrom } from "./experiment.js";
import { modelFile } from "./model-file.js";

/**
 * Gives a model the weights of an earlier run that have the same name and shape, and freezes layers; to be done before it is compiled.
 * Tells what was taken and what begins anew.
 *
 * @throws DataError for a folder without a model; OptionError where no weight fits, and for a pattern that no layer has.
 */
export async function startFrom(model: Model, { run, freeze }: StartFrom): Promise<readonly string[]> {
  const frozen = freeze === undefined ? [] : frozenBy(model, freeze);
  const before = await loadModel(join(run, modelFile(0)), { threads: 1, training: false });
  const known = await before.getWeights();
  await before.close();
  const own = await model.getWeights();
  const fits = Object.entries(known).filter(([name, { shape }]) => {
    const mine = own[name]?.shape;
    return mine?.length === shape.length && mine.every((size, axis) => size === shape[axis]);
  });
  if (fits.length === 0)
    throw new OptionError({
      where: "--from",
      problem: "no weight has the same name and shape as one of the model",
      expected: Object.keys(own).slice(0, 5).join(", "),
      received: Object.keys(known).slice(0, 5).join(", "),
    });
  await model.setWeights(Object.fromEntries(fits));
  const taken = new Set(fits.map(([name]) => name));
  const anew = Object.keys(own).filter((name) => !taken.has(name));
  return [
    `starts from ${run}: ${taken.size} of ${Object.keys(own).length} weights`,
    ...(anew.length === 0 ? [] : [`anew      ${anew.join(", ")}`]),
    ...(frozen.length === 0 ? [] : [`frozen    ${frozen.join(", ")}`]),
  ];
}

/** Freezes the layers with these names; * stands for any letters, a comma goes between patterns. */
function frozenBy({ network }: Model, freeze: string): readonly string[] {
  return freeze.split(",").flatMap((part) => {
    const pattern = new RegExp(`^${part.trim().split("*").map(literally).join(".*")}$`);
    const found = network.layers.filter((layer) => pattern.test(layer.where));
    for (const layer of found) layer.trainable = false;
    if (found.length > 0) return found.map((layer) => layer.where);
    throw new OptionError({
      where: "--freeze",
      problem: "no layer has such a name",
      expected: network.layers.map((layer) => layer.where).join(", "),
      received: part,
    });
  });
}

const literally = (text: string): string => text.replaceAll(/[.+?^${}()|[\]\\]/g, "\\$&");
