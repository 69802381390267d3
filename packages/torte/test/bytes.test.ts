/** Data of one byte a number: bytes in the engine's memory, and to the bit what comes of the same numbers in words. */
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  adam,
  conv1d,
  conv2d,
  dense,
  embedding,
  flatten,
  input,
  lambda,
  type Model,
  ops,
  sequential,
  type Tensor,
  tensor,
} from "torte";
import { SharedSession } from "../src/train/shared-session.js";

afterEach(() => {
  vi.restoreAllMocks();
});

const ROWS = 10;
const BACKENDS = [{ backend: "wasm", threads: 1 }, { backend: "wasm", threads: 2 }, { backend: "reference" }] as const;

interface Case {
  readonly row: readonly number[];
  readonly bytes: (size: number) => Uint8Array | Int8Array;
  /** What the same numbers are otherwise. */
  readonly wide: "float32" | "int32";
  readonly model: (options: object) => Model;
}

const mixed = (i: number): number => Math.imul(i + 1, 2654435761) >>> 24;
const unsigned = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => mixed(i));
const signed = (size: number): Int8Array => Int8Array.from({ length: size }, (_, i) => mixed(i) - 128);
const tokens = (size: number): Uint8Array => unsigned(size).map((n) => n % 21);
const end = () => [flatten(), dense({ units: 1, activation: "sigmoid" })];
const scaled = (factor: number) => lambda((x) => ops.mul(x, factor));
const numbers = (row: readonly number[], options: object): Model =>
  sequential(input({ shape: row }), scaled(1 / 255), dense({ units: 5, activation: "tanh" }), ...end(), options);

const CASES: Readonly<Record<string, Case>> = {
  images: {
    row: [6, 6, 1],
    bytes: unsigned,
    wide: "float32",
    model: (options) =>
      sequential(
        input({ shape: [6, 6, 1] }),
        scaled(1 / 255),
        conv2d({ filters: 3, kernelSize: 3, activation: "relu" }),
        ...end(),
        options,
      ),
  },
  "images that a convolution reads as they are": {
    row: [5, 7, 3],
    bytes: signed,
    wide: "float32",
    model: (options) =>
      sequential(
        input({ shape: [5, 7, 3] }),
        conv2d({ filters: 3, kernelSize: 3, activation: "tanh" }),
        ...end(),
        options,
      ),
  },
  tokens: {
    row: [30],
    bytes: tokens,
    wide: "int32",
    model: (options) =>
      sequential(
        input({ shape: [30], dtype: "int32" }),
        embedding({ inputDim: 21, outputDim: 4, maskZero: true }),
        conv1d({ filters: 4, kernelSize: 5, activation: "relu" }),
        ...end(),
        options,
      ),
  },
  "integers for numbers": { row: [9], bytes: signed, wide: "int32", model: (options) => numbers([9], options) },
};

const rowsOf = (row: readonly number[], data: Uint8Array | Int8Array): Tensor =>
  tensor(data, { shape: [ROWS, ...row] });
const widened = ({ data, shape }: Tensor, dtype: "float32" | "int32"): Tensor => tensor([...data], { dtype, shape });

async function* inBatches(x: Tensor, y: Tensor): AsyncGenerator<{ x: Tensor; y: Tensor }> {
  for (let from = 0; from < ROWS; from += 5) {
    await Promise.resolve();
    yield { x: x.rows(from, from + 5), y: y.rows(from, from + 5) };
  }
}

/** All that a model tells of data: what it learns, resident and streamed, what it measures and predicts. */
async function outcome(model: Model, x: Tensor, y: Tensor): Promise<unknown> {
  model.compile({
    optimizer: adam({ learningRate: 0.01 }),
    loss: "binaryCrossentropy",
    metrics: ["accuracy", "auroc"],
  });
  const fit = await model.fit({ x, y }, { epochs: 2, batchSize: 4, validationData: { x, y } });
  const streamed = await model.fit(() => inBatches(x, y), { epochs: 2 });
  const measured = await model.evaluate({ x, y });
  const predicted = await model.predict(x);
  const weights = Object.entries(await model.getWeights()).map(([name, { data }]) => [name, [...data]]);
  const { value } = await model.gradients({ x, y });
  return { fit: fit.epochs, streamed: streamed.epochs, measured, predicted: [...predicted.data], weights, value };
}

