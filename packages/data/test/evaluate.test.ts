/** Figures, calibrations and thresholds beside scikit-learn's. */
import { readFileSync } from "node:fs";
import { bootstrap } from "torte";
import { describe, expect, it } from "vitest";
import {
  calibrate,
  type CalibrationMethod,
  chooseDecision,
  chooseDecisions,
  chooseThreshold,
  figuresOf,
  fitCalibration,
  readDecision,
  type Told,
} from "@torte/data";

/** Made by fixtures/make_figures.py. */
const known = JSON.parse(readFileSync(new URL("fixtures/figures.json", import.meta.url), "utf8")) as {
  p: number[];
  y: number[];
  platt: { slope: number; shift: number };
  isotonic: { at: number[]; values: number[] };
  temperature: number;
  binary: Record<string, number>;
  classes: { labels: number[]; probabilities: number[]; temperature: number } & Record<string, number>;
  labels: { targets: number[]; probabilities: number[]; thresholds: number[] } & Record<string, number>;
  numbers: { targets: number[]; told: number[] } & Record<string, number>;
};
const { p, y, classes, numbers, labels } = known;

const TOLD: readonly Told[] = [
  { kind: "binary", targets: y, predictions: p, threshold: 0.4 },
  { kind: "multiClass", targets: classes.labels, predictions: classes.probabilities, classes: 4 },
  {
    kind: "multiLabel",
    targets: labels.targets,
    predictions: labels.probabilities,
    thresholds: labels.thresholds,
  },
  { kind: "regression", targets: numbers.targets, predictions: numbers.told },
];

describe("figures", () => {
  it.each(TOLD)("of $kind targets are scikit-learn's, within their intervals", (told) => {
    const reference = { binary: known.binary, multiClass: classes, multiLabel: labels, regression: numbers }[told.kind];
    const figures = figuresOf(told, { samples: 200 });
    for (const { name, value, low, high } of figures) {
      if (name !== "expectedCalibrationError") expect(Math.abs(value - (reference[name] as number))).toBeLessThan(1e-9);
      expect(low).toBeLessThan(high);
      if (name !== "expectedCalibrationError") expect(low < value && value < high).toBe(true);
    }
    expect(figuresOf(told, { samples: 200 })).toEqual(figures);
  });

  it.each(TOLD)("of $kind targets lie where those of scikit-learn do over the same samples", (told) => {
    /** Made by fixtures/make_intervals.py. */
    const { samples, first, ...kinds } = JSON.parse(
      readFileSync(new URL("fixtures/intervals.json", import.meta.url), "utf8"),
    ) as { samples: number; first: number[] } & Record<Told["kind"], Record<string, [low: number, high: number]>>;
    expect(bootstrap({ rows: 200, samples: 1, seed: 0 })[0]?.train.slice(0, 20)).toEqual(first);
    const figures = figuresOf(told, { samples });
    for (const [name, interval] of Object.entries(kinds[told.kind])) {
      const { low = NaN, high = NaN } = figures.find((figure) => figure.name === name) ?? {};
      expect(Math.abs(low - interval[0]), name).toBeLessThan(1e-9);
      expect(Math.abs(high - interval[1]), name).toBeLessThan(1e-9);
    }
  });

  it("of labels that no row has, or that all have, are those of the other labels", () => {
    const told = {
      kind: "multiLabel",
      targets: [0, 1, 0, 0],
      predictions: [0.1, 0.9, 0.2, 0.1],
      thresholds: [0.5, 0.5],
    } as const;
    const value = (name: string): number | undefined => figuresOf(told).find((figure) => figure.name === name)?.value;
    expect([value("auroc"), value("macroF1"), value("microF1"), value("accuracy")]).toEqual([1, 0.5, 1, 1]);
  });

  it("have intervals as wide as the figure's standard error says", () => {
    const [accuracy] = figuresOf(TOLD[0]!, { samples: 2000 });
    const error = Math.sqrt((accuracy!.value * (1 - accuracy!.value)) / p.length);
    expect((accuracy!.high - accuracy!.low) / (2 * 1.96 * error)).toBeCloseTo(1, 1);
  });
});

