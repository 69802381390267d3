/** Metrics: figures of a whole epoch, whatever the batches and threads. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  absentClasses,
  activation,
  auc,
  auroc,
  averagePrecision,
  dense,
  type CollectMetric,
  type CountsMetric,
  expectedCalibrationError,
  f1Score,
  fBetaScore,
  input,
  iou,
  type Loss,
  mcc,
  type MeanMetric,
  type Metric,
  type MetricName,
  type MetricOption,
  type ModelOptions,
  ops,
  precision,
  precisionAtRecall,
  r2Score,
  recall,
  recallAtPrecision,
  sensitivityAtSpecificity,
  sequential,
  specificityAtSensitivity,
  tensor,
  Tensor,
} from "torte";

const BACKENDS = ["wasm", "reference"] as const;

interface Setting extends ModelOptions {
  readonly targets: Loss["targets"];
  readonly predictions?: Loss["predictions"];
  readonly batchSize?: number;
}

/** The figures for predictions as they are given. */
async function figures(
  metrics: readonly MetricOption[],
  y: Tensor,
  predictions: Tensor,
  { targets, predictions: kind = "probabilities", batchSize = 64, ...options }: Setting,
): Promise<Readonly<Record<string, number>>> {
  const loss: Loss = { name: "none", targets, predictions: kind, call: (_, p) => ops.mean(p, { axes: [-1] }) };
  const model = sequential(input({ shape: predictions.shape.slice(1) }), activation("linear"), options);
  model.compile({ loss, metrics });
  const all = await model.evaluate({ x: predictions, y }, { batchSize });
  await model.close();
  return all;
}

const column = (values: readonly number[]): Tensor => tensor(values.map((value) => [value]));

