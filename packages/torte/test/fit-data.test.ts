/** The forms of data that a model takes, and what fit does with them. */
import { describe, expect, it } from "vitest";
import {
  adam,
  type Callback,
  type Data,
  Dataset,
  dense,
  dropout,
  functional,
  input,
  type Model,
  type ModelOptions,
  OptionError,
  type Rows,
  sequential,
  sgd,
  type Tensor,
  tensor,
} from "torte";

const BACKENDS: readonly ModelOptions[] = [{ threads: 1 }, { threads: 2 }, { backend: "reference" }];
const each = BACKENDS.map((options) => ({ name: `${options.backend ?? "wasm"} ${options.threads ?? ""}`, options }));

const numbers = (rows: number, from = 0): Tensor =>
  tensor(Float32Array.from({ length: rows }, (_, i) => Math.sin(i + from)));
const x = numbers(46).reshape([23, 2]);
const y = numbers(23, 100).reshape([23, 1]);
const w = tensor(Float32Array.from({ length: 23 }, (_, i) => 1 + (i % 3)));

function learner(options: ModelOptions, accumulate = 1): Model {
  const model = sequential(
    input({ shape: [2], name: "pair" }),
    dense({ units: 4, activation: "tanh" }),
    dropout({ rate: 0.3 }),
    dense({ units: 1, name: "answer" }),
    options,
  );
  const optimizer = adam({ learningRate: 0.1, gradientAccumulationSteps: accumulate });
  model.compile({ optimizer, loss: "meanSquaredError", metrics: ["meanAbsoluteError", "r2Score"] });
  return model;
}

const weightsOf = async (model: Model): Promise<number[][]> =>
  Object.values(await model.getWeights()).map(({ data }) => [...data]);

const part = (from: number, to: number): { x: Tensor; y: Tensor; sampleWeight: Tensor } => ({
  x: x.rows(from, to),
  y: y.rows(from, to),
  sampleWeight: w.rows(from, to),
});
/** Batches of 5, the last one of 3. */
const cuts = [0, 5, 10, 15, 20].map((from) => [from, Math.min(23, from + 5)] as const);

function* batches(): Generator<Rows> {
  for (const [from, to] of cuts) yield part(from, to);
}
async function* slowBatches(): AsyncGenerator<Rows> {
  for (const [from, to] of cuts) {
    await Promise.resolve();
    yield [x.rows(from, to), y.rows(from, to), w.rows(from, to)];
  }
}
/** Uses one array for all batches. */
async function* reusing(): AsyncGenerator<Rows> {
  const memory = new Float32Array(10);
  for (const [from, to] of cuts) {
    memory.set(x.data.subarray(2 * from, 2 * to));
    await new Promise((resolve) => setTimeout(resolve, 1));
    yield { ...part(from, to), x: tensor(memory.subarray(0, 2 * (to - from)), { shape: [to - from, 2] }) };
  }
}

const STREAMS: Readonly<Record<string, Data>> = {
  "a generator function": batches,
  "an async generator function": slowBatches,
  "a function of an array": () => [...batches()],
  "an iterable": { [Symbol.iterator]: batches },
  "an array of batches": [...batches()],
  "an async iterable": { [Symbol.asyncIterator]: slowBatches },
  "a promise of one": () => Promise.resolve(batches()),
  "memory that is used again": reusing,
};

