/** What a loss is: one number for each position of the result, from the target and the prediction, and how they become one. */
import { oneOf } from "../errors.js";
import type { Node } from "../graph/node.js";

/**
 * What a target is. Metrics follow it: "numbers" are what they are; "classes" are the numbers of classes; a "distribution"
 * has one probability for each class along the last axis, such as one-hot; "probabilities" are one label from 0 to 1 for each
 * element; "signs" are −1 and 1 (0 counts as −1).
 */
export type TargetKind = "numbers" | "classes" | "distribution" | "probabilities" | "signs";

/** What a prediction is: numbers as they are, probabilities, or logits, which no sigmoid or softmax has seen yet. */
export type PredictionKind = "numbers" | "probabilities" | "logits";

/**
 * How the losses l of the positions, with weights w (1 where none are given, 0 where the mask is false), become one number:
 * "mean" Σ w·l / number of positions that count; "weightedMean" Σ w·l / Σ w; "sum" Σ w·l; "none" leaves them as they are,
 * for use outside of training.
 */
export type Reduction = "mean" | "weightedMean" | "sum" | "none";

const REDUCTIONS: readonly Reduction[] = ["mean", "weightedMean", "sum", "none"];

/** What losses have in common. */
export interface LossOptions {
  /**
   * How the positions' losses become one number; over an epoch numerators and denominators are summed before they are
   * divided. With weights 1 and 3 and losses 2 and 4: "mean" 7, "weightedMean" 3.5, "sum" 14. Default "mean".
   */
  readonly reduction?: Reduction;
}

/** Which factory of the library has made something, of which options: what files keep of it. */
export interface Origin {
  readonly factory: string;
  readonly options: object;
}

/** A loss: its name, what its targets mean, and its formula. */
export interface Loss {
  readonly name: string;
  /** Of a loss of the library. */
  readonly origin?: Origin;
  readonly targets: TargetKind;
  /** Default "numbers". */
  readonly predictions?: PredictionKind;
  /** Default "mean". */
  readonly reduction?: Reduction;
  /** The axis of the classes within a prediction. Default −1. */
  readonly axis?: number;
  /** Positions whose target is this class do not count. */
  readonly ignoreClass?: number | undefined;
  /**
   * Reduces the axis of the classes or numbers: target and prediction (…, n) give (…); targets that are classes are (…)
   * themselves. A loss of the whole batch gives one number.
   */
  readonly call: (target: Node, prediction: Node) => Node;
}

/** What all losses read of their options, and that they were made of them. */
export function readReduction(
  factory: string,
  options: LossOptions,
): { readonly reduction: Reduction; readonly origin: Origin } {
  const reduction = oneOf(factory, "reduction", options.reduction ?? "mean", REDUCTIONS);
  return { reduction, origin: { factory, options: { ...options } } };
}
