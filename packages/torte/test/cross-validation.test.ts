/** Cross-validation beside models that are trained by hand, fold by fold. */
import { readFileSync } from "node:fs";
import { adam, crossValidate, dense, type Fold, input, kFold, l2, sequential, tensor } from "torte";
import { describe, expect, it } from "vitest";

const x = tensor(
  Float32Array.from({ length: 60 }, (_, i) => Math.sin(i)),
  { shape: [30, 2] },
);
const y = tensor(Float32Array.from({ length: 30 }, (_, i) => Number(i % 3 === 0)));
const make = () => {
  const model = sequential(input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" }));
  model.compile({ optimizer: "adam", loss: "binaryCrossentropy", metrics: ["accuracy"] });
  return model;
};

interface Known {
  readonly x: number[][];
  readonly y: number[];
  readonly ways: Readonly<
    Record<
      string,
      {
        readonly folds: readonly Fold[];
        readonly figures: Readonly<Record<string, readonly number[]>>;
        readonly mean: Readonly<Record<string, number>>;
        readonly deviation: Readonly<Record<string, number>>;
      }
    >
  >;
}

describe("crossValidate", () => {
  it("gives the figures of each fold, their mean and spread", async () => {
    const folds = kFold({ rows: 30, folds: 3, seed: 2 });
    const found = await crossValidate(make, { x, y }, { folds: 3, seed: 2, epochs: 2, verbose: 0 });
    const byHand = [];
    for (const { train, test } of folds) {
      const model = make();
      await model.fit({ x: x.take(train), y: y.take(train) }, { epochs: 2, verbose: 0 });
      byHand.push(await model.evaluate({ x: x.take(test), y: y.take(test) }));
    }
    expect(found.folds).toEqual(byHand);
    const losses = byHand.map(({ loss }) => loss!);
    const mean = losses.reduce((a, b) => a + b, 0) / 3;
    expect(found.mean["loss"]).toBeCloseTo(mean, 12);
    expect(found.deviation["loss"]).toBeCloseTo(Math.sqrt(losses.reduce((a, b) => a + (b - mean) ** 2, 0) / 2), 12);
    expect(await crossValidate(make, { x, y }, { folds, epochs: 2, verbose: 0 })).toEqual(found);
  });

  it("gives scikit-learn's figures, folds as its own have them", { timeout: 60_000 }, async () => {
    /** Made by fixtures/cross_validation.py. */
    const known = JSON.parse(readFileSync(new URL("fixtures/cross_validation.json", import.meta.url), "utf8")) as Known;
    const data = { x: tensor(known.x), y: tensor(known.y) };
    for (const { folds, figures, mean, deviation } of Object.values(known.ways)) {
      const rows = folds[0]?.train.length ?? 1;
      // scikit-learn minimizes Σ loss + Σw²/2.
      const kernelRegularizer = l2(1 / (2 * rows));
      const regression = () => {
        const logistic = dense({ units: 1, activation: "sigmoid", kernelRegularizer });
        const model = sequential(input({ shape: [3] }), logistic, { seed: 1, threads: 1 });
        model.compile({
          optimizer: adam({ learningRate: 0.1 }),
          loss: "binaryCrossentropy",
          metrics: ["accuracy", "auroc", "binaryCrossentropy"],
        });
        return model;
      };
      const options = { folds, epochs: 150, batchSize: rows, shuffle: false, verbose: 0 } as const;
      const found = await crossValidate(regression, data, options);
      for (const [name, values] of Object.entries(figures)) {
        found.folds.forEach((fold, i) => {
          expect(fold[name], `${name} of fold ${i}`).toBeCloseTo(values[i] ?? NaN, 3);
        });
        expect(found.mean[name]).toBeCloseTo(mean[name] ?? NaN, 3);
        expect(found.deviation[name]).toBeCloseTo(deviation[name] ?? NaN, 3);
      }
    }
    const positives = (of: readonly Fold[]): number[] =>
      of.map(({ test }) => test.filter((row) => known.y[row] === 1).length).sort((a, b) => a - b);
    const sizes = (of: readonly Fold[]): number[] => of.map(({ test }) => test.length).sort((a, b) => a - b);
    const { stratified, "k-fold": plain, "stratified, twice": twice } = known.ways;
    const labels = known.y;
    expect(sizes(kFold({ rows: 60, folds: 5 }))).toEqual(sizes(plain!.folds));
    expect(positives(kFold({ labels, folds: 4 }))).toEqual(positives(stratified!.folds));
    expect(positives(kFold({ labels, folds: 3, repeats: 2 }))).toEqual(positives(twice!.folds));
  });

  it("stratifies, and refuses what is no way to make a model", async () => {
    const { folds } = await crossValidate(make, { x, y }, { folds: 5, stratify: true, epochs: 1, verbose: 0 });
    expect(folds).toHaveLength(5);
    await expect(crossValidate(make() as never, { x, y })).rejects.toThrow("there is no way to make a model");
    await expect(crossValidate(() => sequential(input({ shape: [2] }), dense({ units: 1 })), { x, y })).rejects.toThrow(
      "the model is not compiled",
    );
    await expect(crossValidate(make, { x, y }, { folds: [] })).rejects.toThrow("there are no folds");
    await expect(crossValidate(make, { x, y }, { folds: 31 })).rejects.toThrow("folds is out of range");
  });
});
