import { describe, expect, it } from "vitest";
import { Random } from "../random.js";
import { Ensemble, OwnStudy, rankWeights } from "./ensemble.js";
import { GaussianProcess, type KernelParameters, type Points } from "./gaussian-process.js";

const random = new Random(1, "test");
const pointsOf = (count: number, categorical: readonly boolean[]): Points => ({
  data: Float64Array.from({ length: count * categorical.length }, (_, i) =>
    categorical[i % categorical.length] === true ? random.below(2) : random.uniform(),
  ),
  count,
  categorical,
});
const parameters = (d: number): KernelParameters => ({
  inverseSquared: new Float64Array(d).fill(3),
  scale: 1.2,
  noise: 0.03,
});

describe("leaving one out", () => {
  it("is what a process without the point expects there, with noise", () => {
    const points = pointsOf(7, [false, false]);
    const y = Float64Array.from({ length: 7 }, () => random.normal());
    const { leaveOneOut } = new GaussianProcess(points, y, parameters(2));
    for (let i = 0; i < 7; i++) {
      const keep = [...y.keys()].filter((k) => k !== i);
      const data = Float64Array.from(keep.flatMap((k) => [points.data[2 * k] ?? 0, points.data[2 * k + 1] ?? 0]));
      const without = new GaussianProcess(
        { ...points, data, count: 6 },
        y.filter((_, k) => k !== i),
        parameters(2),
      );
      const { mean, variance } = without.posterior(points.data.subarray(2 * i, 2 * i + 2));
      expect(leaveOneOut[i]?.mean).toBeCloseTo(mean, 10);
      expect(leaveOneOut[i]?.variance).toBeCloseTo(variance + 0.03, 10);
    }
  });
});

describe("an ensemble", () => {
  const y = Float64Array.from({ length: 6 }, () => random.normal());
  const joint = new OwnStudy(new GaussianProcess(pointsOf(6, [false, false, true]), y, parameters(3)));
  const alone = new GaussianProcess(pointsOf(6, [false, false]), y, parameters(2));
  const both = new Ensemble([
    { process: joint, weight: 0.4 },
    { process: alone, weight: 0.6 },
  ]);
  it("has the weighted mean and variance", () => {
    const x = Float64Array.of(0.3, 0.8);
    const [a, b, sum] = [joint.posterior(x), alone.posterior(x), both.posterior(x)];
    expect(sum.mean).toBeCloseTo(0.4 * a.mean + 0.6 * b.mean, 12);
    expect(sum.variance).toBeCloseTo(0.16 * a.variance + 0.36 * b.variance, 12);
    expect(both.parameters).toBe(alone.parameters);
  });
  it("has the slopes of both", () => {
    const x = Float64Array.of(0.3, 0.8);
    const [byMean, byVariance] = [new Float64Array(2), new Float64Array(2)];
    both.gradients(x, byMean, byVariance);
    for (const k of [0, 1]) {
      const moved = (by: number) => both.posterior(x.map((at, i) => at + (i === k ? by : 0)));
      const [up, down] = [moved(1e-5), moved(-1e-5)];
      expect(byMean[k]).toBeCloseTo((up.mean - down.mean) / 2e-5, 6);
      expect(byVariance[k]).toBeCloseTo((up.variance - down.variance) / 2e-5, 6);
    }
  });
  it("counts a member that ranks well, not one that ranks badly, and none where the own one is as good", () => {
    const values = Float64Array.from({ length: 8 }, (_, i) => i);
    const sure = (of: (i: number) => number) => Array.from(values, (_, i) => ({ mean: of(i), variance: 1e-6 }));
    const vague = Array.from(values, () => ({ mean: 3.5, variance: 4 }));
    const [right, wrong] = [sure((i) => i + 0.1), sure((i) => -i)];
    expect(rankWeights([right, wrong, vague], values, new Random(1, "a"))).toEqual([1, 0, 0]);
    expect(rankWeights([wrong, right], values, new Random(1, "a"))).toEqual([0, 1]);
    expect(rankWeights([right, right], values, new Random(1, "a"))).toEqual([0, 1]);
  });
});
