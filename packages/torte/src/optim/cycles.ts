/** Learning-rate schedules that rise and fall: one cycle, or cycle after cycle. */
import { numberIn, oneOf, positiveInteger } from "../errors.js";
import { type Schedule, schedule } from "./schedule.js";

/** Options of {@link cyclic}. */
export interface CyclicOptions {
  /** Rate at the ends of a cycle, at least 0. */
  readonly minLearningRate: number;
  /** Rate in its middle, at least 0. */
  readonly maxLearningRate: number;
  /** Updates from the one to the other, half a cycle, at least 1. Default 2000. */
  readonly stepSize?: number;
  /** What the height of each cycle is multiplied with, above 0 up to 1. Default 1. */
  readonly decay?: number;
}

/**
 * A triangle: η(t) = min + (max − min)·decayᶜ·(1 − |t/stepSize − 2c − 1|) in cycle c = ⌊t/(2·stepSize)⌋. Smith 2017.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { cyclic } from "torte";
 * const rate = cyclic({ minLearningRate: 0, maxLearningRate: 1, stepSize: 10 });
 * console.log(rate.at(0), rate.at(10), rate.at(20), rate.at(30)); // 0 1 0 1
 */
export function cyclic(options: CyclicOptions): Schedule {
  const where = "cyclic";
  return schedule(where, options, ["minLearningRate", "maxLearningRate", "stepSize", "decay"], () => {
    const low = numberIn(where, "minLearningRate", options.minLearningRate, { min: 0 });
    const high = numberIn(where, "maxLearningRate", options.maxLearningRate, { min: 0 });
    const half = positiveInteger(where, "stepSize", options.stepSize ?? 2000);
    const decay = numberIn(where, "decay", options.decay ?? 1, { above: 0, max: 1 });
    return (t) => {
      const cycle = Math.floor(t / (2 * half));
      return low + (high - low) * decay ** cycle * (1 - Math.abs(t / half - 2 * cycle - 1));
    };
  });
}

/** Options of {@link oneCycle}. */
export interface OneCycleOptions {
  /** The peak, above 0. */
  readonly maxLearningRate: number;
  /** Updates of the whole cycle, at least 2. */
  readonly totalSteps: number;
  /** Share of the updates in which the rate rises, above 0 and below 1. Default 0.3. */
  readonly riseFraction?: number;
  /** The first rate is the peak divided by this, at least 1. Default 25. */
  readonly divFactor?: number;
  /** The last rate is the first divided by this, at least 1. Default 10000. */
  readonly finalDivFactor?: number;
  /** How it rises and falls. Default "cosine". */
  readonly shape?: "cosine" | "linear";
}

/**
 * Rises from maxLearningRate/divFactor at update 0 to the peak at update riseFraction·totalSteps − 1, and falls from there to
 * maxLearningRate/(divFactor·finalDivFactor) at update totalSteps − 1, the last of a run of totalSteps updates, where it
 * stays. The ends are those of PyTorch's OneCycleLR; optax reaches its end one update later. Smith and Topin 2018.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { oneCycle } from "torte";
 * const rate = oneCycle({ maxLearningRate: 1, totalSteps: 100 });
 * console.log(rate.at(0).toFixed(2), rate.at(29), rate.at(99)); // 0.04 1 0.000004
 */
export function oneCycle(options: OneCycleOptions): Schedule {
  const where = "oneCycle";
  const allowed = ["maxLearningRate", "totalSteps", "riseFraction", "divFactor", "finalDivFactor", "shape"] as const;
  return schedule(where, options, allowed, () => {
    const peak = numberIn(where, "maxLearningRate", options.maxLearningRate, { above: 0 });
    const total = numberIn(where, "totalSteps", positiveInteger(where, "totalSteps", options.totalSteps), { min: 2 });
    const rise = numberIn(where, "riseFraction", options.riseFraction ?? 0.3, { above: 0, below: 1 });
    const first = peak / numberIn(where, "divFactor", options.divFactor ?? 25, { min: 1 });
    const last = first / numberIn(where, "finalDivFactor", options.finalDivFactor ?? 1e4, { min: 1 });
    const shape = oneOf(where, "shape", options.shape ?? "cosine", ["cosine", "linear"]);
    const between = (from: number, to: number, part: number): number =>
      shape === "linear" ? from + (to - from) * part : to + ((from - to) / 2) * (1 + Math.cos(Math.PI * part));
    // Of a very short cycle the peak would come before its beginning.
    const top = Math.max(0, rise * total - 1);
    const end = total - 1;
    return (t) => {
      if (t < top) return between(first, peak, t / top);
      return t >= end ? last : between(peak, last, (t - top) / (end - top));
    };
  });
}