describe.each(BACKENDS)("metrics, %s", (backend) => {
  const binary: Setting = { targets: "probabilities", backend };
  const one = async (
    metric: MetricOption,
    y: readonly number[],
    p: readonly number[],
    setting = binary,
  ): Promise<number> => {
    const name = typeof metric === "string" ? metric : metric.name;
    return (await figures([metric], column(y), column(p), setting))[name] ?? NaN;
  };

  it("rank scores exactly: AUROC .75, average precision .833333 of the four scores", async () => {
    const [y, s] = [
      [0, 0, 1, 1],
      [0.1, 0.4, 0.35, 0.8],
    ];
    for (const batchSize of [1, 3, 4]) {
      expect(await one("auroc", y, s, { ...binary, batchSize })).toBe(0.75);
      expect(await one("averagePrecision", y, s, { ...binary, batchSize })).toBeCloseTo(0.833333, 6);
    }
  });

  it("rank logits that a sigmoid cannot tell apart", async () => {
    const logits = [20, 20.5, 21, 30, 40];
    const model = sequential(input({ shape: [1] }), activation("sigmoid"), { backend });
    model.compile({ loss: "binaryCrossentropy", metrics: ["auroc"] });
    const { auroc: area } = await model.evaluate({ x: column(logits), y: column([0, 0, 1, 0, 1]) });
    expect(area).toBeCloseTo(5 / 6, 12);
    await model.close();
  });

  it("are NaN where ranking is not defined", async () => {
    expect(await one("auroc", [1, 1], [0.1, 0.9])).toBeNaN();
    expect(await one("averagePrecision", [0, 0], [0.1, 0.9])).toBeNaN();
  });

  it("take p > 0.5, strictly, and z > 0 for logits", async () => {
    expect(await one("accuracy", [1, 1], [0.5, 0.6])).toBe(0.5);
    expect(await one("accuracy", [1, 1], [0, 0.1], { ...binary, predictions: "logits" })).toBe(0.5);
    expect(await one("recall", [1, 1], [0.5, 0.6])).toBe(0.5);
  });

  it("correlate decisions: 0 where the denominator is 0", async () => {
    expect(await one("mcc", [1, 1], [0.9, 0.9])).toBe(0);
    expect(await one("mcc", [1, 0, 1, 0], [0.9, 0.1, 0.2, 0.3])).toBeCloseTo(2 / Math.sqrt(1 * 2 * 2 * 3), 6);
  });

  it("explain variance beside an offset: 1e4 ± 0.01", async () => {
    const y = Float64Array.from({ length: 200 }, (_, i) => Math.fround(1e4 + 0.02 * Math.sin(i)));
    const p = Float64Array.from({ length: 200 }, (_, i) => Math.fround(1e4 + 0.02 * Math.sin(i + 0.3)));
    const mean = y.reduce((a, b) => a + b) / 200;
    const [residual, total] = [0, 1].map((k) =>
      y.reduce((sum, v, i) => sum + (v - (k === 0 ? (p[i] ?? 0) : mean)) ** 2, 0),
    );
    const setting: Setting = { targets: "numbers", backend };
    expect(await one("r2Score", [...y], [...p], setting)).toBeCloseTo(1 - (residual ?? NaN) / (total ?? NaN), 10);
    expect(await one("r2Score", [2, 2], [2, 2], setting)).toBe(1);
    expect(await one("r2Score", [2, 2], [2, 3], setting)).toBe(0);
  });

  it("leave absent classes out of macro figures, and count 0/0 as 0", async () => {
    const y = tensor([0, 1, 1, 0], { dtype: "int32" });
    const p = tensor([
      [0.8, 0.1, 0.1, 0],
      [0.1, 0.8, 0.1, 0],
      [0.6, 0.3, 0.1, 0],
      [0.1, 0.2, 0.7, 0],
    ]);
    const all = await figures(
      [fBetaScore(), fBetaScore({ average: "weighted", name: "w" }), precision(), recall()],
      y,
      p,
      {
        targets: "classes",
        backend,
      },
    );
    expect(all["fBetaScore"]).toBeCloseTo((1 / 2 + 2 / 3 + 0) / 3, 6);
    expect(all["w"]).toBeCloseTo((1 / 2 + 2 / 3) / 2, 6);
    expect(all["precision"]).toBeCloseTo((1 / 2 + 1 + 0) / 3, 6);
    expect(all["recall"]).toBeCloseTo((1 / 2 + 1 / 2 + 0) / 3, 6);
  });

  it("calibrate the top label by default", async () => {
    const [y, p] = [
      [1, 0, 1, 0],
      [0.9, 0.9, 0.2, 1],
    ];
    // Confidences .9 (right), .9 (wrong), .8 (wrong), 1 (wrong), in bins of a fifteenth.
    expect(await one(expectedCalibrationError(), y, p)).toBeCloseTo((Math.abs(1.8 - 1) + 0.8 + 1) / 4, 6);
    expect(await one(expectedCalibrationError({ of: "positive" }), y, p)).toBeCloseTo(
      (Math.abs(1.8 - 1) + 0.8 + 1) / 4,
      6,
    );
  });

  it("find the best operating point", async () => {
    const [y, s] = [
      [0, 0, 1, 0, 1, 1],
      [0.1, 0.2, 0.3, 0.6, 0.7, 0.8],
    ];
    expect(await one(sensitivityAtSpecificity({ specificity: 0.9 }), y, s)).toBeCloseTo(2 / 3, 12);
    expect(await one(specificityAtSensitivity({ sensitivity: 0.9 }), y, s)).toBeCloseTo(2 / 3, 12);
    expect(await one(precisionAtRecall({ recall: 0.9 }), y, s)).toBeCloseTo(3 / 4, 12);
    expect(await one(recallAtPrecision({ precision: 0.9 }), y, s)).toBeCloseTo(2 / 3, 12);
  });

  it("of one's own: a mean, counts, collected values", async () => {
    const near: MeanMetric = {
      name: "near",
      call: (y, p) => ops.cast(ops.less(ops.sum(ops.abs(ops.sub(y, p)), { axes: [-1] }), 1), "float32"),
    };
    const range: CountsMetric = {
      name: "total",
      kind: "counts",
      call: (_, p, { weights }) => ops.stack([ops.sum(ops.mul(ops.sum(p, { axes: [-1] }), weights)), ops.sum(weights)]),
      figure: ([sum = 0, count = 0]) => sum + 100 * count,
    };
    const median: CollectMetric = {
      name: "median",
      kind: "collect",
      call: (_, p) => [p],
      figure: ({ values: [p = new Float64Array()] }) => p.sort()[Math.floor(p.length / 2)] ?? NaN,
    };
    const y = column([0, 0, 0, 0, 0]);
    for (const batchSize of [1, 2, 5]) {
      const all = await figures([near, range, median], y, column([5, 0.5, 3, 4, 0.25]), {
        targets: "numbers",
        backend,
        batchSize,
      });
      expect(all).toMatchObject({ near: 0.4, total: 512.75, median: 3 });
    }
  });
});

