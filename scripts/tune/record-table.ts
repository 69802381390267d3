/**
 * Records learning curves: 500 settings of a small network, 27 epochs each, on generated data. Schedulers are compared on the table, where a
 * study costs nothing. Writes results/curves.json: settings, and the validation loss after each epoch.
 *
 *   npx jiti scripts/tune/record-table.ts
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { adam, batchNormalization, Dataset, dense, dropout, input, sequential, sgd, tensor } from "torte";
import { type Hyper, Search, space } from "../../packages/tune/src/index.js";

const [settings, epochs] = [500, 27];

/** Two interlocking spirals in five dimensions, three of which say nothing; a tenth of the labels is wrong. */
function generated(rows: number): Dataset {
  let state = 12345;
  const uniform = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const [x, y]: [number[][], number[][]] = [[], []];
  for (let i = 0; i < rows; i++) {
    const [label, t] = [i % 2, 0.5 + 2.5 * uniform()];
    const angle = t * 2 + label * Math.PI;
    const noise = (): number => 0.3 * (uniform() + uniform() - 1);
    x.push([
      t * Math.cos(angle) + noise(),
      t * Math.sin(angle) + noise(),
      2 * uniform() - 1,
      2 * uniform() - 1,
      2 * uniform() - 1,
    ]);
    y.push([uniform() < 0.1 ? 1 - label : label]);
  }
  return Dataset.fromTensors({ x: tensor(x), y: tensor(y) });
}

const all = generated(2560);
const [train, validation] = [all.take(2048), all.skip(2048)];

function made(h: Hyper) {
  const activation = h.categorical("activation", ["relu", "tanh", "gelu"]);
  const [layers, units] = [h.int("layers", 1, 3), h.int("units", 4, 64, { log: true })];
  const [rate, normalize] = [h.float("dropout", 0, 0.5), h.boolean("normalize")];
  const hidden = Array.from({ length: layers }, () => [
    dense({ units, activation }),
    ...(normalize ? [batchNormalization()] : []),
    dropout({ rate }),
  ]).flat();
  const learningRate = h.float("learningRate", 1e-4, 1e-1, { log: true });
  const optimizer = h.categorical("optimizer", ["adam", "sgd"]);
  return {
    batchSize: h.ordered("batchSize", [16, 32, 64, 128]),
    optimizer: optimizer === "adam" ? adam({ learningRate }) : sgd({ learningRate, momentum: 0.9 }),
    model: sequential(input({ shape: [5] }), ...hidden, dense({ units: 1, activation: "sigmoid" }), {
      threads: 1,
      backend: "wasm",
    }),
  };
}

const search = new Search(space(made), { searcher: "sobol", seed: 1 });
const losses: number[][] = [];
for (let i = 0; i < settings; i++) {
  const trial = search.ask();
  if (trial === undefined) break;
  const { model, optimizer, batchSize } = trial.build();
  model.compile({ optimizer, loss: "binaryCrossentropy" });
  const curve: number[] = [];
  try {
    await model.fit(train, {
      epochs,
      batchSize,
      verbose: 0,
      validationData: validation,
      callbacks: [{ onEpochEnd: (_, logs) => void curve.push(Number((logs["valLoss"] ?? NaN).toPrecision(4))) }],
    });
  } catch {
    // A setting whose loss is no number ends early.
  }
  await model.close();
  losses.push(curve);
  search.tell(trial.number, curve.at(-1) ?? NaN);
  if (i % 25 === 0) console.log(i, curve.at(-1));
}
const rounded = (value: unknown): unknown => (typeof value === "number" ? Number(value.toPrecision(4)) : value);
const values = search.trials.map(({ values: all }) =>
  Object.fromEntries(Object.entries(all).map(([name, value]) => [name, rounded(value)])),
);
const path = fileURLToPath(new URL("results/curves.json", import.meta.url));
writeFileSync(path, `${JSON.stringify({ made: "scripts/tune/record-table.ts", epochs, settings: values, losses })}\n`);
