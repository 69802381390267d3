/** The batches of a stream, read ahead while the engine works, and no further than there is room. */
import type { Columns } from "../data/dataset.js";
import { DataError, show, type TorteError } from "../errors.js";
import { concatenate, type Tensor } from "../tensor/tensor.js";
import { sameShape } from "../tensor/shape.js";
import { turn } from "../turns.js";
import { BatchMemory } from "./batch-memory.js";
import type { BatchStream } from "./model-data.js";

export interface ReaderOptions {
  /** The function that was given the stream, for errors. */
  readonly where: string;
  /** Looks at a batch and puts it into the model's order; `part` says which it is. */
  readonly read: (batch: unknown, part: string) => Columns;
  readonly signal?: AbortSignal | undefined;
}

/** Batches of one form. */
export interface Taken {
  /** At least one. Their memory is that of other batches when the next ones are taken. */
  readonly batches: readonly [Columns, ...Columns[]];
  /** Rows of each batch. */
  readonly batch: number;
}

/** Bytes that wait for the engine; one batch always may. */
const MOST_BYTES = 2 ** 25;
/** The event loop is held for no longer than this by batches that are there at once. */
const TURN_MS = 5;
/** An iterator that is waiting for something may take so long to close. */
const CLOSING_MS = 1000;

export class BatchReader {
  readonly #options: ReaderOptions;
  readonly #iterator: Iterator<unknown> | AsyncIterator<unknown>;
  readonly #waiting: Columns[] = [];
  readonly #memory: BatchMemory;
  /** Those that were taken last. */
  #taken: Columns[] = [];
  #wanted = 1;
  #read = 0;
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #closed: Promise<void> | undefined;
  #filling: Promise<void> | undefined;
  #calling: Promise<unknown> | undefined;
  /** Told whenever a batch has come, or the end. */
  #heard: () => void = () => undefined;

