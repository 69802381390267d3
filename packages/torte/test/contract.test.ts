/** What holds for every layer, whatever its options. */
import { describe, expect, it } from "vitest";
import {
  functional,
  input,
  layerFunction,
  type LayerFunction,
  layers,
  loadModel,
  MaskError,
  type Model,
  ops,
  type SymbolicTensor,
  Tensor,
} from "torte";
import { type Case, CASES } from "./contract-cases.js";

const BATCH = 3;

function numbers(shape: readonly number[], seed: number, tokens?: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  if (tokens !== undefined)
    return new Tensor(
      Int32Array.from({ length: size }, (_, i) => (i * 5 + seed) % tokens),
      shape,
      "int32",
    );
  // No two alike, so that no maximum ties, and none near a kink.
  return new Tensor(
    Float64Array.from({ length: size }, (_, i) => 1.7 * Math.sin(1 + seed + 2.3 * i) + 0.013),
    shape,
    "float64",
  );
}

const places = ({ inputs, tokens }: Case): SymbolicTensor[] =>
  inputs.map((shape) => input({ shape, dtype: tokens === undefined ? "float32" : "int32" }));
const data = ({ inputs, tokens }: Case, batch: number): Tensor[] =>
  inputs.map((shape, i) => numbers([batch, ...shape], 7 * i, tokens));

function build(tested: Case, backend: "reference" | "wasm"): { model: Model; y: SymbolicTensor } {
  const x = places(tested);
  const y = tested.make()(x);
  return { model: functional({ inputs: x, outputs: y, backend, seed: 5, threads: 1 }), y };
}

/** Weights away from their first values, in which much is 0 or 1. */
async function shake(model: Model): Promise<void> {
  const weights = await model.getWeights();
  const shaken = Object.entries(weights).map(([name, { shape, data: values, dtype }], k) => {
    const noise = numbers(shape, k + 3);
    const positive = name.endsWith("movingVariance");
    const moved = values.map((value, i) =>
      positive ? 1 + 0.3 * Math.abs(noise.data[i] ?? 0) : value + 0.3 * (noise.data[i] ?? 0),
    );
    return [name, new Tensor(moved, shape, dtype)] as const;
  });
  await model.setWeights(Object.fromEntries(shaken));
}

function expectClose(actual: Tensor | undefined, expected: Tensor | undefined, what: string): void {
  expect(actual?.shape, what).toEqual(expected?.shape);
  expected?.data.forEach((value, i) => {
    const difference = Math.abs((actual?.data[i] ?? NaN) - value);
    if (!(difference <= 3e-5 + 3e-5 * Math.abs(value)))
      expect.fail(`${what}[${i}]: ${actual?.data[i] ?? NaN}, not ${value}`);
  });
}

/** Takes values, and lengths as numbers; gives the values with that mask. */
const withLengths = (): LayerFunction =>
  layerFunction({
    kind: "withLengths",
    options: {},
    inputs: 2,
    integers: "accept",
    call: ([x, lengths]) => {
      if (x === undefined || lengths === undefined) throw new RangeError("two inputs");
      const shape = x.value.shape.slice(0, 2);
      const position = ops.cast(ops.iota(shape, 1), "float32");
      const mask = ops.less(position, ops.broadcastTo(lengths.value, shape));
      const spread = ops.reshape(mask, [...shape, ...x.value.shape.slice(2).map(() => 1)]);
      const nothing = x.value.dtype === "int32" ? ops.constant(0, x.value.shape, "int32") : 0;
      return { value: ops.where(spread, x.value, nothing), mask };
    },
  });

/** Whether there is an axis for a mask besides the features. */
const sequences = ({ inputs, tokens }: Case): boolean =>
  inputs.every((shape) => shape.length >= (tokens === undefined ? 2 : 1));

describe("layers", () => {
  it("are all here", () => {
    const tested = new Set(CASES.map(({ layer }) => layer));
    const exported = Object.entries(layers).filter(([, value]) => typeof value === "function");
    expect(exported.map(([name]) => name).filter((name) => !tested.has(name))).toEqual([]);
  });
});