describe.each(each)("streams, $name", ({ options }) => {
  it.each(Object.entries(STREAMS))("are trained on as resident rows are: %s", async (_, stream) => {
    for (const accumulate of [1, 2]) {
      const [resident, streamed] = [learner(options, accumulate), learner(options, accumulate)];
      const whole = { x, y, sampleWeight: w };
      const wanted = await resident.fit(whole, { epochs: 3, batchSize: 5, shuffle: false, validationData: whole });
      const given = await streamed.fit(stream, { epochs: 3, validationData: stream });
      expect(await weightsOf(streamed)).toEqual(await weightsOf(resident));
      for (const [i, logs] of given.epochs.entries())
        for (const [name, value] of Object.entries(logs)) expect(value).toBeCloseTo(wanted.epochs[i]?.[name] ?? NaN, 5);
      expect(given.epochs.map(({ loss }) => loss)).toEqual(wanted.epochs.map(({ loss }) => loss));
      await Promise.all([resident.close(), streamed.close()]);
    }
  });

  it("are evaluated and predicted", async () => {
    const model = learner(options);
    const all = await model.evaluate({ x, y, sampleWeight: w });
    for (const stream of Object.values(STREAMS)) {
      for (const [name, value] of Object.entries(await model.evaluate(stream)))
        expect(value).toBeCloseTo(all[name] ?? NaN, 5);
      expect((await model.predict(stream as () => Iterable<Rows>)).shape).toEqual([23, 1]);
    }
    const inputs = function* (): Generator<Tensor> {
      for (const [from, to] of cuts) yield x.rows(from, to);
    };
    const expected = await model.predict(x);
    (await model.predict(inputs)).data.forEach((value, i) => expect(value).toBeCloseTo(expected.data[i] ?? NaN, 5));
    await model.close();
  });

  it("may be evaluated by whoever makes them", async () => {
    const model = learner(options);
    const stream = async function* (): AsyncGenerator<Rows> {
      for (const batch of batches()) {
        await model.predict(x);
        await model.evaluate({ x, y });
        yield batch;
      }
    };
    expect((await model.evaluate(stream))["loss"]).toBeCloseTo(
      (await model.evaluate({ x, y, sampleWeight: w }))["loss"]!,
      5,
    );
    await model.fit(stream, { epochs: 2 });
    await model.close();
  });
});

describe.each(each)("an epoch of stepsPerEpoch, $name", ({ options }) => {
  it("goes on where the one before has ended, streamed or resident", async () => {
    const steps: number[] = [];
    const watch: Callback = {
      onProgress: ({ step, steps: all }) => {
        if (step === all) steps.push(step);
      },
    };
    const runs = await Promise.all(
      [{ x, y }, () => cuts.map(([from, to]): Rows => [x.rows(from, to), y.rows(from, to)])].map(async (data) => {
        const model = learner(options, 2);
        const given = { epochs: 4, stepsPerEpoch: 3, shuffle: false, callbacks: [watch] };
        await model.fit(data, "x" in data ? { ...given, batchSize: 5 } : given);
        return weightsOf(model);
      }),
    );
    expect(runs[1]).toEqual(runs[0]);
    expect(steps).toEqual(Array(8).fill(3));
  });

  it("takes batches of an endless stream", async () => {
    let made = 0;
    let closed = false;
    const endless = function* (): Generator<Rows> {
      try {
        for (;;) {
          made++;
          yield part(0, 5);
        }
      } finally {
        closed = true;
      }
    };
    const model = learner(options);
    const history = await model.fit(endless(), {
      epochs: 2,
      stepsPerEpoch: 4,
      validationData: endless,
      validationSteps: 2,
    });
    expect(history.epochs.length).toBe(2);
    expect(closed).toBe(true);
    expect(made).toBeLessThan(100);
    expect((await model.evaluate(endless, { steps: 3 }))["loss"]).toBeGreaterThan(0);
    expect((await model.predict(endless as () => Iterable<Rows>, { steps: 3 })).shape).toEqual([15, 1]);
    await model.close();
  });
});

