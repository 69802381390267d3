/** Weights of examples, of positions and of classes. */
import { describe, expect, it } from "vitest";
import {
  activation,
  Dataset,
  dense,
  embedding,
  functional,
  input,
  type Loss,
  type LossOptions,
  meanSquaredError,
  ops,
  sequential,
  sgd,
  tensor,
  type Tensor,
} from "torte";

const BACKENDS = ["wasm", "reference"] as const;
const column = (...values: number[]): Tensor => tensor(values.map((value) => [value]));
const plain = (reduction: NonNullable<LossOptions["reduction"]>): Loss => ({
  name: "plain",
  targets: "numbers",
  reduction,
  call: (_, p) => ops.mean(p, { axes: [-1] }),
});

describe.each(BACKENDS)("sample weights, %s", (backend) => {
  const data = { x: column(2, 4), y: column(0, 0), sampleWeight: tensor([1, 3]) };
  const line = (loss: Loss) => {
    const model = sequential(
      input({ shape: [1] }),
      dense({ units: 1, useBias: false, kernelInitializer: "ones", name: "line" }),
      { backend },
    );
    model.compile({ loss, optimizer: sgd({ learningRate: 0 }), metrics: ["mean", { ...plain("mean"), name: "own" }] });
    return model;
  };

  it.each([
    ["mean", 7],
    ["weightedMean", 3.5],
    ["sum", 14],
  ] as const)("1 and 3 of losses 2 and 4, %s: %d", async (reduction, expected) => {
    const model = line(plain(reduction));
    for (const batchSize of [1, 2]) {
      const figures = await model.evaluate(data, { batchSize });
      expect(figures["loss"]).toBeCloseTo(expected, 6);
      // Metrics are always divided by the weights.
      expect(figures["mean"]).toBeCloseTo(3.5, 6);
      expect(figures["own"]).toBeCloseTo(3.5, 6);
      const { epochs } = await model.fit(data, { batchSize, validationData: data });
      expect(epochs[0]?.["loss"]).toBeCloseTo(expected, 6);
      expect(epochs[0]?.["valLoss"]).toBeCloseTo(expected, 6);
    }
    const columns = Dataset.fromTensors(data).shuffle({ seed: 3 }).batch(1);
    expect((await model.evaluate(columns))["loss"]).toBeCloseTo(expected, 6);
    const mapped = Dataset.fromTensors(data).map((example) => example);
    expect((await model.evaluate(mapped))["loss"]).toBeCloseTo(expected, 6);
    await model.close();
  });

  it("are changed in place, and noticed", async () => {
    const model = line(plain("mean"));
    const weights = tensor([1, 3]);
    const given = { ...data, sampleWeight: weights };
    expect((await model.evaluate(given))["loss"]).toBeCloseTo(7, 6);
    weights.data.set([2, 2]);
    expect((await model.evaluate(given))["loss"]).toBeCloseTo(6, 6);
    await model.close();
  });

  it("of positions multiply with the mask", async () => {
    const model = sequential(
      input({ shape: [2], dtype: "int32" }),
      embedding({ inputDim: 3, outputDim: 1, maskZero: true, name: "table" }),
      { backend },
    );
    model.compile({ loss: plain("mean"), metrics: ["mean"] });
    await model.setWeights({ "table.embeddings": tensor([[9], [2], [5]]) });
    const positions = {
      x: tensor(
        [
          [1, 0],
          [2, 1],
        ],
        { dtype: "int32" },
      ),
      y: tensor([
        [[0], [0]],
        [[0], [0]],
      ]),
      sampleWeight: tensor([
        [2, 7],
        [1, 0],
      ]),
    };
    for (const batchSize of [1, 2]) {
      const figures = await model.evaluate(positions, { batchSize });
      expect(figures["loss"]).toBeCloseTo((2 * 2 + 5) / 3, 6);
      expect(figures["mean"]).toBeCloseTo((2 * 2 + 5) / 3, 6);
    }
    await model.close();
  });

  it("are gradients' weights", async () => {
    const model = line(meanSquaredError());
    model.compile({ loss: meanSquaredError(), optimizer: sgd({ learningRate: 1 }) });
    await model.fit(data, { batchSize: 2 });
    // d/dw of (1·(2w)² + 3·(4w)²)/2 at 1.
    expect((await model.getWeights())["line.kernel"]?.data[0]).toBeCloseTo(1 - (2 * 4 + 3 * 2 * 16) / 2, 4);
    await model.close();
  });

  it.each<[string, Tensor[]]>([
    [
      "sampleWeight: the weights do not have the shape of the rows or of the positions",
      [
        tensor([
          [1, 2],
          [3, 4],
        ]),
      ],
    ],
    ["sampleWeight: wrong number of weights: expected 1 or 1, received 2", [tensor([1, 2]), tensor([1, 2])]],
    ["sampleWeight: the data is not finite", [tensor([1, NaN])]],
  ])("that do not fit are refused: %s", async (message, sampleWeight) => {
    const model = line(plain("mean"));
    await expect(model.evaluate({ ...data, sampleWeight })).rejects.toThrow(message);
    await model.close();
  });
});

