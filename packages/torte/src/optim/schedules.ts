/** Learning-rate schedules that fall: by steps, exponentially, as a polynomial, as 1/t, as a cosine. */
import { booleanOption, numberIn, OptionError, positiveInteger, show, wholeNumber } from "../errors.js";
import { type RateOption, rateAt, readRate, type Schedule, schedule } from "./schedule.js";

const rateOption = (where: string, name: string, value: unknown): number => numberIn(where, name, value, { min: 0 });
const stepsOption = (where: string, name: string, value: unknown): number => numberIn(where, name, value, { above: 0 });

/** Options of {@link exponentialDecay}. */
export interface ExponentialDecayOptions {
  /** Rate of the first update, at least 0. */
  readonly initialLearningRate: number;
  /** Updates in which the rate is multiplied by `decayRate` once, above 0. */
  readonly decaySteps: number;
  /** Above 0. */
  readonly decayRate: number;
  /** Falls in steps instead of continuously. Default false. */
  readonly staircase?: boolean;
}

/**
 * η(t) = η₀ · decayRate^(t/decaySteps), the exponent rounded down with `staircase`.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { exponentialDecay } from "torte";
 * const rate = exponentialDecay({ initialLearningRate: 0.1, decaySteps: 10, decayRate: 0.5 });
 * console.log(rate.at(0), rate.at(20)); // 0.1 0.025
 */
export function exponentialDecay(options: ExponentialDecayOptions): Schedule {
  const where = "exponentialDecay";
  return schedule(where, options, ["initialLearningRate", "decaySteps", "decayRate", "staircase"], () => {
    const initial = rateOption(where, "initialLearningRate", options.initialLearningRate);
    const steps = stepsOption(where, "decaySteps", options.decaySteps);
    const factor = numberIn(where, "decayRate", options.decayRate, { above: 0 });
    const staircase = booleanOption(where, "staircase", options.staircase ?? false);
    return (t) => initial * factor ** (staircase ? Math.floor(t / steps) : t / steps);
  });
}

/** Options of {@link stepDecay}. */
export interface StepDecayOptions {
  /** Rate of the first update, at least 0. */
  readonly initialLearningRate: number;
  /** Updates between two drops, at least 1. */
  readonly decaySteps: number;
  /** What each drop multiplies the rate with, above 0. Default 0.1. */
  readonly decayRate?: number;
}

/**
 * η(t) = η₀ · decayRate^⌊t/decaySteps⌋: constant for a while, then less.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { stepDecay } from "torte";
 * const rate = stepDecay({ initialLearningRate: 1, decaySteps: 30, decayRate: 0.5 });
 * console.log(rate.at(29), rate.at(30)); // 1 0.5
 */
export function stepDecay(options: StepDecayOptions): Schedule {
  const where = "stepDecay";
  return schedule(where, options, ["initialLearningRate", "decaySteps", "decayRate"], () => {
    const initial = rateOption(where, "initialLearningRate", options.initialLearningRate);
    const steps = positiveInteger(where, "decaySteps", options.decaySteps);
    const factor = numberIn(where, "decayRate", options.decayRate ?? 0.1, { above: 0 });
    return (t) => initial * factor ** Math.floor(t / steps);
  });
}

/** Options of {@link polynomialDecay}. */
export interface PolynomialDecayOptions {
  /** Rate of the first update, at least 0. */
  readonly initialLearningRate: number;
  /** Updates until the end is reached, above 0. */
  readonly decaySteps: number;
  /** Rate from update `decaySteps` on, at least 0. Default 0.0001. */
  readonly endLearningRate?: number;
  /** Above 0; 1 is a straight line. Default 1. */
  readonly power?: number;
  /** At the end the time is stretched to the next multiple of `decaySteps`, and the rate rises again. Default false. */
  readonly cycle?: boolean;
}

/**
 * η(t) = (η₀ − η₁)·(1 − t/T)^power + η₁ up to T = decaySteps, then η₁. With `cycle` T is the next multiple of decaySteps
 * from t on.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { polynomialDecay } from "torte";
 * const rate = polynomialDecay({ initialLearningRate: 1, decaySteps: 10, endLearningRate: 0 });
 * console.log(rate.at(0), rate.at(5), rate.at(10)); // 1 0.5 0
 */
export function polynomialDecay(options: PolynomialDecayOptions): Schedule {
  const where = "polynomialDecay";
  const allowed = ["initialLearningRate", "decaySteps", "endLearningRate", "power", "cycle"] as const;
  return schedule(where, options, allowed, () => {
    const initial = rateOption(where, "initialLearningRate", options.initialLearningRate);
    const steps = stepsOption(where, "decaySteps", options.decaySteps);
    const end = rateOption(where, "endLearningRate", options.endLearningRate ?? 1e-4);
    const power = numberIn(where, "power", options.power ?? 1, { above: 0 });
    const cycle = booleanOption(where, "cycle", options.cycle ?? false);
    return (t) => {
      const span = cycle ? steps * Math.max(1, Math.ceil(t / steps)) : steps;
      return (initial - end) * (1 - Math.min(t, span) / span) ** power + end;
    };
  });
}

