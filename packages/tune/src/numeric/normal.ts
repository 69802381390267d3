/** The normal distribution: its functions, also far out in the tails. */

const [A, B, C, D, P, Q] = [
  [3.1611237438705656, 1.13864154151050156e2, 3.77485237685302021e2, 3.20937758913846947e3, 1.85777706184603153e-1],
  [2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3],
  [
    5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1, 2.98635138197400131e2, 8.8195222124176909e2,
    1.71204761263407058e3, 2.05107837782607147e3, 1.23033935479799725e3, 2.15311535474403846e-8,
  ],
  [
    1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3, 3.29079923573345963e3,
    4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
  ],
  [
    3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1, 1.60837851487422766e-2,
    6.58749161529837803e-4, 1.63153871373020978e-2,
  ],
  [2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1, 6.05183413124413191e-2, 2.33520497626869185e-3],
] as const satisfies readonly (readonly number[])[];

const at = (list: readonly number[], i: number): number => list[i] ?? 0;

/** erf(x) for |x| ≤ 0.46875. */
function erfNear(x: number): number {
  const square = x * x;
  let [above, below] = [A[4] * square, square];
  for (let i = 0; i < 3; i++) [above, below] = [(above + at(A, i)) * square, (below + at(B, i)) * square];
  return (x * (above + A[3])) / (below + B[3]);
}

/** exp(x²)·erfc(x) for x > 0.46875. */
function scaledFar(x: number): number {
  if (x <= 4) {
    let [above, below] = [C[8] * x, x];
    for (let i = 0; i < 7; i++) [above, below] = [(above + at(C, i)) * x, (below + at(D, i)) * x];
    return (above + C[7]) / (below + D[7]);
  }
  const square = 1 / (x * x);
  let [above, below] = [P[5] * square, square];
  for (let i = 0; i < 4; i++) [above, below] = [(above + at(P, i)) * square, (below + at(Q, i)) * square];
  const tail = (square * (above + P[4])) / (below + Q[4]);
  return (1 / Math.sqrt(Math.PI) - tail) / x;
}

/** exp(−x²) with the square's rounding error taken in. */
function gauss(x: number): number {
  const head = Math.trunc(x * 16) / 16;
  return Math.exp(-head * head) * Math.exp(-(x - head) * (x + head));
}

/**
 * The complementary error function, 1 − erf(x), to about 1e-15 of its value.
 *
 * Source: W. J. Cody, Rational Chebyshev approximations for the error function (1969).
 */
export function erfc(x: number): number {
  const far = Math.abs(x);
  if (far <= 0.46875) return 1 - erfNear(x);
  const tail = far > 27 ? 0 : gauss(far) * scaledFar(far);
  return x < 0 ? 2 - tail : tail;
}

/** exp(x²)·erfc(x), which does not vanish where x is large. */
export function erfcx(x: number): number {
  if (Math.abs(x) <= 0.46875) return Math.exp(x * x) * (1 - erfNear(x));
  return x < 0 ? 2 * Math.exp(x * x) - scaledFar(-x) : scaledFar(x);
}

export const SQRT_2PI = Math.sqrt(2 * Math.PI);

/** Density of the standard normal. */
export const density = (z: number): number => Math.exp((-z * z) / 2) / SQRT_2PI;

/** Φ(z). */
export const cumulative = (z: number): number => erfc(-z / Math.SQRT2) / 2;

/** log Φ(z), also where Φ is too small to be a number. */
export const logCumulative = (z: number): number =>
  z < 0 ? Math.log(erfcx(-z / Math.SQRT2) / 2) - (z * z) / 2 : Math.log1p(-erfc(z / Math.SQRT2) / 2);

/** log(Φ(b) − Φ(a)) for a < b. */
export function logMass(a: number, b: number): number {
  if (a > 0) return logMass(-b, -a); // the left tail is the exact one
  if (b > 0) return Math.log1p(-(cumulative(a) + cumulative(-b)));
  const [low, high] = [logCumulative(a), logCumulative(b)];
  return high + Math.log(-Math.expm1(low - high));
}

/**
 * z with Φ(z) = p, for p in (0, 1).
 *
 * Source: P. J. Acklam's rational approximation, then one step of Halley's method.
 */
export function quantile(p: number): number {
  if (p <= 0) return -Infinity;
  if (p >= 1) return Infinity;
  if (p > 0.5) return -quantile(1 - p);
  const rough = p < 0.02425 ? tailQuantile(p) : centralQuantile(p - 0.5);
  const error = (cumulative(rough) - p) * SQRT_2PI * Math.exp((rough * rough) / 2);
  return rough - error / (1 + (rough * error) / 2);
}

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);

function tailQuantile(p: number): number {
  const q = Math.sqrt(-2 * Math.log(p));
  const above = [-7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968];
  const below = [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
  return polynomial([...above, 2.938163982698783], q) / polynomial(below, q);
}

function centralQuantile(q: number): number {
  const above = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716];
  const below = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
  const r = q * q;
  return (polynomial([...above, 2.506628277459239], r) * q) / polynomial(below, r);
}
