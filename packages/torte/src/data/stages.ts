/**
 * What streams of examples are put together from: each stage takes examples as they come and gives them on, holding no more than it
 * has to. Whoever stops asking ends the stages before, their `finally` included.
 */
import { DataError } from "../errors.js";
import { boundedDraws, type Key } from "../tensor/random.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import { asList, eachTensor, type Parts, stack } from "./example.js";
import { first } from "./mapped.js";

export { mapped } from "./mapped.js";

export type Examples = AsyncIterable<Parts>;

export async function* filtered(
  source: Examples,
  keep: (example: Parts) => boolean | Promise<boolean>,
): AsyncGenerator<Parts> {
  for await (const example of source) if (await keep(example)) yield example;
}

/** A window of `size` examples; each draw takes one of it at random and lets the next one in. */
export async function* shuffled(source: Examples, size: number, key: Key): AsyncGenerator<Parts> {
  const below = boundedDraws(key);
  const window: Parts[] = [];
  for await (const example of source) {
    if (window.length < size) window.push(example);
    else {
      const j = below(size);
      const drawn = window[j];
      window[j] = example;
      if (drawn !== undefined) yield drawn;
    }
  }
  while (window.length > 0) {
    const j = below(window.length);
    const [drawn, last] = [window[j], window.pop()];
    if (last !== undefined && j < window.length) window[j] = last;
    if (drawn !== undefined) yield drawn;
  }
}

export async function* taken(source: Examples, count: number): AsyncGenerator<Parts> {
  let left = count;
  if (left === 0) return;
  for await (const example of source) {
    yield example;
    if (--left === 0) return;
  }
}

export async function* skipped(source: Examples, count: number): AsyncGenerator<Parts> {
  let left = count;
  for await (const example of source) if (left-- <= 0) yield example;
}

export async function* joined(sources: readonly (() => Examples)[]): AsyncGenerator<Parts> {
  for (const source of sources) yield* source();
}

/** As long as the shorter one is. */
export async function* zipped(
  a: Examples,
  b: Examples,
  combine: (a: Parts, b: Parts) => Parts | Promise<Parts>,
): AsyncGenerator<Parts> {
  const [left, right] = [a[Symbol.asyncIterator](), b[Symbol.asyncIterator]()];
  try {
    for (;;) {
      const [one, other] = await bothOf(left.next(), right.next());
      if (one.done === true || other.done === true) return;
      yield await combine(one.value, other.value);
    }
  } finally {
    await bothOf(left.return?.(), right.return?.());
  }
}

/** Of two failures the first one is thrown, and none is left behind. */
async function bothOf<A, B>(a: A | PromiseLike<A>, b: B | PromiseLike<B>): Promise<[A, B]> {
  const [one, other] = await Promise.allSettled([a, b]);
  if (one.status === "rejected") throw one.reason;
  if (other.status === "rejected") throw other.reason;
  return [one.value, other.value];
}

/** `cycle` streams at a time, `block` examples of each in turn; a stream that ends makes room for the next one. */
export async function* interleaved(
  source: Examples,
  open: (example: Parts) => Examples | Promise<Examples>,
  { cycle, block }: { readonly cycle: number; readonly block: number },
): AsyncGenerator<Parts> {
  const outer = source[Symbol.asyncIterator]();
  const inner: AsyncIterator<Parts>[] = [];
  let ended = false;
  const opened = async (): Promise<AsyncIterator<Parts> | undefined> => {
    if (ended) return undefined;
    const next = await outer.next();
    if (next.done !== true) return (await open(next.value))[Symbol.asyncIterator]();
    ended = true;
    return undefined;
  };
  try {
    for (let at = 0; ;) {
      while (inner.length < cycle) {
        const next = await opened();
        if (next === undefined) break;
        inner.push(next);
      }
      if (inner.length === 0) return;
      at %= inner.length;
      const current = inner[at];
      let done = current === undefined;
      for (let i = 0; i < block && !done; i++) {
        const result = await current?.next();
        if (result === undefined || result.done === true) done = true;
        else yield result.value;
      }
      if (!done) at++;
      else {
        const next = await opened();
        if (next === undefined) inner.splice(at, 1);
        else inner[at] = next;
      }
    }
  } finally {
    await Promise.allSettled([outer.return?.(), ...inner.map((iterator) => iterator.return?.())]);
  }
}

export interface Grouping {
  readonly size: number;
  readonly dropRemainder: boolean;
}

/** Examples of one form in batches. */
export async function* batched(
  source: Examples,
  { size, dropRemainder }: Grouping,
  join: (examples: readonly [Parts, ...Parts[]]) => Parts = (examples) => stack("batch", examples),
): AsyncGenerator<Parts> {
  let group: Parts[] = [];
  for await (const example of source) {
    group.push(example);
    if (group.length < size) continue;
    yield joinAll(group, join);
    group = [];
  }
  if (group.length > 0 && !dropRemainder) yield joinAll(group, join);
}

