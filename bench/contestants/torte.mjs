// Torte: for each line with a number, as many steps of training or prediction over the first batches of the job's data,
// answered in JSON.
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { adam, Dataset, Tensor } from "torte";
import { models } from "../workloads.mjs";
import { readJob } from "./job.mjs";

const { mode, model: name, batch, rows, shape, classes, tokens, x, y, weights } = readJob(process.argv[2]);
const [threads, precision, backend] = [Number(process.argv[3]), process.argv[4], process.argv[5]];
const model = models[name]({ threads, precision, backend });
const optimizer = adam({ learningRate: 1e-3, epsilon: 1e-12 });
model.compile({ optimizer, loss: classes === 1 ? "binaryCrossentropy" : "sparseCategoricalCrossentropy" });
const tensors = Object.entries(weights).map(([key, w]) => [key, new Tensor(w.data, w.shape, "float32")]);
await model.setWeights(Object.fromEntries(tensors));
const inputs = new Tensor(x, [rows, ...shape], tokens === undefined ? "float32" : "int32");
const data = Dataset.fromTensors({ x: inputs, y: new Tensor(y, [rows, 1], "float32") });

const modes = {
  train: {
    prepare: (steps) => data.take(steps * batch).batch(batch),
    run: (batches) => model.fit(batches),
    figures: ({ epochs }) => ({ loss: epochs[0].loss }),
  },
  predict: {
    // All batches in one call, as a user would; but single rows one at a time.
    prepare: (steps) =>
      batch > 1
        ? [inputs.rows(0, steps * batch)]
        : Array.from({ length: steps }, (_, row) => inputs.rows(row, row + 1)),
    run: async (calls) => {
      const outputs = [];
      for (const call of calls) outputs.push(await model.predict(call, { batchSize: batch }));
      return outputs;
    },
    figures: (outputs) => ({ outputs: outputs.flatMap((output) => [...output.data]) }),
  },
};
const { prepare, run, figures } = modes[mode];

const native = backend === "native" ? " native" : "";
console.log(JSON.stringify({ name: `Torte${native}${precision === "fast" ? "" : ", reproducible"}` }));
/** What a number of steps works on, made once: data that stays the same stays in the engine. */
const parts = new Map();
for await (const line of createInterface({ input: process.stdin })) {
  const steps = Number(line);
  if (!parts.has(steps)) parts.set(steps, prepare(steps));
  const start = performance.now();
  const result = await run(parts.get(steps));
  const ms = (performance.now() - start) / steps;
  console.log(JSON.stringify({ ms, ...figures(result), peakMB: process.resourceUsage().maxRSS / 1024 }));
}
