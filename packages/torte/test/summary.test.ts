import { describe, expect, it } from "vitest";
import {
  add,
  batchNormalization,
  block,
  conv1d,
  conv2d,
  dense,
  dropout,
  embedding,
  flatten,
  functional,
  globalAveragePooling2d,
  input,
  type LayerFunction,
  maxPooling1d,
  maxPooling2d,
  type Model,
  residual,
  sequential,
  timeDistributed,
} from "torte";
import { LAYER_NAMES, modelOf } from "./every-layer.js";

const chapter = (maskZero: boolean): Model =>
  sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16, maskZero }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
  );

/** The lines between the two double rules. */
function rowsOf(text: string): string[] {
  const lines = text.split("\n");
  const rules = lines.flatMap((line, i) => (line.startsWith("===") ? [i] : []));
  return lines.slice((rules[0] ?? 0) + 1, rules[1]);
}

/** Name, and the number of parameters, of rows that need one line. */
const parameters = (text: string): number[] =>
  rowsOf(text).map((row) => Number(/\)\s+(\d+)(\s|$)/.exec(row.replace(/^.*?\)/, ""))?.[1] ?? NaN));

const total = (text: string, what: string): string | undefined =>
  new RegExp(`^${what} params: (.*)$`, "m").exec(text)?.[1];

