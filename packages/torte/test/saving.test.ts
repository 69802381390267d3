/** What is saved is what is loaded: architecture and weights. */
import { describe, expect, it } from "vitest";
import {
  activation,
  activations,
  add,
  asFunction,
  block,
  batchNormalization,
  concatenate,
  conv1d,
  dense,
  dropout,
  embedding,
  flatten,
  formatSafetensors,
  functional,
  globalMaxPooling1d,
  initializers,
  input,
  lambda,
  Layer,
  type LayerDefinition,
  layerFunction,
  type LayerFunction,
  loadModel,
  masked,
  maxNorm,
  type Model,
  ops,
  parseSafetensors,
  regularizers,
  residual,
  sequential,
  spectralNormalization,
  Tensor,
  tensor,
  timeDistributed,
} from "torte";

const REFERENCE = { backend: "reference" } as const;

function numbers(shape: readonly number[], seed = 1): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return new Tensor(
    Float64Array.from({ length: size }, (_, i) => Math.sin(seed + 3 * i)),
    shape,
    "float64",
  );
}

/** The model once more, from its file; predictions and weights must be the same. */
async function again(model: Model, x: Tensor, layers = {}): Promise<Model> {
  const bytes = await model.save();
  const loaded = await loadModel(bytes, { layers, backend: "reference" });
  expect(loaded.summary()).toBe(model.summary());
  expect(await loaded.getWeights()).toEqual(await model.getWeights());
  expect((await loaded.predict(x)).data).toEqual((await model.predict(x)).data);
  expect(loaded.describe()).toEqual(model.describe());
  return loaded;
}

