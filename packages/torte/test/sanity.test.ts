/** Steps before a long run: each passes where all is well, and fails on the fault that it is for. */
import { describe, expect, it } from "vitest";
import {
  checkGradientFlow,
  checkInitialLoss,
  checkShuffledLabels,
  checkZeroInput,
  dense,
  input,
  lambda,
  type Model,
  ops,
  overfitOneBatch,
  residual,
  sequential,
  tensor,
} from "torte";

/** Two features of which the sum decides. */
function rows(count: number, from = 0) {
  const x = Array.from({ length: count }, (_, i) => [Math.sin(1.7 * (i + from)), Math.cos(2.9 * (i + from) + 1)]);
  return { x: tensor(x), y: tensor(x.map(([a = 0, b = 0]) => [a + b > 0 ? 1 : 0])) };
}

function classifier(...before: Parameters<typeof sequential>[1][]): Model {
  const model = sequential(
    input({ shape: [2] }),
    ...before,
    dense({ units: 16, activation: "tanh" }),
    dense({ units: 1, activation: "sigmoid" }),
  );
  model.compile({ optimizer: "adam", loss: "binaryCrossentropy", metrics: ["accuracy"] });
  return model;
}

/** Gives the same for every input. */
const deaf = () => lambda((x) => ops.mul(x, 0));

describe("the loss at the start", () => {
  it.each([
    ["sparseCategoricalCrossentropy", 4, "softmax", tensor([0, 3]), Math.log(4)],
    ["binaryCrossentropy", 1, "sigmoid", tensor([[0], [1]]), Math.LN2],
    ["meanSquaredError", 1, "linear", tensor([[3], [-1]]), 5],
  ] as const)("%s", async (loss, units, activation, y, expected) => {
    const make = (scale: number): Model => {
      const model = sequential(
        input({ shape: [2] }),
        lambda((x) => ops.mul(x, scale)),
        dense({ units, activation, kernelInitializer: "ones", kernelRegularizer: "l2" }),
        lambda((v) => v),
      );
      model.compile({ loss });
      return model;
    };
    const data = { x: tensor([[1, 2], [3, 4]]), y }; // prettier-ignore
    const right = await checkInitialLoss(make(0), data);
    expect(right.passed).toBe(true);
    expect(right.numbers["expected"]).toBeCloseTo(expected, 12);
    expect(right.numbers["loss"]).toBeCloseTo(expected, 5);
    if (units > 1) return; // a softmax of equal logits is what it should be, however large they are
    expect((await checkInitialLoss(make(100), data)).passed).toBe(false);
  });

  it("of a loss without an expectation is told", async () => {
    const model = sequential(input({ shape: [2] }), dense({ units: 1 }));
    model.compile({ loss: "logCosh" });
    const check = await checkInitialLoss(model, rows(4));
    expect(check.passed).toBeUndefined();
    expect(String(check)).toContain("loss at the start: not judged.");
    await expect(checkInitialLoss(sequential(input({ shape: [2] }), dense({ units: 1 })), rows(2))).rejects.toThrow(
      "checkInitialLoss: the model is not compiled. Call model.compile({ optimizer, loss }) first.",
    );
  });
});

describe("one batch", () => {
  it("is learnt by heart, and the weights are as before", async () => {
    const model = classifier();
    const before = await model.getWeights();
    const check = await overfitOneBatch(model, rows(40), { steps: 200 });
    expect([check.passed, check.numbers["rows"], check.numbers["steps"]]).toEqual([true, 16, 200]);
    expect(await model.getWeights()).toEqual(before);
    await model.close();
  });
  it("is not where the input does not arrive", async () => {
    const model = classifier(deaf());
    const check = await overfitOneBatch(model, rows(40), { steps: 50 });
    expect(check.passed).toBe(false);
    expect(String(check)).toMatch(/^overfit one batch: FAILED\. 50 steps on 16 rows/);
    await model.close();
  });
});

describe("shuffled labels", () => {
  it("are not predicted on other rows", async () => {
    const model = classifier();
    const check = await checkShuffledLabels(model, rows(200), { validationData: rows(200, 1000) });
    expect(check.passed).toBe(true);
    await model.close();
  });
  it("are predicted where the same rows are in both parts", async () => {
    const model = classifier(dense({ units: 64, activation: "tanh" }));
    const few = rows(24);
    const leaking = await checkShuffledLabels(model, few, { validationData: few, epochs: 400 });
    expect([leaking.passed, leaking.numbers["accuracy"]! > leaking.numbers["majority"]!]).toEqual([false, true]);
    expect(String(leaking)).toContain("The same rows are in both parts");
    await model.close();
  });
});

describe("zero input", () => {
  it("is worse than the real one, unless the model is deaf", async () => {
    const model = classifier();
    const right = await checkZeroInput(model, rows(200), { epochs: 10 });
    expect(right.passed).toBe(true);
    expect(right.numbers["zeroLoss"]).toBeGreaterThan(0.6);
    await model.close();
    const nothing = classifier(deaf());
    expect((await checkZeroInput(nothing, rows(100), { epochs: 2 })).passed).toBe(false);
    await nothing.close();
  });
});

describe("gradients by depth", () => {
  const deep = (make: () => Parameters<typeof sequential>[1], depth: number): Model => {
    const model = sequential(
      input({ shape: [2] }),
      dense({ units: 4, name: "first" }),
      ...Array.from({ length: depth }, make),
      dense({ units: 1, name: "last" }),
    );
    model.compile({ loss: "meanSquaredError" });
    return model;
  };

  it("are those of model.gradients", async () => {
    const model = deep(() => dense({ units: 4, activation: "tanh" }), 3);
    const data = rows(6);
    const { rows: found, ratioWithoutResidual } = await checkGradientFlow(model, data, { rows: 6 });
    const { weights } = await model.gradients(data, { training: true });
    expect(ratioWithoutResidual).toBeUndefined();
    for (const { layer, norm } of found) {
      const parts = Object.entries(weights).filter(([name]) => name.startsWith(`${layer}.`));
      const expected = Math.sqrt(
        parts.reduce((sum, [, g]) => g.data.reduce((s: number, v: number) => s + v * v, sum), 0),
      );
      expect(norm / expected).toBeCloseTo(1, 5);
    }
    await model.close();
  });

  it("vanish in deep sigmoids, and pass through residual blocks", async () => {
    const body = () => dense({ units: 4, activation: "sigmoid" });
    const plain = await checkGradientFlow(deep(body, 16), rows(4));
    expect([plain.passed, plain.ratio < 1e-4]).toEqual([false, true]);
    const around = await checkGradientFlow(
      deep(() => residual([body()]), 16),
      rows(4),
    );
    expect(around.passed).toBe(true);
    expect(around.ratioWithoutResidual).toBeLessThan(1e-4);
    expect(String(around).replaceAll("\n", " ")).toContain("without the residual connections");
  });
});
