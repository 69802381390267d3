/** What leader and workers tell each other through the database, as JSON. */
import type { Job, JobEnd } from "../../study/leader.js";

/** A job in the queue. */
export interface QueuedJob {
  /** Who has sent it; jobs of a leader that is no more are nobody's. */
  readonly leader: string;
  readonly job: Job;
}

export type FromWorker =
  | { readonly say: "taken"; readonly worker: string }
  | {
      readonly say: "epoch";
      readonly epoch: number;
      readonly values: readonly (number | null)[];
      readonly seconds: number;
      readonly violations: readonly (number | null)[];
    }
  | { readonly say: "end"; readonly end: JobEnd };

/** Between two looks at the database. */
export const POLL_MS = 100;
/** Between two heartbeats. */
export const BEAT_MS = 1000;
