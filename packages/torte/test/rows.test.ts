/** Rows that look at each other are computed with those that were given, and with no others. */
import { describe, expect, it } from "vitest";
import {
  block,
  dense,
  functional,
  input,
  lambda,
  type LayerFunction,
  type Node,
  ops,
  residual,
  sequential,
  type SymbolicTensor,
  tensor,
} from "torte";
import { CASES } from "./contract-cases.js";
import { boundedDraws, mixKey, normalAt } from "../src/tensor/random.js";
import { sizeOf } from "../src/tensor/shape.js";

const BACKENDS = [{ backend: "reference" }, { backend: "wasm", threads: 1 }, { backend: "wasm", threads: 2 }] as const;

const overBatch = (): LayerFunction => lambda((x) => ops.sub(x, ops.mean(x, { axes: [0], keepDims: true })));

/** Ways from the input to the layer that looks across the batch. */
const PATHS: Readonly<Record<string, (x: SymbolicTensor) => SymbolicTensor>> = {
  "by itself": (x) => overBatch()(x),
  "in a block": (x) => block("b", [overBatch()])(x),
  "in a block in a block": (x) => block("a", [block("b", [overBatch()])])(x),
  "in a residual block": (x) =>
    dense({ units: 2, kernelInitializer: "identity" })(
      lambda((y) => ops.slice(y, 1, 2))(residual([overBatch()], { merge: "concatenate" })(x)),
    ),
  "in a model used as a layer": (x) => sequential(input({ shape: [2] }), overBatch()).asLayer()(x),
  "behind a dense layer": (x) => overBatch()(dense({ units: 2, kernelInitializer: "identity" })(x)),
};

describe.each(BACKENDS)("on $backend, $threads", (options) => {
  it.each(Object.keys(PATHS))(
    "predict computes a mean of the batch from the rows that were given: %s",
    async (path) => {
      const place = input({ shape: [2] });
      const model = functional({ inputs: place, outputs: PATHS[path]!(place), ...options });
      for (const [rows, batchSize] of [
        [3, 256],
        [1, 256],
        [5, 4],
        [9, 2],
        [70, 2],
      ] as const) {
        const values = Array.from({ length: rows }, (_, i) => [i, i * i]);
        const expected = values.map((row, i) => {
          const from = batchSize * Math.floor(i / batchSize);
          const batch = values.slice(from, from + batchSize);
          return row.map((value, k) => value - batch.reduce((sum, other) => sum + (other[k] ?? 0), 0) / batch.length);
        });
        const got = await model.predict(tensor(values), { batchSize });
        [...got.data].forEach((value, i) => expect(value).toBeCloseTo(expected.flat()[i]!, 3));
        expect(got.shape).toEqual([rows, 2]);
      }
      await model.close();
    },
  );

  it("evaluate measures batches of the rows that were given", async () => {
    const model = sequential(input({ shape: [1] }), overBatch(), options);
    model.compile({ loss: "meanSquaredError" });
    const x = tensor([[0], [3], [6]]);
    expect((await model.evaluate({ x, y: tensor([[0], [0], [0]]) }))["loss"]).toBeCloseTo(6, 5);
    expect((await model.evaluate({ x, y: tensor([[0], [0], [0]]) }, { batchSize: 2 }))["loss"]).toBeCloseTo(1.5, 5);
    await model.close();
  });

  it.each<[string, (x: Node) => Node]>([
    ["the number of rows", (x) => ops.mul(x, x.shape[0] ?? 0)],
    ["the largest of all", (x) => ops.sub(x, ops.max(x))],
    ["the rows turned around", (x) => ops.reverse(x, [0])],
    ["each row with each", (x) => ops.sum(ops.einsum("bc,ac->ba", x, x), { axes: [1], keepDims: true })],
  ])("predict gives 3 rows the same whatever their batch could have held: %s", async (_, call) => {
    const model = sequential(input({ shape: [1] }), lambda(call), options);
    const [exact, roomy] = [3, 256].map((batchSize) => model.predict(tensor([[-1], [-2], [-4]]), { batchSize }));
    expect((await roomy)?.toArray()).toEqual((await exact)?.toArray());
    await model.close();
  });
});

describe("layers of the library", () => {
  const built = CASES.map((entry) => {
    const places = entry.inputs.map((shape) =>
      input({ shape, dtype: entry.tokens === undefined ? "float32" : "int32" }),
    );
    return {
      ...entry,
      model: functional({
        inputs: places,
        outputs: entry.make()(places.length === 1 ? places[0]! : places),
        backend: "reference",
      }),
    };
  });

  it.each(built)("give a row the same, alone and among others: $title", async ({ model, inputs, tokens }) => {
    const x = inputs.map((shape, k) => {
      const key = mixKey(3, k, 0);
      const below = boundedDraws(key);
      const data = Array.from({ length: 3 * sizeOf(shape) }, (_, i) =>
        tokens === undefined ? normalAt(key, i) : below(tokens),
      );
      return tensor(data, { dtype: tokens === undefined ? "float32" : "int32" }).reshape([3, ...shape]);
    });
    const all = await model.predict(x);
    for (let i = 0; i < 3; i++) {
      const one = await model.predict(x.map((t) => t.rows(i, i + 1)));
      one.data.forEach((value, k) => expect(value).toBeCloseTo(all.rows(i, i + 1).data[k]!, 9));
    }
  });
});
