/**
 * How long training holds the caller's event loop: `npm run build && node scripts/event-loop.mjs [ROWS]`. A cold fit of the
 * chapter's model with five metrics, two of which are computed on the host, over so many rows of validation data (default
 * 50,000), with callbacks and checkpoints; then a fit of a network of 50 layers. On Linux what counts is the time that the thread has run for, which others on the
 * machine do not lengthen; elsewhere that of the clock.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  activation,
  adam,
  batchNormalization,
  conv1d,
  cosineDecay,
  dense,
  earlyStopping,
  globalAveragePooling1d,
  input,
  reduceLROnPlateau,
  sequential,
  tensor,
} from "torte";
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

const optimizer = () =>
  adam({
    learningRate: cosineDecay({ initialLearningRate: 1e-3, decaySteps: 1e6 }),
    globalClipnorm: 1,
    useEma: true,
  });

/** Prints how long the loop is held while `work` goes on. */
async function watched(name, work) {
  const holds = [];
  let watching = true;
  await new Promise((resolve) => setTimeout(resolve, 100)); // what was before
  let last = now();
  setImmediate(function tick() {
    const time = now();
    holds.push(time - last);
    last = now();
    if (watching) setImmediate(tick);
  });
  await work();
  watching = false;
  holds.sort((a, b) => b - a);
  const above = holds.filter((ms) => ms > 10).length;
  console.log(`${name}: longest ${holds[0]?.toFixed(1)} ms, above 10 ms ${above} of ${holds.length} turns`);
}

async function fitChapter() {
  const model = chapter({ maskZero: true });
  const metrics = ["accuracy", "f1Score", "auroc", "averagePrecision", "brierScore"];
  model.compile({ optimizer: optimizer(), loss: "binaryCrossentropy", metrics });
  const [train, validationData] = [data(2560), data(Number(process.argv[2] ?? 50_000))];
  const folder = mkdtempSync(join(tmpdir(), "torte-loop-"));
  await watched("chapter", () =>
    model.fit(train, {
      epochs: 2,
      batchSize: 128,
      verbose: 0,
      validationData,
      checkpoint: { folder, every: { steps: 10 } },
      callbacks: [earlyStopping({ monitor: "loss" }), reduceLROnPlateau({ monitor: "loss" })],
    }),
  );
  rmSync(folder, { recursive: true });
  await model.close();
}

async function fitDeep() {
  const block = () => [
    conv1d({ filters: 16, kernelSize: 3, padding: "same" }),
    batchNormalization(),
    activation("relu"),
  ];
  const blocks = Array.from({ length: 16 }, block).flat();
  const last = [globalAveragePooling1d(), dense({ units: 1, activation: "sigmoid" })];
  const model = sequential(input({ shape: [100, 8] }), ...blocks, ...last);
  model.compile({ optimizer: optimizer(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
  const x = tensor(
    Float32Array.from({ length: 64 * 800 }, (_, i) => Math.sin(i)),
    { shape: [64, 100, 8] },
  );
  const y = tensor(
    Float32Array.from({ length: 64 }, (_, i) => i % 2),
    { shape: [64, 1] },
  );
  await watched("50 layers", () => model.fit({ x, y }, { batchSize: 16, verbose: 0 }));
  await model.close();
}

await fitChapter();
await fitDeep();
