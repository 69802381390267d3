/** What `compile` takes as a loss. */
import { isRule, OptionError } from "../errors.js";
import type { Node } from "../graph/node.js";
import { Names } from "../parts.js";
import type { Loss } from "./loss.js";
import type { LossName } from "./losses.js";

/** One loss for each position, (…) for targets and predictions (…, n), or one for the whole batch. */
export type LossFunction = (target: Node, prediction: Node) => Node;
/** A loss, its name, or a function of one's own, whose targets are numbers. */
export type LossOption = Loss | LossName | LossFunction;

/** Losses by name. */
export const LOSS_NAMES = new Names<Loss>("loss");

/**
 * The loss that an option means: a name, a loss, or a function of target and prediction.
 *
 * @throws OptionError for an unknown name.
 */
export function readLoss(option: LossOption): Loss {
  if (typeof option === "function") return ownLoss(option);
  if (isRule(option, "call")) return option;
  return LOSS_NAMES.make(option);
}

/** A factory of the library that was not called gets the answer that its author needs. */
function ownLoss(call: LossFunction): Loss {
  const factory = Object.values(LOSS_NAMES.provided ?? {}).find((other) => (other as unknown) === call);
  if (factory === undefined) return { name: call.name === "" ? "loss" : call.name, targets: "numbers", call };
  throw new OptionError({
    where: "compile",
    problem: "loss is a function that makes losses",
    expected: "a loss",
    received: factory.name,
    fix: `Write ${factory.name}() or "${factory.name}".`,
  });
}
