/**
 * Functional analysis of variance: how much of a function's variance over the whole space a single coordinate explains. The function
 * is what a random forest has learnt of the trials; each tree's variances are sums over its boxes, exact.
 *
 * Source: F. Hutter, H. Hoos and K. Leyton-Brown, An efficient approach for assessing hyperparameter importance (2014).
 */
import { Random } from "../random.js";

/** Coordinates in the unit interval, or numbers of categories from 0. */
export interface FanovaSpace {
  /** For each coordinate the number of categories; 0 of a continuous one. */
  readonly categories: readonly number[];
}

/** The part of the space that comes to a leaf, and the value there. */
interface Box {
  readonly value: number;
  /** Ends of continuous coordinates. */
  readonly low: readonly number[];
  readonly high: readonly number[];
  /** For each coordinate the categories that belong to it. */
  readonly members: readonly (readonly number[])[];
}

const TREES = 64;
const LEAST_TO_SPLIT = 2;

interface Split {
  readonly coordinate: number;
  readonly error: number;
  readonly isLeft: (x: readonly number[]) => boolean;
  readonly threshold: number;
}

/** The share of the variance that each coordinate explains alone, mean over the trees; all 0 where the values are the same. */
export function fanova(
  points: readonly (readonly number[])[],
  values: readonly number[],
  { categories }: FanovaSpace,
  seed = 0,
): readonly number[] {
  const shares = categories.map(() => 0);
  let trees = 0;
  for (let tree = 0; tree < TREES; tree++) {
    const random = new Random(seed, "forest", tree);
    const rows = points.map(() => random.below(points.length));
    const boxes: Box[] = [];
    const whole = {
      low: categories.map(() => 0),
      high: categories.map(() => 1),
      members: categories.map((count) => Array.from({ length: count }, (_, i) => i)),
    };
    grow(points, values, categories, rows, whole, boxes);
    const total = varianceOf(boxes.map((box) => ({ weight: volume(box, categories), value: box.value })));
    if (!(total > 0)) continue;
    trees++;
    categories.forEach((_, k) => (shares[k] = (shares[k] ?? 0) + marginal(boxes, k, categories) / total));
  }
  return shares.map((share) => (trees === 0 ? 0 : share / trees));
}

function grow(
  points: readonly (readonly number[])[],
  values: readonly number[],
  categories: readonly number[],
  rows: readonly number[],
  box: Omit<Box, "value">,
  boxes: Box[],
): void {
  const mean = rows.reduce((sum, row) => sum + (values[row] ?? 0), 0) / rows.length;
  const split = rows.length < LEAST_TO_SPLIT ? undefined : bestSplit(points, values, categories, rows);
  if (split === undefined) {
    boxes.push({ ...box, value: mean });
    return;
  }
  const { coordinate: k, threshold, isLeft } = split;
  const at = (row: number): readonly number[] => points[row] ?? [];
  const replaced = <T>(list: readonly T[], value: T): readonly T[] => list.map((old, i) => (i === k ? value : old));
  const members = box.members[k] ?? [];
  const left =
    categories[k] === 0
      ? { ...box, high: replaced(box.high, threshold) }
      : {
          ...box,
          members: replaced(
            box.members,
            members.filter((member) => member === threshold),
          ),
        };
  const right =
    categories[k] === 0
      ? { ...box, low: replaced(box.low, threshold) }
      : {
          ...box,
          members: replaced(
            box.members,
            members.filter((member) => member !== threshold),
          ),
        };
  grow(
    points,
    values,
    categories,
    rows.filter((row) => isLeft(at(row))),
    left,
    boxes,
  );
  grow(
    points,
    values,
    categories,
    rows.filter((row) => !isLeft(at(row))),
    right,
    boxes,
  );
}

/** The split after which the squares around the two means are least: between neighbours, or a category against the others. */
function bestSplit(
  points: readonly (readonly number[])[],
  values: readonly number[],
  categories: readonly number[],
  rows: readonly number[],
): Split | undefined {
  let best: Split | undefined;
  const total = rows.reduce((sum, row) => sum + (values[row] ?? 0), 0);
  /** Less the squares of the whole, which no split changes. */
  const error = (sum: number, count: number): number =>
    -(sum * sum) / count - (total - sum) ** 2 / (rows.length - count);
  const none = -(total * total) / rows.length;
  categories.forEach((count, k) => {
    const at = (row: number): number => points[row]?.[k] ?? 0;
    const offer = (threshold: number, sum: number, left: number, isLeft: Split["isLeft"]): void => {
      const now = error(sum, left);
      if (now < (best?.error ?? none - 1e-12 * Math.abs(none) - 1e-300))
        best = { coordinate: k, error: now, isLeft, threshold };
    };
    if (count > 0) {
      for (let category = 0; category < count; category++) {
        const inside = rows.filter((row) => at(row) === category);
        if (inside.length === 0 || inside.length === rows.length) continue;
        const sum = inside.reduce((all, row) => all + (values[row] ?? 0), 0);
        offer(category, sum, inside.length, (x) => x[k] === category);
      }
      return;
    }
    const sorted = [...rows].sort((a, b) => at(a) - at(b));
    let sum = 0;
    sorted.slice(0, -1).forEach((row, i) => {
      sum += values[row] ?? 0;
      const [here, next] = [at(row), at(sorted[i + 1] ?? row)];
      if (next <= here) return;
      // Between neighbouring numbers there is none: their mean is one of them.
      const mean = (here + next) / 2;
      const middle = mean < next ? mean : here;
      offer(middle, sum, i + 1, (x) => (x[k] ?? 0) <= middle);
    });
  });
  return best;
}

interface Weighted {
  readonly weight: number;
  readonly value: number;
}

function varianceOf(parts: readonly Weighted[]): number {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  const mean = parts.reduce((sum, { weight, value }) => sum + weight * value, 0) / total;
  return parts.reduce((sum, { weight, value }) => sum + weight * (value - mean) ** 2, 0) / total;
}

/** Of a box along a coordinate. */
const width = (box: Box, k: number, categories: readonly number[]): number => {
  const count = categories[k] ?? 0;
  return count === 0 ? (box.high[k] ?? 1) - (box.low[k] ?? 0) : (box.members[k]?.length ?? 0) / count;
};

const volume = (box: Box, categories: readonly number[], without = -1): number =>
  categories.reduce((product, _, k) => (k === without ? product : product * width(box, k, categories)), 1);

/** The variance of the mean over all other coordinates. */
function marginal(boxes: readonly Box[], k: number, categories: readonly number[]): number {
  const count = categories[k] ?? 0;
  const weighted = boxes.map((box) => ({ box, share: box.value * volume(box, categories, k) }));
  if (count > 0)
    return varianceOf(
      Array.from({ length: count }, (_, category) => ({
        weight: 1,
        value: weighted.reduce(
          (sum, { box, share }) => sum + (box.members[k]?.includes(category) === true ? share : 0),
          0,
        ),
      })),
    );
  const ends = [...new Set(boxes.flatMap(({ low, high }) => [low[k] ?? 0, high[k] ?? 1]))].sort((a, b) => a - b);
  return varianceOf(
    ends.slice(1).map((end, i) => {
      const begin = ends[i] ?? 0;
      const middle = (begin + end) / 2;
      const value = weighted.reduce(
        (sum, { box, share }) => sum + ((box.low[k] ?? 0) < middle && middle < (box.high[k] ?? 1) ? share : 0),
        0,
      );
      return { weight: end - begin, value };
    }),
  );
}
