/** Figures that the chapter "Standard Layers" gives, by its sections. */
import { describe, expect, it } from "vitest";
import {
  activation,
  activations,
  averagePooling2d,
  batchNormalization,
  conv2d,
  dense,
  dropout,
  flatten,
  functional,
  input,
  l2,
  l2Norm,
  layerNormalization,
  type LayerFunction,
  maxPooling2d,
  type Model,
  type ModelOptions,
  residual,
  sequential,
  sgd,
  Tensor,
  tensor,
} from "torte";

const REFERENCE = { backend: "reference" } as const;

const numbers = (shape: readonly number[], seed = 1): Tensor =>
  new Tensor(
    Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(seed + 3 * i)),
    shape,
    "float64",
  );

const shapesOf = (model: Model): string[] =>
  model.network.values.slice(1).map(({ shape }) => shape.slice(1).join(" x "));

/** Output of a layer in a training step. */
async function trained(layer: LayerFunction, x: Tensor): Promise<Tensor> {
  const model = sequential(input({ shape: x.shape.slice(1) }), layer, REFERENCE);
  const { outputs } = await model.gradients({ x, upstream: x }, { training: true });
  return outputs[0] ?? x;
}

describe("7.1, the figure", () => {
  it("has 1,626,848 parameters, its shapes, and probabilities that sum to 1", async () => {
    const model = sequential(
      input({ shape: [64, 64, 3] }),
      conv2d({ filters: 24, kernelSize: 17, activation: "relu" }),
      maxPooling2d({ poolSize: 3 }),
      flatten(),
      dense({ units: 256, activation: "relu" }),
      dense({ units: 128, activation: "softmax" }),
    );
    expect(model.countParams()).toBe(1_626_848);
    expect(shapesOf(model)).toEqual(["48 x 48 x 24", "16 x 16 x 24", "6144", "256", "128"]);
    expect(
      model.network.layers.map((layer) =>
        [...layer.weights.values()].reduce((sum, { state }) => sum + state.shape.reduce((a, b) => a * b, 1), 0),
      ),
    ).toEqual([20_832, 0, 0, 1_573_120, 32_896]);
    const probabilities = await model.predict(
      tensor(Float32Array.from(numbers([2, 64, 64, 3]).data), { shape: [2, 64, 64, 3] }),
    );
    for (const row of [0, 1]) {
      const values = [...probabilities.rows(row, row + 1).data];
      expect(values.every((p) => p >= 0)).toBe(true);
      expect(values.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 5);
    }
  });
});

describe("7.2.2", () => {
  const halve = (padding: "same" | "valid", pool: () => LayerFunction): LayerFunction[] => [
    conv2d({ filters: 2, kernelSize: 3, padding }),
    pool(),
  ];

  it("pools 32 to 16, 8, 4 where the convolutions keep the size", () => {
    const model = sequential(
      input({ shape: [32, 32, 1] }),
      ...[1, 2, 3].flatMap(() => halve("same", () => averagePooling2d())),
    );
    expect(shapesOf(model).filter((_, i) => i % 2 === 1)).toEqual(["16 x 16 x 2", "8 x 8 x 2", "4 x 4 x 2"]);
  });

  it("goes 30, 15, 13, 6, 4, 2 where they do not", () => {
    const model = sequential(
      input({ shape: [32, 32, 1] }),
      ...[1, 2, 3].flatMap(() => halve("valid", () => maxPooling2d())),
    );
    expect(shapesOf(model).map((shape) => Number(shape.split(" ")[0]))).toEqual([30, 15, 13, 6, 4, 2]);
  });

  it("has as many weights for any size of the image", () => {
    const weights = [16, 64].map((n) =>
      sequential(input({ shape: [n, n, 3] }), conv2d({ filters: 4, kernelSize: 5 })).countParams(),
    );
    expect(weights).toEqual([304, 304]);
  });
});

