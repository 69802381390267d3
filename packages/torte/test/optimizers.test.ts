/** What optimizers do with given gradients, where libraries differ: formulas with their numbers, on each backend. */
import { describe, expect, it } from "vitest";
import * as torte from "torte";
import {
  adafactor,
  adam,
  adamw,
  type Callback,
  dense,
  describeOptimizer,
  input,
  l2,
  lamb,
  type ModelOptions,
  muon,
  nadam,
  type Optimizer,
  optimizerOf,
  rmsprop,
  sequential,
  sgd,
  Tensor,
  tensor,
} from "torte";
import { trainee, trainRows } from "./given-gradients.js";

const each = ([{ threads: 1 }, { threads: 2 }, { backend: "reference" }] as const).map((options: ModelOptions) => ({
  name: `${options.backend ?? "wasm"} ${options.threads ?? ""}`,
  options,
}));

const f64 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  new Tensor(Float64Array.from(values), shape, "float64");

/** The weight after updates with the gradients, one after the other. */
async function after(
  optimizer: Optimizer,
  start: readonly number[],
  gradients: readonly (readonly number[])[],
  options: ModelOptions,
): Promise<number[]> {
  const model = trainee([[start.length]], optimizer, options);
  await model.setWeights({ "w0.weight": f64(start) });
  const { "w0.weight": weight } = await trainRows(model, [f64(gradients.flat(), [gradients.length, start.length])]);
  await model.close();
  return [...(weight?.data ?? [])];
}

const close = (received: readonly number[], expected: readonly number[], digits = 5): void => {
  expect(received).toHaveLength(expected.length);
  received.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, digits));
};

describe.each(each)("numbers, $name", ({ options }) => {
  it("Adam has its ε beside the root that is not corrected", async () => {
    close(await after(adam({ learningRate: 1 }), [0], [[1e-6]], options), [-0.24025]);
  });

  it("RMSprop has its ε in the root", async () => {
    close(await after(rmsprop({ learningRate: 1 }), [0], [[1]], options), [-3.16228]);
  });

  it.each([
    [1, 0.468],
    [0.004, 0.45007],
  ])("Nadam with momentumDecay %s begins with μ = %s", async (momentumDecay, first) => {
    const next = 0.9 * (1 - 0.5 * 0.96 ** (2 * momentumDecay));
    const expected = -((next * 0.1) / (1 - first * next) + 1);
    close(await after(nadam({ learningRate: 1, momentumDecay, epsilon: 1e-12 }), [0], [[1]], options), [expected], 4);
  });

  it("LAMB's decay is part of what is trusted", async () => {
    const optimizer = lamb({ learningRate: 0.1, weightDecay: 0.1, exclude: "none", epsilon: 1e-12 });
    close(await after(optimizer, [3, 4], [[1, 1]], options), [2.65977, 3.6336]);
  });

  it.each([
    ["clipvalue", { clipvalue: 1 }, [1, -1]],
    ["clipnorm", { clipnorm: 1 }, [0.6, -0.8]],
    ["globalClipnorm", { globalClipnorm: 1 }, [0.6, -0.8]],
    ["clipnorm, of a norm that is small enough", { clipnorm: 5 }, [3, -4]],
  ])("%s", async (_, clipping, expected) => {
    close(
      await after(sgd({ learningRate: 1, ...clipping }), [0, 0], [[3, -4]], options),
      expected.map((x) => -x),
      6,
    );
  });

  it("a norm is finite where its square is not", async () => {
    close(await after(sgd({ learningRate: 1, globalClipnorm: 1 }), [0, 0], [[3e20, -4e20]], options), [-0.6, 0.8], 6);
  });

  it("the norm of all is that of every weight together", async () => {
    const model = trainee([[1], [1]], sgd({ learningRate: 1, globalClipnorm: 1 }), options);
    const weights = await trainRows(model, [f64([3], [1, 1]), f64([4], [1, 1])]);
    close(
      Object.values(weights).map(({ data }) => data[0] ?? NaN),
      [-0.6, -0.8],
      6,
    );
  });

  it.each([
    ["clipnorm", "the gradient of victim.kernel is not finite"],
    ["globalClipnorm", "the gradient of victim.kernel is not finite"],
    ["clipvalue", "victim.kernel is not finite after the update"],
  ])("%s: a gradient that is not finite makes no update, and the run stops", async (clipping, message) => {
    const victim = dense({ units: 1, useBias: false, kernelInitializer: "ones", name: "victim" });
    const model = sequential(
      input({ shape: [1] }),
      victim,
      torte.lambda((x) => torte.ops.sqrt(x)),
      options,
    );
    model.compile({ optimizer: adam({ [clipping]: 1 }), loss: "meanSquaredError" });
    const [x, y] = [tensor([[1], [0]]), tensor([[0], [0]])];
    await expect(model.fit({ x, y }, { batchSize: 1, shuffle: false })).rejects.toThrow(`step 2: ${message}`);
    const { "victim.kernel": kernel } = await model.getWeights();
    expect(kernel?.data[0]).toBeCloseTo(1 - 0.001, 5);
  });
});

