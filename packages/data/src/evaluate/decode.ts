/** From what a model gives to labels, probabilities and numbers of the target. */
import type { Tensor } from "torte";
import type { TargetEncoding } from "../encode/target.js";
import { likeliest } from "./figures.js";

/** What is told of a row. */
export interface Prediction {
  /** Of the positive label, or of the label that is told; undefined for numbers. */
  readonly probability?: number;
  /** The label, or the number. */
  readonly label: string | number;
}

/** Turns outputs of a model into what is told of each row. */
export function decode(target: TargetEncoding, output: Tensor, threshold = 0.5): readonly Prediction[] {
  const { data, shape } = output;
  const rows = shape[0] ?? 0;
  if (target.kind === "regression")
    return Array.from({ length: rows }, (_, i) => ({ label: (data[i] ?? 0) * target.deviation + target.mean }));
  const { labels } = target;
  if (target.kind === "binary")
    return Array.from({ length: rows }, (_, i) => {
      const probability = data[i] ?? 0;
      return { probability, label: labels[Number(probability > threshold)] ?? "" };
    });
  return Array.from({ length: rows }, (_, i) => {
    const best = likeliest(data, i * labels.length, labels.length);
    return { probability: data[i * labels.length + best] ?? 0, label: labels[best] ?? "" };
  });
}
