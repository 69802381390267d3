/** Bad input is refused by name; what is heavy is loaded where it is used; pictures need nothing of the machine. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { conv1d, dense, input, sequential, tensor, Tensor } from "torte";
import {
  type DrawnStudy,
  Figure,
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
import { gifOf } from "../src/gif.js";
import { pixelsOf } from "../src/png.js";
import { GALLERY } from "../../../scripts/pictures/gallery.js";

const nothing = undefined as never;
const model = sequential(input({ shape: [4] }), dense({ units: 2 }));
const wide = { width: 10 };
const studyOf = (results: readonly number[] | undefined): DrawnStudy => ({
  trials: [{ number: 0, values: { rate: 0.1 }, results, epochs: [] }],
  objectives: [{ metric: "loss", direction: "min" }],
  space: { parameters: [{ name: "rate", kind: "float" }] },
});
const [unfinished, finished] = [studyOf(undefined), studyOf([0.5])];

/** For each function: calls that must be refused, with what the message says beside the function's name. */
const REFUSED: Readonly<Record<string, readonly (readonly [RegExp, () => unknown])[]>> = {
  plotCurves: [
    [/no run to draw/, () => plotCurves(nothing)],
    [/no run to draw/, () => plotCurves({ a: 3 } as never)],
    [/no epochs/, () => plotCurves([])],
    [/no run has a finite "accuracy": expected loss/, () => plotCurves([{ loss: 1 }], { figure: "accuracy" })],
    [/best is unknown/, () => plotCurves([{ loss: 1 }, { loss: 2 }], { best: "most" as never })],
    [/spread is unknown/, () => plotCurves([{ loss: 1 }, { loss: 2 }], { spread: "most" as never })],
    [/unknown option "widht".*Did you mean "width"/, () => plotCurves([{ loss: 1 }], { widht: 3 } as never)],
    [/width is out of range/, () => plotCurves([{ loss: 1 }], wide)],
    [/title is no text/, () => plotCurves([{ loss: 1 }], { title: 3 as never })],
  ],
  plotConfusionMatrix: [
    [/no confusion matrix/, () => plotConfusionMatrix(nothing)],
    [/no confusion matrix/, () => plotConfusionMatrix({ rows: [[1, 2]] })],
    [/no confusion matrix/, () => plotConfusionMatrix({ rows: [[NaN]] })],
    [/labels do not fit/, () => plotConfusionMatrix({ rows: [[1]] }, { labels: ["a", "b"] })],
  ],
  plotRoc: [
    [/nothing of the right kind/, () => plotRoc(nothing)],
    [
      /nothing of the right kind/,
      () => plotRoc({ falsePositiveRate: [0], truePositiveRate: [0, 1], thresholds: [], area: 1 }),
    ],
  ],
  plotPrecisionRecall: [[/nothing of the right kind/, () => plotPrecisionRecall({ a: 3 } as never)]],
  plotCalibration: [
    [/no class of two/, () => plotCalibration([0, 2], [0.1, 0.2])],
    [/out of range.*1\.2 at 1/, () => plotCalibration([0, 1], [0.1, 1.2])],
    [/different lengths/, () => plotCalibration([0, 1], [0.1])],
    [/too few targets/, () => plotCalibration([], [])],
    [/bins is out of range/, () => plotCalibration([0], [0], { bins: 1 })],
  ],
  plotScores: [
    [/NaN at 1/, () => plotScores([0, 1], [0, NaN])],
    [/threshold is out of range/, () => plotScores([0, 1], [0, 1], { threshold: NaN })],
  ],
  plotHistogram: [
    [/nothing of the right kind/, () => plotHistogram(nothing)],
    [/too few values/, () => plotHistogram([])],
    [/Infinity at 0/, () => plotHistogram([Infinity])],
    [/too far apart/, () => plotHistogram([-1.7e308, 1.7e308])],
  ],
  plotParity: [[/different lengths/, () => plotParity([1, 2], [1])]],
  plotResiduals: [[/no finite number/, () => plotResiduals([1], ["1" as never])]],
  plotBars: [
    [/no bars/, () => plotBars([])],
    [/bar 0 cannot/, () => plotBars([{ label: "a", value: 1, low: 2, high: 3 }])],
    [/mark is unknown/, () => plotBars([{ label: "a", value: 1 }], { mark: "pie" as never })],
  ],
  plotLearningRateRange: [[/no range/, () => plotLearningRateRange({ rates: [1] } as never)]],
  plotGradientFlow: [[/no gradient flow/, () => plotGradientFlow({ rows: [] })]],
  plotArchitecture: [[/no model/, () => plotArchitecture(nothing)]],
  plotGraph: [[/no model/, () => plotGraph({} as never)]],
  plotDropout: [
    [/no dropout/, () => plotDropout(model)],
    [/no vector/, () => plotDropout(sequential(input({ shape: [4, 2] }), conv1d({ filters: 1, kernelSize: 2 })))],
    [/masks is out of range/, () => plotDropout(model, { masks: 0 })],
  ],
  plotActivations: [
    [/no activation to draw/, () => plotActivations([])],
    [/to is not above from/, () => plotActivations(["relu"], { from: 1, to: 1 })],
  ],
  plotWindows: [
    [/no layer "conv"/, () => plotWindows(model, { layer: "conv" })],
    [/no windows/, () => plotWindows(model)],
  ],
  plotEmbedding: [
    [/no embedding table/, () => plotEmbedding(tensor([1, 2]))],
    [
      /no embedding table/,
      () =>
        plotEmbedding(
          tensor([
            [NaN, 1],
            [1, 2],
          ]),
        ),
    ],
    [
      /labels do not fit/,
      () =>
        plotEmbedding(
          tensor([
            [0, 1],
            [1, 2],
          ]),
          { labels: ["a"] },
        ),
    ],
  ],
  plotFilters: [
    [/no kernel/, () => plotFilters(tensor([1, 2]))],
    [/not as many/, () => plotFilters(new Tensor(new Float32Array(8), [1, 4, 2], "float32"), { letters: "AC" })],
    [
      /embedding does not fit/,
      () => plotFilters(new Tensor(new Float32Array(8), [1, 4, 2], "float32"), { embedding: tensor([[1]]) }),
    ],
  ],
  plotSaliency: [
    [/not as many/, () => plotSaliency([1, 2], { letters: "A" })],
    [
      /image does not fit/,
      () =>
        plotSaliency(
          tensor([
            [1, 2],
            [3, 4],
          ]),
          { image: tensor([[1]]) },
        ),
    ],
  ],
  plotEquivariance: [
    [
      /no single example/,
      () =>
        plotEquivariance(
          model,
          tensor([
            [1, 2, 3, 4],
            [1, 2, 3, 4],
          ]),
        ),
    ],
  ],
  plotStudyHistory: [
    [/no trial has a result/, () => plotStudyHistory(unfinished)],
    [/width is out of range/, () => plotStudyHistory(finished, wide)],
  ],
  plotStudySlice: [
    [/no trial has a result/, () => plotStudySlice(unfinished, "rate")],
    [/no trial with a result has "depth"/, () => plotStudySlice(finished, "depth")],
  ],
  plotStudyCurves: [
    [/no trial has a result/, () => plotStudyCurves(unfinished)],
    [/title is no text/, () => plotStudyCurves(finished, { title: 3 as never })],
  ],
  plotStudyParallel: [
    [/no trial has a result/, () => plotStudyParallel(unfinished)],
    [/unknown option "hight"/, () => plotStudyParallel(finished, { hight: 3 } as never)],
  ],
  plotStudyContour: [
    [/no trial has a result/, () => plotStudyContour(unfinished, ["rate", "units"])],
    [/no trial with a result has numbers for "rate" and "units"/, () => plotStudyContour(finished, ["rate", "units"])],
  ],
  plotStudyFront: [
    [/the study has one objective: expected two/, () => plotStudyFront(finished)],
    [
      /no trial has both results/,
      () => plotStudyFront({ ...finished, objectives: [...finished.objectives, ...finished.objectives] }),
    ],
  ],
  plotStudyTimeline: [
    [/it is not known when trials were trained/, () => plotStudyTimeline(finished)],
    [/height is out of range/, () => plotStudyTimeline(finished, { height: 5 })],
  ],
  plotHistograms: [[/no weights were recorded/, () => plotHistograms(new Recording())]],
};

