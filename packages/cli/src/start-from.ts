/** Training that starts from a model that was trained before (transfer learning). */
import { join } from "node:path";
import { type Model, OptionError } from "torte";
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
  const { loaded, missing, unexpected, mismatched } = await model.loadWeights(join(run, modelFile(0)), {
    strict: false,
  });
  const anew = [...missing, ...mismatched.map(({ name }) => name)];
  if (loaded.length === 0)
    throw new OptionError({
      where: "--from",
      problem: "no weight has the same name and shape as one of the model",
      expected: anew.slice(0, 5).join(", "),
      received: [...unexpected, ...mismatched.map(({ name }) => name)].slice(0, 5).join(", "),
    });
  return [
    `starts from ${run}: ${loaded.length} of ${loaded.length + anew.length} weights`,
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
