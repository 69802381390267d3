/** No figure depends on the size of the batches: every loss with each reduction, and every metric, with weights of the rows. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as torte from "torte";
import {
  activation,
  input,
  type Loss,
  type Metric,
  type MetricName,
  type MetricOption,
  ops,
  type Reduction,
  sequential,
  type Tensor,
  tensor,
} from "torte";

const BACKENDS = ["wasm", "reference"] as const;
type Kind = Loss["targets"];

const everything = ["classes", "distribution", "probabilities"] as const;

/** What each metric is tested with; a new one does not compile before it stands here. */
const METRICS: { readonly [N in MetricName]: readonly Kind[] } = {
  accuracy: [...everything, "signs"],
  binaryAccuracy: ["probabilities"],
  categoricalAccuracy: ["distribution"],
  sparseCategoricalAccuracy: ["classes"],
  topKAccuracy: ["classes", "distribution"],
  topKCategoricalAccuracy: ["distribution"],
  sparseTopKCategoricalAccuracy: ["classes"],
  precision: everything,
  recall: everything,
  specificity: everything,
  fBetaScore: everything,
  f1Score: everything,
  absentClasses: everything,
  truePositives: everything,
  falsePositives: everything,
  trueNegatives: everything,
  falseNegatives: everything,
  balancedAccuracy: everything,
  mcc: everything,
  cohenKappa: everything,
  iou: everything,
  meanIou: everything,
  binaryIou: ["probabilities"],
  oneHotIou: ["distribution"],
  oneHotMeanIou: ["distribution"],
  auroc: everything,
  averagePrecision: everything,
  auc: everything,
  brierScore: everything,
  expectedCalibrationError: everything,
  perplexity: everything,
  rootMeanSquaredError: ["numbers"],
  r2Score: ["numbers"],
  pearsonCorrelation: ["numbers"],
  spearmanCorrelation: ["numbers"],
  concordanceCorrelation: ["numbers"],
  cosineSimilarity: ["numbers"],
  mean: ["numbers"],
  sum: ["numbers"],
  binaryCrossentropy: ["probabilities"],
  categoricalCrossentropy: ["distribution"],
  sparseCategoricalCrossentropy: ["classes"],
  binaryFocalCrossentropy: ["probabilities"],
  categoricalFocalCrossentropy: ["distribution"],
  categoricalGeneralizedCrossEntropy: ["classes"],
  klDivergence: ["distribution"],
  meanSquaredError: ["numbers"],
  meanAbsoluteError: ["numbers"],
  meanAbsolutePercentageError: ["numbers"],
  meanSquaredLogarithmicError: ["numbers"],
  huber: ["numbers"],
  logCosh: ["numbers"],
  poisson: ["numbers"],
  hinge: ["signs"],
  squaredHinge: ["signs"],
  categoricalHinge: ["distribution"],
  // Of the whole batch unless they are told over which axes: below.
  dice: [],
  tversky: [],
};

/** Those that need an option, or another one. */
const OTHERS: readonly (readonly [Metric, readonly Kind[]])[] = [
  [torte.sensitivityAtSpecificity({ specificity: 0.6 }), everything],
  [torte.specificityAtSensitivity({ sensitivity: 0.6 }), everything],
  [torte.precisionAtRecall({ recall: 0.6 }), everything],
  [torte.recallAtPrecision({ precision: 0.6 }), everything],
  [torte.cohenKappa({ weights: "quadratic", name: "weightedKappa" }), everything],
  [torte.f1Score({ average: "weighted", name: "weightedF1" }), everything],
  [torte.auroc({ average: "micro", name: "microAuroc" }), everything],
  [torte.pearsonCorrelation({ along: "outputs", name: "alongOutputs" }), ["numbers"]],
  [{ ...torte.dice({ axis: [1] }), name: "diceOfRows", targets: "numbers" }, ["numbers"]],
  [{ ...torte.tversky({ axis: [1] }), name: "tverskyOfRows", targets: "numbers" }, ["numbers"]],
];

const WIDTH = 3;

interface Rows {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly sampleWeight: Tensor;
}