describe("summary", () => {
  it("is the chapter's table", () => {
    for (const maskZero of [false, true]) {
      const text = chapter(maskZero).summary();
      expect(parameters(text)).toEqual([336, 1296, 0, 784, 0, 784, 0, 0, 41216, 16448, 65]);
      expect(total(text, "Total")).toBe("60,929");
      expect(total(text, "Trainable")).toBe("60,929");
      expect(total(text, "Non-trainable")).toBe("0");
    }
  });

  it("has a column for masks where a layer has one", () => {
    expect(chapter(false).summary()).not.toContain("Mask");
    const rows = rowsOf(chapter(true).summary()).map((row) => /yes$/.test(row));
    expect(rows).toEqual([true, true, true, true, true, true, true, false, false, false, false]);
  });

  it("prints shapes as Keras does, within 80 columns", () => {
    const model = sequential(
      input({ shape: [128, 128, 3] }),
      conv2d({ filters: 24, kernelSize: 5, padding: "same" }),
      maxPooling2d(),
      globalAveragePooling2d(),
      dense({ units: 10 }),
    );
    expect(model.summary()).toBe(
      [
        'Model: "sequential"',
        "_".repeat(80),
        " Layer (type)                                   Output Shape           Param #",
        "=".repeat(80),
        " conv2d (Conv2D)                                (None, 128, 128, 24)   1824",
        " max_pooling2d (MaxPooling2D)                   (None, 64, 64, 24)     0",
        " global_average_pooling2d                       (None, 24)             0",
        " (GlobalAveragePooling2D)",
        " dense (Dense)                                  (None, 10)             250",
        "=".repeat(80),
        "Total params: 2,074",
        "Trainable params: 2,074",
        "Non-trainable params: 0",
        "_".repeat(80),
      ].join("\n"),
    );
  });

  const convolutionBlock = (filters: number): LayerFunction =>
    block("convolution block", [conv1d({ filters, kernelSize: 3 }), batchNormalization(), dropout({ rate: 0.1 })]);

  it("shows a block as one row with all its parameters, or with the layers inside", () => {
    const model = sequential(input({ shape: [20, 4] }), convolutionBlock(8), flatten());
    expect(parameters(model.summary())).toEqual([104 + 32, 0]);
    expect(rowsOf(model.summary())[0]).toContain("convolution_block (Block)");
    const expanded = model.summary({ expandNested: true });
    expect(rowsOf(expanded).map((row) => row.slice(0, 36).trimEnd())).toEqual([
      " convolution_block (Block)",
      "  └ conv1d (Conv1D)",
      "  └ batch_normalization (BatchNormal",
      "  └ dropout (Dropout)",
      " flatten (Flatten)",
    ]);
    for (const text of [model.summary(), expanded]) {
      expect(total(text, "Total")).toBe("136");
      expect(total(text, "Trainable")).toBe("120");
      expect(total(text, "Non-trainable")).toBe("16");
    }
  });

  it("counts what a frozen block holds as not trained, and a shared layer once", () => {
    const shared = dense({ units: 4 });
    const model = sequential(
      input({ shape: [4] }),
      block("frozen", [dense({ units: 4 }), residual([shared])], { trainable: false }),
      block("free", [shared]),
      dense({ units: 2, trainable: false }),
    );
    const text = model.summary({ expandNested: true, showTrainable: true });
    expect(total(text, "Total")).toBe("50");
    expect(total(text, "Trainable")).toBe("20");
    expect(total(text, "Non-trainable")).toBe("30");
    expect(model.countParams()).toBe(50);
    const trained = rowsOf(text).map((row) => [row.slice(0, 22).trim(), /\s(yes|no|-)(\s|$)/.exec(row)?.[1]]);
    expect(trained.slice(0, 3)).toEqual([
      ["input (Input)", "-"],
      ["frozen (Block)", "no"],
      ["└ dense (Dense)", "no"],
    ]);
    expect(trained.at(-2)?.[1]).toBe("yes");
    expect(trained.at(-1)?.[1]).toBe("no");
  });

  it("says what each layer is connected to where that is not the row before", () => {
    const x = input({ shape: [8], name: "left" });
    const z = input({ shape: [8], name: "right" });
    const sum = add()([dense({ units: 8 })(x), z]);
    const text = functional({ inputs: [x, z], outputs: dense({ units: 1 })(sum) }).summary();
    expect(text).toContain("Connected to");
    const connected = rowsOf(text).map((row) => [row.trim().split(" ")[0], row.trim().split(/\s{2,}/)[3]]);
    expect(connected).toEqual([
      ["left", undefined],
      ["right", undefined],
      ["dense", "left"],
      ["add", "dense, right"],
      ["dense_1", "add"],
    ]);
    expect(chapter(true).summary()).not.toContain("Connected to");
    const around = sequential(input({ shape: [8] }), residual([dense({ units: 8 })]));
    expect(around.summary()).not.toContain("Connected to");
    expect(rowsOf(around.summary({ expandNested: true })).at(-1)).toMatch(/└ add \(Add\) .* input, dense$/);
  });

  it("shows a layer that is applied again without its parameters", () => {
    const shared = dense({ units: 8 });
    expect(parameters(sequential(input({ shape: [8] }), shared, shared).summary())).toEqual([72, 0]);
  });

  it("shows the layers inside of wrappers", () => {
    const model = sequential(input({ shape: [5, 8] }), timeDistributed(dense({ units: 3 })));
    expect(rowsOf(model.summary({ expandNested: true }))[1]).toMatch(/└ dense \(Dense\) +\(None, 3\) +27/);
  });

  it("fits a page for every layer", () => {
    for (const name of LAYER_NAMES) {
      const model = modelOf(name);
      for (const expandNested of [false, true]) {
        const text = model.summary({ expandNested, showTrainable: true });
        for (const line of text.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
        expect(total(text, "Total"), name).toBe(model.countParams().toLocaleString("en-US"));
      }
    }
  });

  it("knows its options", () => {
    const model = sequential(input({ shape: [8] }), dense({ units: 1 }));
    expect(() => model.summary({ expandnested: true } as object)).toThrow(
      'summary: unknown option "expandnested": expected one of expandNested, showTrainable. Did you mean "expandNested"?',
    );
    expect(() => model.summary({ expandNested: "yes" } as object)).toThrow(
      'summary: expandNested has the wrong type: expected true or false, received "yes".',
    );
  });
});
