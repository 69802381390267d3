/** What `compile` takes as an optimizer. */
import { isRule } from "../errors.js";
import { Names } from "../parts.js";
import type { Optimizer } from "./optimizer.js";
import type { OptimizerName } from "./optimizers.js";
import { readRate } from "./schedule.js";

/** An optimizer, or the name of one with its default options. */
export type OptimizerOption = Optimizer | OptimizerName;

/** Optimizers by name. */
export const OPTIMIZER_NAMES = new Names<Optimizer>("optimizer", { article: "an" });

export function readOptimizer(option: OptimizerOption): Optimizer {
  if (isRule(option, "update")) {
    return { ...option, learningRate: readRate(option.name, "learningRate", option.learningRate) };
  }
  return OPTIMIZER_NAMES.make(option);
}
