/** What the metrics have in common: their options, and targets and predictions as labels of classes. */
import { oneOf, OptionError, show, wholeNumber } from "../errors.js";
import type { Node } from "../graph/node.js";
import { logitsOf, logOf } from "../losses/logits.js";
import * as ops from "../ops/index.js";
import { lastOf } from "../tensor/shape.js";
import { inSlices } from "../turns.js";
import type { Origin } from "../losses/loss.js";
import type { Meaning } from "./metric.js";

export interface NameOption {
  /** In the history. Default: the name of the metric. */
  readonly name?: string;
}

/** The name, and that the metric was made of these options. */
export function readName(where: string, options: NameOption): { readonly name: string; readonly origin: Origin } {
  const given: unknown = options.name ?? where;
  if (typeof given === "string" && given !== "" && !given.includes("."))
    return { name: given, origin: { factory: where, options: { ...options } } };
  throw new OptionError({ where, problem: "name is unusable", expected: "a text without .", received: show(given) });
}

export interface ClassOption {
  /** The one class, or label, that is looked at. Default: by `average`. */
  readonly classId?: number;
}

/**
 * How the figures of several classes become one: "macro" their mean, absent classes left out; "weighted" their mean by the
 * number of targets; "micro" that of all decisions together. Default "micro" for targets that are probabilities (one label
 * for each element), else "macro"; with two classes the figure is that of class 1.
 */
export type Average = "macro" | "micro" | "weighted";

export const readAverage = (where: string, average: Average | undefined): Average | undefined =>
  average === undefined ? undefined : oneOf<Average>(where, "average", average, ["macro", "micro", "weighted"]);

export const readClass = (where: string, classId: number | undefined): number | undefined =>
  classId === undefined ? undefined : wholeNumber(where, "classId", classId);

/** @throws OptionError for a class that the predictions do not have. */
export function checkClass(where: string, option: string, classId: number | undefined, scores: Node): void {
  const classes = lastOf(scores.shape);
  if (classId === undefined || classId < classes) return;
  const problem = `${option} is out of range`;
  throw new OptionError({ where, problem, expected: `0…${classes - 1}`, received: String(classId) });
}

export const asNumber = (condition: Node): Node => ops.cast(condition, "float32");

/** What a prediction must exceed to be a yes: 0.5 for a probability, 0 for a logit or beside targets of ±1. */
export function thresholdOf({ targets, predictions }: Meaning): number {
  return predictions === "logits" || targets === "signs" ? 0 : 0.5;
}

export const isCategorical = ({ targets }: Meaning): boolean => targets === "classes" || targets === "distribution";

/** The axis of the classes as the last one. */
export function classesLast(x: Node, { axis = -1 }: Meaning): Node {
  const at = axis < 0 ? axis + x.shape.length : axis;
  return ops.transpose(x, [...x.shape.map((_, i) => i).filter((i) => i !== at), at]);
}

/** The targets as one yes or no (1 or 0) for each class: (…, K). */
export function actualLabels(target: Node, prediction: Node, meaning: Meaning): Node {
  const scores = classesLast(prediction, meaning);
  if (meaning.targets === "classes") return ops.oneHot(target, lastOf(scores.shape));
  if (meaning.targets === "distribution") {
    const given = classesLast(target, meaning);
    return ops.oneHot(ops.argmax(given, { axes: [-1] }), lastOf(scores.shape));
  }
  return asNumber(ops.less(meaning.targets === "signs" ? 0 : 0.5, target));
}

/** Numbers that order the predictions (…, K) as their probabilities do, with the logits' resolution where they are known. */
export function scoresOf(prediction: Node, meaning: Meaning): Node {
  const scores = classesLast(prediction, meaning);
  if (meaning.predictions !== "probabilities") return scores;
  // The logits of a softmax take a comparison of all pairs of classes.
  return (isCategorical(meaning) && lastOf(scores.shape) > 8 ? logOf(scores) : logitsOf(scores)) ?? scores;
}

/** The predictions (…, K) as probabilities. */
export function probabilitiesOf(prediction: Node, meaning: Meaning): Node {
  const scores = classesLast(prediction, meaning);
  if (meaning.predictions !== "logits") return scores;
  return isCategorical(meaning) ? ops.softmax(scores) : ops.sigmoid(scores);
}

/** The axes of the positions of (…, K). */
export const positionsOf = (x: Node): number[] => x.shape.map((_, i) => i).slice(0, -1);
/** Over the positions, each with its weight: (…, K) gives (K). */
export const weightedSums = (x: Node, weights: Node): Node =>
  ops.sum(ops.mul(x, ops.expandDims(weights, -1)), { axes: positionsOf(x) });

/** A number for each of 0 … count − 1. */
export async function mapped(count: number, of: (i: number) => number): Promise<Float64Array> {
  const result = new Float64Array(count);
  await inSlices(count, (from, to) => {
    for (let i = from; i < to; i++) result[i] = of(i);
  });
  return result;
}

/** Column k of rows that are `width` numbers wide. */
export const column = (values: Float64Array, width: number, k: number): Promise<Float64Array> =>
  width === 1 ? Promise.resolve(values) : mapped(values.length / width, (i) => values[i * width + k] ?? NaN);
