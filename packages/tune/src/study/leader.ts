/** Leads a study: chooses what runs next, keeps the journal, and ends where the budget does. */
import { show, TrainingError } from "torte";
import { Random } from "../random.js";
import type { Searcher } from "../searchers/searcher.js";
import type { Schedule, ScheduledTrial, Scheduler } from "../schedulers/scheduler.js";
import type { Assignment } from "../space/parameter.js";
import type { Space } from "../space/space.js";
import { type Budget, isOver } from "./budget.js";
import type { EndEvent, JournalEvent, StudyEvent } from "./events.js";
import { Ledger, type Trial } from "./ledger.js";
import { propose } from "./propose.js";
import { signOf, type Goal } from "./search.js";
import type { EpochResult, Report } from "./trial-run.js";

/** Training that somebody does for the leader: in this process, or in another one. */
export interface Job {
  readonly trial: number;
  readonly values: Assignment;
  readonly until: number;
  /** The trial will not go on after it. */
  readonly last: boolean;
  /** Of a confirmation; undefined for the trial itself. */
  readonly seed?: number;
}

export interface JobEnd {
  readonly state: "finished" | "stopped" | "aborted" | "failed" | "lost";
  readonly error?: string;
  readonly violations?: readonly number[];
}

export interface Executor {
  /** Jobs at the same time. */
  readonly width: number;
  /** Resolves when there is room for more at the same time than before. */
  wider?(): Promise<void>;
  /** Told of each epoch; where that answers false, the job ends. Never rejects because of what training throws. */
  run(job: Job, report: Report): Promise<JobEnd>;
  /** The trial does not go on: what was kept of it may go. */
  release(trial: number): void;
  /** The study is over, not only its leader. */
  finished?(): void;
  close(): Promise<void>;
}

export interface LeaderOptions {
  readonly space: Space;
  readonly searcher: Searcher;
  readonly scheduler: Scheduler;
  readonly header: StudyEvent;
  readonly directions: readonly Goal[];
  readonly budget: Budget;
  readonly confirm: { readonly trials: number; readonly seeds: number };
  readonly executor: Executor;
  /** Keeps an event before it counts. */
  readonly append: (event: JournalEvent) => void;
  /** Of earlier runs of the study. */
  readonly events: readonly JournalEvent[];
  readonly onEvent: (event: JournalEvent) => void;
  readonly signal: AbortSignal | undefined;
}

/** Where as many trials have failed, and none has not, the study ends. */
const ALL_FAILED = 3;

/** A trial whose worker dies as often without an epoch is what kills it. */
const MOST_LOST = 10;

/** Paused trials that are kept ready to go on; a worse one would begin anew. */
const MOST_KEPT = 32;

/** Of the budget, at most, for confirmations. */
const CONFIRMATION = 0.3;

export class Leader {
  readonly ledger: Ledger;
  readonly #options: LeaderOptions;
  readonly #random: Random;
  #exhausted = false;
  /** How often the worker of a trial has died since its last epoch. */
  readonly #lost = new Map<number, number>();
  /** What must end the study: an error of the journal, or of all trials. */
  #failure: { readonly error: unknown } | undefined;

  constructor(options: LeaderOptions) {
    this.#options = options;
    const { header, directions } = options;
    this.ledger = new Ledger({ signs: directions.map(signOf), value: header.value, round: header.round });
    for (const event of options.events) this.ledger.apply(event);
    this.#random = new Random(header.seed, "confirm");
  }

  /** All of the study that the budget allows, and the confirmations. */
  async run(): Promise<void> {
    this.#record({ event: "open", at: Date.now() });
    // What was left behind when the study was ended between an event and its consequences.
    for (const { number, state } of this.ledger.trials)
      if (!["paused", "running", "lost"].includes(state)) this.#options.executor.release(number);
    await this.#search();
    this.#endPaused();
    if (!this.#aborted) await this.#confirm();
    if (!this.#isAborted()) this.#options.executor.finished?.();
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Asked again after waiting. */
  #isAborted(): boolean {
    return this.#aborted;
  }

  get #aborted(): boolean {
    return this.#options.signal?.aborted === true || this.#failure !== undefined;
  }

  #record(event: JournalEvent): void {
    this.#options.append(event);
    this.ledger.apply(event);
    this.#options.onEvent(event);
  }