describe("classes that the predictions do not have are refused", () => {
  const y = tensor(Int32Array.of(0, 1, 2));
  const p = tensor([
    [0.8, 0.1, 0.1],
    [0.1, 0.8, 0.1],
    [0.1, 0.1, 0.8],
  ]);

  it.each<[Metric, string]>([
    [precision({ classId: 3 }), "precision: classId is out of range: expected 0…2, received 3."],
    [auroc({ classId: 7 }), "auroc: classId is out of range: expected 0…2, received 7."],
    [iou({ targetClassIds: [0, 3] }), "iou: targetClassIds is out of range: expected 0…2, received 3."],
    [
      auc({ labelWeights: [1, 2] }),
      "auc: labelWeights has the wrong length: expected 3, one for each label, received 2.",
    ],
  ])("$name", async (metric, message) => {
    await expect(figures([metric], y, p, { targets: "classes" })).rejects.toThrow(message);
  });
});

it("a metric of one's own is written within compile, its arguments' types known", async () => {
  const model = sequential(input({ shape: [1] }), dense({ units: 1, kernelInitializer: "ones" }));
  model.compile({
    loss: "meanSquaredError",
    metrics: [
      "meanAbsoluteError",
      { name: "bias", call: (y, p) => ops.mean(ops.sub(p, y), { axes: [-1] }) },
      {
        name: "total",
        kind: "counts",
        call: (_, p, { weights }) => ops.stack([ops.sum(p), ops.sum(weights)]),
        figure: ([sum = NaN, count = NaN]) => sum / count,
      },
      { name: "largest", kind: "collect", call: (_, p) => [p], figure: ({ values }) => Math.max(...(values[0] ?? [])) },
    ],
  });
  const found = await model.evaluate({ x: column([1, 3]), y: column([0, 1]) });
  expect(found).toMatchObject({ bias: 1.5, total: 2, largest: 3 });
  await model.close();
});

it("absentClasses counts what macro figures leave out: classes that neither targets nor predictions have", async () => {
  const model = sequential(input({ shape: [4] }), activation("softmax"));
  model.compile({ loss: "sparseCategoricalCrossentropy", metrics: [f1Score({ average: "macro" }), absentClasses()] });
  const onehot = (...classes: number[]): Tensor =>
    tensor(classes.map((k) => Array.from({ length: 4 }, (_, i) => Number(i === k))));
  const cases = [
    { predicted: [0, 1, 1], actual: [0, 1, 1], absent: 2, f1: 1 },
    { predicted: [0, 1, 2], actual: [0, 1, 1], absent: 1, f1: (1 + 2 / 3 + 0) / 3 },
    { predicted: [3, 1, 2], actual: [0, 1, 1], absent: 0, f1: 2 / 3 / 4 },
  ];
  for (const { predicted, actual, absent, f1 } of cases) {
    const found = await model.evaluate({ x: onehot(...predicted), y: tensor(actual) });
    expect(found["absentClasses"]).toBe(absent);
    expect(found["f1Score"]).toBeCloseTo(f1, 12);
  }
  await model.close();
});

/** All metrics that need no options, by what targets they take. */
const BINARY: readonly MetricName[] = [
  ...([
    "accuracy",
    "precision",
    "recall",
    "specificity",
    "f1Score",
    "truePositives",
    "falsePositives",
    "trueNegatives",
  ] as const),
  ...([
    "falseNegatives",
    "balancedAccuracy",
    "mcc",
    "cohenKappa",
    "iou",
    "auroc",
    "averagePrecision",
    "auc",
    "brierScore",
  ] as const),
  ...(["expectedCalibrationError", "perplexity", "binaryCrossentropy"] as const),
];
const NUMBERS: readonly MetricName[] = [
  ...(["meanSquaredError", "meanAbsoluteError", "rootMeanSquaredError", "r2Score", "pearsonCorrelation"] as const),
  ...(["spearmanCorrelation", "concordanceCorrelation", "cosineSimilarity", "mean", "sum", "logCosh"] as const),
];
const CLASSES: readonly MetricName[] = [
  ...([
    "accuracy",
    "topKAccuracy",
    "precision",
    "recall",
    "f1Score",
    "balancedAccuracy",
    "mcc",
    "cohenKappa",
    "iou",
    "absentClasses",
  ] as const),
  ...(["auroc", "averagePrecision", "brierScore", "expectedCalibrationError", "perplexity"] as const),
];

