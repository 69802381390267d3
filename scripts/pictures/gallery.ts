/** Every figure of @torte/plot once, by name: for the documentation, for the tests, and to look at. */
import {
  type DrawnStudy,
  type Figure,
  type FigureOptions,
  plotActivations,
  plotArchitecture,
  plotBars,
  plotCalibration,
  plotConfusionMatrix,
  plotCurves,
  plotDropout,
  plotEmbedding,
  plotEquivariance,
  plotFilters,
  plotGradientFlow,
  plotGraph,
  plotHistogram,
  plotHistograms,
  plotLearningRateRange,
  plotParity,
  plotPrecisionRecall,
  plotResiduals,
  plotRoc,
  plotSaliency,
  plotScores,
  plotStudyContour,
  plotStudyCurves,
  plotStudyFront,
  plotStudyHistory,
  plotStudyParallel,
  plotStudySlice,
  plotStudyTimeline,
  plotWindows,
  Recording,
} from "@torte/plot";
import {
  adam,
  add,
  type AnyModel,
  checkGradientFlow,
  concatenate,
  confusionMatrix,
  conv1d,
  conv2d,
  dense,
  dropout,
  embedding,
  flatten,
  functional,
  globalMaxPooling1d,
  input,
  learningRateRange,
  maxPooling1d,
  maxPooling2d,
  precisionRecallCurve,
  residual,
  rocCurve,
  sequential,
  Tensor,
  tensor,
} from "torte";

/** Numbers that look like measured ones, the same each time (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Forty trials over a rate and a width, of which the poor ones were stopped early. */
function study(): DrawnStudy {
  const next = numbers(41);
  const trials = Array.from({ length: 40 }, (_, number) => {
    const [rate, units] = [10 ** (-4 + 3 * next()), 8 * 2 ** Math.floor(5 * next())];
    const floor = 0.3 + 0.12 * (Math.log10(rate) + 2.4) ** 2 + 0.4 / units;
    const epochs = Array.from({ length: floor < 0.42 ? 27 : 3 }, (__, epoch) => [
      floor + 0.5 * Math.exp(-epoch / 4) + 0.02 * next(),
    ]);
    const activation = ["relu", "tanh", "swish"][number % 3] ?? "";
    return { number, values: { rate, units, activation }, results: epochs.at(-1), epochs };
  });
  const parameters = [
    { name: "rate", kind: "float", log: true, min: 1e-4, max: 1e-1 },
    { name: "units", kind: "int", log: true, min: 8, max: 128 },
    { name: "activation", kind: "categorical", choices: ["relu", "tanh", "swish"] },
  ];
  return { trials, space: { parameters }, objectives: [{ metric: "valLoss", direction: "min" }] };
}

/** The same trials with what they weigh as a second objective. */
function weighed(): DrawnStudy {
  const { trials, space, objectives } = study();
  const costs = trials.map(({ values, results, ...others }) => ({
    ...others,
    values,
    results: [results?.[0] ?? 0, 40 * Number(values["units"]) + 300],
  }));
  return { trials: costs, space, objectives: [...objectives, { metric: "parameters", direction: "min" }] };
}

/** Three workers; poor trials are pruned, and one has failed. */
function timed(): DrawnStudy {
  const { trials, ...others } = study();
  const clock = [0, 0, 0];
  const spans = trials.map(({ epochs, ...trial }, i) => {
    const worker = clock.indexOf(Math.min(...clock));
    const from = clock[worker] ?? 0;
    clock[worker] = from + 180 * epochs.length + 40 * (i % 4);
    const state = i === 7 ? "failed" : epochs.length > 3 ? "complete" : "pruned";
    return { ...trial, epochs, state, spans: [{ worker: String(worker), from, to: from + 180 * epochs.length }] };
  });
  return { trials: spans, ...others };
}

const normal = (next: () => number): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
const logistic = (x: number): number => 1 / (1 + Math.exp(-x));

function scored(count: number, strength: number, seed: number): { targets: number[]; scores: number[] } {
  const next = numbers(seed);
  const targets = Array.from({ length: count }, () => Number(next() < 0.42));
  return { targets, scores: targets.map((y) => logistic(strength * (y - 0.5) + normal(next))) };
}

function epochs(count: number, seed: number, overfits: number): Record<string, number>[] {
  const next = numbers(seed);
  return Array.from({ length: count }, (_, i) => ({
    loss: 0.25 + 0.5 * Math.exp(-i / 5) + 0.01 * next(),
    accuracy: 0.85 - 0.3 * Math.exp(-i / 5) + 0.01 * next(),
    valLoss: 0.4 + 0.32 * Math.exp(-i / 4) + overfits * i + 0.02 * next(),
    valAccuracy: 0.74 - 0.2 * Math.exp(-i / 4) - overfits * i + 0.02 * next(),
  }));
}

