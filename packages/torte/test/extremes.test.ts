/** What numbers at the ends of their range become: norms of tiny and huge vectors, pooling of infinities and NaN. */
import { describe, expect, it } from "vitest";
import {
  dense,
  dot,
  input,
  functional,
  lambda,
  type LayerFunction,
  layers as L,
  masking,
  maxNorm,
  minMaxNorm,
  ops,
  regularizers,
  rmsprop,
  sequential,
  sgd,
  Tensor,
  unitNorm,
} from "torte";

type Backend = "reference" | "wasm";
const BACKENDS: readonly Backend[] = ["reference", "wasm"];
const on = (backend: Backend) => ({ backend, threads: 1 }) as const;

const floats = (values: readonly number[], ...shape: number[]): Tensor =>
  new Tensor(Float32Array.from(values), shape, "float32");
const backed = <T>(items: readonly T[]): (readonly [T, Backend])[] =>
  items.flatMap((item) => BACKENDS.map((backend) => [item, backend] as const));

const close = (actual: ArrayLike<number>, expected: readonly number[], relative = 1e-6): void => {
  expected.forEach((value, i) => {
    const got = actual[i] ?? NaN;
    const fits = Object.is(got, value) || got === value || Math.abs(got - value) <= relative * Math.abs(value);
    expect(fits, `${i}: expected ${value}, received ${got}`).toBe(true);
  });
};

/** Lengths of (3, 4)·10^power. */
const POWERS = [-37, -30, -20, -12, -7, -3, 0, 5, 10, 19, 20, 30, 37];
const at = (power: number): number[] => [Math.fround(3 * 10 ** power), Math.fround(4 * 10 ** power)];

describe("norms of vectors of any size", () => {
  it.each(backed(POWERS))("unitNormalization of (3, 4)e%s, on %s", async (power, backend) => {
    const model = sequential(input({ shape: [2] }), L.unitNormalization(), on(backend));
    close((await model.predict(floats(at(power), 1, 2))).data, [0.6, 0.8]);
  });

  it.each(backed(POWERS))("the cosine of (3, 4)e%s and (4, 3), on %s", async (power, backend) => {
    const [a, b] = [input({ shape: [2] }), input({ shape: [2] })];
    const model = functional({ inputs: [a, b], outputs: dot({ axes: 1, normalize: true })([a, b]), ...on(backend) });
    close((await model.predict([floats(at(power), 1, 2), floats([4, 3], 1, 2)])).data, [0.96]);
  });

  it.each(backed(POWERS))("l2Norm of (3, 4)e%s, on %s", async (power, backend) => {
    const layer = dense({ units: 1, useBias: false, kernelRegularizer: regularizers.l2Norm(1), name: "d" });
    const model = sequential(input({ shape: [2] }), layer, on(backend));
    await model.setWeights({ "d.kernel": floats(at(power), 2, 1) });
    model.compile({ loss: "meanSquaredError" });
    const { loss = NaN } = await model.evaluate({ x: floats([0, 0], 1, 2), y: floats([0], 1, 1) });
    close([loss], [5 * 10 ** power]);
  });

  it.each(backed(POWERS))("constraints of (3, 4)e%s, on %s", async (power, backend) => {
    const after = async (kernelConstraint: ReturnType<typeof unitNorm>): Promise<ArrayLike<number>> => {
      const layer = dense({ units: 1, useBias: false, kernelConstraint, name: "d" });
      const model = sequential(input({ shape: [2] }), layer, on(backend));
      await model.setWeights({ "d.kernel": floats(at(power), 2, 1) });
      model.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
      await model.fit({ x: floats([0, 0], 1, 2), y: floats([0], 1, 1) });
      return (await model.getWeights())["d.kernel"]?.data ?? [];
    };
    const before = at(power);
    close(await after(unitNorm()), [0.6, 0.8]);
    close(await after(maxNorm({ maxValue: 2 })), power < 0 ? before : [1.2, 1.6], power < 0 ? 0 : 1e-6);
    close(await after(minMaxNorm({ minValue: 1, maxValue: 2 })), power < 0 ? [0.6, 0.8] : [1.2, 1.6]);
  });

  it.each(BACKENDS)("zeros stay zeros and let a derivative through, on %s", async (backend) => {
    const layer = dense({ units: 2, useBias: false, kernelInitializer: "zeros", name: "d" });
    const model = sequential(input({ shape: [2] }), layer, L.unitNormalization(), on(backend));
    close((await model.predict(floats([1, 2], 1, 2))).data, [0, 0]);
    model.compile({ optimizer: sgd({ learningRate: 0.5 }), loss: "meanSquaredError" });
    await model.fit({ x: floats([1, 2], 1, 2), y: floats([1, 0], 1, 2) }, { epochs: 30 });
    close((await model.predict(floats([1, 2], 1, 2))).data.slice(0, 1), [1], 1e-2);
    const constrained = dense({
      units: 1,
      useBias: false,
      kernelInitializer: "zeros",
      kernelConstraint: unitNorm(),
      kernelRegularizer: "l2Norm",
    });
    const other = sequential(input({ shape: [2] }), constrained, on(backend));
    other.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
    await other.fit({ x: floats([1, 2], 1, 2), y: floats([1], 1, 1) });
    close((await other.predict(floats([1, 2], 1, 2))).data, [0]);
  });
});

