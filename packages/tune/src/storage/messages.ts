/** What a leader and its workers say to each other, as JSON. */
import type { Job, JobEnd } from "../study/leader.js";

export type ToWorker =
  | { readonly say: "run"; readonly id: number; readonly job: Job }
  /** Whether the job goes on after the epoch that was told. */
  | { readonly say: "goOn"; readonly id: number; readonly yes: boolean }
  | { readonly say: "release"; readonly trial: number };

export type FromWorker =
  | { readonly say: "ready" }
  | { readonly say: "beat" }
  | {
      readonly say: "epoch";
      readonly id: number;
      readonly epoch: number;
      readonly values: readonly (number | null)[];
      readonly seconds: number;
    }
  | { readonly say: "end"; readonly id: number; readonly end: JobEnd }
  /** It cannot work at all. */
  | { readonly say: "broken"; readonly reason: string };

/** Between two heartbeats. */
export const BEAT_MS = 1000;
