/** The drawn values are the given ones. */
import { describe, expect, it } from "vitest";
import {
  conv1d,
  conv2d,
  dense,
  input,
  maxPooling2d,
  precisionRecallCurve,
  residual,
  rocCurve,
  sequential,
  tensor,
  Tensor,
} from "torte";
import {
  type Figure,
  plotActivations,
  plotArchitecture,
  plotBars,
  plotCalibration,
  plotConfusionMatrix,
  plotCurves,
  plotEmbedding,
  plotEquivariance,
  plotFilters,
  plotGraph,
  plotHistogram,
  plotHistograms,
  plotParity,
  plotPrecisionRecall,
  plotResiduals,
  plotRoc,
  plotSaliency,
  plotScores,
  plotWindows,
  principalComponents,
  Recording,
} from "@torte/plot";
import { GALLERY } from "../../../scripts/pictures/gallery.js";

type Row = Readonly<Record<string, unknown>>;

/** All data of a specification, those of its layers included. */
function rowsOf(figure: Figure): Row[] {
  const found: Row[] = [];
  const visit = (value: unknown): void => {
    if (typeof value !== "object" || value === null) return;
    const { values } = value as { values?: unknown };
    if (Array.isArray(values)) found.push(...(values as Row[]));
    else Object.values(value).forEach(visit);
  };
  visit(figure.spec);
  return found;
}

const count = (text: string, part: string | RegExp): number => text.split(part).length - 1;

describe("curves", () => {
  const runs = [
    [
      { loss: 3, valLoss: 4 },
      { loss: 1, valLoss: 2 },
      { loss: 0.5, valLoss: NaN },
    ],
    [
      { loss: 5, valLoss: 2 },
      { loss: 3, valLoss: 4 },
    ],
  ];

  it("are the figures of the epochs, with gaps where they are not finite", () => {
    const rows = rowsOf(plotCurves(runs[0] ?? []));
    expect(rows.filter(({ set }) => set === "training").map(({ value }) => value)).toEqual([3, 1, 0.5]);
    expect(rows.filter(({ set }) => set === "validation").map(({ value }) => value)).toEqual([4, 2, null]);
    expect(rows.find(({ text }) => text !== undefined)).toMatchObject({ epoch: 2, text: "best: 2 in epoch 2" });
  });

  it("of seeds are mean and spread over the epochs that all have", () => {
    const training = (spread: "range" | "deviation"): Row[] =>
      rowsOf(plotCurves({ both: runs }, { spread })).filter(({ set }) => set === "training");
    expect(training("range").map(({ value, low, high }) => [value, low, high])).toEqual([
      [4, 3, 5],
      [2, 1, 3],
    ]);
    expect(training("deviation").map(({ low, high }) => [low, high])).toEqual([
      [4 - Math.SQRT2, 4 + Math.SQRT2],
      [2 - Math.SQRT2, 2 + Math.SQRT2],
    ]);
  });

  it("tell where it stopped, what came back, and the diagnosis", () => {
    const figure = plotCurves({ epochs: runs[0] ?? [], ended: "stopped", restoredEpoch: 1 });
    expect(JSON.stringify(figure.spec)).toContain("Stopped early after epoch 3. The model has the weights of epoch 2.");
    expect(rowsOf(figure).filter(({ epoch, text }) => epoch === 3 && text === "")).toHaveLength(1);
  });

  it("mark the largest value where more is better", () => {
    const rows = rowsOf(
      plotCurves([{ accuracy: 0.5 }, { accuracy: 0.7 }, { accuracy: 0.6 }], { figure: "accuracy", best: "max" }),
    );
    expect(rows.find(({ text }) => text !== undefined)).toMatchObject({ epoch: 2 });
  });
});

