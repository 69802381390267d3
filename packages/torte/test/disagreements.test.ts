/** Where libraries disagree, or are known to be wrong: Torte's formula with numbers, on each backend. */
import { describe, expect, it } from "vitest";
import {
  activation,
  adagrad,
  auroc,
  averagePrecision,
  binaryAccuracy,
  binaryCrossentropy,
  binaryFocalCrossentropy,
  brierScore,
  categoricalCrossentropy,
  categoricalFocalCrossentropy,
  compile,
  confusionMatrix,
  expectedCalibrationError,
  f1Score,
  input,
  klDivergence,
  logCosh,
  type Loss,
  mcc,
  meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  type MetricOption,
  type ModelOptions,
  type Node,
  ops,
  operatingPoint,
  poisson,
  precisionRecallCurve,
  r2Score,
  reduceLoss,
  rocCurve,
  sequential,
  sgd,
  sparseCategoricalCrossentropy,
  tensor,
  Tensor,
  valueAndGrad,
} from "torte";
import { trainee, trainRows } from "./given-gradients.js";

const BACKENDS = ["wasm", "reference"] as const;
type Backend = (typeof BACKENDS)[number];

const f64 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  new Tensor(Float64Array.from(values), shape, "float64");

interface Derived {
  readonly value: number;
  readonly gradient: readonly number[];
}

/** A loss of one row, and its derivative by the prediction. */
async function derived(backend: Backend, loss: Loss, y: Tensor, p: readonly number[]): Promise<Derived> {
  const f = (prediction: Node, target: Node): Node => reduceLoss(loss, target, prediction);
  const [value, gradient] = await compile(valueAndGrad(f), { backend })(f64(p, [1, p.length]), y);
  return { value: value.data[0] ?? NaN, gradient: [...gradient.data] };
}

const row = (...values: number[]): Tensor => f64(values, [1, values.length]);
const label = (k: number): Tensor => tensor([k], { dtype: "int32" });

/** To six digits of the number itself, however small. */
function expectRelative(received: number, expected: number, relative = 1e-6): void {
  const fits = Math.abs(received - expected) <= relative * Math.abs(expected) + 1e-44;
  expect(fits, `expected ${expected}, received ${received}`).toBe(true);
}

describe.each(BACKENDS)("label smoothing, %s", (backend) => {
  // The smoothed target itself is the best that can be predicted: the loss is its entropy.
  const best = [0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3];
  const logits = best.map((p) => Math.log(p) + 5);
  const options = { labelSmoothing: 0.1 };

  it.each<[string, Loss, Tensor, readonly number[]]>([
    ["categorical", categoricalCrossentropy(options), row(1, 0, 0), best],
    ["categorical, logits", categoricalCrossentropy({ ...options, fromLogits: true }), row(1, 0, 0), logits],
    ["sparse", sparseCategoricalCrossentropy(options), label(0), best],
    ["sparse, logits", sparseCategoricalCrossentropy({ ...options, fromLogits: true }), label(0), logits],
  ])("0.1 of three classes costs at least 0.291140: %s", async (_, loss, y, p) => {
    const { value, gradient } = await derived(backend, loss, y, p);
    expect(value).toBeCloseTo(0.29114, 6);
    gradient.forEach((slope) => expect(slope).toBeCloseTo(0, 5));
  });

  it("of two classes is that of one label", async () => {
    for (const fromLogits of [false, true]) {
      const p = 0.3;
      const z = Math.log(p / (1 - p));
      const [one, two] = fromLogits ? [[z], [0, z]] : [[p], [1 - p, p]];
      const binary = await derived(backend, binaryCrossentropy({ ...options, fromLogits }), row(1), one);
      const categorical = await derived(backend, categoricalCrossentropy({ ...options, fromLogits }), row(0, 1), two);
      expect(categorical.value).toBeCloseTo(binary.value, 6);
    }
  });

  it("goes along the axis of the classes", async () => {
    const loss = categoricalCrossentropy({ ...options, axis: 1 });
    const f = (p: Node, y: Node): Node => reduceLoss(loss, y, p);
    const spread = (values: readonly number[]): Tensor =>
      f64(
        values.flatMap((v) => [v, v]),
        [1, 3, 2],
      );
    const value = await compile(f, { backend })(spread(best), spread([1, 0, 0]));
    expect(value.data[0]).toBeCloseTo(0.29114, 6);
  });
});

