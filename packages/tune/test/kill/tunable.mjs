// A small model to tune, for a leader and its workers in processes of their own.
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { adam, Dataset, dense, input, sequential, tensor } from "torte";

const x = Array.from({ length: 256 }, (_, i) => [Math.sin(i), Math.cos(3 * i), Math.sin(7 * i)]);
const all = Dataset.fromTensors({ x: tensor(x), y: tensor(x.map(([a, b]) => [Number(a * b > 0)])) });

const rateOf = (h) => h.float("rate", 1e-3, 1e-1, { log: true });

/** Where the environment names a file, an epoch takes its time and leaves a line there: who has trained which setting. */
const log = process.env.TORTE_TEST_LOG;
const told = (h) => ({
  callbacks: [
    {
      onEpochEnd: async () => {
        appendFileSync(log, `${process.pid} ${rateOf(h)}\n`);
        await pause(150);
      },
    },
  ],
});

export const tunable = (folder) => ({
  model: (h, options) =>
    sequential(
      input({ shape: [3] }),
      dense({ units: h.int("units", 2, 16, { log: true }), activation: h.categorical("activation", ["tanh", "relu"]) }),
      dense({ units: 1, activation: "sigmoid" }),
      { ...options, threads: 1 },
    ),
  compile: (h) => ({
    optimizer: adam({ learningRate: rateOf(h) }),
    loss: "binaryCrossentropy",
  }),
  data: { train: all.take(192), validation: all.skip(192) },
  ...(log === undefined ? {} : { fit: told }),
  seed: 7,
  folder,
});
