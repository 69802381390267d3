/** How far elements of convolutions are from float64, with fast convolutions and without; docs/performance.md has the figures. */
import { describe, expect, it } from "vitest";
import { conv1d, conv2d, conv3d, functional, input, loadModel, type Model, sequential, sgd, Tensor } from "torte";

const wave = (shape: readonly number[], seed: number): Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => Math.sin(seed + i * 1.7 + ((i * i) % 97)));
  return new Tensor(values, shape, "float32");
};

interface Case {
  readonly name: string;
  /** Of the image, without its channels. */
  readonly lengths: readonly number[];
  readonly taps: number;
  readonly channels: number;
  readonly filters: number;
  /** Bounds of the largest error of an element, by the root mean square of all. */
  readonly fast: number;
  readonly exact: number;
}

const CASES: readonly Case[] = [
  { name: "5 taps", lengths: [60], taps: 5, channels: 64, filters: 64, fast: 1e-5, exact: 4e-6 },
  { name: "3×3", lengths: [16, 16], taps: 3, channels: 32, filters: 32, fast: 1e-5, exact: 4e-6 },
  { name: "5×5", lengths: [16, 16], taps: 5, channels: 35, filters: 40, fast: 2e-5, exact: 5e-6 },
  { name: "3×3×3", lengths: [8, 8, 8], taps: 3, channels: 16, filters: 32, fast: 2e-5, exact: 5e-6 },
];

function build({ lengths, taps, channels, filters }: Case, backend: "wasm" | "native" | "reference"): Model {
  const image = input({ shape: [...lengths, channels] });
  const options = { filters, kernelSize: taps, useBias: false };
  const layer = lengths.length === 1 ? conv1d(options) : lengths.length === 2 ? conv2d(options) : conv3d(options);
  return functional({ inputs: image, outputs: layer(image), seed: 3, backend, threads: 1 });
}

/** The convolution in float64. */
function plainly({ lengths, taps, channels, filters }: Case, x: Tensor, kernel: Tensor): Float64Array {
  const rank = lengths.length;
  const results = lengths.map((n) => n - taps + 1);
  const each = (sizes: readonly number[], body: (at: readonly number[]) => void, at: readonly number[] = []): void => {
    if (at.length === sizes.length) body(at);
    else for (let i = 0; i < (sizes[at.length] ?? 0); i++) each(sizes, body, [...at, i]);
  };
  const place = (sizes: readonly number[], at: readonly number[]): number =>
    at.reduce((sum, i, axis) => sum * (sizes[axis] ?? 1) + i, 0);
  const sums = new Float64Array(place([...results, filters], [...results.map((n) => n - 1), filters - 1]) + 1);
  each(results, (at) => {
    each(Array<number>(rank).fill(taps), (tap) => {
      const from = channels * place(lengths, at.map((i, axis) => i + (tap[axis] ?? 0))); // prettier-ignore
      const weights = channels * filters * place(Array<number>(rank).fill(taps), tap);
      const to = filters * place(results, at);
      for (let c = 0; c < channels; c++) {
        const value = x.data[from + c] ?? 0;
        const row = weights + c * filters;
        for (let f = 0; f < filters; f++) sums[to + f] = (sums[to + f] ?? 0) + value * (kernel.data[row + f] ?? 0);
      }
    });
  });
  return sums;
}

/** The largest error of an element, by the root mean square of all. */
function largest(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(actual.length).toBe(expected.length);
  const size = Math.sqrt(Array.from(expected).reduce((sum, value) => sum + value ** 2, 0) / expected.length);
  return Array.from(expected).reduce((most, y, i) => Math.max(most, Math.abs((actual[i] ?? NaN) - y)), 0) / size;
}

describe.each(["wasm", "native"] as const)("an element of a convolution, %s:", (backend) => {
  it.each(CASES)("$name", { timeout: 120_000 }, async (tested) => {
    const x = wave([1, ...tested.lengths, tested.channels], 0.3);
    const model = build(tested, backend);
    const errors: number[] = [];
    for (const exactConvolutions of [false, true]) {
      model.compile({ optimizer: "sgd", loss: "meanSquaredError", exactConvolutions });
      const y = await model.predict(x);
      const [kernel] = Object.values(await model.getWeights());
      errors.push(largest(y.data, plainly(tested, x, kernel ?? x)));
    }
    await model.close();
    const [fast = NaN, exact = NaN] = errors;
    expect(exact).toBeLessThan(tested.exact);
    expect(fast).toBeLessThan(tested.fast);
    // The option is for something.
    expect(fast).toBeGreaterThan(1.3 * exact);
  });
});

describe("compile({ exactConvolutions: true })", () => {
  const tested: Case = { name: "", lengths: [40], taps: 5, channels: 48, filters: 48, fast: 0, exact: 0 };
  const [x, y] = [wave([2, 40, 48], 0.7), wave([2, 36, 48], 1.9)];

  /** A step's change of the weights, and the loss. */
  async function step(model: Model): Promise<{ change: number[]; loss: number }> {
    const [before] = Object.values(await model.getWeights());
    const { epochs } = await model.fit({ x, y }, { epochs: 1, batchSize: 2 });
    const [after] = Object.values(await model.getWeights());
    return {
      change: [...(after?.data ?? [])].map((w, i) => w - (before?.data[i] ?? 0)),
      loss: epochs[0]?.["loss"] ?? NaN,
    };
  }

  it("holds for training, gradients, evaluation, and the model's file", { timeout: 120_000 }, async () => {
    const wanted = build(tested, "reference");
    const options = { optimizer: sgd({ learningRate: 1 }), loss: "meanSquaredError" } as const;
    wanted.compile(options);
    const { weights } = await wanted.gradients({ x, y });
    const [right] = Object.values(weights).map(({ data }) => [...data]);
    const found = [];
    for (const exactConvolutions of [false, true]) {
      const model = build(tested, "wasm");
      model.compile({ ...options, exactConvolutions });
      const [own] = Object.values((await model.gradients({ x, y })).weights);
      const gradient = largest([...(own?.data ?? [])], right ?? []);
      const { loss } = await model.evaluate({ x, y });
      const again = await loadModel(await model.save(), { backend: "wasm", threads: 1 });
      const [one, other] = [await step(model), await step(again)];
      expect(other).toEqual(one);
      found.push({ gradient, loss, change: largest(one.change.map((change) => -change), right ?? []) }); // prettier-ignore
      await model.close();
      await again.close();
    }
    const [fast, exact] = found;
    expect(exact?.gradient).toBeLessThan(3e-6);
    expect(fast?.gradient).toBeGreaterThan(1.3 * (exact?.gradient ?? NaN));
    // A step changes weights by the gradient, rounded to their own digits.
    expect(exact?.change).not.toBe(fast?.change);
    expect(exact?.loss).not.toBe(fast?.loss);
    await wanted.close();
  });

  it("is true or false", () => {
    const model = sequential(input({ shape: [8, 2] }), conv1d({ filters: 2, kernelSize: 3 }));
    expect(() => {
      model.compile({ loss: "meanSquaredError", exactConvolutions: 1 as unknown as boolean });
    }).toThrow(/compile: exactConvolutions/);
  });
});
