/** Elementary functions in float64 that the language does not have. */

/** log(1 + exp(x)) without overflow. */
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));

/** Up to 2 the Maclaurin series with positive terms, above it the continued fraction of the complement. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 2) return Math.sign(x) * (1 - complement(a));
  // 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > Math.abs(sum) * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/** 1 − erf(x). */
export function erfc(x: number): number {
  if (x > 2) return complement(x);
  return x < -2 ? 2 - complement(-x) : 1 - erf(x);
}

/** erfc above 2. */
function complement(x: number): number {
  if (x > 30) return 0;
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}
