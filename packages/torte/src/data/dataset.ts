/** Datasets: rows of tensors and the order in which they are visited, composed lazily. */
import { checkOptions, DataError, OptionError, positiveInteger, wholeNumber } from "../errors.js";
import { bits, mixKey, shuffle as shuffleValues } from "../tensor/random.js";
import { Tensor } from "../tensor/tensor.js";
import { formatShape } from "../tensor/shape.js";

/** One example or one batch: inputs, and targets where there are any. */
export interface Example {
  readonly x: readonly Tensor[];
  readonly y: readonly Tensor[];
}

/** All rows of a dataset, and the order of one epoch. */
export interface EpochPlan {
  /** The same objects in every epoch, unless a `map` that is not cached makes new ones. */
  readonly columns: Example;
  readonly order: Int32Array;
}

export interface ShuffleOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Draw from a window of this many rows, as tf.data does. Default: all rows. */
  readonly bufferSize?: number;
  /** A new order in each epoch. Default true. */
  readonly reshuffleEachIteration?: boolean;
}

export type TensorOrList = Tensor | readonly Tensor[];
const asList = (value: TensorOrList | undefined): readonly Tensor[] =>
  value === undefined ? [] : value instanceof Tensor ? [value] : value;

type Planner = (epoch: number) => Promise<EpochPlan>;

/**
 * Rows of one or several tensors.
 *
 * @example
 * import { Dataset, tensor } from "torte";
 * const data = Dataset.fromTensors({ x: tensor([[1], [2], [3]]), y: tensor([[0], [1], [1]]) });
 * console.log(data.shuffle({ seed: 1 }).take(2).batch(2).size); // 2
 */
export class Dataset {
  readonly #plan: Planner;
  /** Number of rows. */
  readonly size: number;
  /** Rows in a batch, where `batch` has been called. */
  readonly batchSize: number | undefined;

  private constructor(plan: Planner, size: number, batchSize?: number) {
    this.#plan = plan;
    this.size = size;
    this.batchSize = batchSize;
  }

  /** @throws DataError where the tensors have no rows or not the same number of them. */
  static fromTensors(tensors: { x: TensorOrList; y?: TensorOrList }): Dataset {
    checkOptions("Dataset.fromTensors", tensors, ["x", "y"]);
    const columns = { x: asList(tensors.x), y: asList(tensors.y) };
    const counts = [...columns.x, ...columns.y].map(({ shape }) => shape[0] ?? 0);
    const [rows = 0] = counts;
    if (counts.some((n) => n !== rows)) {
      const received = [...columns.x, ...columns.y].map(({ shape }) => formatShape(shape)).join(", ");
      throw new DataError({
        where: "Dataset",
        problem: "the tensors have different numbers of rows",
        expected: `${rows} rows each`,
        received,
      });
    }
    if (rows === 0)
      throw new DataError({ where: "Dataset", problem: "there are no rows", expected: "at least one example" });
    const order = Int32Array.from({ length: rows }, (_, i) => i);
    return new Dataset(() => Promise.resolve({ columns, order }), rows);
  }

  /** Columns and order of an epoch; what training reads. */
  plan(epoch: number): Promise<EpochPlan> {
    return this.#plan(epoch);
  }