const INFINITE = 77;
/** A model takes only finite numbers as data: 77 stands for −∞, 78 for NaN. */
const withExtremes = (): LayerFunction =>
  lambda((x) => ops.where(ops.equal(x, INFINITE), -Infinity, ops.where(ops.equal(x, INFINITE + 1), NaN, x)), {
    mask: "keep",
  });

describe("pooling of infinities and NaN", () => {
  const [low, nan] = [INFINITE, INFINITE + 1];
  const shapes: readonly (readonly number[])[] = [
    [4, 1],
    [4, 1, 1],
    [4, 1, 1, 1],
  ];
  const pools = shapes.flatMap((shape, i) => {
    const rank = (i + 1) as 1 | 2 | 3;
    const one = [1, 1].slice(0, i);
    return (["valid", "same"] as const).map((padding) => {
      const layer = L[`maxPooling${rank}d`]({ poolSize: [3, ...one] as never, strides: [1, ...one] as never, padding });
      return [`maxPooling${rank}d, ${padding}`, shape, padding, layer] as const;
    });
  });
  it.each(pools.flatMap((pool) => BACKENDS.map((backend) => [...pool, backend] as const)))(
    "%s",
    async (_, shape, padding, layer, backend) => {
      const model = sequential(input({ shape }), withExtremes(), layer, on(backend));
      const of = async (...x: number[]): Promise<number[]> => [...(await model.predict(floats(x, 1, ...shape))).data];
      const infinite = [-Infinity, -Infinity, -Infinity, -Infinity];
      const [all, some, bad] = [await of(low, low, low, low), await of(low, low, low, 5), await of(nan, low, 1, 1)];
      expect(all).toEqual(padding === "same" ? infinite : infinite.slice(0, 2));
      expect(some).toEqual(padding === "same" ? [-Infinity, -Infinity, 5, 5] : [-Infinity, 5]);
      expect(bad).toEqual(padding === "same" ? [NaN, NaN, 1, 1] : [NaN, 1]);
    },
  );

  it.each(([1, 2, 3] as const).flatMap((rank) => BACKENDS.map((backend) => [rank, backend] as const)))(
    "global and adaptive maxima of rank %s, on %s",
    async (rank, backend) => {
      const shape = shapes[rank - 1] ?? [];
      for (const layer of [L[`globalMaxPooling${rank}d`](), L[`adaptiveMaxPooling${rank}d`]({ outputSize: 1 })]) {
        const model = sequential(input({ shape }), withExtremes(), layer, on(backend));
        const of = async (...x: number[]): Promise<number> =>
          (await model.predict(floats(x, 1, ...shape))).data[0] ?? 0;
        expect(await of(low, low, low, low)).toBe(-Infinity);
        expect(await of(1, low, nan, 2)).toBe(NaN);
        expect(await of(low, -3e38, low, low)).toBeCloseTo(-3e38, -33);
      }
    },
  );

  it.each(BACKENDS)("of masked sequences: what is left out makes no infinity, on %s", async (backend) => {
    const through = (layer: LayerFunction): ReturnType<typeof sequential> =>
      sequential(input({ shape: [4, 1] }), masking(), withExtremes(), layer, on(backend));
    const same = through(L.maxPooling1d({ poolSize: 2, strides: 2, padding: "same" }));
    const global = through(L.globalMaxPooling1d());
    expect([...(await same.predict(floats([low, 0, 0, 0], 1, 4, 1))).data]).toEqual([-Infinity, 0]);
    expect([...(await global.predict(floats([0, low, 0, -3, 0, 0, 0, 0, low, low, 0, 0], 3, 4, 1))).data]).toEqual([
      -3,
      0,
      -Infinity,
    ]);
    // The gradient of a model with masked windows stays finite.
    const model = sequential(
      input({ shape: [4, 1] }),
      masking(),
      dense({ units: 2 }),
      L.maxPooling1d({ poolSize: 2, padding: "same" }),
      L.globalMaxPooling1d(),
      dense({ units: 1 }),
      on(backend),
    );
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    await model.fit({ x: floats([1, 2, 0, 0, 0, 0, 0, 0], 2, 4, 1), y: floats([1, 2], 2, 1) });
    const weights = Object.values(await model.getWeights()).flatMap(({ data }) => [...data]);
    expect(weights.every(Number.isFinite)).toBe(true);
  });
});

describe("rmsprop with the variance of the gradient", () => {
  it.each(backed([1e-12, 1e-3, 1, 7.3]))("stays finite under a constant gradient of %s, on %s", async (g, backend) => {
    // |e| has derivative ±1, so that the gradient is the input as long as the target is far away.
    const layer = dense({ units: 1, kernelInitializer: "zeros", useBias: false, name: "d" });
    const model = sequential(input({ shape: [1] }), layer, on(backend));
    model.compile({ optimizer: rmsprop({ centered: true, learningRate: 1e-9 }), loss: "meanAbsoluteError" });
    await model.fit({ x: floats([g], 1, 1), y: floats([1e9], 1, 1) }, { epochs: 400 });
    const w = (await model.getWeights())["d.kernel"]?.data[0] ?? NaN;
    expect(Number.isFinite(w)).toBe(true);
    // By hand, in float64: the variance decays by 0.9 in each step.
    let [variance, mean, expected] = [0, 0, 0];
    for (let step = 0; step < 400; step++) {
      variance = 0.9 * variance + 0.1 * 0.9 * (g - mean) ** 2;
      mean = 0.9 * mean + 0.1 * g;
      expected += (1e-9 * g) / Math.sqrt(variance + 1e-7);
    }
    expect(w / expected).toBeCloseTo(1, 3);
  });
});
