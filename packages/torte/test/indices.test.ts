/** Every index is a row of its table, whatever the way from the input: otherwise an error names row and column. */
import { describe, expect, it } from "vitest";
import {
  batchNormalization,
  block,
  concatenate,
  conv1d,
  Dataset,
  dense,
  embedding,
  flatten,
  functional,
  input,
  lambda,
  type LayerFunction,
  type Model,
  type Node,
  ops,
  residual,
  sequential,
  sgd,
  type SymbolicTensor,
  type Tensor,
  tensor,
} from "torte";

const BACKENDS = [{ backend: "reference" }, { backend: "wasm", threads: 1 }, { backend: "wasm", threads: 2 }] as const;

const LENGTH = 4;

const table = (): LayerFunction => embedding({ inputDim: 3, outputDim: 2 });
const masked = (): LayerFunction => embedding({ inputDim: 3, outputDim: 2, maskZero: true });
/** Rows of a table that is no weight. */
const lookUp = (index: Node): Node =>
  ops.gather(
    ops.concat(
      [0.5, -1, 2].map((value) => ops.constant(value, [1, 2])),
      0,
    ),
    index,
  );
const asIndex = (x: Node): Node => ops.cast(ops.floor(x), "int32");

type Path = (x: SymbolicTensor) => SymbolicTensor;

/** From tokens (length) to something; where an index is computed it is `computed`. */
const TOKENS: Readonly<Record<string, Path>> = {
  embedding: (x) => table()(x),
  "embedding with maskZero": (x) => masked()(x),
  "in a block": (x) => block("b", [table()])(x),
  "in a block in a block": (x) => block("a", [block("b", [masked()])])(x),
  "in a residue": (x) => residual([table()], { project: [embedding({ inputDim: 9, outputDim: 2 })] })(x),
  "in a model used as a layer": (x) => sequential(input({ shape: [LENGTH], dtype: "int32" }), table()).asLayer()(x),
  "in a function of a block": (x) => block("b", (y) => conv1d({ filters: 2, kernelSize: 1 })(table()(y)))(x),
  "behind a convolution's table": (x) => conv1d({ filters: 3, kernelSize: 3, padding: "same" })(table()(x)),
  "beside another embedding": (x) => concatenate()([embedding({ inputDim: 9, outputDim: 2 })(x), table()(x)]),
  "behind a lambda that turns it around": (x) => table()(lambda((y) => ops.reverse(y, [1]))(x)),
  "behind a lambda that reshapes": (x) => table()(lambda((y) => ops.reshape(y, [y.shape[0]!, 2, 2]))(x)),
  "ops.gather in a lambda": (x) => lambda(lookUp)(x),
  "ops.gather of windows": (x) =>
    lambda((y) => lookUp(ops.windows(y, { axis: 1, size: [2], stride: [1], dilation: [1] })))(x),
  "ops.scatterAdd in a lambda": (x) =>
    lambda((y) => ops.scatterAdd(y, ops.constant(1, [y.shape[0]!, LENGTH, 2]), 3, 1))(x),
  "the same, through floats": (x) => lambda((y) => lookUp(asIndex(ops.cast(y, "float32"))))(x),
  "the same, doubled less itself": (x) => lambda((y) => lookUp(ops.sub(ops.mul(y, 2), y)))(x),
  "the same, of two": (x) => lambda((y) => lookUp(ops.add(y, ops.mul(y, 0))))(x),
  "the same, steps first": (x) =>
    lambda((y) => ops.transpose(lookUp(ops.mul(ops.transpose(y, [1, 0]), 1)), [1, 0, 2]))(x),
  "the same, in one axis": (x) =>
    lambda((y) => ops.reshape(lookUp(ops.mul(ops.reshape(y, [-1]), 1)), [y.shape[0]!, LENGTH, 2]))(x),
  "a computed index of an embedding": (x) => table()(lambda((y) => ops.mul(y, 1))(x)),
  "a computed index before a convolution": (x) =>
    conv1d({ filters: 3, kernelSize: 3, padding: "same" })(table()(lambda((y) => ops.mul(y, 1))(x))),
};

function modelOver(path: Path, options: object, dtype: "int32" | "float32" = "int32"): Model {
  const x = input({ shape: [LENGTH], dtype, name: "tokens" });
  const outputs = dense({ units: 1 })(flatten()(path(x)));
  const model = functional({ inputs: x, outputs, seed: 3, ...options });
  model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: "meanSquaredError" });
  return model;
}

const GOOD = [
  [1, 2, 0, 0],
  [2, 1, 1, 0],
  [1, 1, 1, 1],
];

/** The good tokens, but for one of the second row. */
function tokens(bad?: number, dtype: "int32" | "float32" = "int32"): Tensor {
  const rows = GOOD.map((row) => [...row]);
  if (bad !== undefined) rows[1]![2] = bad;
  return tensor(rows, { dtype });
}

