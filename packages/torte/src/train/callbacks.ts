/** What happens around epochs: the interface of callbacks, and early stopping. */
import { booleanOption, checkOptions, numberIn, oneOf, OptionError, show, wholeNumber } from "../errors.js";
import type { Direction } from "../metrics/metric.js";

/** Figures of one epoch by name: loss, accuracy, valLoss, valAccuracy, … */
export type Logs = Readonly<Record<string, number>>;

export interface Progress {
  readonly epoch: number;
  /** Steps done in this epoch, and how many there are. */
  readonly step: number;
  readonly steps: number;
  /** Averages over the epoch so far. */
  readonly logs: Logs;
  readonly examplesPerSecond: number;
}

/** What a callback can do to the run. */
export interface TrainingControl {
  /** Ends training after this epoch, or at once when called between steps. */
  stop(): void;
  /** Keeps the weights as they are now; `restoreWeights` brings them back. */
  keepWeights(): Promise<void>;
  restoreWeights(): Promise<void>;
  setLearningRate(value: number): Promise<void>;
  /** Whether more ("max") or less ("min") of a figure is better, as its metric says; undefined where there is no such figure. */
  direction(figure: string): Direction | undefined;
}

export interface Callback {
  onTrainBegin?(control: TrainingControl): void | Promise<void>;
  onEpochBegin?(epoch: number, control: TrainingControl): void | Promise<void>;
  /** Called a few times a second. */
  onProgress?(progress: Progress, control: TrainingControl): void | Promise<void>;
  onEpochEnd?(epoch: number, logs: Logs, control: TrainingControl): void | Promise<void>;
  /** Also after an interruption or an error. */
  onTrainEnd?(control: TrainingControl): void | Promise<void>;
}

const HOOKS: Readonly<Record<keyof Callback, true>> = {
  onTrainBegin: true,
  onEpochBegin: true,
  onProgress: true,
  onEpochEnd: true,
  onTrainEnd: true,
};

/** @throws OptionError for what is no list of callbacks, or for one with a misspelt name, which would never be called. */
export function checkCallbacks(where: string, callbacks: unknown): void {
  const wrong = (problem: string, expected: string, received: string): never => {
    throw new OptionError({ where, problem, expected, received });
  };
  if (!Array.isArray(callbacks)) return wrong("callbacks has the wrong type", "a list of callbacks", show(callbacks));
  callbacks.forEach((callback: unknown, i) => {
    if (typeof callback !== "object" || callback === null) {
      wrong(`callback ${i} has the wrong type`, "an object with functions such as onEpochEnd", show(callback));
      return;
    }
    const strange = Object.keys(callback).find((name) => /^on[A-Z]/.test(name) && !(name in HOOKS));
    if (strange !== undefined)
      wrong(`callback ${i} has an unknown function`, Object.keys(HOOKS).join(", "), JSON.stringify(strange));
  });
}

/** Whether more is better, as the figure's metric says. @throws OptionError where it does not say it. */
function isUpwards(where: string, figure: string, control: TrainingControl): boolean {
  const direction = control.direction(figure);
  if (direction === "max" || direction === "min") return direction === "max";
  throw new OptionError({
    where,
    problem: `nothing says whether more or less of ${figure} is better`,
    expected: 'mode "min" or "max"',
    fix: "Or give the metric a direction.",
  });
}

export interface EarlyStoppingOptions {
  /** The figure to watch. Default "valLoss". */
  readonly monitor?: string;
  /** Epochs without improvement before training ends. Default 0. */
  readonly patience?: number;
  /** Least change that counts, at least 0. Default 0. */
  readonly minDelta?: number;
  /** Whether less or more is better. Default "auto": what the figure's metric says. */
  readonly mode?: "auto" | "min" | "max";
  /** The figure must become better than this. Default none. */
  readonly baseline?: number;
  /** Goes back to the weights of the best epoch, however training ended. Default true. */
  readonly restoreBestWeights?: boolean;
  /** Epochs before it begins to watch. Default 0. */
  readonly startFromEpoch?: number;
}

/**
 * Ends training when the watched figure stops improving, and restores the best weights.
 *
 * @throws OptionError for options out of range, and during training for a figure that does not exist.
 * @example
 * import { earlyStopping } from "torte";
 * const callback = earlyStopping({ patience: 3 });
 * console.log(typeof callback.onEpochEnd); // function
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const where = "earlyStopping";
  checkOptions(where, options, [
    "monitor",
    "patience",
    "minDelta",
    "mode",
    "baseline",
    "restoreBestWeights",
    "startFromEpoch",
  ]);
  const monitor = options.monitor ?? "valLoss";
  const patience = wholeNumber(where, "patience", options.patience ?? 0);
  const minDelta = numberIn(where, "minDelta", options.minDelta ?? 0, { min: 0 });
  const mode = oneOf(where, "mode", options.mode ?? "auto", ["auto", "min", "max"]);
  const start = wholeNumber(where, "startFromEpoch", options.startFromEpoch ?? 0);
  const restore = booleanOption(where, "restoreBestWeights", options.restoreBestWeights ?? true);
  const baseline = options.baseline === undefined ? undefined : numberIn(where, "baseline", options.baseline);
  let upwards = mode === "max";
  const better = (value: number, than: number | undefined): boolean =>
    than === undefined || (upwards ? value - minDelta > than : value + minDelta < than);
  let best: number | undefined;
  let waited = 0;
  let kept = false;
  return {
    onTrainBegin: () => {
      [best, waited, kept] = [undefined, 0, false];
    },
    onEpochEnd: async (epoch, logs, control) => {
      const value = logs[monitor];
      if (value === undefined) {
        const fix = monitor.startsWith("val") ? "Give fit validationData." : "Compile the model with this metric.";
        throw new OptionError({
          where,
          problem: `there is no ${monitor}`,
          expected: Object.keys(logs).join(", "),
          fix,
        });
      }
      if (mode === "auto") upwards = isUpwards(where, monitor, control);
      if (epoch < start) return;
      if (!Number.isNaN(value) && better(value, best)) {
        best = value;
        if (restore) await control.keepWeights();
        kept = restore;
        if (baseline === undefined || better(value, baseline)) {
          waited = 0;
          return;
        }
      }
      if (++waited >= Math.max(1, patience)) control.stop();
    },
    onTrainEnd: async (control) => {
      if (kept) await control.restoreWeights();
    },
  };
}
