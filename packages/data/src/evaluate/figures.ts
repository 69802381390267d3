/** Figures of predictions beside targets, with intervals by the bootstrap. */
import { bootstrap, DataError, positiveInteger } from "torte";

/** A figure, and the interval in which it lies for 95 % of the samples drawn from the same rows. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * What is compared: class numbers with probabilities [rows × classes], of two classes those of the second; 0 and 1 with probabilities, both
 * [rows × labels]; or numbers with numbers.
 */
export type Told =
  | {
      readonly kind: "binary";
      readonly targets: ArrayLike<number>;
      readonly predictions: ArrayLike<number>;
      /** What a probability must exceed to be a yes. */
      readonly threshold: number;
    }
  | {
      readonly kind: "multiClass";
      readonly targets: ArrayLike<number>;
      readonly predictions: ArrayLike<number>;
      readonly classes: number;
    }
  | {
      readonly kind: "multiLabel";
      readonly targets: ArrayLike<number>;
      readonly predictions: ArrayLike<number>;
      /** Of each label: what a probability must exceed to be a yes. */
      readonly thresholds: readonly number[];
    }
  | { readonly kind: "regression"; readonly targets: ArrayLike<number>; readonly predictions: ArrayLike<number> };

/** Options of the figures of an evaluation. */
export interface FigureOptions {
  /** Bootstrap samples. Default 1000. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** How often each row counts. */
type Weights = ArrayLike<number>;
type Figures = Readonly<Record<string, number>>;

/** Rows, and how many predictions each has. */
export function formOf(told: Told): { readonly rows: number; readonly width: number } {
  if (told.kind !== "multiLabel")
    return { rows: told.targets.length, width: told.kind === "multiClass" ? told.classes : 1 };
  const width = told.thresholds.length;
  return { rows: told.targets.length / width, width };
}

/**
 * Accuracy, Matthews' correlation, AUROC, average precision, Brier score, calibration error and log loss of two classes; of more
 * all but those of a ranking; of several labels the share of rows with all labels right, Hamming loss, F1 (micro and macro), AUROC and average
 * precision as means over the labels, Brier score and log loss; of numbers the root of the mean squared error, the mean absolute error, R² and Pearson's
 * correlation. Each with the 2.5th and 97.5th percentile of bootstrap samples.
 *
 * @throws DataError for lists of different lengths.
 * @example
 * import { figuresOf } from "@torte/data";
 * const told = { kind: "binary", targets: [0, 0, 1, 1], predictions: [0.1, 0.4, 0.35, 0.8], threshold: 0.5 } as const;
 * const figures = figuresOf(told);
 * console.log(figures.find(({ name }) => name === "auroc")?.value); // 0.75
 */
export function figuresOf(told: Told, options: FigureOptions = {}): readonly Figure[] {
  const { rows, width } = formOf(told);
  if (rows === 0 || told.predictions.length !== rows * width)
    throw new DataError({
      where: "figuresOf",
      problem: "targets and predictions do not go together",
      expected: `${rows * width} predictions`,
      received: String(told.predictions.length),
    });
  const samples = positiveInteger("figuresOf", "samples", options.samples ?? 1000);
  const measure = measureOf(told);
  const values = measure(new Uint8Array(rows).fill(1));
  const drawn = new Map(Object.keys(values).map((name) => [name, [] as number[]]));
  const seed = options.seed ?? 0;
  // One sample at a time: their rows take more memory than the figures.
  for (let sample = 0; sample < samples; sample++) {
    const [fold] = bootstrap({ rows, samples: 1, seed: (seed + sample) >>> 0 });
    const weights = new Uint16Array(rows);
    for (const row of fold?.train ?? []) weights[row] = (weights[row] ?? 0) + 1;
    for (const [name, value] of Object.entries(measure(weights))) drawn.get(name)?.push(value);
  }
  return Object.entries(values).map(([name, value]): Figure => {
    // Samples of one class only have no AUROC.
    const sorted = (drawn.get(name) ?? []).filter(Number.isFinite).sort((a, b) => a - b);
    return { name, value, low: quantile(sorted, 0.025), high: quantile(sorted, 0.975) };
  });
}

/** Between the two nearest of sorted values, as numpy does. */
function quantile(sorted: readonly number[], q: number): number {
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? NaN;
  return low + (place - below) * ((sorted[Math.min(sorted.length - 1, below + 1)] ?? NaN) - low);
}

function measureOf(told: Told): (weights: Weights) => Figures {
  switch (told.kind) {
    case "binary":
      return binaryMeasure(told);
    case "multiClass":
      return classMeasure(told);
    case "multiLabel":
      return labelMeasure(told);
    case "regression":
      return numberMeasure(told);
  }
}

/** Least probability that a logarithm is taken of. */
const LEAST = 1e-15;
const BINS = 15;

function binaryMeasure({ targets, predictions, threshold }: Told & { readonly kind: "binary" }) {
  const p = Float64Array.from(predictions);
  const order = Uint32Array.from(p, (_, i) => i).sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0));
  const confidences = p.map((value) => Math.max(value, 1 - value));
  return (weights: Weights): Figures => {
    let [tp, fp, tn, fn] = [0, 0, 0, 0];
    let [brier, logLoss, total] = [0, 0, 0];
    const bins = new CalibrationBins();
    for (let i = 0; i < p.length; i++) {
      const weight = weights[i] ?? 0;
      if (weight === 0) continue;
      const value = p[i] ?? 0;
      const yes = targets[i] === 1;
      const told = value > threshold;
      if (yes && told) tp += weight;
      else if (yes) fn += weight;
      else if (told) fp += weight;
      else tn += weight;
      brier += weight * (value - Number(yes)) ** 2;
      logLoss -= weight * Math.log(Math.max(LEAST, yes ? value : 1 - value));
      total += weight;
      bins.add(confidences[i] ?? 0, value > 0.5 === yes, weight);
    }
    const product = Math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn));
    return {
      accuracy: (tp + tn) / total,
      mcc: product === 0 ? 0 : (tp * tn - fp * fn) / product,
      ...ranking(order, p, targets, weights),
      brierScore: brier / total,
      expectedCalibrationError: bins.error(),
      logLoss: logLoss / total,
    };
  };
}

