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

  it("has blocks, residual blocks, wrappers, models as layers, shared layers and masks", async () => {
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
    await expect(loadModel(changed('"units":2', '"units":5'))).rejects.toThrow(
      'loadModel: the layer "dense" gives another shape than the file says: expected (None, 2), received (None, 5).',
    );
    const wider = text.replace('"units":2', '"units":5').replace('"shape":[null,2]', '"shape":[null,5]');
    await expect(loadModel(formatSafetensors(tensors, { "torte-model": wider }))).rejects.toThrow(
      "dense.kernel: the weight has another shape: expected (3, 5), received (3, 2).",
    );
    const fewer = Object.fromEntries(Object.entries(tensors).filter(([name]) => name !== "dense.bias"));
    await expect(loadModel(formatSafetensors(fewer, metadata))).rejects.toThrow(
      "loadModel: weights of the model are missing: expected dense.bias, received dense.kernel.",
    );
    await expect(loadModel(formatSafetensors({ ...tensors, odd: tensor([1]) }, metadata))).rejects.toThrow(
      "loadModel: the file has weights that the model does not have: received odd.",
    );
  });
});

/** A file whose description is written by hand. */
const described = (layers: readonly object[], calls: readonly object[], outputs = [calls.length]): Uint8Array => {
  const inputs = [{ name: "x", shape: [4], dtype: "float32" }];
  const head = { format: "torte-model", version: 1, name: "m", seed: 0, listed: false, parameters: 0 };
  return formatSafetensors(
    {},
    { "torte-model": JSON.stringify({ ...head, layers, network: { inputs, calls, outputs } }) },
  );
};
const call = (layer: number, ...from: number[]) => ({ layer, from, shape: [null, 4] });
const layer = (name: string, kind: string, more: object = {}) => ({
  name,
  kind,
  options: {},
  trainable: true,
  weights: {},
  ...more,
});
const within = (calls: readonly object[]) => ({
  network: { inputs: [{ name: "input", shape: [4], dtype: "float32" }], calls, outputs: [calls.length] },
});

describe("a hostile file", () => {
  it("is refused soon, and before anything of its size is there", async () => {
    const blocks = (count: number, calls: (next: number) => readonly object[]) =>
      Array.from({ length: count }, (_, i) =>
        i === count - 1 ? layer(`b${i}`, "identity") : layer(`b${i}`, "block", within(calls(i + 1))),
      );
    const huge = layer("d", "dense", { options: { units: 1e8 } });
    const cases: [string, Uint8Array, RegExp][] = [
      [
        "blocks that contain each other",
        described([layer("a", "block", within([call(1, 0)])), layer("b", "block", within([call(0, 0)]))], [call(0, 0)]),
        /^loadModel: the description is corrupt: layer 0 is part of itself\.$/,
      ],
      [
        "a layer around itself",
        described([layer("a", "timeDistributed", { options: { layer: { $layer: 0 } } })], [call(0, 0)]),
        /layer 0 is part of itself/,
      ],
      [
        "blocks that each call the next twice",
        described(
          blocks(30, (next) => [call(next, 0), call(next, 1)]),
          [call(0, 0)],
        ),
        /^loadModel: the description shares layers within layers too often: expected at most \d+ applications of layers in all, received 1073741823\.$/,
      ],
      [
        "blocks in blocks in blocks",
        described(
          blocks(5000, (next) => [call(next, 0)]),
          [call(0, 0)],
        ),
        /layers are nested more than 100 deep/,
      ],
      [
        "10⁸ units that are not there",
        described([huge], [{ ...call(0, 0), shape: [null, 1e8] }]),
        /^loadModel: weights of the model are missing: expected d\.kernel, d\.bias, received none\.$/,
      ],
      [
        "a value of the future",
        described([layer("a", "identity")], [call(0, 1)]),
        /value 1 is used before it is there/,
      ],
      ["an output that is not there", described([layer("a", "identity")], [call(0, 0)], [7]), /value 7 is used before/],
      [
        "no outputs",
        described([layer("a", "identity")], [call(0, 0)], []),
        /corrupt at network\.outputs: expected a list of at/,
      ],
      [
        "a kind that objects have anyway",
        described([layer("a", "constructor")], [call(0, 0)]),
        /is of the unknown kind "constructor"/,
      ],
      [
        "a kind that is none of a name",
        described([layer("a", "__proto__")], [call(0, 0)]),
        /the unknown kind "__proto__"/,
      ],
      [
        "a name that a terminal obeys",
        described([layer("\u001b[2Ja", "identity")], [call(0, 0)]),
        /corrupt at layers\[0\]\.name: expected a name of 1 to 1000 letters on one line, received "\\u001b\[2Ja"\.$/,
      ],
      [
        "windows without number",
        described([layer("a", "adaptiveMaxPooling1d", { options: { outputSize: 1e9 } })], [call(0, 0)]),
        /outputSize is out of range: expected a number at most 4096/,
      ],
    ];
    for (const [what, bytes, message] of cases) {
      const before = process.memoryUsage();
      const started = performance.now();
      await expect(loadModel(bytes), what).rejects.toThrow(message);
      expect(performance.now() - started, what).toBeLessThan(1000);
      const { arrayBuffers, heapUsed } = process.memoryUsage();
      expect(arrayBuffers - before.arrayBuffers, what).toBeLessThan(1e7);
      expect(heapUsed - before.heapUsed, what).toBeLessThan(1e8);
    }
  });

  it("is refused with a key twice, or lists within lists", async () => {
    const text = (json: string) => loadModel(formatSafetensors({}, { "torte-model": json }));
    await expect(text('{"format":"torte-model","version":2,"version":1}')).rejects.toThrow(
      'loadModel: description: the key "version" comes twice in one object.',
    );
    await expect(text("[".repeat(1e5))).rejects.toThrow("loadModel: description: the JSON is nested too deeply");
  });

  it("that is none is loaded: layers nested and shared as far as people do", async () => {
    const deep = Array.from({ length: 60 }).reduce<LayerFunction>(
      (inner, _, i) => block(`b${i}`, [inner]),
      dense({ units: 3 }),
    );
    const x = input({ shape: [3] });
    const outputs = Array.from({ length: 200 }).reduce<typeof x>((value) => deep(value), x);
    const model = functional({ inputs: x, outputs, ...REFERENCE });
    expect((await loadModel(await model.save(), REFERENCE)).countParams()).toBe(12);
  });
});

