/** Losses: their logit forms, what an epoch's figures are sums of, and what targets mean. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  activation,
  binaryCrossentropy,
  binaryFocalCrossentropy,
  block,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  dense,
  dropout,
  embedding,
  functional,
  input,
  klDivergence,
  lambda,
  type LayerFunction,
  type Loss,
  type Metric,
  type Model,
  masking,
  type Node,
  ops,
  permute,
  reshape,
  sequential,
  sgd,
  softmax,
  sparseCategoricalCrossentropy,
  tensor,
  type Tensor,
} from "torte";

const BACKENDS = ["wasm", "reference"] as const;

/** What keeps the value of a prediction (…, 3, K), but not its form. */
const WRAPPERS: Readonly<Record<string, () => readonly LayerFunction[]>> = {
  nothing: () => [],
  "a reshape": () => [reshape({ targetShape: [3, 1, -1] }), reshape({ targetShape: [3, -1] })],
  "an identity": () => [activation("linear"), dropout({ rate: 0.5 })],
  "a block": () => [block("b", [activation("linear")])],
  "two permutes": () => [permute({ dims: [2, 1] }), permute({ dims: [2, 1] })],
  "a model as layer": () => [
    sequential(input({ shape: [3, 2] }), activation("linear"), reshape({ targetShape: [3, 2] })).asLayer(),
  ],
};

/** How an activation gets into a model. */
const PLACES: Readonly<Record<string, (name: "sigmoid" | "softmax") => LayerFunction>> = {
  layer: (name) => (name === "softmax" ? softmax() : activation("sigmoid")),
  block: (name) => block("activated", [activation(name)]),
  model: (name) => sequential(input({ shape: [3, 2] }), activation(name)).asLayer(),
};

interface Case {
  readonly activation: "sigmoid" | "softmax";
  readonly withLogits: Loss;
  readonly loss: Loss;
  readonly target: Tensor;
}

const oneHot = tensor([
  [
    [1, 0],
    [0, 1],
    [1, 0],
  ],
]);
const classes = tensor([[0, 1, 0]], { dtype: "int32" });

/** The loss of probabilities beside its form for logits. */
const CASES: Readonly<Record<string, Case>> = {
  binaryCrossentropy: {
    activation: "sigmoid",
    loss: binaryCrossentropy(),
    withLogits: binaryCrossentropy({ fromLogits: true }),
    target: oneHot,
  },
  "binaryCrossentropy, smoothed": {
    activation: "sigmoid",
    loss: binaryCrossentropy({ labelSmoothing: 0.1 }),
    withLogits: binaryCrossentropy({ fromLogits: true, labelSmoothing: 0.1 }),
    target: oneHot,
  },
  binaryFocalCrossentropy: {
    activation: "sigmoid",
    loss: binaryFocalCrossentropy(),
    withLogits: binaryFocalCrossentropy({ fromLogits: true }),
    target: oneHot,
  },
  categoricalCrossentropy: {
    activation: "softmax",
    loss: categoricalCrossentropy(),
    withLogits: categoricalCrossentropy({ fromLogits: true }),
    target: oneHot,
  },
  "categoricalCrossentropy, smoothed": {
    activation: "softmax",
    loss: categoricalCrossentropy({ labelSmoothing: 0.1 }),
    withLogits: categoricalCrossentropy({ fromLogits: true, labelSmoothing: 0.1 }),
    target: oneHot,
  },
  categoricalFocalCrossentropy: {
    activation: "softmax",
    loss: categoricalFocalCrossentropy(),
    withLogits: categoricalFocalCrossentropy({ fromLogits: true }),
    target: oneHot,
  },
  sparseCategoricalCrossentropy: {
    activation: "softmax",
    loss: sparseCategoricalCrossentropy(),
    withLogits: sparseCategoricalCrossentropy({ fromLogits: true }),
    target: classes,
  },
};

async function derived(
  loss: Loss,
  layers: readonly LayerFunction[],
  x: Tensor,
  y: Tensor,
  backend: "wasm" | "reference",
) {
  const model = sequential(input({ shape: x.shape.slice(1) }), ...layers, { backend });
  model.compile({ loss });
  const { value, inputs } = await model.gradients({ x, y });
  await model.close();
  return { value, gradient: [...(inputs[0]?.data ?? [])] };
}

const close = (received: readonly number[], expected: readonly number[]): void => {
  received.forEach((value, i) => {
    expect(value).toBeCloseTo(expected[i] ?? NaN, 5);
  });
};

