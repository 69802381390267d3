/** Losses, as the public surface has them. */
export * from "./crossentropy.js";
export type { Loss, LossOptions, PredictionKind, Reduction, TargetKind } from "./loss.js";
export { type LossFunction, type LossOption, readLoss } from "./read.js";
export * from "./margins.js";
export * from "./overlap.js";
export {
  cosineSimilarity,
  huber,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  poisson,
} from "./regression.js";
