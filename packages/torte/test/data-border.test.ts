/** What reaches the engine is what the arrays hold when they are given, looked at by the rules of the mathematics. */
import { describe, expect, it } from "vitest";
import {
  binaryCrossentropy,
  type Callback,
  conv1d,
  Dataset,
  dense,
  dropout,
  embedding,
  flatten,
  functional,
  globalAveragePooling1d,
  type History,
  initializers,
  input,
  lambda,
  meanSquaredError,
  type Model,
  ops,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  split,
  type Tensor,
  tensor,
  type TrainingControl,
} from "torte";

const BACKENDS = [{ backend: "reference" }, { backend: "wasm", threads: 1 }, { backend: "wasm", threads: 2 }] as const;

type Options = (typeof BACKENDS)[number];

/** y = w·x, w = 1 at first: its loss for targets of 0 is the mean of x². */
function identity(options: Options, learningRate = 0): Model {
  const layer = dense({ units: 1, kernelInitializer: "ones", useBias: false });
  const model = sequential(input({ shape: [1] }), layer, options);
  model.compile({ optimizer: sgd({ learningRate }), loss: "meanSquaredError" });
  return model;
}

interface Columns {
  readonly x: Tensor;
  readonly y: Tensor;
}

const columns = (): Columns => ({ x: tensor([[1], [2]]), y: tensor([[0], [0]]) });

/** For each entry point: the loss that it finds for the data as it is. */
const ENTRIES: Readonly<
  Record<string, (model: Model, data: Columns, dataset: Dataset) => Promise<number | undefined>>
> = {
  evaluate: async (model, data) => (await model.evaluate(data))["loss"],
  "evaluate of a Dataset": async (model, _, dataset) => (await model.evaluate(dataset))["loss"],
  "evaluate of a Dataset that is cached and shuffled": async (model, data) =>
    (await model.evaluate(Dataset.fromTensors(data).shuffle().cache()))["loss"],
  fit: async (model, data) => (await model.fit(data)).epochs[0]?.["loss"],
  "fit of a Dataset": async (model, _, dataset) => (await model.fit(dataset)).epochs[0]?.["loss"],
  "fit's validationData": async (model, data) =>
    (await model.fit({ x: tensor([[0]]), y: tensor([[0]]) }, { validationData: data })).epochs[0]?.["valLoss"],
  "fit's validationData, a Dataset": async (model, data, dataset) =>
    (await model.fit(data, { validationData: dataset })).epochs[0]?.["valLoss"],
  predict: async (model, { x, y }) => {
    const { data } = await model.predict(x);
    return [...data].reduce((sum, value, i) => sum + (value - (y.data[i] ?? 0)) ** 2, 0) / data.length;
  },
  gradients: async (model, data) => (await model.gradients(data)).value,
};

