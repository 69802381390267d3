/** A smaller learning rate where a figure stops improving. */
import { checkOptions, numberIn, wholeNumber } from "../../errors.js";
import type { Callback } from "../callbacks.js";
import { readState } from "../json.js";
import { Monitor, MONITOR_OPTIONS, type MonitorOptions } from "./monitor.js";

/** Options of {@link reduceLROnPlateau}. */
export interface ReduceLROnPlateauOptions extends MonitorOptions {
  /** What the rate is multiplied by, above 0 and below 1. Default 0.1. */
  readonly factor?: number;
  /** Epochs without improvement before the rate is reduced, at least 0; 0 is as 1. Default 10. */
  readonly patience?: number;
  /** Least change that counts, at least 0. Default 1e-4. */
  readonly minDelta?: number;
  /** Epochs after a reduction in which nothing is counted. Default 0. */
  readonly cooldown?: number;
  /** The rate is not reduced below this, at least 0. Default 0. */
  readonly minLearningRate?: number;
}

/**
 * Multiplies the learning rate by `factor` when the watched figure has not improved for `patience` epochs. With a schedule,
 * all rates to come are multiplied: the factor is part of the optimizer's state, and goes with it into checkpoints.
 *
 * As Keras's ReduceLROnPlateau, but for values that are not finite, which are never the best.
 *
 * @throws OptionError for options out of range, and during training for a figure that does not exist, or of which nothing
 * says whether more or less is better.
 * @example
 * import { reduceLROnPlateau } from "torte";
 * const callback = reduceLROnPlateau({ factor: 0.5, patience: 2 });
 * console.log(callback.state?.()); // { best: null, waited: 0, cooling: 0 }
 */
export function reduceLROnPlateau(options: ReduceLROnPlateauOptions = {}): Callback {
  const where = "reduceLROnPlateau";
  checkOptions(where, options, [...MONITOR_OPTIONS, "factor", "patience", "cooldown", "minLearningRate"]);
  const monitor = new Monitor(where, options, 1e-4);
  const factor = numberIn(where, "factor", options.factor ?? 0.1, { above: 0, below: 1 });
  const patience = wholeNumber(where, "patience", options.patience ?? 10);
  const cooldown = wholeNumber(where, "cooldown", options.cooldown ?? 0);
  const least = numberIn(where, "minLearningRate", options.minLearningRate ?? 0, { min: 0 });
  let [waited, cooling] = [0, 0];
  return {
    kind: where,
    stage: "rate",
    onTrainBegin: (control) => {
      monitor.begin(control);
      [monitor.best, waited, cooling] = [undefined, 0, 0];
    },
    onEpochEnd: (_, logs, control) => {
      const value = monitor.read(logs);
      if (cooling > 0) [cooling, waited] = [cooling - 1, 0];
      if (monitor.improve(value, control)) waited = 0;
      else if (cooling === 0 && ++waited >= patience) {
        const rate = control.learningRate;
        if (rate <= least) return;
        control.learningRate = Math.max(rate * factor, least);
        [cooling, waited] = [cooldown, 0];
      }
    },
    state: () => ({ best: monitor.best ?? null, waited, cooling }),
    load: (state) => {
      const read = readState(where, state, { best: "number?", waited: "number", cooling: "number" });
      [monitor.best, waited, cooling] = [read.best, read.waited, read.cooling];
    },
  };
}