describe("7.6", () => {
  it("penalizes ones (3, 2) with 0.02449 by the root of the squares, and with 0.06 by their sum", async () => {
    for (const [kernelRegularizer, penalty] of [
      [l2Norm(0.01), 0.01 * Math.sqrt(6)],
      ["l2Norm", 0.02449489742783178],
      [l2(0.01), 0.06],
      ["l2", 0.06],
    ] as const) {
      const layer = dense({ units: 2, useBias: false, kernelInitializer: "ones", kernelRegularizer });
      const model = sequential(input({ shape: [3] }), layer, REFERENCE);
      model.compile({ loss: "meanSquaredError" });
      const { loss } = await model.evaluate({ x: tensor([[0, 0, 0]]), y: tensor([[0, 0]]) });
      expect(loss).toBeCloseTo(penalty, 10);
    }
  });

  it("divides the penalty of an output by the batch size", async () => {
    const model = sequential(input({ shape: [2] }), activation("linear", { activityRegularizer: l2(0.1) }), REFERENCE);
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
    for (const rows of [1, 2, 4]) {
      const x = tensor(Array.from({ length: rows }, () => [1, 3]));
      expect((await model.evaluate({ x, y: x }))["loss"]).toBeCloseTo(0.1 * (1 + 9), 7);
      expect((await model.fit({ x, y: x })).epochs[0]?.["loss"]).toBeCloseTo(0.1 * (1 + 9), 7);
    }
  });

  it("normalizes 0 and 4 to −1 and 1 over the batch", async () => {
    const y = await trained(batchNormalization({ epsilon: 1e-12 }), tensor([[0], [4]]));
    expect([...y.data].map((value) => Math.round(value * 1e9) / 1e9)).toEqual([-1, 1]);
  });

  it("normalizes a batch of one to β, and moves its averages the same for any size of the batch", async () => {
    const one = await trained(batchNormalization({ betaInitializer: "ones" }), tensor([[5, -3]]));
    expect([...one.data]).toEqual([1, 1]);
    const model = sequential(input({ shape: [1] }), batchNormalization({ momentum: 0.9 }), REFERENCE);
    let mean = 0;
    for (const x of [tensor([[2], [4]]), tensor([[9]]), tensor([[1], [2], [6]])]) {
      await model.gradients({ x, upstream: x }, { training: true });
      mean = 0.9 * mean + (0.1 * [...x.data].reduce((sum, value) => sum + value, 0)) / x.data.length;
      expect((await model.getWeights())["batch_normalization.movingMean"]?.data[0]).toBeCloseTo(mean, 6);
    }
  });

  it("normalizes a layer the same in any batch", async () => {
    const x = numbers([5, 4]);
    const all = await trained(layerNormalization(), x);
    for (let row = 0; row < 5; row++)
      expect((await trained(layerNormalization(), x.rows(row, row + 1))).data).toEqual(all.rows(row, row + 1).data);
  });

  it("scales what dropout keeps by 1/0.7 = 1.4286, or by what was kept: 10/8 = 1.25", async () => {
    const ones = new Tensor(new Float64Array(2000).fill(1), [200, 10], "float64");
    const expected = await trained(dropout({ rate: 0.3 }), ones);
    expect(Math.max(...expected.data)).toBeCloseTo(1.4286, 4);
    const realized = await trained(dropout({ rate: 0.3, rescale: "realized" }), ones);
    let eights = 0;
    for (let row = 0; row < 200; row++) {
      const kept = [...realized.rows(row, row + 1).data].filter((value) => value !== 0);
      for (const value of kept) expect(value).toBeCloseTo(10 / kept.length, 12);
      if (kept.length === 8) eights += Number(kept[0] === 1.25);
    }
    expect(eights).toBeGreaterThan(20);
    const share = expected.data.filter((value) => value !== 0).length / 2000;
    expect(share).toBeGreaterThan(0.66);
    expect(share).toBeLessThan(0.74);
  });
});

