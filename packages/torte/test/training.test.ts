import { describe, expect, it } from "vitest";
import {
  adam,
  type Callback,
  Dataset,
  dense,
  dropout,
  earlyStopping,
  input,
  l2,
  lambda,
  type Metric,
  type Model,
  type Node,
  ops,
  rmsprop,
  sequential,
  sgd,
  Tensor,
  tensor,
} from "torte";

const XOR = {
  x: tensor([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]),
  y: tensor([[0], [1], [1], [0]]),
};

const small = (seed = 0): Model =>
  sequential(
    input({ shape: [2] }),
    dense({ units: 8, activation: "tanh" }),
    dense({ units: 1, activation: "sigmoid" }),
    { seed },
  );

/** A line with a little bend. */
const line = (rows: number) => ({
  x: new Tensor(
    Float32Array.from({ length: rows }, (_, i) => (i % 17) / 17),
    [rows, 1],
    "float32",
  ),
  y: new Tensor(
    Float32Array.from({ length: rows }, (_, i) => 2 * ((i % 17) / 17) + 1 + 0.1 * Math.sin(i)),
    [rows, 1],
    "float32",
  ),
});

async function weightsAfter(seed: number): Promise<number[][]> {
  const model = sequential(
    input({ shape: [1] }),
    dense({ units: 16, activation: "relu" }),
    dropout({ rate: 0.3 }),
    dense({ units: 1 }),
    { seed },
  );
  model.compile({ optimizer: adam(), loss: "meanSquaredError" });
  await model.fit(line(70), { epochs: 3, batchSize: 16 });
  return Object.values(await model.getWeights()).map(({ data }) => [...data]);
}

describe("fit", () => {
  it("learns what is not linear", async () => {
    const model = small(1);
    model.compile({ optimizer: adam({ learningRate: 0.05 }), loss: "binaryCrossentropy", metrics: ["accuracy"] });
    const { epochs, ended } = await model.fit(XOR, { epochs: 200, batchSize: 4 });
    expect(epochs).toHaveLength(200);
    expect(ended).toBe("finished");
    expect(epochs.at(-1)?.["accuracy"]).toBe(1);
    const predicted = await model.predict(XOR.x);
    expect([...predicted.data].map(Math.round)).toEqual([0, 1, 1, 0]);
  });

  it("gives the same bits for the same seed, twice in a row, and others for another", async () => {
    const first = await weightsAfter(7);
    expect(await weightsAfter(7)).toEqual(first);
    expect(await weightsAfter(8)).not.toEqual(first);
  });

  it("counts every row of an incomplete last batch once", async () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "zeros" }));
    model.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
    const data = line(37);
    const { epochs } = await model.fit(data, { epochs: 2, batchSize: 8 });
    const expected = [...data.y.data].reduce((sum, y) => sum + y * y, 0) / 37;
    for (const { loss } of epochs) expect(loss).toBeCloseTo(expected, 5);
    expect((await model.evaluate(data, { batchSize: 10 }))["loss"]).toBeCloseTo(expected, 5);
  });

  it("follows the formula of SGD with momentum", async () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 1, useBias: false, kernelInitializer: "ones" }), {
      backend: "reference",
    });
    model.compile({ optimizer: sgd({ learningRate: 0.1, momentum: 0.9 }), loss: "meanSquaredError" });
    await model.fit({ x: tensor([[2]]), y: tensor([[1]]) }, { epochs: 3, shuffle: false });
    let [w, v] = [1, 0];
    for (let step = 0; step < 3; step++) {
      v = 0.9 * v - 0.1 * 2 * (2 * w - 1) * 2;
      w += v;
    }
    expect((await model.getWeights())["dense.kernel"]?.data[0]).toBeCloseTo(w, 9);
  });

  it("stays finite with centered RMSprop and constant gradients", async () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 1, useBias: false, kernelInitializer: "zeros" }));
    const itself = {
      name: "itself",
      targets: "numbers",
      call: (_: Node, p: Node) => ops.mean(p, { axes: [-1] }),
    } as const;
    model.compile({ optimizer: rmsprop({ centered: true }), loss: itself });
    const [x, y] = [
      tensor(
        Float32Array.from({ length: 400 }, () => 0.1),
        { shape: [400, 1] },
      ),
      tensor(new Float32Array(400)),
    ];
    await model.fit({ x, y }, { batchSize: 1 });
    expect((await model.getWeights())["dense.kernel"]?.data[0]).toBeLessThan(0);
  });

  it("adds penalties to the loss, in evaluate as in fit", async () => {
    for (const kernelRegularizer of ["l2", l2(0.01)] as const) {
      const model = sequential(
        input({ shape: [2] }),
        dense({ units: 3, useBias: false, kernelInitializer: "ones", kernelRegularizer }),
      );
      model.compile({ optimizer: sgd({ learningRate: 0 }), loss: "meanSquaredError" });
      const data = { x: tensor([[0, 0]]), y: tensor([[0, 0, 0]]) };
      expect((await model.evaluate(data))["loss"]).toBeCloseTo(0.06, 6);
      expect((await model.fit(data)).epochs[0]?.["loss"]).toBeCloseTo(0.06, 6);
    }
  });

  it("drops nothing in predict", async () => {
    const model = sequential(input({ shape: [50] }), dropout({ rate: 0.5 }));
    const x = new Tensor(new Float32Array(50).fill(1), [1, 50], "float32");
    expect((await model.predict(x)).data).toEqual(x.data);
  });

  it("predicts the same in batches of any size", async () => {
    const model = small(3);
    const x = new Tensor(
      Float32Array.from({ length: 2 * 1100 }, (_, i) => Math.sin(i)),
      [1100, 2],
      "float32",
    );
    const whole = await model.predict(x, { batchSize: 2048 });
    for (const batchSize of [1, 7, 256]) expect((await model.predict(x, { batchSize })).data).toEqual(whole.data);
    expect((await model.predict(x.rows(5, 6))).data[0]).toBe(whole.data[5]);
  });

  it("leaves the caller's event loop free", async () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 256, activation: "gelu" }), dense({ units: 1 }));
    model.compile({ optimizer: adam(), loss: "meanSquaredError" });
    await model.fit(line(512), { epochs: 1 });
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const start = performance.now();
    await model.fit(line(512), { epochs: 40 });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan((performance.now() - start) / 5 / 8);
  });

  it("ends at a signal, after the chunk at hand", async () => {
    const model = small();
    model.compile({ loss: "binaryCrossentropy" });
    const controller = new AbortController();
    const callback: Callback = { onEpochEnd: (epoch) => (epoch === 2 ? controller.abort() : undefined) };
    const history = await model.fit(XOR, { epochs: 1000, callbacks: [callback], signal: controller.signal });
    expect(history.ended).toBe("aborted");
    expect(history.epochs).toHaveLength(3);
  });

  it("names the step and the layer where numbers go wrong", async () => {
    const model = sequential(
      input({ shape: [1] }),
      dense({ units: 2, name: "before" }),
      lambda((x) => ops.log(ops.sub(x, 1000)), { name: "culprit" }),
      dense({ units: 1 }),
    );
    model.compile({ optimizer: sgd(), loss: "meanSquaredError" });
    await expect(model.fit(line(20))).rejects.toThrow(
      "step 1: the loss is not finite; the first number that is not comes from culprit: received (20, 2) with 40 NaN; none of " +
        "them finite. Try a smaller learning rate, scale the inputs, or look for extreme values in the data.",
    );
  });
});

