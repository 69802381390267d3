/** Trials that run until they are seen to be no good: median stopping, and curves that are continued. */
import { checkOptions, numberIn, positiveInteger } from "torte";
import { Random } from "../random.js";
import { type Schedule, type ScheduledTrial, type Scheduler, startOrEnd, type Task } from "./scheduler.js";

/** Every trial gets all of its epochs. */
export const none = (): Scheduler => ({ name: "none", next: whole });

/** Trials without a pause; one that was paused when the study was left goes on. */
function whole(schedule: Schedule): Task | "wait" | "done" {
  const paused = schedule.trials.find(({ state }) => state === "paused");
  if (paused !== undefined) return { kind: "resume", trial: paused.number, until: schedule.epochs };
  return startOrEnd(schedule, schedule.epochs);
}

/** Options of stopping by the median. */
export interface MedianOptions {
  /** Epochs before which no trial is stopped. Default 1. */
  readonly after?: number;
  /** Other trials that there must be to compare with. Default 5. */
  readonly trials?: number;
}

/**
 * A trial stops after an epoch in which its best loss so far is above the median, over the other trials, of the mean of their losses
 * up to that epoch.
 *
 * Source: D. Golovin and others, Google Vizier (2017).
 */
export function medianStopping(options: MedianOptions = {}): Scheduler {
  checkOptions("medianStopping", options, ["after", "trials"]);
  const after = positiveInteger("medianStopping", "after", options.after ?? 1);
  const least = positiveInteger("medianStopping", "trials", options.trials ?? 5);
  return {
    name: "medianStopping",
    next: whole,
    stops: ({ number, curve }, { trials }) => {
      const epoch = curve.length;
      const others = trials.filter((other) => other.number !== number && other.curve.length >= epoch);
      if (epoch < after || others.length < least) return false;
      const means = others.map((other) => mean(other.curve.slice(0, epoch))).sort((a, b) => a - b);
      const middle = ((means[Math.ceil(means.length / 2) - 1] ?? 0) + (means[Math.floor(means.length / 2)] ?? 0)) / 2;
      return Math.min(...curve) > middle;
    },
  };
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Options of stopping by the learning curve. */
export interface CurveOptions {
  /** Epochs before which no trial is stopped. Default 4. */
  readonly after?: number;
  /** A trial stops where the chance that it becomes the best is below. Default 0.05. */
  readonly chance?: number;
}

/**
 * Learning curves are continued as power laws, loss(t) = a + b·t⁻ᶜ with b ≥ 0; what is left over is drawn again (bootstrap) to see
 * how sure that is. A trial stops where the chance that its loss will be below the best one's becomes small.
 */
export function curveFitting(options: CurveOptions = {}): Scheduler {
  checkOptions("curveFitting", options, ["after", "chance"]);
  const after = positiveInteger("curveFitting", "after", options.after ?? 4);
  const chance = numberIn("curveFitting", "chance", options.chance ?? 0.05, { above: 0, below: 1 });
  return {
    name: "curveFitting",
    next: whole,
    stops: (trial, { trials, epochs, seed }) => {
      if (trial.curve.length < Math.max(3, after) || trial.curve.length >= epochs) return false;
      const best = Math.min(...trials.filter(({ number }) => number !== trial.number).flatMap(bestOf));
      if (!Number.isFinite(best)) return false;
      const random = new Random(seed, "curve", trial.number * 100_000 + trial.curve.length);
      return chanceBelow(trial.curve, epochs, best, random) < chance;
    },
  };
}

const bestOf = ({ losses }: ScheduledTrial): readonly number[] => losses.slice(-1).filter(Number.isFinite);

export interface PowerLaw {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}

const EXPONENTS = Array.from({ length: 25 }, (_, i) => 0.1 * 1.18 ** i); // 0.1 to 5.3

/** Least squares: for each exponent the line in t⁻ᶜ, of which the best is taken. */
export function fitPowerLaw(losses: readonly number[]): PowerLaw {
  let best: { readonly law: PowerLaw; readonly error: number } | undefined;
  for (const c of EXPONENTS) {
    const x = losses.map((_, i) => (i + 1) ** -c);
    const [meanX, meanY] = [mean(x), mean(losses)];
    const covariance = mean(x.map((at, i) => (at - meanX) * ((losses[i] ?? 0) - meanY)));
    const variance = mean(x.map((at) => (at - meanX) ** 2));
    const b = Math.max(0, covariance / variance);
    const a = meanY - b * meanX;
    const error = losses.reduce((sum, loss, i) => sum + (loss - a - b * (x[i] ?? 0)) ** 2, 0);
    if (best === undefined || error < best.error) best = { law: { a, b, c }, error };
  }
  return best?.law ?? { a: NaN, b: 0, c: 1 };
}

const DRAWS = 200;

/** The chance that the loss after so many epochs, or one on the way, is below a limit. */
export function chanceBelow(losses: readonly number[], epochs: number, limit: number, random: Random): number {
  if (Math.min(...losses) < limit) return 1;
  const law = fitPowerLaw(losses);
  const fitted = losses.map((_, i) => law.a + law.b * (i + 1) ** -law.c);
  // Of n points three parameters have taken their share.
  const widen = Math.sqrt(losses.length / Math.max(1, losses.length - 3));
  const left = losses.map((loss, i) => (loss - (fitted[i] ?? 0)) * widen);
  const drawn = (): number => left[random.below(left.length)] ?? 0;
  let below = 0;
  for (let i = 0; i < DRAWS; i++) {
    const { a, b, c } = fitPowerLaw(fitted.map((loss) => loss + drawn()));
    if (a + b * epochs ** -c + drawn() < limit) below++;
  }
  return below / DRAWS;
}
