/** Going on from a checkpoint comes to the same, to the bit, wherever in the run it was made. */
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  adam,
  adamw,
  batchNormalization,
  type Callback,
  cosineDecay,
  cosineDecayRestarts,
  csvLog,
  cyclic,
  type Data,
  Dataset,
  dense,
  dropout,
  earlyStopping,
  exponentialDecay,
  type FitOptions,
  functional,
  input,
  inverseTimeDecay,
  type Json,
  type Logs,
  metrics,
  type Model,
  modelCheckpoint,
  type ModelOptions,
  muon,
  type Node,
  ops,
  oneCycle,
  type Optimizer,
  type Outputs,
  piecewiseConstantDecay,
  polynomialDecay,
  reduceLROnPlateau,
  rmsprop,
  scheduleFreeAdamW,
  sequential,
  sgd,
  stepDecay,
  tensor,
  type Tensor,
  tensorBoard,
  warmup,
} from "torte";
import { describe, expect, it } from "vitest";

const newFolder = (): string => mkdtempSync(join(tmpdir(), "torte-test-"));
const numbers = (rows: number, columns: number, seed: number): Tensor =>
  tensor(
    Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(seed + 3 * i)),
    { shape: [rows, columns] },
  );
const labels = (rows: number): Tensor =>
  tensor(
    Float32Array.from({ length: rows }, (_, i) => Number(Math.sin(5 * i) > 0)),
    { shape: [rows, 1] },
  );
const ROWS = 22;
const data = { x: numbers(ROWS, 3, 1), y: labels(ROWS) };
const held = { x: numbers(9, 3, 2), y: labels(9) };

/** A run that is the same each time it is made. */
interface Case {
  readonly model: (options: ModelOptions) => Model<Outputs>;
  readonly data: () => Data;
  readonly options: (folder: string) => FitOptions;
  /** Files that the run writes besides. */
  readonly files?: readonly string[];
}

function classifier(optimizer: Optimizer = adam(), options: ModelOptions = {}): Model<Outputs> {
  const model = sequential(
    input({ shape: [3] }),
    dense({ units: 5, activation: "relu" }),
    batchNormalization(),
    dropout({ rate: 0.3 }),
    dense({ units: 1, activation: "sigmoid" }),
    { seed: 3, threads: 1, ...options },
  );
  model.compile({ optimizer, loss: "binaryCrossentropy", metrics: ["accuracy", "auroc", metrics.precision()] });
  return model;
}

const base: Case = {
  model: (options) => classifier(adam(), options),
  data: () => data,
  options: () => ({ epochs: 3, batchSize: 5, validationData: held }),
};
const withOptimizer = (make: () => Optimizer): Case => ({ ...base, model: (options) => classifier(make(), options) });
const withCallbacks = (callbacks: (folder: string) => Callback[], files: readonly string[] = []): Case => ({
  ...base,
  options: (folder) => ({ epochs: 4, batchSize: 5, validationData: held, callbacks: callbacks(folder) }),
  files,
});
const rate = { initialLearningRate: 0.05 };

/** Sets the rate by hand, and remembers by how much. */
function own(): Callback {
  let factor = 1;
  return {
    onBatchEnd: (step, _, control) => {
      if (step === 2) control.learningRate *= factor *= 0.8;
    },
    state: () => ({ factor, unusual: [NaN, -Infinity, -0] }),
    load: (state) => {
      const { factor: was, unusual } = state as { factor: number; unusual: number[] };
      if (!Object.is(unusual[2], -0) || !Number.isNaN(unusual[0])) throw new Error("these were other numbers");
      factor = was;
    },
  };
}

function twoOutputs(options: ModelOptions): Model<Outputs> {
  const x = input({ shape: [3] });
  const hidden = dense({ units: 4, activation: "tanh" })(x);
  const model = functional({
    inputs: x,
    outputs: [dense({ units: 1, name: "a" })(hidden), dense({ units: 2, activation: "softmax", name: "b" })(hidden)],
    threads: 1,
    ...options,
  });
  model.compile({
    optimizer: sgd({ momentum: 0.9 }),
    loss: { a: "huber", b: "sparseCategoricalCrossentropy" },
    lossWeights: { b: 0.5 },
    metrics: { a: [metrics.spearmanCorrelation()], b: ["accuracy", metrics.averagePrecision()] },
  });
  return model;
}
const classes = tensor(Int32Array.from({ length: ROWS }, (_, i) => i % 2));

