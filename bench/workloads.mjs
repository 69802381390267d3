// @ts-check
/**
 * What is timed: models, and made-up data for them. Plain JavaScript, so that a contestant runs it without a loader.
 *
 * @typedef {import("./contestants/job.mjs").Data} Data
 * @typedef {object} Workload
 * @property {string} name
 * @property {string} model
 * @property {number} batch
 * @property {number} steps In one sample, so many that it takes Torte a tenth of a second or more on two threads.
 * @property {readonly number[]} shape Of a row.
 * @property {number} classes 1 where the target is 0 or 1.
 * @property {number} tolerance How far the losses of the first steps, or the predictions, may differ: dropout draws its own
 * numbers everywhere.
 */
import {
  activation,
  add,
  batchNormalization,
  conv1d,
  conv2d,
  conv3d,
  dense,
  dropout,
  embedding,
  flatten,
  functional,
  globalAveragePooling1d,
  input,
  maxPooling1d,
  maxPooling2d,
  maxPooling3d,
  sequential,
} from "torte";

/** @type {readonly Workload[]} */
export const trainings = [
  { name: "chapter, batch 16", model: "chapter", batch: 16, steps: 256, shape: [200], classes: 1, tolerance: 1e-4 },
  { name: "chapter, batch 128", model: "chapter", batch: 128, steps: 56, shape: [200], classes: 1, tolerance: 1e-4 },
  { name: "chapter, batch 1024", model: "chapter", batch: 1024, steps: 8, shape: [200], classes: 1, tolerance: 1e-4 },
  { name: "mlp, batch 128", model: "mlp", batch: 128, steps: 16, shape: [784], classes: 10, tolerance: 0.1 },
  { name: "cnn, batch 128", model: "cnn", batch: 128, steps: 6, shape: [28, 28, 1], classes: 10, tolerance: 0.1 },
  { name: "residual 1D, batch 64", model: "residual", batch: 64, steps: 2, shape: [200], classes: 1, tolerance: 1e-3 },
  {
    name: "conv3d, batch 8",
    model: "conv3d",
    batch: 8,
    steps: 8,
    shape: [30, 30, 30, 1],
    classes: 10,
    tolerance: 1e-3,
  },
];

/**
 * More batches than the engine takes at once (16), so that every sample has to send them all. The predictions of a model that
 * has not been trained lie within 0.01 of each other: the tolerance is far below that.
 *
 * @type {readonly Workload[]}
 */
export const predictions = [
  { name: "chapter, batch 256", model: "chapter", batch: 256, steps: 96, shape: [200], classes: 1, tolerance: 1e-5 },
  { name: "chapter, batch 1024", model: "chapter", batch: 1024, steps: 32, shape: [200], classes: 1, tolerance: 1e-5 },
  { name: "chapter, one at a time", model: "chapter", batch: 1, steps: 512, shape: [200], classes: 1, tolerance: 1e-5 },
];

/** @type {Record<string, (options: import("torte").ModelOptions) => import("torte").Model>} */
export const models = {
  chapter: (options) =>
    sequential(
      input({ shape: [200], dtype: "int32" }),
      embedding({ inputDim: 21, outputDim: 16 }),
      conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
      maxPooling1d({ poolSize: 4 }),
      conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
      maxPooling1d({ poolSize: 2 }),
      conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
      maxPooling1d({ poolSize: 2 }),
      flatten(),
      dense({ units: 256, activation: "relu" }),
      dense({ units: 64, activation: "relu" }),
      dense({ units: 1, activation: "sigmoid" }),
      options,
    ),
  mlp: (options) =>
    sequential(
      input({ shape: [784] }),
      dense({ units: 512, activation: "relu" }),
      dropout({ rate: 0.2 }),
      dense({ units: 512, activation: "relu" }),
      dropout({ rate: 0.2 }),
      dense({ units: 10, activation: "softmax" }),
      options,
    ),
  cnn: (options) =>
    sequential(
      input({ shape: [28, 28, 1] }),
      conv2d({ filters: 32, kernelSize: 3, activation: "relu" }),
      maxPooling2d({ poolSize: 2 }),
      conv2d({ filters: 64, kernelSize: 3, activation: "relu" }),
      maxPooling2d({ poolSize: 2 }),
      flatten(),
      dropout({ rate: 0.5 }),
      dense({ units: 10, activation: "softmax" }),
      options,
    ),
  residual: (options) => {
    const inputs = input({ shape: [200], dtype: "int32" });
    let h = embedding({ inputDim: 21, outputDim: 64 })(inputs);
    for (let block = 0; block < 4; block++) {
      const conv = () => conv1d({ filters: 64, kernelSize: 5, padding: "same" });
      const inner = activation("relu")(batchNormalization()(conv()(h)));
      h = activation("relu")(add()([batchNormalization()(conv()(inner)), h]));
    }
    const outputs = dense({ units: 1, activation: "sigmoid" })(globalAveragePooling1d()(h));
    return functional({ inputs, outputs, ...options });
  },
  conv3d: (options) =>
    sequential(
      input({ shape: [30, 30, 30, 1] }),
      conv3d({ filters: 16, kernelSize: 3, activation: "relu" }),
      maxPooling3d({ poolSize: 2 }),
      conv3d({ filters: 32, kernelSize: 3, activation: "relu" }),
      maxPooling3d({ poolSize: 2 }),
      flatten(),
      dense({ units: 10, activation: "softmax" }),
      options,
    ),
};

/** Tokens 1…20 for rows of one axis and a single output, otherwise numbers from −1 to 1. @param {Workload} workload @returns {Data} */
export function dataOf({ shape, classes, batch, steps }) {
  const rows = batch * steps;
  const size = rows * shape.reduce((a, b) => a * b, 1);
  const random = (/** @type {number} */ i) => (Math.imul(i ^ (i >>> 15), 0x2c1b3c6d) ^ (i << 7)) >>> 8;
  const draw = (/** @type {number} */ i) => random(Math.imul(i + 1, 0x9e3779b1));
  return {
    x:
      classes === 1
        ? Int32Array.from({ length: size }, (_, i) => 1 + (draw(i) % 20))
        : Float32Array.from({ length: size }, (_, i) => draw(i) / 2 ** 23 - 1),
    y: Float32Array.from({ length: rows }, (_, i) => draw(i + 7e6) % Math.max(2, classes)),
  };
}