describe.each(each)("decay, $name", ({ options }) => {
  const zero = { x: tensor([[0, 0]]), y: tensor([[0]]) };

  it("moves a weight without gradient by rate·λ·w; l2 passes through the moments and moves it by about the rate", async () => {
    const build = (optimizer: Optimizer, penalty?: ReturnType<typeof l2>) => {
      const kernel = dense({ units: 1, kernelInitializer: "ones", ...(penalty ? { kernelRegularizer: penalty } : {}) });
      const model = sequential(input({ shape: [2] }), kernel, options);
      model.compile({ optimizer, loss: "meanSquaredError" });
      return model;
    };
    const decayed = build(adamw({ learningRate: 0.1, weightDecay: 0.01 }));
    const penalized = build(adam({ learningRate: 0.1 }), l2(0.01));
    for (const model of [decayed, penalized]) await model.fit({ x: zero.x, y: tensor([[0]]) });
    expect((await decayed.getWeights())["dense.kernel"]?.data[0]).toBeCloseTo(1 - 0.1 * 0.01, 6);
    expect((await penalized.getWeights())["dense.kernel"]?.data[0]).toBeCloseTo(0.9, 4);
  });

  it.each([
    ["by default what has fewer than two axes", {}, [0.5, 1]],
    ["none", { exclude: "none" }, [0.5, 0.5]],
    ["by the name of a layer", { exclude: ["dense"] }, [1, 1]],
    ["by the name of a weight", { exclude: ["dense.kernel"] }, [1, 0.5]],
    [
      "by a function",
      { exclude: (path: string, shape: readonly number[]) => path.endsWith("kernel") && shape.length === 2 },
      [1, 0.5],
    ],
  ] as const)("excludes %s", async (_, exclude, expected) => {
    const layer = dense({ units: 1, kernelInitializer: "ones", biasInitializer: "ones" });
    const model = sequential(input({ shape: [2] }), layer, options);
    model.compile({ optimizer: sgd({ learningRate: 1, weightDecay: 0.5, ...exclude }), loss: "meanSquaredError" });
    await model.fit({ x: tensor([[0, 0]]), y: tensor([[1]]) });
    const { "dense.kernel": kernel, "dense.bias": bias } = await model.getWeights();
    close([kernel?.data[0] ?? NaN, bias?.data[0] ?? NaN], expected, 6);
  });
});