describe("a stream that fails", () => {
  const options: ModelOptions = { threads: 1 };
  const failing = (closed: string[], at = 3) =>
    async function* (): AsyncGenerator<Rows> {
      try {
        for (let i = 0; ; i++) {
          await Promise.resolve();
          if (i === at) throw new RangeError("no more ink");
          yield part(0, 5);
        }
      } finally {
        closed.push("closed");
      }
    };

  it.each<[string, (model: Model, data: () => AsyncGenerator<Rows>) => Promise<unknown>]>([
    ["fit", (model, data) => model.fit(data)],
    ["evaluate", (model, data) => model.evaluate(data)],
    ["predict", (model, data) => model.predict(data)],
    ["validationData", (model, data) => model.fit({ x, y }, { validationData: data })],
  ])("tells %s the batch, with the error as its cause", async (where, run) => {
    const model = learner(options);
    const closed: string[] = [];
    const error: unknown = await run(model, failing(closed)).catch((reason: unknown) => reason);
    expect((error as Error).message).toBe(`${where}: the stream failed at batch 3: received no more ink.`);
    expect((error as Error).cause).toBeInstanceOf(RangeError);
    expect(closed).toEqual(["closed"]);
    await model.fit({ x, y });
    await model.close();
  });

  it.each<[string, unknown, string]>([
    ["no rows", 3, "no example"],
    ["no targets", { x: x.rows(0, 5) }, "wrong number of targets"],
    ["other shapes", { x: numbers(15).reshape([5, 3]), y: y.rows(0, 5) }, "does not have the shape of the input"],
    ["what is not finite", { x: tensor([[NaN, 1]]), y: y.rows(0, 1) }, "the data is not finite"],
    ["different rows", { x: x.rows(0, 5), y: y.rows(0, 4) }, "different numbers of rows"],
    ["a strange name", { x: { pear: x.rows(0, 5) }, y: y.rows(0, 5) }, 'Did you mean "pair"?'],
  ])("is closed where a batch is none: %s", async (_, bad, message) => {
    const model = learner(options);
    let closed = false;
    const stream = function* (): Generator<Rows> {
      try {
        yield part(0, 5);
        yield bad as Rows;
        yield part(0, 5);
      } finally {
        closed = true;
      }
    };
    await expect(model.fit(stream)).rejects.toThrow(message);
    await expect(model.fit(stream)).rejects.toThrow("in batch 1");
    expect(closed).toBe(true);
    await model.close();
  });

  it("is closed where the run is aborted, also while it waits", async () => {
    for (const hangs of [false, true]) {
      const model = learner(options);
      const abort = new AbortController();
      let closed = false;
      const stream: Data = {
        [Symbol.asyncIterator]: () => ({
          next: async () => {
            await new Promise((resolve) => setTimeout(resolve, hangs ? 1e6 : 2));
            return { done: false, value: part(0, 5) };
          },
          return: () => {
            closed = true;
            return Promise.resolve({ done: true, value: undefined });
          },
        }),
      };
      setTimeout(() => abort.abort(), 60);
      const history = await model.fit(stream, { epochs: 3, signal: abort.signal });
      expect([history.ended, history.epochs.length, closed]).toEqual(["aborted", 0, true]);
      await model.close();
    }
  });

  it("is closed where a callback stops the run or fails", async () => {
    const model = learner(options);
    const closed: string[] = [];
    const stop: Callback = { onBatchEnd: (_step, _logs, control) => control.stop() };
    await model.fit(failing(closed, 100), { callbacks: [stop] });
    const fail: Callback = {
      onBatchEnd: () => {
        throw new Error("mine");
      },
    };
    await expect(model.fit(failing(closed, 100), { callbacks: [fail] })).rejects.toThrow("mine");
    expect(closed).toEqual(["closed", "closed"]);
    await model.close();
  });

  it("cannot be gone through twice where it is a generator, and must have batches", async () => {
    const model = learner(options);
    await expect(model.fit(batches(), { epochs: 2 })).rejects.toThrow(
      "fit: the stream ended after 5 batches and cannot be gone through again. Give a function that returns a new one for " +
        "each pass, such as the generator function itself.",
    );
    await expect(model.fit(batches(), { epochs: 2, stepsPerEpoch: 4 })).rejects.toThrow("expected 4 for each epoch");
    await expect(model.fit(() => [])).rejects.toThrow("fit: the stream has no batches");
    await expect(model.evaluate(() => [])).rejects.toThrow("evaluate: the stream has no batches");
    await expect(model.evaluate(batches, { steps: 9 })).rejects.toThrow("expected 9, received 5");
    await expect(model.fit((() => 3) as unknown as Data)).rejects.toThrow("fit: the function gives no batches");
    await expect(model.fit(batches, { shuffle: true })).rejects.toThrow(
      "fit: shuffle is for rows, and the data is a stream",
    );
    await expect(model.fit(batches, { batchSize: 5 })).rejects.toThrow("fit: batchSize is for rows");
    await expect(model.fit(batches, { validationSplit: 0.5 })).rejects.toThrow("validationSplit needs rows");
    await model.close();
  });

  it("is read ahead no further than there is room", async () => {
    const model = learner(options);
    let made = 0;
    const stream = function* (): Generator<Rows> {
      for (let i = 0; i < 400; i++) {
        made++;
        yield part(0, 5);
      }
    };
    let most = 0;
    const watch: Callback = { onBatchEnd: (step) => void (most = Math.max(most, made - step)) };
    await model.fit(stream, { callbacks: [watch] });
    expect(made).toBe(400);
    expect(most).toBeLessThan(20);
    await model.close();
  });
});

