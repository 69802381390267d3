/**
 * What a checkpoint costs the training of the chapter's model, and whether 200 epochs with checkpoints hold memory flat:
 * `npm run build && node bench/checkpoints.mjs`.
 */
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adam, earlyStopping, tensor } from "torte";
import { Checkpoints } from "../packages/torte/dist/train/checkpoint/checkpoints.js";
import { chapter } from "./workloads.mjs";

/** Milliseconds for which training waits for a checkpoint: what is written goes on meanwhile. */
const held = [];
const { take } = Checkpoints.prototype;
Checkpoints.prototype.take = async function (describe) {
  const started = performance.now();
  await take.call(this, describe);
  held.push(performance.now() - started);
};

const ROWS = 6400;
const x = tensor(
  Int32Array.from({ length: ROWS * 200 }, (_, i) => 1 + ((i * 7919) % 20)),
  { shape: [ROWS, 200] },
);
const y = tensor(Float32Array.from({ length: ROWS }, (_, i) => i % 2));

function compiled() {
  const model = chapter({ maskZero: true });
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
  return model;
}

/** Milliseconds of two epochs, with a checkpoint after every so many steps, or with none. */
async function timed(model, steps) {
  const folder = mkdtempSync(join(tmpdir(), "torte-bench-"));
  const checkpoint = steps === undefined ? {} : { checkpoint: { folder, every: { steps } } };
  let started = 0;
  let ended = 0;
  const clock = {
    onEpochBegin: (epoch) => void (started = epoch === 0 ? performance.now() : started),
    onEpochEnd: () => void (ended = performance.now()),
  };
  await model.fit({ x, y }, { epochs: 2, batchSize: 16, verbose: 0, callbacks: [clock], ...checkpoint });
  rmSync(folder, { recursive: true });
  return ended - started;
}

const model = compiled();
const EVERY = 100;
await timed(model, EVERY);
const times = { without: [], steps: [], with: [] };
for (let i = 0; i < 5; i++) {
  times.without.push(await timed(model));
  times.steps.push(await timed(model, 1e9)); // what is done besides
  times.with.push(await timed(model, EVERY));
}
const least = (values) => Math.min(...values);
const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const count = (2 * Math.ceil(ROWS / 16)) / EVERY - 1;
for (const [name, of] of [
  ["least", least],
  ["median", median],
]) {
  const cost = (of(times.with) - of(times.without)) / count;
  console.log(
    `${name}: ${of(times.without).toFixed(0)} ms without, ${of(times.with).toFixed(0)} ms with ${count} checkpoints, ${cost.toFixed(2)} ms each`,
  );
}
held.sort((a, b) => a - b);
console.log(
  `training waits for ${held[0].toFixed(2)} ms at least, ${median(held).toFixed(2)} ms in the median of ${held.length}`,
);
await model.close();

const folder = mkdtempSync(join(tmpdir(), "torte-bench-"));
const long = compiled();
const small = { x: x.rows(0, 320), y: y.rows(0, 320) };
const memory = [];
const watch = {
  onEpochEnd: (epoch) => {
    if (epoch % 20 !== 19) return;
    globalThis.gc?.();
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
    memory.push({ epoch: epoch + 1, rss, heapUsed, arrayBuffers });
  },
};
await long.fit(small, {
  epochs: 200,
  batchSize: 16,
  verbose: 0,
  callbacks: [watch, earlyStopping({ monitor: "loss", patience: 200 })],
  checkpoint: { folder, keep: 2 },
});
const mb = (bytes) => (bytes / 2 ** 20).toFixed(1);
for (const { epoch, rss, heapUsed, arrayBuffers } of memory)
  console.log(`epoch ${epoch}: ${mb(rss)} MB in all, ${mb(heapUsed)} heap, ${mb(arrayBuffers)} arrays`);
const files = readdirSync(folder);
console.log(`${files.length} files, ${mb(files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0))} MB`);
await long.close();