function joinAll(group: readonly Parts[], join: (examples: readonly [Parts, ...Parts[]]) => Parts): Parts {
  const [head, ...others] = group;
  if (head === undefined) throw new RangeError("a batch has examples");
  return join([head, ...others]);
}

/** Windows of `size` examples that begin `shift` after each other, `stride` apart within. */
export async function* windowed(
  source: Examples,
  { size, shift, stride, dropRemainder }: Grouping & { readonly shift: number; readonly stride: number },
): AsyncGenerator<Parts> {
  const reach = (size - 1) * stride + 1;
  let waiting: Parts[] = [];
  let left = 0;
  const window = (): Parts =>
    joinAll(
      waiting.slice(0, reach).filter((_, i) => i % stride === 0),
      (examples) => stack("window", examples),
    );
  const move = (): void => {
    left = Math.max(0, shift - waiting.length);
    waiting = waiting.slice(shift);
  };
  for await (const example of source) {
    if (left > 0) {
      left--;
      continue;
    }
    waiting.push(example);
    if (waiting.length < reach) continue;
    yield window();
    move();
  }
  while (waiting.length > 0 && !dropRemainder) {
    yield window();
    move();
  }
}

export interface Filling {
  /** What is put behind the shorter ones. */
  readonly value: number;
  /** Length of all; undefined where that of the longest is taken. */
  readonly length: number | undefined;
}

/** Examples that differ in the length of their first axis as a batch: the shorter ones are filled up at their end. */
export function stackPadded(where: string, examples: readonly [Parts, ...Parts[]], { value, length }: Filling): Parts {
  const lists = examples.map(({ x, y, sampleWeight }) => [...asList(x), ...asList(y), ...asList(sampleWeight)]);
  return stack(
    where,
    examples.map((example) =>
      eachTensor(example, (tensor, k) => {
        const lengths = lists.map((tensors) => tensors[k]?.shape[0] ?? 0);
        if (tensor.shape.length === 0) return tensor;
        const longest = Math.max(...lengths);
        // What has one length throughout, such as the numbers of a target, is left alone.
        const ragged = k < asList(example.x).length || lengths.some((n) => n !== lengths[0]);
        return ragged ? padded(where, tensor, length ?? longest, value) : tensor;
      }),
    ) as [Parts, ...Parts[]],
  );
}

function padded(where: string, { data, shape, dtype }: Tensor, length: number, value: number): Tensor {
  const [n = 0, ...rest] = shape;
  if (n === length) return new Tensor(data, shape, dtype);
  if (n > length)
    throw new DataError({
      where,
      problem: "an example is longer than the length that is asked for",
      expected: `at most ${length} positions`,
      received: String(n),
      fix: "Cut it with map, or leave length out.",
    });
  const size = rest.reduce((a, b) => a * b, 1);
  const own = arrayOf(dtype, length * size).fill(value);
  own.set(data);
  return new Tensor(own, [length, ...rest], dtype);
}

/** Batches of examples of similar length: an example waits in the bucket of its length until that is full. */
export async function* bucketed(
  source: Examples,
  {
    boundaries,
    sizes,
    lengthOf,
    join,
    dropRemainder,
  }: {
    readonly boundaries: readonly number[];
    /** Examples of a batch of each bucket, one more than there are boundaries. */
    readonly sizes: readonly number[];
    readonly lengthOf: (example: Parts) => number;
    readonly join: (examples: readonly [Parts, ...Parts[]]) => Parts;
    readonly dropRemainder: boolean;
  },
): AsyncGenerator<Parts> {
  const buckets: Parts[][] = sizes.map(() => []);
  for await (const example of source) {
    const length = lengthOf(example);
    const above = boundaries.findIndex((boundary) => length < boundary);
    const at = above < 0 ? boundaries.length : above;
    const bucket = buckets[at] ?? [];
    bucket.push(example);
    if (bucket.length < (sizes[at] ?? 1)) continue;
    buckets[at] = [];
    yield joinAll(bucket, join);
  }
  if (dropRemainder) return;
  for (const bucket of buckets) if (bucket.length > 0) yield joinAll(bucket, join);
}

/** Asks for examples before they are needed, `count` at most. */
export async function* ahead(source: Examples, count: number): AsyncGenerator<Parts> {
  const iterator = source[Symbol.asyncIterator]();
  const asked: Promise<IteratorResult<Parts>>[] = [];
  let last: Promise<unknown> = Promise.resolve();
  const ask = (): void => {
    // One after the other: not every iterator takes a question while another is open.
    const next = last.then(() => iterator.next());
    next.catch(() => undefined);
    last = next.catch(() => undefined);
    asked.push(next);
  };
  try {
    for (;;) {
      while (asked.length < count) ask();
      const result = await first(asked);
      if (result.done === true) return;
      ask();
      yield result.value;
    }
  } finally {
    await Promise.allSettled(asked);
    await iterator.return?.();
  }
}
