/** Optimizers and schedules, as the public surface has them. */
export {
  adam,
  adamax,
  adamw,
  lamb,
  nadam,
  scheduleFreeAdamW,
  type AdamOptions,
  type MomentOptions,
  type NadamOptions,
  type ScheduleFreeAdamWOptions,
} from "./adam.js";
export {
  adadelta,
  adafactor,
  adagrad,
  rmsprop,
  type AdadeltaOptions,
  type AdafactorOptions,
  type AdagradOptions,
  type RmspropOptions,
} from "./adaptive.js";
export { lion, sgd, type LionOptions, type SgdOptions } from "./sgd.js";
export { muon, type MuonOptions } from "./muon.js";
export {
  optimizer,
  type CommonOptimizerOptions,
  type DecayExclusion,
  type Optimizer,
  type OptimizerStep,
  type Slot,
  type UpdateRule,
  type WeightFacts,
} from "./optimizer.js";
export { describeOptimizer, optimizerOf, type OptimizerDescription } from "./optimizers.js";
export type { RateOption, Schedule } from "./schedule.js";
export * from "./schedules.js";
export * from "./cycles.js";
