/** Ending training where a figure stops improving. */
import { booleanOption, checkOptions, numberIn, wholeNumber } from "../../errors.js";
import type { Callback } from "../callbacks.js";
import { readState } from "../json.js";
import { Monitor, MONITOR_OPTIONS, type MonitorOptions } from "./monitor.js";

/** Options of {@link earlyStopping}. */
export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without improvement before training ends, at least 0; 0 is as 1. Default 0. */
  readonly patience?: number;
  /** Least change that counts, at least 0. Default 0. */
  readonly minDelta?: number;
  /** The figure must become better than this. Default none. */
  readonly baseline?: number;
  /** Goes back to the weights of the best epoch, however training ended. Default true. */
  readonly restoreBestWeights?: boolean;
  /** Epochs before it begins to watch. Default 0. */
  readonly startFromEpoch?: number;
}

/**
 * Ends training when the watched figure stops improving, and restores the best weights, also after an interruption or an
 * error. An improvement is a finite value that is better than the best by more than minDelta: equal is none, and of equal
 * ones the first is the best. With the values 1, 0.9, 0.95, 0.94 and a patience of 2 it ends after the fourth; the second
 * is the best. Moments and step count of the optimizer are not set back.
 *
 * @throws OptionError for options out of range, and during training for a figure that does not exist, or of which nothing
 * says whether more or less is better.
 * @example
 * import { earlyStopping } from "torte";
 * const callback = earlyStopping({ patience: 3 });
 * console.log(callback.state?.()); // { best: null, waited: 0, kept: false }
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const where = "earlyStopping";
  checkOptions(where, options, [...MONITOR_OPTIONS, "patience", "baseline", "restoreBestWeights", "startFromEpoch"]);
  const monitor = new Monitor(where, options);
  const patience = Math.max(1, wholeNumber(where, "patience", options.patience ?? 0));
  const start = wholeNumber(where, "startFromEpoch", options.startFromEpoch ?? 0);
  const restore = booleanOption(where, "restoreBestWeights", options.restoreBestWeights ?? true);
  const baseline = options.baseline === undefined ? undefined : numberIn(where, "baseline", options.baseline);
  let waited = 0;
  let kept = false;
  return {
    kind: where,
    stage: "stopping",
    onTrainBegin: (control) => {
      monitor.begin(control);
      [monitor.best, waited, kept] = [undefined, 0, false];
    },
    onEpochEnd: async (epoch, logs, control) => {
      const value = monitor.read(logs);
      if (epoch < start) return;
      if (monitor.improve(value, control)) {
        if (restore) await control.keepWeights();
        kept = restore;
        if (baseline === undefined || monitor.isBetter(value, baseline, control)) {
          waited = 0;
          return;
        }
      }
      if (++waited >= patience) control.stop();
    },
    onTrainEnd: async (control) => {
      if (kept) await control.restoreWeights();
    },
    state: () => ({ best: monitor.best ?? null, waited, kept }),
    load: (state) => {
      const read = readState(where, state, { best: "number?", waited: "number", kept: "boolean" });
      [monitor.best, waited, kept] = [read.best, read.waited, read.kept];
    },
  };
}
