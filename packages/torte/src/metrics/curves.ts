/** Curves over all thresholds, exact, from the scores of a whole epoch. */
import { inSlices, turnIfDue } from "../turns.js";

/** Scores, highest first, and what lies at or above each different one. */
export interface ThresholdCounts {
  /** The different scores, highest first. */
  readonly thresholds: Float64Array;
  /** Σ of the weights of positives, and of negatives, whose score is at least the threshold. */
  readonly tp: Float64Array;
  readonly fp: Float64Array;
  /** Σ of the weights of all positives and of all negatives. */
  readonly positives: number;
  readonly negatives: number;
}

/** NaN scores come last. */
const descending =
  (scores: Float64Array) =>
  (i: number, j: number): number => {
    const [a, b] = [scores[i] ?? NaN, scores[j] ?? NaN];
    return a === b || (Number.isNaN(a) && Number.isNaN(b)) ? i - j : Number.isNaN(a) || b > a ? 1 : -1;
  };

/** Positions in the order of falling scores, equal ones in the order they came in: runs are sorted, then merged. */
export async function orderOf(scores: Float64Array): Promise<Uint32Array> {
  const compare = descending(scores);
  const run = 1 << 12;
  let order = new Uint32Array(scores.length);
  await inSlices(order.length, (from, to) => {
    for (let i = from; i < to; i++) order[i] = i;
  });
  for (let from = 0; from < order.length; from += run) {
    await turnIfDue();
    order.subarray(from, from + run).sort(compare);
  }
  let other = new Uint32Array(order.length);
  for (let width = run; width < order.length; width *= 2) {
    for (let from = 0; from < order.length; from += 2 * width) {
      await merge(
        order,
        other,
        from,
        Math.min(order.length, from + width),
        Math.min(order.length, from + 2 * width),
        compare,
      );
    }
    [order, other] = [other, order];
  }
  return order;
}

/** Two sorted runs that follow each other become one. */
async function merge(
  from: Uint32Array,
  to: Uint32Array,
  start: number,
  middle: number,
  end: number,
  compare: (i: number, j: number) => number,
): Promise<void> {
  let [left, right] = [start, middle];
  await inSlices(end - start, (first, last) => {
    for (let k = start + first; k < start + last; k++) {
      const takeLeft = right >= end || (left < middle && compare(from[left] ?? 0, from[right] ?? 0) <= 0);
      to[k] = from[takeLeft ? left++ : right++] ?? 0;
    }
  });
}

/** Labels above 0.5 are positives. */
export async function thresholdCounts(
  scores: Float64Array,
  labels: Float64Array,
  weights?: Float64Array,
): Promise<ThresholdCounts> {
  const order = await orderOf(scores);
  const columns = [0, 1, 2].map(() => new Float64Array(order.length)) as [Float64Array, Float64Array, Float64Array];
  const [thresholds, tp, fp] = columns;
  let [positives, negatives, count] = [0, 0, 0];
  await inSlices(order.length, (from, to) => {
    for (let k = from; k < to; k++) {
      const i = order[k] ?? 0;
      const weight = weights?.[i] ?? 1;
      if ((labels[i] ?? NaN) > 0.5) positives += weight;
      else negatives += weight;
      const score = scores[i] ?? NaN;
      if (k + 1 < order.length && scores[order[k + 1] ?? 0] === score) continue;
      thresholds[count] = score;
      tp[count] = positives;
      fp[count++] = negatives;
    }
  });
  const [own, trues, falses] = columns.map((column) => column.subarray(0, count)) as typeof columns;
  return { thresholds: own, tp: trues, fp: falses, positives, negatives };
}

/** ∫ of the rate of true positives over that of false ones, by trapezoids: ties count half. NaN where one class is missing. */
export async function areaUnderRoc({ tp, fp, positives, negatives }: ThresholdCounts): Promise<number> {
  let [area, lastTp, lastFp] = [0, 0, 0];
  await inSlices(tp.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const [now = NaN, wrong = NaN] = [tp[i], fp[i]];
      area += ((wrong - lastFp) * (now + lastTp)) / 2;
      [lastTp, lastFp] = [now, wrong];
    }
  });
  return area / (positives * negatives);
}

/** Σ (Rₙ − Rₙ₋₁)·Pₙ. NaN where there are no positives. */
export async function averagePrecisionOf({ tp, fp, positives }: ThresholdCounts): Promise<number> {
  let [sum, last] = [0, 0];
  await inSlices(tp.length, (from, to) => {
    for (let i = from; i < to; i++) {
      const now = tp[i] ?? NaN;
      if (now > last) sum += ((now - last) * now) / (now + (fp[i] ?? NaN));
      last = now;
    }
  });
  return sum / positives;
}
