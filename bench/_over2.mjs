import { adam, cosineDecay, earlyStopping, reduceLROnPlateau, terminateOnNaN, tensor } from "torte";
import { dataOf, models, trainings } from "./workloads.mjs";
const threads = Number(process.argv[2] ?? 2),
  batch = Number(process.argv[3] ?? 128),
  kinds = (process.argv[4] ?? "b,m,s,c,e,scem,scemk").split(","),
  rounds = Number(process.argv[5] ?? 12);
const workload = { ...trainings[0], batch, steps: Math.max(56, Math.floor(16384 / batch)) };
const made = dataOf(workload);
const rows = made.y.length;
const data = { x: tensor(made.x, { shape: [rows, ...workload.shape] }), y: tensor(made.y, { shape: [rows] }) };
const cs = kinds.map((kind) => {
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
  let start = 0;
  const times = [];
  const clock = {
    onEpochBegin() {
      start = performance.now();
    },
    onEpochEnd() {
      times.push((performance.now() - start) / workload.steps);
    },
  };
  const cb = kind.includes("k")
    ? [
        earlyStopping({ monitor: "loss", patience: 1e6 }),
        reduceLROnPlateau({ monitor: "loss", patience: 1e6 }),
        terminateOnNaN(),
      ]
    : [];
  return {
    kind,
    m,
    times,
    run: () => m.fit(data, { batchSize: batch, shuffle: false, verbose: 0, callbacks: [clock, ...cb] }),
  };
});
for (let r = 0; r < rounds; r++) for (const c of cs) await c.run();
const med = (v) => [...v].sort((a, b) => a - b)[v.length >> 1];
const base = cs[0].times;
for (const c of cs)
  console.log(
    threads,
    batch,
    c.kind.padEnd(6),
    "min",
    Math.min(...c.times.slice(1)).toFixed(3),
    ((Math.min(...c.times.slice(1)) / Math.min(...base.slice(1)) - 1) * 100).toFixed(1) + "%",
    "paired median",
    ((med(c.times.slice(1).map((t, i) => t / base[i + 1])) - 1) * 100).toFixed(1) + "%",
  );
for (const c of cs) await c.m.close();
