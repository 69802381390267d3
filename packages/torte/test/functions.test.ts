/** Initializers, regularizers, constraints and activations: figures of Keras 3.15.1, and what their formulas promise. */
import { describe, expect, it } from "vitest";
import {
  activation,
  activations,
  conv1d,
  conv2d,
  dense,
  embedding,
  initializers,
  input,
  type LayerFunction,
  maxNorm,
  minMaxNorm,
  nonNeg,
  regularizers,
  sequential,
  sgd,
  Tensor,
  tensor,
  unitNorm,
} from "torte";

const REFERENCE = { backend: "reference" } as const;
const KEY = [123, 456] as const;

const mean = (values: Iterable<number>): number => {
  const list = [...values];
  return list.reduce((sum, value) => sum + value, 0) / list.length;
};

describe("initializers", () => {
  it("know a convolution's taps as connections", () => {
    // 3 by 3 taps of 2 channels in, 4 filters out: fanIn 18, fanOut 36.
    const shape = [3, 3, 2, 4];
    const cases: [initializers.Initializer, number][] = [
      [initializers.glorotUniform(), Math.sqrt(6 / 54)],
      [initializers.heUniform(), Math.sqrt(6 / 18)],
      [initializers.lecunUniform(), Math.sqrt(3 / 18)],
    ];
    for (const [initializer, limit] of cases) {
      const most = Math.max(...initializer(shape, KEY).map(Math.abs));
      expect(most).toBeLessThanOrEqual(limit);
      expect(most).toBeGreaterThan(0.9 * limit);
    }
  });

  it.each<[string, initializers.Initializer, number]>([
    ["glorotNormal", initializers.glorotNormal(), Math.sqrt(2 / 300)],
    ["heNormal", initializers.heNormal(), Math.sqrt(2 / 100)],
    ["lecunNormal", initializers.lecunNormal(), Math.sqrt(1 / 100)],
    ["randomNormal", initializers.randomNormal(), 0.05],
    [
      "untruncated",
      initializers.varianceScaling({ mode: "fanOut", distribution: "untruncatedNormal" }),
      Math.sqrt(1 / 200),
    ],
    ["randomUniform", initializers.randomUniform(), 0.05 / Math.sqrt(3)],
    // A normal cut at two deviations has 0.8796 of the deviation.
    ["truncatedNormal", initializers.truncatedNormal(), 0.05 * 0.87962566],
  ])("%s has its deviation", (_, initializer, deviation) => {
    const values = initializer([100, 200], KEY);
    expect(Math.abs(mean(values))).toBeLessThan(0.03 * deviation);
    expect(Math.sqrt(mean(values.map((value) => value * value))) / deviation).toBeCloseTo(1, 1);
  });

  it("give the matrices they are named after", () => {
    expect([...initializers.identity({ gain: 2 })([2, 3], KEY)]).toEqual([2, 0, 0, 0, 2, 0]);
    expect([...initializers.constant({ value: 3 })([2], KEY)]).toEqual([3, 3]);
    const q = initializers.orthogonal()([4, 2], KEY);
    const product = (a: number, b: number): number =>
      [0, 1, 2, 3].reduce((sum, row) => sum + (q[2 * row + a] ?? 0) * (q[2 * row + b] ?? 0), 0);
    expect(product(0, 0)).toBeCloseTo(1, 6);
    expect(product(0, 1)).toBeCloseTo(0, 6);
  });

  it("give the waves of a short-time Fourier transform", () => {
    const waves = (options: Parameters<typeof initializers.stft>[0]): number[] =>
      [...initializers.stft(options)([4, 1, 3], KEY)].map((value) => Math.round(value * 1e6) / 1e6 + 0);
    const h = 0.707107;
    expect(waves({})).toEqual([0, 0, 0, h, 0, -h, h, -h, h, 0, 0, 0]);
    expect(waves({ side: "imag", window: "hamming", scaling: "spectrum", periodic: true })).toEqual([
      0, 0, 0, 0, -0.25, 0, 0, 0, 0, 0, 0.25, 0,
    ]);
    expect(waves({ window: "none" })).toEqual([1, 1, 1, 1, 0, -1, 1, -1, 1, 1, 0, -1]);
  });

  it("depend on the weight's name and the model's seed, or on a seed of their own", async () => {
    const kernels = async (kernelInitializer: initializers.InitializerOption, seed: number): Promise<Tensor[]> => {
      const layers = [dense({ units: 4, kernelInitializer }), dense({ units: 4, kernelInitializer })];
      const weights = await sequential(input({ shape: [4] }), ...layers, { seed, ...REFERENCE }).getWeights();
      return ["dense.kernel", "dense_1.kernel"].map((name) => weights[name] ?? tensor([]));
    };
    const [a, b] = await kernels("heNormal", 1);
    expect(a).not.toEqual(b);
    expect(await kernels("heNormal", 1)).toEqual([a, b]);
    expect((await kernels("heNormal", 2))[0]).not.toEqual(a);
    const [c, d] = await kernels(initializers.heNormal({ seed: 5 }), 1);
    expect(c).toEqual(d);
    expect(await kernels(initializers.heNormal({ seed: 5 }), 2)).toEqual([c, d]);
  });

  it("of your own must fill the weight", async () => {
    const model = sequential(input({ shape: [3] }), dense({ units: 2, kernelInitializer: () => new Float32Array(5) }));
    await expect(model.getWeights()).rejects.toThrow(
      "dense.kernel: the initializer gives another number of values: expected 6, received 5.",
    );
  });
});