describe.each(BACKENDS)("data that changes, on $backend, $threads", (options) => {
  it.each(Object.keys(ENTRIES))("is seen as it is: %s", async (name) => {
    const [model, data] = [identity(options), columns()];
    const dataset = Dataset.fromTensors(data);
    const measure = (): Promise<number | undefined> => ENTRIES[name]!(model, data, dataset);
    expect(await measure()).toBeCloseTo(2.5, 5);
    expect(await measure()).toBeCloseTo(2.5, 5);
    data.x.data.set([3, 5]);
    expect(await measure()).toBeCloseTo(17, 5);
    data.y.data.set([3, 4]);
    expect(await measure()).toBeCloseTo(0.5, 5);
    data.x.data.set([3, 4]);
    expect(await measure()).toBeCloseTo(0, 5);
    await model.close();
  });

  it("is seen by a fit as it was at its first epoch, validation data, too, and by the next fit as it is then", async () => {
    const [model, data, held] = [identity(options), columns(), columns()];
    const change: Callback = {
      onEpochEnd: () => {
        data.x.data[0]! += 1;
        held.y.data.fill(1);
      },
    };
    const fit = (): Promise<History> => model.fit(data, { epochs: 2, validationData: held, callbacks: [change] });
    const [first, second] = [await fit(), await fit()];
    expect(first.epochs.map(({ loss, valLoss }) => [loss, valLoss])).toEqual(Array(2).fill([2.5, 2.5]));
    expect(second.epochs.map(({ loss, valLoss }) => [loss, valLoss])).toEqual(Array(2).fill([6.5, 0.5]));
    await model.close();
  });

  it("is looked at again, and nothing of it stays where it is refused", async () => {
    const [model, data] = [identity(options), columns()];
    expect((await model.evaluate(data))["loss"]).toBeCloseTo(2.5, 5);
    data.x.data[1] = NaN;
    const message = "input: the data is not finite: expected finite numbers, received NaN at row 1, column 0.";
    for (const name of ["evaluate", "fit", "predict", "gradients", "fit's validationData"])
      await expect(ENTRIES[name]!(model, data, Dataset.fromTensors(data))).rejects.toThrow(message.slice(7));
    data.x.data[1] = 4;
    expect((await model.evaluate(data))["loss"]).toBeCloseTo(8.5, 5);
    await model.close();
  });

  it("and is refused by the fit after the change, with what was trained before kept", async () => {
    const [model, data] = [identity(options), columns()];
    const spoil = { onEpochEnd: () => void data.y.data.fill(Infinity) };
    expect((await model.fit(data, { epochs: 2, callbacks: [spoil] })).epochs).toHaveLength(2);
    await expect(model.fit(data)).rejects.toThrow(
      "targets: the data is not finite: expected finite numbers, received Infinity at row 0, column 0.",
    );
    expect([...(await model.predict(data.x)).data]).toEqual([1, 2]);
    await model.close();
  });

  it("is looked at for the loss of now: the same targets are none for another one", async () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 2, activation: "softmax" }), options);
    const data = { x: tensor([[1], [2]]), y: tensor([[0], [5]]) };
    const one = functional({ inputs: model.network.inputs, outputs: model.network.outputs[0]!, ...options });
    await one.close();
    model.compile({ loss: "sparseCategoricalCrossentropy" });
    await expect(model.evaluate(data)).rejects.toThrow(
      "sparseCategoricalCrossentropy: a label is out of range: expected whole numbers 0…1, received 5 at row 1, column 0.",
    );
    await model.close();
    const single = identity(options);
    const [x, y] = [tensor([[0.5], [0.25]]), tensor([[0.5], [3]])];
    expect((await single.evaluate({ x, y }))["loss"]).toBeCloseTo(3.78125, 5);
    single.compile({ loss: binaryCrossentropy({ fromLogits: true }) });
    await expect(single.evaluate({ x, y })).rejects.toThrow("a label is out of range");
    await single.close();
  });

  it("may lie in memory that threads share", async () => {
    const model = identity(options);
    const x = tensor(new Float32Array(new SharedArrayBuffer(8)), { shape: [2, 1] });
    const y = tensor([[0], [0]]);
    x.data.set([1, 2]);
    expect((await model.evaluate({ x, y }))["loss"]).toBeCloseTo(2.5, 5);
    x.data.set([2, 2]);
    expect((await model.evaluate({ x, y }))["loss"]).toBeCloseTo(4, 5);
    expect([...(await model.predict(x)).data]).toEqual([2, 2]);
    await model.close();
  });

  it.each<[string, Tensor]>([
    ["bytes", tensor(Uint8Array.of(0, 1, 255), { shape: [3, 1] })],
    ["booleans", tensor([[false], [true], [true]])],
    ["integers", tensor(Int32Array.of(-3, 0, 7), { shape: [3, 1] })],
    ["float64", tensor(Float64Array.of(0.5, -1, 2), { shape: [3, 1], dtype: "float64" })],
  ])("are numbers to an input of numbers: %s", async (_, x) => {
    const [model, y] = [identity(options, 1e-6), tensor([[0], [0], [0]])];
    const squares = [...x.data].reduce((sum, value) => sum + value ** 2, 0) / 3;
    expect([...(await model.predict(x)).data]).toEqual([...x.data]);
    expect((await model.evaluate({ x, y }))["loss"]).toBeCloseTo(squares, 2);
    expect((await model.gradients({ x, y })).value).toBeCloseTo(squares, 2);
    expect((await model.fit({ x, y }, { validationData: { x, y } })).epochs[0]?.["loss"]).toBeCloseTo(squares, 2);
    await model.close();
  });

  it("booleans are integers to an input of integers", async () => {
    const table = embedding({ inputDim: 2, outputDim: 1, embeddingsInitializer: "ones" });
    const model = sequential(input({ shape: [2], dtype: "int32" }), table, flatten(), options);
    expect([...(await model.predict(tensor([[true, false]]))).data]).toEqual([1, 1]);
    await model.close();
  });

  it("soft targets of a binary cross-entropy are taken", async () => {
    const model = sequential(
      input({ shape: [1] }),
      lambda((x) => ops.sigmoid(x)),
      options,
    );
    model.compile({ loss: "binaryCrossentropy" });
    const loss = (await model.evaluate({ x: tensor([[0], [0]]), y: tensor([[0.9], [0.2]]) }))["loss"];
    expect(loss).toBeCloseTo(Math.LN2, 5);
    for (const label of [-0.1, 1.5, 2]) {
      await expect(model.evaluate({ x: tensor([[0]]), y: tensor([[label]]) })).rejects.toThrow(
        `binaryCrossentropy: a label is out of range: expected numbers from 0 to 1, received ${tensor(label).data[0]} at row 0, column 0.`,
      );
    }
    await model.close();
  });
});

