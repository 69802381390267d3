import { afterEach, expect, it, vi } from "vitest";
import {
  adam,
  batchNormalization,
  conv1d,
  dense,
  dropout,
  embedding,
  flatten,
  input,
  maxPooling1d,
  sequential,
  Tensor,
} from "torte";

/** Weights and predictions after training a small network on made-up sequences. */
async function trained(threads: number): Promise<Record<string, Tensor>> {
  const model = sequential(
    input({ shape: [60], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16, maskZero: true }),
    conv1d({ filters: 24, kernelSize: 5, activation: "relu" }),
    batchNormalization(),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 32, kernelSize: 5, padding: "same" }),
    conv1d({ filters: 20, kernelSize: 3, activation: "gelu" }),
    flatten(),
    dense({ units: 70, activation: "relu" }),
    dropout({ rate: 0.3 }),
    dense({ units: 1, activation: "sigmoid" }),
    { threads, seed: 3 },
  );
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
  const rows = 200;
  const x = new Tensor(
    Int32Array.from({ length: rows * 60 }, (_, i) => (i % 60 > 50 ? 0 : 1 + ((i * 7919) % 20))),
    [rows, 60],
    "int32",
  );
  const y = new Tensor(
    Float32Array.from({ length: rows }, (_, i) => i % 2),
    [rows, 1],
    "float32",
  );
  await model.fit({ x, y }, { epochs: 3, batchSize: 64 });
  const weights = await model.getWeights();
  const predictions: Record<string, Tensor> = {};
  // So few rows that one thread runs them alone, and as many as it takes for all to take part.
  for (const count of [1, 5, 30, rows]) predictions[`${count} rows`] = await model.predict(x.rows(0, count));
  await model.close();
  return { ...weights, ...predictions };
}

afterEach(() => {
  vi.unstubAllGlobals();
});

it("gives the same bits on any number of threads", async () => {
  vi.stubGlobal("navigator", { hardwareConcurrency: 8 });
  const expected = await trained(1);
  for (const threads of [2, 3, 8]) {
    const actual = await trained(threads);
    for (const [name, { data }] of Object.entries(expected))
      expect(actual[name]?.data, `${name}, ${threads} threads`).toEqual(data);
  }
});