describe("a decision on several labels", () => {
  it("is one for each label, as of two classes, and comes back from JSON", () => {
    const column = (of: number[], c: number): number[] => of.filter((_, i) => i % 3 === c);
    const chosen = chooseDecisions("platt", labels.probabilities, labels.targets, 3);
    expect(chosen.each).toEqual(
      [0, 1, 2].map((c) => chooseDecision("platt", column(labels.probabilities, c), column(labels.targets, c))),
    );
    expect(readDecision(JSON.parse(JSON.stringify(chosen)))).toEqual(chosen);
    expect(() => readDecision({ ...chosen, each: [chosen] })).toThrow("this is no decision");
  });
});

describe("calibration", () => {
  it("by Platt, a temperature and a staircase is scikit-learn's", () => {
    const platt = fitCalibration("platt", p, y);
    expect(platt).toMatchObject({ method: "platt" });
    if (platt.method === "platt") {
      expect(platt.slope).toBeCloseTo(known.platt.slope, 4);
      expect(platt.shift).toBeCloseTo(known.platt.shift, 4);
    }
    const warm = fitCalibration("temperature", p, y);
    if (warm.method === "temperature") expect(warm.temperature).toBeCloseTo(known.temperature, 5);
    const several = fitCalibration("temperature", classes.probabilities, classes.labels, 4);
    if (several.method === "temperature") expect(several.temperature).toBeCloseTo(classes.temperature, 5);
    const staircase = calibrate(fitCalibration("isotonic", p, y), known.isotonic.at);
    staircase.forEach((value, i) => {
      expect(value).toBeCloseTo(known.isotonic.values[i]!, 9);
    });
  });

  it.each(["platt", "isotonic", "temperature"] as const)("by %s lowers the log loss, and keeps the order", (method) => {
    const loss = (of: ArrayLike<number>): number =>
      figuresOf({ kind: "binary", targets: y, predictions: of, threshold: 0.5 }, { samples: 1 }).find(
        ({ name }) => name === "logLoss",
      )!.value;
    const calibrated = calibrate(fitCalibration(method, p, y), p);
    expect(loss(calibrated)).toBeLessThan(loss(p) + 1e-9);
    const order = p.map((_, i) => i).sort((a, b) => p[a]! - p[b]!);
    order.forEach((row, i) => {
      if (i > 0) expect(calibrated[row]!).toBeGreaterThanOrEqual(calibrated[order[i - 1]!]! - 1e-12);
    });
  });

  it.each<[CalibrationMethod, number[], number[]]>([
    ["platt", [0, 1, 0, 1], [0, 1, 0, 1]],
    ["temperature", [0, 1, 0, 1], [0, 1, 0, 1]],
    ["temperature", [0.5, 0.5], [0, 1]],
    ["isotonic", [0.5, 0.5], [0, 1]],
    ["platt", [0.9, 0.8], [1, 1]],
  ])("by %s stays finite at %j", (method, probabilities, targets) => {
    const fitted = fitCalibration(method, probabilities, targets);
    expect(readDecision(JSON.parse(JSON.stringify({ calibration: fitted, threshold: 0.5 }))).calibration).toEqual(
      fitted,
    );
    for (const value of calibrate(fitted, [0, 0.2, 0.5, 1])) expect(value >= 0 && value <= 1).toBe(true);
  });
});

describe("a threshold", () => {
  it("is 0.5 where nothing is gained by another, and follows rare classes", () => {
    expect(chooseThreshold([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])).toBe(0.5);
    const rare = Array.from({ length: 1000 }, (_, i) => Number(i % 10 === 0));
    const told = rare.map((label, i) => (label === 1 ? 0.3 + (i % 7) / 100 : 0.02 + (i % 13) / 100));
    const threshold = chooseThreshold(told, rare);
    expect(threshold).toBeGreaterThan(0.14);
    expect(threshold).toBeLessThan(0.3);
    expect(chooseDecision("none", classes.probabilities, classes.labels, 4).threshold).toBe(0.5);
    expect(() => readDecision({ calibration: { method: "platt" }, threshold: 2 })).toThrow("this is no decision");
  });
});