/** (3, 2): the numbers 1 … 6, by 4, less 0.6. */
const W = Array.from({ length: 3 }, (_, i) => [(2 * i + 1) / 4 - 0.6, (2 * i + 2) / 4 - 0.6]);

async function penalty(layer: LayerFunction, weights: Record<string, Tensor>, width: number): Promise<number> {
  const model = sequential(input({ shape: [width] }), layer, REFERENCE);
  await model.setWeights(weights);
  model.compile({ loss: "meanSquaredError" });
  const zeros = new Tensor(new Float64Array(width), [1, width], "float64");
  const y = (await model.predict(zeros)).data;
  return (
    (await model.evaluate({ x: zeros, y: new Tensor(Float64Array.from(y), [1, y.length], "float64") }))["loss"] ?? NaN
  );
}

describe("regularizers", () => {
  it.each<[string, regularizers.RegularizerOption, number]>([
    ["l1", regularizers.l1(0.1), 0.255],
    ["l2", regularizers.l2(0.1), 0.15475],
    ["l1l2", regularizers.l1l2({ l1: 0.1, l2: 0.2 }), 0.5645],
    ["orthogonal", regularizers.orthogonal({ factor: 0.1 }), 0.078172],
    ["by name", "l1l2", 0.01 * (2.55 + 1.5475)],
  ])("%s", async (_, option, expected) => {
    const kernel = tensor(W);
    const onKernel = dense({ units: 2, kernelRegularizer: option, name: "d" });
    expect(await penalty(onKernel, { "d.kernel": kernel }, 3)).toBeCloseTo(expected, 5);
  });

  it("act on kernel, bias and table, and add up", async () => {
    const layer = dense({
      units: 2,
      kernelRegularizer: "l1",
      biasRegularizer: "l2",
      activityRegularizer: "l1",
      name: "d",
    });
    // With x = 0 the output is the bias, (1, −2).
    const bias = tensor([1, -2]);
    expect(await penalty(layer, { "d.kernel": tensor(W), "d.bias": bias }, 3)).toBeCloseTo(0.0255 + 0.05 + 0.03, 6);
    const model = sequential(
      input({ shape: [1], dtype: "int32" }),
      embedding({ inputDim: 2, outputDim: 2, embeddingsRegularizer: "l1", embeddingsInitializer: "ones" }),
      REFERENCE,
    );
    model.compile({ loss: "meanSquaredError" });
    const { loss } = await model.evaluate({ x: tensor([[1]], { dtype: "int32" }), y: tensor([[[1, 1]]]) });
    expect(loss).toBeCloseTo(0.04, 9);
  });
});