/** AUROC by trapezoids, and average precision, over rows from the highest score to the lowest. */
function ranking(order: Uint32Array, scores: Float64Array, targets: ArrayLike<number>, weights: Weights): Figures {
  let [tp, fp, area, steps] = [0, 0, 0, 0];
  for (let k = 0; k < order.length;) {
    const score = scores[order[k] ?? 0];
    let [yes, no] = [0, 0];
    for (; k < order.length && scores[order[k] ?? 0] === score; k++) {
      const row = order[k] ?? 0;
      if (targets[row] === 1) yes += weights[row] ?? 0;
      else no += weights[row] ?? 0;
    }
    area += no * (tp + yes / 2);
    tp += yes;
    fp += no;
    if (yes > 0) steps += (yes * tp) / (tp + fp);
  }
  return { auroc: area / (tp * fp), averagePrecision: steps / tp };
}

/** Confidence beside the share of right ones, in bins of equal width. */
class CalibrationBins {
  readonly #gap = new Float64Array(BINS);
  #total = 0;

  add(confidence: number, right: boolean, weight: number): void {
    const bin = Math.min(BINS - 1, Math.floor(confidence * BINS));
    this.#gap[bin] = (this.#gap[bin] ?? 0) + weight * (confidence - Number(right));
    this.#total += weight;
  }

  error(): number {
    return this.#gap.reduce((sum, gap) => sum + Math.abs(gap), 0) / this.#total;
  }
}

function classMeasure({ targets, predictions, classes }: Told & { readonly kind: "multiClass" }) {
  const best = Int32Array.from(targets, (_, i) => likeliest(predictions, i * classes, classes));
  return (weights: Weights): Figures => {
    const actual = new Float64Array(classes);
    const told = new Float64Array(classes);
    const right = new Float64Array(classes);
    let [brier, logLoss, total] = [0, 0, 0];
    const bins = new CalibrationBins();
    for (let i = 0; i < best.length; i++) {
      const weight = weights[i] ?? 0;
      if (weight === 0) continue;
      const [label, guess] = [targets[i] ?? 0, best[i] ?? 0];
      actual[label] = (actual[label] ?? 0) + weight;
      told[guess] = (told[guess] ?? 0) + weight;
      if (label === guess) right[label] = (right[label] ?? 0) + weight;
      for (let c = 0; c < classes; c++)
        brier += weight * ((predictions[i * classes + c] ?? 0) - Number(c === label)) ** 2;
      logLoss -= weight * Math.log(Math.max(LEAST, predictions[i * classes + label] ?? 0));
      total += weight;
      bins.add(predictions[i * classes + guess] ?? 0, label === guess, weight);
    }
    const sum = (of: (c: number) => number): number => actual.reduce((all, _, c) => all + of(c), 0);
    const hits = sum((c) => right[c] ?? 0);
    const products = sum((c) => (actual[c] ?? 0) * (told[c] ?? 0));
    const spread = Math.sqrt(
      (total ** 2 - sum((c) => (told[c] ?? 0) ** 2)) * (total ** 2 - sum((c) => (actual[c] ?? 0) ** 2)),
    );
    const present = sum((c) => Number((actual[c] ?? 0) > 0));
    return {
      accuracy: hits / total,
      balancedAccuracy: sum((c) => ((actual[c] ?? 0) > 0 ? (right[c] ?? 0) / (actual[c] ?? 1) : 0)) / present,
      mcc: spread === 0 ? 0 : (hits * total - products) / spread,
      brierScore: brier / total,
      expectedCalibrationError: bins.error(),
      logLoss: logLoss / total,
    };
  };
}