/** Options of {@link inverseTimeDecay}. */
export interface InverseTimeDecayOptions {
  /** Rate of the first update, at least 0. */
  readonly initialLearningRate: number;
  /** Unit of time in updates, above 0. */
  readonly decaySteps: number;
  /** At least 0. */
  readonly decayRate: number;
  /** Time counts in whole units. Default false. */
  readonly staircase?: boolean;
}

/**
 * η(t) = η₀/(1 + decayRate·t/decaySteps), the quotient t/decaySteps rounded down with `staircase`.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { inverseTimeDecay } from "torte";
 * const rate = inverseTimeDecay({ initialLearningRate: 1, decaySteps: 10, decayRate: 1 });
 * console.log(rate.at(0), rate.at(10)); // 1 0.5
 */
export function inverseTimeDecay(options: InverseTimeDecayOptions): Schedule {
  const where = "inverseTimeDecay";
  return schedule(where, options, ["initialLearningRate", "decaySteps", "decayRate", "staircase"], () => {
    const initial = rateOption(where, "initialLearningRate", options.initialLearningRate);
    const steps = stepsOption(where, "decaySteps", options.decaySteps);
    const factor = numberIn(where, "decayRate", options.decayRate, { min: 0 });
    const staircase = booleanOption(where, "staircase", options.staircase ?? false);
    return (t) => initial / (1 + factor * (staircase ? Math.floor(t / steps) : t / steps));
  });
}

/** Options of {@link cosineDecay}. */
export interface CosineDecayOptions {
  /** Rate of the first update, at least 0; with a warm-up where it begins. */
  readonly initialLearningRate: number;
  /** Updates of the fall, above 0, after those of the warm-up. */
  readonly decaySteps: number;
  /** Share of the highest rate that is left at the end, 0 to 1. Default 0. */
  readonly alpha?: number;
  /** Where a warm-up leads to, at least 0. Default: no warm-up. */
  readonly warmupTarget?: number;
  /** Updates of the warm-up, at least 0; of no effect without `warmupTarget`, as in Keras. Default 0. */
  readonly warmupSteps?: number;
}

/**
 * η(t) = η₀·((1 − α)·½(1 + cos πt/T) + α), T = decaySteps: η₀ at update 0, α·η₀ from update T on (not T − 1). With a
 * warm-up first a straight line from η₀ to `warmupTarget`, which then takes the place of η₀. Loshchilov and Hutter 2017.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { cosineDecay } from "torte";
 * const rate = cosineDecay({ initialLearningRate: 1, decaySteps: 10 });
 * console.log(rate.at(0), rate.at(5).toFixed(3), rate.at(10)); // 1 0.500 0
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  const where = "cosineDecay";
  const allowed = ["initialLearningRate", "decaySteps", "alpha", "warmupTarget", "warmupSteps"] as const;
  return schedule(where, options, allowed, () => {
    const initial = rateOption(where, "initialLearningRate", options.initialLearningRate);
    const steps = stepsOption(where, "decaySteps", options.decaySteps);
    const alpha = numberIn(where, "alpha", options.alpha ?? 0, { min: 0, max: 1 });
    const warmup = wholeNumber(where, "warmupSteps", options.warmupSteps ?? 0);
    const fall = (from: number, t: number): number => from * ((1 - alpha) * cosine(Math.min(t, steps) / steps) + alpha);
    if (options.warmupTarget === undefined) return (t) => fall(initial, t);
    const target = rateOption(where, "warmupTarget", options.warmupTarget);
    return (t) => (t < warmup ? initial + ((target - initial) * t) / warmup : fall(target, t - warmup));
  });
}

/** From 1 at 0 to 0 at 1. */
const cosine = (part: number): number => 0.5 * (1 + Math.cos(Math.PI * part));

/** Options of {@link cosineDecayRestarts}. */
export interface CosineDecayRestartsOptions {
  /** Rate of the first update, at least 0. */
  readonly initialLearningRate: number;
  /** Updates until the first restart, at least 1. */
  readonly firstDecaySteps: number;
  /** How much longer each period is than the one before, at least 1. Default 2. */
  readonly tMul?: number;
  /** What the rate of each restart is multiplied with, at least 0. Default 1. */
  readonly mMul?: number;
  /** Share of the rate that is left at the end of a period, 0 to 1. Default 0. */
  readonly alpha?: number;
}