async function* batches(pass: number) {
  for (let i = 0; i < 5; i++) {
    await Promise.resolve();
    yield { x: numbers(i === 4 ? 2 : 5, 3, 10 * pass + i), y: labels(i === 4 ? 2 : 5) };
  }
}

const CASES: Readonly<Record<string, Case>> = {
  "rows in memory": base,
  "rows in memory, on the interpreter": {
    ...base,
    model: (options) => classifier(adam(), { ...options, backend: "reference" }),
  },
  "a dataset that is shuffled, mapped and batched": {
    ...base,
    data: () =>
      Dataset.fromTensors(data.x, data.y)
        .shuffle({ seed: 5, bufferSize: 7 })
        .take(19)
        .map(({ x, y }) => ({ x: tensor(Array.from(x.data, (v) => 2 * v)), y }))
        .batch(4, { dropRemainder: true }),
    options: () => ({ epochs: 3, validationData: Dataset.fromTensors(held).batch(3) }),
  },
  "weights of classes and rows": {
    ...base,
    data: () => ({ ...data, sampleWeight: tensor(Float32Array.from({ length: ROWS }, (_, i) => i % 3)) }),
    options: () => ({ epochs: 2, batchSize: 5, classWeight: { 1: 2 } }),
  },
  "several outputs": {
    model: twoOutputs,
    data: () => ({ x: data.x, y: [numbers(ROWS, 1, 4), classes] }),
    options: () => ({ epochs: 3, batchSize: 4 }),
  },
  "a stream": { ...base, data: () => batches, options: () => ({ epochs: 3, validationData: () => batches(7) }) },
  "a stream that is cut into epochs": {
    ...base,
    data: () => batches,
    options: () => ({ epochs: 4, stepsPerEpoch: 3 }),
  },
  "rows that are cut into epochs": {
    ...base,
    options: () => ({
      epochs: 5,
      initialEpoch: 1,
      stepsPerEpoch: 3,
      batchSize: 5,
      validationSplit: 0.2,
      validationSteps: 1,
    }),
  },
  "gathered gradients": withOptimizer(() => adam({ gradientAccumulationSteps: 3 })),
  "gathered gradients of a stream": {
    ...base,
    model: (options) => classifier(sgd({ gradientAccumulationSteps: 2, momentum: 0.5 }), options),
    data: () => batches,
    options: () => ({ epochs: 3 }),
  },
  "averaged weights": withOptimizer(() => adamw({ useEma: true, emaMomentum: 0.8, emaOverwriteFrequency: 4 })),
  "averaged weights of gathered gradients, with a schedule": withOptimizer(() =>
    adam({
      useEma: true,
      gradientAccumulationSteps: 2,
      learningRate: warmup(3, cosineDecay({ ...rate, decaySteps: 6 })),
    }),
  ),
  "a schedule-free optimizer": withOptimizer(() => scheduleFreeAdamW()),
  muon: withOptimizer(() => muon()),
  "rmsprop, clipped": withOptimizer(() => rmsprop({ globalClipnorm: 0.1, centered: true })),
  "cosine decay": withOptimizer(() => sgd({ learningRate: cosineDecay({ ...rate, decaySteps: 11 }) })),
  "cosine decay with restarts": withOptimizer(() =>
    sgd({ learningRate: cosineDecayRestarts({ ...rate, firstDecaySteps: 4 }) }),
  ),
  "exponential decay": withOptimizer(() =>
    sgd({ learningRate: exponentialDecay({ ...rate, decaySteps: 4, decayRate: 0.5 }) }),
  ),
  "step decay": withOptimizer(() => sgd({ learningRate: stepDecay({ ...rate, decaySteps: 4 }) })),
  "polynomial decay": withOptimizer(() =>
    sgd({ learningRate: polynomialDecay({ ...rate, decaySteps: 8, cycle: true }) }),
  ),
  "inverse time decay": withOptimizer(() =>
    sgd({ learningRate: inverseTimeDecay({ ...rate, decaySteps: 4, decayRate: 1 }) }),
  ),
  "piecewise constant rates": withOptimizer(() =>
    sgd({ learningRate: piecewiseConstantDecay({ boundaries: [4, 9], values: [0.1, 0.05, 0.01] }) }),
  ),
  "cyclical rates": withOptimizer(() =>
    sgd({ learningRate: cyclic({ minLearningRate: 0.01, maxLearningRate: 0.1, stepSize: 4 }) }),
  ),
  "one cycle": withOptimizer(() => sgd({ learningRate: oneCycle({ maxLearningRate: 0.1, totalSteps: 15 }) })),
  "a rate of one's own": withOptimizer(() => sgd({ learningRate: (t) => 0.1 / (1 + t) })),
  "early stopping": withCallbacks(() => [earlyStopping({ monitor: "valLoss", patience: 2 })]),
  "early stopping that stops": withCallbacks(() => [earlyStopping({ monitor: "valLoss", patience: 1, mode: "max" })]),
  "early stopping of averaged weights": {
    ...withCallbacks(() => [earlyStopping({ monitor: "valAuroc", patience: 3 })]),
    model: (options) => classifier(adam({ useEma: true }), options),
  },
  "a plateau": withCallbacks(() => [reduceLROnPlateau({ monitor: "valLoss", mode: "max", patience: 1, factor: 0.5 })]),
  "a plateau with a schedule": {
    ...withCallbacks(() => [reduceLROnPlateau({ monitor: "loss", mode: "max", patience: 1, factor: 0.3 })]),
    model: (options) => classifier(adam({ learningRate: cosineDecay({ ...rate, decaySteps: 30 }) }), options),
  },
  "a log": withCallbacks((folder) => [csvLog({ filename: `${folder}/log.csv` })], ["log.csv"]),
  "a model in a file": withCallbacks(
    (folder) => [
      modelCheckpoint({ filepath: `${folder}/best.safetensors`, saveBestOnly: true, saveWeightsOnly: true }),
    ],
    ["best.safetensors"],
  ),
  TensorBoard: withCallbacks((folder) => [tensorBoard({ logDir: `${folder}/logs`, updateFreq: "batch" })]),
  "a callback of one's own, after each step": withCallbacks(() => [own()]),
  "all at once": {
    ...withCallbacks(
      (folder) => [
        csvLog({ filename: `${folder}/log.csv` }),
        reduceLROnPlateau({ monitor: "valLoss", patience: 1 }),
        own(),
        earlyStopping({ monitor: "valLoss", patience: 2 }),
      ],
      ["log.csv"],
    ),
    model: (options) => classifier(adam({ useEma: true, gradientAccumulationSteps: 2, clipnorm: 1 }), options),
  },
};

