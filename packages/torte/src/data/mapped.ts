/** Changes of elements, several under way at a time. */
import type { Parts } from "./example.js";

/** Each example changed; `parallel` changes are under way at a time, and results keep their order. */
export async function* mapped<A>(
  source: Iterable<A> | AsyncIterable<A>,
  change: (example: A) => Parts | Promise<Parts>,
  parallel: number,
): AsyncGenerator<Parts> {
  const running: Promise<Parts>[] = [];
  const start = async (example: A): Promise<Parts> => change(example);
  try {
    for await (const example of source) {
      const result = start(example);
      // It is thrown when its turn comes.
      result.catch(() => undefined);
      running.push(result);
      if (running.length >= parallel) yield await first(running);
    }
    while (running.length > 0) yield await first(running);
  } finally {
    await Promise.allSettled(running);
  }
}

/** The one that has waited longest. */
export const first = <T>(waiting: T[]): T => {
  const next = waiting.shift();
  if (next === undefined) throw new RangeError("nothing waits");
  return next;
};
