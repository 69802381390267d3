/**
 * Gaussian process regression with a Matérn 5/2 kernel, one length scale for each dimension (ARD):
 *
 *   r² = Σ_d w_d·Δ_d²,   k(r) = s·(1 + √5·r + 5r²/3)·exp(−√5·r),   cov(y) = K + σ²·I
 *
 * Δ of two categories is 0 or 1. The w_d = 1/ℓ_d², the scale s and the noise σ² are the most probable ones given the data (MAP).
 */
import { cholesky, dot, inverse, solveLower, solveUpper, transposed } from "./matrix.js";
import { minimize } from "./minimize.js";

export interface KernelParameters {
  /** 1/ℓ² of each dimension. */
  readonly inverseSquared: Float64Array;
  readonly scale: number;
  /** Variance of the noise. */
  readonly noise: number;
}

/** Points, row after row, each with as many coordinates as there are dimensions. */
export interface Points {
  readonly data: Float64Array;
  readonly count: number;
  /** For each dimension, whether it counts categories. */
  readonly categorical: readonly boolean[];
}

export const MINIMUM_NOISE = 1e-6;
const SQRT_5 = Math.sqrt(5);

const matern = (squared: number): number => {
  const a = SQRT_5 * Math.sqrt(squared);
  return (1 + a + (5 / 3) * squared) * Math.exp(-a);
};

/** Squared differences of all pairs i > j, the dimensions of a pair beside each other. */
function squaredDifferences({ data, count, categorical }: Points): Float64Array {
  const d = categorical.length;
  const result = new Float64Array(((count * (count - 1)) / 2) * d);
  let at = 0;
  for (let i = 0; i < count; i++)
    for (let j = 0; j < i; j++)
      for (let k = 0; k < d; k++) {
        const difference = (data[i * d + k] as number) - (data[j * d + k] as number);
        result[at++] = categorical[k] === true ? Number(difference !== 0) : difference * difference;
      }
  return result;
}

/** log of the priors: exp(−0.1/w − 0.1·w), Gamma(2, 1) of s, Gamma(1.1, 30) of σ²; and their derivatives by the logarithms. */
function logPrior({ inverseSquared, scale, noise }: KernelParameters, slopes: Float64Array): number {
  const d = inverseSquared.length;
  let sum = 0;
  inverseSquared.forEach((w, k) => {
    sum -= 0.1 / w + 0.1 * w;
    slopes[k] = 0.1 / w - 0.1 * w;
  });
  slopes[d] = 1 - scale;
  slopes[d + 1] = 0.1 - 30 * noise;
  return sum + Math.log(scale) - scale + 0.1 * Math.log(noise) - 30 * noise;
}

/**
 * log p(y | parameters) without its constant, −½·yᵀC⁻¹y − ½·log det C, and its derivatives by log w, log s and log σ².
 * −Infinity where C is not definite.
 */
