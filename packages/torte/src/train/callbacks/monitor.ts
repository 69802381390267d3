/** Watching one figure: which value is the best so far. */
import { hintFor, numberIn, oneOf, OptionError } from "../../errors.js";
import type { Logs, TrainingControl } from "../callbacks.js";

/** Which figure a callback watches, and what counts as better. */
export interface MonitorOptions {
  /** The figure to watch. Default "valLoss". */
  readonly monitor?: string;
  /** Least change that counts, at least 0. */
  readonly minDelta?: number;
  /** Whether less or more is better. Default "auto": what the figure's metric says. */
  readonly mode?: "auto" | "min" | "max";
}

export const MONITOR_OPTIONS = ["monitor", "minDelta", "mode"] as const;

/**
 * The best value so far of a figure. A value is better where it is finite and differs from the best by more than minDelta
 * in the right direction: equal is no improvement, of equal ones the first stays.
 */
export class Monitor {
  readonly figure: string;
  readonly #where: string;
  readonly #minDelta: number;
  readonly #mode: "auto" | "min" | "max";
  best: number | undefined;

  constructor(where: string, options: MonitorOptions, minDelta = 0) {
    this.#where = where;
    this.figure = options.monitor ?? "valLoss";
    this.#minDelta = numberIn(where, "minDelta", options.minDelta ?? minDelta, { min: 0 });
    this.#mode = oneOf(where, "mode", options.mode ?? "auto", ["auto", "min", "max"]);
  }

  /** The figure's value. @throws OptionError where there is none. */
  read(logs: Logs): number {
    const value = logs[this.figure];
    if (value !== undefined) return value;
    throw this.#missing(Object.keys(logs));
  }

  /** @throws OptionError before the first epoch where no epoch will have the figure. */
  begin({ figures }: TrainingControl): void {
    if (!figures.includes(this.figure)) throw this.#missing(figures);
  }

  #missing(figures: readonly string[]): OptionError {
    const ofValidation = (name: string): boolean => /(^|\.)val/.test(name);
    const held = ofValidation(this.figure);
    const fix = held ? "Give fit validationData." : "Compile the model with this metric.";
    return new OptionError({
      where: this.#where,
      problem: `there is no ${this.figure}`,
      expected: figures.join(", "),
      fix,
      ...hintFor(
        this.figure,
        figures.filter((name) => ofValidation(name) === held),
      ),
    });
  }

  /** Whether the value is better than another one; any finite value is better than none. */
  isBetter(value: number, than: number | undefined, control: TrainingControl): boolean {
    const upwards = this.#isUpwards(control);
    if (!Number.isFinite(value)) return false;
    return than === undefined || (upwards ? value - this.#minDelta > than : value + this.#minDelta < than);
  }

  /** Takes the value as the best, where it is. */
  improve(value: number, control: TrainingControl): boolean {
    const better = this.isBetter(value, this.best, control);
    if (better) this.best = value;
    return better;
  }

  /** @throws OptionError where nothing says what is better. */
  #isUpwards(control: TrainingControl): boolean {
    const direction = this.#mode === "auto" ? control.direction(this.figure) : this.#mode;
    if (direction === "max" || direction === "min") return direction === "max";
    throw new OptionError({
      where: this.#where,
      problem: `nothing says whether more or less of ${this.figure} is better`,
      expected: 'mode "min" or "max"',
      fix: "Or give the metric a direction.",
    });
  }
}