  /** The same rows in a random order. The same seed gives the same order. */
  shuffle(options: ShuffleOptions = {}): Dataset {
    checkOptions("shuffle", options, ["seed", "bufferSize", "reshuffleEachIteration"]);
    const seed = wholeNumber("shuffle", "seed", options.seed ?? 0);
    const buffer =
      options.bufferSize === undefined ? undefined : positiveInteger("shuffle", "bufferSize", options.bufferSize);
    const again = options.reshuffleEachIteration ?? true;
    return this.#derive((plan, epoch) => {
      const key = mixKey(seed, 0x5eed, again ? epoch : 0);
      const order = plan.order.slice();
      return { ...plan, order: buffer === undefined ? shuffleValues(order, key) : shuffleBuffered(order, buffer, key) };
    }, this.size);
  }

  /** The first `count` rows. @throws OptionError where there are not as many. */
  take(count: number): Dataset {
    this.#checkCount("take", count);
    return this.#derive((plan) => ({ ...plan, order: plan.order.slice(0, count) }), count);
  }

  /** All but the first `count` rows. @throws OptionError where none are left. */
  skip(count: number): Dataset {
    this.#checkCount("skip", count);
    return this.#derive((plan) => ({ ...plan, order: plan.order.slice(count) }), this.size - count);
  }

  #checkCount(where: string, count: number): void {
    wholeNumber(where, "count", count);
    const left = where === "take" ? count : this.size - count;
    if (count > this.size || left === 0) {
      const expected = where === "take" ? `1…${this.size}` : `0…${this.size - 1}`;
      throw new OptionError({
        where,
        problem: "no rows are left",
        expected,
        received: String(count),
        fix: "Every dataset needs at least one row.",
      });
    }
  }

  /** Groups rows; the last batch may be smaller. */
  batch(size: number): Dataset {
    return new Dataset(this.#plan, this.size, positiveInteger("batch", "size", size));
  }

  /** Each row replaced by what `change` makes of it, in every epoch anew unless cached. */
  map(change: (example: Example) => Example | Promise<Example>): Dataset {
    return this.#derive(async ({ columns, order }) => {
      const rows: Example[] = [];
      for (const i of order) {
        const row = Int32Array.of(i);
        const one = (t: Tensor): Tensor => t.take(row).reshape(t.shape.slice(1));
        rows.push(await change({ x: columns.x.map(one), y: columns.y.map(one) }));
      }
      return { columns: stackRows(rows), order: Int32Array.from(rows, (_, i) => i) };
    }, this.size);
  }

  /** Keeps the first epoch's rows, in their order, for all that follow. */
  cache(): Dataset {
    let kept: Promise<EpochPlan> | undefined;
    return new Dataset((epoch) => (kept ??= this.#plan(epoch)), this.size, this.batchSize);
  }

  #derive(change: (plan: EpochPlan, epoch: number) => EpochPlan | Promise<EpochPlan>, size: number): Dataset {
    return new Dataset(async (epoch) => change(await this.#plan(epoch), epoch), size, this.batchSize);
  }

  /** Examples, or batches where `batch` has been called. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Example> {
    const { columns, order } = await this.#plan(0);
    const step = this.batchSize ?? 1;
    for (let i = 0; i < order.length; i += step) {
      const rows = order.subarray(i, i + step);
      const some = (t: Tensor): Tensor =>
        this.batchSize === undefined ? t.take(rows).reshape(t.shape.slice(1)) : t.take(rows);
      yield { x: columns.x.map(some), y: columns.y.map(some) };
    }
  }
}

function stackRows(rows: readonly Example[]): Example {
  const stack = (part: "x" | "y"): Tensor[] =>
    (rows[0]?.[part] ?? []).map((first, k) => {
      const data =
        first.dtype === "int32"
          ? new Int32Array(rows.length * first.data.length)
          : new Float32Array(rows.length * first.data.length);
      rows.forEach((row, i) => {
        const value = row[part][k];
        if (value?.data.length !== first.data.length) {
          const received = value === undefined ? "nothing" : formatShape(value.shape);
          throw new DataError({
            where: "map",
            problem: `row ${i} has another shape`,
            expected: formatShape(first.shape),
            received,
          });
        }
        data.set(value.data, i * first.data.length);
      });
      return new Tensor(data, [rows.length, ...first.shape], first.dtype === "int32" ? "int32" : "float32");
    });
  return { x: stack("x"), y: stack("y") };
}

/** A window of rows is kept filled; each draw takes one of it at random. */
function shuffleBuffered(order: Int32Array, size: number, key: readonly [number, number]): Int32Array {
  const window = [...order.subarray(0, size)];
  let next = window.length;
  return order.map((_, i) => {
    const j = bits(key, i) % window.length;
    const drawn = window[j] ?? 0;
    const refill = next < order.length ? order[next++] : window.pop();
    if (refill !== undefined && j < window.length) window[j] = refill;
    return drawn;
  });
}
