/** Gradients of several batches in one update: as if they were one batch. */
import { describe, expect, it } from "vitest";
import {
  adam,
  type Callback,
  dense,
  embedding,
  functional,
  globalAveragePooling1d,
  input,
  l2,
  type Model,
  type ModelOptions,
  type Optimizer,
  sequential,
  sgd,
  Tensor,
  timeDistributed,
} from "torte";

const each = ([{ threads: 2 }, { backend: "reference" }] as const).map((options: ModelOptions) => ({
  name: options.backend ?? "wasm",
  options,
}));

const floats = (shape: readonly number[], from: number): Tensor =>
  new Tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + from)),
    shape,
    "float64",
  );

/** Sequences of 1 to 5 tokens, then padding. */
const tokens = (rows: number): Tensor => {
  const data = Int32Array.from({ length: rows * 5 }, (_, i) => (i % 5 <= (i * 7) % 5 || i % 5 === 0 ? 1 + (i % 3) : 0));
  for (let row = 0; row < rows; row++) for (let i = 1 + ((row * 3) % 5); i < 5; i++) data[row * 5 + i] = 0;
  return new Tensor(data, [rows, 5], "int32");
};

const ROWS = 14;

/** Models with data, of whose loss the parts have different denominators. */
const CASES = {
  "one output": (options: ModelOptions, optimizer: Optimizer) => {
    const model = sequential(
      input({ shape: [3] }),
      dense({ units: 4, activation: "tanh" }),
      dense({ units: 1 }),
      options,
    );
    model.compile({ optimizer, loss: "meanSquaredError" });
    return { model, x: [floats([ROWS, 3], 0)], y: [floats([ROWS, 1], 5)] };
  },
  "masks, weighed by their positions, and penalties": (options, optimizer) => {
    const x = input({ shape: [5], dtype: "int32" });
    const h = embedding({ inputDim: 4, outputDim: 3, maskZero: true })(x);
    const y = timeDistributed(dense({ units: 2, kernelRegularizer: l2(0.1) }))(h);
    const model = functional({ inputs: x, outputs: y, ...options });
    model.compile({ optimizer, loss: "meanSquaredError" });
    return { model, x: [tokens(ROWS)], y: [floats([ROWS, 5, 2], 3)] };
  },
  "outputs with and without masks": (options, optimizer) => {
    const x = input({ shape: [5], dtype: "int32" });
    const h = embedding({ inputDim: 4, outputDim: 3, maskZero: true })(x);
    const each = timeDistributed(dense({ units: 2 }), { name: "each" })(h);
    const whole = dense({ units: 1, name: "whole" })(globalAveragePooling1d()(h));
    const model = functional({ inputs: x, outputs: [each, whole], ...options });
    model.compile({ optimizer, loss: "meanSquaredError", lossWeights: [0.3, 2] });
    return { model: model as unknown as Model, x: [tokens(ROWS)], y: [floats([ROWS, 5, 2], 3), floats([ROWS, 1], 1)] };
  },
} satisfies Record<string, (options: ModelOptions, optimizer: Optimizer) => unknown>;

describe.each(each)("accumulated gradients, $name", ({ options }) => {
  it.each(Object.entries(CASES))("are those of one batch: %s", async (_, build) => {
    const weights = await Promise.all(
      [1, 3].map(async (gradientAccumulationSteps) => {
        const optimizer = sgd({ learningRate: 0.1, momentum: 0.5, globalClipnorm: 0.5, gradientAccumulationSteps });
        const made = build({ ...options, seed: 1 }, optimizer);
        // Windows of 12 and of 2 rows: the last one is short, and is applied at the epoch's end.
        const batchSize = 12 / gradientAccumulationSteps;
        await made.model.fit({ x: made.x, y: made.y }, { epochs: 3, batchSize, shuffle: false });
        return Object.values(await made.model.getWeights()).flatMap(({ data }) => [...data]);
      }),
    );
    weights[0]?.forEach((weight, i) => expect(weights[1]?.[i]).toBeCloseTo(weight, 5));
  });

  it("count as one update for schedules and averages", async () => {
    const rates: number[] = [];
    const model = sequential(input({ shape: [3] }), dense({ units: 1 }), options);
    const learningRate = (step: number): number => 1 / (1 + step);
    model.compile({ optimizer: adam({ learningRate, gradientAccumulationSteps: 2 }), loss: "meanSquaredError" });
    const look: Callback = { onEpochEnd: (_, __, control) => void rates.push(control.learningRate) };
    const data = { x: floats([5, 3], 0), y: floats([5, 1], 1) };
    await model.fit(data, { epochs: 2, batchSize: 1, callbacks: [look] });
    // Windows of 2, 2 and 1 batches: three updates in each epoch.
    expect(rates).toEqual([1 / 4, 1 / 7]);
  });
});

describe.each(each)("a batch in which nothing counts, $name", ({ options }) => {
  it("changes no weight and no moment, and is no update", async () => {
    const run = async (rows: readonly number[]): Promise<{ weights: number[]; rate: number }> => {
      const x = input({ shape: [2], dtype: "int32" });
      const h = embedding({ inputDim: 3, outputDim: 2, maskZero: true })(x);
      const model = functional({ inputs: x, outputs: timeDistributed(dense({ units: 1 }))(h), ...options, seed: 4 });
      const learningRate = (step: number): number => 0.1 / (1 + step);
      model.compile({ optimizer: adam({ learningRate, weightDecay: 0.1 }), loss: "meanSquaredError" });
      let rate = NaN;
      const look: Callback = { onEpochEnd: (_, __, control) => void (rate = control.learningRate) };
      const data = {
        x: new Tensor(Int32Array.from(rows), [rows.length / 2, 2], "int32"),
        y: floats([rows.length / 2, 2, 1], 1),
      };
      await model.fit(
        { x: data.x, y: floats([rows.length / 2, 2, 1], 1) },
        { batchSize: 1, shuffle: false, callbacks: [look] },
      );
      return { weights: Object.values(await model.getWeights()).flatMap(({ data: d }) => [...d]), rate };
    };
    const without = await run([1, 2, 2, 0]);
    const withEmpty = await run([1, 2, 2, 0, 0, 0, 0, 0]);
    expect(withEmpty).toEqual(without);
  });
});
