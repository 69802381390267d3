import { describe, expect, it } from "vitest";
import {
  block,
  type Chooser,
  conv1d,
  dense,
  dropout,
  flatten,
  functional,
  globalMaxPooling1d,
  input,
  l1l2,
  l2,
  layerFunction,
  type Model,
  residual,
  sequential,
} from "torte";
import { EVERY_LAYER, LAYER_NAMES, type LayerName, modelOf } from "./every-layer.js";

/** Answers with present values, but for those that are given. */
function answers(given: Readonly<Record<string, number | string | boolean>> = {}) {
  const asked = new Map<string, readonly unknown[]>();
  const answer =
    (kind: string) =>
    (name: string, ...more: unknown[]): never => {
      asked.set(name, [kind, ...more]);
      const { default: present } = more.at(-1) as { readonly default: unknown };
      return (given[name] ?? present) as never;
    };
  const h: Chooser = {
    float: answer("float"),
    int: answer("int"),
    categorical: answer("categorical"),
    boolean: answer("boolean"),
  };
  return { h, asked };
}

const facts = (model: Model) => JSON.stringify(model.describe());
const weightsOf = async (model: Model) =>
  Object.entries(await model.getWeights()).map(([name, { data }]) => [name, [...data]]);
const shapesOf = (model: Model) => JSON.stringify(model.network.outputs.map(({ shape }) => shape));

