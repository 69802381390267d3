/** A padded sequence gives exactly what the same sequence gives unpadded. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  activation,
  activityRegularization,
  alphaDropout,
  average,
  concatenate,
  dot,
  einsumDense,
  elu,
  gaussianDropout,
  gaussianNoise,
  identity,
  leakyRelu,
  masking,
  maximum,
  minimum,
  multiply,
  permute,
  prelu,
  relu,
  rmsNormalization,
  separableConv1d,
  spatialDropout1d,
  spectralNormalization,
  subtract,
  timeDistributed,
  unitNormalization,
  type Layer,
  averagePooling1d,
  batchNormalization,
  block,
  conv1d,
  conv1dTranspose,
  cropping1d,
  dense,
  depthwiseConv1d,
  dropout,
  embedding,
  flatten,
  functional,
  globalAveragePooling1d,
  globalMaxPooling1d,
  groupNormalization,
  input,
  lambda,
  layerFunction,
  layerNormalization,
  MaskError,
  maxPooling1d,
  type Model,
  rescaling,
  residual,
  sequential,
  ShapeError,
  softmax,
  Tensor,
  upSampling1d,
  zeroPadding1d,
  ops,
  type LayerFunction,
} from "torte";
import { CASES } from "./contract-cases.js";

const TOKENS = 6;

interface Piece {
  readonly name: string;
  readonly make: () => LayerFunction;
}

const conv = fc
  .record({
    kernelSize: fc.integer({ min: 1, max: 3 }),
    strides: fc.integer({ min: 1, max: 2 }),
    dilationRate: fc.integer({ min: 1, max: 2 }),
    padding: fc.constantFrom("valid", "same", "causal"),
  })
  // "same" with a stride aligns its windows by the padded length; that is the one exception.
  .filter(({ strides, padding }) => strides === 1 || padding !== "same");

const causal = (): LayerFunction => conv1d({ filters: 4, kernelSize: 3, padding: "causal", biasInitializer: "ones" });

/** Channels split in two axes, exchanged, and made one again. */
const permuted = (): LayerFunction =>
  block("exchanged", (x) =>
    einsumDense({ equation: "abcd,cde->abe", outputShape: [null, 4] })(
      permute({ dims: [1, 3, 2] })(einsumDense({ equation: "abc,cde->abde", outputShape: [null, 2, 2] })(x)),
    ),
  );

/** Every position times every other, and the sequence weighed with that. */
const products = (): LayerFunction =>
  block("products", (x) => dot({ axes: [2, 1] })([softmax({ axis: 1 })(dot({ axes: 2 })([x, x])), x]));

