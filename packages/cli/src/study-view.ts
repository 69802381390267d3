/** What a person sees while a study goes on: on a terminal a table that stays in its place, elsewhere a line for each trial. */
import type { Budget, JournalEvent, Study, Trial } from "@torte/tune";
import { duration, type Output } from "./reporter.js";

/** Columns of the table. */
const WIDTH = 80;
/** Running trials in the table. */
const MOST_RUNNING = 8;
/** Between two drawings of the table. */
const EVERY_MS = 200;

const BARS = "▁▂▃▄▅▆▇█";

/** A curve in so many letters. */
export function sparkline(values: readonly number[], width = 20): string {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const step = Math.max(1, Math.ceil(values.length / width));
  return values
    .filter((_, i) => (values.length - 1 - i) % step === 0)
    .map((value) => (Number.isFinite(value) ? (BARS[Math.round((7 * (value - low)) / (high - low || 1))] ?? "") : "?"))
    .join("");
}

const shown = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(4));
const curveOf = ({ epochs }: Trial, width?: number): string =>
  sparkline(
    epochs.map(([first]) => first ?? NaN),
    width,
  );
const inEpochs = ({ epochs }: Trial): string => `${epochs.length} epoch${epochs.length === 1 ? "" : "s"}`;

/** What is said of an event, if anything. */
function lineOf(event: JournalEvent, study: Study): string | undefined {
  if (event.event === "lost") return `trial ${event.trial} was lost and goes on`;
  const trial = event.event === "end" ? study.trials[event.trial] : undefined;
  if (trial === undefined || trial.state === "running") return undefined;
  const best = study.best;
  const facts = [
    `trial ${String(trial.number).padStart(3)}`,
    trial.state.padEnd(8),
    `${shown(trial.results?.[0])} ${curveOf(trial)} ${inEpochs(trial)}`,
    best === undefined ? "" : `best ${shown(best.seen)} (trial ${best.number})`,
    trial.error ?? "",
  ];
  return facts.filter((fact) => fact !== "").join("  ");
}

/** Best so far, what runs, and what of the budget is left: lines of 80 columns at most. */
export function studyTable(study: Study, budget: Budget, seconds: number): readonly string[] {
  const { trials, best, cost, objectives } = study;
  const running = trials.filter(({ state }) => state === "running" || state === "lost");
  const spent = [
    of(trials.length, budget.trials, "trials"),
    of(cost.epochs, budget.epochs, "epochs"),
    budget.seconds === undefined
      ? duration(seconds)
      : `${duration(seconds)} of ${duration(budget.seconds)}, ${duration(Math.max(0, budget.seconds - seconds))} left`,
  ];
  const { metric = "", direction = "min" } = objectives[0] ?? {};
  const setting = Object.entries(best?.values ?? {}).map(([name, value]) => `${name} ${plain(value)}`);
  return [
    `${metric} (${direction})  ${spent.join(", ")}`,
    best === undefined
      ? "best    none yet"
      : `best    ${shown(best.seen)}  trial ${best.number}  ${setting.join("  ")}`,
    ...running
      .slice(-MOST_RUNNING)
      .map(
        (trial) =>
          `${trial.state.padEnd(7)} ${shown(trial.epochs.at(-1)?.[0])}  trial ${String(trial.number).padEnd(4)} ${inEpochs(trial).padEnd(11)} ${curveOf(trial, 30)}`,
      ),
  ].map(cut);
}

const of = (count: number, most: number | undefined, what: string): string =>
  most === undefined ? `${count} ${what}` : `${count} of ${most} ${what}`;
const plain = (value: number | string | boolean): string =>
  typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(3))) : String(value);
const cut = (line: string): string => ([...line].length > WIDTH ? `${[...line].slice(0, WIDTH - 1).join("")}…` : line);

/** Shows a study as it goes on. */
export class StudyView {
  readonly #output: Output | undefined;
  readonly #budget: Budget;
  /** Lines of the table that stand on the terminal now. */
  #standing = 0;
  #study: Study | undefined;
  /** When the study's seconds were looked at, and what they were. */
  #clock = { at: performance.now(), seconds: 0 };
  #timer: NodeJS.Timeout | undefined;

  /** Without an output, nothing is shown. */
  constructor(output: Output | undefined, budget: Budget) {
    this.#output = output;
    this.#budget = budget;
    if (output?.isTTY !== true) return;
    this.#timer = setInterval(() => this.#draw(), EVERY_MS);
    this.#timer.unref();
  }

  told(event: JournalEvent, study: Study): void {
    if (this.#output === undefined) return;
    this.#study = study;
    if ("at" in event) this.#clock = { at: performance.now(), seconds: study.cost.seconds };
    const line = lineOf(event, study);
    if (line === undefined) return;
    this.#clear();
    this.#output.write(`${line}\n`);
  }

  /** Takes the table away. */
  end(): void {
    clearInterval(this.#timer);
    this.#clear();
  }

  #clear(): void {
    if (this.#standing > 0) this.#output?.write(`\u001b[${this.#standing}A\u001b[J`);
    this.#standing = 0;
  }

  #draw(): void {
    if (this.#study === undefined) return;
    const { at, seconds } = this.#clock;
    const lines = studyTable(this.#study, this.#budget, seconds + (performance.now() - at) / 1000);
    this.#clear();
    this.#output?.write(lines.map((line) => `${line}\n`).join(""));
    this.#standing = lines.length;
  }
}
