/** Arena allocation by liveness: temporaries whose live ranges (from the first kernel to the last that touches them) meet do not overlap. */
import type { Buffer } from "../loops/expr.js";
import type { KernelSummary } from "../loops/loops.js";
import { atOnce } from "../../turns.js";

const ALIGNMENT = 64;

export interface MemoryPlan {
  /** Byte offsets within the arena. */
  readonly offsets: ReadonlyMap<Buffer, number>;
  readonly bytes: number;
  /** The most bytes that are alive at once, which no layout can beat. */
  readonly lowerBound: number;
  /** Each array with its place and the kernels between which it is alive. */
  readonly spans: readonly Readonly<Placed>[];
}

/** A live range: the kernels from the first to the last that touch an array. */
interface LiveRange {
  readonly buffer: Buffer;
  readonly bytes: number;
  readonly from: number;
  to: number;
}

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

interface Placed extends LiveRange {
  readonly at: number;
}

/**
 * How much more than the least memory may be taken so that threads stay where they were: they share an array in the order of
 * its elements, so what half of them last wrote to is the first half of an array. One that takes the place of another has
 * its middle where that one had it; else threads would write to what lies in each other's caches.
 */
const SLACK = 1.25;

/** `persistent` buffers lie elsewhere; `kept` ones stay alive to the end. */
export const planMemory = (...given: Parameters<typeof planningMemory>): MemoryPlan => atOnce(planningMemory(...given));

/** The same, in steps. */
export function* planningMemory(
  kernels: readonly KernelSummary[],
  persistent: ReadonlySet<Buffer>,
  kept: ReadonlySet<Buffer>,
  threads: number,
): Generator<undefined, MemoryPlan> {
  const ranges = liveRangesOf(kernels, persistent, kept);
  const lowerBound = peakLive(ranges, kernels.length);
  const most = SLACK * lowerBound;
  yield;
  const aligned = threads > 1 ? yield* place(ranges, most) : undefined;
  const spans = aligned !== undefined && endOf(aligned) <= most ? aligned : yield* place(ranges, 0);
  return { offsets: new Map(spans.map(({ buffer, at }) => [buffer, at])), bytes: endOf(spans), lowerBound, spans };
}

const endOf = (spans: readonly Placed[]): number => spans.reduce((end, { at, bytes }) => Math.max(end, at + bytes), 0);

/** The largest first: in the middle of an earlier one while all stay within `most` bytes, then where there is room. */
function* place(ranges: readonly LiveRange[], most: number): Generator<undefined, Placed[]> {
  /** From the lowest place to the highest. */
  const placed: Placed[] = [];
  /** Arrays that others have their middle in common with, the smallest last. */
  const hosts: Placed[] = [];
  let total = 0;
  for (const range of [...ranges].sort((a, b) => b.bytes - a.bytes || a.from - b.from)) {
    const { bytes, from, to } = range;
    const others = placed.filter((other) => other.from <= to && from <= other.to);
    const isFree = (at: number): boolean =>
      others.every((other) => other.at >= at + bytes || at >= other.at + other.bytes);
    const middles = hosts.map((host) => host.at + ALIGNMENT * Math.floor((host.bytes - bytes) / 2 / ALIGNMENT));
    const middle = middles.findLast(isFree);
    const isHost = middle === undefined && total + bytes <= most;
    const at = middle ?? (isHost ? total : firstFit(others, bytes));
    const own = { ...range, at };
    if (isHost) hosts.push(own);
    const above = placed.findIndex((other) => other.at > at);
    placed.splice(above < 0 ? placed.length : above, 0, own);
    total = Math.max(total, at + bytes);
    yield;
  }
  return placed;
}

/** The lowest place between the others, which are in order. */
function firstFit(others: readonly Placed[], bytes: number): number {
  let at = 0;
  for (const other of others) {
    if (other.at >= at + bytes) break;
    at = Math.max(at, other.at + other.bytes);
  }
  return at;
}

function peakLive(ranges: readonly LiveRange[], kernels: number): number {
  const changes = Array<number>(kernels + 1).fill(0);
  for (const { bytes, from, to } of ranges) {
    changes[from] = (changes[from] ?? 0) + bytes;
    changes[to + 1] = (changes[to + 1] ?? 0) - bytes;
  }
  let [alive, most] = [0, 0];
  for (const change of changes) most = Math.max(most, (alive += change));
  return most;
}

function liveRangesOf(
  kernels: readonly KernelSummary[],
  persistent: ReadonlySet<Buffer>,
  kept: ReadonlySet<Buffer>,
): LiveRange[] {
  const ranges = new Map<Buffer, LiveRange>();
  for (const [time, kernel] of kernels.entries()) {
    for (const buffer of [...kernel.writes, ...kernel.reads]) {
      if (persistent.has(buffer)) continue;
      const known = ranges.get(buffer);
      if (known === undefined)
        ranges.set(buffer, { buffer, bytes: align(4 * Math.max(1, buffer.size)), from: time, to: time });
      else known.to = time;
      const range = ranges.get(buffer);
      if (range !== undefined && kept.has(buffer)) range.to = kernels.length - 1;
    }
  }
  return [...ranges.values()];
}
