/** Every layer with its combinations of options: what goes in, and what must come out. */
import { activations, input, layers as L, ops, type LayerFunction, sequential } from "torte";

/** What becomes of a mask: it goes on, it ends on purpose, or the layer refuses it by name. */
export type Fate = "kept" | "ended" | "refused";

export interface Case {
  readonly layer: string;
  readonly title: string;
  readonly make: () => LayerFunction;
  /** Shapes of one example. */
  readonly inputs: readonly (readonly number[])[];
  readonly output: readonly number[];
  /** Number of all weights, those that are not trained included. */
  readonly parameters: number;
  readonly mask: Fate;
  /** Inputs are tokens below this. */
  readonly tokens?: number;
  /** A file cannot hold it. */
  readonly unsaved?: true;
}

type Shape = readonly number[];
const cases: Case[] = [];

function on(
  layer: keyof typeof L,
  make: () => LayerFunction,
  inputs: Shape | readonly Shape[],
  output: Shape,
  parameters = 0,
  mask: Fate = "kept",
  more: Partial<Case> = {},
): void {
  const shapes = (typeof inputs[0] === "number" ? [inputs] : inputs) as readonly Shape[];
  const code = make
    .toString()
    .replace(/^\(\) => /, "")
    .replaceAll(/__vite\w+\.|\(0, ?([\w.]+)\)/g, "$1")
    .replaceAll(/\s+/g, " ");
  const title = `${cases.length} ${code.slice(0, 150)} on ${shapes.map((shape) => `(${shape.join(", ")})`).join(" and ")}`;
  cases.push({ layer, title, make, inputs: shapes, output, parameters, mask, ...more });
}

const LINE = [7, 2] as const;
const IMAGE = [5, 4, 2] as const;
const VOLUME = [3, 4, 3, 2] as const;

// Dense, on any rank.
on("dense", () => L.dense({ units: 3 }), [4], [3], 15);
on("dense", () => L.dense({ units: 3, useBias: false, activation: "tanh" }), LINE, [7, 3], 6);
on(
  "dense",
  () =>
    L.dense({
      units: 3,
      kernelRegularizer: "l2Norm",
      biasRegularizer: "l1",
      activityRegularizer: "l2",
      biasInitializer: "ones",
    }),
  IMAGE,
  [5, 4, 3],
  9,
);
on("dense", () => L.dense({ units: 2, kernelConstraint: "unitNorm", kernelRegularizer: "orthogonal" }), [3], [2], 8);
on("dense", () => L.dense({ units: 3, activation: "softmax", kernelInitializer: "heNormal" }), VOLUME, [3, 4, 3, 3], 9);
on(
  "einsumDense",
  () => L.einsumDense({ equation: "abc,cd->abd", outputShape: [null, 3], biasAxes: "d" }),
  LINE,
  [7, 3],
  9,
);
on("einsumDense", () => L.einsumDense({ equation: "...c,cd->...d", outputShape: 3 }), IMAGE, [5, 4, 3], 6);
on(
  "einsumDense",
  () => L.einsumDense({ equation: "abc,bd->adc", outputShape: [3, null] }),
  LINE,
  [3, 2],
  21,
  "refused",
);
on("embedding", () => L.embedding({ inputDim: 6, outputDim: 3 }), [7], [7, 3], 18, "kept", { tokens: 6 });
on(
  "embedding",
  () => L.embedding({ inputDim: 6, outputDim: 3, embeddingsRegularizer: "l2" }),
  [4, 2],
  [4, 2, 3],
  18,
  "kept",
  {
    tokens: 6,
  },
);

