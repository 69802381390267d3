/** A saved model goes on with its training, and keeps what is given it beside. */
import {
  adam,
  categoryLookup,
  cosineDecay,
  dense,
  dropout,
  encoderFromJSON,
  type EncoderDescription,
  formatSafetensors,
  functional,
  huber,
  input,
  loadModel,
  type Loss,
  metrics,
  type Model,
  type ModelOptions,
  ops,
  parseSafetensors,
  sensitivityAtSpecificity,
  sequential,
  sgd,
  tensor,
  type Tensor,
} from "torte";
import { describe, expect, it } from "vitest";

const REFERENCE = { backend: "reference" } as const;
const numbers = (rows: number, columns: number, seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 3 * i)),
    { shape: [rows, columns] },
  );
const data = { x: numbers(12, 3, 1), y: numbers(12, 1, 2) };

function small(options: ModelOptions = {}): Model {
  return sequential(
    input({ shape: [3] }),
    dense({ units: 4, activation: "tanh" }),
    dropout({ rate: 0.3 }),
    dense({ units: 1 }),
    {
      seed: 7,
      ...options,
    },
  );
}

const bits = async (model: Model): Promise<unknown> => model.getWeights();

describe("a model that was saved while it was trained", () => {
  it.each([
    ["adam with a schedule, averages and accumulation, on the engine", {}],
    ["the same on the interpreter", REFERENCE],
  ])("goes on as if nothing had come between: %s", async (_, options) => {
    const make = (): Model => {
      const model = small(options);
      model.compile({
        optimizer: adam({
          learningRate: cosineDecay({ initialLearningRate: 0.05, decaySteps: 20 }),
          useEma: true,
          gradientAccumulationSteps: 2,
        }),
        loss: huber({ delta: 0.7 }),
        metrics: ["meanAbsoluteError", metrics.r2Score()],
      });
      return model;
    };
    const [whole, first] = [make(), make()];
    await whole.fit(data, { epochs: 2, batchSize: 5 });
    const expected = await whole.fit(data, { epochs: 2, batchSize: 5 });
    await first.fit(data, { epochs: 2, batchSize: 5 });
    const second = await loadModel(await first.save(), options);
    expect(second.leftOut).toEqual([]);
    expect(second.progress).toEqual(first.progress);
    const history = await second.fit(data, { epochs: 2, batchSize: 5 });
    expect(history.epochs).toEqual(expected.epochs);
    expect(await bits(second)).toEqual(await bits(whole));
    expect(second.progress).toEqual(whole.progress);
    expect(second.progress).toMatchObject({ epochs: 4, updates: 8 });
    expect(second.progress.history.slice(2)).toEqual(history.epochs);
  });

  it("knows what each of several outputs was compiled for", async () => {
    const x = input({ shape: [3] });
    const outputs = [dense({ units: 1, name: "a" })(x), dense({ units: 2, activation: "softmax", name: "b" })(x)];
    const model = functional({ inputs: x, outputs, ...REFERENCE });
    model.compile({
      optimizer: sgd({ momentum: 0.9 }),
      loss: { a: "meanSquaredError", b: "categoricalCrossentropy" },
      lossWeights: { b: 0.25 },
      metrics: { b: ["accuracy", sensitivityAtSpecificity({ specificity: 0.5, name: "found" })] },
    });
    const both = { x: data.x, y: [data.y, tensor(Array.from({ length: 12 }, (_, i) => [i % 2, 1 - (i % 2)]))] };
    await model.fit(both, { batchSize: 4 });
    const loaded = await loadModel<readonly Tensor[]>(await model.save(), REFERENCE);
    expect(await loaded.evaluate(both)).toEqual(await model.evaluate(both));
    expect((await loaded.fit(both, { batchSize: 4 })).epochs).toEqual((await model.fit(both, { batchSize: 4 })).epochs);
  });

  it("is loaded to begin anew where that is asked for, and saved without what training needs", async () => {
    const model = small(REFERENCE);
    model.compile({ optimizer: adam(), loss: "meanSquaredError" });
    await model.fit(data);
    const [full, bare] = [await model.save(), await model.save({ training: false })];
    expect(Object.keys(parseSafetensors(bare).tensors)).toEqual([...model.network.weights.keys()]);
    expect(bare.length).toBeLessThan(full.length);
    for (const loaded of [await loadModel(full, { ...REFERENCE, training: false }), await loadModel(bare, REFERENCE)]) {
      await expect(loaded.fit(data)).rejects.toThrow("fit: the model is not compiled");
      expect(loaded.progress).toEqual({ epochs: 0, updates: 0, history: [] });
      expect(await loaded.getWeights()).toEqual(await model.getWeights());
    }
    const other = small(REFERENCE);
    expect((await other.loadWeights(full)).unexpected).toEqual([]);
    expect(await other.getWeights()).toEqual(await model.getWeights());
  });

  it("says by name what it could not hold, and goes on once it is compiled with it again", async () => {
    const own = (target: Parameters<Loss["call"]>[0], p: Parameters<Loss["call"]>[0]) =>
      ops.mean(ops.square(ops.sub(target, p)), { axes: [-1] });
    const compile = (model: Model): Model => {
      model.compile({ optimizer: adam({ learningRate: (t) => 0.1 / (1 + t) }), loss: own });
      return model;
    };
    const [whole, first] = [compile(small(REFERENCE)), compile(small(REFERENCE))];
    await whole.fit(data);
    const expected = await whole.fit(data);
    await first.fit(data);
    const loaded = await loadModel(await first.save(), REFERENCE);
    expect(loaded.leftOut).toEqual(["adam, learningRate: a function of your own", "loss own: a loss of your own"]);
    await expect(loaded.fit(data)).rejects.toThrow("fit: the model is not compiled");
    expect((await compile(loaded).fit(data)).epochs).toEqual(expected.epochs);
    // Compiled anew, the optimizer begins anew, as ever.
    loaded.compile({ optimizer: adam(), loss: own });
    await loaded.fit(data);
    expect(loaded.progress.updates).toBe(1);
  });

  it("does not take a changed copy of a loss for the loss", async () => {
    const model = small(REFERENCE);
    const changed = {
      ...huber(),
      call: (y: Parameters<Loss["call"]>[0], p: Parameters<Loss["call"]>[0]) =>
        ops.mean(ops.abs(ops.sub(y, p)), { axes: [-1] }),
    };
    model.compile({ loss: changed, metrics: [{ ...metrics.mean(), direction: "max" }] });
    expect((await loadModel(await model.save(), REFERENCE)).leftOut).toEqual([
      "loss huber: a loss of your own",
      "metric mean: a metric of your own",
    ]);
  });

  it("is refused where what it has of training is corrupt", async () => {
    const model = small(REFERENCE);
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await model.fit(data);
    const { tensors, metadata } = parseSafetensors(await model.save());
    const facts = JSON.parse(metadata["torte-training"] ?? "") as object;
    const changed = (change: object): Uint8Array =>
      formatSafetensors(tensors, { ...metadata, "torte-training": JSON.stringify({ ...facts, ...change }) });
    const load = (change: object) => loadModel(changed(change), REFERENCE);
    await expect(load({ version: 2 })).rejects.toThrow("of an unknown version: expected version 1, received 2");
    await expect(load({ epochs: -1 })).rejects.toThrow("corrupt at epochs: expected a whole number from 0");
    await expect(load({ states: { m: "nowhere" } })).rejects.toThrow('an array of training is missing: "m"');
    await expect(
      load({ compile: { optimizer: { kind: "none", options: {} }, loss: null, lossWeights: {}, metrics: [] } }),
    ).rejects.toThrow('optimizer: there is no "none"');
    expect(await (await loadModel(changed({ version: 2 }), { ...REFERENCE, training: false })).getWeights()).toEqual(
      await model.getWeights(),
    );
  });
});

