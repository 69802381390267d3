/** Trials that are trained in this process, one at a time; the engine has threads of its own. */
import type { CheckpointStore } from "../storage/checkpoints.js";
import { StudyFileError } from "../storage/journal.js";
import { type Executor, type Job, type JobEnd, reasonOf } from "./leader.js";
import { type Constraints, violationsOf } from "./objective.js";
import type { Report, TrialRun } from "./trial-run.js";

/** Models of paused trials in memory; others go on from their checkpoints, or begin anew with the same numbers. */
const KEPT = 16;

export interface InProcessOptions {
  readonly make: (job: Job) => TrialRun;
  readonly constraints: Constraints;
  readonly signal: AbortSignal | undefined;
  /** Where paused trials, and those that train for long, are kept. Default: in memory. */
  readonly checkpoints?: CheckpointStore;
  /** Seconds after which a trial that trains is kept again. Default 10. */
  readonly every?: number;
  /** Models of paused trials that stay in memory. Default 16; 0 where others may go on with them. */
  readonly keeps?: number;
}

export class InProcess implements Executor {
  readonly width = 1;
  readonly #options: InProcessOptions;
  readonly #paused = new Map<number, TrialRun>();

  constructor(options: InProcessOptions) {
    this.#options = options;
  }

  async run(job: Job, report: Report): Promise<JobEnd> {
    const isTrial = job.seed === undefined;
    let run: TrialRun | undefined;
    try {
      run = isTrial ? await this.#begun(job) : this.#options.make(job);
      const end = await this.#train(job, run, isTrial ? this.#kept(job.trial, run, report) : report);
      if (isTrial && end.state === "finished" && !job.last) await this.#keep(job.trial, run);
      else await run.close();
      return end;
    } catch (error) {
      await run?.close().catch(() => undefined);
      return { state: "failed", error: reasonOf(error) };
    }
  }

  /** The trial as far as it has come: from memory, from its checkpoint, or from its beginning. */
  async #begun(job: Job): Promise<TrialRun> {
    const { make, checkpoints } = this.#options;
    const held = this.#paused.get(job.trial);
    this.#paused.delete(job.trial);
    if (held !== undefined && held.epochs < job.until) return held;
    await held?.close();
    const checkpoint = await checkpoints?.read(job.trial, job.until - 1);
    const run = make(job);
    if (checkpoint === undefined) return run;
    try {
      await run.restore(checkpoint);
      return run;
    } catch {
      // What a file cannot hold, such as a layer of one's own, is trained again: the numbers are the same.
      await run.close().catch(() => undefined);
      return make(job);
    }
  }

  /** Keeps the trial from time to time as it trains. */
  #kept(trial: number, run: TrialRun, report: Report): Report {
    const { checkpoints, every = 10 } = this.#options;
    if (checkpoints === undefined) return report;
    let last = performance.now();
    return async (epoch, result, violations) => {
      const goesOn = await report(epoch, result, violations);
      if (!goesOn || performance.now() - last < 1000 * every) return goesOn;
      await save(checkpoints, trial, run);
      last = performance.now();
      return goesOn;
    };
  }

  /** A run up to so many epochs, unless its parameters are too many. */
  async #train(job: Job, run: TrialRun, report: Report): Promise<JobEnd> {
    const { constraints, signal } = this.#options;
    const before = violationsOf(constraints, { parameters: run.costs.parameters ?? 0 });
    if (before.some((by) => by > 0)) return { state: "stopped", violations: before };
    const last = { finite: true };
    const state = await run.train(
      job.until,
      async (epoch, result) => {
        last.finite = Number.isFinite(result.values[0]);
        return (await report(epoch, result, violationsOf(constraints, run.costs))) && last.finite;
      },
      signal,
    );
    if (!last.finite && state !== "aborted") return { state: "failed", error: "the objective is no number" };
    const violations = violationsOf(constraints, run.costs);
    return violations.length === 0 ? { state } : { state, violations };
  }

  async #keep(trial: number, run: TrialRun): Promise<void> {
    if (this.#options.checkpoints !== undefined) await save(this.#options.checkpoints, trial, run);
    this.#paused.set(trial, run);
    const [oldest] = this.#paused;
    if (this.#paused.size <= (this.#options.keeps ?? KEPT) || oldest === undefined) return;
    this.#paused.delete(oldest[0]);
    await oldest[1].close();
  }

  release(trial: number): void {
    const run = this.#paused.get(trial);
    this.#paused.delete(trial);
    void run?.close().catch(() => undefined);
    void this.#options.checkpoints?.remove(trial);
  }

  async close(): Promise<void> {
    for (const run of this.#paused.values()) await run.close().catch(() => undefined);
    this.#paused.clear();
  }
}

/** Models that no file can hold have no checkpoint, nor has anything a place on a full disk: such a trial is trained again, with the same numbers. */
async function save(checkpoints: CheckpointStore, trial: number, run: TrialRun): Promise<void> {
  const checkpoint = await run.save().catch(() => undefined);
  if (checkpoint === undefined) return;
  try {
    await checkpoints.write(trial, checkpoint);
  } catch (error) {
    if (!(error instanceof StudyFileError)) throw error;
  }
}