// Convolutions, each rank.
const size = (taps: number, rank: number): number => taps ** rank;
(
  [
    ["conv1d", "conv1dTranspose", "separableConv1d", "depthwiseConv1d", LINE, [5], [7], [4], [9]],
    ["conv2d", "conv2dTranspose", "separableConv2d", "depthwiseConv2d", IMAGE, [3, 2], [5, 4], [3, 2], [7, 6]],
    [
      "conv3d",
      "conv3dTranspose",
      "separableConv3d",
      "depthwiseConv3d",
      VOLUME,
      [1, 2, 1],
      [3, 4, 3],
      [2, 2, 2],
      [5, 6, 5],
    ],
  ] as const
).forEach(([conv, transpose, separable, depthwise, shape, valid, same, halved, full], i) => {
  const k = size(3, i + 1);
  on(conv, () => L[conv]({ filters: 4, kernelSize: 3, activation: "relu" }), shape, [...valid, 4], k * 8 + 4);
  on(
    conv,
    () => L[conv]({ filters: 4, kernelSize: 3, padding: "same", groups: 2, useBias: false }),
    shape,
    [...same, 4],
    k * 4,
  );
  on(conv, () => L[conv]({ filters: 3, kernelSize: 3, padding: "same", strides: 2 }), shape, [...halved, 3], k * 6 + 3);
  on(
    conv,
    () => L[conv]({ filters: 3, kernelSize: 2, padding: "same", dilationRate: 2 }),
    shape,
    [...same, 3],
    size(2, i + 1) * 6 + 3,
  );
  on(
    conv,
    () => L[conv]({ filters: 3, kernelSize: 2, strides: 2, dilationRate: 2 }),
    shape,
    [...shape.slice(0, -1).map((n) => Math.floor((n - 3) / 2) + 1), 3],
    size(2, i + 1) * 6 + 3,
  );
  on(transpose, () => L[transpose]({ filters: 4, kernelSize: 3 }), shape, [...full, 4], k * 8 + 4);
  on(
    transpose,
    () => L[transpose]({ filters: 3, kernelSize: 2, strides: 3, padding: "same" }),
    shape,
    [...same.map((n) => 3 * n), 3],
    size(2, i + 1) * 6 + 3,
  );
  on(
    transpose,
    () => L[transpose]({ filters: 3, kernelSize: 2, dilationRate: 2, outputPadding: 0 }),
    shape,
    [...same.map((n) => n + 2), 3],
    size(2, i + 1) * 6 + 3,
  );
  on(
    separable,
    () => L[separable]({ filters: 4, kernelSize: 3, depthMultiplier: 2 }),
    shape,
    [...valid, 4],
    k * 4 + 16 + 4,
  );
  on(
    separable,
    () => L[separable]({ filters: 4, kernelSize: 3, padding: "same", strides: 2, useBias: false }),
    shape,
    [...halved, 4],
    k * 2 + 8,
  );
  on(depthwise, () => L[depthwise]({ kernelSize: 3, depthMultiplier: 2 }), shape, [...valid, 4], k * 4 + 4);
  on(
    depthwise,
    () => L[depthwise]({ kernelSize: 2, padding: "same", dilationRate: 2, useBias: false }),
    shape,
    [...same, 2],
    size(2, i + 1) * 2,
  );
});
on("conv1d", () => L.conv1d({ filters: 3, kernelSize: 3, padding: "causal", dilationRate: 2 }), LINE, [7, 3], 21);
on("depthwiseConv1d", () => L.depthwiseConv1d({ kernelSize: 3, padding: "causal" }), LINE, [7, 2], 8);

// Pooling, each rank.
(
  [
    ["1d", LINE, [3], [7], [4]],
    ["2d", IMAGE, [2, 2], [5, 4], [3, 2]],
    ["3d", VOLUME, [1, 2, 1], [3, 4, 3], [2, 2, 2]],
  ] as const
).forEach(([rank, shape, halves, same, halved]) => {
  for (const kind of ["maxPooling", "averagePooling"] as const) {
    const name = `${kind}${rank}` as const;
    on(name, () => L[name](), shape, [...halves, 2]);
    on(name, () => L[name]({ poolSize: 3, strides: 1, padding: "same" }), shape, [...same, 2]);
    on(name, () => L[name]({ poolSize: 3, strides: 2, padding: "same" }), shape, [...halved, 2]);
  }
  for (const kind of ["globalMaxPooling", "globalAveragePooling"] as const) {
    const name = `${kind}${rank}` as const;
    on(name, () => L[name](), shape, [2], 0, "ended");
    on(name, () => L[name]({ keepDims: true }), shape, [...shape.slice(0, -1).map(() => 1), 2], 0, "ended");
  }
  for (const kind of ["adaptiveMaxPooling", "adaptiveAveragePooling"] as const) {
    const name = `${kind}${rank}` as const;
    on(name, () => L[name]({ outputSize: 2 }), shape, [...shape.slice(0, -1).map(() => 2), 2], 0, "refused");
  }
});

