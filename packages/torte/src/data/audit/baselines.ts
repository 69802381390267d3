/** Trivial baselines: what a target can be told by without a model of the sequence. */
import { type Design, leastSquares, logisticRegression, score } from "./linear.js";

/** What a rule that knows little scores; a model has to do better. */
export interface Baseline {
  readonly name: "majority" | "mean" | "length" | "firstResidue" | "lastResidue" | "composition";
  /** In words, as `starts with "M"`. */
  readonly rule: string;
  /** Accuracy, or for numbers R². Of rules with one parameter on all rows, of composition in five folds. */
  readonly score: number;
}

/** Classes of rows as numbers from 0, or the numbers themselves. */
export type Targets =
  | { readonly kind: "classes"; readonly labels: readonly string[]; readonly of: Int32Array }
  | { readonly kind: "numbers"; readonly of: Float64Array };

/** With more classes, only the majority is looked at. */
const MOST_CLASSES = 50;
const FOLDS = 5;
/** Letters whose shares are features: the most frequent ones. */
const MOST_LETTERS = 32;

export function baselines(targets: Targets, sequences: readonly string[] | undefined): readonly Baseline[] {
  const first: Baseline =
    targets.kind === "classes"
      ? { name: "majority", ...majority(targets.of, targets.labels) }
      : { name: "mean", rule: "always the mean", score: 0 };
  if (sequences === undefined || (targets.kind === "classes" && targets.labels.length > MOST_CLASSES)) return [first];
  const lengths = Float64Array.from(sequences, ({ length }) => length);
  const ends: readonly Baseline[] =
    targets.kind === "classes"
      ? [
          {
            name: "firstResidue",
            ...bestLetter(
              sequences.map((s) => s.charAt(0)),
              targets,
              "starts",
            ),
          },
          {
            name: "lastResidue",
            ...bestLetter(
              sequences.map((s) => s.slice(-1)),
              targets,
              "ends",
            ),
          },
        ]
      : [];
  return [
    first,
    { name: "length", ...bestThreshold(lengths, targets, "length") },
    ...ends,
    { name: "composition", rule: "shares of letters, by regression", score: compositionScore(sequences, targets) },
  ];
}

interface Rule {
  readonly rule: string;
  readonly score: number;
}

function majority(of: Int32Array, labels: readonly string[]): Rule {
  const counts = new Array<number>(labels.length).fill(0);
  for (const label of of) counts[label] = (counts[label] ?? 0) + 1;
  const most = counts.indexOf(Math.max(...counts));
  return { rule: `always ${JSON.stringify(labels[most] ?? "")}`, score: (counts[most] ?? 0) / of.length };
}

/** The letter that tells most, where rows that have it get their most frequent class, and so do the others. */
function bestLetter(letters: readonly string[], { of, labels }: Targets & { kind: "classes" }, word: string): Rule {
  const counts = new Map<string, Int32Array>();
  const all = new Int32Array(labels.length);
  letters.forEach((letter, i) => {
    const own = counts.get(letter) ?? new Int32Array(labels.length);
    counts.set(letter, own);
    const label = of[i] ?? 0;
    own[label] = (own[label] ?? 0) + 1;
    all[label] = (all[label] ?? 0) + 1;
  });
  let best: Rule = { rule: "nothing", score: 0 };
  for (const [letter, own] of counts) {
    const others = all.map((count, label) => count - (own[label] ?? 0));
    const right = Math.max(...own) + Math.max(...others);
    if (right > best.score * letters.length)
      best = { rule: `${word} with ${JSON.stringify(letter)}`, score: right / letters.length };
  }
  return best;
}