const pieces: readonly Piece[] = [
  { name: "max", make: () => maxPooling1d({ poolSize: 2 }) },
  { name: "max same", make: () => maxPooling1d({ poolSize: 3, strides: 1, padding: "same" }) },
  { name: "average", make: () => averagePooling1d({ poolSize: 2, strides: 1 }) },
  { name: "average same", make: () => averagePooling1d({ poolSize: 3, strides: 1, padding: "same" }) },
  { name: "dense", make: () => dense({ units: 4, activation: "sigmoid", biasInitializer: "ones" }) },
  { name: "dropout", make: () => dropout({ rate: 0.5 }) },
  { name: "batch norm", make: () => batchNormalization() },
  { name: "layer norm", make: () => layerNormalization() },
  { name: "layer norm over all", make: () => layerNormalization({ axis: [1, 2], center: false, scale: false }) },
  { name: "group norm", make: () => groupNormalization({ groups: 2 }) },
  { name: "softmax over steps", make: () => softmax({ axis: 1 }) },
  { name: "up", make: () => upSampling1d({ size: 2 }) },
  { name: "zeros around", make: () => zeroPadding1d({ padding: [1, 2] }) },
  { name: "cropped", make: () => cropping1d({ cropping: [1, 1] }) },
  { name: "transposed", make: () => conv1dTranspose({ filters: 4, kernelSize: 3, strides: 2 }) },
  { name: "transposed same", make: () => conv1dTranspose({ filters: 4, kernelSize: 3, padding: "same" }) },
  { name: "causal", make: () => depthwiseConv1d({ kernelSize: 2, padding: "causal", biasInitializer: "ones" }) },
  { name: "separable", make: () => separableConv1d({ filters: 4, kernelSize: 3, biasInitializer: "ones" }) },
  { name: "einsum", make: () => einsumDense({ equation: "abc,cd->abd", outputShape: [null, 4], biasAxes: "d" }) },
  { name: "steps", make: () => timeDistributed(dense({ units: 4, biasInitializer: "ones" })) },
  { name: "spectral", make: () => spectralNormalization(dense({ units: 4, biasInitializer: "ones" })) },
  { name: "rms", make: () => rmsNormalization() },
  { name: "unit", make: () => unitNormalization() },
  { name: "prelu", make: () => prelu({ sharedAxes: [1], alphaInitializer: "ones" }) },
  { name: "relu", make: () => relu({ negativeSlope: 0.1, threshold: 0.2 }) },
  { name: "leaky", make: () => leakyRelu() },
  { name: "elu", make: () => elu() },
  { name: "rescaling", make: () => rescaling({ scale: 0.5, offset: 0.1 }) },
  { name: "exponential", make: () => activation("exponential") },
  { name: "spatial", make: () => spatialDropout1d({ rate: 0.5 }) },
  { name: "gaussian dropout", make: () => gaussianDropout({ rate: 0.5 }) },
  { name: "noise", make: () => gaussianNoise({ stddev: 0.5 }) },
  { name: "alpha", make: () => alphaDropout({ rate: 0.5 }) },
  { name: "activity", make: () => activityRegularization({ l2: 0.1 }) },
  { name: "identity", make: () => identity() },
  { name: "masking", make: () => masking({ maskValue: 9 }) },
  { name: "kept by a function", make: () => lambda((x) => ops.add(x, 1), { mask: "keep" }) },
  { name: "channels", make: () => permuted() },
  { name: "products", make: () => products() },
  // Merges of a sequence with what a layer that keeps its positions makes of it.
  ...[add, subtract, multiply, average, maximum, minimum].map((merge): Piece => ({
    name: merge.name,
    make: () => block(`${merge.name} merge`, (x) => merge()([x, dense({ units: 4, biasInitializer: "ones" })(x)])),
  })),
  {
    name: "concatenate",
    make: () => block("side by side", (x) => dense({ units: 4 })(concatenate()([x, causal()(x)]))),
  },
  { name: "block", make: () => block("some block", [conv1d({ filters: 4, kernelSize: 2 }), dropout({ rate: 0.1 })]) },
  { name: "residual", make: () => residual([dense({ units: 4, activation: "relu" })]) },
];

const piece: fc.Arbitrary<Piece> = fc.oneof(
  conv.map((options): Piece => ({
    name: `conv1d ${JSON.stringify(options)}`,
    make: () => conv1d({ filters: 4, activation: "tanh", biasInitializer: "ones", ...options }),
  })),
  conv.map((options): Piece => ({
    name: `depthwise ${JSON.stringify(options)}`,
    make: () => depthwiseConv1d({ biasInitializer: "ones", ...options }),
  })),
  { arbitrary: fc.constantFrom(...pieces), weight: 4 },
);
const stack = fc.array(piece, { minLength: 1, maxLength: 4 });

const options = { backend: "reference", seed: 4 } as const;
const LENGTH = 16;

function build(pieces: readonly Piece[], length: number, ending: LayerFunction): Model {
  // Layers with 4 channels fit each other in any order, if enough positions are left.
  try {
    return sequential(
      input({ shape: [length], dtype: "int32" }),
      embedding({ inputDim: TOKENS, outputDim: 4, maskZero: true, name: "embedding" }),
      ...pieces.map(({ make }) => make()),
      ending,
      dense({ units: 2, name: "last" }),
      options,
    );
  } catch (error) {
    fc.pre(!(error instanceof ShapeError));
    throw error;
  }
}

/** Sequences of different lengths, padded with 0 up to `length`. */
function tokens(length: number, seed: number): Tensor {
  const rows = 3;
  const valid = [LENGTH, LENGTH - 2, LENGTH - 5];
  const data = Int32Array.from({ length: rows * length }, (_, i) => {
    const [row, position] = [Math.floor(i / length), i % length];
    return position < (valid[row] ?? 0) ? 1 + ((seed + 7 * row + position * position * 3) % (TOKENS - 1)) : 0;
  });
  return new Tensor(data, [rows, length], "int32");
}

const expectSame = (actual: Tensor, expected: Tensor): void => {
  expect(actual.shape).toEqual(expected.shape);
  expected.data.forEach((value, i) => {
    expect(actual.data[i]).toBeCloseTo(value, 10);
  });
};

/** Kinds of a layer and of those inside. */
const kindsOf = (layer: Layer): string[] => [layer.kind, ...layer.children.flatMap(kindsOf)];