describe("what goes with a model", () => {
  it("comes back, and goes on with it when it is saved again", async () => {
    const lookup = categoryLookup().fit(["no", "yes"]);
    const model = small(REFERENCE);
    const loaded = await loadModel(
      await model.save({ extras: { labels: ["no", "yes"], lookup, __proto__: null } }),
      REFERENCE,
    );
    expect(loaded.extras).toEqual({ labels: ["no", "yes"], lookup: JSON.parse(JSON.stringify(lookup)) as unknown });
    expect(encoderFromJSON(loaded.extras["lookup"] as unknown as EncoderDescription)).toBeDefined();
    expect((await loadModel(await loaded.save(), REFERENCE)).extras).toEqual(loaded.extras);
    expect((await loadModel(await loaded.save({ extras: {} }), REFERENCE)).extras).toEqual({});
  });

  it.each([
    [{ a: { b: [1, NaN] } }, "save: extras.a.b[1] is no number that JSON has"],
    [{ f: () => 1 }, "save: extras.f is nothing that JSON has"],
    [{ d: new Map() }, "save: extras.d is nothing that JSON has"],
    [[1], "save: extras has the wrong type: expected an object, received [1]."],
  ])("is refused where JSON cannot hold it: %o", async (extras, message) => {
    await expect(small(REFERENCE).save({ extras: extras as Record<string, unknown> })).rejects.toThrow(message);
  });

  it("does not take the library's own names for metadata", async () => {
    await expect(small(REFERENCE).save({ metadata: { "torte-model": "x" } })).rejects.toThrow(
      'save: metadata "torte-model" is a name of the library\'s own.',
    );
  });

  it("is refused where the file has something else in its place", async () => {
    const { tensors, metadata } = parseSafetensors(await small(REFERENCE).save({ extras: { a: 1 } }));
    const load = (extras: string) =>
      loadModel(formatSafetensors(tensors, { ...metadata, "torte-extras": extras }), REFERENCE);
    await expect(load("[]")).rejects.toThrow("loadModel: the extras are corrupt: expected an object, received [].");
    await expect(load('{"a":1,"a":2}')).rejects.toThrow('the key "a" comes twice');
  });
});
