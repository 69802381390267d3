/** Sequences of any length: the results of the exact length, or a refusal by name. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  averagePooling1d,
  averagePooling2d,
  averagePooling3d,
  block,
  conv1d,
  conv1dTranspose,
  conv2d,
  conv3d,
  cropping1d,
  dense,
  depthwiseConv1d,
  depthwiseConv2d,
  dropMask,
  embedding,
  flatten,
  functional,
  globalAveragePooling1d,
  globalMaxPooling1d,
  input,
  lambda,
  layerFunction,
  type LayerFunction,
  loadModel,
  maxPooling1d,
  maxPooling2d,
  type Model,
  type ModelOptions,
  ops,
  type Rows,
  separableConv1d,
  sequential,
  type SymbolicTensor,
  Tensor,
  tensor,
  TorteError,
  upSampling1d,
  zeroPadding1d,
} from "torte";
import { EVERY_LAYER, LAYER_NAMES, type LayerName } from "./every-layer.js";

const BACKENDS: readonly ModelOptions[] = [{ threads: 1 }, { threads: 2 }, { backend: "reference" }];
const each = BACKENDS.map((options) => ({ name: `${options.backend ?? "wasm"} ${options.threads ?? ""}`, options }));

const LENGTHS = [1, 2, 3, 5, 6, 9, 13];

function numbers(shape: readonly number[], seed: number, dtype: "float32" | "int32" = "float32"): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const value = (i: number): number => Math.sin(1 + seed + 2.3 * i);
  return dtype === "int32"
    ? new Tensor(
        Int32Array.from({ length: size }, (_, i) => Math.floor(4 + 4 * value(i))),
        shape,
        "int32",
      )
    : new Tensor(
        Float32Array.from({ length: size }, (_, i) => value(i)),
        shape,
        "float32",
      );
}

const expectClose = (actual: Tensor, expected: Tensor, digits: number): void => {
  expect(actual.shape).toEqual(expected.shape);
  actual.data.forEach((value, i) => {
    expect(value).toBeCloseTo(expected.data[i] ?? NaN, digits);
  });
};

/** The model of a layer over sequences, of one length or of any. */
function over(name: LayerName, length: number | null): Model {
  const { inputs, make } = EVERY_LAYER[name];
  const values = inputs().map(({ shape, dtype }) =>
    input({ shape: [length, ...shape.slice(2)], dtype: dtype === "int32" ? "int32" : "float32" }),
  );
  return functional({ inputs: values, outputs: make({ name: "tested" })(values), backend: "reference", seed: 3 });
}

/** Those that cannot honour a mask over the sequence, or have a weight of its length. */
const REFUSED: readonly LayerName[] = [
  "adaptiveAveragePooling1d",
  "adaptiveAveragePooling2d",
  "adaptiveAveragePooling3d",
  "adaptiveMaxPooling1d",
  "adaptiveMaxPooling2d",
  "adaptiveMaxPooling3d",
  "dense",
  "dot",
  "dropMask",
  "flatten",
  "lambda",
  "permute",
  "prelu",
  "repeatVector",
  "reshape",
  "spectralNormalization",
];

describe("every layer", () => {
  it.each(LAYER_NAMES)("%s", async (name) => {
    if (REFUSED.includes(name)) {
      expect(() => over(name, null)).toThrow(TorteError);
      expect(() => over(name, null)).toThrow(/tested/);
      return;
    }
    const open = over(name, null);
    expect(open.network.inputs[0]?.shape[1]).toBe(null);
    const weights = await open.getWeights();
    let compared = 0;
    // The interpreter takes its time over volumes.
    for (const length of name.includes("3d") ? [3, 4, 5, 6] : LENGTHS) {
      const x = open.network.inputs.map(({ shape, dtype }, i) =>
        numbers([3, length, ...shape.slice(2).map((n) => n ?? 1)], i, dtype === "int32" ? "int32" : "float32"),
      );
      let exact: Model;
      try {
        exact = over(name, length);
      } catch (error) {
        expect(error).toBeInstanceOf(TorteError);
        // What the exact length refuses is refused, too.
        await expect(open.predict(x)).rejects.toThrow(/tested/);
        continue;
      }
      compared++;
      await exact.setWeights(weights);
      expectClose(await open.predict(x), await exact.predict(x), 12);
    }
    expect(compared).toBeGreaterThan(2);
  });
});

