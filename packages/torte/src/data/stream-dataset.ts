/** Datasets of examples that come one after the other, as many as there may be. */
import {
  booleanOption,
  checkOptions,
  DataError,
  numberIn,
  OptionError,
  positiveInteger,
  seedOption,
  show,
  wholeNumber,
} from "../errors.js";
import type { Place } from "./augment.js";
import { madeOf, marked } from "./opened.js";
import { needFiles } from "./write.js";
import { mixKey } from "../tensor/random.js";
import {
  asList,
  checkExample,
  eachTensor,
  type Example,
  joinBatches,
  type Parts,
  stack,
  type TensorOrList,
} from "./example.js";
import type * as stages from "./stages.js";

/** Options of a stream's `shuffle`. */
export interface StreamShuffleOptions {
  /** Examples that are held, of which each draw takes one at random; at least 1. */
  readonly bufferSize: number;
  /** Default 0. */
  readonly seed?: number;
  /** A new order in each pass. Default true. */
  readonly reshuffleEachIteration?: boolean;
}

/** Options of a stream's `map`. */
export interface MapOptions {
  /** Changes that are under way at a time, at least 1; results keep their order. Default 1. */
  readonly parallel?: number;
}

/** Options of a stream's `batch`. */
export interface BatchingOptions {
  /** Leave out the last batch where it is not full. Default false. */
  readonly dropRemainder?: boolean;
}

/** Options of a stream's `paddedBatch`. */
export interface PaddingOptions extends BatchingOptions {
  /** What is put behind what is shorter. Default 0. */
  readonly value?: number;
  /** Length of all, at least 1. Default: that of the longest one of the batch. */
  readonly length?: number;
}

/** Options of a stream's `bucketByLength`. */
export interface BucketOptions extends PaddingOptions {
  /** Lengths at which the next bucket begins, growing, each at least 1. */
  readonly boundaries: readonly number[];
  /** Examples of a batch: a number for all buckets, or one for each, of which there is one more than boundaries. */
  readonly batchSize: number | readonly number[];
  /** The length of an example. Default: of its first input. */
  readonly lengthOf?: (example: Example) => number;
}

/** Options of a stream's `window`. */
export interface WindowOptions extends BatchingOptions {
  /** Examples between the beginnings of two windows, at least 1. Default: size. */
  readonly shift?: number;
  /** Distance of two examples of a window, at least 1. Default 1. */
  readonly stride?: number;
}

/** Options of a stream's `interleave`. */
export interface InterleaveOptions {
  /** Streams that are gone through at a time, at least 1. Default 4. */
  readonly cycleLength?: number;
  /** Examples of each in turn, at least 1. Default 1. */
  readonly blockLength?: number;
}

/** Options of a stream's `cache`. */
export interface CacheOptions {
  /** A file to keep the examples in (Node); one that is there already is read. Default: memory. */
  readonly file?: string;
}

type Stages = typeof stages;

/** What a stage gives; stages are loaded when the first element is asked for. */
async function* staged(make: (stages: Stages) => stages.Examples): AsyncGenerator<Parts> {
  yield* make(await import("./stages.js"));
}

/** Gives the examples of a pass, counted from 0. */
export type Passes = (pass: number) => stages.Examples;

/** What can be put behind or beside a stream. */
export interface Streamed<X extends TensorOrList, Y extends TensorOrList | undefined> {
  stream(): StreamDataset<X, Y>;
}

/** The stream of random numbers that orders are drawn from. */
const ORDER = 0x5eed;

/**
 * Examples that come one after the other: more than memory holds, or as many as a filter leaves. What `Dataset.fromGenerator` and
 * `Dataset.fromFile` give, and methods of `Dataset` that do not know how many rows will be left.
 *
 * Immutable: every method returns a new one, and nothing is read before it is asked for, nor more than is. A pass goes through all
 * examples; the next one begins anew, in another order where it is shuffled. `fit` makes each epoch a pass.
 *
 * @example
 * import { Dataset, tensor } from "torte";
 * const numbers = Dataset.fromGenerator(function* () {
 *   for (let i = 0; i < 10; i++) yield { x: tensor([i]) };
 * });
 * const even = numbers.filter(({ x }) => x.data[0]! % 2 === 0).batch(3);
 * for await (const { x } of even) console.log(x.shape); // [ 3, 1 ]
 */
export class StreamDataset<
  X extends TensorOrList = TensorOrList,
  Y extends TensorOrList | undefined = TensorOrList | undefined,