const LOSSES = {
  sparseCategoricalCrossentropy: sparseCategoricalCrossentropy({ fromLogits: true }),
  binaryCrossentropy: binaryCrossentropy({ fromLogits: true }),
  meanSquaredError: meanSquaredError(),
} as const;

/** Something to tell for each step of sequences that end in padding. */
function tagger(options: Options, loss: keyof typeof LOSSES): Model {
  const model = sequential(
    input({ shape: [3], dtype: "int32" }),
    embedding({ inputDim: 5, outputDim: 4, maskZero: true }),
    dense({ units: loss === "sparseCategoricalCrossentropy" ? 3 : 1 }),
    { ...options, seed: 1 },
  );
  model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: LOSSES[loss] });
  return model;
}

describe.each(BACKENDS)("labels of masked positions, on $backend, $threads", (options) => {
  const x = tensor(
    [
      [1, 2, 0],
      [3, 0, 0],
      [4, 1, 2],
    ],
    { dtype: "int32" },
  );

  it.each([
    ["sparseCategoricalCrossentropy", [-1, 255, 7]],
    ["binaryCrossentropy", [-1, NaN, 2]],
    ["meanSquaredError", [NaN, Infinity, NaN]],
  ] as const)("may be anything: %s", async (loss, [a, b, c]) => {
    const [clean, marked] = [
      [0, 1, 0, 1, 0, 0, 1, 1, 0],
      [0, 1, a, 1, b, c, 1, 1, 0],
    ].map((labels) => tensor(labels, { shape: [3, 3] }));
    const results = await Promise.all(
      [clean!, marked!].map(async (y) => {
        const model = tagger(options, loss);
        const logs = await model.evaluate({ x, y });
        const { epochs } = await model.fit({ x, y }, { epochs: 2, validationData: { x, y } });
        const { value } = await model.gradients({ x, y });
        await model.close();
        return { logs, epochs, value };
      }),
    );
    expect(results[1]).toEqual(results[0]);
    expect(results[0]?.logs["loss"]).toBeGreaterThan(0);
  });

  it("but those of others may not, with row and column", async () => {
    const model = tagger(options, "sparseCategoricalCrossentropy");
    const y = tensor([
      [0, 1, -1],
      [1, -1, -1],
      [1, 3, 0],
    ]);
    await expect(model.evaluate({ x, y })).rejects.toThrow(
      "sparseCategoricalCrossentropy: a label is out of range: expected whole numbers 0…2, received 3 at row 2, column 1.",
    );
    await expect(
      model.fit({
        x,
        y: tensor([
          [0, -1, 0],
          [1, 0, 0],
          [1, 1, 1],
        ]),
      }),
    ).rejects.toThrow("received -1 at row 0, column 1");
    await model.close();
  });
});

it("masks of many rows are found, whatever carries them to the output", async () => {
  const rows = 150;
  const model = sequential(
    input({ shape: [4], dtype: "int32" }),
    embedding({ inputDim: 5, outputDim: 4, maskZero: true }),
    conv1d({ filters: 3, kernelSize: 2, padding: "same" }),
    dense({ units: 3 }),
    { backend: "wasm" },
  );
  model.compile({ loss: LOSSES.sparseCategoricalCrossentropy });
  const length = (i: number): number => 1 + (i % 4);
  const x = tensor(
    Array.from({ length: rows }, (_, i) => [0, 1, 2, 3].map((k) => (k < length(i) ? 1 + k : 0))),
    { dtype: "int32" },
  );
  const labels = Array.from({ length: rows }, (_, i) => [0, 1, 2, 3].map((k) => (k < length(i) ? k % 3 : -1)));
  expect((await model.evaluate({ x, y: tensor(labels) }))["loss"]).toBeGreaterThan(0);
  labels[131]![length(131) - 1] = -1;
  await expect(model.evaluate({ x, y: tensor(labels) })).rejects.toThrow(`row 131, column ${length(131) - 1}`);
  await model.close();
});