/** The threshold on a number that tells most: either side gets its most frequent class. For numbers, the line's R². */
export function bestThreshold(values: Float64Array, targets: Targets, name: string): Rule {
  if (targets.kind === "numbers") return { rule: `a line over ${name}`, score: correlation(values, targets.of) ** 2 };
  const { of, labels } = targets;
  const order = Int32Array.from(values, (_, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  const below = new Int32Array(labels.length);
  const above = new Int32Array(labels.length);
  for (const label of of) above[label] = (above[label] ?? 0) + 1;
  let best: Rule = { rule: `${name} > ${values[order[0] ?? 0] ?? 0}`, score: Math.max(...above) / of.length };
  order.forEach((row, i) => {
    const label = of[row] ?? 0;
    below[label] = (below[label] ?? 0) + 1;
    above[label] = (above[label] ?? 0) - 1;
    const [value = 0, next = 0] = [values[row], values[order[i + 1] ?? row]];
    if (value === next) return;
    const right = Math.max(...below) + Math.max(...above);
    if (right > best.score * of.length) best = { rule: `${name} > ${value}`, score: right / of.length };
  });
  return best;
}

/** Pearson's r; 0 where one is constant. */
export function correlation(x: Float64Array, y: Float64Array): number {
  const mean = (v: Float64Array): number => v.reduce((sum, value) => sum + value, 0) / v.length;
  const [mx, my] = [mean(x), mean(y)];
  let [xx, yy, xy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [(x[i] ?? 0) - mx, (y[i] ?? 0) - my];
    xx += dx * dx;
    yy += dy * dy;
    xy += dx * dy;
  }
  return xx > 0 && yy > 0 ? xy / Math.sqrt(xx * yy) : 0;
}

/** Accuracy (R²) of a regression on the shares of letters, each fifth of the rows told by the others. */
function compositionScore(sequences: readonly string[], targets: Targets): number {
  const design = composition(sequences);
  const rows = Array.from(sequences, (_, i) => i);
  const foldOf = (row: number): number => (Math.imul(row, 0x9e3779b1) >>> 0) % FOLDS;
  const told = new Float64Array(sequences.length);
  for (let fold = 0; fold < FOLDS; fold++) {
    const known = rows.filter((row) => foldOf(row) !== fold);
    const tell = predictor(design, known, targets);
    for (const row of rows) if (foldOf(row) === fold) told[row] = tell(row);
  }
  if (targets.kind === "classes")
    return told.reduce((sum, label, i) => sum + Number(label === targets.of[i]), 0) / told.length;
  const mean = targets.of.reduce((sum, value) => sum + value, 0) / told.length;
  const total = targets.of.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const left = targets.of.reduce((sum, value, i) => sum + (value - (told[i] ?? 0)) ** 2, 0);
  return total > 0 ? 1 - left / total : 0;
}

function predictor(design: Design, known: readonly number[], targets: Targets): (row: number) => number {
  if (targets.kind === "numbers") {
    const weights = leastSquares(design, known, targets.of);
    return (row) => score(design, weights, row);
  }
  const { of, labels } = targets;
  if (labels.length === 2) {
    const weights = logisticRegression(design, known, (row) => of[row] === 1);
    return (row) => Number(score(design, weights, row) > 0);
  }
  const each = labels.map((_, label) => logisticRegression(design, known, (row) => of[row] === label));
  return (row) => {
    const scores = each.map((weights) => score(design, weights, row));
    return scores.indexOf(Math.max(...scores));
  };
}

function composition(sequences: readonly string[]): Design {
  const counts = new Map<string, number>();
  for (const sequence of sequences)
    for (let i = 0; i < sequence.length; i++) counts.set(sequence[i] ?? "", (counts.get(sequence[i] ?? "") ?? 0) + 1);
  const letters = [...counts].sort((a, b) => b[1] - a[1]).slice(0, MOST_LETTERS);
  const width = letters.length;
  const places = new Int16Array(65_536).fill(-1);
  letters.forEach(([letter], j) => (places[letter.charCodeAt(0)] = j));
  const values = new Float64Array(sequences.length * width);
  sequences.forEach((sequence, row) => {
    for (let i = 0; i < sequence.length; i++) {
      const place = places[sequence.charCodeAt(i)] ?? -1;
      if (place >= 0) values[row * width + place] = (values[row * width + place] ?? 0) + 1 / sequence.length;
    }
  });
  return { rows: sequences.length, width, values };
}
