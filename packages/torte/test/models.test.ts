/** Several things at once: models beside each other, calls of one model that overlap, runs that end early. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import {
  type Callback,
  Dataset,
  dense,
  earlyStopping,
  input,
  type Logs,
  type Model,
  sequential,
  sgd,
  tensor,
  type TrainingControl,
} from "torte";

/** y = w·x, w being 1 at first. */
function line(seed = 0): Model {
  const layer = dense({ units: 1, useBias: false, kernelInitializer: "ones", name: "line" });
  const model = sequential(input({ shape: [1] }), layer, { seed });
  model.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: "meanSquaredError" });
  return model;
}

const column = (...values: number[]) => tensor(values.map((value) => [value]));
const weightOf = async (model: Model): Promise<number> => (await model.getWeights())["line.kernel"]?.data[0] ?? NaN;
const messageOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing was thrown",
    (error: unknown) => (error as Error).message,
  );

describe("calls that overlap", () => {
  it("of evaluate and predict each get their own answer", async () => {
    const model = line();
    const values = [1, 2, 3, 4, 5];
    const losses = await Promise.all(values.map((x) => model.evaluate({ x: column(x), y: column(0) })));
    expect(losses.map(({ loss }) => loss)).toEqual(values.map((x) => x * x));
    const outputs = await Promise.all(values.map((x) => model.predict(column(x, -x))));
    expect(outputs.map((output) => [...output.data])).toEqual(values.map((x) => [x, -x]));
    await model.close();
  });

  it("of predict each get their own rows, of whatever number, also beside a fit", async () => {
    const model = line();
    const counts = [1, 40, 3, 700, 2, 33, 1];
    const call = async (count: number, i: number): Promise<void> => {
      const values = Float32Array.from({ length: count }, (_, row) => 1000 * i + row);
      const { data } = await model.predict(tensor(values, { shape: [count, 1] }), { batchSize: 16 });
      expect(data).toEqual(values);
    };
    await Promise.all(counts.map(call));
    // It learns nothing, as the error is 0.
    await Promise.all([model.fit({ x: column(1, 2), y: column(1, 2) }, { epochs: 20 }), ...counts.map(call)]);
    await model.close();
  });

  it("of predict say which row is wrong, however late it comes, and leave the model as it is", async () => {
    const model = line();
    const values = new Float32Array(700);
    values[650] = NaN;
    const wrong = messageOf(model.predict(tensor(values, { shape: [700, 1] }), { batchSize: 16 }));
    expect(await wrong).toContain("expected finite numbers, received NaN at row 650, column 0");
    expect([...(await model.predict(column(3))).data]).toEqual([3]);
    await model.close();
  });

  it("of evaluate beside a fit with validation data change neither", async () => {
    const data = { x: column(1, 2, 3), y: column(0, 0, 0) };
    const options = { epochs: 5, validationData: { x: column(2), y: column(0) }, shuffle: false };
    const alone = await line().fit(data, options);
    const model = line();
    const [beside] = await Promise.all([
      model.fit(data, options),
      ...[1, 2, 3, 4].map(() => model.evaluate({ x: column(7), y: column(0) })),
    ]);
    expect(beside.epochs).toEqual(alone.epochs);
  });

  it("of fit are refused, and of compile while it runs; afterwards both work", async () => {
    const model = line();
    const data = { x: column(1), y: column(0) };
    const running = model.fit(data, { epochs: 3 });
    const problem = "the model is in training. Await the fit that is running first.";
    expect(await messageOf(model.fit(data))).toBe(`fit: ${problem}`);
    expect(() => {
      model.compile({ loss: "meanSquaredError" });
    }).toThrow(`compile: ${problem}`);
    expect((await running).epochs).toHaveLength(3);
    expect((await model.fit(data)).epochs).toHaveLength(1);
    expect(await messageOf(model.fit({ x: column(NaN), y: column(0) }))).toContain("the data is not finite");
    expect((await model.fit(data)).epochs).toHaveLength(1);
  });

  it("of several models do not disturb each other", async () => {
    const goals = [0, 1, 2, 3];
    const alone: (readonly Logs[])[] = [];
    const run = async (goal: number): Promise<readonly Logs[]> =>
      (await line(goal).fit({ x: column(1, 2), y: column(goal, goal) }, { epochs: 4 })).epochs;
    for (const goal of goals) alone.push(await run(goal));
    expect(await Promise.all(goals.map(run))).toEqual(alone);
  });
});

describe("a model that is closed", () => {
  it("says so, and may be closed again", async () => {
    const model = line();
    await model.predict(column(1));
    await Promise.all([model.close(), model.close()]);
    for (const call of [
      () => model.predict(column(1)),
      () => model.getWeights(),
      () => model.fit({ x: column(1), y: column(1) }),
    ])
      expect(await messageOf(call())).toBe("sequential: the model is closed.");
  });
});

describe("a model that is closed while it predicts", () => {
  it("gives the rows, or says that the engine has let it go", async () => {
    const model = line();
    const x = tensor(new Float32Array(5000), { shape: [5000, 1] });
    await model.predict(x, { batchSize: 8 });
    const calls = [1, 2, 3].map(() => messageOf(model.predict(x, { batchSize: 8 })));
    await new Promise((resolve) => setTimeout(resolve, 1));
    await model.close();
    for (const message of await Promise.all(calls))
      expect(message).toMatch(/^(nothing was thrown|engine: no session \d+\.|line\.kernel: the model was closed\.)$/);
  });
});

