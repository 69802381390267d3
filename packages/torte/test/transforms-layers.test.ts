/** vmap over one example at a time beside the layer over a batch, for every layer with its combinations of options. */
import { describe, expect, it } from "vitest";
import { compile, functional, input, type Model, type Node, ops, Tensor, vmap } from "torte";
import { type Case, CASES } from "./contract-cases.js";

const BATCH = 3;
const BACKENDS = ["reference", "wasm"] as const;

function numbers(shape: readonly number[], seed: number, tokens?: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  if (tokens !== undefined)
    return new Tensor(
      Int32Array.from({ length: size }, (_, i) => (i * 5 + seed) % tokens),
      shape,
      "int32",
    );
  return new Tensor(
    Float64Array.from({ length: size }, (_, i) => 1.7 * Math.sin(1 + seed + 2.3 * i) + 0.013),
    shape,
    "float64",
  );
}

function build({ inputs, tokens, make }: Case): Model {
  const x = inputs.map((shape) => input({ shape, dtype: tokens === undefined ? "float32" : "int32" }));
  return functional({ inputs: x, outputs: make()(x), backend: "reference", seed: 5 });
}

/** Weights away from their first values, in which much is 0 or 1. */
async function shaken(model: Model): Promise<Record<string, Tensor>> {
  const weights = await model.getWeights();
  return Object.fromEntries(
    Object.entries(weights).map(([name, { shape, data, dtype }], k) => {
      const noise = numbers(shape, k + 3).data;
      const moved = data.map((value, i) =>
        name.endsWith("movingVariance") ? 1 + 0.3 * Math.abs(noise[i] ?? 0) : value + 0.3 * (noise[i] ?? 0),
      );
      return [name, new Tensor(moved, shape, dtype)];
    }),
  );
}

function expectClose(actual: Tensor, expected: Tensor, tolerance: number): void {
  expect(actual.shape).toEqual(expected.shape);
  expected.data.forEach((value, i) => {
    const difference = Math.abs((actual.data[i] ?? NaN) - value);
    if (!(difference <= tolerance * (1 + Math.abs(value))))
      expect.fail(`[${i}]: ${actual.data[i] ?? NaN}, not ${value}`);
  });
}

describe.each(CASES.map((tested) => ({ ...tested, tested })))("$title", ({ tested }) => {
  const batch = tested.inputs.map((shape, i) => numbers([BATCH, ...shape], 7 * i, tested.tokens));
  const row = (i: number): Tensor[] => batch.map((x) => x.rows(i, i + 1).reshape(x.shape.slice(1)));

  it("over examples is the layer over their batch", async () => {
    const model = build(tested);
    const weights = await shaken(model);
    const apply = model.pure();
    const one = (w: Record<string, Node>, x: readonly Node[]): Node => {
      const y = apply(
        w,
        x.map((value) => ops.expandDims(value, 0)),
      );
      return ops.reshape(y, y.shape.slice(1));
    };
    for (const backend of BACKENDS) {
      const tolerance = backend === "wasm" ? 3e-5 : 1e-9;
      const together = await compile(apply, { backend })(weights, batch);
      const mapped = await compile(vmap(one, { in: [null, 0] }), { backend })(weights, batch);
      expectClose(mapped, together, tolerance);
    }
  });

  it("in training is each example by itself, or batch statistics are refused", async () => {
    const model = build(tested);
    const weights = await shaken(model);
    const apply = model.pure();
    const one = (w: Record<string, Node>, x: readonly Node[]): Node =>
      apply(
        w,
        x.map((value) => ops.expandDims(value, 0)),
        { training: true, seed: 3 },
      );
    const mapped = vmap(one, { in: [null, 0], randomness: "same" });
    const updates = [...model.network.weights.keys()].some((name) => name.endsWith("movingMean"));
    if (updates) {
      await expect(mapped(weights, batch)).rejects.toThrow(
        "batch_normalization: statistics of a batch are not defined within vmap",
      );
      return;
    }
    const all = await compile(mapped, { backend: "reference" })(weights, batch);
    for (let i = 0; i < BATCH; i++) {
      const single = await compile(one, { backend: "reference" })(weights, row(i));
      expectClose(all.rows(i, i + 1).reshape(single.shape), single, 1e-9);
    }
  });

  it('with randomness "different" draws what the layer over a batch draws', async () => {
    const model = build(tested);
    const weights = await shaken(model);
    if ([...model.network.weights.keys()].some((name) => name.endsWith("movingMean"))) return;
    // One draw for all rows is one for each example, whose batch is of one row.
    if (/noiseShape: \[\s*1/.test(tested.title)) return;
    const apply = model.pure();
    const options = { training: true, seed: 3 };
    const one = (w: Record<string, Node>, x: readonly Node[]): Node => {
      const y = apply(
        w,
        x.map((value) => ops.expandDims(value, 0)),
        options,
      );
      return ops.reshape(y, y.shape.slice(1));
    };
    const whole = (w: Record<string, Node>, x: readonly Node[]): Node => apply(w, x, options);
    const mapped = vmap(one, { in: [null, 0], randomness: "different" });
    const [each, together] = [
      await compile(mapped, { backend: "reference" })(weights, batch),
      await compile(whole, { backend: "reference" })(weights, batch),
    ];
    expectClose(each, together, 1e-9);
  });
});
