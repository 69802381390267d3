/** Long computations that let others have a turn of the event loop. */

/** Others wait no longer than this for a computation whose steps are short. */
const TURN_MS = 4;

interface Scope {
  /** Node's, Deno's and Bun's: comes after everything that waits. */
  readonly setImmediate?: (call: () => void) => unknown;
}

/** Milliseconds: when others have had a turn, as far as is known. */
let last = -Infinity;

const waiting: (() => void)[] = [];
let channel: MessageChannel | undefined;

/** In a page timers come after 4 ms at the earliest, messages at once. */
function post(call: () => void): void {
  if (channel === undefined) {
    channel = new MessageChannel();
    channel.port1.onmessage = () => waiting.shift()?.();
  }
  waiting.push(call);
  channel.port2.postMessage(undefined);
}

/** Lets timers, requests and messages have their turn. */
export async function turn(): Promise<void> {
  const { setImmediate: later = post } = globalThis as Scope;
  await new Promise<void>((resolve) => {
    later(resolve);
  });
  last = performance.now();
}

/** A turn for others, if they have waited for long enough. */
export async function turnIfDue(): Promise<void> {
  if (performance.now() - last >= TURN_MS) await turn();
}

/** What comes of steps that are taken one after the other, with turns of others in between. */
export async function inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    await turnIfDue();
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** What comes of the steps, without turns. */
export function atOnce<T>(steps: Generator<undefined, T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Calls `body` with each of the items; after every so many there is a step. */
export function* eachInSteps<T>(
  items: readonly T[],
  size: number,
  body: (item: T) => void,
): Generator<undefined, void> {
  for (const [i, item] of items.entries()) {
    if (i % size === 0) yield;
    body(item);
  }
}

/** Calls `body` with ranges that cover 0 … count, each so short that others can have their turn in between. */
export async function inSlices(
  count: number,
  body: (from: number, to: number) => void,
  slice = 1 << 13,
): Promise<void> {
  for (let from = 0; from < count; from += slice) {
    await turnIfDue();
    body(from, Math.min(count, from + slice));
  }
}