describe("masks", () => {
  it("go through every layer that keeps them", () => {
    const x = embedding({ inputDim: TOKENS, outputDim: 4, maskZero: true })(input({ shape: [8], dtype: "int32" }));
    const known = new Set(["embedding", "conv1d", "depthwiseConv1d"]);
    for (const { make } of pieces) for (const kind of kindsOf(make()(x).producer.layer)) known.add(kind);
    // Images and volumes go through the same code as sequences.
    const keep = CASES.filter(({ mask, layer }) => mask === "kept" && !/[23]d/.test(layer)).map(({ layer }) => layer);
    expect(keep.filter((layer) => layer !== "block" && !known.has(layer))).toEqual([]);
  });

  it("let no padding change a prediction", async () => {
    await fc.assert(
      fc.asyncProperty(stack, fc.integer({ min: 1, max: 9 }), fc.boolean(), async (pieces, more, average) => {
        const ending = (): LayerFunction => (average ? globalAveragePooling1d() : globalMaxPooling1d());
        const short = build(pieces, LENGTH, ending());
        const long = build(pieces, LENGTH + more, ending());
        await long.setWeights(await short.getWeights());
        expectSame(await long.predict(tokens(LENGTH + more, more)), await short.predict(tokens(LENGTH, more)));
      }),
      { numRuns: 60 },
    );
  });

  it("let the row of the padding change no prediction, and train it never", async () => {
    await fc.assert(
      fc.asyncProperty(stack, async (pieces) => {
        const model = build(pieces, LENGTH, flatten());
        const x = tokens(LENGTH, 3);
        const before = await model.predict(x);
        const weights = await model.getWeights();
        const table = weights["embedding.embeddings"];
        if (table === undefined) throw new RangeError("no table");
        const changed = table.data.slice();
        changed.fill(123, 0, 4);
        await model.setWeights({ "embedding.embeddings": new Tensor(changed, table.shape, table.dtype) });
        expect((await model.predict(x)).data).toEqual(before.data);
        model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
        await model.fit({ x, y: before }, { epochs: 1 });
        const after = (await model.getWeights())["embedding.embeddings"];
        expect(after?.data.slice(0, 4)).toEqual(changed.slice(0, 4));
      }),
      { numRuns: 25 },
    );
  });

  it("are the same compiled", async () => {
    for (const [i, pieces] of fc.sample(stack, { numRuns: 8, seed: 5 }).entries()) {
      const reference = build(pieces, LENGTH, globalMaxPooling1d());
      const x = tokens(LENGTH, i);
      const compiled = sequential(
        input({ shape: [LENGTH], dtype: "int32" }),
        embedding({ inputDim: TOKENS, outputDim: 4, maskZero: true, name: "embedding" }),
        ...pieces.map(({ make }) => make()),
        globalMaxPooling1d(),
        dense({ units: 2, name: "last" }),
        { seed: 4, threads: 1 },
      );
      await compiled.setWeights(await reference.getWeights());
      const [actual, expected] = [await compiled.predict(x), await reference.predict(x)];
      expected.data.forEach((value, k) => {
        expect(actual.data[k]).toBeCloseTo(value, 4);
      });
    }
  });

  it("combine where sequences meet", () => {
    const x = input({ shape: [5], dtype: "int32" });
    const looked = embedding({ inputDim: 3, outputDim: 4, maskZero: true })(x);
    const sum = add()([looked, dense({ units: 4 })(looked)]);
    expect(sum.masked).toBe(true);
    expect(functional({ inputs: x, outputs: globalMaxPooling1d()(sum) }).countParams()).toBe(12 + 20);
  });

  it("are not lost silently", () => {
    const looked = embedding({ inputDim: 3, outputDim: 4, maskZero: true })(input({ shape: [5], dtype: "int32" }));
    const loser = layerFunction({ kind: "loser", options: {}, call: ([x]) => ({ value: ops.mul(x?.value ?? 0, 2) }) });
    expect(() => loser(looked)).toThrow(MaskError);
    expect(() => loser(looked)).toThrow(
      "loser: the layer loses the mask of its input: expected a result with a mask, received a result without one. " +
        "Return masked(value, mask), or define the layer with endsMask: true if padding may count as data from here on.",
    );
    expect(() => lambda((x) => x)(looked)).toThrow(
      "lambda: the layer cannot honour the mask of its input: expected an input without a mask, received a masked " +
        "sequence. Put dropMask() before it if padding may count as data from here on.",
    );
  });
});