describe("of classes", () => {
  const targets = [0, 0, 1, 1, 0, 1, 1, 0];
  const scores = [0.1, 0.4, 0.35, 0.8, 0.2, 0.9, 0.6, 0.6];

  it("the curves pass through their corners, and nothing else", async () => {
    const roc = await rocCurve(targets, scores);
    const drawn = rowsOf(plotRoc(roc)).filter(({ name }) => name !== undefined);
    const all = roc.falsePositiveRate.map((x, i) => `${x},${roc.truePositiveRate[i] ?? NaN}`);
    for (const { x, y } of drawn) expect(all).toContain(`${String(x)},${String(y)}`);
    // The area of what is drawn is that of the curve.
    const area = drawn.slice(1).reduce((sum, { x, y }, i) => {
      const before = drawn[i] as { x: number; y: number };
      return sum + ((Number(x) - before.x) * (Number(y) + before.y)) / 2;
    }, 0);
    expect(area).toBeCloseTo(roc.area, 12);
    const pr = await precisionRecallCurve(targets, scores);
    const steps = rowsOf(plotPrecisionRecall(pr)).filter(({ name }) => name !== undefined);
    const all2 = pr.recall.map((x, i) => `${x},${pr.precision[i] ?? NaN}`);
    for (const { x, y } of steps) expect(all2).toContain(`${String(x)},${String(y)}`);
  });

  it("confusion: counts and shares of the true class", () => {
    const rows = rowsOf(
      plotConfusionMatrix(
        {
          rows: [
            [3, 1],
            [0, 0],
          ],
        },
        { labels: ["no", "yes"] },
      ),
    );
    expect(rows.map(({ true: actual, predicted, count: n, share }) => [actual, predicted, n, share])).toEqual([
      ["no", "no", 3, 0.75],
      ["no", "yes", 1, 0.25],
      ["yes", "no", 0, 0],
      ["yes", "yes", 0, 0],
    ]);
  });

  it("calibration: means and shares of the bins, with Wilson's intervals", () => {
    const rows = rowsOf(plotCalibration(targets, scores, { bins: 2 })).filter((row) => row["count"] !== undefined);
    expect(rows.slice(2)).toEqual(rows.slice(0, 2)); // intervals and line
    expect(rows[0]).toMatchObject({ count: 4, share: 0.25 });
    expect(rows[0]?.["mean"]).toBeCloseTo(0.2625, 12);
    // statsmodels: proportion_confint(1, 4, method="wilson")
    expect(rows[0]?.["low"]).toBeCloseTo(0.0455873, 6);
    expect(rows[0]?.["high"]).toBeCloseTo(0.6993582, 6);
  });

  it("scores and histograms: each value in one bin, the last one with both limits", () => {
    const bars = rowsOf(plotHistogram([0, 0.5, 1, 1, 2], { bins: 4 })).map(({ count: n }) => n);
    expect(bars).toEqual([1, 1, 2, 1]);
    const rows = rowsOf(plotScores(targets, scores, { bins: 10 })).filter((row) => row["count"] !== undefined);
    expect(rows.reduce((sum, row) => sum + Number(row["count"]), 0)).toBe(8);
    expect(
      rows.filter(({ name }) => name === "class 0").reduce((sum, row) => sum + Number(row["share"]), 0),
    ).toBeCloseTo(1, 12);
  });
});

it("parity, residuals and bars hold what was given", () => {
  const [targets, predicted] = [
    [1, 2, 3],
    [1.5, 2, 2],
  ];
  expect(rowsOf(plotParity(targets, predicted)).slice(-3)).toEqual([
    { true: 1, predicted: 1.5 },
    { true: 2, predicted: 2 },
    { true: 3, predicted: 2 },
  ]);
  expect(
    rowsOf(plotResiduals(targets, predicted))
      .slice(-3)
      .map(({ residual: r }) => r),
  ).toEqual([0.5, 0, -1]);
  expect(rowsOf(plotBars([{ label: "a", value: 2, low: 1, high: 3, count: 1200 }]))[0]).toMatchObject({
    label: "a (1,200)",
    value: 2,
    low: 1,
    high: 3,
  });
});