  /** Whether epochs or seconds are spent, with what confirmations will take. Trials that have begun may go on. */
  get #isSpent(): boolean {
    const { confirm, header, budget, executor } = this.#options;
    const epochs = Math.min(confirm.trials, this.ledger.count) * confirm.seeds * header.epochs;
    const { trials, spentEpochs, elapsedSeconds } = this.ledger;
    const perEpoch = trials.reduce((sum, { seconds }) => sum + seconds, 0) / Math.max(1, spentEpochs);
    return isOver(budget, {
      epochs: spentEpochs + Math.min(epochs, CONFIRMATION * (budget.epochs ?? 0)),
      seconds: elapsedSeconds + Math.min((epochs * perEpoch) / executor.width, CONFIRMATION * (budget.seconds ?? 0)),
    });
  }

  get schedule(): Schedule {
    const { header, budget } = this.#options;
    const withinTrials = budget.trials === undefined || this.ledger.count < budget.trials;
    return {
      trials: this.ledger.scheduled,
      epochs: header.epochs,
      open: withinTrials && !this.#exhausted && !this.#isSpent,
      seed: header.seed,
    };
  }

  async #search(): Promise<void> {
    const running = new Map<number, Promise<void>>();
    const queue = this.ledger.unfinished.map(({ trial, until }) => ({ trial, until }));
    const { executor, header } = this.#options;
    if (this.ledger.choosing) queue.push(...this.#round(header.round));
    while (!this.#aborted) {
      while (queue.length > 0 && running.size < executor.width) {
        const task = queue.shift();
        if (task === undefined) break;
        const job = this.#job(task.trial, task.until).finally(() => running.delete(task.trial));
        running.set(task.trial, job);
      }
      // Room, or something to choose by.
      const change = (): Promise<unknown> =>
        Promise.race([...running.values(), ...(executor.wider ? [executor.wider()] : [])]);
      if (running.size >= executor.width || (header.round > 0 && running.size > 0)) {
        await change();
        continue;
      }
      const chosen = header.round > 0 ? this.#round(header.round) : this.#choose();
      if (chosen.length > 0) queue.push(...chosen);
      else if (running.size > 0) await change();
      else break;
    }
    await Promise.all(running.values());
  }

  /** All tasks of the next round, before one of them begins. */
  #round(size: number): readonly Task[] {
    const tasks: Task[] = [];
    while (this.ledger.chosen < size) {
      const chosen = this.#choose();
      if (chosen.length === 0) break;
      tasks.push(...chosen);
    }
    if (this.ledger.chosen > 0) this.#record({ event: "round" });
    return tasks;
  }

  #choose(): readonly Task[] {
    if (this.#isSpent) return [];
    const { scheduler } = this.#options;
    const next = scheduler.next(this.schedule);
    if (next === "wait" || next === "done") return [];
    if (next.kind === "start") return this.#start(next.until);
    this.#record({ event: "task", trial: next.trial, until: next.until });
    return [{ trial: next.trial, until: next.until }];
  }

  #start(until: number): readonly Task[] {
    const { space, searcher, header } = this.#options;
    const trial = this.ledger.count;
    const ask = {
      space,
      seed: header.seed,
      number: trial,
      objectives: header.objectives.length,
      ...(header.earlier === undefined ? {} : { earlier: header.earlier }),
      trials: this.ledger.observed,
    };
    const resolved = propose(space, searcher, ask, this.ledger.settings);
    if (resolved === undefined) {
      this.#exhausted = true;
      return this.#choose();
    }
    this.#record({ event: "trial", trial, values: resolved.values, until });
    if (!("error" in resolved)) return [{ trial, until }];
    this.#end(trial, { state: "failed", error: reasonOf(resolved.error) });
    return this.#failure === undefined ? this.#choose() : [];
  }

  async #job(trial: number, until: number): Promise<void> {
    const { executor, header } = this.#options;
    const values = this.ledger.settings[trial] ?? {};
    const report = (epoch: number, result: EpochResult): boolean => {
      if (this.#aborted) return false;
      return this.#guarded(() => this.#epoch(trial, epoch, result)) ?? false;
    };
    const end = await executor.run({ trial, values, until, last: until >= header.epochs }, report);
    if (this.#aborted || end.state === "aborted") return;
    if (end.state === "lost") {
      this.#guarded(() => this.#record({ event: "lost", trial, at: Date.now() }));
      const times = (this.#lost.get(trial) ?? 0) + 1;
      this.#lost.set(trial, times);
      if (times < MOST_LOST) return this.#job(trial, until);
      this.#guarded(() =>
        this.#end(trial, { state: "failed", error: `its worker has died ${times} times within an epoch` }),
      );
      return;
    }
    const state =
      end.state === "failed"
        ? "failed"
        : end.state === "stopped"
          ? "pruned"
          : until < header.epochs
            ? "paused"
            : "complete";
    this.#guarded(() => this.#end(trial, { ...end, state }));
  }

  /** What goes wrong with the journal ends the study. */
  #guarded<R>(run: () => R): R | undefined {
    try {
      return run();
    } catch (error) {
      this.#failure ??= { error };
      return undefined;
    }
  }

  #epoch(trial: number, epoch: number, result: EpochResult): boolean {
    // A trial that was lost repeats what was told already, to the bit; the last of it may not have been judged.
    const known = this.ledger.known(trial);
    if (epoch < known) return true;
    if (epoch > known) this.#tellEpoch(trial, epoch, result);
    const { scheduler, header } = this.#options;
    if (scheduler.stops === undefined) return true;
    const schedule = this.schedule;
    const seen = header.round > 0 ? this.ledger.pending(trial) : schedule.trials[trial];
    return seen === undefined || !scheduler.stops(seen, schedule);
  }

  #tellEpoch(trial: number, epoch: number, { values, seconds, worker }: EpochResult): void {
    const numbers = values.map((value) => (Number.isFinite(value) ? value : null));
    this.#lost.delete(trial);
    const by = worker === undefined ? {} : { worker };
    this.#record({ event: "epoch", trial, epoch, values: numbers, seconds, ...by, at: Date.now() });
  }

  #end(trial: number, end: Pick<EndEvent, "state" | "error" | "violations">): void {
    const { state, error, violations } = end;
    this.#record({
      event: "end",
      trial,
      state,
      ...(error === undefined ? {} : { error }),
      ...(violations === undefined ? {} : { violations }),
      at: Date.now(),
    });
    if (state === "paused") this.#bound();
    else this.#options.executor.release(trial);
    const { trials } = this.ledger;
    const failed = trials.filter((one) => one.state === "failed");
    if (state === "failed" && failed.length === trials.length && trials.length >= ALL_FAILED)
      throw new TrainingError({
        where: "tune",
        problem: `the first ${trials.length} trials have all failed`,
        received: failed[0]?.error ?? "",
        fix: "Train the model alone with the setting of trial 0, and see why.",
      });
  }

  /** Keeps checkpoints of the best paused trials only, those of more epochs first. */
  #bound(): void {
    const loss = ({ losses }: ScheduledTrial): number => losses.at(-1) ?? Infinity;
    const paused = this.ledger.scheduled.filter(({ state }) => state === "paused");
    const ordered = paused.sort((a, b) => b.losses.length - a.losses.length || loss(a) - loss(b));
    for (const { number } of ordered.slice(MOST_KEPT)) this.#options.executor.release(number);
  }

  /** Trials that no rung has called for are over. */
  #endPaused(): void {
    if (this.#aborted) return;
    for (const { number, state } of this.ledger.trials)
      if (state === "paused") this.#guarded(() => this.#end(number, { state: "pruned" }));
  }

  /** The best trials again with fresh seeds, one seed of all of them after the other, while the budget lasts. */
  async #confirm(): Promise<void> {
    const { confirm, executor, header, budget } = this.#options;
    const best = ranked(this.ledger.trials, this.#signs).slice(0, confirm.trials);
    const jobs = Array.from({ length: confirm.seeds }, (_, repeat) => best.map((trial) => ({ trial, repeat })))
      .flat()
      .filter(({ trial, repeat }) => repeat >= trial.confirmed.length);
    const seeds = Array.from({ length: confirm.seeds }, () => this.#random.word());
    const one = async (): Promise<void> => {
      for (;;) {
        const job = jobs.shift();
        const { spentEpochs, elapsedSeconds } = this.ledger;
        const spent = { epochs: spentEpochs, seconds: elapsedSeconds };
        if (job === undefined || this.#aborted || isOver(budget, spent)) return;
        const { trial, repeat } = job;
        const results: EpochResult[] = [];
        const { state } = await executor.run(
          { trial: trial.number, values: trial.values, until: header.epochs, last: true, seed: seeds[repeat] ?? 0 },
          (_, result) => results.push(result) > 0 && !this.#aborted,
        );
        if (state !== "finished" || this.#isAborted()) continue;
        const values = this.#resultOf(results).map((value) => (Number.isFinite(value) ? value : null));
        const took = results.reduce((sum, result) => sum + result.seconds, 0);
        this.#guarded(() =>
          this.#record({
            event: "confirm",
            trial: trial.number,
            repeat,
            values,
            epochs: results.length,
            seconds: took,
            at: Date.now(),
          }),
        );
      }
    };
    await Promise.all(Array.from({ length: executor.width }, one));
  }

  get #signs(): readonly number[] {
    return this.#options.directions.map(signOf);
  }

  #resultOf(results: readonly EpochResult[]): readonly number[] {
    const last = results.at(-1)?.values ?? [];
    if (this.#options.header.value === "last") return last;
    const loss = ({ values }: EpochResult): number => (values[0] ?? NaN) * (this.#signs[0] ?? 1);
    return results.reduce(
      (best, one) => (loss(one) < loss(best) ? one : best),
      results[0] ?? { values: last, seconds: 0 },
    ).values;
  }
}

interface Task {
  readonly trial: number;
  readonly until: number;
}

/** Trials that have come to an end with a result, the best first: by the first objective, those of most epochs before shorter ones. */
export function ranked(trials: readonly Trial[], signs: readonly number[]): readonly Trial[] {
  const loss = ({ results }: Trial): number => (results?.[0] ?? NaN) * (signs[0] ?? 1);
  return trials
    .filter(
      (trial) => Number.isFinite(loss(trial)) && trial.state !== "failed" && trial.violations.every((by) => by <= 0),
    )
    .sort((a, b) => loss(a) - loss(b) || a.number - b.number);
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : show(error));
