/** Runs: how one goes on after another, and how one ends. */
import { describe, expect, it } from "vitest";
import {
  adam,
  type Callback,
  Dataset,
  dense,
  dropout,
  embedding,
  flatten,
  input,
  lambda,
  type Model,
  type ModelOptions,
  ops,
  sequential,
  sgd,
  tensor,
} from "torte";

const BACKENDS: readonly ModelOptions[] = [{ threads: 1 }, { threads: 2 }, { backend: "reference" }];
const name = ({ backend = "wasm", threads }: ModelOptions): string => `${backend} ${threads ?? ""}`;
const each = BACKENDS.map((options) => ({ name: name(options), options }));

const numbers = (rows: number, from = 0) => tensor(Float32Array.from({ length: rows }, (_, i) => Math.sin(i + from)));
const rows = { x: numbers(40).reshape([20, 2]), y: numbers(20, 100).reshape([20, 1]) };

const learner = (options: ModelOptions): Model => {
  const model = sequential(
    input({ shape: [2] }),
    dense({ units: 4, activation: "tanh" }),
    dropout({ rate: 0.5 }),
    dense({ units: 1 }),
    options,
  );
  model.compile({ optimizer: adam({ learningRate: 0.1 }), loss: "meanSquaredError" });
  return model;
};

const weightsOf = async (model: Model): Promise<number[][]> =>
  Object.values(await model.getWeights()).map(({ data }) => [...data]);

describe.each(each)("a fit after another, $name", ({ options }) => {
  it.each([
    ["tensors", rows],
    ["a shuffled dataset", Dataset.fromTensors(rows).shuffle({ seed: 3 }).batch(8)],
  ])("goes on with the next order and random numbers, with %s", async (_, data) => {
    const whole = learner(options);
    await whole.fit(data, { epochs: 3, batchSize: 8 });
    const parts = learner(options);
    for (let i = 0; i < 3; i++) await parts.fit(data, { batchSize: 8 });
    expect(await weightsOf(parts)).toEqual(await weightsOf(whole));
  });

  it("sees other orders and random numbers after it is compiled anew", async () => {
    const model = learner(options);
    const start = await model.getWeights();
    const epoch = async (): Promise<number[][]> => {
      await model.setWeights(start);
      model.compile({ optimizer: adam({ learningRate: 0.1 }), loss: "meanSquaredError" });
      await model.fit(rows, { batchSize: 8 });
      return weightsOf(model);
    };
    expect(await epoch()).not.toEqual(await epoch());
  });
});

/** A weight of 1 times the input, rooted: finite for the input 0, where the derivative is not. */
const rooted = (options: ModelOptions): Model =>
  sequential(
    input({ shape: [1] }),
    dense({ units: 1, useBias: false, kernelInitializer: "ones", name: "victim" }),
    lambda((x) => ops.sqrt(x)),
    options,
  );

/** Two rows of a table, of which each step uses one. */
const looked = (options: ModelOptions): Model =>
  sequential(
    input({ shape: [1], dtype: "int32" }),
    embedding({ inputDim: 2, outputDim: 1, embeddingsInitializer: "zeros", name: "victim" }),
    flatten(),
    lambda((x) => ops.sqrt(x)),
    options,
  );

const column = (values: readonly number[]) => tensor(values.map((value) => [value]));

describe.each(each)("an update that is not finite, $name", ({ options }) => {
  it.each([
    { what: "the last of all", make: rooted, x: column([1, 1, 1, 0]), optimizer: sgd(), at: 4 },
    { what: "momentum", make: rooted, x: column([1, 1, 0]), optimizer: sgd({ momentum: 0.9 }), at: 3 },
    {
      what: "of a row that no later step uses",
      make: looked,
      x: tensor(Int32Array.of(0), { shape: [1, 1] }),
      optimizer: sgd(),
      at: 1,
    },
  ])("ends fit with an error that names step and weight: $what", async ({ make, x, optimizer, at }) => {
    const model = make(options);
    model.compile({ optimizer, loss: "meanSquaredError" });
    const seen: string[] = [];
    const told: Callback = {
      onEpochEnd: () => void seen.push("epoch"),
      onTrainEnd: () => void seen.push("end"),
    };
    const y = column([...x.data].map(() => 0));
    await expect(model.fit({ x, y }, { batchSize: 1, shuffle: false, callbacks: [told] })).rejects.toThrow(
      new RegExp(
        `^step ${at}: victim.* is not finite after the update: received \\(.*\\) with . NaN; .*\\. Try a smaller learning rate`,
      ),
    );
    expect(seen).toEqual(["end"]);
    expect((await weightsOf(model)).flat().every(Number.isFinite)).toBe(true);
  });
});

describe("errors of callbacks", () => {
  const HOOKS = ["onTrainBegin", "onEpochBegin", "onProgress", "onEpochEnd"] as const;
  const failing = (message: string) => () => {
    throw new Error(message);
  };

  it.each(HOOKS)("the first is kept where one comes after it, and all are told of the end: %s", async (hook) => {
    const told: string[] = [];
    const callbacks: Callback[] = [
      { onTrainEnd: failing("early end") },
      { [hook]: failing("the first"), onTrainEnd: failing("its own end") },
      { onTrainEnd: () => Promise.reject(new Error("late end")) },
      { onTrainEnd: () => void told.push("told") },
    ];
    await expect(learner({}).fit(rows, { callbacks })).rejects.toThrow("the first");
    expect(told).toEqual(["told"]);
  });

  it("of the end alone: the first of them", async () => {
    const told: string[] = [];
    const callbacks = [failing("one"), failing("two"), () => void told.push("told")];
    const model = learner({});
    const ends = callbacks.map((onTrainEnd) => ({ onTrainEnd }));
    await expect(model.fit(rows, { callbacks: ends })).rejects.toThrow("one");
    expect(told).toEqual(["told"]);
    expect((await model.fit(rows)).ended).toBe("finished");
  });
});
