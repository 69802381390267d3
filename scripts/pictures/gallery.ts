/** Every figure of @torte/plot once, by name: for the documentation, for the tests, and to look at. */
import {
  type Figure,
  type FigureOptions,
  plotBars,
  plotCalibration,
  plotConfusionMatrix,
  plotCurves,
  plotHistogram,
  plotParity,
  plotPrecisionRecall,
  plotResiduals,
  plotRoc,
  plotScores,
} from "@torte/plot";
import { confusionMatrix, precisionRecallCurve, rocCurve } from "torte";

/** Numbers that look like measured ones, the same each time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const normal = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

function scored(count: number, strength: number, seed: number): { targets: number[]; scores: number[] } {
  const next = numbers(seed);
  const targets = Array.from({ length: count }, () => Number(next() < 0.42));
  return { targets, scores: targets.map((y) => logistic(strength * (y - 0.5) + normal(next))) };
}

function epochs(count: number, seed: number, overfits: number): Record<string, number>[] {
  const next = numbers(seed);
  return Array.from({ length: count }, (_, i) => ({
    loss: 0.25 + 0.5 * Math.exp(-i / 5) + 0.01 * next(),
    accuracy: 0.85 - 0.3 * Math.exp(-i / 5) + 0.01 * next(),
    valLoss: 0.4 + 0.32 * Math.exp(-i / 4) + overfits * i + 0.02 * next(),
    valAccuracy: 0.74 - 0.2 * Math.exp(-i / 4) - overfits * i + 0.02 * next(),
  }));
}

const CLASSES = ["cytoplasm", "membrane", "nucleus", "secreted"];

type Make = (sizes: FigureOptions) => Figure | Promise<Figure>;

export const GALLERY: Readonly<Record<string, Make>> = {
  curves: (sizes) => plotCurves({ epochs: epochs(16, 3, 0.008), ended: "stopped", restoredEpoch: 7 }, { ...sizes }),
  "curves-runs": (sizes) =>
    plotCurves({ "without dropout": epochs(20, 5, 0.012), "with dropout": epochs(20, 6, 0.002) }, { ...sizes }),
  "curves-seeds": (sizes) =>
    plotCurves(
      {
        plain: [1, 2, 3, 4, 5].map((seed) => epochs(24, seed, 0.01)),
        residual: [6, 7, 8, 9].map((seed) => epochs(24, seed, 0.003)),
      },
      { figure: "accuracy", ...sizes },
    ),
  "confusion-matrix": (sizes) => {
    const next = numbers(8);
    const targets = Array.from({ length: 900 }, () => Math.floor(4 * next() ** 1.3));
    const predicted = targets.map((y) => (next() < 0.72 ? y : Math.floor(4 * next())));
    return plotConfusionMatrix(confusionMatrix(targets, predicted), { labels: CLASSES, ...sizes });
  },
  roc: async (sizes) => {
    const [a, b] = [scored(600, 2, 1), scored(600, 1, 1)];
    return plotRoc(
      { network: await rocCurve(a.targets, a.scores), "logistic regression": await rocCurve(b.targets, b.scores) },
      sizes,
    );
  },
  "precision-recall": async (sizes) => {
    const { targets, scores } = scored(600, 2, 1);
    return plotPrecisionRecall(await precisionRecallCurve(targets, scores), sizes);
  },
  calibration: (sizes) => {
    const { targets, scores } = scored(1200, 2, 4);
    return plotCalibration(targets, scores, sizes);
  },
  scores: (sizes) => {
    const { targets, scores } = scored(1200, 2, 4);
    return plotScores(targets, scores, { threshold: 0.46, labels: ["insoluble", "soluble"], ...sizes });
  },
  histogram: (sizes) => {
    const next = numbers(11);
    return plotHistogram(
      Array.from({ length: 2000 }, () => Math.round(120 * Math.exp(0.4 * normal(next)))),
      { axis: "Length of the sequence", ...sizes },
    );
  },
  parity: (sizes) => {
    const next = numbers(12);
    const targets = Array.from({ length: 400 }, () => 3 * normal(next) - 2);
    return plotParity(
      targets,
      targets.map((y) => 0.9 * y + normal(next)),
      { quantity: "log S", ...sizes },
    );
  },
  residuals: (sizes) => {
    const next = numbers(12);
    const targets = Array.from({ length: 400 }, () => 3 * normal(next) - 2);
    return plotResiduals(
      targets,
      targets.map((y) => 0.9 * y + normal(next)),
      { quantity: "log S", ...sizes },
    );
  },
  bars: (sizes) =>
    plotBars(
      [
        { label: "up to 100", value: 0.812, low: 0.76, high: 0.85, count: 212 },
        { label: "101 to 200", value: 0.741, low: 0.712, high: 0.77, count: 1640 },
        { label: "over 200", value: 0.69, low: 0.62, high: 0.75, count: 98 },
      ],
      { axis: "AUROC", title: "AUROC by length", mark: "point", reference: { label: "chance", value: 0.5 }, ...sizes },
    ),
  "bars-groups": (sizes) =>
    plotBars(
      ["accuracy", "AUROC", "average precision"].flatMap((label, i) => [
        { label, group: "model", value: 0.69 + 0.03 * i, low: 0.67 + 0.03 * i, high: 0.71 + 0.03 * i },
        { label, group: "composition only", value: 0.6 + 0.03 * i, low: 0.58 + 0.03 * i, high: 0.62 + 0.03 * i },
      ]),
      { title: "Test figures", ...sizes },
    ),
};