const y = tensor([[0], [1], [2]]);

const ENTRIES: Readonly<Record<string, (model: Model, x: Tensor) => Promise<unknown>>> = {
  predict: (model, x) => model.predict(x),
  "predict in batches": (model, x) => model.predict(x, { batchSize: 1 }),
  evaluate: (model, x) => model.evaluate({ x, y }),
  "evaluate in batches": (model, x) => model.evaluate({ x, y }, { batchSize: 1 }),
  fit: (model, x) => model.fit({ x, y }),
  "fit in batches": (model, x) => model.fit({ x, y }, { batchSize: 2, epochs: 3 }),
  "fit's validationData": (model, x) =>
    model.fit({ x: tensor(GOOD, { dtype: x.dtype }), y }, { validationData: { x, y }, callbacks: [] }),
  gradients: (model, x) => model.gradients({ x, y }),
  "gradients of the outputs, in training": (model, x) =>
    model.gradients({ x, upstream: tensor([[1], [1], [1]]) }, { training: true }),
};

async function failure(call: () => Promise<unknown>): Promise<string> {
  try {
    await call();
  } catch (error) {
    return (error as Error).message;
  }
  return "no failure";
}

describe.each(BACKENDS)("on $backend, $threads", (options) => {
  it.each(Object.keys(TOKENS))(
    "an index that is no row is refused, and the next request is right: %s",
    async (path) => {
      const [model, untouched] = [modelOver(TOKENS[path]!, options), modelOver(TOKENS[path]!, options)];
      for (const bad of [3, -1]) {
        const pattern = new RegExp(
          `: (a token|an index) is out of range: expected 0…2, received ${bad} at row 1, column 2\\.$`,
        );
        for (const [name, call] of Object.entries(ENTRIES)) {
          if (name === "fit's validationData") continue;
          const before = await model.getWeights();
          expect(await failure(() => call(model, tokens(bad))), name).toMatch(pattern);
          // Batches before the bad one may have been trained on.
          if (name !== "fit in batches") expect(await model.getWeights(), name).toEqual(before);
          if (name === "fit in batches") await model.setWeights(before);
        }
      }
      expect(await model.predict(tokens())).toEqual(await untouched.predict(tokens()));
      const [logs, expected] = [
        await model.fit({ x: tokens(), y }),
        await modelOver(TOKENS[path]!, options).fit({ x: tokens(), y }),
      ];
      expect(logs.epochs[0]?.["loss"]).toBeCloseTo(expected.epochs[0]?.["loss"] ?? NaN, 5);
      await Promise.all([model.close(), untouched.close()]);
    },
  );

  it.each(Object.keys(TOKENS))("validation data is refused by its name: %s", async (path) => {
    const model = modelOver(TOKENS[path]!, options);
    const message = await failure(() => ENTRIES["fit's validationData"]!(model, tokens(7)));
    expect(message).toMatch(/ of validationData: (a token|an index) is out of range: .* at row 1, column 2\.$/);
    await model.close();
  });
});