describe.each(BACKENDS)("class weights, %s", (backend) => {
  const x = tensor([
    [1, 0],
    [0, 1],
    [1, 1],
  ]);

  it("of 2 double the loss, and leave validation and metrics alone", async () => {
    for (const [loss, units, last, y] of [
      ["binaryCrossentropy", 1, "sigmoid", column(0, 1, 1)],
      ["sparseCategoricalCrossentropy", 2, "softmax", tensor([0, 1, 1], { dtype: "int32" })],
      [
        "categoricalCrossentropy",
        2,
        "softmax",
        tensor([
          [1, 0],
          [0, 1],
          [0, 1],
        ]),
      ],
      ["hinge", 1, "linear", column(-1, 1, 1)],
    ] as const) {
      const model = sequential(input({ shape: [2] }), dense({ units, activation: last }), { backend });
      model.compile({ loss, metrics: ["accuracy"], optimizer: sgd({ learningRate: 0 }) });
      const run = async (classWeight?: Readonly<Record<number, number>>) =>
        (await model.fit({ x, y }, { validationData: { x, y }, ...(classWeight === undefined ? {} : { classWeight }) }))
          .epochs[0];
      const [once, twice] = [await run(), await run({ 0: 2, 1: 2 })];
      expect(twice?.["loss"]).toBeCloseTo(2 * (once?.["loss"] ?? NaN), 5);
      expect(twice?.["valLoss"]).toBe(once?.["valLoss"]);
      expect(twice?.["accuracy"]).toBe(once?.["accuracy"]);
      const [zero, one] = [await run({ 0: 1, 1: 0 }), await run({ 0: 0, 1: 1 })];
      expect((zero?.["loss"] ?? NaN) + (one?.["loss"] ?? NaN)).toBeCloseTo(once?.["loss"] ?? NaN, 5);
      await model.close();
    }
  });

  it("of several outputs go by name; what cannot be is refused", async () => {
    const place = input({ shape: [2] });
    const head = (name: string) => dense({ units: 1, activation: "sigmoid", name })(place);
    const model = functional({ inputs: place, outputs: [head("a"), head("b")], backend });
    model.compile({ loss: "binaryCrossentropy", optimizer: sgd({ learningRate: 0 }) });
    const data = { x, y: [column(0, 1, 1), column(0, 1, 1)] };
    const [plainLoss, weighted] = [
      await model.fit(data),
      await model.fit(data, { classWeight: { a: { 0: 3, 1: 3 } } }),
    ];
    expect(weighted.epochs[0]?.["a.loss"]).toBeCloseTo(3 * (plainLoss.epochs[0]?.["a.loss"] ?? NaN), 5);
    expect(weighted.epochs[0]?.["b.loss"]).toBe(plainLoss.epochs[0]?.["b.loss"]);
    await expect(model.fit(data, { classWeight: { c: { 0: 1 } } })).rejects.toThrow('classWeight: unknown option "c"');
    await expect(model.fit(data, { classWeight: { a: { 2: 1 } } })).rejects.toThrow('classWeight: unknown option "2"');
    await expect(model.fit(data, { classWeight: { a: { 1: -1 } } })).rejects.toThrow("at least 0");
    await model.close();
    const numbers = sequential(input({ shape: [2] }), activation("linear"), { backend });
    numbers.compile({ loss: "meanSquaredError" });
    await expect(numbers.fit({ x, y: x }, { classWeight: { 0: 1 } })).rejects.toThrow(
      /Give sampleWeight beside x and y|trainable/,
    );
    await numbers.close();
  });
});