it("activations are least where the chapter's figure says", async () => {
  const rows = rowsOf(await plotActivations(["relu", "swish", "gelu"]));
  const least = (name: string): Row =>
    rows.filter((row) => row["name"] === name).reduce((a, b) => (Number(b["y"]) < Number(a["y"]) ? b : a));
  expect(Math.abs(Number(least("swish")["y"]) + 0.278465)).toBeLessThan(1e-6);
  expect(Math.abs(Number(least("swish")["x"]) + 1.278465)).toBeLessThan(2e-6);
  expect(Math.abs(Number(least("gelu")["y"]) + 0.169971)).toBeLessThan(1e-6);
  expect(Math.abs(Number(least("gelu")["x"]) + 0.751793)).toBeLessThan(2e-6);
  const both = rowsOf(await plotActivations(["tanh"], { derivatives: true, from: -1, to: 1 }));
  const middle = both.filter(({ name, x }) => name === "tanh" && Math.abs(Number(x)) < 1e-6);
  expect(middle.map(({ y }) => Number(y).toFixed(6))).toEqual(["0.000000", "1.000000"]);
});

describe("diagrams", () => {
  it("the chapter's network has the sizes of its figure", async () => {
    const figure = await GALLERY["architecture"]?.({});
    expect(figure?.description).toBe(
      "3@64×64, Convolution 17×17, relu, 24@48×48, Max pooling 3×3, 24@16×16, Flatten, Dense, relu, 1×256, Dense, softmax, 1×128. 1,626,848 parameters.",
    );
    const texts = [...((await figure?.toSVG()) ?? "").matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text);
    for (const text of ["3@64×64", "24@48×48", "24@16×16", "1×256", "1×128", "1,626,848 parameters"])
      expect(texts).toContain(text);
  });

  it("a way around layers is an edge of its own; blocks are clusters", () => {
    const model = sequential(
      input({ shape: [8] }),
      residual([dense({ units: 8, activation: "relu" })]),
      dense({ units: 1 }),
      { name: "small" },
    );
    const graph = plotGraph(model);
    expect(graph.toMermaid()).toMatchInlineSnapshot(`
      "flowchart TD
        n0["input<br>1×8"]
        subgraph b0["residual"]
          n1["dense: Dense, relu<br>1×8<br>72 parameters"]
          n2["add: +<br>1×8"]
        end
        n3["dense: Dense<br>1×1<br>9 parameters"]
        n0 --> n1
        n0 --> n2
        n1 --> n2
        n2 --> n3
      "
    `);
    expect(graph.toDOT()).toMatchInlineSnapshot(`
      "digraph model {
        node [shape=box];
        n0 [label="input\\n1×8"];
        subgraph cluster_0 { label="residual";
          n1 [label="dense: Dense, relu\\n1×8\\n72 parameters"];
          n2 [label="add: +\\n1×8"];
        }
        n3 [label="dense: Dense\\n1×1\\n9 parameters"];
        n0 -> n1;
        n0 -> n2;
        n1 -> n2;
        n2 -> n3;
      }
      "
    `);
    expect(plotGraph(model, { expand: false }).toDOT()).not.toContain("cluster");
    expect(plotArchitecture(model).description).toContain("+ of input and dense");
  });

  it("names with quotes and angle brackets stay names", async () => {
    const graph = plotGraph(sequential(input({ shape: [2] }), dense({ units: 1, name: 'a "b" <c>' })));
    expect(graph.toMermaid()).toContain("a #quot;b#quot; &lt;c&gt;");
    expect(graph.toDOT()).toContain('a \\"b\\" <c>');
    expect(await graph.toSVG()).toContain("a &quot;b&quot; &lt;c&gt;");
  });
});

