/** Words of memory at which threads meet and share out work, whatever code they run. */

/** Addresses of the barrier's words; below the first page's end nothing else lies in memory. */
export const BARRIER = { arrived: 1024, generation: 1088, aborted: 1152, asleep: 1216 } as const;

/** Lets nobody wait at the barrier any more: who is there fails, and so does who comes. */
export function abortBarrier({ buffer }: WebAssembly.Memory): void {
  const words = new Int32Array(buffer);
  Atomics.store(words, BARRIER.aborted / 4, 1);
  Atomics.add(words, BARRIER.generation / 4, 1);
  Atomics.notify(words, BARRIER.generation / 4);
}

/** Away from others' lines of the cache. */
const LINE = 64;

/** Bytes from a thread's counters of chunks, one for each kernel, to the next thread's. */
export const counterStride = (kernels: number): number => Math.ceil((4 * kernels) / LINE) * LINE;

/** Bytes for the counters of so many kernels. */
export const counterBytes = (threads: number, kernels: number): number =>
  threads > 1 ? threads * counterStride(kernels) : 0;