describe("figures do not depend on batch size and threads", () => {
  const runs = [
    { batchSize: 1, threads: 1 },
    { batchSize: 7, threads: 2 },
    { batchSize: 50, threads: 2 },
  ];

  const same = async (names: readonly MetricName[], y: Tensor, p: Tensor, setting: Setting): Promise<void> => {
    const [first, ...others] = await Promise.all(runs.map((run) => figures(names, y, p, { ...setting, ...run })));
    expect(Object.keys(first ?? {})).toEqual(["loss", ...names]);
    for (const other of others) {
      for (const name of names) {
        if (Number.isNaN(first?.[name])) expect(other[name], name).toBeNaN();
        else expect(other[name], name).toBeCloseTo(first?.[name] ?? NaN, 5);
      }
      for (const exact of ["auroc", "averagePrecision", "r2Score", "spearmanCorrelation", "mcc", "truePositives"])
        expect(other[exact], exact).toBe(first?.[exact]);
    }
  };

  it("for labels", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(1), fc.integer({ min: 1, max: 19 })), { minLength: 1, maxLength: 40 }),
        (rows) =>
          same(BINARY, column(rows.map(([y]) => y)), column(rows.map(([, p]) => p / 20)), { targets: "probabilities" }),
      ),
      { numRuns: 5 },
    );
  });

  it("for numbers", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 })), {
          minLength: 1,
          maxLength: 40,
        }),
        (rows) => same(NUMBERS, column(rows.map(([y]) => y)), column(rows.map(([, p]) => p)), { targets: "numbers" }),
      ),
      { numRuns: 5 },
    );
  });

  it("for classes", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })), {
          minLength: 1,
          maxLength: 40,
        }),
        (rows) => {
          const p = rows.map(([, a, b]) => [a, b, 5].map((each) => each / (a + b + 5)));
          return same(
            CLASSES,
            tensor(
              rows.map(([y]) => y),
              { dtype: "int32" },
            ),
            tensor(p),
            { targets: "classes" },
          );
        },
      ),
      { numRuns: 5 },
    );
  });
});

describe("in fit", () => {
  it("metrics of each kind are those of evaluate", async () => {
    const rows = 300;
    const x = new Tensor(
      Float32Array.from({ length: rows * 2 }, (_, i) => Math.sin(i * 1.7)),
      [rows, 2],
      "float32",
    );
    const y = new Tensor(
      Float32Array.from({ length: rows }, (_, i) => Number(Math.sin(i * 3.4) + Math.sin(i) > 0)),
      [rows, 1],
      "float32",
    );
    const metrics: Metric[] = [auroc(), averagePrecision(), mcc(), r2Score()];
    const model = sequential(input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" }));
    model.compile({ loss: "binaryCrossentropy", optimizer: "adam", metrics: [...metrics, "accuracy"] });
    const { epochs } = await model.fit({ x, y }, { epochs: 2, batchSize: 7, validationData: { x, y } });
    const after = await model.evaluate({ x, y });
    expect(Object.keys(epochs[1] ?? {})).toEqual([
      "loss",
      "auroc",
      "averagePrecision",
      "mcc",
      "r2Score",
      "accuracy",
      "valLoss",
      "valAuroc",
      "valAveragePrecision",
      "valMcc",
      "valR2Score",
      "valAccuracy",
    ]);
    expect(epochs[1]?.["valAuroc"]).toBe(after["auroc"]);
    expect(Math.abs((epochs[1]?.["auroc"] ?? NaN) - (after["auroc"] ?? NaN))).toBeLessThan(0.05);
    await model.close();
  });
});