/** Rows of targets and predictions, from small whole numbers. */
function rowsOf(kind: Kind, drawn: readonly (readonly number[])[]): Rows {
  const scores = drawn.map((row) => row.slice(0, WIDTH).map((n) => (n + 1) / 20));
  const normal = scores.map((row) => row.map((p) => p / row.reduce((a, b) => a + b)));
  const labels = drawn.map((row) => row.slice(WIDTH, 2 * WIDTH));
  const sampleWeight = tensor(drawn.map((row) => ((row[0] ?? 0) % 4) / 2 + 0.5));
  const classes = labels.map(([n = 0]) => n % WIDTH);
  const given = (values: readonly (readonly number[])[]): Tensor => tensor(values.map((row) => [...row]));
  switch (kind) {
    case "classes":
      return { x: given(normal), y: tensor(Int32Array.from(classes)), sampleWeight };
    case "distribution":
      return { x: given(normal), y: given(classes.map((k) => [0, 1, 2].map((i) => Number(i === k)))), sampleWeight };
    case "probabilities":
      return { x: given(scores), y: given(labels.map((row) => row.map((n) => n % 2))), sampleWeight };
    case "signs":
      return {
        x: given(scores.map((row) => row.map((p) => 4 * p - 1))),
        y: given(labels.map((row) => row.map((n) => 2 * (n % 2) - 1))),
        sampleWeight,
      };
    case "numbers":
      return { x: given(scores), y: given(labels.map((row) => row.map((n) => n / 5))), sampleWeight };
  }
}

const rows = fc.array(fc.array(fc.nat(18), { minLength: 2 * WIDTH, maxLength: 2 * WIDTH }), {
  minLength: 2,
  maxLength: 23,
});
const KINDS = ["classes", "distribution", "probabilities", "signs", "numbers"] as const satisfies readonly Kind[];

/** Sums are those of float32 with what rounding has taken. */
function expectSame(whole: Readonly<Record<string, number>>, parts: Readonly<Record<string, number>>): void {
  expect(Object.keys(parts)).toEqual(Object.keys(whole));
  for (const [name, value] of Object.entries(whole)) {
    const other = parts[name] ?? 0;
    if (Number.isNaN(value) ? Number.isNaN(other) : Math.abs(other - value) <= 3e-6 * Math.max(1, Math.abs(value)))
      continue;
    expect.fail(`${name}: ${other}, not ${value}`);
  }
}

describe.each(BACKENDS)("in batches of any size, %s", (backend) => {
  const identity = () => sequential(input({ shape: [WIDTH] }), activation("linear"), { backend });

  it.each(KINDS)("metrics of %s are the same", async (kind) => {
    const named = (Object.entries(METRICS) as [MetricName, readonly Kind[]][]).filter(([, kinds]) =>
      kinds.includes(kind),
    );
    const others = OTHERS.filter(([, kinds]) => kinds.includes(kind));
    const metrics: MetricOption[] = [...named.map(([name]) => name), ...others.map(([metric]) => metric)];
    const predictions = kind === "numbers" || kind === "signs" ? "numbers" : "probabilities";
    const none: Loss = { name: "none", targets: kind, predictions, call: (_, p) => ops.mean(p, { axes: [-1] }) };
    const model = identity();
    model.compile({ loss: none, metrics });
    await fc.assert(
      fc.asyncProperty(rows, fc.integer({ min: 1, max: 7 }), async (drawn, batchSize) => {
        const data = rowsOf(kind, drawn);
        expectSame(await model.evaluate(data, { batchSize: 64 }), await model.evaluate(data, { batchSize }));
      }),
      { numRuns: 4, seed: 1 },
    );
    await model.close();
  });

  const losses = Object.entries(torte)
    .filter(([name]) => name in METRICS && !(name in torte.metrics && name !== "cosineSimilarity"))
    .map(([name, make]) => [name, make as (options: object) => Loss] as const);
  const reductions: readonly Reduction[] = ["mean", "weightedMean", "sum"];

  it("there are twenty losses", () => {
    expect(losses).toHaveLength(20);
  });

  it.each(losses)("%s is the same, however it is reduced", async (name, make) => {
    const axis = name === "dice" || name === "tversky" ? { axis: [1] } : {};
    for (const reduction of reductions) {
      const loss = make({ reduction, ...axis });
      const model = identity();
      model.compile({ loss: { ...loss, predictions: "numbers" } });
      await fc.assert(
        fc.asyncProperty(rows, fc.integer({ min: 1, max: 7 }), async (drawn, batchSize) => {
          const data = rowsOf(loss.targets, drawn);
          expectSame(await model.evaluate(data, { batchSize: 64 }), await model.evaluate(data, { batchSize }));
        }),
        { numRuns: 2, seed: 2 },
      );
      await model.close();
    }
  });
});