interface Outcome {
  readonly weights: unknown;
  readonly history: readonly Logs[];
  readonly restored: number | undefined;
  readonly ended: string;
  readonly progress: unknown;
  readonly files: readonly string[];
}

async function run(
  { model: make, data, options, files = [] }: Case,
  folder: string,
  more: FitOptions,
  on: ModelOptions = {},
): Promise<Outcome> {
  const model = make(on);
  const history = await model.fit(data(), { verbose: 0, ...options(folder), ...more });
  const weights = Object.fromEntries(
    Object.entries(await model.getWeights()).map(([name, { data }]) => [name, Array.from(data)]),
  );
  await model.close();
  return {
    weights,
    history: history.epochs,
    restored: history.restoredEpoch,
    ended: history.ended,
    progress: model.progress,
    files: files.map((file) => readFileSync(join(folder, file)).toString("base64")),
  };
}

interface Manifest {
  readonly checkpoints: readonly {
    readonly epoch: number;
    readonly step: number;
    readonly state: { readonly file: string };
  }[];
}
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "checkpoint.json"), "utf8")) as Manifest;

/** The folder as it was when checkpoint `at` was its newest. */
function folderAt(folder: string, at: number): string {
  const copy = newFolder();
  cpSync(folder, copy, { recursive: true });
  const manifest = manifestOf(folder);
  const checkpoints = manifest.checkpoints.slice(0, at + 1);
  writeFileSync(join(copy, "checkpoint.json"), JSON.stringify({ ...manifest, checkpoints }));
  return copy;
}

