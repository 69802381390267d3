/** Models with several outputs: one loss for each, and their sum. */
import { describe, expect, it } from "vitest";
import { dense, functional, input, sgd, tensor, type Tensor } from "torte";

const x = tensor([
  [1, 0],
  [0, 2],
]);

function twoHeads() {
  const place = input({ shape: [2] });
  const [price, kind] = [
    dense({ units: 1, name: "price", useBias: false, kernelInitializer: "ones" })(place),
    dense({ units: 3, name: "kind", activation: "softmax", useBias: false, kernelInitializer: "ones" })(place),
  ];
  return functional({ inputs: place, outputs: [price, kind], backend: "reference" });
}

const y = [tensor([[3], [2]]), tensor([0, 2], { dtype: "int32" })];

describe("several outputs", () => {
  it("have a loss and metrics each, by name", async () => {
    const model = twoHeads();
    model.compile({
      optimizer: sgd({ learningRate: 0 }),
      loss: { price: "meanSquaredError", kind: "sparseCategoricalCrossentropy" },
      lossWeights: { kind: 0.5 },
      metrics: { kind: ["accuracy"] },
    });
    const logs = await model.evaluate({ x, y });
    expect(Object.keys(logs)).toEqual(["loss", "price.loss", "kind.loss", "kind.accuracy"]);
    expect(logs["price.loss"]).toBeCloseTo(2, 9);
    expect(logs["kind.loss"]).toBeCloseTo(Math.log(3), 9);
    expect(logs["loss"]).toBeCloseTo(2 + Math.log(3) / 2, 9);
    expect(logs["kind.accuracy"]).toBeCloseTo(0.5, 9);
    const { epochs } = await model.fit({ x, y }, { validationData: { x, y } });
    expect(epochs[0]?.["loss"]).toBeCloseTo(logs["loss"] ?? NaN, 9);
    expect(epochs[0]?.["price.valLoss"]).toBeCloseTo(2, 9);
  });

  it("are trained together, in the order of the outputs, and predicted as a list", async () => {
    const model = twoHeads();
    model.compile({ optimizer: "adam", loss: ["meanSquaredError", "sparseCategoricalCrossentropy"] });
    const { epochs } = await model.fit({ x, y }, { epochs: 20 });
    for (const figure of ["price.loss", "kind.loss"])
      expect(epochs.at(-1)?.[figure]).toBeLessThan(epochs[0]?.[figure] ?? NaN);
    const outputs: readonly Tensor[] = await model.predict(x);
    expect(outputs.map(({ shape }) => shape)).toEqual([
      [2, 1],
      [2, 3],
    ]);
  });

  it("that have no loss are not trained", async () => {
    const model = twoHeads();
    model.compile({ optimizer: "sgd", loss: { price: "meanSquaredError" }, metrics: [] });
    const before = await model.getWeights();
    const { epochs } = await model.fit({ x, y: y.slice(0, 1) });
    expect(Object.keys(epochs[0] ?? {})).toEqual(["loss"]);
    const after = await model.getWeights();
    expect(after["kind.kernel"]).toEqual(before["kind.kernel"]);
    expect(after["price.kernel"]).not.toEqual(before["price.kernel"]);
  });

  it.each<[string, Parameters<ReturnType<typeof twoHeads>["compile"]>[0]]>([
    [
      "compile: loss has the wrong length: expected one for each output: price, kind, received 1.",
      { loss: ["meanSquaredError"] },
    ],
    [
      'compile: loss names an output that is not there: expected price, kind, received "cost". Outputs have the names of their layers.',
      { loss: { cost: "meanSquaredError" } },
    ],
    ["compile: there is no loss: expected a loss for at least one of price, kind.", { loss: {} }],
    [
      "compile: lossWeights is out of range: expected a finite number, received NaN.",
      { loss: "meanSquaredError", lossWeights: [1, NaN] },
    ],
  ])("refuse what does not fit them: %s", (message, options) => {
    const model = twoHeads();
    expect(() => {
      model.compile(options);
    }).toThrow(message);
  });

  it("want a target each", async () => {
    const model = twoHeads();
    model.compile({ loss: ["meanSquaredError", "sparseCategoricalCrossentropy"] });
    await expect(model.fit({ x, y: y.slice(0, 1) })).rejects.toThrow(
      "model: wrong number of targets: expected 2 (price, kind), received 1.",
    );
    await expect(model.fit({ x, y: [tensor([[3], [2]]), tensor([0, 3], { dtype: "int32" })] })).rejects.toThrow(
      "kind, sparseCategoricalCrossentropy: a label is out of range: expected whole numbers 0…2, received 3 at row 1.",
    );
  });
});