const conv = fc.record({
  kernelSize: fc.integer({ min: 1, max: 5 }),
  strides: fc.integer({ min: 1, max: 4 }),
  dilationRate: fc.integer({ min: 1, max: 2 }),
  padding: fc.constantFrom("valid", "same", "causal"),
} as const);
const pool = fc.record({
  poolSize: fc.integer({ min: 1, max: 4 }),
  strides: fc.integer({ min: 1, max: 4 }),
  padding: fc.constantFrom("valid", "same"),
} as const);
type Make = () => LayerFunction;
const pieces: fc.Arbitrary<Make> = fc.oneof(
  conv.map(
    (options): Make =>
      () =>
        conv1d({ filters: 4, activation: "tanh", biasInitializer: "ones", ...options }),
  ),
  conv.map(
    (options): Make =>
      () =>
        depthwiseConv1d({ biasInitializer: "ones", ...options }),
  ),
  conv.map(
    (options): Make =>
      () =>
        separableConv1d({ filters: 4, ...options }),
  ),
  conv.map(
    (options): Make =>
      () =>
        conv1d({ filters: 4, groups: 2, ...options }),
  ),
  pool.map(
    (options): Make =>
      () =>
        maxPooling1d(options),
  ),
  pool.map(
    (options): Make =>
      () =>
        averagePooling1d(options),
  ),
  conv.map(
    ({ kernelSize, strides, padding }): Make =>
      () =>
        conv1dTranspose({ filters: 4, kernelSize, strides, padding: padding === "same" ? "same" : "valid" }),
  ),
  fc.constantFrom<Make>(
    () => upSampling1d({ size: 2 }),
    () => zeroPadding1d({ padding: [1, 2] }),
    () => cropping1d({ cropping: [1, 1] }),
    () => block("inner", [conv1d({ filters: 4, kernelSize: 3, strides: 2, padding: "same" }), dense({ units: 4 })]),
  ),
);

describe("stacks of windows", () => {
  const build = (makes: readonly Make[], length: number | null, options: ModelOptions, ends: readonly Make[]): Model =>
    sequential(input({ shape: [length, 4] }), ...makes.map((make) => make()), ...ends.map((make) => make()), options);

  it.each(each)("give what they give of the exact length, windows aligned by it, $name", async ({ options }) => {
    const digits = options.backend === "reference" ? 12 : 4;
    await fc.assert(
      fc.asyncProperty(
        fc.array(pieces, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 30 }),
        fc.constantFrom<readonly Make[]>([], [globalMaxPooling1d], [globalAveragePooling1d]),
        async (makes, length, ends) => {
          let exact: Model;
          try {
            exact = build(makes, length, options, ends);
          } catch (error) {
            fc.pre(!(error instanceof TorteError));
            throw error;
          }
          const open = build(makes, null, options, ends);
          await exact.setWeights(await open.getWeights());
          const x = numbers([2, length, 4], length);
          expectClose(await open.predict(x), await exact.predict(x), digits);
          await Promise.all([open.close(), exact.close()]);
        },
      ),
      { numRuns: options.backend === "reference" ? 60 : 4 },
    );
  });
});