  private constructor(
    iterator: Iterator<unknown> | AsyncIterator<unknown>,
    options: ReaderOptions,
    memory: BatchMemory,
  ) {
    this.#iterator = iterator;
    this.#options = options;
    this.#memory = memory;
    options.signal?.addEventListener("abort", this.#stop, { once: true });
  }

  /** Begins a pass over the stream, with the memory of the pass `before`, and reading as far ahead as that has come to. */
  static async open(
    stream: BatchStream<unknown>,
    pass: number,
    options: ReaderOptions,
    before?: BatchReader,
  ): Promise<BatchReader> {
    const given: unknown = typeof stream === "function" ? await stream(pass) : stream;
    const memory = before === undefined ? new BatchMemory() : before.#memory;
    const reader = new BatchReader(iteratorOf(given, options.where), options, memory);
    if (before !== undefined) [reader.#wanted, reader.#taken] = [before.#wanted, before.#taken];
    return reader;
  }

  /** Batches that have been read from the stream so far. */
  get read(): number {
    return this.#read;
  }

  /**
   * What is there of the next `most` batches, as far as they are of one form: at least one, undefined at the end or once the
   * signal has come. With `ahead` the batch behind them, or the end, is known.
   */
  async take(most: number, ahead = false): Promise<(Taken & { readonly last: boolean }) | undefined> {
    for (const columns of this.#taken.splice(0)) this.#memory.giveBack(columns);
    this.#wanted = Math.max(1, Math.min(most, this.#wanted * 4)) + Number(ahead);
    await this.#until(ahead ? 2 : 1);
    if (this.#options.signal?.aborted === true) return undefined;
    const [first] = this.#waiting;
    if (first === undefined) {
      if (this.#failure !== undefined) throw this.#failure.error;
      return undefined;
    }
    const there = this.#waiting.length - Number(ahead && !this.#atEnd);
    let count = 1;
    for (let next = this.#waiting[count]; count < Math.min(most, there); next = this.#waiting[++count])
      if (next === undefined || !isAlike(first, next)) break;
    const [, ...more] = (this.#taken = this.#waiting.splice(0, count));
    // What has been taken is on its way before more is read.
    void turn().then(() => {
      this.#fill();
    });
    return {
      batches: [first, ...more],
      batch: first.x[0]?.shape[0] ?? 1,
      last: this.#atEnd && this.#waiting.length === 0 && this.#failure === undefined,
    };
  }

  /** Closes the iterator, wherever it is. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  get #atEnd(): boolean {
    return this.#ended || this.#failure !== undefined;
  }

  readonly #stop = (): void => {
    this.#heard();
  };

  async #until(count: number): Promise<void> {
    while (this.#waiting.length < count && !this.#atEnd && this.#options.signal?.aborted !== true) {
      const heard = new Promise<void>((resolve) => (this.#heard = resolve));
      this.#fill();
      await heard;
    }
  }

  #fill(): void {
    this.#filling ??= this.#fillUp().finally(() => {
      this.#filling = undefined;
      this.#heard();
    });
  }

  async #fillUp(): Promise<void> {
    let since = performance.now();
    while (this.#hasRoom()) {
      await this.#readOne();
      this.#heard();
      if (performance.now() - since < TURN_MS) continue;
      await turn();
      since = performance.now();
    }
  }

  #hasRoom(): boolean {
    if (this.#atEnd || this.#closed !== undefined || this.#options.signal?.aborted === true) return false;
    const [first] = this.#waiting;
    const most = first === undefined ? Infinity : Math.max(1, Math.floor(MOST_BYTES / bytesOf(first)));
    return this.#waiting.length < Math.min(this.#wanted, most);
  }

  async #readOne(): Promise<void> {
    const { where, read } = this.#options;
    try {
      const next = this.#iterator.next();
      this.#calling = Promise.resolve(next).catch(() => undefined);
      const result = await next;
      if (result.done === true) this.#ended = true;
      else {
        const value: unknown = await result.value;
        const part = ` in batch ${this.#read}`;
        this.#failure = await this.#checked(() => this.#waiting.push(this.#memory.copy(read(value, part))));
        if (this.#failure === undefined) this.#read++;
      }
    } catch (error) {
      this.#failure = { error: streamError(where, this.#read, error) };
    } finally {
      this.#calling = undefined;
    }
  }

  /** A batch that is none ends the stream, which does not know. */
  async #checked(look: () => void): Promise<{ readonly error: unknown } | undefined> {
    try {
      look();
      return undefined;
    } catch (error) {
      await this.close().catch(() => undefined);
      return { error };
    }
  }

  async #close(): Promise<void> {
    this.#options.signal?.removeEventListener("abort", this.#stop);
    if (this.#ended || this.#iterator.return === undefined) return;
    const waiting = this.#calling !== undefined;
    const closing = Promise.resolve(this.#iterator.return()).then(() => undefined);
    if (!waiting) return closing;
    // What never comes back from `next` never hears of it.
    closing.catch(() => undefined);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const patience = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSING_MS)));
    await Promise.race([closing, patience]).finally(() => clearTimeout(timer));
  }
}

function iteratorOf(given: unknown, where: string): Iterator<unknown> | AsyncIterator<unknown> {
  if (typeof given === "object" && given !== null) {
    if (Symbol.asyncIterator in given) return (given as AsyncIterable<unknown>)[Symbol.asyncIterator]();
    if (Symbol.iterator in given) return (given as Iterable<unknown>)[Symbol.iterator]();
  }
  throw new DataError({
    where,
    problem: "the function gives no batches",
    expected: "what can be iterated, such as a generator",
    received: show(given),
  });
}

/** What a stream throws says where it comes from, and is the cause of what the caller gets. */
function streamError(where: string, batch: number, error: unknown): TorteError {
  const received = error instanceof Error ? error.message : show(error);
  const failure = new DataError({ where, problem: `the stream failed at batch ${batch}`, received });
  failure.cause = error;
  return failure;
}

const tensorsOf = ({ x, y, sampleWeight = [] }: Columns): readonly Tensor[] => [...x, ...y, ...sampleWeight];

const bytesOf = (columns: Columns): number => tensorsOf(columns).reduce((sum, { data }) => sum + data.byteLength, 1);

/** Of one shape and dtype, tensor by tensor. */
function isAlike(a: Columns, b: Columns): boolean {
  const [first, second] = [tensorsOf(a), tensorsOf(b)];
  const parts = [a.x, a.y, a.sampleWeight ?? []].map(({ length }) => length);
  return (
    [b.x, b.y, b.sampleWeight ?? []].every(({ length }, i) => length === parts[i]) &&
    first.every((tensor, i) => tensor.dtype === second[i]?.dtype && sameShape(tensor.shape, second[i].shape))
  );
}

/** The rows of batches of one form one after the other. */
export function joined(batches: Taken["batches"]): Columns {
  const [first] = batches;
  if (batches.length === 1) return first;
  const join = (of: (columns: Columns) => readonly Tensor[]): Tensor[] =>
    of(first).map((tensor, i) => concatenate(batches.map((columns) => of(columns)[i] ?? tensor)));
  return {
    x: join(({ x }) => x),
    y: join(({ y }) => y),
    ...(first.sampleWeight === undefined ? {} : { sampleWeight: join(({ sampleWeight = [] }) => sampleWeight) }),
  };
}