describe("going on from a checkpoint", () => {
  it.each(Object.entries(CASES))("after any step: %s", async (_, example) => {
    const [apart, whole] = [newFolder(), newFolder()];
    const expected = await run(example, apart, {});
    const kept = join(whole, "checkpoints");
    const checkpoint = { folder: kept, every: { steps: 1 }, keep: 1000 };
    expect(await run(example, whole, { checkpoint })).toEqual(expected);
    const { checkpoints } = manifestOf(kept);
    expect(checkpoints.length).toBeGreaterThan(8);
    for (const part of [0.1, 0.6, 1]) {
      const at = Math.round(part * (checkpoints.length - 1));
      const folder = folderAt(kept, at);
      const again = newFolder();
      cpSync(whole, again, { recursive: true }); // with the files that came after the checkpoint
      const outcome = await run(example, again, { resume: folder }, { threads: 2 });
      expect(outcome, `epoch ${checkpoints[at]?.epoch}, step ${checkpoints[at]?.step}`).toEqual(expected);
    }
  });

  it("goes on with another backend that gives the same bits, and not on the interpreter", async () => {
    const [apart, whole] = [newFolder(), newFolder()];
    const on = { backend: "wasm" } as const;
    const expected = await run(base, apart, {}, on);
    await run(base, whole, { checkpoint: { folder: whole, every: { steps: 1 }, keep: 1000 } }, on);
    const folder = folderAt(whole, 3);
    expect(await run(base, newFolder(), { resume: folder }, { backend: "auto" })).toEqual(expected);
    const refused = run(base, newFolder(), { resume: folder }, { backend: "reference" });
    await expect(refused).rejects.toThrow("the backend is not that of the run");
  });

  it("goes on for more epochs, and with checkpoints in the same folder, which stays small", async () => {
    const [folder, other] = [newFolder(), newFolder()];
    const expected = await run(base, folder, { epochs: 6 });
    await run(base, folder, { epochs: 2, checkpoint: { folder: other, keep: 3 } });
    const outcome = await run(base, folder, { epochs: 6, resume: other, checkpoint: { folder: other, keep: 3 } });
    expect(outcome).toEqual(expected);
    expect(manifestOf(other).checkpoints.map(({ epoch, step }) => [epoch, step])).toEqual([
      [4, 0],
      [5, 0],
      [6, 0],
    ]);
    expect(readdirSync(other)).toHaveLength(4);
  });

  it("begins at the beginning where the folder that it writes to has none yet", async () => {
    const folder = join(newFolder(), "new");
    const both = { resume: folder, checkpoint: { folder } };
    expect(await run(base, folder, both)).toEqual(await run(base, folder, {}));
    await expect(run(base, folder, { resume: `${folder}2` })).rejects.toThrow(
      `fit, resume: there is no checkpoint in ${folder}2. Give the folder that fit`,
    );
  });

  it("takes its checkpoints by steps, epochs or seconds", async () => {
    const places = async (every: object): Promise<string> => {
      const folder = newFolder();
      await run(base, folder, { checkpoint: { folder, every, keep: 100 } });
      return manifestOf(folder)
        .checkpoints.map(({ epoch, step }) => `${epoch}.${step}`)
        .join(" ");
    };
    expect(await places({ epochs: 2 })).toBe("2.0 3.0");
    expect(await places({ steps: 4 })).toBe("0.4 1.3 2.2 3.0");
    expect(await places({ steps: 5 })).toBe("1.0 2.0 3.0");
    expect(await places({ seconds: 1e-9 })).toContain("3.0");
    expect(await places({ seconds: 1e9 })).toBe("3.0");
  });

  it("keeps the last step of a run that is aborted", async () => {
    const [folder, checkpoints] = [newFolder(), newFolder()];
    const expected = await run(base, folder, {});
    const controller = new AbortController();
    const stop: Callback = {
      onBatchEnd: (step) => {
        if (step === 2) controller.abort();
      },
    };
    const options = { callbacks: [stop], signal: controller.signal, checkpoint: { folder: checkpoints } };
    expect((await run(base, folder, options)).ended).toBe("aborted");
    expect(manifestOf(checkpoints).checkpoints).toMatchObject([{ epoch: 0, step: 3 }]);
    expect(await run(base, folder, { resume: checkpoints })).toEqual(expected);
  });

  it("goes on with what fits before have left", async () => {
    const folder = newFolder();
    const [whole, first, second] = [classifier(), classifier(), classifier()];
    const options = { epochs: 2, batchSize: 5 };
    await whole.fit(data, options);
    const expected = await whole.fit(data, options);
    await first.fit(data, options);
    await first.fit(data, { ...options, checkpoint: { folder, every: { steps: 3 } } });
    rmSync(join(folder, manifestOf(folder).checkpoints.at(-1)?.state.file ?? "")); // the newest is lost
    expect((await second.fit(data, { ...options, resume: folder })).epochs).toEqual(expected.epochs);
    expect(await second.getWeights()).toEqual(await whole.getWeights());
    expect(second.progress).toEqual(whole.progress);
  });
});

