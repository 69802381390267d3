/**
 * Many scores in bins of equal weight, so that memory stays bounded. What is kept has the form of what is brought out, scores
 * and labels, of which two rows stand for a bin: its positives, whose label is their weight, and its negatives, whose label is
 * their weight below 0. The order within a bin is lost, and counts as ties.
 */
import { inSlices } from "../turns.js";
import { column } from "./common.js";
import { orderOf, type ThresholdCounts } from "./curves.js";
import type { Collected } from "./metric.js";

/** Bins of a class at most. */
const MOST_BINS = 2 ** 16;

/** One class: its scores and what lies at each. */
interface Column {
  readonly scores: Float64Array;
  readonly labels: Float64Array;
  readonly weights: Float64Array;
}

/** Labels 0 and 1 with their weights, of rows as they came and of bins; NaN stands for nothing. */
export async function weighed({ scores, labels, weights }: Column): Promise<Column & { readonly isBinned: boolean }> {
  let isBinned = false;
  const [masses, signs] = [new Float64Array(weights.length), new Float64Array(weights.length)];
  await inSlices(weights.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const [label = NaN, weight = NaN] = [labels[i], weights[i]];
      const plain = label === 0 || label === 1;
      if (!plain) isBinned = true;
      masses[i] = plain ? weight : Number.isNaN(label) ? 0 : weight * Math.abs(label);
      signs[i] = Number(label > 0);
    }
  });
  return { scores, labels: signs, weights: masses, isBinned };
}

/** Fewer rows than `most` scores, of every class by itself. */
export async function inBins({ values, weights }: Collected, most: number): Promise<Collected> {
  const [scores = new Float64Array(), labels = new Float64Array()] = values;
  const classes = scores.length / weights.length;
  const bins = Math.max(2, Math.min(MOST_BINS, Math.floor(most / (4 * classes))));
  const columns: Column[] = [];
  for (let k = 0; k < classes; k++) {
    const [own, actual] = [await column(scores, classes, k), await column(labels, classes, k)];
    columns.push(await binned(await weighed({ scores: own, labels: actual, weights }), bins));
  }
  const rows = Math.max(...columns.map((column) => column.scores.length));
  const merged = (of: (column: Column) => Float64Array): Float64Array =>
    Float64Array.from({ length: rows * classes }, (_, i) => {
      const column = columns[i % classes];
      return column === undefined ? NaN : (of(column)[Math.floor(i / classes)] ?? NaN);
    });
  return { values: [merged((c) => c.scores), merged((c) => c.labels)], weights: new Float64Array(rows).fill(1) };
}

/** Neighbours in the order of their scores until they weigh enough; equal scores stay together. */
async function binned({ scores, labels, weights }: Column, bins: number): Promise<Column> {
  const order = await orderOf(scores);
  let whole = 0;
  await inSlices(weights.length, (from, to) => {
    for (let i = from; i < to; i++) whole += weights[i] ?? NaN;
  });
  const share = whole / bins;
  const [kept, masses]: [number[], number[]] = [[], []];
  let [positives, negatives] = [0, 0];
  const take = (i: number, next: number | undefined): void => {
    const [score, weight] = [scores[i] ?? NaN, weights[i] ?? NaN];
    if (labels[i] === 1) positives += weight;
    else negatives += weight;
    if (next !== undefined && (scores[next] === score || positives + negatives < share)) return;
    kept.push(score, score);
    masses.push(positives > 0 ? positives : NaN, negatives > 0 ? -negatives : NaN);
    [positives, negatives] = [0, 0];
  };
  await inSlices(order.length, (from, to) => {
    for (let k = from; k < to; k++) take(order[k] ?? 0, order[k + 1]);
  });
  const all = Float64Array.from(kept);
  return { scores: all, labels: Float64Array.from(masses), weights: new Float64Array(all.length).fill(1) };
}

/** How far the area under the ROC curve may be off: within a bin each pair counts half, and may be right or wrong. */
export function errorOfArea({ tp, fp, positives, negatives }: ThresholdCounts): number {
  let [pairs, lastTp, lastFp] = [0, 0, 0];
  tp.forEach((now, i) => {
    const wrong = fp[i] ?? NaN;
    pairs += (now - lastTp) * (wrong - lastFp);
    [lastTp, lastFp] = [now, wrong];
  });
  return pairs / (2 * positives * negatives);
}

/** How far average precision may be off: with the positives of each bin first, or with its negatives first. */
export function errorOfPrecision({ tp, fp, positives }: ThresholdCounts): number {
  let [above, below, lastTp, lastFp] = [0, 0, 0, 0];
  tp.forEach((now, i) => {
    const wrong = fp[i] ?? NaN;
    // ∫ t/(t + f) dt
    const area = (f: number): number => now - lastTp - (f === 0 ? 0 : f * Math.log((now + f) / (lastTp + f)));
    const figure = now === 0 ? 0 : ((now - lastTp) * now) / (now + wrong);
    above += area(lastFp) - figure;
    below += figure - area(wrong);
    [lastTp, lastFp] = [now, wrong];
  });
  return Math.max(above, below) / positives;
}
