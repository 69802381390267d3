/** What no learning gives: the best answer that is the same for every example. */
import type { EpochPlan } from "../data/dataset.js";
import type { Goal } from "./measure.js";

/** Of one output. */
export interface Baseline {
  /** Of the output: its layer's name. */
  readonly output: string;
  /** Share of right answers where every answer is the most frequent label of the training data; undefined for numbers. */
  readonly accuracy: number | undefined;
  /** The loss of the best constant answer; undefined for losses other than cross-entropies and the mean squared error. */
  readonly loss: number | undefined;
}

/** Constants are chosen on the training rows and judged on those asked for. */
export function baselineOf({ name, loss }: Goal, column: number, known: EpochPlan, asked: EpochPlan): Baseline {
  const [given, wanted] = [rowsOf(known, column), rowsOf(asked, column)];
  const kind = KINDS[loss.targets];
  const answer = kind.answer(given);
  const figures = kind.judge(answer, wanted);
  const comparable = new RegExp(kind.losses).test(loss.name) && loss.reduction !== "sum";
  return { output: name, accuracy: figures.accuracy, loss: comparable ? figures.loss : undefined };
}

/** Targets as rows of numbers: a class, or the numbers of a distribution. */
interface Rows {
  readonly width: number;
  readonly data: Float64Array;
}

function rowsOf({ columns, order }: EpochPlan, column: number): Rows {
  const target = columns.y[column];
  if (target === undefined) return { width: 1, data: new Float64Array(0) };
  const perRow = target.data.length / (target.shape[0] ?? 1);
  const data = new Float64Array(order.length * perRow);
  order.forEach((row, i) => {
    data.set(target.data.subarray(row * perRow, (row + 1) * perRow), i * perRow);
  });
  return { width: target.shape.length > 1 ? (target.shape.at(-1) ?? 1) : 1, data };
}

interface Kind {
  /** Names of losses that the figure is one of. */
  readonly losses: string;
  /** The constant: shares of classes, or means. */
  readonly answer: (rows: Rows) => readonly number[];
  readonly judge: (answer: readonly number[], rows: Rows) => { accuracy: number | undefined; loss: number };
}

/** As losses do, so that a label that never came does not cost infinity. */
const EPSILON = 1e-7;
const log = (p: number): number => Math.log(Math.max(p, EPSILON));

const largest = (values: readonly number[]): number => values.indexOf(Math.max(...values));

function meansOf({ data, width }: Rows): number[] {
  const sums = new Array<number>(width).fill(0);
  data.forEach((value, i) => (sums[i % width] = (sums[i % width] ?? 0) + value));
  return sums.map((sum) => sum / (data.length / width));
}

function mean(data: Float64Array, of: (value: number, i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += of(data[i] ?? NaN, i);
  return sum / data.length;
}

const NUMBERS: Kind = {
  losses: "^meanSquaredError$",
  answer: meansOf,
  judge: (means, { data, width }) => ({
    accuracy: undefined,
    loss: mean(data, (value, i) => (value - (means[i % width] ?? 0)) ** 2),
  }),
};

const YES_OR_NO: Kind = {
  losses: "^binaryCrossentropy$",
  answer: meansOf,
  judge: (means, { data, width }) => ({
    accuracy: mean(data, (value, i) => Number(value > 0.5 === (means[i % width] ?? 0) > 0.5)),
    loss: -mean(data, (value, i) => {
      const p = means[i % width] ?? 0;
      return value * log(p) + (1 - value) * log(1 - p);
    }),
  }),
};

const KINDS: Readonly<Record<Goal["loss"]["targets"], Kind>> = {
  numbers: NUMBERS,
  probabilities: YES_OR_NO,
  signs: {
    losses: "$^",
    answer: meansOf,
    judge: (means, { data, width }) => ({
      accuracy: mean(data, (value, i) => Number(value > 0 === (means[i % width] ?? 0) > 0)),
      loss: NaN,
    }),
  },
  classes: {
    losses: "^sparseCategoricalCrossentropy$",
    answer: ({ data }) => {
      const counts: number[] = [];
      for (const label of data) if (label >= 0) counts[label] = (counts[label] ?? 0) + 1;
      return Array.from(counts, (count: number | undefined) => (count ?? 0) / data.length);
    },
    judge: (shares, { data }) => {
      const majority = largest(shares);
      return {
        accuracy: mean(data, (label) => Number(label === majority)),
        loss: -mean(data, (label) => log(shares[label] ?? 0)),
      };
    },
  },
  distribution: {
    losses: "^categoricalCrossentropy$",
    answer: meansOf,
    judge: (shares, { data, width }) => {
      const majority = largest(shares);
      const rows = Array.from({ length: data.length / width }, (_, i) => [
        ...data.subarray(i * width, (i + 1) * width),
      ]);
      const right = rows.filter((row) => largest(row) === majority).length;
      const loss = -rows.reduce((sum, row) => sum + row.reduce((s, y, k) => s + y * log(shares[k] ?? 0), 0), 0);
      return { accuracy: right / rows.length, loss: loss / rows.length };
    },
  },
};
