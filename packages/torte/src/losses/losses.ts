/** All losses, by name. */
import { hintFor, isRule, OptionError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import {
  binaryCrossentropy,
  binaryFocalCrossentropy,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  categoricalGeneralizedCrossEntropy,
  klDivergence,
  sparseCategoricalCrossentropy,
} from "./crossentropy.js";
import type { Loss } from "./loss.js";
import { categoricalHinge, hinge, squaredHinge } from "./margins.js";
import { dice, tversky } from "./overlap.js";
import {
  cosineSimilarity,
  huber,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
} from "./regression.js";

export const LOSSES = {
  binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
  binaryFocalCrossentropy,
  categoricalFocalCrossentropy,
  categoricalGeneralizedCrossEntropy,
  klDivergence,
  meanSquaredError,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  huber,
  logCosh,
  poisson,
  cosineSimilarity,
  hinge,
  squaredHinge,
  categoricalHinge,
  dice,
  tversky,
};

/** One loss for each position, (…) for targets and predictions (…, n), or one for the whole batch. */
export type LossFunction = (target: Node, prediction: Node) => Node;
/** A loss, its name, or a function of one's own, whose targets are numbers. */
export type LossOption = Loss | keyof typeof LOSSES | LossFunction;

/**
 * The loss that an option means: a name, a loss, or a function of target and prediction.
 *
 * @throws OptionError for an unknown name.
 */
export function readLoss(option: LossOption): Loss {
  if (typeof option === "function") return ownLoss(option);
  if (isRule(option, "call")) return option;
  const found = Object.entries(LOSSES).find(([name]) => name === option);
  if (found !== undefined) return found[1]();
  const names = Object.keys(LOSSES);
  throw new OptionError({
    where: "compile",
    problem: "loss is unknown",
    expected: `a loss or one of ${names.join(", ")}`,
    received: show(option),
    ...(typeof option === "string" ? hintFor(option, names) : {}),
  });
}

/** A factory of the library that was not called gets the answer that its author needs. */
function ownLoss(call: LossFunction): Loss {
  const factory = Object.values(LOSSES).find((other) => (other as unknown) === call);
  if (factory === undefined) return { name: call.name === "" ? "loss" : call.name, targets: "numbers", call };
  throw new OptionError({
    where: "compile",
    problem: "loss is a function that makes losses",
    expected: "a loss",
    received: factory.name,
    fix: `Write ${factory.name}() or "${factory.name}".`,
  });
}