it("dropout: the masks of the layers themselves; crossed-out nodes have no edges", async () => {
  const figure = await GALLERY["dropout"]?.({});
  expect(figure?.description).toContain("crossed out by layer: 2, 3, 2, 0;");
  const svg = (await figure?.toSVG()) ?? "";
  const frames = svg.split("<g class=").slice(1);
  const [whole = "", first = ""] = frames;
  expect([count(whole, "<line"), count(whole, /<path/)]).toEqual([6 * 6 + 6 * 6 + 6, 0]);
  expect([count(first, "<line"), count(first, /<path/)]).toEqual([4 * 3 + 3 * 4 + 4, 7]);
  expect([...first.matchAll(/>× ([\d.]+)</g)].map(([, factor]) => Number(factor))).toEqual([1.5, 2, 1.5]);
});

it("windows: what each element sees, with the padding", async () => {
  const same = plotWindows(
    sequential(input({ shape: [9, 2] }), conv1d({ filters: 1, kernelSize: 5, padding: "same" })),
    { steps: 9 },
  );
  const frames = (await same.toSVG()).split("<g class=").slice(1);
  // At the borders two of the five positions are padding.
  expect(frames.map((frame) => count(frame, 'fill="#0072b2"'))).toEqual([3, 4, 5, 5, 5, 5, 5, 4, 3]);
  const pooled = plotWindows(sequential(input({ shape: [6, 6, 1] }), maxPooling2d({ poolSize: 3 })));
  expect(
    (await pooled.toSVG())
      .split("<g class=")
      .slice(1)
      .map((frame) => count(frame, 'fill="#0072b2"')),
  ).toEqual([9, 9, 9, 9]);
  const deep = sequential(input({ shape: [20, 20, 1] }), conv2d({ filters: 1, kernelSize: 3 }), maxPooling2d());
  expect(plotWindows(deep).description).toContain("each of 9 elements along height sees 4 of 20 positions, 2 further");
});

it("principal components are those of a singular value decomposition", () => {
  // numpy: u, s, vt = svd(x - x.mean(0)); points = u * s, signs so that the largest coordinate of each direction is positive
  const table = [2, 0, 1, -1, 3, 0.5, 0, 1, -2, 4, -1, 1, 1, 1, 3];
  const { points, shares } = principalComponents(table, 5, 3);
  const expected = [
    [1.1524917947, -0.122480065],
    [-2.9566723809, 0.918574966],
    [-1.943264473, -2.2229855465],
    [3.2273838008, -0.8143975626],
    [0.5200612584, 2.2412882081],
  ] as const;
  points.forEach((point, i) => point.forEach((value, k) => expect(value).toBeCloseTo(expected[i]?.[k] ?? NaN, 9)));
  expect(shares[0]).toBeCloseTo(0.6739806491, 9);
  expect(shares[1]).toBeCloseTo(0.3155786345, 9);
  expect(
    plotEmbedding(
      tensor([
        [1, 0],
        [0, 1],
        [1, 1],
      ]),
    ).description,
  ).toContain("3 rows of 2 numbers");
});

it("logos: the highest letters of a kernel made of a motif", () => {
  const motif = "GATTACA";
  const kernel = Float32Array.from({ length: 7 * 4 }, (_, i) =>
    "ACGT"[i % 4] === motif[Math.floor(i / 4)] ? 1 : -0.2,
  );
  const given = new Tensor(kernel, [7, 4, 1], "float32");
  expect(plotFilters(given, { letters: "ACGT" }).description).toContain("Highest letters: GATTACA.");
  // Through an embedding that turns the letters around, they come out turned around.
  const turned = tensor([
    [0, 0, 0, 1],
    [0, 0, 1, 0],
    [0, 1, 0, 0],
    [1, 0, 0, 0],
  ]);
  expect(plotFilters(given, { letters: "TGCA", embedding: turned }).description).toContain("GATTACA");
});

it("saliency: the highest positions, in an image over its channels", () => {
  expect(plotSaliency([0, -3, 1], { letters: "MKV" }).description).toContain("highest at 2 (K) −3, 3 (V) 1, 1 (M) 0");
  const map = new Tensor(Float32Array.from([0, 1, 0, 0, 0, 0, -5, 0]), [1, 2, 2, 2], "float32");
  expect(plotSaliency(map).description).toContain("highest at row 2, column 2, −5");
});

