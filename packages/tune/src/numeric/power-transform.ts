/** Values made more normal: the power transform of Yeo and Johnson. */

/** λ = 1 changes nothing; below, large values are brought nearer; above, small ones. */
export function yeoJohnson(value: number, lambda: number): number {
  if (value >= 0) return lambda === 0 ? Math.log1p(value) : ((value + 1) ** lambda - 1) / lambda;
  return lambda === 2 ? -Math.log1p(-value) : -((1 - value) ** (2 - lambda) - 1) / (2 - lambda);
}

/** Of a normal distribution's likelihood; more than this would make noise of the smallest differences. */
const LAMBDAS = Array.from({ length: 17 }, (_, i) => -1 + i / 4);

/** The values after the transform, and log L(λ) = −n/2·log σ²(λ) + (λ − 1)·Σ sign(v)·log(1 + |v|) without its constant. */
export function transformed(
  values: Float64Array,
  lambda: number,
): { readonly moved: Float64Array; readonly likelihood: number } {
  const moved = values.map((value) => yeoJohnson(value, lambda));
  const jacobian = values.reduce((sum, value) => sum + Math.sign(value) * Math.log1p(Math.abs(value)), 0);
  return { moved, likelihood: (lambda - 1) * jacobian - (values.length / 2) * Math.log(varianceOf(moved)) };
}

/**
 * Standardized values after the transform under which a normal distribution is most likely to give them. A Gaussian process then sees differences among the good ones, where single
 * bad ones are far off.
 *
 * Source: I.-K. Yeo and R. Johnson, A new family of power transformations to improve normality or symmetry (2000); A. Cowen-Rivers and
 * others, HEBO (arXiv 2012.03826).
 */
export function powerTransform(values: Float64Array): Float64Array {
  let best = { likelihood: -Infinity, values };
  for (const lambda of LAMBDAS) {
    const { moved, likelihood } = transformed(values, lambda);
    if (likelihood > best.likelihood && likelihood < Infinity) best = { likelihood, values: moved };
  }
  return best.values;
}

function varianceOf(values: Float64Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}