describe("images and volumes whose first axis is open", () => {
  it.each<[string, readonly number[], Make]>([
    ["maxPooling2d", [4, 3], () => maxPooling2d({ poolSize: 3, strides: 2, padding: "same" })],
    ["averagePooling2d", [4, 3], () => averagePooling2d({ poolSize: 3, strides: 2, padding: "same" })],
    ["conv2d", [4, 3], () => conv2d({ filters: 2, kernelSize: 3, strides: [2, 1], padding: "same" })],
    ["depthwiseConv2d", [4, 3], () => depthwiseConv2d({ kernelSize: 3, strides: [3, 3], padding: "same" })],
    ["averagePooling3d", [4, 2, 3], () => averagePooling3d({ poolSize: 2, padding: "same" })],
    ["conv3d", [4, 2, 3], () => conv3d({ filters: 2, kernelSize: 2, strides: 2, padding: "same" })],
  ])("%s", async (_, rest, make) => {
    const build = (length: number | null): Model =>
      sequential(input({ shape: [length, ...rest] }), make(), { backend: "reference", seed: 1 });
    const open = build(null);
    for (const length of LENGTHS) {
      const x = numbers([2, length, ...rest], length);
      expectClose(await open.predict(x), await build(length).predict(x), 12);
    }
  });
});

const tokens = (length: number, rows = 4): Tensor =>
  new Tensor(
    Int32Array.from({ length: rows * length }, (_, i) => {
      const [row, at] = [Math.floor(i / length), i % length];
      // Every other row is shorter.
      return row % 2 === 1 && at >= length - 1 ? 0 : 1 + ((i * 7 + row) % 5);
    }),
    [rows, length],
    "int32",
  );

/** A label for each sequence, or one for each position. */
const tagger = (length: number | null, options: ModelOptions, byPosition: boolean): Model => {
  const made = sequential(
    input({ shape: [length], dtype: "int32" }),
    embedding({ inputDim: 6, outputDim: 4, maskZero: true }),
    conv1d({ filters: 4, kernelSize: 3, padding: "same", activation: "relu" }),
    ...(byPosition ? [] : [conv1d({ filters: 4, kernelSize: 3, strides: 2, padding: "same" }), globalMaxPooling1d()]),
    dense({ units: 1, activation: "sigmoid" }),
    { seed: 2, ...options },
  );
  made.compile({ optimizer: "adam", loss: "binaryCrossentropy", metrics: ["accuracy", "auroc"] });
  return made;
};

describe.each(each)("training, $name", ({ options }) => {
  const digits = options.backend === "reference" ? 10 : 4;
  const lengths = [5, 9, 5, 12, 3];
  const batch = (length: number, byPosition: boolean, i: number): { x: Tensor; y: Tensor; sampleWeight: Tensor } => {
    const x = tokens(length);
    const shape = byPosition ? [4, length, 1] : [4, 1];
    const y = tensor(
      Float32Array.from({ length: byPosition ? 4 * length : 4 }, (_, k) => (k + i) % 2),
      { shape },
    );
    return { x, y, sampleWeight: tensor(Float32Array.of(1, 2, 0.5, 1)) };
  };

  it.each([false, true])(
    "on batches of different lengths is that of the exact lengths; by position: %s",
    async (by) => {
      const open = tagger(null, options, by);
      const batches = (): Rows[] => lengths.map((length, i) => batch(length, by, i));
      const first = await open.getWeights();
      await open.fit(batches, { epochs: 2 });
      // trainOnBatch takes each batch at its own length.
      const exact = tagger(null, options, by);
      await exact.setWeights(first);
      for (let epoch = 0; epoch < 2; epoch++)
        for (const [i, length] of lengths.entries()) await exact.trainOnBatch(batch(length, by, i));
      const [a, b] = [await open.getWeights(), await exact.getWeights()];
      for (const [name, value] of Object.entries(a)) expectClose(value, b[name] ?? value, digits);
      for (const [i, length] of lengths.entries()) {
        const single = tagger(length, options, by);
        await single.setWeights(a);
        const rows = batch(length, by, i);
        const [wanted, given] = [await single.evaluate(rows), await open.evaluate(rows)];
        for (const [figure, value] of Object.entries(given)) expect(value).toBeCloseTo(wanted[figure] ?? NaN, digits);
        expectClose(await open.predict(rows.x), await single.predict(rows.x), digits);
        const [one, other] = [
          await open.gradients({ x: rows.x, y: rows.y }),
          await single.gradients({ x: rows.x, y: rows.y }),
        ];
        for (const [name, value] of Object.entries(one.weights))
          expectClose(value, other.weights[name] ?? value, digits);
        await single.close();
      }
      await Promise.all([open.close(), exact.close()]);
    },
  );

  it("on rows in memory is that of a model of their length", async () => {
    const [open, single] = [tagger(null, options, false), tagger(9, options, false)];
    await single.setWeights(await open.getWeights());
    const rows = batch(9, false, 0);
    const options_ = { epochs: 3, batchSize: 2, validationData: rows };
    const [given, wanted] = [await open.fit(rows, options_), await single.fit(rows, options_)];
    expect(given.epochs).toEqual(wanted.epochs);
    expect(Object.values(await open.getWeights())).toEqual(Object.values(await single.getWeights()));
    await Promise.all([open.close(), single.close()]);
  });
});

