/** What decides how many epochs a trial gets: the interface of schedulers. */

/** A trial as a scheduler sees it. */
export interface ScheduledTrial {
  readonly number: number;
  /** `paused` may go on; what has ended does not. */
  readonly state: "running" | "paused" | "ended";
  /** The loss after each epoch, less is better: the best one so far, or the last where the study says so. NaN where it failed. */
  readonly losses: readonly number[];
  /** The loss of each epoch as it was measured. */
  readonly curve: readonly number[];
}

/** What a scheduler knows of a study. */
export interface Schedule {
  /** In the order of their numbers. */
  readonly trials: readonly ScheduledTrial[];
  /** Of a trial that is not stopped. */
  readonly epochs: number;
  /** Whether the budget allows new trials. */
  readonly open: boolean;
  readonly seed: number;
}

/** What is to run next: a new trial, or one that was paused; up to so many epochs. */
export type Task =
  | { readonly kind: "start"; readonly until: number }
  | { readonly kind: "resume"; readonly trial: number; readonly until: number };

/** Decides from what the trials have shown so far, and remembers nothing: a study that is resumed decides the same. */
export interface Scheduler {
  readonly name: string;
  /** "wait" where results of running trials are needed first, "done" where nothing is left to do. */
  next(schedule: Schedule): Task | "wait" | "done";
  /** Whether a running trial ends before its epochs are over; asked after each. */
  stops?(trial: ScheduledTrial, schedule: Schedule): boolean;
  /** For people: the plan, where there is one. */
  plan?(epochs: number): string;
}

/** The loss with which a trial has reached so many epochs; Infinity where it failed before or after. */
export const lossAt = ({ losses, state }: ScheduledTrial, epochs: number): number => {
  const loss = losses[epochs - 1];
  if (loss === undefined) return state === "ended" ? Infinity : NaN;
  return Number.isFinite(loss) ? loss : Infinity;
};

/** Starts trials while the budget lasts. */
export function startOrEnd({ open, trials }: Schedule, until: number): Task | "wait" | "done" {
  if (open) return { kind: "start", until };
  return trials.some(({ state }) => state === "running") ? "wait" : "done";
}
