/** Memory for temporaries: one arena, laid out so that arrays which are alive at the same time do not overlap. */
import type { Buffer } from "./expr.js";
import type { LoweredKernel } from "./loops.js";

const ALIGNMENT = 64;

export interface MemoryPlan {
  /** Byte offsets within the arena. */
  readonly offsets: ReadonlyMap<Buffer, number>;
  readonly bytes: number;
  /** The most bytes that are alive at once, which no layout can beat. */
  readonly lowerBound: number;
  /** Each array with its place and the kernels between which it is alive. */
  readonly spans: readonly (Readonly<Lifetime> & { readonly at: number })[];
}

interface Lifetime {
  readonly buffer: Buffer;
  readonly bytes: number;
  readonly from: number;
  to: number;
}

const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/** `persistent` buffers lie elsewhere; `kept` ones stay alive to the end. */
export function planMemory(
  kernels: readonly LoweredKernel[],
  persistent: ReadonlySet<Buffer>,
  kept: ReadonlySet<Buffer>,
): MemoryPlan {
  const lifetimes = lifetimesOf(kernels, persistent, kept);
  const offsets = new Map<Buffer, number>();
  const placed: (Lifetime & { at: number })[] = [];
  let total = 0;
  for (const lifetime of [...lifetimes].sort((a, b) => b.bytes - a.bytes || a.from - b.from)) {
    const others = placed.filter((p) => p.from <= lifetime.to && lifetime.from <= p.to).sort((a, b) => a.at - b.at);
    let at = 0;
    for (const other of others) {
      if (other.at >= at + lifetime.bytes) break;
      at = Math.max(at, other.at + other.bytes);
    }
    placed.push({ ...lifetime, at });
    offsets.set(lifetime.buffer, at);
    total = Math.max(total, at + lifetime.bytes);
  }
  const alive = kernels.map((_, time) =>
    lifetimes.filter(({ from, to }) => from <= time && time <= to).reduce((sum, { bytes }) => sum + bytes, 0),
  );
  return { offsets, bytes: total, lowerBound: Math.max(0, ...alive), spans: placed };
}

function lifetimesOf(
  kernels: readonly LoweredKernel[],
  persistent: ReadonlySet<Buffer>,
  kept: ReadonlySet<Buffer>,
): Lifetime[] {
  const lifetimes = new Map<Buffer, Lifetime>();
  for (const [time, kernel] of kernels.entries()) {
    for (const buffer of [...kernel.writes, ...kernel.reads]) {
      if (persistent.has(buffer)) continue;
      const known = lifetimes.get(buffer);
      if (known === undefined)
        lifetimes.set(buffer, { buffer, bytes: align(4 * Math.max(1, buffer.size)), from: time, to: time });
      else known.to = time;
      const lifetime = lifetimes.get(buffer);
      if (lifetime !== undefined && kept.has(buffer)) lifetime.to = kernels.length - 1;
    }
  }
  return [...lifetimes.values()];
}