/**
 * Cosines one after the other: period i has firstDecaySteps·tMulⁱ updates and begins at η₀·((1 − α)·mMulⁱ + α). Restarts are
 * found by adding lengths up, not by logarithms: a first period of 10 and tMul 2 restart exactly at 10, 30, 70, 150.
 * Loshchilov and Hutter 2017.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { cosineDecayRestarts } from "torte";
 * const rate = cosineDecayRestarts({ initialLearningRate: 1, firstDecaySteps: 10 });
 * console.log(rate.at(0), rate.at(10), rate.at(30), rate.at(70)); // 1 1 1 1
 */
export function cosineDecayRestarts(options: CosineDecayRestartsOptions): Schedule {
  const where = "cosineDecayRestarts";
  const allowed = ["initialLearningRate", "firstDecaySteps", "tMul", "mMul", "alpha"] as const;
  return schedule(where, options, allowed, () => {
    const initial = rateOption(where, "initialLearningRate", options.initialLearningRate);
    const first = positiveInteger(where, "firstDecaySteps", options.firstDecaySteps);
    const longer = numberIn(where, "tMul", options.tMul ?? 2, { min: 1 });
    const higher = numberIn(where, "mMul", options.mMul ?? 1, { min: 0 });
    const alpha = numberIn(where, "alpha", options.alpha ?? 0, { min: 0, max: 1 });
    return (t) => {
      const { period, part } = periodOf(t, first, longer);
      return initial * ((1 - alpha) * higher ** period * cosine(part) + alpha);
    };
  });
}

/** The period that an update is in, and how much of it is over. */
function periodOf(t: number, first: number, longer: number): { period: number; part: number } {
  if (longer === 1) return { period: Math.floor(t / first), part: (t % first) / first };
  let [period, start, length] = [0, 0, first];
  while (t >= start + length) {
    start += length;
    length *= longer;
    period++;
  }
  return { period, part: (t - start) / length };
}

/** Options of {@link piecewiseConstantDecay}. */
export interface PiecewiseConstantDecayOptions {
  /** Updates after which the next value holds, rising. */
  readonly boundaries: readonly number[];
  /** Rates, each at least 0; one more than boundaries. */
  readonly values: readonly number[];
}

/**
 * values[i] up to and including update boundaries[i], the last value from then on.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { piecewiseConstantDecay } from "torte";
 * const rate = piecewiseConstantDecay({ boundaries: [100, 200], values: [1, 0.1, 0.01] });
 * console.log(rate.at(100), rate.at(101), rate.at(201)); // 1 0.1 0.01
 */
export function piecewiseConstantDecay(options: PiecewiseConstantDecayOptions): Schedule {
  const where = "piecewiseConstantDecay";
  return schedule(where, options, ["boundaries", "values"], () => {
    const { boundaries, values } = options;
    const rising =
      Array.isArray(boundaries) &&
      boundaries.every((b: unknown, i) => typeof b === "number" && b > (boundaries[i - 1] ?? -Infinity));
    if (!rising) {
      const expected = "a list of numbers, each above the one before";
      throw new OptionError({ where, problem: "boundaries do not rise", expected, received: show(boundaries) });
    }
    if (!Array.isArray(values) || values.length !== boundaries.length + 1) {
      const expected = `a list of ${boundaries.length + 1} rates, one more than boundaries`;
      throw new OptionError({ where, problem: "values has the wrong length", expected, received: show(values) });
    }
    const rates = values.map((value: unknown, i) => rateOption(where, `values[${i}]`, value));
    return (t) => rates[boundaries.filter((boundary) => t > boundary).length] ?? NaN;
  });
}

/** Options of {@link warmup}. */
export interface WarmupOptions {
  /** Rate of the first update as a share of that of `schedule` at 0, from 0 to 1. Default 0. */
  readonly from?: number;
}

/**
 * A straight line from `from`·η(0) at update 0 to η(0) at update `steps`, then the schedule from its beginning: update t has
 * η(t − steps). Composes with any schedule, or with a number.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { cosineDecay, warmup } from "torte";
 * const rate = warmup(10, cosineDecay({ initialLearningRate: 1, decaySteps: 100 }));
 * console.log(rate.at(0), rate.at(5), rate.at(10), rate.at(110)); // 0 0.5 1 0
 */
export function warmup(steps: number, then: RateOption, options: WarmupOptions = {}): Schedule {
  const where = "warmup";
  const length = positiveInteger(where, "steps", steps);
  const rate = readRate(where, "schedule", then);
  const after: Schedule["at"] = typeof rate === "number" ? () => rate : (t) => rateAt(rate, t);
  const made = schedule(where, options, ["from"], () => {
    const from = numberIn(where, "from", options.from ?? 0, { min: 0, max: 1 });
    return (t) => (t < length ? after(0) * (from + ((1 - from) * t) / length) : after(t - length));
  });
  return { ...made, options: { steps: length, schedule: rate, ...options } };
}