export function logLikelihood(
  squared: Float64Array,
  y: Float64Array,
  { inverseSquared, scale, noise }: KernelParameters,
  slopes: Float64Array,
): number {
  const [n, d] = [y.length, inverseSquared.length];
  const covariance = new Float64Array(n * n);
  const slopeOf = new Float64Array((n * (n - 1)) / 2); // of each pair's kernel by r²
  for (let i = 0, pair = 0; i < n; i++) {
    for (let j = 0; j < i; j++, pair++) {
      const r = dot(squared, pair * d, inverseSquared, 0, d);
      const a = SQRT_5 * Math.sqrt(r);
      const decay = scale * Math.exp(-a);
      covariance[i * n + j] = (1 + a + (5 / 3) * r) * decay;
      slopeOf[pair] = (-5 / 6) * (1 + a) * decay;
    }
    covariance[i * n + i] = scale + noise;
  }
  const lower = covariance.slice();
  if (!cholesky(lower, n)) return -Infinity;
  const alpha = y.slice();
  solveLower(lower, n, alpha);
  let value = -dot(alpha, 0, alpha, 0, n) / 2;
  for (let i = 0; i < n; i++) value -= Math.log(lower[i * n + i] as number);
  solveUpper(transposed(lower, n), n, alpha);
  // The derivative by C is W = (α·αᵀ − C⁻¹)/2; pairs count twice.
  const inverted = inverse(lower, n);
  slopes.fill(0);
  let [trace, byScale] = [0, 0];
  for (let i = 0, pair = 0; i < n; i++) {
    for (let j = 0; j < i; j++, pair++) {
      const w = (alpha[i] as number) * (alpha[j] as number) - (inverted[i * n + j] as number);
      byScale += w * (covariance[i * n + j] as number);
      const slope = w * (slopeOf[pair] as number);
      for (let k = 0; k < d; k++) slopes[k] = (slopes[k] as number) + slope * (squared[pair * d + k] as number);
    }
    trace += ((alpha[i] as number) ** 2 - (inverted[i * n + i] as number)) / 2;
  }
  for (let k = 0; k < d; k++) slopes[k] = (slopes[k] as number) * (inverseSquared[k] as number);
  slopes[d] = byScale + trace * scale;
  slopes[d + 1] = trace * noise;
  return value;
}

const parametersOf = (logs: Float64Array): KernelParameters => ({
  inverseSquared: logs.subarray(0, -2).map(Math.exp),
  scale: Math.exp(logs.at(-2) as number),
  noise: MINIMUM_NOISE + Math.exp(logs.at(-1) as number),
});

/** The most probable parameters of the kernel. `evaluations` of the likelihood, at most. */
export function fitKernel(points: Points, y: Float64Array, evaluations = 40): KernelParameters {
  const d = points.categorical.length;
  const squared = squaredDifferences(points);
  const prior = new Float64Array(d + 2);
  const minus = (logs: Float64Array, gradient: Float64Array): number => {
    const parameters = parametersOf(logs);
    const value = logLikelihood(squared, y, parameters, gradient) + logPrior(parameters, prior);
    if (!Number.isFinite(value)) return Infinity;
    prior.forEach((slope, k) => (gradient[k] = -((gradient[k] as number) + slope)));
    // The noise is a least one and an exponential.
    gradient[d + 1] = ((gradient[d + 1] as number) * (parameters.noise - MINIMUM_NOISE)) / parameters.noise;
    return -value;
  };
  const bound = (value: number) => new Float64Array(d + 2).fill(value);
  const start = bound(0);
  start[d + 1] = Math.log(0.01);
  // So low that the noise can come down to the least one.
  const { x } = minimize(minus, start, { lower: bound(-20), upper: bound(8), evaluations, tolerance: 1e-2 });
  return parametersOf(x);
}

export interface Posterior {
  readonly mean: number;
  readonly variance: number;
}

/** What is expected of a function at a point. */
export interface Process {
  readonly parameters: KernelParameters;
  /** Mean and variance of the function, without noise. */
  posterior(x: Float64Array): Posterior;
  /** Also the derivatives of both by the coordinates; those of categories are 0. */
  gradients(x: Float64Array, byMean: Float64Array, byVariance: Float64Array): Posterior;
}

/** A process that has seen values at points. */
export class GaussianProcess implements Process {
  readonly parameters: KernelParameters;
  readonly #points: Points;
  readonly #values: Float64Array;
  readonly #lower: Float64Array;
  /** Lᵀ, so that both solutions go along rows. */
  readonly #upper: Float64Array;
  readonly #alpha: Float64Array;
  readonly #covariance: Float64Array;
  readonly #slopes: Float64Array;
  readonly #solved: Float64Array;

