/** Datasets: rows of tensors and the order in which they are visited, composed lazily. */
import {
  booleanOption,
  checkOptions,
  DataError,
  OptionError,
  positiveInteger,
  seedOption,
  show,
  wholeNumber,
} from "../errors.js";
import { inTurns } from "../turns.js";
import type { Place } from "./augment.js";
import { mapped } from "./mapped.js";
import { madeOf, marked } from "./opened.js";
import {
  checkedExamples,
  checkFunction,
  type InterleaveOptions,
  type MapOptions,
  type PaddingOptions,
  StreamDataset,
  type Streamed,
  type WindowOptions,
} from "./stream-dataset.js";
import type { Cell, TableStream } from "./table.js";
import { boundedDraws, type Key, mixKey, shuffling as shufflingAll } from "../tensor/random.js";
import { Tensor } from "../tensor/tensor.js";
import {
  checkExample,
  type Columns,
  columnsOf as inColumns,
  countRows,
  type Example,
  type Parts,
  joinBatches,
  rowOf,
  stack,
  takeRows,
  type TensorOrList,
} from "./example.js";

export type { Columns, Example, NamedTensors, Parts, TensorOrList } from "./example.js";

/** All rows of a dataset, and the order of one epoch. */
export interface EpochPlan {
  /** The same object in every epoch, unless a `map` that is not cached makes a new one. */
  readonly columns: Columns;
  /** Rows of the columns; each at most once. */
  readonly order: Int32Array;
  /** Rows in a batch, where `batch` has been called. */
  readonly batchSize: number | undefined;
  /** The rows of an incomplete last batch are not in `order`. */
  readonly dropRemainder: boolean;
}

/** Options of a dataset's `shuffle`. */
export interface ShuffleOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Draw from a window of this many rows, as tf.data does. Default: all rows, which is a uniform shuffle. */
  readonly bufferSize?: number;
  /** A new order in each epoch. Default true. */
  readonly reshuffleEachIteration?: boolean;
}

/** How a dataset is cut into batches. */
export interface BatchOptions {
  /** Leave out the last batch where it is not full. Default false. */
  readonly dropRemainder?: boolean;
}

type Change = (example: Parts, place: Place) => Parts | Promise<Parts>;

/** One epoch before its maps are applied. They commute with the order, so that only rows that are visited are mapped. */
interface Epoch {
  /** Its number, from 0. */
  readonly pass: number;
  readonly all: Parts;
  readonly order: Int32Array;
  readonly rowMaps: readonly Change[];
  readonly batchMaps: readonly Change[];
  /** Maps that are under way at a time. */
  readonly parallel: number;
}

/** What is known of all epochs alike. */
interface Form {
  readonly rows: number;
  readonly batchSize: number | undefined;
  readonly dropRemainder: boolean;
}

const UNBATCHED = { batchSize: undefined, dropRemainder: false } as const;
/** The stream of random numbers that orders are drawn from. */
const ORDER = 0x5eed;

/**
 * Rows of one tensor or of several, in an order.
 *
 * Immutable: every method returns a new dataset, and nothing is computed before the rows are asked for. Training keeps the
 * tensors in the engine and sends only the order of each epoch.
 *
 * `take` and `skip` decide by the order of the first epoch, and keep to those rows in all epochs, however often an earlier
 * `shuffle` changes the order: `data.shuffle().take(n)` and `data.shuffle().skip(n)` never share a row.
 *
 * @example
 * import { Dataset, tensor } from "torte";
 * const data = Dataset.fromTensors({ x: tensor([[1], [2], [3]]), y: tensor([0, 1, 1]) });
 * for await (const { x, y } of data.shuffle({ seed: 1 }).batch(2)) {
 *   console.log(x.shape, y.shape); // [2, 1] [2]
 * }
 */
export class Dataset<
  X extends TensorOrList = TensorOrList,
  Y extends TensorOrList | undefined = TensorOrList | undefined,