describe("weights in a file", () => {
  it("are loaded where they fit, with a report, where that is asked for", async () => {
    const model = (units: number) =>
      sequential(
        input({ shape: [3] }),
        dense({ units: 4, name: "a" }),
        dense({ units, name: "b" }),
        dense({ units: 1 }),
        {
          seed: units,
        },
      );
    const [from, to] = [model(2), model(5)];
    const before = await to.getWeights();
    const file = formatSafetensors({ ...(await from.getWeights()), extra: tensor([1]) });
    await expect(to.loadWeights(file)).rejects.toThrow(
      "b.kernel: the weight has another shape: expected (4, 5), received (4, 2). To set only the weights that fit, give { strict: false }.",
    );
    expect(await to.getWeights()).toEqual(before);
    expect(await to.loadWeights(file, { strict: false })).toEqual({
      loaded: ["a.kernel", "a.bias", "dense.bias"],
      missing: [],
      unexpected: ["extra"],
      mismatched: [
        { name: "b.kernel", expected: [4, 5], received: [4, 2] },
        { name: "b.bias", expected: [5], received: [2] },
        { name: "dense.kernel", expected: [5, 1], received: [2, 1] },
      ],
    });
    const [given, after] = [await from.getWeights(), await to.getWeights()];
    expect(after["a.kernel"]).toEqual(given["a.kernel"]);
    expect(after["b.kernel"]).toEqual(before["b.kernel"]);
    const part = formatSafetensors({ "a.bias": tensor([1, 2, 3, 4]) });
    expect(await to.loadWeights(part, { strict: false })).toMatchObject({
      loaded: ["a.bias"],
      missing: ["a.kernel", "b.kernel", "b.bias", "dense.kernel", "dense.bias"],
    });
    await expect(to.loadWeights(part, { strikt: false } as object)).rejects.toThrow(/unknown option "strikt"/);
    const large = formatSafetensors({ "a.bias": tensor([1, 1e300, 3, 4], { dtype: "float64" }) });
    await expect(to.loadWeights(large, { strict: false })).rejects.toThrow(
      "a.bias: element 1 is too large for float32: expected -3.4e38 to 3.4e38, received 1e+300.",
    );
    expect(await from.loadWeights(await from.saveWeights())).toMatchObject({
      missing: [],
      unexpected: [],
      mismatched: [],
    });
  });

  it("are set without values that nobody needs", async () => {
    const model = sequential(
      input({ shape: [2] }),
      dense({
        units: 1,
        kernelInitializer: () => {
          throw new Error("asked for first values");
        },
      }),
    );
    await model.setWeights({ "dense.kernel": tensor([[1], [2]]), "dense.bias": tensor([3]) });
    expect([...(await model.predict(tensor([[10, 100]]))).data]).toEqual([213]);
  });

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
