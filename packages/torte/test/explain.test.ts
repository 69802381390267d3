import { describe, expect, it } from "vitest";
import {
  add,
  averagePooling1d,
  block,
  concatenate,
  conv1d,
  conv1dTranspose,
  conv2d,
  cropping1d,
  dense,
  depthwiseConv1d,
  dot,
  embedding,
  flatten,
  functional,
  globalMaxPooling1d,
  input,
  layerFunction,
  layerNormalization,
  type LayerExplanation,
  type LayerFunction,
  masking,
  maxPooling1d,
  maxPooling2d,
  type Model,
  ops,
  permute,
  residual,
  reshape,
  sequential,
  softmax,
  spectralNormalization,
  Tensor,
  timeDistributed,
  upSampling1d,
  zeroPadding1d,
} from "torte";
import { EVERY_LAYER, LAYER_NAMES, modelOf } from "./every-layer.js";

const sequence = (length: number, ...layers: LayerFunction[]): Model =>
  sequential(input({ shape: [length, 4] }), ...layers);
const rowsOf = (model: Model): readonly LayerExplanation[] => model.explain().rows;
const last = (model: Model): LayerExplanation => rowsOf(model).at(-1)!;

const chapter = (): Model =>
  sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16, maskZero: true }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
  );

describe("explain", () => {
  it("shows the arithmetic of the chapter's model", () => {
    const rows = rowsOf(chapter());
    expect(rows.map(({ shape }) => shape[0])).toEqual([
      "channels: one vector of outputDim = 16 for each token",
      "length: 200 − 5 + 1 = 196",
      "length: ⌊196 / 4⌋ = 49",
      "length: 49 − 3 + 1 = 47",
      "length: ⌊47 / 2⌋ = 23",
      "length: 23 − 3 + 1 = 21",
      "length: ⌊21 / 2⌋ = 10",
      "features: 10·16 = 160",
      "features: 160 in, units = 256 out",
    ]);
    expect(rows.map(({ parameterArithmetic }) => parameterArithmetic)).toEqual([
      "21·16 = 336",
      "5·16·16 + 16 = 1,296",
      "none",
      "3·16·16 + 16 = 784",
      "none",
      "3·16·16 + 16 = 784",
      "none",
      "none",
      "160·256 + 256 = 41,216",
    ]);
    expect(rows[1]).toMatchObject({
      layer: "conv1d",
      type: "Conv1D",
      inputs: [[null, 200, 16]],
      output: [null, 196, 16],
      parameters: 1296,
      multiplyAdds: 250880,
      multiplyAddArithmetic: "196·5·16·16 = 250,880",
      bytes: 196 * 16 * 4,
    });
  });

  it("follows what an element sees through strides", () => {
    const fields = rowsOf(chapter()).map(({ receptiveField }) => receptiveField[0]);
    expect(fields.map((field) => field?.positions)).toEqual([1, 5, 8, 16, 20, 36, 44, 188, 188]);
    expect(fields.map((field) => field?.step)).toEqual([1, 1, 4, 4, 8, 8, 16, undefined, undefined]);
    expect(fields[0]).toEqual({ axis: "length", positions: 1, start: 0, step: 1, of: 200 });
  });

  it("warns of sequences that would leave no valid position", () => {
    const explanation = chapter().explain();
    expect(explanation.rows.map(({ shortest }) => shortest)).toEqual([1, 5, 8, 16, 20, 36, 44, undefined, undefined]);
    expect(explanation.warnings).toEqual([
      "a sequence shorter than 44 leaves no valid position after max_pooling1d_2; from there on it counts as nothing but " +
        'zeros. Leave such sequences out, or set padding: "same" or "causal" in windows before it.',
    ]);
    expect(sequence(9, conv1d({ filters: 2, kernelSize: 3 })).explain().warnings).toEqual([]);
    const same = sequence(9, masking(), conv1d({ filters: 2, kernelSize: 3, padding: "causal" }));
    expect(same.explain().warnings).toEqual([]);
    expect(last(same).shortest).toBe(1);
  });

  it("says truly how short a sequence may be", async () => {
    const stack = [
      masking(),
      zeroPadding1d({ padding: [1, 1] }),
      conv1d({ filters: 4, kernelSize: 3, dilationRate: 2, biasInitializer: "ones" }),
      maxPooling1d({ poolSize: 3, strides: 2 }),
      upSampling1d(),
      cropping1d({ cropping: [1, 1] }),
      conv1d({ filters: 4, kernelSize: 2, biasInitializer: "ones" }),
    ];
    const model = sequential(input({ shape: [30, 4] }), ...stack, { backend: "reference" });
    const shortest = last(model).shortest ?? 0;
    for (const length of [shortest - 1, shortest]) {
      const data = Float32Array.from({ length: 120 }, (_, i) => (i < 4 * length ? 1 + Math.sin(i) : 0));
      const y = await model.predict(new Tensor(data, [1, 30, 4], "float32"));
      expect(y.data.some((value) => value !== 0)).toBe(length === shortest);
    }
  });

  it("names the axes", () => {
    const model = sequential(input({ shape: [32, 24, 3] }), conv2d({ filters: 8, kernelSize: 3 }), flatten());
    const { rows, inputs } = model.explain();
    expect(inputs[0]?.axes.map(({ kind, role, size }) => [kind, role, size])).toEqual([
      ["batch", "batch", null],
      ["shape", "height", 32],
      ["shape", "width", 24],
      ["channel", "channels", 3],
    ]);
    expect(rows[1]?.axes).toEqual([
      { kind: "batch", role: "batch", size: null },
      { kind: "channel", role: "features", size: 30 * 22 * 8 },
    ]);
    const turned = last(sequence(10, permute({ dims: [2, 1] })));
    expect(turned.axes.map(({ role }) => role)).toEqual(["batch", "channels", "length"]);
  });

  it.each<[string, LayerFunction, string]>([
    ["strides", conv1d({ filters: 2, kernelSize: 3, strides: 2 }), "length: ⌊(20 − 3) / 2⌋ + 1 = 9"],
    [
      "dilation",
      conv1d({ filters: 2, kernelSize: 3, dilationRate: 2 }),
      "length: 3 taps 2 apart span (3 − 1)·2 + 1 = 5; 20 − 5 + 1 = 16",
    ],
    ["same", conv1d({ filters: 2, kernelSize: 3, padding: "same" }), "length: same padding keeps 20"],
    ["same, strides", averagePooling1d({ poolSize: 3, padding: "same" }), "length: same padding, ⌈20 / 3⌉ = 7"],
    ["causal", conv1d({ filters: 2, kernelSize: 3, padding: "causal" }), "length: causal padding keeps 20"],
    ["overlapping", maxPooling1d({ poolSize: 3, strides: 2 }), "length: ⌊(20 − 3) / 2⌋ + 1 = 9"],
    ["transposed", conv1dTranspose({ filters: 2, kernelSize: 5, strides: 2 }), "length: 20·2 + 3 = 43"],
    [
      "transposed same",
      conv1dTranspose({ filters: 2, kernelSize: 5, strides: 2, padding: "same" }),
      "length: 20·2 = 40",
    ],
    ["zeros", zeroPadding1d({ padding: [2, 3] }), "length: 2 + 20 + 3 = 25"],
    ["cropped", cropping1d({ cropping: [2, 3] }), "length: 20 − 2 − 3 = 15"],
    ["up", upSampling1d({ size: 3 }), "length: 20·3 = 60"],
    ["reshaped", reshape({ targetShape: [8, -1] }), "20·4 = 80 = 8·10 values"],
    ["global", globalMaxPooling1d(), "length: all 20 positions become one, and the axis disappears"],
    ["permuted", permute({ dims: [2, 1] }), "axes 2, 1 of the input become 1…2"],
  ])("explains the shape: %s", (_, layer, arithmetic) => {
    expect(last(sequence(20, layer)).shape[0]).toBe(arithmetic);
  });

  it("explains channels and merges", () => {
    expect(last(sequence(9, depthwiseConv1d({ kernelSize: 3, depthMultiplier: 2 }))).shape[1]).toBe(
      "channels: 4·2 = 8",
    );
    const [a, b] = [input({ shape: [7, 4] }), input({ shape: [7, 6] })];
    const joined = functional({ inputs: [a, b], outputs: concatenate()([a, b]) });
    expect(last(joined).shape).toEqual(["channels: 4 + 6 = 10"]);
    const products = functional({ inputs: [a], outputs: dot({ axes: 2 })([a, a]) });
    expect(last(products)).toMatchObject({ multiplyAdds: 7 * 7 * 4, shape: ["summed over axis 2, 4 products each"] });
  });

  it("counts what blocks hold, and where values come from", () => {
    const x = input({ shape: [10, 4] });
    const inner = block("some block", [
      conv1d({ filters: 4, kernelSize: 3, padding: "same" }),
      residual([dense({ units: 4 })]),
    ]);
    const y = add()([inner(x), x]);
    const rows = rowsOf(functional({ inputs: x, outputs: y }));
    expect(rows.map(({ layer, depth, from }) => [layer, depth, from.join("+")])).toEqual([
      ["some_block", 0, "input"],
      ["some_block/conv1d", 1, "input"],
      ["some_block/residual", 1, "conv1d"],
      ["some_block/residual/dense", 2, "conv1d"],
      ["some_block/residual/add", 2, "conv1d+dense"],
      ["add", 0, "some_block+input"],
    ]);
    expect(rows[0]).toMatchObject({ parameters: 52 + 20, multiplyAdds: 10 * 3 * 4 * 4 + 10 * 4 * 4 });
    expect(rows.at(-1)?.receptiveField[0]?.positions).toBe(3);
  });

  it("counts a shared layer's weights once, and its products each time", () => {
    const shared = dense({ units: 4 });
    const explanation = sequential(input({ shape: [4] }), shared, shared).explain();
    expect(explanation.rows.map(({ parameters }) => parameters)).toEqual([20, 0]);
    expect(explanation.rows[1]?.parameterArithmetic).toBe("shared with its application above");
    expect(explanation.totals).toEqual({ parameters: 20, multiplyAdds: 32, bytes: 32 });
  });

  it("leaves out products of weights alone, and counts steps", () => {
    const model = sequential(input({ shape: [8] }), spectralNormalization(dense({ units: 3 })));
    expect(last(model).multiplyAdds).toBe(24);
    expect(last(sequence(5, timeDistributed(dense({ units: 3 })))).multiplyAdds).toBe(5 * 4 * 3);
  });

  it("takes layers of people's own to act on each position", () => {
    const own = layerFunction({ kind: "own", options: {}, call: ([x]) => ({ value: ops.mul(x!.value, 2) }) });
    const model = sequence(9, conv1d({ filters: 2, kernelSize: 3 }), own);
    expect(last(model)).toMatchObject({ shape: ["positions as in the input"], receptiveField: [{ positions: 3 }] });
  });

  it("prints a walk through the model", () => {
    const x = input({ shape: [9], dtype: "int32", name: "tokens" });
    const looked = embedding({ inputDim: 5, outputDim: 4, maskZero: true })(x);
    const around = add()([looked, block("body", [conv1d({ filters: 4, kernelSize: 3, padding: "causal" })])(looked)]);
    const y = maxPooling1d({ poolSize: 3 })(around);
    expect(String(functional({ inputs: x, outputs: y, name: "walk" }).explain())).toBe(
      `Model "walk", layer by layer. The batch axis is open: whatever is said
holds for each of its examples.

tokens (Input)
  axes        batch; shape: length 9

embedding (Embedding)                                   (None, 9) → (None, 9, 4)
  axes        batch; shape: length 9; channels 4
  shape       channels: one vector of outputDim = 4 for each token
  parameters  5·4 = 20
  sees        1 of 9 positions along length
  costs       no products, 144 bytes
  mask        carried on

body (Block)                                         (None, 9, 4) → (None, 9, 4)
  axes        batch; shape: length 9; channels 4
  shape       as the layers inside make it
  parameters  52, those inside included
  sees        3 of 9 positions along length
  costs       9·3·4·4 = 432 multiply-adds, 144 bytes
  mask        carried on

  conv1d (Conv1D)                                    (None, 9, 4) → (None, 9, 4)
    axes        batch; shape: length 9; channels 4
    shape       length: causal padding keeps 9
                channels: 4 in, filters = 4 out
    parameters  3·4·4 + 4 = 52
    sees        3 of 9 positions along length
    costs       9·3·4·4 = 432 multiply-adds, 144 bytes
    mask        carried on

add (Add)                           (None, 9, 4) and (None, 9, 4) → (None, 9, 4)
  takes       embedding, body
  axes        batch; shape: length 9; channels 4
  shape       as each of the 2 inputs
  parameters  none
  sees        3 of 9 positions along length
  costs       no products, 144 bytes
  mask        carried on

max_pooling1d (MaxPooling1D)                         (None, 9, 4) → (None, 3, 4)
  axes        batch; shape: length 3; channels 4
  shape       length: ⌊9 / 3⌋ = 3
  parameters  none
  sees        5 of 9 positions along length, 3 from one to the next
  costs       no products, 48 bytes
  mask        none left of sequences shorter than 3

================================================================================
Together 72 parameters; for one example 432 multiply-adds forward and 480 bytes
of results.
Warning: a sequence shorter than 3 leaves no valid position after max_pooling1d;
from there on it counts as nothing but zeros. Leave such sequences out, or set
padding: "same" or "causal" in windows before it.`,
    );
  });

  it("knows every layer, and prints it within 80 columns", () => {
    for (const name of LAYER_NAMES) {
      const model = modelOf(name);
      const explanation = model.explain();
      const { shape } = EVERY_LAYER[name].make({})(EVERY_LAYER[name].inputs());
      const row = explanation.rows.find(({ depth }) => depth === 0);
      expect(row?.output, name).toEqual(shape);
      expect(
        row?.axes.map(({ size }) => size),
        name,
      ).toEqual(shape);
      expect(explanation.totals.parameters, name).toBe(model.countParams());
      for (const line of String(explanation).split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });
});

/** Input positions that output position `at` depends on, by its derivative: first and last. */
async function dependence(model: Model, length: number, at: number): Promise<[number, number]> {
  const output = model.network.outputs[0]!.shape.slice(1).map((n) => n ?? 1);
  const [, ...rest] = output;
  const row = rest.reduce((a, b) => a * b, 1);
  const upstream = new Float32Array(output.reduce((a, b) => a * b, 1));
  for (let k = 0; k < row; k++) upstream[at * row + k] = 1 + k;
  const x = new Tensor(
    Float32Array.from({ length: length * 4 }, (_, i) => Math.sin(i * i)),
    [1, length, 4],
    "float32",
  );
  const { inputs } = await model.gradients({ x, upstream: new Tensor(upstream, [1, ...output], "float32") });
  const touched = Array.from({ length }, (_, i) => i).filter((i) =>
    inputs[0]!.data.subarray(4 * i, 4 * i + 4).some((value) => value !== 0),
  );
  return [touched[0] ?? NaN, touched.at(-1) ?? NaN];
}

describe("receptive fields", () => {
  const conv = (options: object): LayerFunction => conv1d({ filters: 4, kernelSize: 3, ...options });
  const stacks: [string, () => LayerFunction[]][] = [
    ["convolutions", () => [conv({}), conv({ dilationRate: 2 }), conv({ padding: "same" })]],
    ["strides", () => [conv({ strides: 2 }), averagePooling1d({ poolSize: 3 }), conv({})]],
    ["causal", () => [conv({ padding: "causal" }), averagePooling1d({ poolSize: 2, strides: 1 })]],
    ["same with strides", () => [conv({ padding: "same", strides: 2 }), conv({ padding: "same" })]],
    ["separate channels", () => [depthwiseConv1d({ kernelSize: 4 }), dense({ units: 4 })]],
    ["up and down", () => [upSampling1d({ size: 2 }), conv({ strides: 2 })]],
    ["transposed", () => [conv1dTranspose({ filters: 4, kernelSize: 4, strides: 2 }), conv({ strides: 2 })]],
    ["margins", () => [zeroPadding1d(), conv({}), cropping1d()]],
    ["residual", () => [residual([conv({ padding: "same" }), conv({ padding: "same" })])]],
    ["softmax over steps", () => [conv({}), softmax({ axis: 1 })]],
    ["norm over steps", () => [layerNormalization({ axis: [1, 2] })]],
  ];

  it.each(stacks)("are what the derivatives say: %s", async (_, make) => {
    const length = 40;
    const model = sequential(input({ shape: [length, 4] }), ...make(), { backend: "reference", seed: 2 });
    const { receptiveField, output } = rowsOf(model)
      .filter(({ depth }) => depth === 0)
      .at(-1)!;
    const [field] = receptiveField;
    const middle = Math.floor((output[1] ?? 1) / 2);
    const [from, to] = await dependence(model, length, middle);
    expect(field?.positions).toBe(to - from + 1);
    const [next] = await dependence(model, length, middle + 1);
    if (field?.positions !== length && Number.isInteger(field?.step)) expect(next - from).toBe(field?.step);
  });

  it("are followed in two dimensions", () => {
    const model = sequential(
      input({ shape: [32, 32, 3] }),
      conv2d({ filters: 4, kernelSize: [5, 3] }),
      maxPooling2d(),
      conv2d({ filters: 4, kernelSize: 3, padding: "same" }),
    );
    expect(last(model).receptiveField).toEqual([
      { axis: "height", positions: 10, start: -2, step: 2, of: 32 },
      { axis: "width", positions: 8, start: -2, step: 2, of: 32 },
    ]);
  });
});
