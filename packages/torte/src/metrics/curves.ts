/** Curves over all thresholds, exact, from the scores of a whole epoch. */

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

/** So many values are looked at before others get their turn: a few milliseconds. */
const SLICE = 1 << 16;

/** Lets timers and messages of the caller through. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Runs `body` over ranges that are short enough not to hold up the event loop. */
async function inSlices(count: number, body: (from: number, to: number) => void): Promise<void> {
  for (let from = 0; from < count; from += SLICE) {
    if (from > 0) await pause();
    body(from, Math.min(count, from + SLICE));
  }
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
  const run = 1 << 13;
  let order = Uint32Array.from({ length: scores.length }, (_, i) => i);
  for (let from = 0; from < order.length; from += run) {
    order.subarray(from, from + run).sort(compare);
    if (from % SLICE === SLICE - run) await pause();
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
  const thresholds: number[] = [];
  const [tp, fp]: [number[], number[]] = [[], []];
  let [positives, negatives] = [0, 0];
  await inSlices(order.length, (from, to) => {
    for (let k = from; k < to; k++) {
      const i = order[k] ?? 0;
      const weight = weights?.[i] ?? 1;
      if ((labels[i] ?? NaN) > 0.5) positives += weight;
      else negatives += weight;
      const score = scores[i] ?? NaN;
      if (k + 1 < order.length && scores[order[k + 1] ?? 0] === score) continue;
      thresholds.push(score);
      tp.push(positives);
      fp.push(negatives);
    }
  });
  return {
    thresholds: Float64Array.from(thresholds),
    tp: Float64Array.from(tp),
    fp: Float64Array.from(fp),
    positives,
    negatives,
  };
}

/** ∫ of the rate of true positives over that of false ones, by trapezoids: ties count half. NaN where one class is missing. */
export function areaUnderRoc({ tp, fp, positives, negatives }: ThresholdCounts): number {
  let [area, lastTp, lastFp] = [0, 0, 0];
  tp.forEach((now, i) => {
    const false_ = fp[i] ?? NaN;
    area += ((false_ - lastFp) * (now + lastTp)) / 2;
    [lastTp, lastFp] = [now, false_];
  });
  return area / (positives * negatives);
}

/** Σ (Rₙ − Rₙ₋₁)·Pₙ. NaN where there are no positives. */
export function averagePrecisionOf({ tp, fp, positives }: ThresholdCounts): number {
  let [sum, last] = [0, 0];
  tp.forEach((now, i) => {
    if (now > last) sum += ((now - last) * now) / (now + (fp[i] ?? NaN));
    last = now;
  });
  return sum / positives;
}
