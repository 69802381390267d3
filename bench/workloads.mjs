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
 * @property {number} [tokens] How many there are; absent where inputs are numbers.
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
  depthwiseConv2d,
  dropout,
  embedding,
  flatten,
  functional,
  globalAveragePooling1d,
  globalAveragePooling2d,
  globalMaxPooling1d,
  input,
  layerNormalization,
  maxPooling1d,
  maxPooling2d,
  maxPooling3d,
  sequential,
  zeroPadding2d,
} from "torte";

/** @type {readonly Workload[]} */
export const trainings = [
  {
    name: "chapter, batch 16",
    model: "chapter",
    batch: 16,
    steps: 256,
    shape: [200],
    classes: 1,
    tokens: 20,
    tolerance: 1e-4,
  },
  {
    name: "chapter, batch 128",
    model: "chapter",
    batch: 128,
    steps: 56,
    shape: [200],
    classes: 1,
    tokens: 20,
    tolerance: 1e-4,
  },
  {
    name: "chapter, batch 1024",
    model: "chapter",
    batch: 1024,
    steps: 8,
    shape: [200],
    classes: 1,
    tokens: 20,
    tolerance: 1e-4,
  },
  { name: "mlp, batch 128", model: "mlp", batch: 128, steps: 16, shape: [784], classes: 10, tolerance: 0.1 },
  { name: "cnn, batch 128", model: "cnn", batch: 128, steps: 6, shape: [28, 28, 1], classes: 10, tolerance: 0.1 },
  {
    name: "residual 1D, batch 64",
    model: "residual",
    batch: 64,
    steps: 2,
    shape: [200],
    classes: 1,
    tokens: 20,
    tolerance: 1e-3,
  },
  {
    name: "conv3d, batch 8",
    model: "conv3d",
    batch: 8,
    steps: 8,
    shape: [30, 30, 30, 1],
    classes: 10,
    tolerance: 1e-3,
  },
  { name: "vgg, batch 64", model: "vgg", batch: 64, steps: 2, shape: [32, 32, 3], classes: 10, tolerance: 1e-3 },
  {
    name: "resnet-20, batch 64",
    model: "resnet",
    batch: 64,
    steps: 2,
    shape: [32, 32, 3],
    classes: 10,
    tolerance: 5e-3,
  },
  {
    name: "mobilenet, batch 32",
    model: "mobilenet",
    batch: 32,
    steps: 2,
    shape: [64, 64, 3],
    classes: 10,
    tolerance: 5e-3,
  },
  {
    name: "text, batch 64",
    model: "text",
    batch: 64,
    steps: 4,
    shape: [128],
    classes: 1,
    tokens: 19_999,
    tolerance: 1e-3,
  },
  { name: "wide, batch 256", model: "wide", batch: 256, steps: 2, shape: [256], classes: 1, tolerance: 1e-3 },
];

/**
 * More batches than the engine takes at once (16), so that every sample has to send them all. The predictions of a model that
 * has not been trained lie within 0.01 of each other: the tolerance is far below that.
 *
 * @type {readonly Workload[]}
 */
export const predictions = [
  {
    name: "chapter, batch 256",
    model: "chapter",
    batch: 256,
    steps: 96,
    shape: [200],
    classes: 1,
    tokens: 20,
    tolerance: 1e-5,
  },
  {
    name: "chapter, batch 1024",
    model: "chapter",
    batch: 1024,
    steps: 32,
    shape: [200],
    classes: 1,
    tokens: 20,
    tolerance: 1e-5,
  },
  {
    name: "chapter, one at a time",
    model: "chapter",
    batch: 1,
    steps: 512,
    shape: [200],
    classes: 1,
    tokens: 20,
    tolerance: 1e-5,
  },
];

/** Filters of the 1×1 convolution and strides of the depthwise one before it. @type {readonly (readonly [number, number])[]} */
const MOBILE = [
  [64, 1],
  [128, 2],
  [128, 1],
  [256, 2],
  [256, 1],
];

/**
 * The chapter's network; rivals have it without a mask.
 *
 * @param {import("torte").ModelOptions & { maskZero?: boolean }} [options]
 */
