/** Saliency beside the gradient by the embedded input, computed another way: by a model that begins behind the embedding. */
import { describe, expect, it } from "vitest";
import {
  conv1d,
  dense,
  embedding,
  flatten,
  functional,
  globalAveragePooling1d,
  globalMaxPooling1d,
  input,
  type LayerFunction,
  maxPooling1d,
  type Model,
  saliency,
  sequential,
  Tensor,
  tensor,
} from "torte";

const [TOKENS, LENGTH, WIDTH] = [7, 12, 4];
const tokens = (rows: number, padding = 0): Tensor =>
  tensor(
    Int32Array.from({ length: rows * LENGTH }, (_, i) => (i % LENGTH >= LENGTH - padding ? 0 : 1 + ((i * 5) % 6))),
    { shape: [rows, LENGTH] },
  );

/** What comes behind the embedding, once for each model. */
const TAILS: Readonly<Record<string, () => readonly LayerFunction[]>> = {
  "a dense layer": () => [flatten(), dense({ units: 3, name: "end" })],
  "convolution and pooling": () => [
    conv1d({ filters: 5, kernelSize: 3, activation: "tanh", name: "conv" }),
    maxPooling1d({ poolSize: 2 }),
    globalAveragePooling1d(),
    dense({ units: 3, name: "end" }),
  ],
  "the maximum over positions": () => [
    dense({ units: 5, name: "each" }),
    globalMaxPooling1d(),
    dense({ units: 3, name: "end" }),
  ],
};

/** dΣ unit / d embedded, from a model whose input are the vectors of the tokens. */
async function byVectors(
  model: Model,
  tail: readonly LayerFunction[],
  x: Tensor,
  unit: number | undefined,
): Promise<{ gradient: Tensor; vectors: Tensor }> {
  const weights = await model.getWeights();
  const table = weights["table.embeddings"];
  if (table === undefined) throw new Error("there is no table");
  const data = Float32Array.from({ length: x.data.length * WIDTH }, (_, i) => {
    return table.data[(x.data[Math.floor(i / WIDTH)] ?? NaN) * WIDTH + (i % WIDTH)] ?? NaN;
  });
  const vectors = new Tensor(data, [...x.shape, WIDTH], "float32");
  const rest = sequential(input({ shape: [LENGTH, WIDTH] }), ...tail);
  await rest.setWeights(Object.fromEntries(Object.entries(weights).filter(([name]) => !name.startsWith("table."))));
  const outputs = await rest.predict(vectors);
  const upstream = new Float32Array(outputs.data.length);
  for (let row = 0; row < (x.shape[0] ?? 0); row++) {
    const scores = [...outputs.data.slice(3 * row, 3 * row + 3)];
    upstream[3 * row + (unit ?? scores.indexOf(Math.max(...scores)))] = 1;
  }
  const { inputs } = await rest.gradients({ x: vectors, upstream: new Tensor(upstream, outputs.shape, "float32") });
  await rest.close();
  const [gradient] = inputs;
  if (gradient === undefined) throw new Error("there is no gradient");
  return { gradient, vectors };
}

const perToken = ({ data }: Tensor, of: (vector: readonly number[], at: number) => number): number[] =>
  Array.from({ length: data.length / WIDTH }, (_, i) => of([...data.slice(i * WIDTH, (i + 1) * WIDTH)], i * WIDTH));

function expectClose(actual: Tensor, expected: readonly number[]): void {
  expect(actual.data.length).toBe(expected.length);
  expected.forEach((value, i) => expect(actual.data[i]).toBeCloseTo(value, 5));
  expect(expected.some((value) => Math.abs(value) > 1e-3)).toBe(true);
}