describe("a checkpoint of another run", () => {
  const refusal = async (change: Partial<Case>, more: FitOptions = {}): Promise<string> => {
    const folder = newFolder();
    await run(base, folder, { checkpoint: { folder }, epochs: 1 });
    return run({ ...base, ...change }, folder, { resume: folder, ...more }).then(
      () => "goes on",
      (error: unknown) => (error instanceof Error ? error.message.replace(folder, "FOLDER") : ""),
    );
  };
  const other = (change: (model: Model) => void): Partial<Case> => ({
    model: (options) => {
      const model = classifier(adam(), options) as unknown as Model;
      change(model);
      return model;
    },
  });

  it.each<[string, Partial<Case>, FitOptions, string]>([
    ["batch size", {}, { batchSize: 4 }, "the batch size is not that of the run: expected 5, received 4."],
    [
      "training data",
      { data: () => ({ x: numbers(ROWS, 3, 1.5), y: data.y }) },
      {},
      "the training data is not that of the run, at x[0]: expected ",
    ],
    [
      "targets",
      { data: () => ({ x: data.x, y: labels(ROWS + 1).rows(1, ROWS + 1) }) },
      {},
      "the training data is not that of the run, at y[0]",
    ],
    ["order", {}, { shuffle: false }, "the training data is not that of the run, at order"],
    ["validation data", {}, { validationData: data }, "validationData is not that of the run, at x[0]"],
    [
      "no validation data",
      { options: () => ({ epochs: 3, batchSize: 5 }) },
      {},
      "validationData is not that of the run",
    ],
    [
      "seed",
      { model: (options) => classifier(adam(), { ...options, seed: 4 }) },
      {},
      "the model is not that of the run, at seed: expected 3, received 4.",
    ],
    [
      "optimizer",
      { model: (options) => classifier(sgd(), options) },
      {},
      'the optimizer is not that of the run, at kind: expected "adam", received "sgd".',
    ],
    [
      "rate",
      { model: (options) => classifier(adam({ learningRate: 0.1 }), options) },
      {},
      "the optimizer is not that of the run, at options.learningRate: expected undefined, received 0.1.",
    ],
    [
      "loss",
      other((model) => {
        model.compile({
          optimizer: adam(),
          loss: "meanSquaredError",
          metrics: ["accuracy", "auroc", metrics.precision()],
        });
      }),
      {},
      "the loss, or what else compile was given, is not that of the run, at loss.factory",
    ],
    [
      "metrics",
      other((model) => {
        model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
      }),
      {},
      "the loss, or what else compile was given, is not that of the run, at metrics[0]",
    ],
    ["weights of classes", {}, { classWeight: { 1: 3 } }, "an option of fit is not that of the run, at classWeight"],
    [
      "callbacks",
      {},
      { callbacks: [earlyStopping()] },
      'the list of callbacks is not that of the run, at [0]: expected undefined, received "earlyStopping".',
    ],
    [
      "precision",
      { model: (options) => classifier(adam(), { ...options, precision: "reproducible" }) },
      {},
      'the precision is not that of the run: expected "fast", received "reproducible".',
    ],
    [
      "a stream",
      { data: () => batches, options: () => ({ epochs: 3, validationData: held }) },
      {},
      "the batch size is not that of the run",
    ],
  ])("is refused by name: %s", async (_, change, more, message) => {
    expect(await refusal(change, more)).toContain(`FOLDER: ${message}`);
  });

  it("is refused by the text of functions of one's own", async () => {
    const lossOf =
      (factor: number): Case["model"] =>
      (options) => {
        const model = classifier(adam(), options) as unknown as Model;
        const square = (y: Node, p: Node): Node => ops.square(ops.sub(y, p));
        model.compile({ loss: factor === 1 ? square : (y, p) => ops.abs(ops.sub(y, p)) });
        return model;
      };
    const folder = newFolder();
    await run({ ...base, model: lossOf(1) }, folder, { checkpoint: { folder }, epochs: 1 });
    await expect(run({ ...base, model: lossOf(2) }, folder, { resume: folder })).rejects.toThrow("at loss.$own");
  });

  it("is not written over", async () => {
    const folder = newFolder();
    await run(base, folder, { checkpoint: { folder } });
    const before = readFileSync(join(folder, "checkpoint.json"), "utf8");
    await expect(run(base, folder, { checkpoint: { folder } })).rejects.toThrow(
      `fit, checkpoint: ${folder} has checkpoints already: expected a new or an empty folder. To go on from them, give resume:`,
    );
    expect(readFileSync(join(folder, "checkpoint.json"), "utf8")).toBe(before);
  });

  it("is refused for a generator, which is gone through once only", async () => {
    const folder = newFolder();
    for (const option of [{ checkpoint: { folder } }, { resume: folder }])
      await expect(run({ ...base, data: () => batches(0) }, folder, option)).rejects.toThrow(
        "the stream cannot be gone through again, which going on from a checkpoint takes. Give a function",
      );
    expect(existsSync(join(folder, "checkpoint.json"))).toBe(false);
  });
});

