import { describe, expect, it } from "vitest";
import {
  activations,
  block,
  conv1d,
  dense,
  dropout,
  embedding,
  input,
  initializers,
  l1l2,
  l2,
  layerFunction,
  layers,
  maxNorm,
  maxPooling1d,
  type Model,
  ops,
  residual,
  sequential,
  Tensor,
} from "torte";
import { EVERY_LAYER, LAYER_NAMES, type LayerName, modelOf } from "./every-layer.js";

const ofLayer = (model: Model, name: string) => {
  const { rows } = model.hyperparameters();
  const first = rows[0]?.layer;
  return rows.filter(({ layer, name: option }) => layer === first && option === name);
};

function random(model: Model): Tensor[] {
  return model.network.inputSpecs.map(({ shape, dtype }) => {
    const length = 2 * shape.reduce((a, b) => a * b, 1);
    if (dtype === "int32")
      return new Tensor(
        Int32Array.from({ length }, (_, i) => (i * 7) % 9),
        [2, ...shape],
        "int32",
      );
    return new Tensor(
      Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7)),
      [2, ...shape],
      "float32",
    );
  });
}

describe("hyperparameters", () => {
  it("are known of every layer that the library exports", () => {
    const exported = Object.entries(layers)
      .filter(([, value]) => typeof value === "function")
      .map(([name]) => name);
    expect([...LAYER_NAMES].sort()).toEqual(exported.sort());
    for (const name of LAYER_NAMES) {
      const { rows } = modelOf(name).hyperparameters();
      expect(rows[0]?.type, name).toBe(name);
    }
  });

  it.each(LAYER_NAMES)("state the defaults that really hold: %s", async (name: LayerName) => {
    const left = modelOf(name);
    const { rows } = left.hyperparameters();
    const first = rows[0]?.layer;
    const defaults = rows.filter(
      ({ layer, given, name: option }) => layer === first && !given && option !== "trainable",
    );
    const extra = Object.fromEntries(defaults.filter((row) => row.value !== null).map((row) => [row.name, row.value]));
    const said = modelOf(name, extra);
    const x = random(left);
    expect((await said.predict(x)).data).toEqual((await left.predict(x)).data);
    expect(await said.getWeights()).toEqual(await left.getWeights());
    for (const row of said.hyperparameters().rows) {
      if (row.layer === first && row.name in extra) expect(row).toMatchObject({ given: true, value: row.default });
    }
    // What is listed without a value is an option, too.
    for (const { name: option } of defaults.filter((row) => row.value === null)) {
      expect(() => EVERY_LAYER[name].make({ [option]: {} }), `${name}.${option}`).not.toThrow("unknown option");
    }
  });

  it("have ranges that hold the default, where it is a number", () => {
    for (const name of LAYER_NAMES) {
      for (const { usual, kind, name: option } of modelOf(name).hyperparameters().rows) {
        if (usual === undefined) continue;
        if ("choices" in usual) expect(usual.choices.length, option).toBeGreaterThan(1);
        else {
          expect(usual.min, option).toBeLessThan(usual.max);
          if (usual.log === true) expect(usual.min, option).toBeGreaterThan(0);
          expect(["integer", "continuous"]).toContain(kind);
        }
      }
    }
  });

  it("of a layer: value, kind, default, usual range", () => {
    const model = sequential(
      input({ shape: [20, 4] }),
      conv1d({ filters: 8, kernelSize: 5, activation: "relu", kernelRegularizer: l2(0.001) }),
    );
    const place = { layer: "conv1d", type: "conv1d" };
    expect(ofLayer(model, "filters")).toEqual([
      {
        ...place,
        name: "filters",
        value: 8,
        kind: "integer",
        default: undefined,
        given: true,
        usual: { min: 8, max: 512, log: true },
      },
    ]);
    expect(ofLayer(model, "strides")[0]).toMatchObject({ value: 1, default: 1, given: false, kind: "integer" });
    expect(ofLayer(model, "activation")[0]).toMatchObject({ value: "relu", default: "linear", kind: "categorical" });
    expect(ofLayer(model, "useBias")[0]).toMatchObject({ value: true, kind: "boolean", given: false });
    expect(ofLayer(model, "kernelRegularizer")[0]).toMatchObject({ value: "l2", default: null, kind: "categorical" });
    expect(ofLayer(model, "kernelRegularizer.strength")).toEqual([
      {
        ...place,
        name: "kernelRegularizer.strength",
        value: 0.001,
        kind: "continuous",
        default: 0.01,
        given: true,
        usual: { min: 1e-4, max: 1e-1, log: true },
      },
    ]);
  });

  it("tell a default that follows from another option", () => {
    const model = sequential(input({ shape: [20, 4] }), maxPooling1d({ poolSize: 3 }));
    expect(ofLayer(model, "strides")[0]).toMatchObject({ value: 3, default: 3, given: false });
  });

  it("show functions by what they were made with", () => {
    const model = sequential(
      input({ shape: [3] }),
      dense({
        units: 2,
        activation: activations.gelu({ approximate: true }),
        kernelInitializer: initializers.randomUniform({ minval: -0.1, maxval: 0.1 }),
        biasInitializer: initializers.zeros(),
        kernelConstraint: maxNorm({ maxValue: 3 }),
        kernelRegularizer: l1l2({ l1: 0.1 }),
        biasRegularizer: "l1",
        activityRegularizer: (x) => ops.sum(x),
      }),
    );
    const value = (name: string) => ofLayer(model, name)[0]?.value;
    expect(value("activation")).toBe("gelu({ approximate: true })");
    expect(value("kernelInitializer")).toBe("randomUniform({ minval: -0.1, maxval: 0.1 })");
    expect(value("biasInitializer")).toBe("zeros");
    expect(value("kernelConstraint")).toBe("maxNorm({ maxValue: 3 })");
    expect(value("kernelRegularizer")).toBe("l1l2");
    expect(value("kernelRegularizer.l1")).toBe(0.1);
    expect(value("kernelRegularizer.l2")).toBe(0.01);
    expect(ofLayer(model, "biasRegularizer.strength")[0]).toMatchObject({ value: 0.01, given: false });
    expect(value("activityRegularizer")).toBe("a function");
    const swish = sequential(input({ shape: [3] }), dense({ units: 2, activation: activations.swish }));
    expect(ofLayer(swish, "activation")[0]?.value).toBe("swish");
  });

  it("include the layers inside of blocks, each once, and freezing", () => {
    const shared = dense({ units: 4 });
    const model = sequential(
      input({ shape: [4] }),
      block("outer", [residual([shared]), shared, dropout({ rate: 0.1 })], { trainable: false }),
      shared,
    );
    const { rows } = model.hyperparameters();
    expect(rows.filter(({ name }) => name === "units").map(({ layer }) => layer)).toHaveLength(1);
    expect(rows.find(({ layer, name }) => layer === "outer" && name === "trainable")?.value).toBe(false);
    expect(rows.find(({ layer, name }) => layer === "outer/dropout" && name === "rate")?.value).toBe(0.1);
    expect(rows.find(({ layer, name }) => layer === "outer/residual" && name === "merge")).toMatchObject({
      value: "add",
      usual: { choices: ["add", "concatenate"] },
    });
  });

  it("of layers of people's own are told from their values", () => {
    const own = layerFunction({
      kind: "own",
      options: { size: 3, slope: 0.5, hard: true, mode: "soft" } as object,
      call: ([x]) => ({ value: x!.value }),
    });
    const { rows } = sequential(input({ shape: [3] }), own).hyperparameters();
    expect(rows.map(({ name, kind, value }) => [name, kind, value])).toEqual([
      ["size", "integer", 3],
      ["slope", "continuous", 0.5],
      ["hard", "boolean", true],
      ["mode", "categorical", "soft"],
      ["activityRegularizer", "categorical", null],
    ]);
  });

  it("print as a table of 80 columns", () => {
    const model = sequential(
      input({ shape: [9], dtype: "int32" }),
      embedding({ inputDim: 21, outputDim: 16, maskZero: true, embeddingsRegularizer: "l2" }),
    );
    const text = String(model.hyperparameters());
    expect(text).toBe(
      [
        "  Hyperparameter             Value         Kind        Default    Usual",
        "=".repeat(80),
        "embedding (Embedding)",
        "* inputDim                   21            integer     required",
        "* outputDim                  16            integer     required   4…256 log",
        "* maskZero                   true          boolean     false",
        "  embeddingsInitializer      uniform       categorical            2 choices",
        "* embeddingsRegularizer      l2            categorical none       6 choices",
        "  embeddingsRegularizer.str… 0.01          continuous             0.0001…0.1 log",
        "  embeddingsConstraint       none          categorical            5 choices",
        "  trainable                  true          boolean",
        "  activityRegularizer        none          categorical            6 choices",
        "=".repeat(80),
        "* given, with its default beside it; all else is at its default",
      ].join("\n"),
    );
  });
});