> {
  readonly #passes: Passes;
  readonly #isBatched: boolean;
  #iterations = 0;

  constructor(passes: Passes, isBatched = false) {
    this.#passes = passes;
    this.#isBatched = isBatched;
  }

  /** Whether its elements are batches, not examples. */
  get isBatched(): boolean {
    return this.#isBatched;
  }

  /** The examples or batches of a pass, counted from 0. */
  pass(pass: number): stages.Examples {
    return this.#passes(wholeNumber("pass", "pass", pass));
  }

  stream(): this {
    return this;
  }

  #then(
    stage: (stages: Stages, source: stages.Examples, pass: number) => stages.Examples,
    isBatched = this.#isBatched,
  ): StreamDataset<X, Y> {
    const made = new StreamDataset<X, Y>(
      (pass) => staged((stages) => stage(stages, this.#passes(pass), pass)),
      isBatched,
    );
    return madeOf(made, this);
  }

  /**
   * Each example, or batch, replaced by what `change` makes of it, anew in every pass; it is told the number of the pass and of the element.
   *
   * @throws DataError for what is none.
   */
  map<A extends TensorOrList, B extends TensorOrList | undefined = undefined>(
    change: (example: Example<X, Y>, place: Place) => Parts<A, B> | Promise<Parts<A, B>>,
    options: MapOptions = {},
  ): StreamDataset<A, B> {
    checkFunction("map", "change", change);
    checkOptions("map", options, ["parallel"]);
    const parallel = positiveInteger("map", "parallel", options.parallel ?? 1);
    const checked = (pass: number): ((example: Parts) => Promise<Parts>) => {
      let next = 0;
      return async (example) => {
        const result: unknown = await change(example as Example<X, Y>, { pass, index: next++ });
        checkExample("map", result);
        return result;
      };
    };
    return this.#then((stages, source, pass) =>
      stages.mapped(source, checked(pass), parallel),
    ) as unknown as StreamDataset<A, B>;
  }

  /** The examples, or batches, for which `keep` is true. */
  filter(keep: (example: Example<X, Y>) => boolean | Promise<boolean>): StreamDataset<X, Y> {
    checkFunction("filter", "keep", keep);
    return this.#then((stages, source) => stages.filtered(source, (example) => keep(example as Example<X, Y>)));
  }

  /** A random order, the same one for the same seed and pass, drawn from a window of examples as tf.data does. */
  shuffle(options: StreamShuffleOptions): StreamDataset<X, Y> {
    checkOptions("shuffle", options, ["bufferSize", "seed", "reshuffleEachIteration"]);
    const size = positiveInteger("shuffle", "bufferSize", options.bufferSize);
    const seed = seedOption("shuffle", options.seed ?? 0);
    const again = booleanOption("shuffle", "reshuffleEachIteration", options.reshuffleEachIteration ?? true);
    return this.#then((stages, source, pass) => stages.shuffled(source, size, mixKey(seed, ORDER, again ? pass : 0)));
  }

  /** Batches of examples of one form; the last one is smaller where they do not fill it. */
  batch(size: number, options: BatchingOptions = {}): StreamDataset<X, Y> {
    checkOptions("batch", options, ["dropRemainder"]);
    const grouping = this.#grouping("batch", size, options);
    return this.#then((stages, source) => stages.batched(source, grouping), true);
  }

  /** Batches of examples that differ in length, filled up at their end to the longest one of the batch. */
  paddedBatch(size: number, options: PaddingOptions = {}): StreamDataset<X, Y> {
    const where = "paddedBatch";
    checkOptions(where, options, ["dropRemainder", "value", "length"]);
    const [grouping, join] = [this.#grouping(where, size, options), padding(where, options)];
    return this.#then((stages, source) => stages.batched(source, grouping, join(stages)), true);
  }

  /** Batches of examples of similar length, so that little is filled up: each waits in a bucket until that has enough for a batch. */
  bucketByLength(options: BucketOptions): StreamDataset<X, Y> {
    const where = "bucketByLength";
    checkOptions(where, options, ["boundaries", "batchSize", "lengthOf", "dropRemainder", "value", "length"]);
    const boundaries = growing(where, options.boundaries);
    const { batchSize } = options;
    const list: readonly number[] =
      typeof batchSize === "number" ? Array<number>(boundaries.length + 1).fill(batchSize) : batchSize;
    if (!Array.isArray(list) || list.length !== boundaries.length + 1)
      throw new OptionError({
        where,
        problem: "batchSize has the wrong length",
        expected: `a number, or ${boundaries.length + 1} of them`,
        received: show(batchSize),
      });
    const [first = 1] = list.map((size) => positiveInteger(where, "batchSize", size));
    const { dropRemainder } = this.#grouping(where, first, options);
    const lengthOf = (options.lengthOf ?? firstLength) as (example: Parts) => number;
    checkFunction(where, "lengthOf", lengthOf);
    const join = padding(where, options);
    return this.#then(
      (stages, source) =>
        stages.bucketed(source, { boundaries, sizes: list, lengthOf, join: join(stages), dropRemainder }),
      true,
    );
  }

  /** Windows of `size` examples that follow each other, as examples with one more axis; what is left at the end are shorter ones. */
  window(size: number, options: WindowOptions = {}): StreamDataset<X, Y> {
    const where = "window";
    checkOptions(where, options, ["dropRemainder", "shift", "stride"]);
    const grouping = this.#grouping(where, size, options);
    const shift = positiveInteger(where, "shift", options.shift ?? size);
    const stride = positiveInteger(where, "stride", options.stride ?? 1);
    return this.#then((stages, source) => stages.windowed(source, { ...grouping, shift, stride }));
  }

  #grouping(where: string, size: number, { dropRemainder = false }: BatchingOptions): stages.Grouping {
    if (this.#isBatched)
      throw new OptionError({
        where,
        problem: "the dataset is in batches already",
        expected: "examples",
        fix: `Call ${where} before batch.`,
      });
    return {
      size: positiveInteger(where, "size", size),
      dropRemainder: booleanOption(where, "dropRemainder", dropRemainder),
    };
  }

  /** The first `count` elements of each pass, or as many as there are. */
  take(count: number): StreamDataset<X, Y> {
    const most = wholeNumber("take", "count", count);
    return this.#then((stages, source) => stages.taken(source, most));
  }

  /** All but the first `count` elements of each pass. */
  skip(count: number): StreamDataset<X, Y> {
    const left = wholeNumber("skip", "count", count);
    return this.#then((stages, source) => stages.skipped(source, left));
  }

  /** All elements `count` times, each time as a pass of its own. Default: without end. */
  repeat(count?: number): StreamDataset<X, Y> {
    const times = count === undefined ? Infinity : positiveInteger("repeat", "count", count);
    const passes = this.#passes;
    const repeated = new StreamDataset<X, Y>(async function* (pass) {
      const first = times === Infinity ? pass : pass * times;
      for (let i = 0; i < times; i++) {
        let some = false;
        for await (const example of passes(first + i)) {
          some = true;
          yield example;
        }
        // Nothing without end would never give anything, nor end.
        if (!some) return;
      }
    }, this.#isBatched);
    return madeOf(repeated, this);
  }

  /** The elements of this dataset, then those of the other one. */
  concatenate(other: Streamed<X, Y>): StreamDataset<X, Y> {
    const next = streamOf("concatenate", other);
    if (next.isBatched !== this.#isBatched) throw unlike("concatenate");
    const both = new StreamDataset<X, Y>(
      (pass) => staged((stages) => stages.joined([() => this.#passes(pass), () => next.pass(pass)])),
      this.#isBatched,
    );
    return madeOf(both, this, next);
  }

  /** The elements of two datasets side by side, put together by `combine`; it ends with the shorter one. */
  zip<
    A extends TensorOrList,
    B extends TensorOrList | undefined,
    C extends TensorOrList,
    D extends TensorOrList | undefined = undefined,
  >(
    other: Streamed<A, B>,
    combine: (one: Example<X, Y>, other: Example<A, B>) => Parts<C, D> | Promise<Parts<C, D>>,
  ): StreamDataset<C, D> {
    checkFunction("zip", "combine", combine);
    const beside = streamOf("zip", other);
    if (beside.isBatched !== this.#isBatched) throw unlike("zip");
    const combined = async (a: Parts, b: Parts): Promise<Parts> => {
      const result: unknown = await combine(a as Example<X, Y>, b as Example<A, B>);
      checkExample("zip", result);
      return result;
    };
    const pairs = new StreamDataset<C, D>(
      (pass) => staged((stages) => stages.zipped(this.#passes(pass), beside.pass(pass), combined)),
      this.#isBatched,
    );
    return madeOf(pairs, this, beside);
  }

  /** Of each element a dataset of its own, several of which are gone through in turn: files of a list, for example. */
  interleave<A extends TensorOrList, B extends TensorOrList | undefined>(
    open: (example: Example<X, Y>) => Streamed<A, B> | Promise<Streamed<A, B>>,
    options: InterleaveOptions = {},
  ): StreamDataset<A, B> {
    const where = "interleave";
    checkFunction(where, "open", open);
    checkOptions(where, options, ["cycleLength", "blockLength"]);
    const cycle = positiveInteger(where, "cycleLength", options.cycleLength ?? 4);
    const block = positiveInteger(where, "blockLength", options.blockLength ?? 1);
    const inTurn = new StreamDataset<A, B>((pass) => {
      const opened = async (example: Parts): Promise<stages.Examples> => {
        const stream = streamOf(where, await open(example as Example<X, Y>));
        madeOf(inTurn, stream);
        return stream.pass(pass);
      };
      return staged((stages) => stages.interleaved(this.#passes(pass), opened, { cycle, block }));
    });
    return madeOf(inTurn, this);
  }

  /** Asks for elements before they are needed, `count` at most, so that whoever makes them and whoever takes them work at a time. */
  prefetch(count = 1): StreamDataset<X, Y> {
    const most = positiveInteger("prefetch", "count", count);
    return this.#then((stages, source) => stages.ahead(source, most));
  }

  /**
   * Keeps the elements of the first pass that comes to its end, in their order, for all that follow: in memory, or in a file, which
   * is whole or not there.
   */
  cache(options: CacheOptions = {}): StreamDataset<X, Y> {
    checkOptions("cache", options, ["file"]);
    const { file } = options;
    if (file === undefined) return this.#inMemory();
    needFiles("cache");
    const passes = this.#passes;
    const kept = new StreamDataset<X, Y>(async function* (pass) {
      const { fromDisk, isKept, keptOnDisk } = await import("./disk-cache.js");
      yield* (await isKept(file)) ? fromDisk(file) : keptOnDisk(passes(pass), file);
    }, this.#isBatched);
    return madeOf(kept, this);
  }

  #inMemory(): StreamDataset<X, Y> {
    const passes = this.#passes;
    let kept: readonly Parts[] | undefined;
    const inMemory = new StreamDataset<X, Y>(async function* (pass) {
      if (kept !== undefined) {
        yield* kept;
        return;
      }
      const all: Parts[] = [];
      for await (const example of passes(pass)) {
        all.push(example);
        yield example;
      }
      kept = all;
    }, this.#isBatched);
    return madeOf(inMemory, this);
  }

  /**
   * All rows of the first pass in memory, for `Dataset.fromTensors`: what fits trains without anything in between.
   *
   * @throws DataError where there are none, or where they are not of one form.
   */
  async collect(): Promise<Parts<X, Y>> {
    const all: Parts[] = [];
    for await (const example of this.#passes(0)) all.push(example);
    const [first, ...others] = all;
    if (first === undefined) throw new DataError({ where: "collect", problem: "there are no examples" });
    const join = this.#isBatched ? joinBatches : stack;
    return eachTensor(join("collect", [first, ...others]), (tensor) => madeOf(tensor, this)) as Parts<X, Y>;
  }

  /** Examples or batches. Each time the dataset is iterated is a pass of its own, the first being pass 0. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Example<X, Y>> {
    for await (const example of this.#passes(this.#iterations++)) yield marked(example, this) as Example<X, Y>;
  }
}

export function checkFunction(where: string, name: string, value: unknown): void {
  if (typeof value === "function") return;
  throw new OptionError({
    where,
    problem: `${name} has the wrong type`,
    expected: "a function",
    received: show(value),
  });
}

function streamOf<X extends TensorOrList, Y extends TensorOrList | undefined>(
  where: string,
  given: Streamed<X, Y>,
): StreamDataset<X, Y> {
  const stream: unknown = (given as Partial<Streamed<X, Y>> | undefined)?.stream;
  if (typeof stream === "function") return given.stream();
  throw new OptionError({ where, problem: "this is no dataset", expected: "a dataset", received: show(given) });
}

const unlike = (where: string): OptionError =>
  new OptionError({ where, problem: "one of the datasets is in batches, the other one is not" });

function padding(where: string, { value = 0, length }: PaddingOptions) {
  const filling = {
    value: numberIn(where, "value", value),
    length: length === undefined ? undefined : positiveInteger(where, "length", length),
  };
  return (stages: Stages) =>
    (examples: readonly [Parts, ...Parts[]]): Parts =>
      stages.stackPadded(where, examples, filling);
}

function growing(where: string, boundaries: unknown): readonly number[] {
  const list: readonly unknown[] = Array.isArray(boundaries) ? boundaries : [];
  const fits = (n: unknown, i: number): n is number =>
    Number.isSafeInteger(n) && Number(n) >= 1 && (i === 0 || Number(n) > Number(list[i - 1]));
  if (list.length > 0 && list.every(fits)) return list;
  throw new OptionError({
    where,
    problem: "boundaries has the wrong form",
    expected: "whole numbers of at least 1 that grow",
    received: show(boundaries),
  });
}

const firstLength = ({ x }: Parts): number => asList(x)[0]?.shape[0] ?? 0;

/** The examples of a generator, with what is none refused by its number. */
export async function* checkedExamples(where: string, given: unknown): AsyncGenerator<Parts> {
  const isIterable = (value: unknown): value is Iterable<unknown> | AsyncIterable<unknown> =>
    typeof value === "object" && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value);
  if (!isIterable(given))
    throw new DataError({
      where,
      problem: "the function gives no examples",
      expected: "what can be iterated, such as a generator",
      received: show(given),
    });
  let count = 0;
  for await (const example of given) {
    checkExample(`${where}, example ${count++}`, example);
    yield example;
  }
}
