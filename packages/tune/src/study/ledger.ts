/** What is known of a study: a fold over the events of its journal, so that a study that is resumed knows the same. */
import type { Observation } from "../searchers/searcher.js";
import type { ScheduledTrial } from "../schedulers/scheduler.js";
import type { Assignment } from "../space/parameter.js";
import type { ConfirmEvent, EndEvent, EpochEvent, JournalEvent } from "./events.js";

/** `lost`: its worker has died, and it waits to go on. */
export type TrialState = "running" | "lost" | "paused" | "complete" | "pruned" | "failed";

/** A trial of a study. */
export interface Trial {
  readonly number: number;
  readonly values: Assignment;
  readonly state: TrialState;
  /** For each finished epoch a figure for each objective. */
  readonly epochs: readonly (readonly number[])[];
  /** Of training, all repeats and folds together. */
  readonly seconds: number;
  /** One for each objective: of the best epoch, by the first objective, or of the last one. Undefined before the first epoch. */
  readonly results: readonly number[] | undefined;
  /** One for each constraint, above 0 where it is violated. */
  readonly violations: readonly number[];
  /** Why it has failed. */
  readonly error?: string;
  /** Results of the same setting with fresh seeds. */
  readonly confirmed: readonly (readonly number[])[];
  /** When it was trained, and by whom. */
  readonly spans: readonly Span[];
}

/** A time in which a trial was trained. */
export interface Span {
  /** The process, where that was none of the leader's own. */
  readonly worker?: string;
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
}

interface Kept {
  readonly number: number;
  readonly values: Assignment;
  state: TrialState;
  readonly epochs: number[][];
  readonly losses: number[];
  seconds: number;
  until: number;
  violations: readonly number[];
  error?: string;
  readonly confirmed: number[][];
  readonly spans: Span[];
  /** The last span goes on with the next epoch. */
  isTraining: boolean;
}

export interface LedgerOptions {
  /** 1 where less of an objective is better, else −1. */
  readonly signs: readonly number[];
  /** Which epoch's result is the trial's. */
  readonly value: "best" | "last";
  /** Tasks of a round; 0 where results are told as they come. */
  readonly round: number;
}

export class Ledger {
  readonly #options: LedgerOptions;
  readonly #trials: Kept[] = [];
  /** Numbers of trials in the order of their newest results. */
  #told: number[] = [];
  /** Of a round: what has come of each of its tasks, until all are over. */
  readonly #round = new Map<number, (EpochEvent | EndEvent)[]>();
  #isChosen = false;
  #spentEpochs = 0;
  #elapsed = 0;
  #opened: number | undefined;
  #last = 0;

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  get count(): number {
    return this.#trials.length;
  }

  /** Of all trials, repeats of confirmations included. */
  get spentEpochs(): number {
    return this.#spentEpochs;
  }