describe.each(BACKENDS)("beside what the tables tell, on $backend, $threads", (options) => {
  it("each number of a row has the limits of its own table", async () => {
    const model = modelOver((x) => {
      const part = (from: number, to: number, inputDim: number): SymbolicTensor =>
        embedding({ inputDim, outputDim: 2 })(lambda((t) => ops.slice(t, 1, from, to))(x));
      return concatenate({ axis: 1 })([part(0, 1, 3), part(1, 4, 100)]);
    }, options);
    const good = tensor(
      [
        [2, 99, 50, 0],
        [0, 0, 0, 99],
        [1, 7, 8, 9],
      ],
      { dtype: "int32" },
    );
    expect((await model.predict(good)).shape).toEqual([3, 1]);
    await model.fit({ x: good, y });
    const bad = tensor(
      [
        [2, 99, 50, 0],
        [3, 0, 0, 0],
        [1, 7, 8, 9],
      ],
      { dtype: "int32" },
    );
    for (const [name, call] of Object.entries(ENTRIES))
      expect(await failure(() => call(model, bad)), name).toMatch(
        /a token is out of range: expected 0…2, received 3 at row 1, column 0/,
      );
    const other = tensor(
      [
        [2, 99, 50, 0],
        [0, 0, 0, 100],
        [1, 7, 8, 9],
      ],
      { dtype: "int32" },
    );
    expect(await failure(() => model.predict(other))).toMatch(/expected 0…99, received 100 at row 1, column 3/);
    await model.close();
  });

  it("an index that a number is added to moves the limits, and batches hold no rows but those given", async () => {
    const model = modelOver((x) => lambda((t) => lookUp(ops.sub(t, 1)))(x), options);
    const good = tensor(
      [
        [1, 2, 3, 1],
        [3, 3, 3, 3],
        [1, 1, 1, 1],
      ],
      { dtype: "int32" },
    );
    expect((await model.predict(good)).shape).toEqual([3, 1]);
    expect(await failure(() => model.predict(tokens()))).toBe(
      "tokens: a token is out of range: expected 1…3, received 0 at row 0, column 2.",
    );
    await model.close();
  });

  it("the same input in several tables has the limits of the smallest; two inputs have their own", async () => {
    const [a, b] = [input({ shape: [2], dtype: "int32", name: "a" }), input({ shape: [2], dtype: "int32", name: "b" })];
    const merged = concatenate()([
      embedding({ inputDim: 5, outputDim: 2 })(a),
      table()(a),
      embedding({ inputDim: 9, outputDim: 2 })(b),
    ]);
    const model = functional({ inputs: [a, b], outputs: dense({ units: 1 })(flatten()(merged)), ...options });
    const pair = (first: number, second: number): Tensor[] => [
      tensor([[0, first]], { dtype: "int32" }),
      tensor([[second, 0]], { dtype: "int32" }),
    ];
    expect((await model.predict(pair(2, 8))).shape).toEqual([1, 1]);
    expect(await failure(() => model.predict(pair(3, 8)))).toBe(
      "a: a token is out of range: expected 0…2, received 3 at row 0, column 1.",
    );
    expect(await failure(() => model.predict(pair(2, 9)))).toBe(
      "b: a token is out of range: expected 0…8, received 9 at row 0, column 0.",
    );
    await model.close();
  });

  it("an index of floats is looked at while it is used", async () => {
    const model = modelOver((x) => lambda((t) => lookUp(asIndex(t)))(x), options, "float32");
    expect((await model.predict(tokens(undefined, "float32"))).shape).toEqual([3, 1]);
    for (const [name, call] of Object.entries(ENTRIES))
      expect(await failure(() => call(model, tokens(-3, "float32"))), name).toMatch(
        /lambda.*: an index is out of range: expected 0…2, received -3 at row 1, column 2\.$/,
      );
    await model.close();
  });

  it("rows are numbered as the data is, in whatever order and batch they are visited", async () => {
    const model = modelOver((x) => lambda((t) => lookUp(ops.mul(t, 1)))(x), options);
    const rows = Array.from({ length: 70 }, (_, i) => [i % 3, (i + 1) % 3, 0, 0]);
    rows[53]![3] = 5;
    const x = tensor(rows, { dtype: "int32" });
    const targets = tensor(rows.map(() => [0]));
    const message = "an index is out of range: expected 0…2, received 5 at row 53, column 3.";
    for (const batchSize of [1, 8, 32, 70]) {
      expect(await failure(() => model.predict(x, { batchSize }))).toContain(message);
      expect(await failure(() => model.evaluate({ x, y: targets }, { batchSize }))).toContain(message);
      expect(await failure(() => model.fit({ x, y: targets }, { batchSize }))).toContain(message);
      const shuffled = Dataset.fromTensors({ x, y: targets }).shuffle({ seed: batchSize }).batch(batchSize);
      expect(await failure(() => model.fit(shuffled))).toContain(message);
    }
    await model.close();
  });

  it("an index that is computed from a weight, or within a loss, is looked at, too", async () => {
    const places = input({ shape: [1] });
    const model = functional({
      inputs: places,
      outputs: dense({ units: 1, kernelInitializer: "ones", useBias: false })(places),
      ...options,
    });
    const call = (target: Node, prediction: Node): Node => {
      const looked = ops.reshape(ops.slice(lookUp(asIndex(ops.add(prediction, target))), -1, 0, 1), prediction.shape);
      return ops.mean(ops.add(ops.mul(looked, 0), prediction), { axes: [-1] });
    };
    model.compile({ optimizer: "sgd", loss: { name: "own", targets: "numbers", call } });
    const zeros = tensor([[0], [0]]);
    const before = await model.getWeights();
    expect((await model.evaluate({ x: tensor([[1], [2]]), y: zeros }))["loss"]).toBeCloseTo(1.5, 5);
    for (const name of ["evaluate", "fit", "gradients"] as const)
      expect(await failure(() => model[name]({ x: tensor([[1], [3]]), y: zeros }))).toContain(
        "an index is out of range: expected 0…2, received 3 at row 1, column 0.",
      );
    expect(await model.getWeights()).toEqual(before);
    await model.close();
  });

  it("moving averages stay as they are where an index is bad", async () => {
    const model = modelOver((x) => batchNormalization()(lambda((t) => lookUp(ops.mul(t, 1)))(x)), options);
    const before = await model.getWeights();
    const upstream = tensor([[1], [1], [1]]);
    expect(await failure(() => model.gradients({ x: tokens(9), upstream }, { training: true }))).toContain(
      "received 9 at row 1, column 2",
    );
    expect(await failure(() => model.fit({ x: tokens(9), y }))).toContain("received 9 at row 1, column 2");
    expect(await model.getWeights()).toEqual(before);
    await model.close();
  });
});