describe("a model in a file", () => {
  it("has the functions that the library made, by name and argument", async () => {
    const model = sequential(
      input({ shape: [6] }),
      dense({
        units: 5,
        activation: activations.gelu({ mu: 0.5, sigma: 2 }),
        kernelRegularizer: regularizers.l2(0.25),
        biasRegularizer: regularizers.l1l2({ l1: 0.5 }),
        kernelInitializer: initializers.randomUniform({ minval: 1, maxval: 2 }),
        kernelConstraint: maxNorm({ maxValue: 3 }),
        activityRegularizer: "l1",
      }),
      activation(activations.leakyRelu(0.4)),
      dense({ units: 2, activation: activations.relu, name: "last", trainable: false }),
      REFERENCE,
    );
    const loaded = await again(model, numbers([4, 6]));
    const data = { x: numbers([4, 6]), y: numbers([4, 2]) };
    for (const each of [model, loaded]) each.compile({ loss: "meanSquaredError" });
    expect(await loaded.evaluate(data)).toEqual(await model.evaluate(data));
    await loaded.fit(data);
    expect((await loaded.getWeights())["last.kernel"]).toEqual((await model.getWeights())["last.kernel"]);
  });

  it("has blocks, residues, wrappers, models as layers, shared layers and masks", async () => {
    const tokens = input({ shape: [12], dtype: "int32", name: "tokens" });
    const shared = dense({ units: 4, activation: "tanh" });
    const looked = embedding({ inputDim: 9, outputDim: 4, maskZero: true })(tokens);
    const inner = sequential(input({ shape: [12, 4] }), dense({ units: 4 }), { name: "inner" });
    const body = block("conv block", [conv1d({ filters: 4, kernelSize: 3, padding: "same" }), dropout({ rate: 0.2 })]);
    const around = residual([shared], { project: [dense({ units: 4, useBias: false })] });
    const wide = concatenate()([shared(looked), around(body(body(looked))), inner.asLayer()(looked)]);
    const steps = timeDistributed(spectralNormalization(dense({ units: 3 })))(wide);
    const model = functional({ inputs: tokens, outputs: globalMaxPooling1d()(steps), ...REFERENCE });
    const x = tensor(
      [
        [1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0],
        [8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 0, 0],
      ],
      { dtype: "int32" },
    );
    const loaded = await again(model, x);
    expect(loaded.countParams()).toBe(model.countParams());
    expect(loaded.network.inputs[0]?.dtype).toBe("int32");
  });

  it("has layers of your own, by function and by subclass", async () => {
    class Scaled extends Layer {
      constructor(options: LayerDefinition["options"] & { readonly from: number }) {
        super({
          kind: "scaled",
          options,
          call: ([x], scope) => {
            if (x === undefined) throw new RangeError("no input");
            const initializer = initializers.constant({ value: options.from });
            return masked(
              ops.mul(x.value, scope.weight("scale", [1], { initializer, regularizer: regularizers.l2() })),
              x.mask,
            );
          },
        });
      }
    }
    const scaled = (options: ConstructorParameters<typeof Scaled>[0]): LayerFunction => asFunction(new Scaled(options));
    const square = (options: { name?: string } = {}): LayerFunction =>
      layerFunction({
        kind: "square",
        options,
        call: ([x]) => masked(ops.square(x?.value ?? ops.constant(0)), x?.mask),
      });
    const looked = embedding({ inputDim: 9, outputDim: 4, maskZero: true })(input({ shape: [3], dtype: "int32" }));
    expect(scaled({ from: 3 })(looked).masked).toBe(true);

    const model = sequential(input({ shape: [3] }), scaled({ from: 3 }), square(), REFERENCE);
    expect(model.summary()).toContain("scaled (Scaled)");
    await model.setWeights({ "scaled.scale": tensor([5]) });
    await again(model, numbers([2, 3]), { scaled, square });
    await expect(loadModel(await model.save())).rejects.toThrow(
      'loadModel: the layer "scaled" is of the unknown kind "scaled": expected a layer of this library, or one of the layers ' +
        "given, received none. Give loadModel its factory: layers: { scaled: (options) => … }.",
    );
  });

  it("has several inputs and outputs", async () => {
    const [a, b] = [input({ shape: [2], name: "a" }), input({ shape: [2], name: "b" })];
    const sum = add()([a, b]);
    const model = functional({ inputs: [b, a], outputs: [dense({ units: 1 })(sum), sum], ...REFERENCE });
    const x = [numbers([3, 2], 1), numbers([3, 2], 2)];
    const loaded = await loadModel<readonly Tensor[]>(await model.save(), REFERENCE);
    const outputs = await model.predict(x);
    expect(outputs.map(({ shape }) => shape)).toEqual([
      [3, 1],
      [3, 2],
    ]);
    expect(await loaded.predict(x)).toEqual(outputs);
    expect(loaded.network.inputSpecs.map(({ name }) => name)).toEqual(["b", "a"]);
  });

  it("keeps texts beside it, and frozen layers frozen", async () => {
    const model = sequential(input({ shape: [3] }), dense({ units: 2 }), batchNormalization());
    model.trainable = false;
    const bytes = await model.save({ metadata: { made: "for a test" } });
    expect(parseSafetensors(bytes).metadata["made"]).toBe("for a test");
    const loaded = await loadModel(bytes);
    expect(loaded.trainable).toBe(false);
    expect(loaded.summary()).toContain("Trainable params: 0");
  });

  it("cannot hold functions of your own", async () => {
    const fix =
      "expected numbers, texts, lists, layers, and functions that this library has made, received a function. Make it a " +
      "layer of its own with layerFunction({ kind, options, call }), and give its factory to loadModel, layers: { kind: factory }.";
    const own = sequential(input({ shape: [3] }), dense({ units: 2, activation: (x) => ops.square(x), name: "odd" }));
    await expect(own.save()).rejects.toThrow(`odd: a file cannot hold activation: ${fix}`);
    const half = sequential(
      input({ shape: [3] }),
      lambda((x) => ops.mul(x, 0.5)),
    );
    await expect(half.save()).rejects.toThrow(`lambda: a file cannot hold function: ${fix}`);
    expect(JSON.stringify(half.describe())).toContain("$unknown");
  });

  it("is refused where it is none", async () => {
    const weights = formatSafetensors({ "dense.kernel": tensor([[1]]) });
    await expect(loadModel(weights)).rejects.toThrow(
      "loadModel: the file has weights, but no model: expected a file that model.save has made. Build the model and give it the file with model.loadWeights.",
    );
    const later = formatSafetensors({}, { "torte-model": JSON.stringify({ format: "torte-model", version: 2 }) });
    await expect(loadModel(later)).rejects.toThrow(
      "loadModel: the description is of an unknown version: expected version 1, received 2. Read it with the version of torte that wrote it, or a later one.",
    );
    for (const text of ["{", "[]", JSON.stringify({ format: "torte-model", version: 1, layers: 3 })])
      await expect(loadModel(formatSafetensors({}, { "torte-model": text }))).rejects.toThrow(/description/);
    const model = sequential(input({ shape: [3] }), dense({ units: 2 }));
    const { tensors, metadata } = parseSafetensors(await model.save());
    const text = metadata["torte-model"] ?? "";
    const changed = (from: string, to: string) => formatSafetensors(tensors, { "torte-model": text.replace(from, to) });
    await expect(loadModel(changed('"layer":0', '"layer":7'))).rejects.toThrow(
      "loadModel: the description is corrupt: there is no layer 7.",
    );
    await expect(loadModel(changed('"units":2', '"units":0'))).rejects.toThrow(/dense: units is out of range/);
    await expect(loadModel(changed('"units":2', '"units":5'))).rejects.toThrow(/the weight has another shape/);
    const fewer = Object.fromEntries(Object.entries(tensors).filter(([name]) => name !== "dense.bias"));
    await expect(loadModel(formatSafetensors(fewer, metadata))).rejects.toThrow(
      "loadWeights: weights of the model are missing: expected dense.bias, received dense.kernel.",
    );
    await expect(loadModel(formatSafetensors({ ...tensors, odd: tensor([1]) }, metadata))).rejects.toThrow(
      'loadModel: the file has a weight "odd" that its layers do not have: expected dense.kernel, dense.bias.',
    );
  });
});

