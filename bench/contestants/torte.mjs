// Torte: for each line with a number, as many steps over the first batches of the job's data, answered in JSON.
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { adam, Dataset, Tensor } from "torte";
import { models } from "../workloads.mjs";
import { readJob } from "./job.mjs";

const { model: name, batch, rows, shape, classes, x, y, weights } = readJob(process.argv[2]);
const [threads, precision] = [Number(process.argv[3]), process.argv[4]];
const model = models[name]({ threads, precision });
const optimizer = adam({ learningRate: 1e-3, epsilon: 1e-12 });
model.compile({ optimizer, loss: classes === 1 ? "binaryCrossentropy" : "sparseCategoricalCrossentropy" });
const tensors = Object.entries(weights).map(([key, w]) => [key, new Tensor(w.data, w.shape, "float32")]);
await model.setWeights(Object.fromEntries(tensors));
const data = Dataset.fromTensors({
  x: new Tensor(x, [rows, ...shape], classes === 1 ? "int32" : "float32"),
  y: new Tensor(y, [rows, 1], "float32"),
});
console.log(JSON.stringify({ name: precision === "fast" ? "Torte" : "Torte, reproducible" }));
/** The first batches, made once: data that stays the same stays in the engine. */
const parts = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const steps = Number(line);
  if (!parts.has(steps)) parts.set(steps, data.take(steps * batch).batch(batch));
  const start = performance.now();
  const { epochs } = await model.fit(parts.get(steps));
  const ms = (performance.now() - start) / steps;
  console.log(JSON.stringify({ ms, loss: epochs[0].loss, peakMB: process.resourceUsage().maxRSS / 1024 }));
}
