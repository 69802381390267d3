/** Calibration: probabilities that mean what they say, by one or two numbers or a staircase fitted to validation data. */
import { DataError, refuseTest } from "torte";

/** The names of all calibrations. */
export const CALIBRATIONS = ["none", "platt", "isotonic", "temperature"] as const;
/** The name of a calibration. */
export type CalibrationMethod = (typeof CALIBRATIONS)[number];

/** A fitted calibration, plain JSON. */
export type Calibration =
  | { readonly method: "none" }
  /** σ(slope·logit + shift), of two classes. Platt 1999. */
  | { readonly method: "platt"; readonly slope: number; readonly shift: number }
  /** Rising values at these probabilities, linear between them, of two classes. Zadrozny and Elkan 2002. */
  | { readonly method: "isotonic"; readonly x: readonly number[]; readonly y: readonly number[] }
  /** softmax(logits / temperature). Guo et al. 2017. */
  | { readonly method: "temperature"; readonly temperature: number };

/** Logits are taken of probabilities that are not nearer to 0 and 1. */
const NEAREST = 1e-9;

/** log(p / (1 − p)). */
export function logitOf(p: number): number {
  const inside = Math.min(1 - NEAREST, Math.max(NEAREST, p));
  return Math.log(inside / (1 - inside));
}

const sigmoid = (z: number): number => (z >= 0 ? 1 / (1 + Math.exp(-z)) : Math.exp(z) / (1 + Math.exp(z)));

/**
 * Fits a calibration: to the probabilities of the second of two classes, or of each of `classes` [rows × classes].
 *
 * @throws DataError for lists that do not go together, and where a method is for two classes only.
 * @example
 * import { calibrate, fitCalibration } from "@torte/data";
 * const told = [0.9, 0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1];
 * const fitted = fitCalibration("isotonic", told, [1, 1, 1, 0, 0, 0, 0, 1]);
 * console.log(calibrate(fitted, [0.9, 0.1])); // Float64Array(2) [ 0.75, 0.25 ]
 */
export function fitCalibration(
  method: CalibrationMethod,
  probabilities: ArrayLike<number>,
  targets: ArrayLike<number>,
  classes = 2,
): Calibration {
  const width = classes === 2 ? 1 : classes;
  for (const part of [probabilities, targets]) refuseTest("fitCalibration", part);
  if (probabilities.length !== targets.length * width || targets.length === 0)
    throw new DataError({
      where: "fitCalibration",
      problem: "probabilities and targets do not go together",
      expected: `${targets.length * width} probabilities`,
      received: String(probabilities.length),
    });
  if (method === "none") return { method };
  if (method === "temperature")
    return { method, temperature: temperatureOf(logitsOf(probabilities, width), targets, width) };
  if (width > 1)
    throw new DataError({ where: "fitCalibration", problem: `${method} is for two classes`, expected: "temperature" });
  return method === "platt" ? platt(probabilities, targets) : isotonic(probabilities, targets);
}

/** Calibrated probabilities, in the form in which they are given. */
export function calibrate(fitted: Calibration, probabilities: ArrayLike<number>, classes = 2): Float64Array {
  const p = Float64Array.from(probabilities);
  switch (fitted.method) {
    case "none":
      return p;
    case "platt":
      return p.map((value) => sigmoid(fitted.slope * logitOf(value) + fitted.shift));
    case "isotonic":
      return p.map((value) => interpolate(fitted.x, fitted.y, value));
    case "temperature":
      if (classes === 2) return p.map((value) => sigmoid(logitOf(value) / fitted.temperature));
      return softmaxRows(logitsOf(p, classes), classes, fitted.temperature);
  }
}

/**
 * Platt's scaling, by Newton's method. Targets are (n₊ + 1)/(n₊ + 2) and 1/(n₋ + 2), so that few rows cannot push the slope to
 * infinity.
 */
