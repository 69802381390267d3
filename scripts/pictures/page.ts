/** The page of the documentation that shows the figures. */
import { GALLERY } from "./gallery.js";

/** What `docs/pictures.md` shows, in its order: heading, name in the gallery, and how it is made. */
const PAGE: readonly (readonly [heading: string, name: string, text: string])[] = [
  [
    "Learning",
    "curves",
    "A run with its best epoch, and where it stopped early; `plotCurves` takes histories as they are.",
  ],
  ["", "curves-runs", "Several runs by name: a colour for each, training dashed."],
  ["", "curves-seeds", "Lists of runs by name: mean and spread over seeds."],
  ["", "learning-rate-range", "`plotLearningRateRange(await learningRateRange(model, data))`."],
  [
    "",
    "histograms",
    '`plotHistograms(recording, { of: "gradients" })`, of a `Recording` that was a callback of `fit`.',
  ],
  [
    "",
    "gradient-flow",
    "`plotGradientFlow(await checkGradientFlow(model, data))`, with residual connections and without.",
  ],
  ["Hyperparameters", "study-history", "`plotStudyHistory(study)`, the study being what `tune` gives."],
  ["", "study-slice", '`plotStudySlice(study, "rate")`.'],
  ["", "study-curves", "`plotStudyCurves(study)`: a line ends where its trial was stopped."],
  ["", "study-parallel", "`plotStudyParallel(study)`: the settings of all trials, the better ones darker."],
  ["", "study-contour", '`plotStudyContour(study, ["rate", "units"])`.'],
  ["", "study-front", "`plotStudyFront(study)`, of two objectives."],
  ["", "study-timeline", "`plotStudyTimeline(study)`: which worker has trained when, and what became of it."],
  ["Results", "confusion-matrix", "`plotConfusionMatrix(confusionMatrix(targets, predictions), { labels })`."],
  ["", "roc", "`plotRoc({ network, other })`, each of them what `rocCurve` gives."],
  ["", "precision-recall", "`plotPrecisionRecall(await precisionRecallCurve(targets, scores))`."],
  ["", "calibration", "`plotCalibration(targets, probabilities)`."],
  ["", "scores", "`plotScores(targets, scores, { threshold, labels })`."],
  ["", "parity", "`plotParity(targets, predictions, { quantity })`."],
  ["", "residuals", "`plotResiduals(targets, predictions, { quantity })`."],
  ["", "bars", '`plotBars([{ label, value, low, high, count }], { mark: "point", reference })`.'],
  ["", "histogram", "`plotHistogram(values, { axis })`."],
  ["Models", "architecture", "`plotArchitecture(model)`: figure 7.1 of the chapter."],
  ["", "architecture-sequence", "Masks are dashed, ways around layers lie above, blocks have a frame."],
  ["", "graph", "`plotGraph(model)`, with `toMermaid()` and `toDOT()`."],
  ["", "dropout", "`plotDropout(model, { masks, seed })`: figure 7.2, which moves; `toGIF()`."],
  ["", "activations", '`await plotActivations(["relu", "swish", "gelu"])`: figure 7.3.'],
  ["", "activations-derivatives", "`{ from: -4, to: 4, derivatives: true }`."],
  ["", "windows", "`plotWindows(model)`: a convolution walks over its input."],
  ["", "windows-pooling", "The same of a pooling in two dimensions."],
  ["", "equivariance", "`await plotEquivariance(model, x, { by: 8 })`."],
  ["What it has learnt", "embedding", "`plotEmbedding(table, { labels, groups })`."],
  ["", "filters", '`plotFilters(kernel, { letters: "TCAG" })`.'],
  ["", "filters-images", "The same of a kernel over images."],
  ["", "saliency", "`plotSaliency(map, { letters })`, the map being what `saliency(model, x)` gives."],
  ["", "saliency-image", "`plotSaliency(map, { image })`."],
];

const FENCE = "```";

const HEAD = `# Pictures

Figures of \`@torte/plot\`; its README has the table of functions. This page and its pictures are made by \`npm run pictures\`, of
the data in \`scripts/pictures/gallery.ts\`.

${FENCE}ts
import { rocCurve } from "torte";
import { plotRoc } from "@torte/plot";

const figure = plotRoc(await rocCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]), { title: "Four proteins", width: 340 });
console.log(figure.description); // Area under the curve: 0.75.
const svg = await figure.toSVG({ theme: "light" });
${FENCE}
`;

/** The page, and the SVG of each picture by name. */
export async function pageText(): Promise<{ text: string; pictures: ReadonlyMap<string, string> }> {
  const pictures = new Map<string, string>();
  const parts: string[] = [];
  for (const [heading, name, text] of PAGE) {
    const figure = await GALLERY[name]?.({});
    if (figure === undefined) throw new Error(`the gallery has no ${name}`);
    pictures.set(name, await figure.toSVG());
    const before = heading === "" ? "" : `## ${heading}\n\n`;
    parts.push(`${before}${text}\n\n![${figure.title}](pictures/${name}.svg)\n`);
  }
  return { text: `${HEAD}\n${parts.join("\n")}`, pictures };
}