describe.each([{ backend: "wasm" }, { backend: "reference" }] as const)("saliency of tokens, $backend", (options) => {
  it.each(Object.keys(TAILS))("before %s is the gradient by their vectors", async (name) => {
    const layers = TAILS[name]?.() ?? [];
    const table = embedding({ inputDim: TOKENS, outputDim: WIDTH, name: "table" });
    const model = sequential(input({ shape: [LENGTH], dtype: "int32" }), table, ...layers, { ...options, seed: 3 });
    const x = tokens(3);
    for (const unit of [undefined, 0, 2]) {
      const { gradient, vectors } = await byVectors(model, TAILS[name]?.() ?? [], x, unit);
      const chosen = unit === undefined ? {} : { unit };
      const sizes = await saliency(model, x, chosen);
      expect(sizes.shape).toEqual([3, LENGTH]);
      expectClose(
        sizes,
        perToken(gradient, (g) => Math.hypot(...g)),
      );
      expectClose(
        await saliency(model, x, { ...chosen, method: "gradientTimesInput" }),
        perToken(gradient, (g, at) => g.reduce((sum, value, k) => sum + value * (vectors.data[at + k] ?? NaN), 0)),
      );
    }
    await model.close();
  });

  it("is 0 at masked positions, and elsewhere that of the sequences without them", async () => {
    const build = (length: number): Model =>
      sequential(
        input({ shape: [length], dtype: "int32" }),
        embedding({ inputDim: TOKENS, outputDim: WIDTH, maskZero: true, name: "table" }),
        globalAveragePooling1d(),
        dense({ units: 1, name: "end" }),
        { ...options, seed: 5 },
      );
    const [padded, exact] = [build(LENGTH), build(LENGTH - 4)];
    const x = tokens(2, 4);
    const short = tensor(
      Int32Array.from(x.data).filter((_, i) => i % LENGTH < LENGTH - 4),
      { shape: [2, LENGTH - 4] },
    );
    const [long, own] = [await saliency(padded, x), await saliency(exact, short)];
    long.data.forEach((value, i) => {
      const [row, at] = [Math.floor(i / LENGTH), i % LENGTH];
      if (at >= LENGTH - 4) expect(value).toBe(0);
      else expect(value).toBeCloseTo(own.data[row * (LENGTH - 4) + at] ?? NaN, 6);
    });
    await padded.close();
    await exact.close();
  });

  it("beside numbers: a list in the order of the inputs, each of its input's shape", async () => {
    const [sequence, number] = [input({ shape: [LENGTH], dtype: "int32" }), input({ shape: [2] })];
    const embedded = flatten()(embedding({ inputDim: TOKENS, outputDim: WIDTH, name: "table" })(sequence));
    const ends = [dense({ units: 1, name: "a" })(embedded), dense({ units: 1, name: "b", activation: "tanh" })(number)];
    const model = functional({ inputs: [sequence, number], outputs: ends, ...options });
    const numbers = tensor([[0.5, -1]]);
    const [map, own] = await saliency(model, [tokens(1), numbers]);
    expect([map?.shape, own?.shape]).toEqual([
      [1, LENGTH],
      [1, 2],
    ]);
    const { inputs } = await model.gradients({
      x: [tokens(1), numbers],
      upstream: [tensor([[1]]), tensor([[1]])],
    });
    own?.data.forEach((value, i) => expect(value).toBeCloseTo(Math.abs(inputs[1]?.data[i] ?? NaN), 6));
    await model.close();
  });
});

describe("saliency refuses", () => {
  const model = sequential(
    input({ shape: [LENGTH], dtype: "int32" }),
    embedding({ inputDim: TOKENS, outputDim: WIDTH }),
    flatten(),
    dense({ units: 3 }),
  );

  it.each<[string, () => Promise<unknown>, string]>([
    [
      "a unit that is not there",
      () => saliency(model, tokens(1), { unit: 3 }),
      "saliency: unit is out of range: expected 0…2",
    ],
    [
      "another method",
      () => saliency(model, tokens(1), { method: "integrated" as never }),
      "saliency: method is unknown",
    ],
    [
      "a token that is no row of the table",
      () => saliency(model, tensor([Array<number>(LENGTH).fill(9)], { dtype: "int32" })),
      "9",
    ],
  ])("%s", async (_, run, message) => {
    await expect(run()).rejects.toThrow(message);
  });
});