describe.each(Object.entries(REFUSED))("%s", (name, cases) => {
  it.each(cases.map(([message, call]) => [String(message), message, call] as const))(
    "refuses: %s",
    async (_, message, call) => {
      const refused = (): Promise<unknown> => Promise.resolve().then(call);
      await expect(refused()).rejects.toThrow(message);
      await expect(refused()).rejects.toThrow(new RegExp(`^${name}: `));
    },
  );
});

it("every function is refused something", () => {
  const sources = new URL("../src/", import.meta.url);
  const functions = readdirSync(sources).flatMap((file) =>
    [...readFileSync(new URL(file, sources), "utf8").matchAll(/^export (?:async )?function (plot\w+)/gm)].map(
      ([, n]) => n,
    ),
  );
  expect(functions.filter((name) => !Object.hasOwn(REFUSED, name ?? ""))).toEqual([]);
});

it("options of pictures are looked at", async () => {
  const figure = plotHistogram([1, 2, 3]);
  await expect(figure.toSVG({ theme: "blue" as never })).rejects.toThrow(/theme is unknown/);
  await expect(figure.toPNG({ scale: 0 })).rejects.toThrow(/scale is out of range/);
  await expect(figure.toPNG({ fonts: [3 as never] })).rejects.toThrow(/fonts are no files/);
});

