// @ts-check
/**
 * A run that is the same each time it is started, for `resume-proof.ts`: it goes on from its folder, if there is anything in it, and
 * writes its weights and its history when it is through.
 *
 * node resume-proof-run.mjs FOLDER RESULT THREADS [plain]
 */
import { writeFileSync } from "node:fs";
import { adam, cosineDecay, csvLog, dense, dropout, earlyStopping, embedding, conv1d, flatten, input } from "torte";
import { maxPooling1d, reduceLROnPlateau, sequential, tensor } from "torte";

const [folder = "", result = "", threads = "1", plain] = process.argv.slice(2);
const [ROWS, LENGTH] = [1200, 40];
/** @param {number} from @param {number} rows */
const proteins = (from, rows) => {
  const tokens = Int32Array.from(
    { length: rows * LENGTH },
    (_, i) => 1 + ((Math.imul(i + from * LENGTH, 2654435761) >>> 27) % 20),
  );
  const labels = Float32Array.from({ length: rows }, (_, row) =>
    Number((tokens[row * LENGTH] ?? 0) + (tokens[row * LENGTH + 1] ?? 0) > 20),
  );
  return { x: tensor(tokens, { shape: [rows, LENGTH] }), y: tensor(labels) };
};
const model = sequential(
  input({ shape: [LENGTH], dtype: "int32" }),
  embedding({ inputDim: 21, outputDim: 8, maskZero: true }),
  conv1d({ filters: 8, kernelSize: 5, activation: "relu" }),
  maxPooling1d({ poolSize: 4 }),
  flatten(),
  dense({ units: 32, activation: "relu" }),
  dropout({ rate: 0.3 }),
  dense({ units: 1, activation: "sigmoid" }),
  { seed: 11, threads: Number(threads) },
);
model.compile({
  optimizer: adam({
    learningRate: cosineDecay({ initialLearningRate: 3e-3, decaySteps: 400 }),
    useEma: true,
    gradientAccumulationSteps: 2,
    globalClipnorm: 1,
  }),
  loss: "binaryCrossentropy",
  metrics: ["accuracy", "auroc"],
});
const history = await model.fit(proteins(0, ROWS), {
  epochs: 12,
  batchSize: 16,
  validationData: proteins(ROWS, 200),
  verbose: 0,
  callbacks: [
    earlyStopping({ monitor: "valLoss", patience: 6 }),
    reduceLROnPlateau({ monitor: "valLoss", patience: 2, factor: 0.5 }),
    csvLog({ filename: `${folder}.csv` }),
  ],
  ...(plain === undefined ? { checkpoint: { folder, every: { steps: 7 }, keep: 2 }, resume: folder } : {}),
});
const weights = Object.entries(await model.getWeights()).map(([name, { data }]) => [name, [...data]]);
const { epochs, restoredEpoch, ended } = history;
writeFileSync(result, JSON.stringify({ weights, epochs, restoredEpoch, ended, progress: model.progress }));