describe("rates by name", () => {
  it("are those of the longest name that fits", async () => {
    const layers = () => [dense({ units: 1, name: "a", useBias: false }), dense({ units: 1, name: "b" })] as const;
    const model = sequential(input({ shape: [1] }), torte.block("block", [...layers()]), { seed: 2 });
    const before = await model.getWeights();
    const optimizer = sgd({ learningRate: 0.1, lrMultiplier: { block: 0, "block/b": 2, "block/b.bias": 1 } });
    model.compile({ optimizer, loss: "meanAbsoluteError" });
    await model.fit({ x: tensor([[1]]), y: tensor([[100]]) });
    const moved = Object.entries(await model.getWeights()).map(
      ([name, { data }]) => [name, (data[0] ?? NaN) - (before[name]?.data[0] ?? NaN)] as const,
    );
    const hidden = before["block/a.kernel"]?.data[0] ?? NaN;
    const byName = Object.fromEntries(moved);
    expect(byName["block/a.kernel"]).toBe(0);
    expect(byName["block/b.kernel"]).toBeCloseTo(0.2 * hidden, 6);
    expect(byName["block/b.bias"]).toBeCloseTo(0.1, 6);
  });

  it.each([
    [sgd({ lrMultiplier: { nothing: 2 } }), "sgd: lrMultiplier names what the model does not train"],
    [sgd({ exclude: ["dens"] }), "sgd: exclude names what the model does not train"],
  ])("that no weight has are refused", (optimizer, message) => {
    const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
    expect(() => model.compile({ optimizer, loss: "meanSquaredError" })).toThrow(message);
  });
});

const matrix = { path: "conv.kernel", layer: "conv1d", last: false };

describe("slots", () => {
  it("of Adafactor are as many as rows and columns", () => {
    const slots = Object.values(adafactor().slots({ ...matrix, shape: [64, 32] }));
    expect(slots.map(({ shape }) => shape)).toEqual([[64], [32]]);
  });

  it.each([
    ["a matrix", { shape: [4, 3] }, ["m"]],
    ["a kernel of a convolution", { shape: [5, 4, 3] }, ["m"]],
    ["a vector", { shape: [3] }, ["m", "v"]],
    ["an embedding", { shape: [4, 3], layer: "embedding" }, ["m", "v"]],
    ["the last dense layer", { shape: [4, 3], layer: "dense", last: true }, ["m", "v"]],
    ["a dense layer", { shape: [4, 3], layer: "dense" }, ["m"]],
  ])("of Muon for %s", (_, facts, names) => {
    expect(Object.keys(muon().slots({ ...matrix, ...facts }))).toEqual(names);
  });

  it.each(each)("Muon takes a kernel of a convolution as a matrix of its products, $name", async ({ options }) => {
    const numbers = Array.from({ length: 24 }, (_, i) => Math.sin(i));
    const results = await Promise.all(
      [
        [2, 3, 4],
        [6, 4],
      ].map(async (shape) => {
        const model = trainee([shape], muon({ learningRate: 0.1 }), options);
        const { "w0.weight": weight } = await trainRows(model, [f64(numbers, [1, ...shape])]);
        return [...(weight?.data ?? [])];
      }),
    );
    close(results[0] ?? [], results[1] ?? [NaN], 6);
    // Singular values near 1, times rate·0.2·√6: the squares sum up to about 4 of them.
    const size = Math.hypot(...(results[0] ?? [])) / (0.1 * 0.2 * Math.sqrt(6));
    expect(size).toBeGreaterThan(1.4);
    expect(size).toBeLessThan(2.4);
  });
});

