/**
 * How long training holds the caller's event loop: `npm run build && node scripts/event-loop.mjs [ROWS]`. A cold fit of the
 * chapter's model with five metrics, two of which are computed on the host, over so many rows of validation data (default
 * 50,000), with callbacks and checkpoints. On Linux what counts is the time that the thread has run for, which others on the
 * machine do not lengthen; elsewhere that of the clock.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adam, cosineDecay, earlyStopping, reduceLROnPlateau, tensor } from "torte";
import { chapter } from "../bench/workloads.mjs";

const now =
  process.platform === "linux"
    ? () => Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6
    : () => performance.now();

function data(rows) {
  const x = Int32Array.from({ length: rows * 200 }, (_, i) => 1 + ((i * 7919) % 20));
  const y = Float32Array.from({ length: rows }, (_, i) => ((i * 31) % 7) % 2);
  return { x: tensor(x, { shape: [rows, 200] }), y: tensor(y, { shape: [rows, 1] }) };
}

const model = chapter({ maskZero: true });
model.compile({
  optimizer: adam({
    learningRate: cosineDecay({ initialLearningRate: 1e-3, decaySteps: 1e6 }),
    globalClipnorm: 1,
    useEma: true,
  }),
  loss: "binaryCrossentropy",
  metrics: ["accuracy", "f1Score", "auroc", "averagePrecision", "brierScore"],
});
const [train, validationData] = [data(2560), data(Number(process.argv[2] ?? 50_000))];

const holds = [];
let watching = true;
await new Promise((resolve) => setTimeout(resolve, 100)); // what the start of the process has left
let last = now();
setImmediate(function tick() {
  const time = now();
  holds.push(time - last);
  last = now();
  if (watching) setImmediate(tick);
});
const folder = mkdtempSync(join(tmpdir(), "torte-loop-"));
await model.fit(train, {
  epochs: 2,
  batchSize: 128,
  verbose: 0,
  validationData,
  checkpoint: { folder, every: { steps: 10 } },
  callbacks: [earlyStopping({ monitor: "loss" }), reduceLROnPlateau({ monitor: "loss" })],
});
watching = false;
rmSync(folder, { recursive: true });
await model.close();
holds.sort((a, b) => b - a);
const above = holds.filter((ms) => ms > 10).length;
console.log(`longest ${holds[0]?.toFixed(1)} ms, above 10 ms ${above} of ${holds.length} turns`);
