// What the page and Node both run: a hundred steps of the chapter's model, and all weights at the end.
import { adam, conv1d, dense, embedding, flatten, input, maxPooling1d, sequential, Tensor } from "torte";

export async function train(options) {
  const model = sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16, maskZero: true }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
    { seed: 5, ...options },
  );
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
  const rows = 1600;
  const token = (i) =>
    i % 200 > 150 + (Math.floor(i / 200) % 40) ? 0 : 1 + ((Math.imul(i + 1, 2654435761) >>> 9) % 20);
  const x = new Tensor(
    Int32Array.from({ length: rows * 200 }, (_, i) => token(i)),
    [rows, 200],
    "int32",
  );
  const y = new Tensor(
    Float32Array.from({ length: rows }, (_, i) => (Math.imul(i + 7, 40503) >>> 9) & 1),
    [rows, 1],
    "float32",
  );
  const start = performance.now();
  const { epochs } = await model.fit({ x, y }, { epochs: 1, batchSize: 16 });
  const seconds = (performance.now() - start) / 1000;
  const weights = Object.entries(await model.getWeights());
  return {
    loss: epochs[0].loss,
    seconds,
    weights: weights.map(([name, { data }]) => [name, [...new Int32Array(data.buffer)]]),
  };
}