it("heavy packages are imported where they are used, the types of others aside", () => {
  const sources = new URL("../src/", import.meta.url);
  for (const file of readdirSync(sources)) {
    const text = readFileSync(new URL(file, sources), "utf8");
    expect(text, file).not.toMatch(/^import (?!type).*from "(vega|vega-lite|@resvg\/resvg-wasm|\.\/font-data\.js)"/m);
    expect(text, file).not.toMatch(/from "node:/);
  }
});

it("text is drawn with the package's own font, in each alphabet that it has", async () => {
  const dark = async (text: string): Promise<number> => {
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="60" height="30"><rect width="60" height="30" fill="#fff"/><text x="4" y="22" font-size="20" font-family="Helvetica, Arial, sans-serif">${text}</text></svg>`;
    const { rgba } = await pixelsOf(svg, { scale: 1, fonts: [] });
    return rgba.filter((value, i) => i % 4 === 0 && value < 128).length;
  };
  expect(await dark(" ")).toBe(0);
  for (const text of ["Ag", "äß", "Ωμ", "Жд", "∂√Σ", "−×≤", "′²₀"]) expect(await dark(text), text).toBeGreaterThan(10);
});

it("markup in names is text, and letters that XML forbids are gone", async () => {
  const figure = new Figure({
    title: `<script>alert("1")</script> & \u0000\u001b`,
    description: "a < b",
    draw: () => ({ width: 10, height: 10, body: "" }),
  });
  const svg = await figure.toSVG();
  expect(svg).not.toContain("<script");
  expect(svg).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; ");
  expect(svg).not.toMatch(/[\u0000\u001b]/);
});

/** A reader of GIF files, by the specification: the places of the colours, frame by frame. */
function readGif(file: Uint8Array): { width: number; frames: number[][]; table: number[][] } {
  const word = (at: number): number => (file[at] ?? 0) | ((file[at + 1] ?? 0) << 8);
  const size = 2 << ((file[10] ?? 0) & 7);
  const table = Array.from({ length: size }, (_, i) => [...file.subarray(13 + 3 * i, 16 + 3 * i)]);
  const frames: number[][] = [];
  for (let at = 13 + 3 * size; file[at] !== 0x3b;) {
    const image = file[at] === 0x2c;
    at += image ? 10 : 2;
    const bits = image ? (file[at++] ?? 0) : 0;
    const data: number[] = [];
    for (let length = file[at++] ?? 0; length > 0; length = file[at++] ?? 0) {
      data.push(...file.subarray(at, at + length));
      at += length;
    }
    if (image) frames.push(unpacked(data, bits));
  }
  return { width: word(6), frames, table };
}

function unpacked(data: readonly number[], bits: number): number[] {
  const [clear, end] = [1 << bits, (1 << bits) + 1];
  let [position, width] = [0, bits + 1];
  let table: number[][] = [];
  let before: number[] | undefined;
  const out: number[] = [];
  for (;;) {
    let code = 0;
    for (let i = 0; i < width; i++, position++) code |= (((data[position >> 3] ?? 0) >> (position & 7)) & 1) << i;
    if (code === end) return out;
    if (code === clear) {
      table = Array.from({ length: end + 1 }, (_, i) => [i]);
      [width, before] = [bits + 1, undefined];
      continue;
    }
    const entry = table[code] ?? [...(before ?? []), before?.[0] ?? 0];
    out.push(...entry);
    if (before !== undefined && table.length < 4096) table.push([...before, entry[0] ?? 0]);
    if (table.length === 1 << width && width < 12) width++;
    before = entry;
  }
}

it("GIF files hold what was drawn, long tables included", () => {
  let state = 7;
  const noise = (): number => (state = (state * 1103515245 + 12345) & 0x7fffffff) >> 16;
  const frames = [0, 1].map(() => ({
    width: 120,
    height: 90,
    rgba: Uint8Array.from({ length: 120 * 90 * 4 }, (_, i) =>
      i % 4 === 3 ? 255 : i % 4 === 0 ? (noise() % 16) * 17 : 60,
    ),
  }));
  const { width, frames: read, table } = readGif(gifOf(frames, 0.5));
  expect([width, read.length]).toEqual([120, 2]);
  read.forEach((places, k) =>
    expect(places.flatMap((place) => table[place] ?? [])).toEqual(
      [...(frames[k]?.rgba ?? [])].filter((_, i) => i % 4 !== 3),
    ),
  );
});

it("an animation has as many frames in its GIF as in its SVG", async () => {
  const figure = await GALLERY["dropout"]?.({ width: 300 });
  const animation = figure as unknown as { length: number; toGIF(): Promise<Uint8Array>; toSVG(): Promise<string> };
  expect(readGif(await animation.toGIF()).frames).toHaveLength(animation.length);
  expect((await animation.toSVG()).split("@keyframes")).toHaveLength(animation.length + 1);
});
