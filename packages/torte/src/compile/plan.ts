/** Memory for temporaries: one arena, laid out so that arrays which are alive at the same time do not overlap. */
import type { Buffer } from "./expr.js";
import type { KernelSummary } from "./loops.js";

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
  kernels: readonly KernelSummary[],
  persistent: ReadonlySet<Buffer>,
  kept: ReadonlySet<Buffer>,
): MemoryPlan {
  const lifetimes = lifetimesOf(kernels, persistent, kept);
  const offsets = new Map<Buffer, number>();
  /** From the lowest place to the highest. */
  const placed: (Lifetime & { at: number })[] = [];
  let total = 0;
  for (const lifetime of [...lifetimes].sort((a, b) => b.bytes - a.bytes || a.from - b.from)) {
    let at = 0;
    for (const other of placed) {
      if (other.from > lifetime.to || lifetime.from > other.to) continue;
      if (other.at >= at + lifetime.bytes) break;
      at = Math.max(at, other.at + other.bytes);
    }
    let above = 0;
    while ((placed[above]?.at ?? Infinity) <= at) above++;
    placed.splice(above, 0, { ...lifetime, at });
    offsets.set(lifetime.buffer, at);
    total = Math.max(total, at + lifetime.bytes);
  }
  const changes = Array<number>(kernels.length + 1).fill(0);
  for (const { bytes, from, to } of lifetimes) {
    changes[from] = (changes[from] ?? 0) + bytes;
    changes[to + 1] = (changes[to + 1] ?? 0) - bytes;
  }
  let [alive, lowerBound] = [0, 0];
  for (const change of changes) lowerBound = Math.max(lowerBound, (alive += change));
  return { offsets, bytes: total, lowerBound, spans: placed };
}

function lifetimesOf(
  kernels: readonly KernelSummary[],
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