  /** Seconds of all runs of the study, from each one's beginning to its last event. */
  get elapsedSeconds(): number {
    return (this.#elapsed + (this.#opened === undefined ? 0 : Math.max(0, this.#last - this.#opened))) / 1000;
  }

  /** Tasks that were begun and have no end: trials whose next epochs run, or were lost. */
  get unfinished(): readonly { readonly trial: number; readonly until: number }[] {
    const ended = (number: number): boolean => this.#round.get(number)?.some(({ event }) => event === "end") === true;
    return this.#trials
      .filter(({ state, number }) => (state === "running" || state === "lost") && !ended(number))
      .map(({ number, until }) => ({ trial: number, until }));
  }

  /** Whether a round is open whose tasks are not all chosen: the study was left while they were. */
  get choosing(): boolean {
    return this.#round.size > 0 && !this.#isChosen;
  }

  /** Tasks of the round that were chosen already. */
  get chosen(): number {
    return this.#round.size;
  }

  /** How many epochs of a trial were told: a trial that was lost repeats what it had not saved. */
  known(trial: number): number {
    const buffered = this.#round.get(trial)?.filter(({ event }) => event === "epoch").length ?? 0;
    return (this.#trials[trial]?.epochs.length ?? 0) + buffered;
  }

  apply(event: JournalEvent): void {
    if ("at" in event) this.#last = Math.max(this.#last, event.at);
    switch (event.event) {
      case "open":
        if (this.#opened !== undefined) this.#elapsed += Math.max(0, this.#last - this.#opened);
        this.#opened = this.#last = event.at;
        return;
      case "trial":
        this.#trials[event.trial] = newTrial(event.trial, event.values);
        this.#begin(event.trial, event.until);
        return;
      case "task":
        this.#begin(event.trial, event.until);
        return;
      case "round":
        this.#isChosen = true;
        this.#endRound();
        return;
      case "epoch":
        this.#spentEpochs++;
        this.#later(event);
        return;
      case "end":
        this.#later(event);
        return;
      case "lost":
        if (this.#trial(event.trial).state === "running") this.#trial(event.trial).state = "lost";
        return;
      case "confirm":
        this.#confirm(event);
        return;
      case "study":
        return;
    }
  }

  #begin(number: number, until: number): void {
    const trial = this.#trial(number);
    [trial.state, trial.until] = ["running", until];
    if (this.#options.round > 0) this.#round.set(number, []);
  }

  #confirm({ trial, values, epochs }: ConfirmEvent): void {
    this.#spentEpochs += epochs;
    this.#trial(trial).confirmed.push(numbers(values));
  }

  /** In rounds results are told when all tasks have ended, in the order of the tasks. */
  #later(event: EpochEvent | EndEvent): void {
    const events = this.#round.get(event.trial);
    if (events === undefined) {
      this.#tell(event);
      return;
    }
    events.push(event);
    this.#endRound();
  }

  #endRound(): void {
    const isOver = [...this.#round.values()].every((events) => events.some(({ event }) => event === "end"));
    if (!this.#isChosen || !isOver) return;
    this.#isChosen = false;
    const all = [...this.#round.values()].flat();
    this.#round.clear();
    for (const one of all) this.#tell(one);
  }

  #tell(event: EpochEvent | EndEvent): void {
    const trial = this.#trial(event.trial);
    this.#told = [...this.#told.filter((number) => number !== event.trial), event.trial];
    trainedBy(trial, event);
    if (event.event === "epoch") {
      const values = numbers(event.values);
      const loss = (values[0] ?? NaN) * (this.#options.signs[0] ?? 1);
      const before = trial.losses.at(-1);
      const isBest = before === undefined || !Number.isFinite(before) || loss < before;
      trial.epochs.push(values);
      trial.losses.push(this.#options.value === "last" || isBest ? loss : before);
      trial.seconds += event.seconds;
      return;
    }
    trial.state = event.state;
    if (event.error !== undefined) trial.error = event.error;
    // JSON has null for what is not known.
    if (event.violations !== undefined) trial.violations = numbers(event.violations);
  }

  #trial(number: number): Kept {
    const trial = this.#trials[number];
    if (trial === undefined) throw new RangeError(`there is no trial ${number}`);
    return trial;
  }

  /** The epoch, from 0, that a trial's results are of. */
  #resultEpoch({ epochs, losses }: Kept): number {
    if (this.#options.value === "last") return epochs.length - 1;
    const best = losses.at(-1);
    return epochs.findIndex((values) => (values[0] ?? NaN) * (this.#options.signs[0] ?? 1) === best);
  }

  get trials(): readonly Trial[] {
    return this.#trials.map((trial) => ({
      number: trial.number,
      values: trial.values,
      state: trial.state,
      epochs: trial.epochs,
      seconds: trial.seconds,
      results: trial.epochs[this.#resultEpoch(trial)] ?? trial.epochs.at(-1),
      violations: trial.violations,
      confirmed: trial.confirmed,
      spans: trial.spans,
      ...(trial.error === undefined ? {} : { error: trial.error }),
    }));
  }

  /** For schedulers. In a round, trials of the round are running until it is over. */
  get scheduled(): readonly ScheduledTrial[] {
    const sign = this.#options.signs[0] ?? 1;
    return this.#trials.map(({ number, state, losses, epochs }) => ({
      number,
      state: state === "running" || state === "lost" ? "running" : state === "paused" ? "paused" : "ended",
      losses,
      curve: epochs.map((values) => (values[0] ?? NaN) * sign),
    }));
  }

  /** A trial of the round as it stands, with what is told when the round is over. */
  pending(number: number): ScheduledTrial {
    const { signs, value } = this.#options;
    const { losses, epochs, state } = this.#trial(number);
    const more = (this.#round.get(number) ?? []).flatMap((event) =>
      event.event === "epoch" ? [numbers(event.values)] : [],
    );
    const curve = [...epochs, ...more].map((values) => (values[0] ?? NaN) * (signs[0] ?? 1));
    const all = [...losses];
    for (const loss of curve.slice(losses.length)) {
      const before = all.at(-1);
      all.push(value === "best" && before !== undefined && !(loss < before) ? before : loss);
    }
    return { number, state: state === "paused" ? "paused" : "running", losses: all, curve };
  }

  /**
   * For searchers: trials with results in the order in which they came, then those that run. Results of different lengths are brought to
   * the largest number of epochs that three trials have reached: the shorter ones are moved by what the longer ones gained, in the
   * median, from there on.
   */
  get observed(): readonly Observation[] {
    const lengths = this.#trials.map(({ losses }) => losses.length).sort((a, b) => b - a);
    const level = Math.max(1, lengths[Math.min(COMPARED, lengths.length) - 1] ?? 1);
    const told = this.#told.map((number) => this.#trial(number));
    const running = this.#trials.filter(({ number }) => !this.#told.includes(number));
    return [
      ...told.map((trial) => ({ ...observation(trial), losses: this.#lossesAt(trial, level) })),
      ...running.map((trial) => ({ ...observation(trial), losses: undefined })),
    ];
  }

  /** Settings of all trials, for never trying one twice. */
  get settings(): readonly Assignment[] {
    return this.#trials.map(({ values }) => values);
  }

  /** One loss for each objective; NaN where the trial has failed. */
  #lossesAt(trial: Kept, level: number): readonly number[] {
    const { signs, value } = this.#options;
    const { epochs, losses, state } = trial;
    const own = Math.min(level, losses.length);
    if (own === 0 || state === "failed") return signs.map(() => NaN);
    const first = losses[own - 1] ?? NaN;
    const at =
      value === "last" ? own - 1 : epochs.findIndex((values) => (values[0] ?? NaN) * (signs[0] ?? 1) === first);
    const values = epochs[at] ?? epochs[own - 1] ?? [];
    const gain = state === "complete" ? 0 : this.#gain(own, level);
    return signs.map((sign, i) => (i === 0 ? first + gain : (values[i] ?? NaN) * sign));
  }

  /** How the loss changes, in the median, from one number of epochs to another. */
  #gain(from: number, to: number): number {
    if (from === to) return 0;
    const gains = this.#trials
      .filter(({ losses }) => losses.length >= to)
      .map(({ losses }) => (losses[to - 1] ?? NaN) - (losses[from - 1] ?? NaN))
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
    return gains[Math.floor(gains.length / 2)] ?? 0;
  }
}

/** Trials that must have reached a number of epochs for all to be compared there. */
const COMPARED = 3;

const observation = ({ number, values, violations }: Kept) => ({ number, values, violations });

const newTrial = (number: number, values: Assignment): Kept => ({
  number,
  values,
  state: "running",
  epochs: [],
  losses: [],
  seconds: 0,
  until: 0,
  violations: [],
  confirmed: [],
  spans: [],
  isTraining: false,
});

/** An epoch makes the trial's time longer, or begins another one. */
function trainedBy(trial: Kept, event: EpochEvent | EndEvent): void {
  const last = trial.spans.at(-1);
  const goesOn = event.event === "epoch" && trial.isTraining && last?.worker === event.worker;
  trial.isTraining = event.event === "epoch";
  if (event.event !== "epoch") return;
  const by = event.worker === undefined ? {} : { worker: event.worker };
  if (goesOn && last !== undefined) trial.spans.splice(-1, 1, { ...last, to: event.at });
  else trial.spans.push({ ...by, from: event.at - 1000 * event.seconds, to: event.at });
}

const numbers = (values: readonly (number | null)[]): number[] => values.map((value) => value ?? NaN);