describe("data by name", () => {
  const model = (): Model<readonly Tensor[]> => {
    const [a, b] = [input({ shape: [2], name: "left" }), input({ shape: [1], name: "right" })];
    const one = dense({ units: 1, name: "up" })(a);
    const two = dense({ units: 1, name: "down" })(b);
    const made = functional({ inputs: [a, b], outputs: [one, two], backend: "reference" });
    made.compile({ optimizer: sgd({ learningRate: 0.1 }), loss: "meanSquaredError" });
    return made;
  };
  const left = x;
  const right = numbers(23, 7).reshape([23, 1]);
  const listed = { x: [left, right], y: [y, right], sampleWeight: [w, y.reshape([23])] };
  const named = {
    x: { right, left },
    y: { down: right, up: y },
    sampleWeight: { down: y.reshape([23]), up: w },
  };

  it("is that in order, in fit, evaluate, predict, datasets and streams", async () => {
    const first = model();
    await first.fit(listed, { epochs: 2 });
    const expected = [await first.getWeights(), await first.evaluate(listed), await first.predict(listed.x)];
    const forms: readonly Data[] = [named, [named.x, named.y, named.sampleWeight], Dataset.fromTensors(named)];
    for (const data of forms) {
      const other = model();
      await other.fit(data, { epochs: 2, batchSize: 32, shuffle: true });
      expect([await other.getWeights(), await other.evaluate(data), await other.predict(named.x)]).toEqual(expected);
      expect(await other.predict({ x: named.x })).toEqual(expected[2]);
    }
    const [streamed, resident] = [model(), model()];
    await streamed.fit(() => [named], { epochs: 2 });
    await resident.fit(listed, { epochs: 2, shuffle: false });
    expect(await streamed.getWeights()).toEqual(await resident.getWeights());
    expect(await streamed.predict(() => [named.x, { x: named.x }, listed.x])).toMatchObject([{ shape: [69, 1] }, {}]);
  });

  it("says which name is wrong", async () => {
    const one = model();
    await expect(one.fit({ x: { left, rigth: right }, y: listed.y })).rejects.toThrow(
      'fit: x has a name that the model does not have: "rigth": expected left, right, received left, rigth. Did you mean "right"?',
    );
    await expect(one.predict({ left })).rejects.toThrow(
      'predict: x lacks "right": expected left, right, received left.',
    );
    await expect(one.evaluate({ x: listed.x, y: { up: y } })).rejects.toThrow('evaluate: y lacks "down"');
    const partly = { x: listed.x, y: listed.y, sampleWeight: { up: w } };
    const ones = tensor(new Float32Array(23).fill(1));
    expect(await one.evaluate(partly)).toEqual(await one.evaluate({ ...partly, sampleWeight: [w, ones] }));
  });
});

