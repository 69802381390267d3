/** What `compile` takes as an optimizer. */
import { hintFor, isRule, OptionError, show } from "../errors.js";
import { Part } from "../parts.js";
import type { Optimizer } from "./optimizer.js";
import type { OptimizerName } from "./optimizers.js";
import { readRate } from "./schedule.js";

/** An optimizer, or the name of one with its default options. */
export type OptimizerOption = Optimizer | OptimizerName;

/** Optimizers by name. */
export const OPTIMIZER_NAMES = new Part<Readonly<Record<string, () => Optimizer>>>("torte/names");

export function readOptimizer(option: OptimizerOption): Optimizer {
  if (isRule(option, "update")) {
    return { ...option, learningRate: readRate(option.name, "learningRate", option.learningRate) };
  }
  const named = OPTIMIZER_NAMES.need("compile", `an optimizer by its name, ${show(option)},`);
  const make = typeof option === "string" && Object.hasOwn(named, option) ? named[option] : undefined;
  if (make !== undefined) return make();
  throw new OptionError({
    where: "compile",
    problem: "optimizer is unknown",
    expected: `an optimizer or one of ${Object.keys(named).join(", ")}`,
    received: show(option),
    ...(typeof option === "string" ? hintFor(option, Object.keys(named)) : {}),
  });
}