describe.each(BACKENDS)("probabilities that are sure, %s", (backend) => {
  const sure = tensor([
    [
      [-20, 20],
      [-20, 20],
      [1, -1],
    ],
  ]);
  const table = Object.entries(CASES).flatMap(([name, found]) =>
    Object.entries(PLACES).flatMap(([place, made]) =>
      Object.entries(WRAPPERS).map(([wrapper, wrapped]) => ({ name, place, wrapper, found, made, wrapped })),
    ),
  );

  it.each(table)("cost $name what their logits cost: $place, $wrapper", async ({ found, made, wrapped }) => {
    const whole = await derived(found.loss, [made(found.activation), ...wrapped()], sure, found.target, backend);
    const expected = await derived(found.withLogits, [activation("linear")], sure, found.target, backend);
    expect(whole.value).toBeCloseTo(expected.value, 4);
    close(whole.gradient, expected.gradient);
    expect(whole.gradient.some((value) => Math.abs(value) > 1e-3)).toBe(true);
  });

  it("of a wrong class by 40 cost 40, with gradients ±1", async () => {
    const x = tensor([[0, 40]]);
    const expected = { value: 40, gradient: [-1, 1] };
    for (const [loss, y] of [
      [sparseCategoricalCrossentropy(), tensor([0], { dtype: "int32" })],
      [categoricalCrossentropy(), tensor([[1, 0]])],
      [klDivergence(), tensor([[1, 0]])],
    ] as const) {
      const { value, gradient } = await derived(loss, [softmax()], x, y, backend);
      expect(value).toBeCloseTo(expected.value, 4);
      close(gradient, expected.gradient);
    }
    const binary = await derived(binaryCrossentropy(), [softmax()], x, tensor([[1, 0]]), backend);
    expect(binary.value).toBeCloseTo(40, 4);
  });

  it("are so behind a mask, too", async () => {
    const x = tensor([
      [
        [0, 0],
        [0, 40],
        [-40, 0],
      ],
    ]);
    const y = tensor([
      [
        [0, 1],
        [1, 0],
        [1, 0],
      ],
    ]);
    for (const [name, loss, logits] of [
      ["softmax", categoricalCrossentropy(), categoricalCrossentropy({ fromLogits: true })],
      ["sigmoid", binaryCrossentropy(), binaryCrossentropy({ fromLogits: true })],
    ] as const) {
      const whole = await derived(
        loss,
        [masking(), dense({ units: 2, kernelInitializer: "identity" }), activation(name)],
        x,
        y,
        backend,
      );
      const plain = await derived(
        logits,
        [masking(), dense({ units: 2, kernelInitializer: "identity" })],
        x,
        y,
        backend,
      );
      expect(whole.value).toBeCloseTo(plain.value, 4);
      expect(whole.value).toBeGreaterThan(15);
      close(whole.gradient, plain.gradient);
    }
  });
});

/** The prediction is the data itself, times a weight of 1. */
function identity(
  backend: "wasm" | "reference",
  loss: Loss | "meanSquaredError",
  metrics: readonly Metric[] = [],
): Model {
  const model = sequential(
    input({ shape: [1] }),
    dense({ units: 1, kernelInitializer: "ones", useBias: false, name: "line" }),
    { backend },
  );
  model.compile({ loss, metrics, optimizer: sgd({ learningRate: 0 }) });
  return model;
}

const column = (...values: number[]): Tensor => tensor(values.map((value) => [value]));
/** The loss of a position is its prediction. */
const itself = (options: Partial<Loss> = {}): Loss => ({
  name: "itself",
  targets: "numbers",
  call: (_, p) => ops.mean(p, { axes: [-1] }),
  ...options,
});