  /** @throws RangeError where the covariance is not definite. */
  constructor(points: Points, y: Float64Array, parameters: KernelParameters) {
    const { count: n, categorical } = points;
    this.#points = points;
    this.#values = y;
    this.parameters = parameters;
    const lower = new Float64Array(n * n);
    const d = categorical.length;
    for (let i = 0; i < n; i++) {
      const x = points.data.subarray(i * d, (i + 1) * d);
      for (let j = 0; j < i; j++) lower[i * n + j] = parameters.scale * matern(this.#distance(x, j));
      lower[i * n + i] = parameters.scale + parameters.noise;
    }
    if (!cholesky(lower, n)) throw new RangeError("the covariance is not positive definite");
    this.#lower = lower;
    this.#upper = transposed(lower, n);
    this.#alpha = y.slice();
    solveLower(lower, n, this.#alpha);
    solveUpper(this.#upper, n, this.#alpha);
    this.#covariance = new Float64Array(n);
    this.#slopes = new Float64Array(n);
    this.#solved = new Float64Array(n);
  }

  /**
   * What each known value would be expected to be without it, with its noise: yᵢ − αᵢ/cᵢ and 1/cᵢ, where C is the covariance, α = C⁻¹·y and
   * c the diagonal of C⁻¹.
   *
   * Source: C. Rasmussen and C. Williams, Gaussian processes for machine learning (2006), 5.4.2.
   */
  get leaveOneOut(): readonly Posterior[] {
    const n = this.#points.count;
    const inverted = inverse(this.#lower, n);
    return Array.from(this.#values, (value, i) => {
      const precision = inverted[i * n + i] as number;
      return { mean: value - (this.#alpha[i] as number) / precision, variance: 1 / precision };
    });
  }

  posterior(x: Float64Array): Posterior {
    const { count: n } = this.#points;
    for (let i = 0; i < n; i++) {
      const squared = this.#distance(x, i);
      const a = SQRT_5 * Math.sqrt(squared);
      const decay = this.parameters.scale * Math.exp(-a);
      this.#covariance[i] = (1 + a + (5 / 3) * squared) * decay;
      this.#slopes[i] = (-5 / 6) * (1 + a) * decay; // by r²: finite at r = 0, where that by r is not
    }
    const mean = dot(this.#covariance, 0, this.#alpha, 0, n);
    this.#solved.set(this.#covariance);
    solveLower(this.#lower, n, this.#solved);
    const variance = Math.max(0, this.parameters.scale - dot(this.#solved, 0, this.#solved, 0, n));
    return { mean, variance };
  }

  gradients(x: Float64Array, byMean: Float64Array, byVariance: Float64Array): Posterior {
    const { count: n, data, categorical } = this.#points;
    const { inverseSquared } = this.parameters;
    const result = this.posterior(x);
    solveUpper(this.#upper, n, this.#solved); // C⁻¹·k
    byMean.fill(0);
    byVariance.fill(0);
    const d = categorical.length;
    for (let i = 0; i < n; i++) {
      const slope = 2 * (this.#slopes[i] as number);
      const [toMean, toVariance] = [slope * (this.#alpha[i] as number), -2 * slope * (this.#solved[i] as number)];
      for (let k = 0; k < d; k++) {
        if (categorical[k] === true) continue;
        const along = (inverseSquared[k] as number) * ((x[k] as number) - (data[i * d + k] as number));
        byMean[k] = (byMean[k] as number) + toMean * along;
        byVariance[k] = (byVariance[k] as number) + toVariance * along;
      }
    }
    return result;
  }

  #distance(x: Float64Array, i: number): number {
    const { data, categorical } = this.#points;
    const { inverseSquared } = this.parameters;
    const d = categorical.length;
    let sum = 0;
    for (let k = 0; k < d; k++) {
      const difference = (x[k] as number) - (data[i * d + k] as number);
      const squared = categorical[k] === true ? Number(difference !== 0) : difference * difference;
      sum += (inverseSquared[k] as number) * squared;
    }
    return sum;
  }
}
