/** What becomes of a model's probabilities: calibrated, then a label by a threshold. Chosen on validation data, kept with the model. */
import { DataError, isRecord, refuseTest, show } from "torte";
import { type Calibration, calibrate, type CalibrationMethod, fitCalibration } from "./calibration.js";

/** How a probability becomes a decision: its calibration and its threshold. */
export interface Decision {
  readonly calibration: Calibration;
  /** Of two classes: what a calibrated probability must exceed for the second one. */
  readonly threshold: number;
  /** Of several labels, the decision for each; the fields above are then of no use. */
  readonly each?: readonly Decision[];
}

/** Nothing has been chosen. */
export const UNDECIDED: Decision = { calibration: { method: "none" }, threshold: 0.5 };

/**
 * Chooses a calibration and a threshold: of two classes the one with the best Matthews' correlation, but 0.5 where that is within
 * a standard error of it, since the best of many is best by chance, too.
 */
export function chooseDecision(
  method: CalibrationMethod,
  probabilities: ArrayLike<number>,
  targets: ArrayLike<number>,
  classes = 2,
): Decision {
  const calibration = fitCalibration(method, probabilities, targets, classes);
  if (classes > 2) return { calibration, threshold: 0.5 };
  return { calibration, threshold: chooseThreshold(calibrate(calibration, probabilities), targets) };
}

/** Of probabilities [rows × labels]: a calibration and a threshold for each label, as of two classes. */
export function chooseDecisions(
  method: CalibrationMethod,
  probabilities: ArrayLike<number>,
  targets: ArrayLike<number>,
  labels: number,
): Decision {
  const column = (of: ArrayLike<number>, label: number): Float64Array =>
    Float64Array.from({ length: of.length / labels }, (_, row) => of[row * labels + label] ?? NaN);
  const each = Array.from({ length: labels }, (_, label) =>
    chooseDecision(method, column(probabilities, label), column(targets, label)),
  );
  return { ...UNDECIDED, each };
}

/** The threshold with the best Matthews' correlation, or 0.5 where that is hardly worse. */
export function chooseThreshold(probabilities: ArrayLike<number>, targets: ArrayLike<number>): number {
  for (const part of [probabilities, targets]) refuseTest("chooseThreshold", part);
  const order = Array.from(probabilities, (_, i) => i).sort(
    (a, b) => (probabilities[b] ?? 0) - (probabilities[a] ?? 0),
  );
  const positives = Array.from(targets).filter((y) => y === 1).length;
  const rows = order.length;
  const mcc = (tp: number, told: number): number => {
    const product = Math.sqrt(told * (rows - told) * positives * (rows - positives));
    return product === 0 ? 0 : (tp * rows - told * positives) / product;
  };
  let best = { value: -Infinity, threshold: 0.5 };
  let tp = 0;
  let half = 0;
  order.forEach((row, i) => {
    const p = probabilities[row] ?? 0;
    if (targets[row] === 1) tp++;
    const next = i + 1 < rows ? (probabilities[order[i + 1] ?? 0] ?? 0) : 0;
    if (p > 0.5 && !(next > 0.5)) half = mcc(tp, i + 1);
    if (next === p) return;
    const value = mcc(tp, i + 1);
    if (value > best.value) best = { value, threshold: (p + next) / 2 };
  });
  // Of a correlation: √((1 − r²)/(n − 2)).
  const error = Math.sqrt((1 - Math.min(1, best.value ** 2)) / Math.max(1, rows - 2));
  return best.value - half <= error ? 0.5 : best.threshold;
}

/** A decision from its JSON. @throws DataError for what is no decision. */
export function readDecision(value: unknown): Decision {
  const wrong = (): never => {
    throw new DataError({ where: "decision", problem: "this is no decision", received: show(value) });
  };
  const { calibration, threshold, each } = isRecord(value) ? value : {};
  if (!isRecord(calibration) || !isShare(threshold)) return wrong();
  if (each !== undefined)
    return Array.isArray(each)
      ? { ...UNDECIDED, each: each.map((one) => (isRecord(one) && !("each" in one) ? readDecision(one) : wrong())) }
      : wrong();
  const { method, slope, shift, x, y, temperature } = calibration;
  if (method === "none") return { calibration: { method }, threshold };
  if (method === "platt" && isFinite(slope) && isFinite(shift))
    return { calibration: { method, slope, shift }, threshold };
  if (method === "temperature" && isFinite(temperature) && temperature > 0)
    return { calibration: { method, temperature }, threshold };
  const isList = (list: unknown): list is readonly number[] =>
    Array.isArray(list) && list.length > 0 && list.every(isShare);
  if (method === "isotonic" && isList(x) && isList(y) && x.length === y.length)
    return { calibration: { method, x, y }, threshold };
  return wrong();
}

const isFinite = (value: unknown): value is number => Number.isFinite(value);
const isShare = (value: unknown): value is number => isFinite(value) && value >= 0 && value <= 1;