// Normalization.
for (const shape of [[4], LINE, IMAGE, VOLUME]) {
  const width = shape.at(-1) ?? 0;
  on("batchNormalization", () => L.batchNormalization(), shape, shape, 4 * width);
  on("batchNormalization", () => L.batchNormalization({ scale: false, momentum: 0.5 }), shape, shape, 3 * width);
  on(
    "batchNormalization",
    () => L.batchNormalization({ center: false, scale: false, epsilon: 0.1 }),
    shape,
    shape,
    2 * width,
  );
  on("layerNormalization", () => L.layerNormalization(), shape, shape, 2 * width);
  on("layerNormalization", () => L.layerNormalization({ center: false }), shape, shape, width);
  on(
    "groupNormalization",
    () => L.groupNormalization({ groups: 2 }),
    shape,
    shape,
    2 * width,
    shape.length === 1 ? "refused" : "kept",
  );
  on("rmsNormalization", () => L.rmsNormalization(), shape, shape, width);
  on("unitNormalization", () => L.unitNormalization(), shape, shape);
}
on("batchNormalization", () => L.batchNormalization({ axis: 1 }), LINE, LINE, 28);
on("layerNormalization", () => L.layerNormalization({ axis: [1, 2], scale: false }), LINE, LINE, 14);
on("groupNormalization", () => L.groupNormalization({ groups: 7, axis: 1 }), LINE, LINE, 14, "refused");
on("rmsNormalization", () => L.rmsNormalization({ axis: [1, 2] }), LINE, LINE, 14);
on("unitNormalization", () => L.unitNormalization({ axis: [1, 2] }), LINE, LINE);
on("spectralNormalization", () => L.spectralNormalization(L.dense({ units: 3 })), [4], [3], 18);
on(
  "spectralNormalization",
  () => L.spectralNormalization(L.conv1d({ filters: 3, kernelSize: 2 }), { powerIterations: 2 }),
  LINE,
  [6, 3],
  18,
);

// Regularization.
for (const shape of [[4], LINE, IMAGE, VOLUME]) {
  on("dropout", () => L.dropout({ rate: 0.4 }), shape, shape);
  on("dropout", () => L.dropout({ rate: 0.4, rescale: "realized", seed: 3 }), shape, shape);
  on("gaussianDropout", () => L.gaussianDropout({ rate: 0.4, seed: 3 }), shape, shape);
  on("gaussianNoise", () => L.gaussianNoise({ stddev: 0.4 }), shape, shape);
  on("alphaDropout", () => L.alphaDropout({ rate: 0.4 }), shape, shape);
  on("activityRegularization", () => L.activityRegularization({ l1: 0.1, l2: 0.2 }), shape, shape);
  on("rescaling", () => L.rescaling({ scale: 0.5, offset: 0.1 }), shape, shape);
}
on("dropout", () => L.dropout({ rate: 0.4, noiseShape: [null, 1, null] }), LINE, LINE);
on("alphaDropout", () => L.alphaDropout({ rate: 0.4, noiseShape: [1, null, 1], seed: 1 }), LINE, LINE);
on("spatialDropout1d", () => L.spatialDropout1d({ rate: 0.4 }), LINE, LINE);
on("spatialDropout2d", () => L.spatialDropout2d({ rate: 0.4, seed: 2 }), IMAGE, IMAGE);
on("spatialDropout3d", () => L.spatialDropout3d({ rate: 0.4 }), VOLUME, VOLUME);

// Activations.
for (const name of Object.keys(activations.ACTIVATIONS) as activations.ActivationName[]) {
  on("activation", () => L.activation(name), LINE, name === "glu" ? [7, 1] : LINE);
}
on("activation", () => L.activation(activations.gelu({ mu: 0.2, sigma: 1.5 })), [4], [4]);
on("activation", () => L.activation(activations.gelu({ approximate: true })), IMAGE, IMAGE);
on("relu", () => L.relu({ maxValue: 1, negativeSlope: 0.1, threshold: 0.2 }), LINE, LINE);
on("leakyRelu", () => L.leakyRelu(), LINE, LINE);
on("elu", () => L.elu({ alpha: 0.7 }), IMAGE, IMAGE);
on("prelu", () => L.prelu(), LINE, LINE, 14);
on("prelu", () => L.prelu({ sharedAxes: [1, 2], alphaRegularizer: "l1" }), IMAGE, IMAGE, 2);
on("softmax", () => L.softmax(), LINE, LINE);
on("softmax", () => L.softmax({ axis: 1 }), LINE, LINE);