describe("7.7", () => {
  /** One row of the Jacobian for each example, all at the same x. */
  async function jacobian(
    layer: LayerFunction,
    x: readonly number[],
  ): Promise<{ rows: number[][]; kernel: Tensor; bias: Tensor }> {
    const n = x.length;
    const model = sequential(input({ shape: [n] }), layer, REFERENCE);
    const unit = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (__, k) => Number(i === k)));
    const { inputs } = await model.gradients({ x: tensor(unit.map(() => [...x])), upstream: tensor(unit) });
    const { "residual/dense.kernel": kernel, "residual/dense.bias": bias } = await model.getWeights();
    if (kernel === undefined || bias === undefined || inputs[0] === undefined) throw new RangeError("no weights");
    return { rows: unit.map((_, i) => [...(inputs[0]?.rows(i, i + 1).data ?? [])]), kernel, bias };
  }

  it("has the Jacobian diag(σ′)·W + I around a layer", async () => {
    const x = [0.3, -1.2, 0.8];
    const layer = residual([dense({ units: 3, activation: "sigmoid", biasInitializer: "ones" })]);
    const { rows, kernel, bias } = await jacobian(layer, x);
    rows.forEach((row, i) => {
      const z = x.reduce((sum, value, k) => sum + value * (kernel.data[3 * k + i] ?? 0), bias.data[i] ?? 0);
      const s = 1 / (1 + Math.exp(-z));
      row.forEach((entry, k) => {
        expect(entry).toBeCloseTo(s * (1 - s) * (kernel.data[3 * k + i] ?? 0) + Number(i === k), 6);
      });
    });
  });
});

describe("7.11", () => {
  const at = async (option: Parameters<typeof activation>[0], ...x: number[]): Promise<number[]> => {
    const place = input({ shape: [1] });
    const model = functional({ inputs: place, outputs: activation(option)(place), ...REFERENCE });
    return [...(await model.predict(new Tensor(Float64Array.from(x), [x.length, 1], "float64"))).data];
  };

  it.each<[string, Parameters<typeof activation>[0], readonly (readonly [number, number])[]]>([
    [
      "swish",
      "swish",
      [
        [1, 0.731059],
        [-1.5, -0.273638],
        [-1.278465, -0.278465],
        [0, 0],
      ],
    ],
    [
      "gelu",
      "gelu",
      [
        [1, 0.841345],
        [-1.5, -0.100211],
        [-0.751793, -0.169971],
        [0, 0],
      ],
    ],
    ["gelu by tanh", activations.gelu({ approximate: true }), [[1, 0.841192]]],
    [
      "relu",
      "relu",
      [
        [1.5, 1.5],
        [-1.5, 0],
        [0, 0],
      ],
    ],
    ["tanh", "tanh", [[1, 0.761594]]],
    [
      "sigmoid",
      "sigmoid",
      [
        [0, 0.5],
        [1, 0.731059],
      ],
    ],
  ])("%s", async (_, option, points) => {
    const values = await at(option, ...points.map(([x]) => x));
    points.forEach(([, y], i) => {
      expect(values[i]).toBeCloseTo(y, 6);
    });
  });

  it("has the lowest points where the chapter's curves have them", async () => {
    for (const [option, place] of [
      ["swish", -1.278465],
      ["gelu", -0.751793],
    ] as const) {
      const [before = 0, lowest = 0, after = 0] = await at(option, place - 1e-3, place, place + 1e-3);
      expect(lowest).toBeLessThan(before);
      expect(lowest).toBeLessThan(after);
    }
  });

  it("shifts and widens gelu by μ and σ", async () => {
    const [plain = NaN] = await at("gelu", 0.5);
    const [moved = NaN] = await at(activations.gelu({ mu: 1, sigma: 2 }), 2);
    expect(moved / 2).toBeCloseTo(plain / 0.5, 12);
  });
});

describe("batch normalization far from 0", () => {
  it("loses nothing to the offset of its input", async () => {
    // Multiples of 1/64 up to 8192 are exact in float32, so only the arithmetic can differ from that in float64.
    const far = (seed: number): Tensor =>
      new Tensor(
        Float32Array.from({ length: 32 * 50 * 4 }, (_, i) => 8000 + Math.round(64 * Math.sin(seed + 3 * i)) / 64),
        [32, 50, 4],
        "float32",
      );
    const outputs = async (options: ModelOptions): Promise<number[]> => {
      const model = sequential(input({ shape: [50, 4] }), batchNormalization({ epsilon: 1e-7 }), options);
      const x = far(1);
      const { outputs: given } = await model.gradients({ x, upstream: x }, { training: true });
      return [...(given[0] ?? x).data];
    };
    const [fast, exact] = [await outputs({}), await outputs({ backend: "reference" })];
    const error = Math.max(...exact.map((value, i) => Math.abs(value - (fast[i] ?? NaN))));
    expect(Math.max(...exact)).toBeGreaterThan(1);
    expect(error).toBeLessThan(1e-3);
  });
});