describe.each(BACKENDS)("an epoch's loss, %s", (backend) => {
  it("is Σ of the rows' losses / number of rows, whatever the batches: 9.6667, not 9.5", async () => {
    const model = identity(backend, itself());
    const data = { x: column(10, 10, 9), y: column(0, 0, 0) };
    for (const batchSize of [1, 2, 3]) {
      expect((await model.evaluate(data, { batchSize }))["loss"]).toBeCloseTo(29 / 3, 5);
      const { epochs } = await model.fit(data, { batchSize, shuffle: false });
      expect(epochs[0]?.["loss"]).toBeCloseTo(29 / 3, 5);
    }
    await model.close();
  });

  it("with masks is Σ over valid positions / their number: 1, not 2", async () => {
    const model = sequential(
      input({ shape: [2], dtype: "int32" }),
      embedding({ inputDim: 3, outputDim: 1, maskZero: true, embeddingsInitializer: "zeros", name: "table" }),
      { backend },
    );
    const near: Metric = { name: "near", call: (_, p) => ops.cast(ops.less(ops.sum(p, { axes: [-1] }), 1), "float32") };
    model.compile({ loss: itself(), metrics: [near], optimizer: sgd({ learningRate: 0 }) });
    await model.setWeights({ "table.embeddings": tensor([[7], [4], [0]]) });
    const x = tensor(
      [
        [1, 0],
        [0, 0],
        [2, 2],
        [2, 0],
      ],
      { dtype: "int32" },
    );
    const data = {
      x,
      y: tensor([
        [[9], [9]],
        [[9], [9]],
        [[9], [9]],
        [[9], [9]],
      ]),
    };
    for (const batchSize of [1, 2, 3, 4]) {
      const figures = await model.evaluate(data, { batchSize });
      expect(figures["loss"]).toBeCloseTo(1, 6);
      expect(figures["near"]).toBeCloseTo(0.75, 6);
    }
    await model.close();
  });

  it("does not depend on the batch size, for random masks and penalties", async () => {
    const model = sequential(
      input({ shape: [5], dtype: "int32" }),
      embedding({ inputDim: 4, outputDim: 3, maskZero: true }),
      dense({ units: 2, activation: "softmax", kernelRegularizer: "l2", activityRegularizer: "l1" }),
      { backend },
    );
    model.compile({ loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.nat(3), { minLength: 5, maxLength: 5 }), { minLength: 2, maxLength: 9 }),
        fc.integer({ min: 1, max: 8 }),
        async (rows, batchSize) => {
          const x = tensor(rows, { dtype: "int32" });
          const y = tensor(
            rows.map((row) => row.map((token) => (token * 7) % 2)),
            { dtype: "int32" },
          );
          const [whole, parts] = [
            await model.evaluate({ x, y }, { batchSize: 9 }),
            await model.evaluate({ x, y }, { batchSize }),
          ];
          expect(Object.keys(whole)).toEqual(["loss", "accuracy", "penalty"]);
          for (const [name, value] of Object.entries(whole)) {
            if (Number.isNaN(value)) expect(parts[name]).toBeNaN();
            else expect(parts[name]).toBeCloseTo(value, 5);
          }
        },
      ),
      { numRuns: 25 },
    );
    await model.close();
  });

  it("of a sum is the sum", async () => {
    const model = identity(backend, itself({ reduction: "sum" }));
    for (const batchSize of [1, 2])
      expect((await model.evaluate({ x: column(2, 12), y: column(0, 0) }, { batchSize }))["loss"]).toBeCloseTo(14, 5);
    await model.close();
  });
});

describe.each(BACKENDS)("accuracy means what the loss declares, %s", (backend) => {
  const x = tensor([
    [0.3, 0.4, 0.35],
    [0.9, 0.8, 0.1],
  ]);
  const hot = tensor([
    [0, 1, 0],
    [0, 1, 0],
  ]);

  async function accuracyOf(loss: Loss, y: Tensor, ...layers: LayerFunction[]): Promise<number> {
    const model = sequential(input({ shape: [3] }), ...layers, activation("linear"), { backend });
    model.compile({ loss, metrics: ["accuracy"] });
    const { accuracy = NaN } = await model.evaluate({ x, y });
    await model.close();
    return accuracy;
  }

  const call: Loss["call"] = (_, p) => ops.mean(p, { axes: [-1] });
  it.each<[string, Loss, Tensor, number]>([
    ["classes", { name: "own", targets: "classes", call }, tensor([1, 1], { dtype: "int32" }), 0.5],
    ["a distribution", { name: "own", targets: "distribution", call }, hot, 0.5],
    ["probabilities", { name: "own", targets: "probabilities", predictions: "probabilities", call }, hot, 4 / 6],
    ["logits", { name: "own", targets: "probabilities", predictions: "logits", call }, hot, 2 / 6],
    [
      "signs",
      { name: "own", targets: "signs", call },
      tensor([
        [1, -1, 0],
        [1, 1, 1],
      ]),
      4 / 6,
    ],
  ])("%s", async (_, loss, y, expected) => {
    expect(await accuracyOf(loss, y)).toBeCloseTo(expected, 6);
    expect(await accuracyOf({ ...loss, name: "categoricalCrossentropy" }, y)).toBeCloseTo(expected, 6);
  });

  it("numbers beside a softmax are a distribution, beside a sigmoid probabilities", async () => {
    const squares: Loss = {
      name: "squares",
      targets: "numbers",
      call: (y, p) => ops.mean(ops.square(ops.sub(y, p)), { axes: [-1] }),
    };
    expect(await accuracyOf(squares, hot, softmax())).toBeCloseTo(0.5, 6);
    expect(
      await accuracyOf(
        squares,
        hot,
        lambda((p) => ops.sub(p, 0.5)),
        activation("sigmoid"),
      ),
    ).toBeCloseTo(4 / 6, 6);
  });
});

