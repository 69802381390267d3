/** Cross-validation beside models that are trained by hand, fold by fold. */
import { crossValidate, dense, input, kFold, sequential, tensor } from "torte";
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