describe.each(BACKENDS)("focal losses, %s", (backend) => {
  const binary = binaryFocalCrossentropy({ fromLogits: true });
  const categorical = categoricalFocalCrossentropy({ fromLogits: true, alpha: 1 });

  it.each<[string, Loss, Tensor, readonly number[], number, readonly number[]]>([
    ["wrong by 100", binary, row(1), [-100], 100, [-1]],
    ["wrong by −100", binary, row(0), [100], 100, [1]],
    ["right by 100", binary, row(1), [100], 0, [0]],
    ["wrong class by 100", categorical, row(1, 0), [0, 100], 100, [-1, 1]],
    ["right class by 100", categorical, row(1, 0), [100, 0], 0, [0, 0]],
  ])("%s: finite, value and gradient", async (_, loss, y, logits, value, gradient) => {
    const found = await derived(backend, loss, y, logits);
    expect(found.value).toBeCloseTo(value, 4);
    found.gradient.forEach((slope, i) => expect(slope).toBeCloseTo(gradient[i] ?? NaN, 5));
  });

  it.each([-100, -3, 0, 0.5, 100])("are the cross-entropy with γ = 0, at %s", async (z) => {
    for (const fromLogits of [true, false]) {
      const p = fromLogits ? z : 1 / (1 + Math.exp(-z));
      const pairs: readonly [Loss, Loss, Tensor, readonly number[]][] = [
        [binaryFocalCrossentropy({ gamma: 0, fromLogits }), binaryCrossentropy({ fromLogits }), row(1), [p]],
        [
          categoricalFocalCrossentropy({ gamma: 0, alpha: 1, fromLogits }),
          categoricalCrossentropy({ fromLogits }),
          row(1, 0),
          fromLogits ? [p, 0] : [p, 1 - p],
        ],
      ];
      for (const [focal, plain, y, prediction] of pairs) {
        const [a, b] = [await derived(backend, focal, y, prediction), await derived(backend, plain, y, prediction)];
        expectRelative(a.value, b.value);
        a.gradient.forEach((slope, i) => {
          expectRelative(slope, b.gradient[i] ?? NaN);
        });
      }
    }
  });
});

describe.each(BACKENDS)("at the ends of the range of probabilities, %s", (backend) => {
  const end = -Math.log(1e-7);

  it.each<[string, Loss, Tensor, readonly number[], number]>([
    ["binaryCrossentropy", binaryCrossentropy(), row(1), [0], end],
    ["categoricalCrossentropy", categoricalCrossentropy(), row(1, 0), [0, 1], end],
    ["klDivergence, p = 0", klDivergence(), row(1, 0), [0, 1], end + 1e-7 * Math.log(1e-7)],
    ["klDivergence, y = p = 0", klDivergence(), row(0, 1), [0, 1], 0],
    ["klDivergence, y = 0", klDivergence(), row(0), [1], 1e-7 * Math.log(1e-7)],
    ["poisson, y = p = 0", poisson(), row(0), [0], 0],
    ["poisson, p = 0", poisson(), row(1), [0], end],
    ["meanAbsolutePercentageError, y = 0", meanAbsolutePercentageError(), row(0), [1], 1e9],
    ["meanAbsolutePercentageError, y = p = 0", meanAbsolutePercentageError(), row(0), [0], 0],
    [
      "meanSquaredLogarithmicError, y = 0",
      meanSquaredLogarithmicError(),
      row(0),
      [1],
      (Math.log1p(1e-7) - Math.LN2) ** 2,
    ],
    ["meanSquaredLogarithmicError, y = p = 0", meanSquaredLogarithmicError(), row(0), [0], 0],
    ["meanSquaredLogarithmicError, p = −3 counts as 1e-7", meanSquaredLogarithmicError(), row(0), [-3], 0],
  ])("%s is finite, with Keras's 1e-7", async (_, loss, y, p, expected) => {
    const { value, gradient } = await derived(backend, loss, y, p);
    expectRelative(value, expected, 2e-6);
    gradient.forEach((slope) => expect(Number.isFinite(slope)).toBe(true));
  });

  it("the derivative of what is clipped is 0", async () => {
    for (const p of [0, 1e-8]) {
      expect((await derived(backend, binaryCrossentropy(), row(1), [p])).gradient).toEqual([0]);
      expect((await derived(backend, klDivergence(), row(1), [p])).gradient).toEqual([0]);
    }
  });
});