const CLASSES = ["cytoplasm", "membrane", "nucleus", "secreted"];

/** The network of the chapter's first figure. */
const chapterFigure = (): AnyModel =>
  sequential(
    input({ shape: [64, 64, 3] }),
    conv2d({ filters: 24, kernelSize: 17, activation: "relu" }),
    maxPooling2d({ poolSize: 3 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 128, activation: "softmax" }),
    { name: "Figure 7.1" },
  );

/** The chapter's network for sequences, with a residual block and masks. */
const sequenceModel = (): AnyModel =>
  sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16, maskZero: true }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    residual([conv1d({ filters: 16, kernelSize: 3, padding: "same", activation: "relu" }), dropout({ rate: 0.2 })]),
    globalMaxPooling1d(),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
    { name: "Sequences with a residual block" },
  );

/** Two inputs, a branch around two layers, two outputs. */
function branchedModel(): AnyModel {
  const sequence = input({ shape: [100, 4], name: "sequence" });
  const facts = input({ shape: [8], name: "facts" });
  const pooled = globalMaxPooling1d()(conv1d({ filters: 32, kernelSize: 9, activation: "relu" })(sequence));
  const both = concatenate()([pooled, dense({ units: 16, activation: "relu" })(facts)]);
  const hidden = dense({ units: 48, activation: "relu" })(dense({ units: 48, activation: "relu" })(both));
  const joined = add()([hidden, both]);
  const outputs = [
    dense({ units: 1, activation: "sigmoid", name: "soluble" })(joined),
    dense({ units: 3, activation: "softmax", name: "place" })(joined),
  ];
  return functional({ inputs: [sequence, facts], outputs, name: "Two inputs, two outputs" });
}

/** What is kept of a small network while it learns. */
async function recorded(): Promise<Recording> {
  const next = numbers(41);
  const x = Array.from({ length: 128 }, () => [normal(next), normal(next)]);
  const y = x.map(([a = 0, b = 0]) => [Number(a * b > 0)]);
  const model = sequential(
    input({ shape: [2] }),
    dense({ units: 16, activation: "tanh" }),
    dense({ units: 16, activation: "tanh" }),
    dense({ units: 1, activation: "sigmoid" }),
  );
  model.compile({ optimizer: adam({ learningRate: 0.01 }), loss: "binaryCrossentropy" });
  const data = { x: tensor(x), y: tensor(y) };
  const recording = new Recording(data);
  await model.fit(data, { epochs: 20, batchSize: 32, verbose: 0, callbacks: [recording] });
  return recording;
}

type Make = (sizes: FigureOptions) => Figure | Promise<Figure>;

