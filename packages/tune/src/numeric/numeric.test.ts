import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { importanceOf } from "../study/importance.js";
import type { Assignment, Parameter } from "../space/parameter.js";
import { fanova } from "./fanova.js";
import { fitKernel, GaussianProcess, logLikelihood, type Points } from "./gaussian-process.js";
import { logImprovement, logImprovementSlope } from "./log-expected-improvement.js";
import { minimize } from "./minimize.js";
import { cumulative, erfc, erfcx, logCumulative, logMass, quantile } from "./normal.js";
import { dominates, fronts, hypervolume, paretoFront, rankByObjectives } from "./pareto.js";
import { powerTransform, transformed } from "./power-transform.js";
import { SobolSequence } from "./sobol.js";

interface Reference {
  normal: { x: number[]; erfc: number[]; erfcx: number[]; logNdtr: number[] };
  quantile: { p: number[]; z: number[] };
  yeoJohnson: { values: number[]; lambdas: number[]; transformed: number[][]; likelihoods: number[] };
  logImprovement: { z: number[]; value: number[] };
  gaussianProcess: {
    points: number[][];
    values: number[];
    categorical: boolean[];
    inverseSquared: number[];
    scale: number;
    noise: number;
    logLikelihood: number;
    slopes: number[];
    at: number[][];
    mean: number[];
    variance: number[];
    byMean: number[][];
    byVariance: number[][];
    fitted: { inverseSquared: number[]; scale: number; noise: number; logPosterior: number };
  };
  matern: { mean: number[]; deviation: number[]; logLikelihood: number };
  pareto: { results: number[][]; front: number[]; ranks: number[] }[];
  hypervolume: number;
  fanova: {
    trials: { values: Assignment; loss: number }[];
    importance: Record<string, number>;
  };
}
const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../test/fixtures/${name}`, import.meta.url), "utf8"));
const reference = fixture("reference.json") as Reference;

const near = (actual: number, expected: number, relative: number): void => {
  expect(Math.abs(actual - expected), `${actual} is not ${expected}`).toBeLessThanOrEqual(
    relative * Math.max(Math.abs(expected), 1e-300),
  );
};

describe("the normal distribution", () => {
  const { x, erfc: expected, erfcx: scaled, logNdtr } = reference.normal;
  it.each(x.map((at, i) => [at, i] as const))("at %d is SciPy's", (at, i) => {
    near(erfc(at), expected[i]!, 2e-14);
    near(erfcx(Math.max(at, -20)), scaled[i]!, 2e-13);
    near(logCumulative(at), logNdtr[i]!, 2e-13);
  });
  it("has SciPy's quantiles", () => {
    reference.quantile.p.forEach((p, i) => near(quantile(p) + 1e-300, reference.quantile.z[i]! + 1e-300, 1e-9));
  });
  it("has the mass of any interval as the difference of its ends, and far out where the difference is 0", () => {
    fc.assert(
      fc.property(
        fc.double({ min: -6, max: 6, noNaN: true }),
        fc.double({ min: 0.01, max: 4, noNaN: true }),
        (a, width) => {
          const exact = a > 0 ? cumulative(-a) - cumulative(-a - width) : cumulative(a + width) - cumulative(a);
          near(Math.exp(logMass(a, a + width)), exact, 1e-9);
        },
      ),
    );
    expect(logMass(40, 41)).toBeCloseTo(logMass(-41, -40), 10);
    expect(logMass(40, 41)).toBeCloseTo(logCumulative(-40), 6);
  });
});

describe("the log of the expected improvement", () => {
  it.each(reference.logImprovement.z.map((z, i) => [z, i] as const))("at %d is mpmath's", (z, i) => {
    near(logImprovement(z), reference.logImprovement.value[i]!, Math.abs(z) > 900 ? 1e-12 : 1e-10);
  });
  it("rises, and its slope is the difference of its values", () => {
    fc.assert(
      fc.property(fc.double({ min: -2000, max: 1000, noNaN: true }), (z) => {
        const step = 1e-4 * Math.max(1, Math.abs(z) / 100);
        const difference = (logImprovement(z + step) - logImprovement(z - step)) / (2 * step);
        expect(difference).toBeGreaterThan(0);
        near(logImprovementSlope(z), difference, 1e-4);
      }),
    );
    expect(logImprovement(-1e5)).toBeGreaterThan(-Infinity);
  });
});

const pointsOf = (rows: readonly (readonly number[])[], categorical: readonly boolean[]): Points => ({
  data: Float64Array.from(rows.flat()),
  count: rows.length,
  categorical,
});

describe("Gaussian processes", () => {
  const given = reference.gaussianProcess;
  const parameters = {
    inverseSquared: Float64Array.from(given.inverseSquared),
    scale: given.scale,
    noise: given.noise,
  };
  const points = pointsOf(given.points, given.categorical);
  const y = Float64Array.from(given.values);
  const squared = Float64Array.from(
    given.points.flatMap((a, i) =>
      given.points
        .slice(0, i)
        .flatMap((b) => a.map((at, k) => (given.categorical[k] === true ? Number(at !== b[k]) : (at - b[k]!) ** 2))),
    ),
  );

  it("have Optuna's likelihood and derivatives", () => {
    const slopes = new Float64Array(5);
    near(logLikelihood(squared, y, parameters, slopes), given.logLikelihood, 1e-10);
    given.slopes.forEach((slope, i) => near(slopes[i]!, slope, 1e-8));
  });

  it("have Optuna's mean and variance, and their derivatives", () => {
    const process = new GaussianProcess(points, y, parameters);
    given.at.forEach((at, i) => {
      const [byMean, byVariance] = [new Float64Array(3), new Float64Array(3)];
      const { mean, variance } = process.gradients(Float64Array.from(at), byMean, byVariance);
      near(mean, given.mean[i]!, 1e-10);
      near(variance, given.variance[i]!, 1e-9);
      for (const k of [0, 1]) {
        near(byMean[k]!, given.byMean[i]![k]!, 1e-8);
        near(byVariance[k]!, given.byVariance[i]![k]!, 1e-8);
      }
      expect(byMean[2]).toBe(0);
      expect(process.posterior(Float64Array.from(at))).toEqual({ mean, variance });
    });
  });

  it("have scikit-learn's mean and deviation", () => {
    const numeric = pointsOf(
      given.points.map((row) => row.slice(0, 2)),
      [false, false],
    );
    const process = new GaussianProcess(numeric, y, {
      inverseSquared: Float64Array.of(3, 0.7),
      scale: 1.4,
      noise: 0.02,
    });
    given.at.forEach((at, i) => {
      const { mean, variance } = process.posterior(Float64Array.from(at.slice(0, 2)));
      near(mean, reference.matern.mean[i]!, 1e-9);
      near(Math.sqrt(variance), reference.matern.deviation[i]!, 1e-8);
    });
  });

  it("are fitted to parameters that are at least as probable as Optuna's", () => {
    const found = fitKernel(points, y, 100);
    const logPrior =
      found.inverseSquared.reduce((sum, w) => sum - 0.1 / w - 0.1 * w, 0) +
      Math.log(found.scale) -
      found.scale +
      0.1 * Math.log(found.noise) -
      30 * found.noise;
    const value = logLikelihood(squared, y, found, new Float64Array(5)) + logPrior;
    expect(value).toBeGreaterThan(given.fitted.logPosterior - 2e-3);
    near(found.scale, given.fitted.scale, 0.1);
  });

  it("know one point: the mean is k·y/(s + σ²), the variance s − k²/(s + σ²)", () => {
    const [scale, noise, distance] = [1.5, 0.1, 0.3];
    const process = new GaussianProcess(pointsOf([[0.2]], [false]), Float64Array.of(2), {
      inverseSquared: Float64Array.of(4),
      scale,
      noise,
    });
    const a = Math.sqrt(5) * 2 * distance;
    const k = scale * (1 + a + (a * a) / 3) * Math.exp(-a);
    const { mean, variance } = process.posterior(Float64Array.of(0.2 + distance));
    near(mean, (k * 2) / (scale + noise), 1e-12);
    near(variance, scale - (k * k) / (scale + noise), 1e-12);
  });
});

describe("the power transform", () => {
  const given = reference.yeoJohnson;
  it("is SciPy's, and so is its likelihood", () => {
    given.lambdas.forEach((lambda, i) => {
      const { moved, likelihood } = transformed(Float64Array.from(given.values), lambda);
      moved.forEach((value, k) => expect(value).toBeCloseTo(given.transformed[i]![k]!, 12));
      near(likelihood, given.likelihoods[i]!, 1e-12);
    });
  });
  it("makes an exponential's draws symmetric, keeps the order, and leaves a constant as it is", () => {
    const values = Float64Array.from({ length: 99 }, (_, i) => -Math.log(1 - (i + 1) / 100) - 1);
    const moved = powerTransform(values);
    expect(Array.from(moved)).toEqual(Array.from(moved).sort((a, b) => a - b));
    const mean = moved.reduce((sum, value) => sum + value, 0) / 99;
    expect(Math.abs(moved[49]! - mean)).toBeLessThan(0.1);
    expect(Math.abs(values[49]!)).toBeGreaterThan(0.3);
    expect(powerTransform(new Float64Array(5))).toEqual(new Float64Array(5));
  });
});

describe("minimize", () => {
  const rosenbrock = (x: Float64Array, gradient: Float64Array): number => {
    const [a, b] = [x[0]!, x[1]!];
    gradient[0] = -400 * a * (b - a * a) - 2 * (1 - a);
    gradient[1] = 200 * (b - a * a);
    return 100 * (b - a * a) ** 2 + (1 - a) ** 2;
  };
  it("finds the bottom of a bent valley", () => {
    const { x } = minimize(rosenbrock, Float64Array.of(-1.2, 1), { lower: [-5, -5], upper: [5, 5], evaluations: 200 });
    expect(x[0]).toBeCloseTo(1, 4);
    expect(x[1]).toBeCloseTo(1, 4);
  });
  it("keeps the bounds, and finds the least value on them", () => {
    const { x } = minimize(rosenbrock, Float64Array.of(-1, -1), { lower: [-5, -5], upper: [0.5, 5], evaluations: 200 });
    expect(x[0]).toBeCloseTo(0.5, 6);
    expect(x[1]).toBeCloseTo(0.25, 4);
  });
});

describe("Sobol's sequence", () => {
  const { points, unit } = fixture("sobol.json") as { points: number[][]; unit: number };
  it("has SciPy's points in all dimensions", () => {
    const sequence = new SobolSequence(points[0]!.length);
    points.forEach((point, i) => {
      expect(Array.from(sequence.point(i))).toEqual(point.map((at) => at * unit));
    });
  });
  it("stays even when it is scrambled: one point in each interval, in any seed", () => {
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.integer({ min: 1, max: 7 }), fc.nat(3), (seed, m, block) => {
        const sequence = new SobolSequence(8, { seed });
        const taken = Array.from({ length: 2 ** m }, (_, i) => sequence.point(block * 2 ** m + i));
        for (let k = 0; k < 8; k++)
          expect(new Set(taken.map((point) => Math.floor(point[k]! * 2 ** m))).size).toBe(2 ** m);
      }),
      { numRuns: 50 },
    );
  });
  it("depends on the seed", () => {
    const first = (seed: number): number[] => Array.from(new SobolSequence(3, { seed }).point(0));
    expect(first(1)).toEqual(first(1));
    expect(first(1)).not.toEqual(first(2));
  });
});

describe("several objectives", () => {
  it("have Optuna's front, fronts and hypervolume", () => {
    for (const { results, front, ranks } of reference.pareto) {
      expect(paretoFront(results)).toEqual(front);
      expect(fronts(results)).toEqual(ranks);
    }
    near(hypervolume(reference.pareto[0]!.results as [number, number][], [1.1, 1.1]), reference.hypervolume, 1e-12);
  });
  it("are ordered by their fronts", () => {
    const { results } = reference.pareto[0]!;
    const rank = rankByObjectives(results);
    for (const [i, a] of results.entries())
      for (const [j, b] of results.entries()) if (dominates(a, b)) expect(rank[i]).toBeLessThan(rank[j]!);
  });
});

describe("importance", () => {
  it("of a function whose variances are known is theirs", () => {
    // 2x + y + a step of the category: variances 4/12, 1/12, 2/9.
    const points = Array.from({ length: 600 }, (_, i) => {
      const [x = 0, y = 0] = new SobolSequence(2).point(i);
      return [x, y, i % 3];
    });
    const values = points.map(([x = 0, y = 0, k]) => 2 * x + y + (k === 1 ? 1 : 0));
    const shares = fanova(points, values, { categories: [0, 0, 3] });
    const total = 4 / 12 + 1 / 12 + 2 / 9;
    [4 / 12, 1 / 12, 2 / 9].forEach((variance, k) => expect(shares[k]).toBeCloseTo(variance / total, 1));
  });
  it("is near Optuna's", () => {
    const parameters: Parameter[] = [
      { name: "a", kind: "float", min: 0, max: 1, log: false },
      // Optuna takes shares over the range itself, also where it was searched on a logarithmic scale.
      { name: "b", kind: "float", min: 1e-3, max: 1, log: false },
      { name: "c", kind: "int", min: 1, max: 8, step: 1, log: false },
      { name: "k", kind: "categorical", choices: ["p", "q", "r"] },
    ];
    const found = importanceOf(parameters, reference.fanova.trials);
    for (const [name, share] of Object.entries(reference.fanova.importance))
      expect(Math.abs((found[name] ?? 0) - share), name).toBeLessThan(0.05);
    expect(Object.values(found).reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 12);
  });
  it("tells neighbouring numbers apart", () => {
    // The mean of the two is 1, and none of the numbers is above it.
    const below = 1 - 2 ** -53;
    for (const [a, b] of [
      [below, 1],
      [0.5, 0.5 + 2 ** -53],
      [0, Number.MIN_VALUE],
    ] as const)
      expect(fanova([[a], [b], [a], [b]], [0, 1, 0, 1], { categories: [0] })[0]).toBeLessThanOrEqual(1 + 1e-12);
  });
  it("of a constant is nothing", () => {
    expect(fanova([[0.1], [0.5], [0.9]], [1, 1, 1], { categories: [0] })).toEqual([0]);
  });
});