describe.each(BACKENDS)("small losses are as exact as large ones, %s", (backend) => {
  const relative = backend === "wasm" ? 1e-6 : 1e-14;

  it.each([-80, -17, -5, -0.3, 0, 0.3, 5, 17, 80])("binary cross-entropy of the logit %s", async (z) => {
    const loss = binaryCrossentropy({ fromLogits: true });
    const exact = Math.fround(z);
    const other = (x: number): number => 1 / (1 + Math.exp(x));
    const positive = await derived(backend, loss, row(1), [exact]);
    const negative = await derived(backend, loss, row(0), [exact]);
    const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    expectRelative(positive.value, softplus(-exact), relative);
    expectRelative(negative.value, softplus(exact), relative);
    expectRelative(positive.gradient[0] ?? NaN, -other(exact), relative);
    expectRelative(negative.gradient[0] ?? NaN, other(-exact), relative);
    // Of a label between, the derivative is σ(z) − y, at 0 as well.
    const between = await derived(backend, loss, row(0.25), [exact]);
    expect(between.gradient[0]).toBeCloseTo(other(-exact) - 0.25, 6);
  });

  it.each([1e-18, 1e-10, 1e-5, 3e-3, 0.4, 0.999, 1.001, 5, 30, 300])("log cosh of ±%s", async (size) => {
    for (const e of [Math.fround(size), -Math.fround(size)]) {
      // cosh e − 1 = 2·sinh²(e/2)
      const expected = Math.abs(e) < 20 ? Math.log1p(2 * Math.sinh(e / 2) ** 2) : Math.abs(e) - Math.LN2;
      const { value, gradient } = await derived(backend, logCosh(), row(0), [e]);
      expectRelative(value, expected, Math.max(relative, 1e-13));
      expectRelative(gradient[0] ?? NaN, Math.tanh(e), Math.max(relative, 1e-13));
    }
  });

  it("log cosh has curvature 1 at 0", async () => {
    const slope = (p: Node): Node => {
      const [, g] = valueAndGrad((q: Node) => reduceLoss(logCosh(), ops.constant(0, [1, 1]), q))(p);
      return ops.sum(g);
    };
    const [, second] = await compile(valueAndGrad(slope), { backend })(row(0));
    expect(second.data[0]).toBe(1);
  });
});

/** The figures for predictions as they are given. */
async function figures(
  metrics: readonly MetricOption[],
  y: Tensor,
  x: Tensor,
  loss: Pick<Loss, "targets" | "predictions">,
  { batchSize = 64, ...options }: ModelOptions & { readonly batchSize?: number },
): Promise<Readonly<Record<string, number>>> {
  const none: Loss = { name: "none", ...loss, call: (_, p) => ops.mean(p, { axes: [-1] }) };
  const model = sequential(input({ shape: x.shape.slice(1) }), activation("linear"), options);
  model.compile({ loss: none, metrics });
  const all = await model.evaluate({ x, y }, { batchSize });
  await model.close();
  return all;
}

const column = (values: readonly number[]): Tensor => f64(values, [values.length, 1]);

