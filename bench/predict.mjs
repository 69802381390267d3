// @ts-check
/** `npm run bench:predict`: sequences a second through the chapter's model, and how long a single one takes. */
import { availableParallelism } from "node:os";
import { performance } from "node:perf_hooks";
import { Tensor } from "torte";
import { dataOf, models, workloads } from "./workloads.mjs";

const workload = workloads.find(({ name }) => name === "chapter, batch 1024");
if (workload === undefined) throw new Error("no workload");
const { x } = dataOf({ ...workload, steps: 16 });
const sequences = new Tensor(x, [x.length / 200, 200], "int32");
const [rows = 0] = sequences.shape;
console.log(`Node ${process.version}, ${rows} sequences of 200 tokens`);
console.log("threads  batch size  sequences/s   one at a time: median ms, 90 %");
for (const threads of [...new Set([1, availableParallelism()])]) {
  const model = /** @type {any} */ (models["chapter"])({ threads });
  const one = sequences.rows(0, 1);
  /** @type {number[]} */
  const single = [];
  for (let i = -100; i < 500; i++) {
    const start = performance.now();
    await model.predict(one);
    if (i >= 0) single.push(performance.now() - start);
  }
  single.sort((a, b) => a - b);
  for (const batchSize of [256, 1024]) {
    /** @type {number[]} */
    const times = [];
    for (let i = -3; i < 15; i++) {
      const start = performance.now();
      await model.predict(sequences, { batchSize });
      if (i >= 0) times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    const cells = [
      String(threads).padStart(7),
      String(batchSize).padStart(12),
      Math.round((1000 * rows) / (times[Math.floor(times.length / 2)] ?? NaN))
        .toLocaleString("en-US")
        .padStart(13),
      (single[250] ?? NaN).toFixed(3).padStart(32),
      (single[450] ?? NaN).toFixed(3).padStart(6),
    ];
    console.log(cells.join(""));
  }
  await model.close();
}
