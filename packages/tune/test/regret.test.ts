import { describe, expect, it } from "vitest";
import { FUNCTIONS, median, regrets } from "../src/testing/functions.js";

/** The bars of scripts/tune/regret.ts, on fewer seeds and trials. */
const ends = (name: string, searcher: "gp" | "tpe" | "auto" | "random", seeds: number, trials: number): number[] => {
  const f = FUNCTIONS.find((one) => one.name === name);
  return Array.from({ length: seeds }, (_, seed) =>
    f === undefined ? NaN : (regrets(f, searcher, trials, seed).at(-1) ?? NaN),
  );
};
const better = (a: readonly number[], b: readonly number[]): number => a.filter((end, i) => end < (b[i] ?? 0)).length;

describe("regrets after some trials", () => {
  it("of a Gaussian process", () => {
    const branin = ends("Branin", "gp", 5, 40);
    expect(median(branin)).toBeLessThanOrEqual(0.02);
    expect(better(branin, ends("Branin", "random", 5, 40))).toBe(5);
    expect(median(ends("Hartmann6", "gp", 3, 60))).toBeLessThanOrEqual(0.2);
    // Differences of many orders of magnitude, and categories beside whole numbers.
    expect(median(ends("Rosenbrock4", "gp", 3, 50))).toBeLessThan(120);
    expect(median(ends("mixed", "auto", 3, 50))).toBeLessThan(0.01);
  });

  it("of a Parzen estimator", () => {
    const [own, random] = [ends("Branin", "tpe", 20, 100), ends("Branin", "random", 20, 100)];
    expect(median(own)).toBeLessThanOrEqual(0.15);
    expect(better(own, random)).toBeGreaterThanOrEqual(15);
    expect(median(ends("Hartmann6", "tpe", 9, 100))).toBeLessThanOrEqual(0.9);
    // One of two branches is worse: of few seeds the median is one of either.
    expect(median(ends("conditional", "auto", 40, 50))).toBeLessThan(0.07);
  });

  it("of a Parzen estimator beside Optuna's, of 40 seeds (scripts/tune/results/optuna.json)", () => {
    const ratio = (name: string, theirs: number): number => Math.log(median(ends(name, "tpe", 11, 50)) / theirs);
    const logs = [ratio("Branin", 0.141), ratio("Hartmann6", 0.365), ratio("mixed", 0.0746)];
    // Medians of few seeds scatter: together they are lower.
    expect(Math.exp(logs.reduce((sum, log) => sum + log, 0) / 3)).toBeLessThan(0.9);
  });
});