describe("early stopping", () => {
  async function run(values: readonly number[], options: Parameters<typeof earlyStopping>[0]) {
    const callback = earlyStopping({ monitor: "loss", ...options });
    const seen: string[] = [];
    const control = {
      model: small(),
      epochs: values.length,
      figures: ["loss"],
      learningRate: 1,
      stop: () => void seen.push("stop"),
      keepWeights: () => Promise.resolve(void seen.push("keep")),
      restoreWeights: () => Promise.resolve(void seen.push("restore")),
      direction: (figure: string) => (figure === "loss" ? ("min" as const) : undefined),
    };
    await callback.onTrainBegin?.(control);
    for (const [epoch, loss] of values.entries()) {
      seen.push(String(epoch));
      await callback.onEpochEnd?.(epoch, { loss }, control);
      if (seen.includes("stop")) break;
    }
    await callback.onTrainEnd?.(control);
    return seen.join(" ");
  }

  it("waits for its patience and restores the best weights", async () => {
    expect(await run([3, 2, 2.5, 2.4, 1], { patience: 2 })).toBe("0 keep 1 keep 2 3 stop restore");
  });
  it("restores the best weights however training ended", async () => {
    expect(await run([3, 2, 2.5], { patience: 9 })).toBe("0 keep 1 keep 2 restore");
  });
  it("counts only changes above minDelta", async () => {
    expect(await run([3, 2.95, 2.9], { patience: 2, minDelta: 0.2 })).toBe("0 keep 1 2 stop restore");
  });
  it("looks upwards where it is told to", async () => {
    expect(await run([3, 2], { mode: "max", patience: 1, restoreBestWeights: false })).toBe("0 1 stop");
  });
  it("looks where the figure's metric points, whatever its name", async () => {
    const wrong: Metric = { name: "accident", direction: "min", call: (_, p) => ops.mean(p, { axes: [-1] }) };
    const plain: Metric = { ...wrong, name: "plain", direction: "none" };
    const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
    model.compile({ loss: "meanSquaredError", optimizer: sgd(), metrics: [wrong, "r2Score", plain] });
    const seen: unknown[] = [];
    const callback: Callback = {
      onEpochEnd: (_, logs, control) => void seen.push(...Object.keys(logs).map((name) => control.direction(name))),
    };
    await model.fit(line(8), { validationData: line(8), callbacks: [callback] });
    expect(seen).toEqual(["min", "min", "max", "none", "min", "min", "max", "none"]);
    await expect(model.fit(line(8), { callbacks: [earlyStopping({ monitor: "plain" })] })).rejects.toThrow(
      'earlyStopping: nothing says whether more or less of plain is better: expected mode "min" or "max". Or give the metric a direction.',
    );
    await model.close();
  });
  it("begins where it is told to", async () => {
    expect(await run([1, 2, 3], { startFromEpoch: 2, patience: 1 })).toBe("0 1 2 keep restore");
  });
  it("asks for a figure that is there", async () => {
    await expect(run([1], { monitor: "valLoss" })).rejects.toThrow(
      "earlyStopping: there is no valLoss: expected loss. Give fit validationData.",
    );
  });

  it("works in fit", async () => {
    const model = small(2);
    model.compile({ optimizer: adam({ learningRate: 0.05 }), loss: "binaryCrossentropy" });
    const others = Dataset.fromTensors({ x: XOR.x, y: tensor([[1], [0], [0], [1]]) });
    const history = await model.fit(XOR, {
      epochs: 500,
      validationData: others,
      callbacks: [earlyStopping({ patience: 3 })],
    });
    expect(history.ended).toBe("stopped");
    const losses = history.epochs.map(({ valLoss }) => valLoss ?? NaN);
    expect((await model.evaluate(others))["loss"]).toBeCloseTo(Math.min(...losses), 5);
  });
});