> {
  readonly #epoch: (epoch: number) => Promise<Epoch>;
  readonly #form: Form;
  #iterations = 0;

  private constructor(epoch: (epoch: number) => Promise<Epoch>, form: Form) {
    this.#epoch = epoch;
    this.#form = form;
    if (this.size === 0) {
      throw new OptionError({
        where: "batch",
        problem: "no batch is left",
        expected: `a size of at most ${form.rows} with dropRemainder`,
        received: String(form.batchSize),
      });
    }
  }

  /**
   * Slices of the tensors along their first axis. `x` is one tensor, or a list with one for each input of the model.
   *
   * @throws DataError where the tensors have no rows or not the same number of them.
   */
  static fromTensors<X extends TensorOrList, Y extends TensorOrList | undefined = undefined>(
    tensors: Parts<X, Y>,
  ): Dataset<X, Y>;
  static fromTensors<X extends TensorOrList, Y extends TensorOrList | undefined = undefined>(
    x: X,
    y?: Y,
  ): Dataset<X, Y>;
  static fromTensors(first: TensorOrList | Parts, second?: TensorOrList): Dataset {
    const where = "Dataset.fromTensors";
    const given =
      first instanceof Tensor || Array.isArray(first)
        ? { x: first, ...(second === undefined ? {} : { y: second }) }
        : first;
    checkOptions(where, given, ["x", "y", "sampleWeight"]);
    checkExample(where, given);
    const rows = countRows(where, given);
    const order = identity(rows);
    return new Dataset(
      (pass) => Promise.resolve({ pass, all: given, order, rowMaps: [], batchMaps: [], parallel: 1 }),
      { rows, ...UNBATCHED },
    );
  }

  /**
   * Examples that a generator makes, anew for each pass over them, counted from 0; also what else can be iterated.
   *
   * @throws DataError, when they are read, for what is no example.
   * @example
   * import { Dataset, tensor } from "torte";
   * const lengths = Dataset.fromGenerator(function* (pass) {
   *   for (let n = 1; n <= 3; n++) yield { x: tensor(new Float32Array(n).fill(pass)) };
   * });
   * for await (const { x } of lengths.paddedBatch(3)) console.log(x.toArray()); // [ [ 0, 0, 0 ], [ 0, 0, 0 ], [ 0, 0, 0 ] ]
   */
  static fromGenerator<X extends TensorOrList, Y extends TensorOrList | undefined = undefined>(
    make: (pass: number) => Iterable<Parts<X, Y>> | AsyncIterable<Parts<X, Y>>,
  ): StreamDataset<X, Y> {
    const where = "Dataset.fromGenerator";
    checkFunction(where, "make", make);
    return new StreamDataset<X, Y>((pass) => checkedExamples(where, make(pass)));
  }

  /**
   * Rows of a file as examples, read anew in each pass, part by part: FASTA (.fasta, .fa, .faa, .fna) and JSON lines (.jsonl,
   * .ndjson), plain or gzip, by the file's name; other formats by a function that opens them, such as
   * `() => openTable("proteins.csv")` with `@torte/data`.
   *
   * @throws DataError, when it is read, for what cannot be read, or is no example.
   * @example
   * import { Dataset, openJsonLines, tensor } from "torte";
   * const file = new TextEncoder().encode('{"a":1,"b":0}\n{"a":2,"b":1}\n');
   * const data = Dataset.fromFile(() => openJsonLines(file), ({ a, b }) => ({ x: tensor([Number(a)]), y: tensor(Number(b)) }));
   * for await (const { x } of data.batch(2)) console.log(x.toArray()); // [ [ 1 ], [ 2 ] ]
   */
  static fromFile<X extends TensorOrList, Y extends TensorOrList | undefined = undefined>(
    file: string | URL | (() => TableStream | Promise<TableStream>),
    encode: (row: Readonly<Record<string, Cell>>) => Parts<X, Y> | Promise<Parts<X, Y>>,
  ): StreamDataset<X, Y> {
    const where = "Dataset.fromFile";
    checkFunction(where, "encode", encode);
    return new StreamDataset<X, Y>(() => checkedExamples(where, rowsOfFile(where, file, encode)));
  }

  /** Of an opened test, one that nothing may be learnt from either. */
  #derived<A extends TensorOrList, B extends TensorOrList | undefined>(
    epoch: (epoch: number) => Promise<Epoch>,
    form: Form,
  ): Dataset<A, B> {
    return madeOf(new Dataset<A, B>(epoch, form), this);
  }

  /** Number of rows, batched or not. */
  get size(): number {
    const { rows, batchSize, dropRemainder } = this.#form;
    return dropRemainder && batchSize !== undefined ? rows - (rows % batchSize) : rows;
  }

  /** Number of elements: of batches where `batch` has been called, else of rows. */
  get length(): number {
    return Math.ceil(this.size / (this.#form.batchSize ?? 1));
  }

  /** Rows in a batch, where `batch` has been called. */
  get batchSize(): number | undefined {
    return this.#form.batchSize;
  }

  /** Columns and order of an epoch; what training reads. */
  async plan(epoch: number): Promise<EpochPlan> {
    const { all, order } = await this.#mapped(wholeNumber("plan", "epoch", epoch));
    const { batchSize, dropRemainder } = this.#form;
    return { columns: columnsOf(all), order: order.subarray(0, this.size), batchSize, dropRemainder };
  }

  /**
   * The same rows in a random order: the same one for the same seed and epoch. Of a dataset in batches, the rows are
   * shuffled and batched anew.
   */
  shuffle(options: ShuffleOptions = {}): Dataset<X, Y> {
    checkOptions("shuffle", options, ["seed", "bufferSize", "reshuffleEachIteration"]);
    const seed = seedOption("shuffle", options.seed ?? 0);
    const buffer = positiveInteger("shuffle", "bufferSize", options.bufferSize ?? this.#form.rows);
    const again = booleanOption("shuffle", "reshuffleEachIteration", options.reshuffleEachIteration ?? true);
    return this.#reordered(async (epoch) => {
      const key = mixKey(seed, ORDER, again ? epoch : 0);
      const { order } = await this.#epoch(epoch);
      return buffer >= order.length ? inTurns(shufflingAll(order.slice(), key)) : shuffleBuffered(order, buffer, key);
    }, this.#form.rows);
  }

  /** The first `count` elements. @throws OptionError where there are not as many, or `count` is 0. */
  take(count: number): Dataset<X, Y> {
    const [rows] = this.#cut("take", count, 1, this.length);
    return this.#part((order) => order.subarray(0, rows), rows);
  }

  /** All but the first `count` elements. @throws OptionError where none are left. */
  skip(count: number): Dataset<X, Y> {
    const [rows, left] = this.#cut("skip", count, 0, this.length - 1);
    return this.#part((order) => order.subarray(rows), left);
  }

  /** Rows in `count` elements, and rows in the others. */
  #cut(where: string, count: number, least: number, most: number): [rows: number, left: number] {
    if (!Number.isInteger(count) || count < least || count > most) {
      const unit = this.#form.batchSize === undefined ? "rows" : "batches";
      throw new OptionError({
        where,
        problem: "count is out of range",
        expected: `a whole number from ${least} to ${most} (the dataset has ${this.length} ${unit})`,
        received: show(count),
      });
    }
    const rows = Math.min(count * (this.#form.batchSize ?? 1), this.#form.rows);
    return [rows, this.#form.rows - rows];
  }

  /** The elements at these positions of the first epoch, in this order; not of a dataset in batches. */
  select(positions: ArrayLike<number>): Dataset<X, Y> {
    this.#unbatched("select");
    const chosen = Int32Array.from(positions);
    const seen = new Uint8Array(this.size);
    chosen.forEach((position, i) => {
      if (position !== positions[i] || seen[position] !== 0) {
        const expected = `different whole numbers from 0 to ${this.size - 1}`;
        throw new OptionError({
          where: "select",
          problem: `position ${i} is out of range or repeated`,
          expected,
          received: show(positions[i]),
        });
      }
      seen[position] = 1;
    });
    if (chosen.length === 0)
      throw new OptionError({ where: "select", problem: "there are no positions", expected: "at least one" });
    return this.#reordered(async () => {
      const { order } = await this.#epoch(0);
      return chosen.map((position) => order[position] ?? 0);
    }, chosen.length);
  }

  /** Elements of `size` rows; the last one is smaller where the rows do not fill it. */
  batch(size: number, options: BatchOptions = {}): Dataset<X, Y> {
    checkOptions("batch", options, ["dropRemainder"]);
    this.#unbatched("batch");
    return this.#derived(this.#epoch, {
      rows: this.#form.rows,
      batchSize: positiveInteger("batch", "size", size),
      dropRemainder: booleanOption("batch", "dropRemainder", options.dropRemainder ?? false),
    });
  }

  #unbatched(where: string): void {
    if (this.#form.batchSize === undefined) return;
    throw new OptionError({
      where,
      problem: "the dataset is in batches already",
      expected: "rows",
      fix: `Call ${where} before batch.`,
    });
  }

  /**
   * Each element replaced by what `change` makes of it: rows, or batches where `batch` has been called (their number of
   * rows must stay). Done anew in every epoch, whose number and the row's (or batch's) `change` is told; `cache` keeps the results.
   *
   * @throws DataError, when the rows are read, where the results do not have one form.
   */
  map<A extends TensorOrList, B extends TensorOrList | undefined = undefined>(
    change: (example: Example<X, Y>, place: Place) => Parts<A, B> | Promise<Parts<A, B>>,
    options: MapOptions = {},
  ): Dataset<A, B> {
    checkFunction("map", "change", change);
    checkOptions("map", options, ["parallel"]);
    const parallel = positiveInteger("map", "parallel", options.parallel ?? 1);
    // Elements have the form (X, Y) by construction; the class does not carry the proof through its stages.
    const added = change as unknown as Change;
    return this.#derived(async (epoch) => {
      const epochBefore = await this.#epoch(epoch);
      const before = { ...epochBefore, parallel: Math.max(epochBefore.parallel, parallel) };
      return this.#form.batchSize === undefined
        ? { ...before, rowMaps: [...before.rowMaps, added] }
        : { ...before, batchMaps: [...before.batchMaps, added] };
    }, this.#form);
  }

  /** Keeps the elements of the first epoch, in their order, for all epochs. */
  cache(): Dataset<X, Y> {
    let kept: Promise<Epoch> | undefined;
    return this.#derived(() => {
      kept ??= this.#mapped(0).catch((error: unknown) => {
        kept = undefined;
        throw error;
      });
      return kept;
    }, this.#form);
  }

  #reordered(order: (epoch: number) => Promise<Int32Array>, rows: number): Dataset<X, Y> {
    return this.#derived(async (epoch) => ({ ...(await this.#epoch(epoch)), order: await order(epoch) }), {
      ...this.#form,
      rows,
    });
  }

  /** The rows that `choose` takes of the first epoch, in the order of each epoch. */
  #part(choose: (order: Int32Array) => Int32Array, rows: number): Dataset<X, Y> {
    return this.#reordered(async (epoch) => {
      const chosen = choose((await this.#epoch(0)).order);
      if (epoch === 0) return chosen;
      const { all, order } = await this.#epoch(epoch);
      const isChosen = new Uint8Array(columnsOf(all).x[0]?.shape[0] ?? 0);
      for (const row of chosen) isChosen[row] = 1;
      return order.filter((row) => isChosen[row] === 1);
    }, rows);
  }

  /** Rows or batches. Each time the dataset is iterated is an epoch of its own, the first being epoch 0. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Example<X, Y>> {
    const epoch = await this.#epoch(this.#iterations++);
    // As in map: the elements have this form by construction.
    for await (const element of this.#elements(epoch)) yield marked(element, this) as Example<X, Y>;
  }

  #elements({ pass, all, order, rowMaps, batchMaps, parallel }: Epoch): AsyncGenerator<Parts> {
    const { batchSize } = this.#form;
    const { size } = this;
    if (batchSize === undefined)
      return mapped(order.subarray(0, size), (index) => apply(rowMaps, rowOf(all, index), { pass, index }), parallel);
    let batch = 0;
    const batches = function* (): Generator<Int32Array> {
      for (let i = 0; i < size; i += batchSize) yield order.subarray(i, Math.min(i + batchSize, size));
    };
    const ofBatch = async (rows: Int32Array): Promise<Parts> => {
      const index = batch++;
      return apply(batchMaps, await rowsOf(all, rows, rowMaps, { pass, parallel }), { pass, index }, true);
    };
    return mapped(batches(), ofBatch, batchMaps.length === 0 ? 1 : parallel);
  }

  /** The elements one after the other, each pass being an epoch: for what does not know how many will be left. */
  stream(): StreamDataset<X, Y> {
    const elements = async function* (this: Dataset<X, Y>, pass: number): AsyncGenerator<Parts> {
      yield* this.#elements(await this.#epoch(pass));
    }.bind(this);
    return madeOf(new StreamDataset<X, Y>(elements, this.#form.batchSize !== undefined), this);
  }

  /** The elements for which `keep` is true. */
  filter(keep: (example: Example<X, Y>) => boolean | Promise<boolean>): StreamDataset<X, Y> {
    return this.stream().filter(keep);
  }

  /** As of a StreamDataset: all elements `count` times. */
  repeat(count?: number): StreamDataset<X, Y> {
    return this.stream().repeat(count);
  }

  /** As of a StreamDataset: batches of rows that differ in length. */
  paddedBatch(size: number, options: PaddingOptions = {}): StreamDataset<X, Y> {
    return this.stream().paddedBatch(size, options);
  }

  /** As of a StreamDataset: windows of rows that follow each other. */
  window(size: number, options: WindowOptions = {}): StreamDataset<X, Y> {
    return this.stream().window(size, options);
  }

  /** As of a StreamDataset: elements asked for before they are needed. */
  prefetch(count = 1): StreamDataset<X, Y> {
    return this.stream().prefetch(count);
  }

  /** As of a StreamDataset: the elements of this dataset, then those of the other one. */
  concatenate(other: Streamed<X, Y>): StreamDataset<X, Y> {
    return this.stream().concatenate(other);
  }

  /** As of a StreamDataset: the elements of two datasets side by side. */
  zip<
    A extends TensorOrList,
    B extends TensorOrList | undefined,
    C extends TensorOrList,
    D extends TensorOrList | undefined = undefined,
  >(
    other: Streamed<A, B>,
    combine: (one: Example<X, Y>, other: Example<A, B>) => Parts<C, D> | Promise<Parts<C, D>>,
  ): StreamDataset<C, D> {
    return this.stream().zip(other, combine);
  }

  /** As of a StreamDataset: of each element a dataset of its own, several of which are gone through in turn. */
  interleave<A extends TensorOrList, B extends TensorOrList | undefined>(
    open: (example: Example<X, Y>) => Streamed<A, B> | Promise<Streamed<A, B>>,
    options: InterleaveOptions = {},
  ): StreamDataset<A, B> {
    return this.stream().interleave(open, options);
  }

  /** The epoch with its maps applied, to all rows that are visited. */
  async #mapped(epoch: number): Promise<Epoch> {
    const before = await this.#epoch(epoch);
    if (before.rowMaps.length === 0 && before.batchMaps.length === 0) return before;
    const elements: Parts[] = [];
    for await (const element of this.#elements(before)) elements.push(element);
    const [first, ...others] = elements;
    if (first === undefined) throw new DataError({ where: "map", problem: "there are no rows" });
    const all =
      this.#form.batchSize === undefined ? stack("map", [first, ...others]) : joinBatches("map", [first, ...others]);
    return { pass: epoch, all, order: identity(this.size), rowMaps: [], batchMaps: [], parallel: 1 };
  }
}

async function apply(maps: readonly Change[], example: Parts, place: Place, keepRows = false): Promise<Parts> {
  let result = example;
  for (const map of maps) {
    const rows = keepRows ? countRows("map", result) : 0;
    result = await map(result, place);
    checkExample("map", result);
    if (keepRows && countRows("map", result) !== rows) {
      const received = String(countRows("map", result));
      throw new DataError({
        where: "map",
        problem: "the batch has another number of rows than before",
        expected: String(rows),
        received,
      });
    }
  }
  return result;
}

async function rowsOf(
  all: Parts,
  rows: Int32Array,
  maps: readonly Change[],
  { pass, parallel }: { readonly pass: number; readonly parallel: number },
): Promise<Parts> {
  if (maps.length === 0) return takeRows(all, rows);
  const examples: Parts[] = [];
  const change = (index: number): Promise<Parts> => apply(maps, rowOf(all, index), { pass, index });
  for await (const example of mapped(rows, change, parallel)) examples.push(example);
  return stack("map", examples as [Parts, ...Parts[]]);
}

/** Formats that need no other package, by the end of the file's name. */
const FORMATS: readonly (readonly [pattern: RegExp, open: (file: string | URL) => Promise<TableStream>])[] = [
  [/\.(fasta|fa|faa|fna)(\.gz)?$/i, async (file) => (await import("./fasta.js")).openFasta(file)],
  [/\.(jsonl|ndjson)(\.gz)?$/i, async (file) => (await import("./json-lines.js")).openJsonLines(file)],
];

async function* rowsOfFile(
  where: string,
  file: string | URL | (() => TableStream | Promise<TableStream>),
  encode: (row: Readonly<Record<string, Cell>>) => unknown,
): AsyncGenerator {
  const open = typeof file === "function" ? file : FORMATS.find(([pattern]) => pattern.test(String(file)))?.[1];
  if (open === undefined) {
    throw new DataError({
      where,
      problem: "the format is not known by the file's name",
      expected: ".fasta, .fa, .faa, .fna, .jsonl or .ndjson",
      received: String(file),
      fix: 'Give a function that opens it: () => openTable("proteins.csv"), from @torte/data.',
    });
  }
  const { columns, batches } = await open(file as string | URL);
  for await (const { rows } of batches)
    for (const row of rows) yield await encode(Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null])));
}

function identity(rows: number): Int32Array {
  const order = new Int32Array(rows);
  for (let i = 0; i < rows; i++) order[i] = i;
  return order;
}

/** One object for the same tensors, so that training can tell by identity that they are in the engine already. */
const knownColumns = new WeakMap<Parts, Columns>();

function columnsOf(all: Parts): Columns {
  const columns = knownColumns.get(all) ?? inColumns(all);
  knownColumns.set(all, columns);
  return columns;
}

/** A window of `size` rows; each draw takes one of it at random and lets the next row in. */
function shuffleBuffered(order: Int32Array, size: number, key: Key): Int32Array {
  const below = boundedDraws(key);
  const window = order.slice(0, size);
  let filled = window.length;
  return order.map((_, i) => {
    const j = below(filled);
    const drawn = window[j] ?? 0;
    const next = i + size < order.length ? order[i + size] : window[--filled];
    window[j] = next ?? 0;
    return drawn;
  });
}
