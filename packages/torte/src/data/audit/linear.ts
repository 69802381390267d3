/** Small linear models in float64, for baselines: least squares and logistic regression, both with a little ridge. */

/** Rows of features; the constant feature is added by the fit. */
export interface Design {
  readonly rows: number;
  readonly width: number;
  readonly values: Float64Array;
}

/** Penalty of the weights, in observations; keeps features that depend on each other solvable. */
const RIDGE = 1e-3;
/** Newton's method has converged long before. */
const STEPS = 25;

/** Solves A·x = b of a symmetric positive definite matrix, by Cholesky's factors, in place. */
export function solve(a: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const at = (i: number, j: number): number => a[i * n + j] ?? 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = at(i, j);
      for (let k = 0; k < j; k++) sum -= at(i, k) * at(j, k);
      a[i * n + j] = i === j ? Math.sqrt(Math.max(sum, 1e-300)) : sum / at(j, j);
    }
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    let sum = x[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= at(i, k) * (x[k] ?? 0);
    x[i] = sum / at(i, i);
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = x[i] ?? 0;
    for (let k = i + 1; k < n; k++) sum -= at(k, i) * (x[k] ?? 0);
    x[i] = sum / at(i, i);
  }
  return x;
}

/** w·x + b; the constant is the last weight. */
export function score({ width, values }: Design, weights: Float64Array, row: number): number {
  let sum = weights[width] ?? 0;
  for (let j = 0; j < width; j++) sum += (weights[j] ?? 0) * (values[row * width + j] ?? 0);
  return sum;
}

/**
 * Σ c·x·xᵀ and Σ g·x over the rows, x with the constant; with the ridge on the diagonal.
 */
function normalEquations(
  { width, values }: Design,
  rows: readonly number[],
  of: (row: number) => readonly [curvature: number, gradient: number],
): { readonly matrix: Float64Array; readonly vector: Float64Array } {
  const n = width + 1;
  const matrix = new Float64Array(n * n);
  const vector = new Float64Array(n);
  const x = new Float64Array(n).fill(1);
  for (const row of rows) {
    for (let j = 0; j < width; j++) x[j] = values[row * width + j] ?? 0;
    const [curvature, gradient] = of(row);
    for (let i = 0; i < n; i++) {
      const xi = x[i] ?? 0;
      if (xi === 0) continue;
      vector[i] = (vector[i] ?? 0) + gradient * xi;
      const scaled = curvature * xi;
      for (let j = 0; j <= i; j++) matrix[i * n + j] = (matrix[i * n + j] ?? 0) + scaled * (x[j] ?? 0);
    }
  }
  for (let i = 0; i < n; i++) matrix[i * n + i] = (matrix[i * n + i] ?? 0) + RIDGE;
  return { matrix, vector };
}

/** Weights that make Σ (w·x + b − y)² least. */
export function leastSquares(design: Design, rows: readonly number[], target: ArrayLike<number>): Float64Array {
  const { matrix, vector } = normalEquations(design, rows, (row) => [1, target[row] ?? 0]);
  return solve(matrix, vector);
}

/** Weights of the most likely P(y = 1) = σ(w·x + b), by Newton's method (iteratively reweighted least squares). */
export function logisticRegression(
  design: Design,
  rows: readonly number[],
  isOne: (row: number) => boolean,
): Float64Array {
  let weights = new Float64Array(design.width + 1);
  for (let step = 0; step < STEPS; step++) {
    const { matrix, vector } = normalEquations(design, rows, (row) => {
      const p = 1 / (1 + Math.exp(-score(design, weights, row)));
      return [Math.max(p * (1 - p), 1e-9), Number(isOne(row)) - p];
    });
    for (let i = 0; i < weights.length; i++) vector[i] = (vector[i] ?? 0) - RIDGE * (weights[i] ?? 0);
    const change = solve(matrix, vector);
    weights = weights.map((w, i) => w + (change[i] ?? 0));
    if (change.every((d, i) => Math.abs(d) <= 1e-6 * (1 + Math.abs(weights[i] ?? 0)))) break;
  }
  return weights;
}