it("equivariance: none is lost inside a convolution; a flattened output is refused", async () => {
  const model = sequential(input({ shape: [16, 1] }), conv1d({ filters: 2, kernelSize: 3, padding: "same" }));
  const x = new Float32Array(16);
  x[5] = 1;
  const figure = await plotEquivariance(model, new Tensor(x, [1, 16, 1], "float32"), { by: 4 });
  expect(figure.description).toMatch(/largest difference (0|\de−\d+),/);
  const flat = sequential(input({ shape: [16] }), dense({ units: 2 }));
  await expect(plotEquivariance(flat, new Tensor(x, [1, 16], "float32"))).rejects.toThrow(/no positions/);
});

it("a recording holds the weights after each epoch, activations and gradients of its rows", async () => {
  const model = sequential(input({ shape: [2] }), dense({ units: 3, activation: "tanh" }), dense({ units: 1 }));
  model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
  const data = {
    x: tensor([
      [0, 1],
      [1, 0],
    ]),
    y: tensor([[1], [0]]),
  };
  const recording = new Recording(data);
  await model.fit(data, { epochs: 3, verbose: 0, callbacks: [recording] });
  const kernel = recording.samples("weights").get("dense.kernel") ?? [];
  expect(kernel.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
  expect([...(kernel[2]?.values as Float32Array)]).toEqual([
    ...((await model.getWeights())["dense.kernel"]?.data ?? []),
  ]);
  const last = recording.samples("activations").get("dense_1")?.[2]?.values as Float32Array;
  expect([...last]).toEqual([...(await model.predict(data.x)).data]);
  const { weights } = await model.gradients(data);
  const gradient = recording.samples("gradients").get("dense_1.bias")?.[2]?.values as Float32Array;
  expect(gradient[0]).toBeCloseTo(weights["dense_1.bias"]?.data[0] ?? NaN, 5);
  expect(plotHistograms(recording, { of: "activations" }).description).toContain("dense_1: median");
});

it("no coordinate has more than three decimals, so that figures are small and alike on every engine", async () => {
  const figures = [
    plotHistogram([0.1, 0.2, 0.7, 1 / 3], { bins: 3 }),
    plotCurves([{ loss: 1 / 3 }, { loss: 1 / 7 }, { loss: 1e-9 }]),
  ];
  for (const svg of await Promise.all(figures.map((figure) => figure.toSVG()))) {
    const placed = [...svg.matchAll(/ (?:d|transform|x|y|x1|x2|y1|y2|width|height)="([^"]*)"/g)].map(
      ([, text = ""]) => text,
    );
    expect(placed.length).toBeGreaterThan(10);
    expect(placed.filter((text) => /\.\d{4}|\de-?\d/.test(text))).toEqual([]);
  }
});

it("pixels keep their colours in dark mode, also those that are like a colour of the theme", async () => {
  const image = Array.from({ length: 100 }, (_, i) => Array.from({ length: 41 }, (_, j) => ((i + j) % 41) / 40));
  const figure = plotSaliency(new Tensor(new Float32Array(4100), [100, 41], "float32"), { image: tensor(image) });
  const fills = async (theme: "light" | "dark"): Promise<string[]> => {
    const svg = await figure.toSVG({ theme });
    return [...svg.matchAll(/<rect [^>]*width="[^"]*"[^>]* fill="(#[0-9A-F]{6})"/g)].map(([, fill = ""]) => fill);
  };
  const light = await fills("light");
  expect(light.length).toBeGreaterThan(100);
  expect(await fills("dark")).toEqual(light);
});

it("derivatives are thinner than their activations", async () => {
  const svg = await (await plotActivations(["tanh"], { derivatives: true })).toSVG();
  const widths = [...svg.matchAll(/<path [^>]*stroke-width="(0\.9|2\.2)"/g)].map(([, width]) => width);
  expect(widths.toSorted()).toEqual(["0.9", "2.2"]);
});