function platt(probabilities: ArrayLike<number>, targets: ArrayLike<number>): Calibration {
  const z = Float64Array.from(probabilities, logitOf);
  const positives = Array.from(targets).filter((y) => y === 1).length;
  const [yes, no] = [(positives + 1) / (positives + 2), 1 / (targets.length - positives + 2)];
  const t = Float64Array.from(targets, (y) => (y === 1 ? yes : no));
  const lossAt = (a: number, b: number): number =>
    z.reduce((sum, value, i) => {
      const s = a * value + b;
      return sum + Math.max(s, 0) - s * (t[i] ?? 0) + Math.log1p(Math.exp(-Math.abs(s)));
    }, 0);
  let [slope, shift] = [1, 0];
  let loss = lossAt(slope, shift);
  for (let step = 0; step < 100; step++) {
    let [ga, gb, haa, hab, hbb] = [0, 0, 1e-12, 0, 1e-12];
    z.forEach((value, i) => {
      const p = sigmoid(slope * value + shift);
      const [g, h] = [p - (t[i] ?? 0), p * (1 - p)];
      ga += g * value;
      gb += g;
      haa += h * value * value;
      hab += h * value;
      hbb += h;
    });
    const determinant = haa * hbb - hab * hab;
    if (Math.abs(ga) + Math.abs(gb) < 1e-10 * z.length || !(determinant > 0)) break;
    const [da, db] = [(hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant];
    let size = 1;
    while (size > 1e-10 && lossAt(slope - size * da, shift - size * db) > loss) size /= 2;
    [slope, shift] = [slope - size * da, shift - size * db];
    loss = lossAt(slope, shift);
  }
  return { method: "platt", slope, shift };
}

/** The rising function with the least squares: neighbours that fall are pooled (Ayer et al. 1955). */
function isotonic(probabilities: ArrayLike<number>, targets: ArrayLike<number>): Calibration {
  const order = Array.from(probabilities, (_, i) => i).sort(
    (a, b) => (probabilities[a] ?? 0) - (probabilities[b] ?? 0),
  );
  // Of rows with one probability, the mean.
  const points: { x: number; y: number; weight: number }[] = [];
  for (const i of order) {
    const [x, y] = [probabilities[i] ?? 0, targets[i] ?? 0];
    const last = points.at(-1);
    if (last?.x === x) {
      last.y = (last.y * last.weight + y) / (last.weight + 1);
      last.weight++;
    } else points.push({ x, y, weight: 1 });
  }
  const blocks: { from: number; to: number; y: number; weight: number }[] = [];
  for (const { x, y, weight } of points) {
    blocks.push({ from: x, to: x, y, weight });
    for (;;) {
      const [before, last] = blocks.slice(-2);
      if (before === undefined || last === undefined || before.y < last.y) break;
      const total = before.weight + last.weight;
      const mean = (before.y * before.weight + last.y * last.weight) / total;
      blocks.splice(-2, 2, { from: before.from, to: last.to, y: mean, weight: total });
    }
  }
  const corners = blocks.flatMap(({ from, to, y }) =>
    from === to
      ? [[from, y]]
      : [
          [from, y],
          [to, y],
        ],
  );
  return { method: "isotonic", x: corners.map(([x = 0]) => x), y: corners.map(([, y = 0]) => y) };
}

/** Between the two nearest corners; beyond the ends as at the ends. */
function interpolate(x: readonly number[], y: readonly number[], at: number): number {
  let [low, high] = [0, x.length - 1];
  if (!(at > (x[low] ?? 0))) return y[low] ?? 0;
  if (!(at < (x[high] ?? 0))) return y[high] ?? 0;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((x[middle] ?? 0) <= at) low = middle;
    else high = middle;
  }
  const [x0 = 0, x1 = 0, y0 = 0, y1 = 0] = [x[low], x[high], y[low], y[high]];
  return y0 + ((at - x0) / (x1 - x0)) * (y1 - y0);
}

/** Logits up to a constant for each row; of two classes 0 and the logit. */
function logitsOf(probabilities: ArrayLike<number>, width: number): Float64Array {
  return Float64Array.from(probabilities, width === 1 ? logitOf : (p) => Math.log(Math.max(NEAREST, p)));
}

function softmaxRows(logits: Float64Array, classes: number, temperature: number): Float64Array {
  const result = new Float64Array(logits.length);
  for (let at = 0; at < logits.length; at += classes) {
    const row = logits.subarray(at, at + classes).map((z) => z / temperature);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = row.reduce((total, z) => total + Math.exp(z - most), 0);
    row.forEach((z, c) => (result[at + c] = Math.exp(z - most) / sum));
  }
  return result;
}

/** The inverse temperature with the least log loss, which is convex in it: by bisection of the derivative. */
function temperatureOf(logits: Float64Array, targets: ArrayLike<number>, width: number): number {
  const slopeAt = (inverse: number): number => {
    let slope = 0;
    if (width === 1) {
      logits.forEach((z, i) => (slope += (sigmoid(inverse * z) - (targets[i] ?? 0)) * z));
      return slope;
    }
    const p = softmaxRows(logits, width, 1 / inverse);
    for (let at = 0, row = 0; at < logits.length; at += width, row++) {
      for (let c = 0; c < width; c++) slope += (p[at + c] ?? 0) * (logits[at + c] ?? 0);
      slope -= logits[at + (targets[row] ?? 0)] ?? 0;
    }
    return slope;
  };
  // Beyond these limits probabilities are no longer told apart.
  let [low, high] = [Math.log(1e-3), Math.log(1e3)];
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2;
    if (slopeAt(Math.exp(middle)) > 0) high = middle;
    else low = middle;
  }
  return Math.exp(-(low + high) / 2);
}
