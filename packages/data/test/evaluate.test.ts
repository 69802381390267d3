/** Figures, calibrations and thresholds beside scikit-learn's. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import {
  calibrate,
  type CalibrationMethod,
  chooseDecision,
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
  numbers: { targets: number[]; told: number[] } & Record<string, number>;
};
const { p, y, classes, numbers } = known;

const TOLD: readonly Told[] = [
  { kind: "binary", targets: y, predictions: p, threshold: 0.4 },
  { kind: "multiClass", targets: classes.labels, predictions: classes.probabilities, classes: 4 },
  { kind: "regression", targets: numbers.targets, predictions: numbers.told },
];

describe("figures", () => {
  it.each(TOLD)("of $kind targets are scikit-learn's, within their intervals", (told) => {
    const reference = { binary: known.binary, multiClass: classes, regression: numbers }[told.kind];
    const figures = figuresOf(told, { samples: 200 });
    for (const { name, value, low, high } of figures) {
      if (name !== "expectedCalibrationError") expect(Math.abs(value - (reference[name] as number))).toBeLessThan(1e-9);
      expect(low).toBeLessThan(high);
      if (name !== "expectedCalibrationError") expect(low < value && value < high).toBe(true);
    }
    expect(figuresOf(told, { samples: 200 })).toEqual(figures);
  });

  it("have intervals as wide as the figure's standard error says", () => {
    const [accuracy] = figuresOf(TOLD[0]!, { samples: 2000 });
    const error = Math.sqrt((accuracy!.value * (1 - accuracy!.value)) / p.length);
    expect((accuracy!.high - accuracy!.low) / (2 * 1.96 * error)).toBeCloseTo(1, 1);
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
