/** What `compile` takes as a loss. */
import { hintFor, isRule, OptionError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import { Part } from "../parts.js";
import type { Loss } from "./loss.js";
import type { LossName } from "./losses.js";

/** One loss for each position, (…) for targets and predictions (…, n), or one for the whole batch. */
export type LossFunction = (target: Node, prediction: Node) => Node;
/** A loss, its name, or a function of one's own, whose targets are numbers. */
export type LossOption = Loss | LossName | LossFunction;

/** Losses by name. */
export const LOSS_NAMES = new Part<Readonly<Record<string, () => Loss>>>("torte/names");

/**
 * The loss that an option means: a name, a loss, or a function of target and prediction.
 *
 * @throws OptionError for an unknown name.
 */
export function readLoss(option: LossOption): Loss {
  if (typeof option === "function") return ownLoss(option);
  if (isRule(option, "call")) return option;
  const named = LOSS_NAMES.need("compile", `a loss by its name, ${show(option)},`);
  const make = typeof option === "string" && Object.hasOwn(named, option) ? named[option] : undefined;
  if (make !== undefined) return make();
  const names = Object.keys(named);
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
