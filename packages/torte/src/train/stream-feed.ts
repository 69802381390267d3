/** Batches of a stream as steps to train on. Loaded where data is a stream. */
import type { Columns } from "../data/dataset.js";
import { DataError } from "../errors.js";
import { BatchReader, type ReaderOptions } from "./batch-reader.js";
import { type EpochFeed, type Feed, type FeedOptions, NEVER, type Portion } from "./feed.js";
import { type BatchStream, isSpent } from "./model-data.js";
import { arrivals, type Resident } from "./resident.js";

export interface StreamFeedOptions extends FeedOptions, ReaderOptions {
  /** Room in the engine for so many rows like these. */
  readonly room: (columns: Columns, rows: number) => Promise<Resident>;
  /** The end of an epoch is known before its last step is taken. Default false. */
  readonly ahead?: boolean;
}

/** Steps that the engine has room for, where their rows are no more than so many bytes. */
const MOST_STEPS = 64;
const MOST_BYTES = 2 ** 25;

/** Batches of a stream, a few at a time. */
export class StreamFeed implements Feed {
  readonly plan = undefined;
  readonly #stream: BatchStream<unknown>;
  readonly #options: StreamFeedOptions;
  #reader: BatchReader | undefined;
  #pass = -1;
  /** Batches taken of all passes. */
  #taken = 0;
  /** Batches of a whole pass, once there was one. */
  #inPass: number | undefined;

  constructor(stream: BatchStream<unknown>, options: StreamFeedOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  async open(epoch: number, from = 0): Promise<EpochFeed> {
    const { stepsPerEpoch, initialEpoch = 0 } = this.#options;
    const done = epoch - initialEpoch;
    if (stepsPerEpoch === undefined) {
      await this.#begin(epoch);
      await this.#skip(from, false);
      return new Streaming(this, from, this.#inPass, false);
    }
    if (this.#reader === undefined) await this.#begin(initialEpoch);
    await this.#skip(done * stepsPerEpoch + from - this.#taken, true);
    return new Streaming(this, from, stepsPerEpoch, true);
  }

  /** @throws DataError where the stream has been gone through and gives no second pass. */
  async #begin(pass: number): Promise<void> {
    if (this.#pass >= 0 && isSpent(this.#stream)) throw this.#tooShort();
    await this.#reader?.close();
    this.#reader = await BatchReader.open(this.#stream, pass, this.#options, this.#reader);
    this.#pass = pass;
  }

  async #skip(batches: number, goesOn: boolean): Promise<void> {
    for (let left = batches; left > 0; left--) if ((await this.take(1, goesOn)) === undefined) return;
  }

  #tooShort(): DataError {
    const { where, stepsPerEpoch } = this.#options;
    const read = this.#reader?.read ?? 0;
    return new DataError({
      where,
      problem: `the stream ended after ${read} ${read === 1 ? "batch" : "batches"} and cannot be gone through again`,
      ...(stepsPerEpoch === undefined ? {} : { expected: `${stepsPerEpoch} for each epoch` }),
      fix: "Give a function that returns a new one for each pass, such as the generator function itself.",
    });
  }

  /** At most `most` batches; where passes follow each other within an epoch, of the next one, too. */
  async take(most: number, goesOn: boolean): Promise<Portion | undefined> {
    const { signal, room, ahead = false } = this.#options;
    const reader = this.#reader;
    const taken = await reader?.take(Math.min(most, MOST_STEPS), ahead);
    if (signal?.aborted === true) return undefined;
    if (taken === undefined) {
      this.#inPass = reader?.read;
      if (reader?.read === 0) throw new DataError({ where: this.#options.where, problem: "the stream has no batches" });
      if (!goesOn) return undefined;
      await this.#begin(this.#pass + 1);
      return this.take(most, goesOn);
    }
    const { batches, batch, last } = taken;
    const count = batches.length;
    this.#taken += count;
    const data = await room(batches[0], batch * stepsWithin(batches[0], count));
    return { data, batch, count, writes: arrivals(data, batches, true), end: last && !goesOn ? batch * count : NEVER };
  }

  async close(): Promise<void> {
    await this.#reader?.close();
  }
}

/** Steps that there is room for, of batches like this one; at least `count`. */
function stepsWithin({ x, y, sampleWeight = [] }: Columns, count: number): number {
  const bytes = [...x, ...y, ...sampleWeight].reduce((sum, { data }) => sum + 4 * data.length, 1);
  return Math.max(count, Math.min(MOST_STEPS, Math.floor(MOST_BYTES / bytes)));
}

/** One epoch of a stream. */
class Streaming implements EpochFeed {
  readonly steps: number | undefined;
  readonly #feed: StreamFeed;
  readonly #goesOn: boolean;
  #step: number;

  constructor(feed: StreamFeed, step: number, steps: number | undefined, goesOn: boolean) {
    this.#feed = feed;
    this.#step = step;
    this.steps = steps;
    this.#goesOn = goesOn;
  }

  async next(most: number): Promise<Portion | undefined> {
    const left = this.#goesOn ? (this.steps ?? 0) - this.#step : Infinity;
    if (left <= 0) return undefined;
    const portion = await this.#feed.take(Math.min(most, left), this.#goesOn);
    if (portion === undefined) return undefined;
    this.#step += portion.count;
    const isLast = portion.count === left;
    return isLast ? { ...portion, end: portion.batch * portion.count } : portion;
  }
}