const small = () =>
  sequential(
    input({ shape: [20, 4] }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    residual([conv1d({ filters: 16, kernelSize: 3, padding: "same" })]),
    block("end", [globalMaxPooling1d(), dropout({ rate: 0.02 }), dense({ units: 8, kernelRegularizer: l2(0.001) })]),
    dense({ units: 1, activation: "sigmoid" }),
    { seed: 3, threads: 1 },
  );

describe("the space of a model as it stands", () => {
  it("has kinds, usual ranges with the present value in them, and defaults", () => {
    const { h, asked } = answers();
    const space = small()
      .hyperparameters()
      .space({ only: ["rate", "units", "activation", "kernelRegularizer.strength"] });
    space.model(h);
    expect(Object.fromEntries(asked)).toEqual({
      "conv1d.activation": ["categorical", expect.arrayContaining(["relu", "tanh", "linear"]), { default: "relu" }],
      "residual/conv1d.activation": ["categorical", expect.any(Array), { default: "linear" }],
      "end/dropout.rate": ["float", 0.02, 0.35, { log: false, default: 0.02 }],
      "end/dense.units": ["int", 8, 1024, { log: true, default: 8 }],
      "end/dense.activation": ["categorical", expect.any(Array), { default: "linear" }],
      "end/dense.kernelRegularizer.strength": ["float", 1e-4, 0.1, { log: true, default: 0.001 }],
    });
  });

  it("leaves out what would change the output or leave no model, unless it is named with its layer", () => {
    const names = (only: readonly string[]) =>
      small()
        .hyperparameters()
        .space({ only })
        .rows.map(({ layer, name }) => `${layer}.${name}`);
    // What the input goes around must keep its width, so that both convolutions keep it.
    expect(names(["filters", "kernelSize", "rate"])).toEqual([
      "conv1d.kernelSize",
      "residual/conv1d.kernelSize",
      "end/dropout.rate",
    ]);
    expect(names(["dense.activation", "rate"])).toEqual(["end/dropout.rate", "dense.activation"]);
    expect(() => names(["filters"])).toThrow(
      'space: nothing is left to choose: expected options with a usual range that do not change the shape of the model\'s output, received ["filters"].',
    );
    expect(() => names(["unit"])).toThrow('space: no layer has the hyperparameter "unit"');
    expect(() => names([])).toThrow("space: only has the wrong type");
  });

  it("makes models with other options, and leaves all else as it was", async () => {
    const model = small();
    const space = model
      .hyperparameters()
      .space({ only: ["units", "rate", "kernelRegularizer", "kernelRegularizer.strength"] });
    const same = space.model(answers().h);
    expect(facts(same)).toBe(facts(model));
    expect(await weightsOf(same)).toEqual(await weightsOf(model));
    const { h, asked } = answers({
      "end/dense.units": 32,
      "end/dropout.rate": 0.3,
      "end/dense.kernelRegularizer": "none",
    });
    const changed = space.model(h, { seed: 9 });
    const options = (kind: string) => changed.describe().layers.find((layer) => layer.kind === kind)?.options;
    expect(changed.seed).toBe(9);
    expect(options("dropout")).toEqual({ rate: 0.3 });
    expect(options("dense")).toEqual({ units: 32 });
    expect(asked.has("end/dense.kernelRegularizer.strength")).toBe(false); // of another penalty
    await Promise.all([model, same, changed].map((one) => one.close()));
  });

  it("sets the strengths of penalties with one and with two", () => {
    const model = sequential(
      input({ shape: [4] }),
      dense({ units: 8, kernelRegularizer: l1l2({ l1: 0.002 }), biasRegularizer: "l2" }),
      dense({ units: 1 }),
    );
    const space = model.hyperparameters().space({
      only: ["kernelRegularizer.l1", "kernelRegularizer.l2", "biasRegularizer.strength"],
    });
    const { h } = answers({
      "dense.kernelRegularizer.l1": 0.05,
      "dense.kernelRegularizer.l2": 0.07,
      "dense.biasRegularizer.strength": 0.03,
    });
    expect(space.model(h).describe().layers[0]?.options).toEqual({
      units: 8,
      kernelRegularizer: { $function: { factory: "regularizers.l1l2", argument: { l1: 0.05, l2: 0.07 } } },
      biasRegularizer: { $function: { factory: "regularizers.l2", argument: 0.03 } },
    });
  });

  it("is compiled as the model is", () => {
    const model = small();
    model.compile({ optimizer: "sgd", loss: "binaryCrossentropy", metrics: ["accuracy"] });
    const made = model
      .hyperparameters()
      .space({ only: ["rate"] })
      .model(answers().h);
    expect(Object.keys(made.figures)).toEqual(Object.keys(model.figures));
  });

  it("takes layers of people's own with their factories, and says where one is missing", () => {
    const scaled = (options: { readonly by: number }) =>
      layerFunction({ kind: "scaled", options, call: ([x]) => ({ value: x!.value }) });
    const model = sequential(input({ shape: [4] }), dense({ units: 8 }), scaled({ by: 2 }), dense({ units: 1 }));
    const given = model.hyperparameters().space({ only: ["units"], layers: { scaled } });
    expect(given.model(answers({ "dense.units": 16 }).h).countParams()).toBe(4 * 16 + 16 + 17);
    expect(() => modelOf("lambda").hyperparameters().space()).toThrow("lambda: a file cannot hold function");
    expect(() =>
      model
        .hyperparameters()
        .space({ only: ["dense.units"] })
        .model(answers({ "dense.units": 16 }).h),
    ).toThrow('the layer "scaled" is of the unknown kind "scaled"');
  });
});

/** The layer, with its options in the middle of a model. */
function around(name: LayerName): Model {
  const { inputs, make } = EVERY_LAYER[name];
  const values = inputs();
  return functional({ inputs: values, outputs: dense({ units: 2 })(flatten()(make({})(values))), seed: 3 });
}

// A function of the user's own is what no file holds.
it.each(LAYER_NAMES.filter((name) => name !== "lambda"))(
  "the space of a model with %s has the model itself, and others with the same output",
  (name) => {
    const model = around(name);
    const listed = model.hyperparameters();
    const only = [
      ...new Set(
        listed.rows.filter(({ usual, kind }) => usual !== undefined || kind === "boolean").map((row) => row.name),
      ),
    ];
    const space = listed.space({ only });
    const present = answers();
    expect(facts(space.model(present.h))).toBe(facts(model));
    for (const [option, [kind, first, last]] of present.asked) {
      const others: readonly unknown[] =
        kind === "categorical"
          ? (first as readonly string[]).slice(-2)
          : kind === "boolean"
            ? [true, false]
            : [first, last];
      const works = (value: unknown): boolean => {
        try {
          return shapesOf(space.model(answers({ [option]: value as number }).h)) === shapesOf(model);
        } catch {
          return kind === "float" || kind === "int"; // ends of a range may be too much
        }
      };
      expect([option, others.filter((value) => !works(value))]).toEqual([option, []]);
    }
  },
);
