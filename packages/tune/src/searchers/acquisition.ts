/** What a Gaussian process expects of a setting, and the setting of which it expects most. */
import type { Process } from "../numeric/gaussian-process.js";
import { logImprovement, logImprovementSlope } from "../numeric/log-expected-improvement.js";
import { minimize } from "../numeric/minimize.js";
import { density, logCumulative } from "../numeric/normal.js";
import type { Random } from "../random.js";
import { isNumeric, levelAt, levels, type Parameter, upperEdge } from "../space/parameter.js";

/** Variances do not become smaller: where a point is known, the improvement would have no slope. */
const LEAST_VARIANCE = 1e-12;

/** Processes of the loss and of each constraint; all of standardized values. */
export interface Surrogate {
  readonly loss: Process;
  /** The best loss so far; undefined where no trial has kept the constraints yet. */
  readonly best: number | undefined;
  /** A constraint is kept where its value is at most the limit. */
  readonly constraints: readonly { readonly process: Process; readonly limit: number }[];
}

/** log of the expected improvement, plus log of the probability that each constraint is kept; fills in its gradient. */
export function acquisition(surrogate: Surrogate, x: Float64Array, gradient?: Float64Array): number {
  const { loss, best, constraints } = surrogate;
  const [byMean, byVariance] = [new Float64Array(x.length), new Float64Array(x.length)];
  const of = (process: Process): { mean: number; deviation: number } => {
    const { mean, variance } = gradient === undefined ? process.posterior(x) : process.gradients(x, byMean, byVariance);
    return { mean, deviation: Math.sqrt(variance + LEAST_VARIANCE) };
  };
  /** Adds slope·dz + more·dσ/σ, where z = (threshold − mean)/σ. */
  const add = (z: number, deviation: number, slope: number, more: number): void => {
    if (gradient === undefined) return;
    for (let k = 0; k < x.length; k++) {
      const byDeviation = (byVariance[k] as number) / (2 * deviation * deviation); // dσ/σ
      const byZ = -(byMean[k] as number) / deviation - z * byDeviation;
      gradient[k] = (gradient[k] as number) + slope * byZ + more * byDeviation;
    }
  };
  gradient?.fill(0);
  let value = 0;
  if (best !== undefined) {
    const { mean, deviation } = of(loss);
    const z = (best - mean) / deviation;
    value += logImprovement(z) + Math.log(deviation);
    add(z, deviation, logImprovementSlope(z), 1);
  }
  for (const { process, limit } of constraints) {
    const { mean, deviation } = of(process);
    const z = (limit - mean) / deviation;
    const log = logCumulative(z);
    value += log;
    add(z, deviation, density(z) / Math.max(Math.exp(log), 1e-300), 0);
  }
  return value;
}

/** A point on the levels of what is not continuous. */
export function snapped(parameters: readonly Parameter[], x: Float64Array): Float64Array {
  return x.map((at, k) => {
    const parameter = parameters[k];
    if (parameter === undefined || parameter.kind === "float" || !isNumeric(parameter)) return at;
    return middleOf(parameter, levelAt(parameter, at));
  });
}

type Discrete = Exclude<Parameter, { readonly kind: "float" }>;

const middleOf = (parameter: Discrete, level: number): number =>
  (upperEdge(parameter, level - 1) + upperEdge(parameter, level)) / 2;

/** Coordinates with as many values are tried one by one; of those with more, the neighbours of where the slope leads. */
const ALL_TRIED = 16;

/** The coordinates that a discrete hyperparameter's levels have, near where it is. */
function alternatives(parameter: Parameter, at: number): readonly number[] {
  if (parameter.kind === "float") return [];
  const count = levels(parameter);
  if (!isNumeric(parameter)) return Array.from({ length: count }, (_, level) => level);
  if (count <= ALL_TRIED) return Array.from({ length: count }, (_, level) => middleOf(parameter, level));
  const here = levelAt(parameter, at);
  return [-4, -2, -1, 1, 2, 4]
    .map((by) => here + by)
    .filter((level) => level >= 0 && level < count)
    .map((level) => middleOf(parameter, level));
}

export interface Candidate {
  readonly x: Float64Array;
  readonly value: number;
}

/** Steps along the slope of what has an order, then the best level of everything else, until nothing changes. */
export function climb(
  surrogate: Surrogate,
  parameters: readonly Parameter[],
  start: Candidate,
  steps: number,
): Candidate {
  let best = start;
  const slopes = parameters.map((parameter) => Number(isNumeric(parameter)));
  for (let round = 0; round < 3; round++) {
    const before = best.value;
    if (slopes.includes(1)) best = better(best, alongSlope(surrogate, parameters, slopes, best, steps));
    parameters.forEach((parameter, k) => {
      for (const at of alternatives(parameter, best.x[k] as number)) {
        if (at === best.x[k]) continue;
        const x = best.x.slice();
        x[k] = at;
        best = better(best, { x, value: acquisition(surrogate, x) });
      }
    });
    if (best.value - before <= 1e-6 || parameters.every(({ kind }) => kind === "float")) break;
  }
  return best;
}

const better = (a: Candidate, b: Candidate): Candidate => (b.value > a.value ? b : a);

function alongSlope(
  surrogate: Surrogate,
  parameters: readonly Parameter[],
  slopes: readonly number[],
  { x }: Candidate,
  evaluations: number,
): Candidate {
  // In units of the length scales, along which the function is about equally steep.
  const { inverseSquared } = surrogate.loss.parameters;
  const unit = Float64Array.from(inverseSquared, (w) => Math.min(1, 1 / Math.sqrt(w)));
  const minus = (scaled: Float64Array, gradient: Float64Array): number => {
    const value = acquisition(surrogate, point(scaled), gradient);
    gradient.forEach((slope, k) => (gradient[k] = -slope * (unit[k] as number) * (slopes[k] as number)));
    return -value;
  };
  const point = (scaled: Float64Array): Float64Array =>
    scaled.map((at, k) => (slopes[k] === 1 ? Math.min(1, Math.max(0, at * (unit[k] as number))) : (x[k] as number)));
  const found = minimize(
    minus,
    x.map((at, k) => at / (unit[k] as number)),
    {
      lower: x.map((at, k) => (slopes[k] === 1 ? 0 : at / (unit[k] as number))),
      upper: x.map((at, k) => (slopes[k] === 1 ? 1 : at) / (unit[k] as number)),
      evaluations,
      tolerance: 1e-3,
    },
  );
  const end = snapped(parameters, point(found.x));
  return { x: end, value: acquisition(surrogate, end) };
}

/** The best of the candidates, and others with the probability that they are worth. */
export function starts(candidates: readonly Candidate[], count: number, random: Random): readonly Candidate[] {
  const best = candidates.reduce(better);
  const left = candidates.filter((candidate) => candidate !== best);
  const weights = left.map(({ value }) => Math.exp(value - best.value));
  const chosen = [best];
  while (chosen.length < count && weights.some((weight) => weight > 0)) {
    const at = random.weighted(weights);
    weights[at] = 0;
    const start = left[at];
    if (start !== undefined) chosen.push(start);
  }
  return chosen;
}
