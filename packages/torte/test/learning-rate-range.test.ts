/** The range of learning rates that a model learns with. */
import { describe, expect, it } from "vitest";
import {
  adam,
  dense,
  dropout,
  input,
  learningRateRange,
  type Model,
  type ModelOptions,
  OptionError,
  sequential,
  Tensor,
} from "torte";

const floats = (shape: readonly number[], from: number): Tensor =>
  new Tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + from)),
    shape,
    "float32",
  );
const data = { x: floats([64, 2], 0), y: floats([64, 1], 1) };

const learner = (options: ModelOptions, optimizer: "sgd" | ReturnType<typeof adam>): Model => {
  const model = sequential(
    input({ shape: [2] }),
    dense({ units: 8, activation: "tanh" }),
    dropout({ rate: 0.2 }),
    dense({ units: 1 }),
    { seed: 3, ...options },
  );
  model.compile({ optimizer, loss: "meanSquaredError" });
  return model;
};

const bits = async (model: Model): Promise<unknown> =>
  Object.values(await model.getWeights()).map(({ data: values }) => [...values]);

describe.each([{ threads: 2 }, { backend: "reference" }] as const)("learningRateRange, %j", (options) => {
  it("tries rates that grow by one factor, and suggests one where the loss falls", async () => {
    const range = await learningRateRange(learner(options, "sgd"), data, { from: 1e-5, to: 100, steps: 60 });
    expect(range.rates[0]).toBeCloseTo(1e-5, 12);
    const factors = range.rates.slice(1).map((rate, i) => rate / (range.rates[i] ?? NaN));
    for (const factor of factors) expect(factor).toBeCloseTo(1e7 ** (1 / 59), 6);
    expect(range.losses.length).toBe(range.rates.length);
    expect(range.rates.length).toBeLessThan(60); // it diverges before the end
    expect(range.suggestion).toBeCloseTo(range.lowest / 10, 12);
    expect(range.suggestion).toBeGreaterThan(1e-4);
    expect(range.suggestion).toBeLessThan(1);
    expect(String(range)).toContain("A rate to begin with");
  });

  it("leaves weights, optimizer, orders and random numbers as they were", async () => {
    const [tried, other] = [learner(options, adam({ useEma: true })), learner(options, adam({ useEma: true }))];
    for (const model of [tried, other]) await model.fit(data, { epochs: 2 });
    await learningRateRange(tried, data, { steps: 20 });
    expect(await bits(tried)).toEqual(await bits(other));
    for (const model of [tried, other]) await model.fit(data, { epochs: 2 });
    expect(await bits(tried)).toEqual(await bits(other));
  });

  it("refuses a model that is not compiled, and options out of range", async () => {
    const model = sequential(input({ shape: [2] }), dense({ units: 1 }), options);
    await expect(learningRateRange(model, data)).rejects.toThrow("learningRateRange: the model is not compiled");
    await expect(learningRateRange(learner(options, "sgd"), data, { from: 1, to: 0.1 })).rejects.toThrow(OptionError);
  });
});