export const GALLERY: Readonly<Record<string, Make>> = {
  curves: (sizes) => plotCurves({ epochs: epochs(16, 3, 0.008), ended: "stopped", restoredEpoch: 8 }, { ...sizes }),
  "curves-runs": (sizes) =>
    plotCurves({ "without dropout": epochs(20, 5, 0.012), "with dropout": epochs(20, 6, 0.002) }, { ...sizes }),
  "curves-seeds": (sizes) =>
    plotCurves(
      {
        plain: [1, 2, 3, 4, 5].map((seed) => epochs(24, seed, 0.01)),
        residual: [6, 7, 8, 9].map((seed) => epochs(24, seed, 0.003)),
      },
      { figure: "accuracy", ...sizes },
    ),
  "confusion-matrix": (sizes) => {
    const next = numbers(8);
    const targets = Array.from({ length: 900 }, () => Math.floor(4 * next() ** 1.3));
    const predicted = targets.map((y) => (next() < 0.72 ? y : Math.floor(4 * next())));
    return plotConfusionMatrix(confusionMatrix(targets, predicted), { labels: CLASSES, ...sizes });
  },
  roc: async (sizes) => {
    const [a, b] = [scored(600, 2, 1), scored(600, 1, 1)];
    return plotRoc(
      { network: await rocCurve(a.targets, a.scores), "logistic regression": await rocCurve(b.targets, b.scores) },
      sizes,
    );
  },
  "precision-recall": async (sizes) => {
    const { targets, scores } = scored(600, 2, 1);
    return plotPrecisionRecall(await precisionRecallCurve(targets, scores), sizes);
  },
  calibration: (sizes) => {
    const { targets, scores } = scored(1200, 2, 4);
    return plotCalibration(targets, scores, sizes);
  },
  scores: (sizes) => {
    const { targets, scores } = scored(1200, 2, 4);
    return plotScores(targets, scores, { threshold: 0.46, labels: ["insoluble", "soluble"], ...sizes });
  },
  histogram: (sizes) => {
    const next = numbers(11);
    return plotHistogram(
      Array.from({ length: 2000 }, () => Math.round(120 * Math.exp(0.4 * normal(next)))),
      { axis: "Length of the sequence", ...sizes },
    );
  },
  parity: (sizes) => {
    const next = numbers(12);
    const targets = Array.from({ length: 400 }, () => 3 * normal(next) - 2);
    return plotParity(
      targets,
      targets.map((y) => 0.9 * y + normal(next)),
      { quantity: "log S", ...sizes },
    );
  },
  residuals: (sizes) => {
    const next = numbers(12);
    const targets = Array.from({ length: 400 }, () => 3 * normal(next) - 2);
    return plotResiduals(
      targets,
      targets.map((y) => 0.9 * y + normal(next)),
      { quantity: "log S", ...sizes },
    );
  },
  bars: (sizes) =>
    plotBars(
      [
        { label: "up to 100", value: 0.812, low: 0.76, high: 0.85, count: 212 },
        { label: "101 to 200", value: 0.741, low: 0.712, high: 0.77, count: 1640 },
        { label: "over 200", value: 0.69, low: 0.62, high: 0.75, count: 98 },
      ],
      { axis: "AUROC", title: "AUROC by length", mark: "point", reference: { label: "chance", value: 0.5 }, ...sizes },
    ),
  "bars-groups": (sizes) =>
    plotBars(
      ["accuracy", "AUROC", "average precision"].flatMap((label, i) => [
        { label, group: "model", value: 0.69 + 0.03 * i, low: 0.67 + 0.03 * i, high: 0.71 + 0.03 * i },
        { label, group: "composition only", value: 0.6 + 0.03 * i, low: 0.58 + 0.03 * i, high: 0.62 + 0.03 * i },
      ]),
      { title: "Test figures", ...sizes },
    ),
  architecture: (sizes) => plotArchitecture(chapterFigure(), sizes),
  "architecture-sequence": (sizes) => plotArchitecture(sequenceModel(), sizes),
  "architecture-branches": (sizes) => plotArchitecture(branchedModel(), sizes),
  graph: (sizes) => plotGraph(branchedModel(), sizes),
  "graph-blocks": (sizes) => plotGraph(sequenceModel(), sizes),
  activations: (sizes) => plotActivations(["relu", "swish", "gelu"], sizes),
  "activations-derivatives": (sizes) =>
    plotActivations(["tanh", "selu", "mish"], { from: -4, to: 4, derivatives: true, ...sizes }),
  "learning-rate-range": async (sizes) => {
    const next = numbers(21);
    const x = Array.from({ length: 64 }, () => [normal(next), normal(next)]);
    const y = x.map(([a = 0, b = 0]) => [Math.sin(2 * a) + b + 0.2 * normal(next)]);
    const model = sequential(input({ shape: [2] }), dense({ units: 16, activation: "tanh" }), dense({ units: 1 }));
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    return plotLearningRateRange(
      await learningRateRange(model, { x: tensor(x), y: tensor(y) }, { from: 1e-4, batchSize: 16 }),
      sizes,
    );
  },
  "study-history": (sizes) => plotStudyHistory(study(), sizes),
  "study-slice": (sizes) => plotStudySlice(study(), "rate", sizes),
  "study-curves": (sizes) => plotStudyCurves(study(), sizes),
  "study-parallel": (sizes) => plotStudyParallel(study(), sizes),
  "study-contour": (sizes) => plotStudyContour(study(), ["rate", "units"], sizes),
  "study-front": (sizes) => plotStudyFront(weighed(), sizes),
  "study-timeline": (sizes) => plotStudyTimeline(timed(), sizes),
  "gradient-flow": async (sizes) => {
    const deep = Array.from({ length: 24 }, () => residual([dense({ units: 8, activation: "sigmoid" })]));
    const model = sequential(input({ shape: [8] }), ...deep, dense({ units: 1 }));
    model.compile({ loss: "meanSquaredError" });
    const next = numbers(22);
    const x = Array.from({ length: 8 }, () => Array.from({ length: 8 }, () => normal(next)));
    const flow = await checkGradientFlow(model, { x: tensor(x), y: tensor(x.map(([a = 0]) => [a])) });
    return plotGradientFlow(flow, sizes);
  },
  histograms: async (sizes) => plotHistograms(await recorded(), { of: "gradients", ...sizes }),
  "histograms-weights": async (sizes) => plotHistograms(await recorded(), sizes),
  dropout: (sizes) =>
    plotDropout(
      sequential(
        input({ shape: [6] }),
        dropout({ rate: 1 / 3, rescale: "realized" }),
        dense({ units: 6 }),
        dropout({ rate: 1 / 2, rescale: "realized" }),
        dense({ units: 6 }),
        dropout({ rate: 1 / 3, rescale: "realized" }),
        dense({ units: 1 }),
      ),
      { seed: 1, ...sizes },
    ),
  windows: (sizes) =>
    plotWindows(sequential(input({ shape: [16, 4] }), conv1d({ filters: 8, kernelSize: 5, padding: "same" })), sizes),
  "windows-pooling": (sizes) =>
    plotWindows(sequential(input({ shape: [8, 8, 1] }), maxPooling2d({ poolSize: 2 })), sizes),
  "windows-plane": (sizes) =>
    plotWindows(
      sequential(input({ shape: [9, 9, 1] }), conv2d({ filters: 1, kernelSize: 3, strides: 2, padding: "same" })),
      sizes,
    ),
  embedding: (sizes) => {
    const next = numbers(31);
    const groups = [..."ACDEFGHIKLMNPQRSTVWY"].map((letter) =>
      "DEKRH".includes(letter) ? "charged" : "STNQCGP".includes(letter) ? "polar or special" : "hydrophobic",
    );
    const rows = groups.map((group) =>
      Array.from(
        { length: 8 },
        (_, i) =>
          normal(next) * 0.5 +
          (group === "charged" ? Number(i < 3) : group === "polar or special" ? -Number(i > 4) : 0) * 1.5,
      ),
    );
    return plotEmbedding(tensor(rows), { labels: [..."ACDEFGHIKLMNPQRSTVWY"], groups, ...sizes });
  },
  filters: (sizes) => {
    const next = numbers(32);
    const kernel = Float32Array.from({ length: 7 * 4 * 6 }, () => normal(next) ** 3 * 0.2);
    return plotFilters(new Tensor(kernel, [7, 4, 6], "float32"), { letters: "TCAG", ...sizes });
  },
  "filters-images": (sizes) => {
    const kernel = Float32Array.from({ length: 7 * 7 * 12 }, (_, i) => {
      const [k, at] = [i % 12, Math.floor(i / 12)];
      const [x, y] = [(at % 7) - 3, Math.floor(at / 7) - 3];
      const angle = (k * Math.PI) / 6;
      return Math.exp(-(x * x + y * y) / 8) * Math.sin(1.2 * (x * Math.cos(angle) + y * Math.sin(angle)));
    });
    return plotFilters(new Tensor(kernel, [7, 7, 1, 12], "float32"), sizes);
  },
  "filters-channels": (sizes) => {
    const next = numbers(33);
    return plotFilters(
      new Tensor(
        Float32Array.from({ length: 5 * 6 * 8 }, () => normal(next)),
        [5, 6, 8],
        "float32",
      ),
      sizes,
    );
  },
  saliency: (sizes) => {
    const next = numbers(34);
    const letters = Array.from({ length: 75 }, () => "ACDEFGHIKLMNPQRSTVWY"[Math.floor(20 * next())] ?? "A");
    const values = letters.map((_, i) => normal(next) ** 2 * (i < 12 || i > 64 ? 1 : 0.2));
    return plotSaliency(values, { letters, ...sizes });
  },
  "saliency-image": (sizes) => {
    const image = Float32Array.from({ length: 28 * 28 }, (_, i) => {
      const [x, y] = [(i % 28) - 13.5, Math.floor(i / 28) - 13.5];
      return Math.exp(-((Math.hypot(x, y) - 8) ** 2) / 4);
    });
    const map = image.map((value, i) => value * Math.sin(i / 9));
    return plotSaliency(new Tensor(map, [28, 28], "float32"), {
      image: new Tensor(image, [28, 28], "float32"),
      ...sizes,
    });
  },
  equivariance: (sizes) => {
    const model = sequential(
      input({ shape: [40, 1] }),
      conv1d({ filters: 4, kernelSize: 5, padding: "same", activation: "relu" }),
      conv1d({ filters: 1, kernelSize: 5, padding: "same" }),
      { seed: 3 },
    );
    const x = Float32Array.from(
      { length: 40 },
      (_, i) => Math.exp(-((i - 12) ** 2) / 6) - 0.6 * Math.exp(-((i - 20) ** 2) / 3),
    );
    return plotEquivariance(model, new Tensor(x, [1, 40, 1], "float32"), { by: 8, ...sizes });
  },
  "equivariance-image": (sizes) => {
    const model = sequential(
      input({ shape: [24, 24, 1] }),
      conv2d({ filters: 1, kernelSize: 5, padding: "same" }),
      maxPooling2d(),
      {
        seed: 2,
      },
    );
    const x = Float32Array.from({ length: 576 }, (_, i) =>
      Number(Math.hypot((i % 24) - 8, Math.floor(i / 24) - 8) < 5),
    );
    return plotEquivariance(model, new Tensor(x, [1, 24, 24, 1], "float32"), { by: 6, axis: 2, ...sizes });
  },
};