// Shapes.
on("flatten", () => L.flatten(), VOLUME, [72], 0, "ended");
on("reshape", () => L.reshape({ targetShape: [2, -1] }), LINE, [2, 7], 0, "ended");
on("permute", () => L.permute({ dims: [2, 1] }), LINE, [2, 7], 0, "refused");
on("permute", () => L.permute({ dims: [1, 3, 2] }), IMAGE, [5, 2, 4]);
on("repeatVector", () => L.repeatVector({ n: 3 }), [4], [3, 4], 0, "refused");
on("zeroPadding1d", () => L.zeroPadding1d({ padding: [1, 2] }), LINE, [10, 2]);
on(
  "zeroPadding2d",
  () =>
    L.zeroPadding2d({
      padding: [
        [1, 2],
        [0, 1],
      ],
    }),
  IMAGE,
  [8, 5, 2],
);
on("zeroPadding3d", () => L.zeroPadding3d(), VOLUME, [5, 6, 5, 2]);
on("cropping1d", () => L.cropping1d(), LINE, [5, 2]);
on("cropping2d", () => L.cropping2d({ cropping: [1, 0] }), IMAGE, [3, 4, 2]);
on("cropping3d", () => L.cropping3d(), VOLUME, [1, 2, 1, 2]);
on("upSampling1d", () => L.upSampling1d({ size: 3 }), LINE, [21, 2]);
on("upSampling2d", () => L.upSampling2d({ size: [1, 2] }), IMAGE, [5, 8, 2]);
on("upSampling2d", () => L.upSampling2d({ interpolation: "bilinear" }), IMAGE, [10, 8, 2], 0, "refused");
on("upSampling3d", () => L.upSampling3d(), VOLUME, [6, 8, 6, 2]);

// Merges.
for (const name of ["add", "multiply", "average", "maximum", "minimum"] as const) {
  on(name, () => L[name](), [LINE, LINE, LINE], LINE);
}
on("subtract", () => L.subtract(), [IMAGE, IMAGE], IMAGE);
on("concatenate", () => L.concatenate(), [LINE, [7, 3]], [7, 5]);
on("concatenate", () => L.concatenate({ axis: 1 }), [LINE, [3, 2]], [10, 2], 0, "refused");
on("dot", () => L.dot({ axes: -1 }), [LINE, [5, 2]], [7, 5]);
on("dot", () => L.dot({ axes: 1, normalize: true }), [[4], [4]], [1], 0, "ended");
on("dot", () => L.dot({ axes: 1 }), [LINE, [7, 3]], [2, 3], 0, "ended");

// Core, and layers of layers.
on("identity", () => L.identity(), LINE, LINE);
on("masking", () => L.masking({ maskValue: 0.5 }), LINE, LINE);
on("dropMask", () => L.dropMask(), LINE, LINE, 0, "ended");
on("lambda", () => L.lambda((x) => ops.mul(x, 2)), LINE, LINE, 0, "refused", { unsaved: true });
on("lambda", () => L.lambda((x) => ops.mul(x, 2), { mask: "keep" }), LINE, LINE, 0, "kept", { unsaved: true });
on("timeDistributed", () => L.timeDistributed(L.dense({ units: 3 })), LINE, [7, 3], 9);
on("timeDistributed", () => L.timeDistributed(L.conv1d({ filters: 3, kernelSize: 2 })), IMAGE, [5, 3, 3], 15);
on(
  "block",
  () =>
    L.block("some block", [
      L.conv1d({ filters: 3, kernelSize: 2, useBias: false }),
      L.batchNormalization(),
      L.dropout({ rate: 0.1 }),
    ]),
  LINE,
  [6, 3],
  24,
);
on("block", () => L.block("inner", (x) => L.add()([L.dense({ units: 2 })(x), x])), IMAGE, IMAGE, 6);
on(
  "block",
  () => L.block("outer", [L.block("inner", [L.dense({ units: 3 })]), L.dense({ units: 2, trainable: false })]),
  [4],
  [2],
  23,
);
on("block", () => sequential(input({ shape: LINE }), L.dense({ units: 3 })).asLayer(), LINE, [7, 3], 9);
on("residual", () => L.residual([L.dense({ units: 2, activation: "relu" })]), LINE, LINE, 6);
on(
  "residual",
  () => L.residual([L.dense({ units: 3 })], { project: [L.dense({ units: 3, useBias: false })] }),
  LINE,
  [7, 3],
  15,
);
on("residual", () => L.residual([L.dense({ units: 3 })], { merge: "concatenate" }), IMAGE, [5, 4, 5], 9);

export const CASES: readonly Case[] = cases;