describe("an open axis", () => {
  const sequence = (): SymbolicTensor => input({ shape: [null, 4] });

  it("is shown as open, and stays in a file", async () => {
    const model = sequential(
      input({ shape: [null, 4] }),
      conv1d({ filters: 3, kernelSize: 3, strides: 2, padding: "same" }),
      globalMaxPooling1d(),
      dense({ units: 2 }),
      { backend: "reference" },
    );
    expect(model.network.values.map(({ shape }) => shape)).toEqual([
      [null, null, 4],
      [null, null, 3],
      [null, 3],
      [null, 2],
    ]);
    expect(model.summary()).toMatch(/conv1d \(Conv1D\) +\(None, None, 3\)/);
    const again = await loadModel(await model.save(), { backend: "reference" });
    for (const length of [4, 11]) {
      const x = numbers([2, length, 4], 1);
      expect(await again.predict(x)).toEqual(await model.predict(x));
    }
    expect(again.summary()).toBe(model.summary());
  });

  it("compiles few lengths", async () => {
    const model = sequential(input({ shape: [null, 4] }), conv1d({ filters: 3, kernelSize: 3 }), globalMaxPooling1d(), {
      threads: 1,
    });
    const inputs = function* (): Generator<Tensor> {
      for (let length = 3; length < 60; length++) yield numbers([2, length, 4], length);
    };
    expect((await model.predict(inputs)).shape).toEqual([114, 3]);
    await model.close();
  });

  it.each<[string, () => unknown, string]>([
    ["flatten", () => flatten()(sequence()), "flatten: the layer cannot honour the mask of an open axis"],
    ["what is inside a block", () => block("inner", [dropMask(), globalMaxPooling1d()])(sequence()), "inner/drop_mask"],
    ["a weight of its length", () => dense({ units: 2 })(flatten()(sequence())), "flatten"],
    [
      "a layer of one's own that loses the mask",
      () =>
        layerFunction({ kind: "mine", options: {}, endsMask: true, call: ([x]) => ({ value: x!.value }) })(sequence()),
      "mine: the layer cannot honour the mask of an open axis",
    ],
    ["a function", () => lambda((x) => ops.mul(x, 2))(sequence()), "lambda: the layer cannot honour the mask"],
    ["another axis", () => input({ shape: [4, null] }), "input: shape is out of range"],
  ])("refuses %s", (_, make, message) => {
    expect(make).toThrow(message);
  });

  it("refuses what needs a length, and sequences of several lengths at once", async () => {
    const [a, b] = [sequence(), sequence()];
    const pooled = globalMaxPooling1d();
    const model = functional({ inputs: [a, b], outputs: dense({ units: 1 })(pooled(a)), backend: "reference" });
    await expect(model.predict([numbers([2, 3, 4], 1), numbers([2, 5, 4], 1)])).rejects.toThrow(
      "the sequences of its inputs differ in length",
    );
    expect(() => model.explain()).toThrow("the length of the input is open");
    expect(() => model.network.inputSpecs).toThrow("the length of the input is open, and this needs one");
    await expect(model.predict([numbers([2, 3, 5], 1), numbers([2, 3, 5], 1)])).rejects.toThrow(
      "the data does not have the shape of the input",
    );
  });
});