describe.each(CASES.map((tested) => ({ ...tested, tested })))("$title", ({ tested }) => {
  it("has the shape it says, for any batch, and its number of weights", async () => {
    const { model, y } = build(tested, "reference");
    expect(y.shape).toEqual([null, ...tested.output]);
    expect(model.countParams()).toBe(tested.parameters);
    for (const batch of [1, BATCH]) {
      const outputs = await model.predict(data(tested, batch));
      expect(outputs.shape).toEqual([batch, ...tested.output]);
      expect(outputs.data.every(Number.isFinite)).toBe(true);
    }
  });

  it("gives every weight a gradient, the same for the same seed, on both backends", async () => {
    const [reference, compiled] = [build(tested, "reference").model, build(tested, "wasm").model];
    await shake(reference);
    await compiled.setWeights(await reference.getWeights());
    const x = data(tested, BATCH);
    const upstream = numbers([BATCH, ...tested.output], 11);
    expectClose(await compiled.predict(x), await reference.predict(x), "prediction");
    for (const training of [false, true]) {
      const before = await reference.getWeights();
      const expected = await reference.gradients({ x, upstream }, { training });
      // The step has moved averages on.
      await reference.setWeights(before);
      expect(await reference.gradients({ x, upstream }, { training })).toEqual(expected);
      const actual = await compiled.gradients({ x, upstream }, { training });
      expectClose(actual.outputs[0], expected.outputs[0], "output");
      expected.inputs.forEach((gradient, i) => {
        expectClose(actual.inputs[i], gradient, `gradient of input ${i}`);
      });
      const trained = [...reference.network.weights.values()].filter(({ trainable }) => trainable);
      expect(Object.keys(expected.weights)).toEqual(trained.map(({ name }) => name));
      for (const [name, gradient] of Object.entries(expected.weights)) {
        expect(
          gradient.data.some((value) => Math.abs(value) > 1e-12),
          name,
        ).toBe(true);
        expectClose(actual.weights[name], gradient, `gradient of ${name}`);
      }
    }
    await compiled.close();
  });

  if (tested.unsaved !== true)
    it("is the same from its file", async () => {
      const { model } = build(tested, "reference");
      await shake(model);
      const loaded = await loadModel(await model.save(), { backend: "reference" });
      expect(loaded.summary()).toBe(model.summary());
      expect(await loaded.getWeights()).toEqual(await model.getWeights());
      const x = data(tested, BATCH);
      expect(await loaded.predict(x)).toEqual(await model.predict(x));
      const upstream = numbers([BATCH, ...tested.output], 11);
      expect(await loaded.gradients({ x, upstream }, { training: true })).toEqual(
        await model.gradients({ x, upstream }, { training: true }),
      );
    });

  if (sequences(tested))
    it(`has its mask ${tested.mask}`, async () => {
      const x = places(tested);
      const lengths = input({ shape: [1], name: "lengths" });
      const enter = x.map((place) => withLengths()([place, lengths]));
      if (tested.mask === "refused") {
        expect(() => tested.make()(enter)).toThrow(MaskError);
        expect(() => tested.make()(enter)).toThrow(/dropMask\(\)/);
        return;
      }
      const y = tested.make()(enter);
      expect(y.masked).toBe(tested.mask === "kept");
      const model = functional({ inputs: [...x, lengths], outputs: y, backend: "reference" });
      const given = [...data(tested, BATCH), new Tensor(Float64Array.of(7, 3, 0), [BATCH, 1], "float64")];
      const outputs = await model.predict(given);
      expect(outputs.shape).toEqual([BATCH, ...tested.output]);
      expect(outputs.data.every(Number.isFinite)).toBe(true);
      // Nothing is left of a sequence without a position but what a layer says on purpose.
      if (y.masked) expect(Math.max(...outputs.rows(2, 3).data.map(Math.abs))).toBe(0);
      const { value, weights } = await model.gradients(
        { x: given, upstream: numbers(outputs.shape, 2) },
        { training: true },
      );
      expect(Number.isFinite(value)).toBe(true);
      for (const gradient of Object.values(weights)) expect(gradient.data.every(Number.isFinite)).toBe(true);
    });
});
