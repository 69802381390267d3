/** All losses, by name. */
import {
  binaryCrossentropy,
  binaryFocalCrossentropy,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  categoricalGeneralizedCrossEntropy,
  klDivergence,
  sparseCategoricalCrossentropy,
} from "./crossentropy.js";
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

/** The name of a loss. */
export type LossName = keyof typeof LOSSES;