describe("targets have the shape of the output", () => {
  const model = (output: readonly number[]): Model => {
    const size = output.reduce((a, b) => a * b, 1);
    return sequential(
      input({ shape: [size] }),
      lambda((x) => ops.reshape(x, [x.shape[0] ?? 0, ...output])),
      { backend: "reference" },
    );
  };
  const zeros = (shape: readonly number[]): Tensor =>
    tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });

  it.each([
    [[3, 1], [1, 3], "(None, 3, 1)", "(2, 1, 3)"],
    [[1, 3], [3, 1], "(None, 1, 3)", "(2, 3, 1)"],
    [[2, 3], [3, 2], "(None, 2, 3)", "(2, 3, 2)"],
    [[2, 3], [6], "(None, 2, 3)", "(2, 6)"],
    [[6], [2, 3], "(None, 6)", "(2, 2, 3)"],
    [[4], [1, 4], "(None, 4)", "(2, 1, 4)"],
    [[1], [1, 1, 1], "(None, 1)", "(2, 1, 1, 1)"],
  ])("not another one of the same size: %j, %j", async (output, given, expected, received) => {
    const made = model(output);
    made.compile({ loss: "meanSquaredError" });
    const size = output.reduce((a, b) => a * b, 1);
    const data = { x: zeros([2, size]), y: zeros([2, ...given]) };
    const message = `meanSquaredError: the targets do not have the shape of the output: expected ${expected}, received ${received}.`;
    for (const call of [
      () => made.evaluate(data),
      () => made.fit(data),
      () => made.gradients(data),
      () => made.checkData(data),
    ])
      await expect(call()).rejects.toThrow(message);
  });

  it.each([
    [[1], []],
    [[1], [1]],
    [[3, 1], [3]],
    [[3], [3, 1]],
    [
      [2, 3],
      [2, 3],
    ],
  ])("but for a last axis of one number: %j, %j", async (output, given) => {
    const made = model(output);
    made.compile({ loss: "meanSquaredError" });
    const size = output.reduce((a, b) => a * b, 1);
    const values = Float32Array.from({ length: 2 * size }, (_, i) => i);
    const data = { x: tensor(values, { shape: [2, size] }), y: tensor(values, { shape: [2, ...given] }) };
    expect((await made.evaluate(data))["loss"]).toBe(0);
  });
});

describe("numbers that 32 bits do not hold", () => {
  const wide = (value: number): Tensor => tensor(Float64Array.of(1, value), { shape: [2, 1], dtype: "float64" });

  it.each(BACKENDS)("are refused in data, $backend, $threads", async (options) => {
    const model = identity(options);
    const y = tensor([[0], [0]]);
    for (const value of [1e300, -1e39, 2 ** 128, 3.4028235677973366e38]) {
      const message = `input: a number is too large: expected at most 3.4e38, in 32 bits, received ${value} at row 1, column 0.`;
      const x = wide(value);
      for (const call of [
        () => model.evaluate({ x, y }),
        () => model.predict(x),
        () => model.fit({ x, y }),
        () => model.gradients({ x, y }),
      ])
        await expect(call()).rejects.toThrow(message);
      await expect(model.evaluate({ x: y, y: x })).rejects.toThrow(message.replace("input", "targets"));
      await expect(
        model.setWeights({ "dense.kernel": tensor(Float64Array.of(value), { shape: [1, 1], dtype: "float64" }) }),
      ).rejects.toThrow(
        `dense.kernel: a number is too large: expected at most 3.4e38, in 32 bits, received ${value} at row 0, column 0.`,
      );
    }
    const largest = 3.4028235677973362e38;
    expect((await model.predict(wide(largest))).data[1]).toBeGreaterThan(3.4e38);
    await model.close();
  });

  it.each(BACKENDS)("are refused as a learning rate, $backend, $threads", async (options) => {
    const model = identity(options, 0.1);
    for (const value of [NaN, Infinity, -1, "x", 1e300, undefined, null] as number[]) {
      const start = {
        onTrainBegin: (control: TrainingControl) => {
          control.learningRate = value;
        },
      };
      await expect(model.fit(columns(), { callbacks: [start] })).rejects.toThrow(
        "control: learningRate is out of range",
      );
      expect(() => {
        model.compile({ optimizer: { ...sgd(), learningRate: value }, loss: "meanSquaredError" });
      }).toThrow("sgd: learningRate is out of range");
    }
    expect([...(await model.predict(columns().x)).data]).toEqual([1, 2]);
    await model.close();
  });

  it("are refused by tensor, where a finite number would become infinite", () => {
    for (const make of [() => tensor([1, 1e300]), () => tensor(Float64Array.of(1, 1e300))])
      expect(make).toThrow("tensor: element 1 is too large: expected at most 3.4e38, in 32 bits, received 1e+300.");
    expect([...tensor([1, Infinity, -Infinity, NaN]).data]).toEqual([1, Infinity, -Infinity, NaN]);
  });
});

