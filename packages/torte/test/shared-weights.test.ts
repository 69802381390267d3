/** A weight has one value, whichever model changed it last and wherever that model runs. */
import { describe, expect, it } from "vitest";
import {
  batchNormalization,
  dense,
  input,
  type Model,
  type ModelOptions,
  sequential,
  sgd,
  tensor,
  type Tensor,
} from "torte";

const OPTIONS: Readonly<Record<string, ModelOptions>> = {
  "no options": {},
  "1 thread": { threads: 1 },
  "2 threads": { threads: 2 },
  reproducible: { precision: "reproducible" },
  reference: { backend: "reference" },
};

const x = tensor([
  [1, 2],
  [3, -1],
  [0.5, 4],
  [-2, 1],
]);
const y = tensor([[1], [0], [2], [-1]]);

/** Layers that several models share: weights that are trained, and moving averages. */
const parts = () => [
  dense({ units: 3, name: "shared" }),
  batchNormalization({ name: "moving" }),
  dense({ units: 1, name: "last" }),
];

const model = (layers: ReturnType<typeof parts>, options: ModelOptions): Model =>
  sequential(input({ shape: [2] }), ...layers, options);

let seed = 1;

/** Ways to change the weights of a model. */
const CHANGES: Readonly<Record<string, (changed: Model) => Promise<unknown>>> = {
  fit: (changed) => {
    changed.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: "meanSquaredError" });
    return changed.fit({ x, y }, { epochs: 2, batchSize: 2 });
  },
  setWeights: async (changed) => changed.setWeights(await model(parts(), { seed: seed++ }).getWeights()),
  loadWeights: async (changed) => changed.loadWeights(await model(parts(), { seed: seed++ }).saveWeights()),
  "gradients in training": (changed) => changed.gradients({ x, upstream: y }, { training: true }),
};

/** By a model of its own, from the values alone. */
async function expected(values: Readonly<Record<string, Tensor>>): Promise<Tensor> {
  const fresh = model(parts(), { backend: "reference" });
  await fresh.setWeights(values);
  return fresh.predict(x);
}

function near(actual: Tensor | undefined, wanted: Tensor | undefined): void {
  expect(actual?.shape).toEqual(wanted?.shape);
  wanted?.data.forEach((value, i) => expect(actual?.data[i]).toBeCloseTo(value, 4));
}

/** The first model has what the second one had last. */
async function agrees(reader: Model, changed: Model): Promise<void> {
  const values = await changed.getWeights();
  const seen = await reader.getWeights();
  for (const [name, value] of Object.entries(values)) near(seen[name], value);
  near(await reader.predict(x), await expected(values));
}

const pairs = Object.keys(OPTIONS).flatMap((first) => Object.keys(OPTIONS).map((second) => [first, second] as const));

describe.each(pairs)("layers in a model with %s and in one with %s", (first, second) => {
  it.each(Object.keys(CHANGES))("agree after %s, in turn", async (change) => {
    const layers = parts();
    const a = model(layers, OPTIONS[first] ?? {});
    await a.predict(x);
    const b = model(layers, OPTIONS[second] ?? {});
    for (const [changed, reader] of [
      [a, b],
      [b, a],
      [b, a],
      [a, b],
    ] as const) {
      const before = await changed.predict(x);
      await CHANGES[change]?.(changed);
      expect([...(await changed.predict(x)).data]).not.toEqual([...before.data]);
      await agrees(reader, changed);
    }
    await Promise.all([a.close(), b.close()]);
  });
});

describe("layers of two models in a third one", () => {
  it.each(["wasm", "reference"] as const)("train both, and the other way round (%s)", async (backend) => {
    const generator = sequential(input({ shape: [2] }), dense({ units: 3, name: "g" }));
    const judge = sequential(input({ shape: [3] }), dense({ units: 1, name: "j" }), { backend });
    const [noise, drawn] = [await generator.predict(x), tensor(new Float32Array(12).fill(1), { shape: [4, 3] })];
    await judge.predict(drawn);
    const both = sequential(input({ shape: [2] }), generator.asLayer(), judge.asLayer());
    both.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: "meanSquaredError" });
    judge.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: "meanSquaredError" });
    for (let round = 0; round < 3; round++) {
      await both.fit({ x, y }, { batchSize: 4 });
      near(await judge.predict(await generator.predict(x)), await both.predict(x));
      await judge.fit({ x: drawn, y }, { batchSize: 4 });
      near(await judge.predict(await generator.predict(x)), await both.predict(x));
    }
    expect([...(await generator.predict(x)).data]).not.toEqual([...noise.data]);
  });

  it("that are open when it is closed keep what it has taught them, and nobody when all are", async () => {
    const layers = parts();
    const [a, b] = [model(layers, { threads: 1, seed: 3 }), model(layers, { threads: 2, seed: 3 })];
    const before = await a.getWeights();
    await CHANGES["fit"]?.(b);
    const values = await b.getWeights();
    await b.close();
    near(await a.predict(x), await expected(values));
    await a.close();
    near(await model(layers, { seed: 3 }).predict(x), await expected(before));
  });
});

describe("models that train at the same time", () => {
  it.each([
    ["one session", {}, {}],
    ["two sessions", { threads: 1 }, { threads: 2 }],
    ["two backends", { backend: "reference" }, { threads: 2 }],
  ] as const)("lose no step of either: %s", async (_, first, second) => {
    // Each step adds 1 to the weight, as long as the target is far away.
    const layer = dense({ units: 1, useBias: false, kernelInitializer: "zeros" });
    const steps = 300;
    const data = {
      x: tensor(new Float32Array(steps).fill(1), { shape: [steps, 1] }),
      y: tensor(new Float32Array(steps).fill(1e6), { shape: [steps, 1] }),
    };
    const models = [first, second].map((options) => {
      const made = sequential(input({ shape: [1] }), layer, options);
      made.compile({ optimizer: sgd({ learningRate: 1 }), loss: "meanAbsoluteError" });
      return made;
    });
    await Promise.all(models.map((made) => made.fit(data, { epochs: 2, batchSize: 1 })));
    for (const made of models) expect(Object.values(await made.getWeights())[0]?.data[0]).toBe(4 * steps);
  });
});
