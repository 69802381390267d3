/** Long computations that let others have a turn. */

/** The event loop waits no longer than this, where the steps are short. */
const TURN_MS = 8;

/** What comes of steps that are taken one after the other, with turns of the event loop in between. */
export async function inTurns<T>(steps: Generator<undefined, T>): Promise<T> {
  for (let since = performance.now(); ;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    if (performance.now() - since < TURN_MS) continue;
    await new Promise((resolve) => setTimeout(resolve, 0));
    since = performance.now();
  }
}