describe.each(BACKENDS)("metrics, %s", (backend) => {
  const probabilities = { targets: "probabilities", predictions: "probabilities" } as const;
  const four = { y: [0, 0, 1, 1], s: [0.1, 0.4, 0.35, 0.8] };

  it("three numbers go by the name of the area under precision and recall", async () => {
    const { y, s } = four;
    const found = await figures([averagePrecision(), auroc()], column(y), column(s), probabilities, { backend });
    expect(found["averagePrecision"]).toBeCloseTo(5 / 6, 6);
    expect(found["auroc"]).toBe(0.75);
    expect((await precisionRecallCurve(y, s)).trapezoid).toBeCloseTo(0.791667, 6);
    expect((await rocCurve(y, s)).area).toBe(0.75);
  });

  it("logits that a sigmoid saturates keep their order: .928571, in batches of 1 and of all", async () => {
    // torchmetrics #2819 makes 0.5 of these, and decides batch by batch what they are (#2195).
    const logits = [
      ...[98.095, 98.4612, 98.1145, 98.1506, 97.6037, 98.9425, 99.2644, 99.5014],
      ...[99.728, 99.6595, 99.6931, 99.4667, 99.9623, 99.8949, 99.8768],
    ];
    const y = logits.map((_, i) => Number(i > 0));
    const areas: unknown[] = [];
    for (const batchSize of [1, 15]) {
      const model = sequential(input({ shape: [1] }), activation("sigmoid"), { backend });
      model.compile({ loss: "binaryCrossentropy", metrics: ["auroc"] });
      areas.push((await model.evaluate({ x: column(logits), y: column(y) }, { batchSize }))["auroc"]);
      await model.close();
      const given = { targets: "probabilities", predictions: "logits" } as const;
      areas.push((await figures(["auroc"], column(y), column(logits), given, { backend, batchSize }))["auroc"]);
    }
    expect(areas[0]).toBeCloseTo(0.928571, 6);
    expect(new Set(areas).size).toBe(1);
  });

  it("what is no probability is not guessed to be a logit: 0.6 exceeds 0.5, whatever else is there", async () => {
    const [y, s] = [column([1, 0, 1]), column([0.6, 0.2, 7])];
    for (const batchSize of [1, 3]) {
      const found = await figures([binaryAccuracy()], y, s, probabilities, { backend, batchSize });
      expect(found["binaryAccuracy"]).toBe(1);
    }
  });

  it("Brier's score of two classes, halved, is that of one label", async () => {
    const [y, p] = [
      [1, 0, 1],
      [0.8, 0.3, 0.4],
    ];
    const expected = (0.2 ** 2 + 0.3 ** 2 + 0.6 ** 2) / 3;
    const one = await figures([brierScore()], column(y), column(p), probabilities, { backend });
    expect(one["brierScore"]).toBeCloseTo(expected, 6);
    const both = f64(
      p.flatMap((each) => [1 - each, each]),
      [3, 2],
    );
    const classes = { targets: "classes", predictions: "probabilities" } as const;
    const metrics = [brierScore(), brierScore({ scaleByHalf: true, name: "half" })];
    const two = await figures(metrics, tensor(y, { dtype: "int32" }), both, classes, { backend });
    expect(two["brierScore"]).toBeCloseTo(2 * expected, 6);
    expect(two["half"]).toBeCloseTo(expected, 6);
  });

  it("calibration: a bin has its lower limit, the last one both, and the positive label may be looked at", async () => {
    // Bins of a half: p = ½ belongs to the upper one, p = 1 to no bin of its own.
    const [y, p] = [column([1, 0, 1, 1]), column([0.5, 0.25, 1, 0.75])];
    const two = { bins: 2, of: "positive" } as const;
    const found = await figures([expectedCalibrationError(two)], y, p, probabilities, { backend });
    expect(found["expectedCalibrationError"]).toBeCloseTo((0.25 + (3 - 2.25)) / 4, 6);
    // Of the top label, p = 0.25 is the confidence 0.75 of a no; p = 0.5 is a no, which is wrong.
    const labels = column([1, 0, 1, 0]);
    const top = await figures([expectedCalibrationError({ bins: 2 })], labels, p, probabilities, { backend });
    expect(top["expectedCalibrationError"]).toBeCloseTo((0.5 + 0.75 + 1 + 0.75 - 2) / 4, 6);
  });

  it("F1 and the correlation of decisions: 0/0 is 0", async () => {
    const found = await figures([f1Score(), mcc()], column([0, 0]), column([0.1, 0.2]), probabilities, { backend });
    expect(found).toMatchObject({ f1Score: 0, mcc: 0 });
  });

  it("R² of 1e4 ± 0.01 is right, that of a constant 1 or 0", async () => {
    const numbers = { targets: "numbers", predictions: "numbers" } as const;
    const y = Array.from({ length: 50 }, (_, i) => Math.fround(1e4 + 0.01 * Math.sin(i)));
    const p = y.map((value, i) => Math.fround(value + 0.004 * Math.cos(3 * i)));
    const mean = y.reduce((a, b) => a + b) / y.length;
    const total = y.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    const rest = y.reduce((sum, value, i) => sum + (value - (p[i] ?? 0)) ** 2, 0);
    const found = await figures([r2Score()], column(y), column(p), numbers, { backend, batchSize: 7 });
    expect(found["r2Score"]).toBeCloseTo(1 - rest / total, 9);
    for (const [wrong, expected] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const constant = await figures([r2Score()], column([3, 3]), column([3, 3 + wrong]), numbers, { backend });
      expect(constant["r2Score"]).toBe(expected);
    }
  });
});