/** F1 of counts: of no yes at all, told or true, it is 0. */
const f1Of = (tp: number, fp: number, fn: number): number => (tp === 0 ? 0 : (2 * tp) / (2 * tp + fp + fn));

/** The mean of those that are numbers: a label that no row of a sample has is told by no ranking. */
function meanOf(values: readonly number[]): number {
  const known = values.filter(Number.isFinite);
  return known.reduce((sum, value) => sum + value / known.length, 0);
}

function labelMeasure({ targets, predictions, thresholds }: Told & { readonly kind: "multiLabel" }) {
  const width = thresholds.length;
  const rows = targets.length / width;
  const column = (of: ArrayLike<number>, c: number): Float64Array =>
    Float64Array.from({ length: rows }, (_, row) => of[row * width + c] ?? NaN);
  const labels = thresholds.map((threshold, c) => {
    const p = column(predictions, c);
    const order = Uint32Array.from(p, (_, i) => i).sort((a, b) => (p[b] ?? 0) - (p[a] ?? 0));
    return { p, y: column(targets, c), threshold, order };
  });
  return (weights: Weights): Figures => {
    let [brier, logLoss, total, exact] = [0, 0, 0, 0];
    const counts = labels.map(() => ({ tp: 0, fp: 0, fn: 0 }));
    for (let row = 0; row < rows; row++) {
      const weight = weights[row] ?? 0;
      if (weight === 0) continue;
      let right = true;
      labels.forEach(({ p, y, threshold }, c) => {
        const [value, yes] = [p[row] ?? 0, y[row] === 1];
        const told = value > threshold;
        const count = counts[c];
        if (count !== undefined && yes && told) count.tp += weight;
        else if (count !== undefined && told) count.fp += weight;
        else if (count !== undefined && yes) count.fn += weight;
        if (yes !== told) right = false;
        brier += (weight * (value - Number(yes)) ** 2) / width;
        logLoss -= (weight * Math.log(Math.max(LEAST, yes ? value : 1 - value))) / width;
      });
      exact += weight * Number(right);
      total += weight;
    }
    const all = counts.reduce((a, b) => ({ tp: a.tp + b.tp, fp: a.fp + b.fp, fn: a.fn + b.fn }));
    const ranks = labels.map(({ order, p, y }) => ranking(order, p, y, weights));
    return {
      accuracy: exact / total,
      hammingLoss: (all.fp + all.fn) / (total * width),
      microF1: f1Of(all.tp, all.fp, all.fn),
      macroF1: meanOf(counts.map(({ tp, fp, fn }) => f1Of(tp, fp, fn))),
      auroc: meanOf(ranks.map(({ auroc = NaN }) => auroc)),
      averagePrecision: meanOf(ranks.map(({ averagePrecision = NaN }) => averagePrecision)),
      brierScore: brier / total,
      logLoss: logLoss / total,
    };
  };
}

/** The class with the largest probability; of equal ones the first. */
export function likeliest(probabilities: ArrayLike<number>, from: number, classes: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) if ((probabilities[from + c] ?? 0) > (probabilities[from + best] ?? 0)) best = c;
  return best;
}

function numberMeasure({ targets, predictions }: Told & { readonly kind: "regression" }) {
  return (weights: Weights): Figures => {
    let total = 0;
    let [meanY, meanP] = [0, 0];
    for (let i = 0; i < targets.length; i++) total += weights[i] ?? 0;
    for (let i = 0; i < targets.length; i++) {
      const share = (weights[i] ?? 0) / total;
      meanY += share * (targets[i] ?? 0);
      meanP += share * (predictions[i] ?? 0);
    }
    let [squares, absolute, yy, pp, yp] = [0, 0, 0, 0, 0];
    for (let i = 0; i < targets.length; i++) {
      const weight = weights[i] ?? 0;
      const [y, p] = [targets[i] ?? 0, predictions[i] ?? 0];
      squares += weight * (y - p) ** 2;
      absolute += weight * Math.abs(y - p);
      yy += weight * (y - meanY) ** 2;
      pp += weight * (p - meanP) ** 2;
      yp += weight * (y - meanY) * (p - meanP);
    }
    return {
      rootMeanSquaredError: Math.sqrt(squares / total),
      meanAbsoluteError: absolute / total,
      r2Score: 1 - squares / yy,
      pearsonCorrelation: yp / Math.sqrt(yy * pp),
    };
  };
}