describe("compile", () => {
  const compiled =
    (loss: Loss | "meanSquaredError", units: number, last: string, metrics: readonly "accuracy"[] = []) =>
    () => {
      const model = sequential(input({ shape: [2] }), dense({ units, activation: last as "linear" }));
      model.compile({ loss, metrics });
    };

  it.each<[string, () => void]>([
    [
      "compile: binaryCrossentropy does not go with the output dense, which is linear and gives no probabilities. Give the " +
        'last layer the activation "sigmoid", or write binaryCrossentropy({ fromLogits: true }).',
      compiled(binaryCrossentropy(), 1, "linear"),
    ],
    [
      "compile: sparseCategoricalCrossentropy does not go with the output dense, which is linear and gives no probabilities. " +
        'Give the last layer the activation "softmax", or write sparseCategoricalCrossentropy({ fromLogits: true }).',
      compiled(sparseCategoricalCrossentropy(), 3, "linear"),
    ],
    [
      "compile: binaryCrossentropy does not go with the output dense, which gives probabilities, not logits. Leave fromLogits " +
        "out: the logits of binaryCrossentropy are found behind the activation.",
      compiled(binaryCrossentropy({ fromLogits: true }), 1, "sigmoid"),
    ],
    [
      "compile: binaryCrossentropy does not go with the output dense, a softmax over one value, which is always 1. Give the " +
        'last layer the activation "sigmoid", and the loss binaryCrossentropy; or as many units as classes.',
      compiled(binaryCrossentropy(), 1, "softmax"),
    ],
    [
      "compile: categoricalCrossentropy does not go with the output dense, a sigmoid, whose values are no distribution. Give " +
        'the last layer the activation "softmax", or, where several classes may hold, the loss binaryCrossentropy.',
      compiled(categoricalCrossentropy(), 3, "sigmoid"),
    ],
    [
      "compile: accuracy cannot know what is right: expected a loss, or an output's activation, that says what targets are, " +
        "received meanSquaredError, whose targets are numbers. Use binaryAccuracy(), categoricalAccuracy() or " +
        "sparseCategoricalAccuracy(), or a metric of numbers.",
      compiled("meanSquaredError", 3, "linear", ["accuracy"]),
    ],
    [
      'compile: binaryCrossentropy does not become one number: expected reduction "mean", "weightedMean" or "sum", received "none".',
      compiled(binaryCrossentropy({ reduction: "none" }), 1, "sigmoid"),
    ],
  ])("%s", (message, body) => {
    expect(body).toThrow(message);
  });

  it("takes a function of two symbolic tensors", async () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "ones" }));
    model.compile({ loss: (y, p) => ops.mean(ops.pow(ops.abs(ops.sub(y, p)), 3), { axes: [-1] }) });
    expect((await model.evaluate({ x: column(2, 3), y: column(0, 1) }))["loss"]).toBeCloseTo(8, 5);
    await model.close();
  });

  it("names figures of several outputs by one rule", async () => {
    const x = input({ shape: [1] });
    const head = (name: string) => dense({ units: 1, name, kernelRegularizer: "l2" })(x);
    const model = functional({ inputs: x, outputs: [head("a"), head("b")] });
    model.compile({
      loss: "meanSquaredError",
      metrics: { b: [{ name: "error", call: (y: Node, p: Node) => ops.mean(ops.sub(y, p), { axes: [-1] }) }] },
    });
    const data = { x: column(1), y: [column(1), column(2)] };
    const { epochs } = await model.fit(data, { validationData: data });
    expect(Object.keys(epochs[0] ?? {})).toEqual([
      "loss",
      "a.loss",
      "b.loss",
      "b.error",
      "penalty",
      "valLoss",
      "a.valLoss",
      "b.valLoss",
      "b.valError",
      "valPenalty",
    ]);
    await model.close();
  });
});