describe("values", () => {
  it("a confusion matrix has actual classes in rows, and honours weights", () => {
    const [actual, predicted] = [
      [0, 1, 1],
      [1, 1, 0],
    ];
    expect(confusionMatrix(actual, predicted, { sampleWeight: [2, 3, 5] }).rows).toEqual([
      [0, 2],
      [5, 3],
    ]);
  });

  it("an operating point is exact, and tells its threshold", async () => {
    const [y, s] = [
      [0, 0, 1, 0, 1, 1],
      [0.1, 0.2, 0.3, 0.6, 0.7, 0.8],
    ];
    expect(await operatingPoint(y, s, { specificity: 0.9 })).toEqual({
      threshold: 0.7,
      sensitivity: 2 / 3,
      specificity: 1,
      precision: 1,
    });
    expect(await operatingPoint(y, s, { sensitivity: 0.9 })).toMatchObject({ threshold: 0.3, specificity: 2 / 3 });
    // No score is above 0.9 in precision here but "never yes", which torchmetrics tells as the threshold 1e6.
    const none = await operatingPoint([0, 1], [0.9, 0.1], { precision: 0.9 });
    expect(none).toMatchObject({ threshold: Infinity, sensitivity: 0 });
  });
});

describe.each(BACKENDS)("optimizers begin, %s", (backend) => {
  it("Adagrad with a sum of 0.1, as Keras, or with that of PyTorch, 0", async () => {
    for (const [initialAccumulatorValue, expected] of [
      [undefined, -1 / Math.sqrt(1.1 + 1e-7)],
      [0, -1 / Math.sqrt(1 + 1e-7)],
    ] as const) {
      const given = initialAccumulatorValue === undefined ? {} : { initialAccumulatorValue };
      const model = trainee([[1]], adagrad({ learningRate: 1, ...given }), { backend });
      const { "w0.weight": weight } = await trainRows(model, [f64([1], [1, 1])]);
      expect(weight?.data[0]).toBeCloseTo(expected, 6);
      await model.close();
    }
  });

  it("gradient descent with Nesterov's look ahead: 1.9 times the rate in the first step", async () => {
    const model = trainee([[1]], sgd({ learningRate: 1, momentum: 0.9, nesterov: true }), { backend });
    const { "w0.weight": weight } = await trainRows(model, [f64([1], [1, 1])]);
    expect(weight?.data[0]).toBeCloseTo(-1.9, 6);
    await model.close();
  });
});
