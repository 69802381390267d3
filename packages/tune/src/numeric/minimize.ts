/** The least value of a smooth function within bounds, by a limited-memory quasi-Newton method (L-BFGS with projection). */

/** Value of the function; fills in its gradient. */
export type Smooth = (x: Float64Array, gradient: Float64Array) => number;

export interface MinimizeOptions {
  readonly lower: ArrayLike<number>;
  readonly upper: ArrayLike<number>;
  /** Evaluations of the function, at most. */
  readonly evaluations: number;
  /** Ends where no component of the projected gradient is larger. Default 1e-5. */
  readonly tolerance?: number;
}

export interface Minimum {
  readonly x: Float64Array;
  readonly value: number;
}

const MEMORY = 8;

interface Pair {
  readonly s: Float64Array;
  readonly y: Float64Array;
  readonly rho: number;
}

/** Steps along L-BFGS directions of the free variables, halved until Armijo's condition holds; bounds are kept by projection. */
export function minimize(f: Smooth, start: Float64Array, options: MinimizeOptions): Minimum {
  const { lower, upper, tolerance = 1e-5 } = options;
  const n = start.length;
  const clip = (value: number, i: number): number => Math.min(upper[i] as number, Math.max(lower[i] as number, value));
  let x = start.map(clip);
  let gradient = new Float64Array(n);
  let value = f(x, gradient);
  let left = options.evaluations - 1;
  const pairs: Pair[] = [];
  while (left > 0 && Number.isFinite(value)) {
    const free = x.map((at, i) => Number(clip(at - (gradient[i] as number), i) !== at));
    const steepness = x.reduce(
      (most, at, i) => Math.max(most, Math.abs(clip(at - (gradient[i] as number), i) - at)),
      0,
    );
    if (steepness <= tolerance) break;
    const direction = descent(gradient, free, pairs);
    let slope = inner(direction, gradient);
    if (!(slope < 0)) {
      pairs.length = 0;
      direction.forEach((_, i) => (direction[i] = -(gradient[i] as number) * (free[i] as number)));
      slope = inner(direction, gradient);
    }
    // Nothing is known of the scale before the first step.
    let step = pairs.length === 0 ? Math.min(1, 1 / Math.sqrt(-slope)) : 1;
    const [before, beforeGradient] = [x, gradient];
    let moved = false;
    for (; left > 0; step *= 0.4) {
      const next = before.map((at, i) => clip(at + step * (direction[i] as number), i));
      const nextGradient = new Float64Array(n);
      const nextValue = f(next, nextGradient);
      left--;
      const gained = next.reduce((sum, at, i) => sum + (at - (before[i] as number)) * (beforeGradient[i] as number), 0);
      if (nextValue <= value + 1e-4 * gained) {
        moved = gained < 0;
        [x, gradient, value] = [next, nextGradient, nextValue];
        break;
      }
      if (step < 1e-10) break;
    }
    if (!moved) break;
    remember(pairs, x, before, gradient, beforeGradient);
  }
  return { x, value };
}

function remember(pairs: Pair[], x: Float64Array, before: Float64Array, g: Float64Array, gBefore: Float64Array): void {
  const s = x.map((at, i) => at - (before[i] as number));
  const y = g.map((at, i) => at - (gBefore[i] as number));
  const curvature = inner(s, y);
  if (curvature <= 1e-12 * Math.sqrt(inner(s, s) * inner(y, y))) return;
  pairs.push({ s, y, rho: 1 / curvature });
  if (pairs.length > MEMORY) pairs.shift();
}

/** −H·g on the free variables, by the two loops of L-BFGS. */
function descent(gradient: Float64Array, free: Float64Array, pairs: readonly Pair[]): Float64Array {
  const q = gradient.map((value, i) => -value * (free[i] as number));
  const alphas = new Float64Array(pairs.length);
  for (let i = pairs.length - 1; i >= 0; i--) {
    const { s, y, rho } = pairs[i] as Pair;
    const alpha = rho * inner(s, q);
    alphas[i] = alpha;
    y.forEach((value, j) => (q[j] = (q[j] as number) - alpha * value));
  }
  const last = pairs.at(-1);
  if (last !== undefined) {
    const scale = 1 / (last.rho * inner(last.y, last.y));
    q.forEach((value, j) => (q[j] = value * scale));
  }
  pairs.forEach(({ s, y, rho }, i) => {
    const beta = rho * inner(y, q);
    s.forEach((value, j) => (q[j] = (q[j] as number) + value * ((alphas[i] as number) - beta)));
  });
  return q.map((value, i) => value * (free[i] as number));
}

const inner = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
};