describe.each(each)("validation, $name", ({ options }) => {
  it("of a split holds back the last rows, before shuffling", async () => {
    const [split, apart] = [learner(options), learner(options)];
    const wanted = await apart.fit(
      { x: x.rows(0, 17), y: y.rows(0, 17), sampleWeight: w.rows(0, 17) },
      { epochs: 2, validationData: [x.rows(17, 23), y.rows(17, 23), w.rows(17, 23)] },
    );
    // ⌊23·0.75⌋ = 17
    const given = await split.fit({ x, y, sampleWeight: w }, { epochs: 2, validationSplit: 0.25 });
    expect(given.epochs).toEqual(wanted.epochs);
    await Promise.all([split.close(), apart.close()]);
  });

  it("takes as many batches as it is told", async () => {
    const [some, first] = [learner(options), learner(options)];
    const given = await some.fit({ x, y }, { batchSize: 5, validationData: [x, y], validationSteps: 2 });
    const wanted = await first.fit({ x, y }, { batchSize: 5, validationData: [x.rows(0, 10), y.rows(0, 10)] });
    for (const [name, value] of Object.entries(given.epochs[0] ?? {}))
      expect(value).toBeCloseTo(wanted.epochs[0]?.[name] ?? NaN, 5);
    await Promise.all([some.close(), first.close()]);
  });
});

describe("epochs", () => {
  it("are counted from initialEpoch", async () => {
    const model = learner({ backend: "reference" });
    const seen: number[] = [];
    const watch: Callback = {
      onEpochBegin: (epoch, { epochs }) => void seen.push(epoch, epochs),
      onEpochEnd: (epoch) => void seen.push(epoch),
    };
    const history = await model.fit({ x, y }, { initialEpoch: 3, epochs: 5, callbacks: [watch] });
    expect(seen).toEqual([3, 5, 3, 4, 5, 4]);
    expect([history.initialEpoch, history.epochs.length]).toEqual([3, 2]);
    expect(history.best("loss")?.epoch).toBeGreaterThanOrEqual(3);
    await expect(model.fit({ x, y }, { initialEpoch: 5, epochs: 5 })).rejects.toThrow(
      "fit: no epoch is left: expected epochs above initialEpoch, 5, received 5.",
    );
  });
});

describe.each(each)("on a batch, $name", ({ options }) => {
  it("training and testing are steps of fit and evaluate", async () => {
    for (const accumulate of [1, 2]) {
      const [whole, stepped] = [learner(options, accumulate), learner(options, accumulate)];
      const rows = [0, 5, 10, 15].map((from) => part(from, from + 5));
      await whole.fit(part(0, 20), { batchSize: 5, shuffle: false });
      for (const batch of rows) {
        const before = await stepped.testOnBatch(batch);
        expect(before).toEqual(await stepped.evaluate(batch));
        const logs = await stepped.trainOnBatch(batch);
        expect(Object.keys(logs)).toEqual(Object.keys(before));
      }
      expect(await weightsOf(stepped)).toEqual(await weightsOf(whole));
      await Promise.all([whole.close(), stepped.close()]);
    }
  });
});

