/** The verdict on a history: each fault is found in a run that has it, and none in a run that is well. */
import { describe, expect, it } from "vitest";
import { adam, dense, dropout, type History, input, l2, type Model, sequential, sgd, tensor } from "torte";

const sine = (count: number, from = 0) => {
  const x = Array.from({ length: count }, (_, i) => [Math.sin(1.3 * (i + from)), Math.cos(2.1 * (i + from))]);
  return { x: tensor(x), y: tensor(x.map(([a = 0, b = 0]) => [a * b > 0 ? 1 : 0])) };
};

const net = (...layers: Parameters<typeof sequential>[1][]): Model => sequential(input({ shape: [2] }), ...layers);

const sigmoid = () => dense({ units: 1, activation: "sigmoid" });

async function kinds(history: History): Promise<string[]> {
  return (await history.diagnose()).findings.map(({ kind }) => kind);
}

describe("history.diagnose", () => {
  it("finds nothing in a run that is well, and tells the baseline", async () => {
    const model = net(dense({ units: 32, activation: "tanh" }), sigmoid());
    model.compile({ optimizer: adam({ learningRate: 0.02 }), loss: "binaryCrossentropy", metrics: ["accuracy"] });
    const [data, held] = [sine(400), sine(300, 5000)];
    const history = await model.fit(data, { epochs: 60, validationData: held });
    const diagnosis = await history.diagnose();
    expect(diagnosis.findings.filter(({ kind }) => kind !== "stillImproving")).toEqual([]);
    const yes = [...held.y.data].filter((y) => y === 1).length / 300;
    const share = [...data.y.data].filter((y) => y === 1).length / 400;
    const [baseline] = diagnosis.baselines;
    expect(baseline?.accuracy).toBeCloseTo(share > 0.5 ? yes : 1 - yes, 12);
    expect(baseline?.loss).toBeCloseTo(-yes * Math.log(share) - (1 - yes) * Math.log(1 - share), 5);
    expect(String(diagnosis)).toMatch(/^After 60 epochs: loss /);
    await model.close();
  });

  it("finds overfitting, with the best epoch", async () => {
    const noise = (count: number, from: number) => {
      const { x } = sine(count, from);
      return { x, y: tensor(Array.from({ length: count }, (_, i) => [Math.sin(77 * (i + from) ** 2) > 0 ? 1 : 0])) };
    };
    const model = net(dense({ units: 128, activation: "relu" }), dense({ units: 128, activation: "relu" }), sigmoid());
    model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: "binaryCrossentropy", metrics: ["accuracy"] });
    const history = await model.fit(noise(40, 0), { epochs: 120, batchSize: 8, validationData: noise(40, 999) });
    const found = (await history.diagnose()).find("overfitting");
    const best = history.best();
    expect([found?.numbers["bestEpoch"], found?.numbers["valLossThen"]]).toEqual([best?.epoch, best?.value]);
    expect(found?.numbers["rise"]).toBeGreaterThan(0.05);
    await model.close();
  });

  it("finds a rate that is too high", async () => {
    const model = net(dense({ units: 8 }), dense({ units: 1 }));
    model.compile({ optimizer: sgd({ learningRate: 0.9 }), loss: "meanSquaredError" });
    const history = await model.fit(sine(64), { epochs: 4, batchSize: 64 });
    expect(await kinds(history)).toContain("rateTooHigh");
    await model.close();
  });

  it("finds underfitting and a regularizer that is too strong", async () => {
    const model = net(dense({ units: 16, activation: "tanh", kernelRegularizer: l2(50) }), sigmoid());
    model.compile({ optimizer: adam(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
    const history = await model.fit(sine(200), { epochs: 6 });
    const diagnosis = await history.diagnose();
    expect(diagnosis.findings.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(["strongRegularizer", "underfitting"]),
    );
    const { numbers } = diagnosis.find("strongRegularizer")!;
    expect(numbers["share"]).toBeGreaterThan(0.5);
    expect(numbers["penalty"]).toBe(history.epochs.at(-1)?.["penalty"]);
    expect(diagnosis.find("underfitting")?.numbers["majority"]).toBeCloseTo(diagnosis.baselines[0]!.accuracy!, 12);
    await model.close();
  });

  it("finds dropout that leaves nothing to learn with, with the chapter's advice", async () => {
    const wide = dense({ units: 8, activation: "relu" });
    const model = net(wide, dropout({ rate: 0.95 }), sigmoid());
    model.compile({ optimizer: sgd({ learningRate: 0.01 }), loss: "binaryCrossentropy" });
    const data = sine(100);
    const history = await model.fit(data, { epochs: 3, validationData: data });
    const found = (await history.diagnose()).find("strongRegularizer");
    expect(found?.numbers["dropout"]).toBe(0.95);
    expect(found?.hint).toContain(
      "a learning rate 10 to 100 times as large, with decay, and a momentum of 0.95 to 0.99",
    );
    await model.close();
  });

  it.each([{ threads: 2 }, { backend: "reference" as const }])("counts dead units, %j", async (options) => {
    // Two of three units have a weight and a bias that no input of sine makes positive.
    const hidden = dense({ units: 3, activation: "relu", name: "hidden" });
    const model = sequential(input({ shape: [2] }), hidden, sigmoid(), options);
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: "binaryCrossentropy" });
    await model.setWeights({ "hidden.kernel": tensor([[1, 1, 0], [1, 1, 0]]), "hidden.bias": tensor([0, -5, -1]) }); // prettier-ignore
    const history = await model.fit(sine(50), { epochs: 1 });
    const found = (await history.diagnose()).find("deadUnits");
    expect(found?.numbers).toEqual({ dead: 2, units: 3 });
    expect(found?.text).toBe("units that are 0 for every example looked at: 2 of 3 in hidden.");
    await model.close();
  });

  it.each([
    ["sparseCategoricalCrossentropy", "softmax", 3, tensor([0, 1, 1, 2, 1, 0]), 0.5, [2, 3, 1]],
    ["categoricalCrossentropy", "softmax", 2, tensor([[1, 0], [0, 1], [1, 0]]), 2 / 3, [2, 1]], // prettier-ignore
  ] as const)(
    "the baseline of %s is the majority and the entropy of the shares",
    async (loss, activation, units, y, accuracy, counts) => {
      const model = net(dense({ units, activation }));
      model.compile({ loss });
      const rows = y.shape[0]!;
      const history = await model.fit({ x: sine(rows).x, y }, { epochs: 1 });
      const [baseline] = (await history.diagnose()).baselines;
      expect(baseline?.accuracy).toBeCloseTo(accuracy, 12);
      const entropy = -counts.reduce((sum, n) => sum + (n / rows) * Math.log(n / rows), 0);
      expect(baseline?.loss).toBeCloseTo(entropy, 12);
      await model.close();
    },
  );

  it("works before any epoch has ended", async () => {
    const model = net(sigmoid());
    model.compile({ loss: "binaryCrossentropy" });
    const history = await model.fit(sine(8), { signal: AbortSignal.abort() });
    expect(await kinds(history)).toEqual([]);
    expect(history.best()).toBeUndefined();
    await model.close();
  });
});