describe("constraints", () => {
  async function after(kernelConstraint: Parameters<typeof dense>[0]["kernelConstraint"]): Promise<number[]> {
    const layer = dense({
      units: 2,
      useBias: false,
      name: "d",
      ...(kernelConstraint === undefined ? {} : { kernelConstraint }),
    });
    const model = sequential(input({ shape: [3] }), layer, REFERENCE);
    await model.setWeights({ "d.kernel": tensor(W) });
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
    await model.fit({ x: tensor([[0, 0, 0]]), y: tensor([[0, 0]]) });
    return [...((await model.getWeights())["d.kernel"]?.data ?? [])];
  }
  const norm = (kernel: readonly number[], unit: number): number =>
    Math.hypot(...[0, 2, 4].map((i) => kernel[i + unit] ?? 0));
  const before = [norm(W.flat(), 0), norm(W.flat(), 1)];

  it("hold after every update", async () => {
    const unit = await after(unitNorm());
    [-0.464606, -0.101015, 0.199117, 0.404061, 0.86284, 0.909137].forEach((value, i) => {
      expect(unit[i]).toBeCloseTo(value, 6);
    });
    expect(await after("nonNeg")).toEqual((await after(undefined)).map((value) => Math.max(value, 0)));
    expect((await after(nonNeg()))[0]).toBe(0);
    const capped = await after(maxNorm({ maxValue: 0.9 }));
    expect(norm(capped, 0)).toBeCloseTo(before[0] ?? NaN, 6);
    expect(norm(capped, 1)).toBeCloseTo(0.9, 6);
    const moved = await after(minMaxNorm({ minValue: 2, maxValue: 3, rate: 0.5 }));
    expect(norm(moved, 0)).toBeCloseTo(((before[0] ?? NaN) + 2) / 2, 5);
    const rows = await after(unitNorm({ axis: 1 }));
    expect(Math.hypot(rows[2] ?? 0, rows[3] ?? 0)).toBeCloseTo(1, 6);
  });

  it("count all taps of a convolution into a filter", async () => {
    const model = sequential(
      input({ shape: [4, 2] }),
      conv1d({ filters: 3, kernelSize: 2, kernelConstraint: "unitNorm", name: "c" }),
      REFERENCE,
    );
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
    const zeros = (...shape: number[]) =>
      new Tensor(new Float64Array(shape.reduce((a, b) => a * b, 1)), shape, "float64");
    await model.fit({ x: zeros(1, 4, 2), y: zeros(1, 3, 3) });
    const kernel = [...((await model.getWeights())["c.kernel"]?.data ?? [])];
    for (let filter = 0; filter < 3; filter++)
      expect(Math.hypot(...kernel.filter((_, i) => i % 3 === filter))).toBeCloseTo(1, 6);
  });
});

describe("activations", () => {
  it("stay finite and right far out, compiled", async () => {
    const x = tensor([[-100, -20, -1e-4, 0, 1e-4, 20, 80]]);
    for (const name of Object.keys(activations.ACTIVATIONS) as activations.ActivationName[]) {
      if (name === "glu") continue;
      const [compiled, reference] = [{ threads: 1 }, REFERENCE].map((options) =>
        sequential(input({ shape: [7] }), activation(name), options).predict(x),
      );
      const [actual, expected] = [await compiled, await reference];
      expected?.data.forEach((value, i) => {
        expect(Number.isFinite(value), name).toBe(true);
        expect(
          Math.abs((actual?.data[i] ?? NaN) - value) <= 1e-6 + 2e-6 * Math.abs(value),
          `${name} of ${x.data[i] ?? NaN}`,
        ).toBe(true);
      });
    }
  });

  it("sparsemax is the point of the simplex that is nearest", async () => {
    const x = tensor([
      [0.5, 0.2, -1],
      [3, 0, 0],
      [1, 1, 1],
      [0.6, 0.5, 0.3],
    ]);
    const y = await sequential(input({ shape: [3] }), activation("sparsemax"), REFERENCE).predict(x);
    const expected = [0.65, 0.35, 0, 1, 0, 0, 1 / 3, 1 / 3, 1 / 3, 0.466667, 0.366667, 0.166667];
    expected.forEach((value, i) => {
      expect(y.data[i]).toBeCloseTo(value, 6);
    });
  });

  it("take thresholds and slopes", async () => {
    const of = async (option: activations.Activation): Promise<number[]> => [
      ...(await sequential(input({ shape: [4] }), activation(option), REFERENCE).predict(tensor([[-2, -0.5, 0.5, 2]])))
        .data,
    ];
    expect(await of(activations.threshold({ threshold: 1, defaultValue: -7 }))).toEqual([-7, -7, -7, 2]);
    expect(await of(activations.hardShrink(0.5))).toEqual([-2, 0, 0, 2]);
    expect(await of(activations.softShrink(1))).toEqual([-1, 0, 0, 1]);
    expect(await of(activations.leakyRelu(0.5))).toEqual([-1, -0.25, 0.5, 2]);
    expect(await of(activations.glu())).toHaveLength(2);
  });

  it("are options of convolutions, too", async () => {
    const layer = conv2d({ filters: 1, kernelSize: 1, activation: "hardTanh", kernelInitializer: "ones" });
    const y = await sequential(input({ shape: [1, 2, 1] }), layer, REFERENCE).predict(tensor([[[[3], [-0.5]]]]));
    expect([...y.data]).toEqual([1, -0.5]);
  });
});