describe("what people write from habit", () => {
  const model = learner({ backend: "reference" });
  const answer = async (run: () => unknown): Promise<string> => {
    try {
      await run();
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError);
      return (error as Error).message;
    }
    throw new Error("nothing was thrown");
  };
  const any = (value: unknown): never => value as never;

  it.each<[() => unknown, string]>([
    [() => model.fit(any(x), any(y)), "expected model.fit({ x, y }, { epochs }), received model.fit(x, y)"],
    [() => model.fit(any(x)), "expected model.fit({ x, y }, { epochs }), received model.fit(x)"],
    [() => model.evaluate(any(x), any(y)), "expected model.evaluate({ x, y }), received model.evaluate(x, y)"],
    [() => model.trainOnBatch(any(x), any(y)), "expected model.trainOnBatch({ x, y })"],
    [() => model.fit({ x, y }, any({ batch_size: 3 })), 'Did you mean "batchSize"?'],
    [() => model.fit({ x, y }, any({ validation_data: [x, y] })), 'Did you mean "validationData"?'],
    [() => model.fit({ x, y }, any({ val_data: [x, y] })), 'Did you mean "validationData"?'],
    [() => model.fit({ x, y }, any({ validation_split: 0.1 })), 'Did you mean "validationSplit"?'],
    [() => model.fit({ x, y }, any({ steps_per_epoch: 1 })), 'Did you mean "stepsPerEpoch"?'],
    [() => model.fit({ x, y }, any({ num_epochs: 1 })), 'Did you mean "epochs"?'],
    [() => model.fit({ x, y }, any({ class_weight: {} })), 'Did you mean "classWeight"?'],
    [() => model.compile(any({ loss: "mse" })), 'Did you mean "meanSquaredError"?'],
    [() => model.compile(any({ loss: "MSE" })), 'Did you mean "meanSquaredError"?'],
    [
      () => model.compile(any({ loss: "sparse_categorical_crossentropy" })),
      'Did you mean "sparseCategoricalCrossentropy"?',
    ],
    [() => model.compile(any({ loss: "mse", optimizer: "Adam" })), 'Did you mean "meanSquaredError"?'],
    [() => model.compile({ loss: "hinge", optimizer: any("Adam") }), 'Did you mean "adam"?'],
    [() => model.compile({ loss: "hinge", optimizer: any("RMSprop") }), 'Did you mean "rmsprop"?'],
    [() => model.compile({ loss: "huber", metrics: any(["mse"]) }), 'Did you mean "meanSquaredError"?'],
    [() => model.compile({ loss: "huber", metrics: any(["AUC-ROC"]) }), "metric is unknown"],
    [() => model.compile(any({ loss: "hinge", optim: "adam" })), 'Did you mean "optimizer"?'],
    [() => model.compile(any({ criterion: "hinge" })), 'Did you mean "loss"?'],
    [() => adam(any({ lr: 0.1 })), 'Did you mean "learningRate"?'],
    [() => adam(any({ learning_rate: 0.1 })), 'Did you mean "learningRate"?'],
    [() => adam(any({ eps: 0.1 })), 'Did you mean "epsilon"?'],
    [() => sgd(any({ weight_decay: 0.1 })), 'Did you mean "weightDecay"?'],
    [() => dense(any({ out_features: 3 })), 'Did you mean "units"?'],
    [() => dense({ units: 3, kernelInitializer: any("glorot_uniform") }), 'Did you mean "glorotUniform"?'],
    [() => dropout(any({ p: 0.3 })), 'Did you mean "rate"?'],
  ])("gets the answer: %s", async (run, message) => {
    expect(await answer(run)).toContain(message);
  });

  it("of a figure, before the first epoch", async () => {
    const { earlyStopping, reduceLROnPlateau, modelCheckpoint } = await import("torte");
    let begun = 0;
    const count: Callback = {
      onEpochBegin: () => {
        begun++;
      },
    };
    const monitored = [
      earlyStopping({ monitor: "val_loss" }),
      reduceLROnPlateau({ monitor: "val_loss" }),
      modelCheckpoint({ filepath: "never.safetensors", monitor: "val_loss", saveBestOnly: true }),
    ];
    for (const callback of monitored) {
      await expect(model.fit({ x, y }, { validationData: [x, y], callbacks: [count, callback] })).rejects.toThrow(
        "there is no val_loss",
      );
      await expect(model.fit({ x, y }, { validationData: [x, y], callbacks: [count, callback] })).rejects.toThrow(
        'Did you mean "valLoss"?',
      );
    }
    expect(begun).toBe(0);
  });
});
