/** Studies on recorded learning curves, where training costs nothing. */
import { asha } from "../index.js";
import type { ScheduledTrial, Scheduler } from "../schedulers/scheduler.js";

export interface RecordedCurves {
  readonly epochs: number;
  /** Of each setting the validation loss after each epoch. */
  readonly losses: readonly (readonly number[])[];
}

/** The best loss so far, after each epoch. */
const bestSoFar = (curve: readonly number[]): readonly number[] => {
  let best = Infinity;
  return curve.map((loss) => (best = Math.min(best, loss)));
};

/** The best that random search finds in so many full trials of an order. */
export const fullLengthBest = (curves: RecordedCurves, order: readonly number[], trials: number): number =>
  Math.min(...order.slice(0, trials).map((setting) => bestSoFar(curves.losses[setting] ?? []).at(-1) ?? Infinity));

/** Epochs that a scheduler spends, on settings in that order, until a trial of full length is as good; Infinity where none is. */
export function epochsUntil(
  { losses, epochs }: RecordedCurves,
  order: readonly number[],
  goal: number,
  scheduler: Scheduler = asha(),
): number {
  const trials: ScheduledTrial[] = [];
  let spent = 0;
  for (;;) {
    const task = scheduler.next({ trials, epochs, open: trials.length < order.length, seed: 0 });
    if (task === "wait" || task === "done") return Infinity;
    const number = task.kind === "start" ? trials.length : task.trial;
    const whole = losses[order[number] ?? -1] ?? [];
    const before = trials[number]?.curve.length ?? 0;
    const curve = whole.slice(0, task.until);
    spent += curve.length - before;
    const isOver = task.until >= epochs || curve.length < task.until;
    const best = bestSoFar(curve);
    trials[number] = { number, state: isOver ? "ended" : "paused", losses: best, curve };
    if (task.until >= epochs && (best.at(-1) ?? Infinity) <= goal) return spent;
  }
}

/** Numbers below n in an order that a seed says. */
export function shuffled(n: number, random: { below: (bound: number) => number }): readonly number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}
