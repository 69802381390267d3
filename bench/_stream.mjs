import { adam, tensor } from "torte";
import { dataOf, models, trainings } from "./workloads.mjs";
const workload = trainings.find(({ name }) => name === "chapter, batch 128");
const { batch, steps, shape } = workload;
const data = dataOf(workload);
const rows = batch * steps;
const x = tensor(data.x, { shape: [rows, ...shape] }),
  y = tensor(data.y, { shape: [rows, 1] });
async function* batches() {
  for (let f = 0; f < rows; f += batch) {
    await Promise.resolve();
    yield { x: x.rows(f, f + batch), y: y.rows(f, f + batch) };
  }
}
const m = models.chapter({ threads: Number(process.argv[3] ?? 1) });
m.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
console.log("steps", steps, x.dtype);
const run = () =>
  process.argv[2] === "s"
    ? m.fit(batches, { epochs: 20, verbose: 0 })
    : m.fit({ x, y }, { epochs: 20, batchSize: batch, shuffle: false, verbose: 0 });
await run();
const t = performance.now();
await run();
console.log(process.argv[2], (performance.now() - t) / 20 / steps);
await m.close();
