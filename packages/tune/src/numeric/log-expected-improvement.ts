/** The acquisition function: the logarithm of the expected improvement, which has a slope where the improvement has none. */
import { cumulative, density, erfcx, SQRT_2PI } from "./normal.js";

const LOG_SQRT_2PI = Math.log(SQRT_2PI);
const SQRT_HALF_PI = Math.sqrt(Math.PI / 2);

/**
 * log E[max(0, N + z)] of a standard normal N, which is log(z·Φ(z) + φ(z)).
 *
 * Far below, where that is a difference of almost equal numbers, −z²/2 − log √2π + log(1 + √(π/2)·z·erfcx(−z/√2)); and where that
 * is one, too, its series −z²/2 − log √2π − 2·log|z| + log(1 − 3/z² + 15/z⁴).
 *
 * Source: Ament and others, Unexpected improvements to expected improvement (arXiv 2310.20708).
 */
export function logImprovement(z: number): number {
  if (z > -1) return Math.log(z * cumulative(z) + density(z));
  const base = (-z * z) / 2 - LOG_SQRT_2PI;
  if (z > -1e3) return base + Math.log1p(SQRT_HALF_PI * z * erfcx(-z / Math.SQRT2));
  const inverse = 1 / (z * z);
  return base - 2 * Math.log(-z) + Math.log1p(inverse * (-3 + 15 * inverse));
}

/** The derivative of logImprovement: Φ(z)/(z·Φ(z) + φ(z)). */
export function logImprovementSlope(z: number): number {
  if (z > -1) return cumulative(z) / (z * cumulative(z) + density(z));
  if (z < -1e3) return -z * (1 + 2 / (z * z));
  const ratio = SQRT_HALF_PI * erfcx(-z / Math.SQRT2); // Φ/φ
  return ratio / (1 + z * ratio);
}