describe("the options", () => {
  const fit = (options: Json): Promise<unknown> => classifier().fit(data, options as unknown as FitOptions);
  it.each<[Json, string]>([
    [{ checkpoint: {} }, "fit, checkpoint: folder has the wrong type: expected a path, received undefined."],
    [{ checkpoint: { folder: "x", often: 1 } }, 'fit, checkpoint: unknown option "often"'],
    [
      { checkpoint: { folder: "x", every: { steps: 1, epochs: 1 } } },
      "every is no interval: expected one of epochs, steps and seconds",
    ],
    [{ checkpoint: { folder: "x", every: 5 } }, "fit, checkpoint.every: options are no object"],
    [{ checkpoint: { folder: "x", every: { steps: 0 } } }, "fit, checkpoint.every: steps is out of range"],
    [{ checkpoint: { folder: "x", every: { seconds: 0 } } }, "fit, checkpoint.every: seconds is out of range"],
    [{ checkpoint: { folder: "x", keep: 0 } }, "fit, checkpoint: keep is out of range"],
    [{ resume: true }, "fit: resume has the wrong type: expected a path, received true."],
  ])("are refused: %j", async (options, message) => {
    await expect(fit(options)).rejects.toThrow(message);
    expect(existsSync("x")).toBe(false);
  });
});

it("makes the folder where it is missing", async () => {
  const folder = join(newFolder(), "a", "b");
  mkdirSync(join(folder, ".."), { recursive: true });
  await run(base, folder, { checkpoint: { folder: `${folder}/` }, epochs: 1 });
  expect(readdirSync(folder).sort()).toEqual(["checkpoint.json", "state-000001.safetensors"]);
});
