/** What happens in a study, as its journal has it: plain JSON, one event a line. */
import type { Assignment, Parameter } from "../space/parameter.js";
import type { Earlier } from "../searchers/searcher.js";
import type { Goal } from "./search.js";

/** What the study is; it must be the same where the study is resumed. */
export interface StudyEvent {
  readonly event: "study";
  readonly version: 1;
  readonly seed: number;
  readonly parameters: readonly Parameter[];
  readonly objectives: readonly { readonly metric: string; readonly direction?: Goal }[];
  readonly value: "best" | "last";
  readonly epochs: number;
  readonly repeats: number;
  readonly searcher: string;
  readonly scheduler: string;
  /** Tasks of a round; results are told at its end. 0 where they are told as they come. */
  readonly round: number;
  /** What earlier studies have found, as it was when this one was begun. */
  readonly earlier?: readonly Earlier[];
}

/** A process begins to lead the study. */
export interface OpenEvent {
  readonly event: "open";
  readonly at: number;
}

/** A new trial, and its first task. */
export interface TrialEvent {
  readonly event: "trial";
  readonly trial: number;
  readonly values: Assignment;
  readonly until: number;
}

/** A trial that was paused goes on. */
export interface TaskEvent {
  readonly event: "task";
  readonly trial: number;
  /** Epochs after which it pauses or is complete. */
  readonly until: number;
}

/** All tasks of a round are chosen. */
export interface RoundEvent {
  readonly event: "round";
}

export interface EpochEvent {
  readonly event: "epoch";
  readonly trial: number;
  /** From 1: how many are done. */
  readonly epoch: number;
  /** One for each objective, as its metric has it; null for what is no number. */
  readonly values: readonly (number | null)[];
  readonly seconds: number;
  /** The process that has trained it, where that is none of the leader's own. */
  readonly worker?: string;
  readonly at: number;
}

export type End = "paused" | "complete" | "pruned" | "failed";

export interface EndEvent {
  readonly event: "end";
  readonly trial: number;
  readonly state: End;
  readonly error?: string;
  /** One for each constraint, above 0 where it is violated. */
  readonly violations?: readonly (number | null)[];
  readonly at: number;
}

/** A worker has died with a task; the trial goes on from its checkpoint. */
export interface LostEvent {
  readonly event: "lost";
  readonly trial: number;
  readonly at: number;
}

/** A run of a trial's setting with a fresh seed. */
export interface ConfirmEvent {
  readonly event: "confirm";
  readonly trial: number;
  readonly repeat: number;
  readonly values: readonly (number | null)[];
  readonly epochs: number;
  readonly seconds: number;
  readonly at: number;
}

/** An event in a study's journal. */
export type JournalEvent =
  StudyEvent | OpenEvent | TrialEvent | TaskEvent | RoundEvent | EpochEvent | EndEvent | LostEvent | ConfirmEvent;