describe("seeds", () => {
  it.each<[string, (seed: number) => unknown]>([
    ["a model's", (seed) => sequential(input({ shape: [1] }), dense({ units: 1 }), { seed })],
    ["dropout's", (seed) => dropout({ rate: 0.5, seed })],
    ["an initializer's", (seed) => initializers.randomNormal({ seed })],
    ["a shuffle's", (seed) => Dataset.fromTensors(columns()).shuffle({ seed })],
    ["a split's", (seed) => split({ x: tensor(new Float32Array(20)) }, { seed })],
  ])("are words of 32 bits, so that no two are one: %s", (_, make) => {
    for (const seed of [2 ** 32, 1 + 2 ** 32, -1, 0.5, NaN, "x"] as number[])
      expect(() => make(seed)).toThrow("seed is out of range");
  });
});

it("pooling over sequences has no positions left: labels are those of rows", async () => {
  const model = sequential(
    input({ shape: [3], dtype: "int32" }),
    embedding({ inputDim: 5, outputDim: 4, maskZero: true }),
    globalAveragePooling1d(),
    dense({ units: 3, activation: "softmax" }),
  );
  model.compile({ loss: "sparseCategoricalCrossentropy" });
  const x = tensor([[0, 0, 0]], { dtype: "int32" });
  await expect(model.evaluate({ x, y: tensor([-1]) })).rejects.toThrow("received -1 at row 0.");
});

describe.each(BACKENDS)("data that are looked at and uploaded in several pieces, $backend $threads", (options) => {
  const width = 64;
  const rows = 3000; // of 192,000 numbers, a piece having at most 65,536
  const filled = (): { x: Float32Array; y: Float32Array } => ({
    x: Float32Array.from({ length: rows * width }, (_, i) => (i % 7) - 3),
    y: Float32Array.from({ length: rows }, (_, i) => i % 5),
  });
  /** Targets of y and an output of 0: the loss is the mean of y². */
  function model(): Model {
    const made = sequential(input({ shape: [width] }), dense({ units: 1, kernelInitializer: "zeros" }), options);
    made.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
    return made;
  }
  const dataOf = ({ x, y }: { x: Float32Array; y: Float32Array }): { x: Tensor; y: Tensor } => ({
    x: tensor(x, { shape: [rows, width] }),
    y: tensor(y, { shape: [rows, 1] }),
  });

  it("are all there, and what is changed in the last piece is seen", async () => {
    const made = model();
    const values = filled();
    const data = dataOf(values);
    expect((await made.evaluate(data)).loss).toBeCloseTo(6, 5);
    values.y[rows - 1] = 4 + 3000; // 4 before
    expect((await made.evaluate(data)).loss).toBeCloseTo(6 + (3004 ** 2 - 4 ** 2) / rows, 1);
    expect((await made.evaluate(dataOf(filled()))).loss).toBeCloseTo(6, 5);
    await made.close();
  });

  it("are refused with the row of the whole data, and what was there before stays right", async () => {
    const made = model();
    expect((await made.evaluate(dataOf(filled()))).loss).toBeCloseTo(6, 5);
    for (const [part, at, message] of [
      ["x", 2900 * width + 5, "received NaN at row 2900, column 5"],
      ["y", 2999, "received NaN at row 2999, column 0"],
    ] as const) {
      const bad = filled();
      bad[part][at] = NaN;
      bad.y[0] = 100; // in a piece before
      await expect(made.evaluate(dataOf(bad))).rejects.toThrow(message);
      await expect(made.fit(dataOf(bad), { verbose: 0 })).rejects.toThrow(message);
      await expect(made.fit(dataOf(filled()), { verbose: 0, validationData: dataOf(bad) })).rejects.toThrow(message);
      expect((await made.evaluate(dataOf(filled()))).loss).toBeCloseTo(6, 5);
    }
    await made.close();
  });
});
