import { adam, cosineDecay, tensor } from "torte";
import { dataOf, models, trainings } from "./workloads.mjs";
const kind = process.argv[2],
  batch = Number(process.argv[3] ?? 128),
  threads = Number(process.argv[4] ?? 1);
const workload = { ...trainings[0], batch, steps: Math.max(56, Math.floor(16384 / batch)) };
const made = dataOf(workload);
const rows = made.y.length;
const data = { x: tensor(made.x, { shape: [rows, ...workload.shape] }), y: tensor(made.y, { shape: [rows] }) };
const m = models.chapter({ threads });
const o = {
  ...(kind.includes("s") ? { learningRate: cosineDecay({ initialLearningRate: 1e-3, decaySteps: 1e6 }) } : {}),
  ...(kind.includes("c") ? { globalClipnorm: 1 } : {}),
  ...(kind.includes("e") ? { useEma: true } : {}),
};
m.compile({
  optimizer: adam(o),
  loss: "binaryCrossentropy",
  ...(kind.includes("m") ? { metrics: ["accuracy", "precision", "recall", "f1Score", "mcc"] } : {}),
});
await m.fit(data, { batchSize: batch, shuffle: false, verbose: 0, epochs: 3 });
await m.close();
