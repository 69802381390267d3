// TensorFlow.js, backend cpu, the chapter's model: for each line with a number, as many steps over the first batches of the
// job's data, answered in JSON.
import { createInterface } from "node:readline";
import * as tf from "@tensorflow/tfjs";
import { readJob } from "./job.mjs";

const { batch, x, y, weights } = readJob(process.argv[2]);
await tf.setBackend("cpu");
const { layers } = tf;
const model = tf.sequential({
  layers: [
    layers.embedding({ inputDim: 21, outputDim: 16, inputLength: 200, name: "embedding" }),
    layers.conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    layers.maxPooling1d({ poolSize: 4 }),
    layers.conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    layers.maxPooling1d({ poolSize: 2 }),
    layers.conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    layers.maxPooling1d({ poolSize: 2 }),
    layers.flatten(),
    layers.dense({ units: 256, activation: "relu" }),
    layers.dense({ units: 64, activation: "relu" }),
    layers.dense({ units: 1, activation: "sigmoid" }),
  ],
});
model.compile({ optimizer: tf.train.adam(1e-3, 0.9, 0.999, 1e-12), loss: "binaryCrossentropy" });
model.setWeights(Object.values(weights).map(({ data, shape }) => tf.tensor(data, shape)));
console.log(JSON.stringify({ name: `TensorFlow.js ${tf.version.tfjs} cpu` }));
for await (const line of createInterface({ input: process.stdin })) {
  const steps = Number(line);
  let total = 0;
  const start = performance.now();
  for (let i = 0; i < steps; i++) {
    const xs = tf.tensor2d(x.slice(i * batch * 200, (i + 1) * batch * 200), [batch, 200]);
    const ys = tf.tensor2d(y.slice(i * batch, (i + 1) * batch), [batch, 1]);
    total += await model.trainOnBatch(xs, ys);
    tf.dispose([xs, ys]);
  }
  console.log(JSON.stringify({ ms: (performance.now() - start) / steps, loss: total / steps }));
}