export const chapter = ({ maskZero = false, ...options } = {}) =>
  sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16, maskZero }),
    ...[5, 3, 3].flatMap((kernelSize, i) => [
      conv1d({ filters: 16, kernelSize, activation: "relu" }),
      maxPooling1d({ poolSize: i === 0 ? 4 : 2 }),
    ]),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
    options,
  );

/** @type {Record<string, (options: import("torte").ModelOptions) => import("torte").Model>} */
export const models = {
  chapter,
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
  vgg: (options) =>
    sequential(
      input({ shape: [32, 32, 3] }),
      ...[64, 128, 256].flatMap((filters) => [
        conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu" }),
        conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu" }),
        maxPooling2d({ poolSize: 2 }),
      ]),
      flatten(),
      dense({ units: 256, activation: "relu" }),
      dense({ units: 10, activation: "softmax" }),
      options,
    ),
  resnet: (options) => {
    const inputs = input({ shape: [32, 32, 3] });
    const conv = (/** @type {number} */ filters, strides = 1) =>
      conv2d({ filters, kernelSize: 3, strides, padding: strides === 1 ? "same" : "valid", useBias: false });
    let h = activation("relu")(batchNormalization()(conv(16)(inputs)));
    for (const filters of [16, 32, 64]) {
      for (let block = 0; block < 3; block++) {
        const narrower = block === 0 && filters > 16;
        // Zeros on both sides, as in other libraries, where "same" would put them at the end only.
        const first = narrower ? conv(filters, 2)(zeroPadding2d({ padding: 1 })(h)) : conv(filters)(h);
        const inner = batchNormalization()(conv(filters)(activation("relu")(batchNormalization()(first))));
        const along = narrower ? conv2d({ filters, kernelSize: 1, strides: 2, useBias: false })(h) : h;
        h = activation("relu")(add()([inner, along]));
      }
    }
    const outputs = dense({ units: 10, activation: "softmax" })(globalAveragePooling2d()(h));
    return functional({ inputs, outputs, ...options });
  },
  mobilenet: (options) => {
    const norm = () => [batchNormalization(), activation("relu")];
    return sequential(
      input({ shape: [64, 64, 3] }),
      zeroPadding2d({ padding: 1 }),
      conv2d({ filters: 64, kernelSize: 3, strides: 2, useBias: false }),
      ...norm(),
      ...MOBILE.flatMap(([filters, strides]) => [
        zeroPadding2d({ padding: 1 }),
        depthwiseConv2d({ kernelSize: 3, strides, useBias: false }),
        ...norm(),
        conv2d({ filters, kernelSize: 1, useBias: false }),
        ...norm(),
      ]),
      globalAveragePooling2d(),
      dense({ units: 10, activation: "softmax" }),
      options,
    );
  },
  text: (options) =>
    sequential(
      input({ shape: [128], dtype: "int32" }),
      embedding({ inputDim: 20_000, outputDim: 128 }),
      conv1d({ filters: 128, kernelSize: 5, activation: "relu" }),
      globalMaxPooling1d(),
      dense({ units: 1, activation: "sigmoid" }),
      options,
    ),
  wide: (options) =>
    sequential(
      input({ shape: [256] }),
      ...[2048, 2048].flatMap((units) => [dense({ units }), layerNormalization(), activation("gelu")]),
      dense({ units: 1, activation: "sigmoid" }),
      options,
    ),
};

/** Tokens from 1, otherwise numbers from −1 to 1. @param {Workload} workload @returns {Data} */
export function dataOf({ shape, classes, tokens, batch, steps }) {
  const rows = batch * steps;
  const size = rows * shape.reduce((a, b) => a * b, 1);
  const random = (/** @type {number} */ i) => (Math.imul(i ^ (i >>> 15), 0x2c1b3c6d) ^ (i << 7)) >>> 8;
  const draw = (/** @type {number} */ i) => random(Math.imul(i + 1, 0x9e3779b1));
  return {
    x:
      tokens !== undefined
        ? Int32Array.from({ length: size }, (_, i) => 1 + (draw(i) % tokens))
        : Float32Array.from({ length: size }, (_, i) => draw(i) / 2 ** 23 - 1),
    y: Float32Array.from({ length: rows }, (_, i) => draw(i + 7e6) % Math.max(2, classes)),
  };
}
