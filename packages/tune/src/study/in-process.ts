/** Trials that are trained in this process, one at a time; the engine has threads of its own. */
import type { EpochResult, TrialRun } from "./trial-run.js";
import type { Executor, Job, JobEnd } from "./leader.js";
import { type Constraints, violationsOf } from "./objective.js";
import { reasonOf } from "./leader.js";

/** Models of paused trials that are kept in memory; of others the trial begins anew, with the same numbers. */
const KEPT = 16;

export interface InProcessOptions {
  readonly make: (job: Job) => TrialRun;
  readonly constraints: Constraints;
  readonly signal: AbortSignal | undefined;
}

export class InProcess implements Executor {
  readonly width = 1;
  readonly #options: InProcessOptions;
  readonly #paused = new Map<number, TrialRun>();

  constructor(options: InProcessOptions) {
    this.#options = options;
  }

  async run(job: Job, report: (epoch: number, result: EpochResult) => boolean): Promise<JobEnd> {
    const { make } = this.#options;
    const isTrial = job.seed === undefined;
    const held = isTrial ? this.#paused.get(job.trial) : undefined;
    let run: TrialRun | undefined;
    try {
      run = held ?? make(job);
      const end = await trained(run, job.until, this.#options, report);
      this.#paused.delete(job.trial);
      if (isTrial && end.state === "finished") await this.#keep(job.trial, run);
      else await run.close();
      return end;
    } catch (error) {
      this.#paused.delete(job.trial);
      await run?.close().catch(() => undefined);
      return { state: "failed", error: reasonOf(error) };
    }
  }

  async #keep(trial: number, run: TrialRun): Promise<void> {
    this.#paused.set(trial, run);
    const [oldest] = this.#paused;
    if (this.#paused.size <= KEPT || oldest === undefined) return;
    this.#paused.delete(oldest[0]);
    await oldest[1].close();
  }

  release(trial: number): void {
    const run = this.#paused.get(trial);
    this.#paused.delete(trial);
    void run?.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    for (const run of this.#paused.values()) await run.close().catch(() => undefined);
    this.#paused.clear();
  }
}

/** A run up to so many epochs, unless its parameters are too many. */
export async function trained(
  run: TrialRun,
  until: number,
  { constraints, signal }: Pick<InProcessOptions, "constraints" | "signal">,
  report: (epoch: number, result: EpochResult) => boolean,
): Promise<JobEnd> {
  const before = violationsOf(constraints, { parameters: run.costs.parameters ?? 0 });
  if (before.some((by) => by > 0)) return { state: "stopped", violations: before };
  const last = { finite: true };
  const state = await run.train(
    until,
    (epoch, result) => {
      last.finite = Number.isFinite(result.values[0]);
      return report(epoch, result) && last.finite;
    },
    signal,
  );
  if (!last.finite && state !== "aborted") return { state: "failed", error: "the objective is no number" };
  const violations = violationsOf(constraints, run.costs);
  return violations.length === 0 ? { state } : { state, violations };
}