async function expectSame({ row, bytes, wide, model }: Case, options: object): Promise<void> {
  const x = rowsOf(row, bytes(ROWS * row.reduce((a, b) => a * b)));
  const y = tensor(Uint8Array.from({ length: ROWS }, (_, i) => i % 2));
  const results = [];
  for (const [inputs, targets] of [
    [x, y],
    [widened(x, wide), widened(y, "float32")],
  ] as const) {
    const own = model({ ...options, seed: 3 });
    results.push(await outcome(own, inputs, targets));
    await own.close();
  }
  expect(results[0]).toEqual(results[1]);
}

describe.each(BACKENDS)("bytes beside words, $backend, $threads threads", (options) => {
  it.each(Object.entries(CASES))("%s", async (_, its) => {
    await expectSame(its, options);
  });
});

it("bytes beside words, native code", { timeout: 120_000 }, async () => {
  await expectSame(CASES["tokens"] as Case, { backend: "native", threads: 2 });
});

it("come to a step as they are, rows of any length", async () => {
  const identity = async (x: Tensor): Promise<number[]> => {
    const [, size = 1] = x.shape;
    const model = sequential(input({ shape: [size] }), scaled(1), { backend: "wasm", threads: 1 });
    const { data } = await model.predict(x, { batchSize: 2 });
    await model.close();
    return [...data];
  };
  const rows = (size: number) => fc.tuple(fc.uint8Array({ minLength: 3 * size, maxLength: 3 * size }), fc.boolean());
  const any = fc.integer({ min: 1, max: 19 }).chain((size) => fc.tuple(fc.constant(size), rows(size)));
  await fc.assert(
    fc.asyncProperty(any, async ([size, [bytes, isSigned]]) => {
      const data = isSigned ? new Int8Array(bytes.buffer.slice(0)) : bytes;
      expect(await identity(tensor(data, { shape: [3, size] }))).toEqual([...data]);
    }),
    { numRuns: 20 },
  );
});

it("take a quarter of the memory", async () => {
  const bytesOf = async (x: Tensor): Promise<number> => {
    const allocated = vi.spyOn(SharedSession.prototype, "allocate");
    const model = numbers([64], { backend: "wasm", threads: 1 });
    model.compile({ optimizer: "adam", loss: "binaryCrossentropy" });
    await model.fit({ x, y: tensor(new Float32Array(100)) });
    const states = new Set(allocated.mock.calls.flatMap(([list]) => list));
    const columns = [...states].filter(({ name }) => /\.x0$/.test(name));
    await model.close();
    vi.restoreAllMocks();
    return columns.reduce((sum, { shape }) => sum + 4 * shape.reduce((a, b) => a * b, 1), 0);
  };
  const data = unsigned(6400);
  const x = tensor(data, { shape: [100, 64] });
  expect([x.data.byteLength, x.data.buffer === data.buffer]).toEqual([6400, true]);
  expect(await bytesOf(x)).toBe(6400);
  expect(await bytesOf(widened(x, "float32"))).toBe(4 * 6400);
});

it("must be whole numbers within their limits", () => {
  expect(() => tensor([256], { dtype: "uint8" })).toThrow(
    "tensor: element 0 is no uint8: expected whole numbers from 0 to 255, received 256.",
  );
  expect(() => tensor([0, -129], { dtype: "int8" })).toThrow(
    "tensor: element 1 is no int8: expected whole numbers from -128 to 127, received -129.",
  );
  expect(tensor([0.5], { dtype: "float32" }).dtype).toBe("float32");
  expect(() => tensor([0.5], { dtype: "uint8" })).toThrow("element 0 is no uint8");
});

it("that are no rows of a table are named", async () => {
  const { model } = CASES["tokens"] as Case;
  const own = model({ backend: "wasm", threads: 1 });
  own.compile({ loss: "binaryCrossentropy" });
  const x = rowsOf([30], tokens(300));
  x.data[35] = 21;
  const fit = own.fit({ x, y: tensor(new Uint8Array(ROWS)) });
  await expect(fit).rejects.toThrow("a token is out of range: expected 0…20, received 21 at row 1, column 5.");
  await own.close();
});