describe("a run that ends early", () => {
  const data = Dataset.fromTensors({ x: column(1), y: column(0) });

  it("by its signal keeps its history and the weights as they are", async () => {
    const model = line();
    const controller = new AbortController();
    const stop: Callback = {
      onEpochEnd: (epoch) => {
        if (epoch === 1) controller.abort();
      },
    };
    const history = await model.fit(data, { epochs: 100, signal: controller.signal, callbacks: [stop] });
    expect([history.ended, history.epochs.length]).toEqual(["aborted", 2]);
    expect(await weightOf(model)).toBeCloseTo(0.8 ** 2, 6);
  });

  it("by its signal before it begins does nothing", async () => {
    const model = line();
    const history = await model.fit(data, { signal: AbortSignal.abort() });
    expect([history.ended, history.epochs.length, await weightOf(model)]).toEqual(["aborted", 0, 1]);
  });

  it("goes on from there with the next fit", async () => {
    const model = line();
    for (let i = 0; i < 3; i++) await model.fit(data);
    expect(await weightOf(model)).toBeCloseTo(0.8 ** 3, 6);
  });
});

describe("earlyStopping", () => {
  /** Runs a callback over given figures; the "weights" are the number of the epoch. */
  async function over(values: readonly number[], options: object): Promise<{ epochs: number; weights: number }> {
    const callback = earlyStopping(options);
    let [weights, kept, stopped, epoch] = [-1, -1, false, 0];
    const control: TrainingControl = {
      model: line(),
      epochs: values.length,
      figures: ["valLoss", "valAccuracy"],
      learningRate: 1,
      stop: () => (stopped = true),
      keepWeights: () => Promise.resolve(void (kept = weights)),
      restoreWeights: () => Promise.resolve(void (weights = kept)),
      direction: (figure) => (figure.endsWith("Accuracy") ? "max" : "min"),
    };
    await callback.onTrainBegin?.(control);
    for (; epoch < values.length && !stopped; epoch++) {
      weights = epoch;
      await callback.onEpochEnd?.(epoch, { valLoss: values[epoch] ?? 0, valAccuracy: values[epoch] ?? 0 }, control);
    }
    await callback.onTrainEnd?.(control);
    return { epochs: epoch, weights };
  }

  it.each<[string, number[], object, { epochs: number; weights: number }]>([
    ["waits for patience, and goes back to the best", [3, 1, 2, 2, 2], { patience: 2 }, { epochs: 4, weights: 1 }],
    ["ends at the first epoch that is not better without patience", [3, 2, 2, 1], {}, { epochs: 3, weights: 1 }],
    ["goes back to the best where training ends by itself", [3, 1, 2], { patience: 9 }, { epochs: 3, weights: 1 }],
    [
      "keeps the last weights where it is told to",
      [3, 1, 2, 2],
      { patience: 2, restoreBestWeights: false },
      { epochs: 4, weights: 3 },
    ],
    ["counts only changes of minDelta", [3, 2.9, 2.8, 1], { patience: 2, minDelta: 0.5 }, { epochs: 3, weights: 0 }],
    ["knows that more accuracy is better", [0.1, 0.3, 0.2], { monitor: "valAccuracy" }, { epochs: 3, weights: 1 }],
    ["can be told what is better", [1, 3, 2], { mode: "max" }, { epochs: 3, weights: 1 }],
    ["needs to pass the baseline", [5, 4, 3, 2], { patience: 2, baseline: 1 }, { epochs: 2, weights: 1 }],
    ["looks away at first", [1, 5, 4, 6], { startFromEpoch: 1 }, { epochs: 4, weights: 2 }],
  ])("%s", async (_, values, options, expected) => {
    expect(await over(values, options)).toEqual(expected);
  });

  it("refuses options out of range, and a figure that does not exist", async () => {
    expect(() => earlyStopping({ patience: -1 })).toThrow(
      "earlyStopping: patience is out of range: expected a whole number of at least 0, received -1.",
    );
    expect(() => earlyStopping({ minDelta: -1 })).toThrow(
      "earlyStopping: minDelta is out of range: expected a number at least 0, received -1.",
    );
    expect(() => earlyStopping({ baseline: NaN })).toThrow(
      "earlyStopping: baseline is out of range: expected a finite number, received NaN.",
    );
    const data = { x: column(1), y: column(0) };
    expect(await messageOf(line().fit(data, { callbacks: [earlyStopping()] }))).toBe(
      "earlyStopping: there is no valLoss: expected loss. Give fit validationData.",
    );
  });
});

describe("a process", () => {
  it("ends by itself when its models are done, closed or not", async () => {
    const library = new URL("../dist/index.js", import.meta.url).href;
    const script = `
      import { dense, input, sequential, tensor } from ${JSON.stringify(library)};
      const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
      model.compile({ loss: "meanSquaredError" });
      await model.fit({ x: tensor([[1]]), y: tensor([[1]]) });
      console.log("done");`;
    const options = { cwd: fileURLToPath(new URL(".", import.meta.url)), timeout: 30_000 };
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script], options);
    expect(stdout).toBe("done\n");
  });
});