describe.each(each)("the moving average, $name", ({ options }) => {
  const up = sgd({ learningRate: 1, useEma: true, emaMomentum: 0.5 });
  const shown = async (model: torte.Model): Promise<number | undefined> =>
    (await model.getWeights())["w0.weight"]?.data[0];

  it("of weights 1, 2, 4 is 1, 1.5, 2.75, and training goes on with the weights", async () => {
    const model = trainee([[1]], up, options);
    const raw: unknown[] = [];
    const seen: unknown[] = [];
    for (const gradient of [-1, -1, -2]) {
      raw.push((await trainRows(model, [f64([gradient], [1, 1])]))["w0.weight"]?.data[0]);
      seen.push(await shown(model));
    }
    expect(raw).toEqual([1, 2, 4]);
    expect(seen).toEqual([1, 1.5, 2.75]);
  });

  it("is what predict, evaluate, validation, callbacks and save see", async () => {
    const model = trainee([[1]], up, options);
    const [x, y] = [f64([-1, -1, -2], [3, 1]), tensor([[0], [0], [0]])];
    const one = { x: f64([1], [1, 1]), y: tensor([[0]]) };
    let inCallback: unknown;
    const look: Callback = { onEpochEnd: async () => void (inCallback = await shown(model)) };
    const { epochs } = await model.fit(
      { x, y },
      { batchSize: 1, shuffle: false, validationData: one, callbacks: [look] },
    );
    expect(inCallback).toBe(2.75);
    expect(epochs[0]?.["valLoss"]).toBe(2.75);
    expect((await model.evaluate(one))["loss"]).toBe(2.75);
    expect((await model.predict(one.x)).data[0]).toBe(2.75);
    expect(torte.parseSafetensors(await model.saveWeights()).tensors["w0.weight"]?.data[0]).toBe(2.75);
  });

  it("begins anew with weights that are set from outside", async () => {
    const model = trainee([[1]], up, options);
    await trainRows(model, [f64([-1, -1], [2, 1])]);
    await model.setWeights({ "w0.weight": tensor([10]) });
    expect((await trainRows(model, [f64([-2], [1, 1])]))["w0.weight"]?.data[0]).toBe(12);
    expect(await shown(model)).toBe(11);
  });

  it("takes the weights' place every so many updates", async () => {
    const optimizer = sgd({ learningRate: 1, useEma: true, emaMomentum: 0.5, emaOverwriteFrequency: 2 });
    const model = trainee([[1]], optimizer, options);
    expect((await trainRows(model, [f64([-1, -1], [2, 1])]))["w0.weight"]?.data[0]).toBe(1.5);
  });

  it("is shown after an error, too, and includes moving statistics", async () => {
    const model = sequential(
      input({ shape: [1] }),
      torte.batchNormalization({ momentum: 0 }),
      dense({ units: 1 }),
      options,
    );
    model.compile({ optimizer: sgd({ learningRate: 0, useEma: true, emaMomentum: 0.5 }), loss: "meanSquaredError" });
    const batches = [1, 1, 3, 3].map((value) => [value]);
    const y = tensor([[0], [0], [0], [0]]);
    const stop: Callback = {
      onProgress: () => {
        throw new Error("stop");
      },
    };
    const fit = model.fit({ x: tensor(batches), y }, { batchSize: 2, shuffle: false, callbacks: [stop] });
    await expect(fit).rejects.toThrow("stop");
    expect((await model.getWeights())["batch_normalization.movingMean"]?.data[0]).toBeCloseTo(2, 6);
  });
});

describe("a description in JSON", () => {
  const schedule = torte.warmup(5, torte.cosineDecay({ initialLearningRate: 0.1, decaySteps: 10 }));
  const names = [
    "sgd",
    "adam",
    "adamw",
    "nadam",
    "adamax",
    "rmsprop",
    "adagrad",
    "adadelta",
    "adafactor",
    "lion",
    "lamb",
    "muon",
    "scheduleFreeAdamW",
  ] as const;

  it.each(names)("makes the same %s", (kind) => {
    const optimizer = torte[kind]({ learningRate: schedule, clipnorm: 1, exclude: ["a"], lrMultiplier: { a: 2 } });
    const again = optimizerOf(JSON.parse(JSON.stringify(describeOptimizer(optimizer))));
    expect(describeOptimizer(again)).toEqual(describeOptimizer(optimizer));
    expect(again.settings).toEqual(optimizer.settings);
    const rates = [optimizer, again].map(({ learningRate }) => typeof learningRate === "object" && learningRate.at(7));
    expect(rates[0]).toBe(rates[1]);
  });

  it("of functions of one's own is refused", () => {
    expect(() => describeOptimizer(sgd({ learningRate: () => 1 }))).toThrow("a function of your own cannot be written");
    expect(() => describeOptimizer(sgd({ exclude: () => true }))).toThrow("a function of your own cannot be written");
  });

  it.each([null, {}, { kind: "sgd" }, { kind: "__proto__", options: {} }, { kind: "sgd", options: { momentum: 3 } }])(
    "%j is refused",
    (description) => {
      expect(() => optimizerOf(description)).toThrow(torte.TorteError);
    },
  );
});