describe("weights in a file", () => {
  it("are all there, or refused", async () => {
    const make = (units: number) => sequential(input({ shape: [3] }), dense({ units }), flatten());
    const [one, other] = [make(2), sequential(input({ shape: [3] }), dense({ units: 2 }), { seed: 5 })];
    await other.loadWeights(await one.saveWeights());
    expect(await other.getWeights()).toEqual(await one.getWeights());
    await expect(make(4).loadWeights(await one.saveWeights())).rejects.toThrow(
      "dense.kernel: the weight has another shape: expected (3, 4), received (3, 2).",
    );
  });
});

describe("models with layers in common", () => {
  it("have their weights in common", async () => {
    const x = input({ shape: [4] });
    const code = dense({ units: 2, name: "code" })(x);
    const whole = functional({ inputs: x, outputs: dense({ units: 4 })(code) });
    const encoder = functional({ inputs: x, outputs: code });
    const before = await encoder.predict(numbers([3, 4]));
    whole.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await whole.fit({ x: numbers([3, 4]), y: numbers([3, 4]) }, { epochs: 5 });
    const after = await encoder.predict(numbers([3, 4]));
    expect(after.data).not.toEqual(before.data);
    expect((await encoder.getWeights())["code.kernel"]).toEqual((await whole.getWeights())["code.kernel"]);
    await whole.close();
    expect((await encoder.predict(numbers([3, 4]))).data).toEqual(after.data);
  });

  it("can be put together and frozen", async () => {
    const base = sequential(input({ shape: [4] }), dense({ units: 3, name: "features" }), { name: "base" });
    const trained = tensor(
      Array.from({ length: 12 }, (_, i) => i / 12),
      { shape: [4, 3] },
    );
    await base.setWeights({ "features.kernel": trained });
    const model = sequential(
      input({ shape: [4] }),
      base.asLayer({ trainable: false, name: "base" }),
      dense({ units: 1 }),
    );
    expect((await model.getWeights())["base/features.kernel"]).toEqual(trained);
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    const data = { x: numbers([5, 4]), y: numbers([5, 1]) };
    await model.fit(data, { epochs: 2 });
    expect((await base.getWeights())["features.kernel"]).toEqual(trained);
    model.trainable = false;
    await expect(model.fit(data)).rejects.toThrow(
      "fit: other layers are trainable than when the model was compiled. Call model.compile again after freezing or releasing layers.",
    );
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await model.fit(data);
    expect((await model.getWeights())["base/features.kernel"]).toEqual(trained);
  });

  it("on another backend begin with the values that are there", async () => {
    const x = input({ shape: [4] });
    const y = dense({ units: 2 })(x);
    const compiled = functional({ inputs: x, outputs: y });
    await compiled.setWeights({ "dense.bias": tensor([7, 8]) });
    const reference = functional({ inputs: x, outputs: y, ...REFERENCE });
    expect([...((await reference.getWeights())["dense.bias"]?.data ?? [])]).toEqual([7, 8]);
  });
});
