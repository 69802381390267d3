/** Whether probabilities mean what they say, and how scores lie: calibration, histograms by class. */
import { DataError } from "torte";
import type { Figure } from "./figure.js";
import { binned, rangeOf } from "./histogram.js";
import {
  binaryLabels,
  checkFigure,
  type FigureOptions,
  labelsOf,
  numberOption,
  type Numbers,
  pairsOf,
  subtitleOf,
  wholeOption,
} from "./options.js";
import { grouped, shortNumber } from "./text.js";
import { COLOR, DASHES, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

export interface CalibrationPlotOptions extends FigureOptions {
  /** Bins of equal width over the probabilities, 2 to 100. Default 10. */
  readonly bins?: number;
}

/**
 * Whether probabilities mean what they say: the share of positives in each bin beside its mean probability, with 95 %
 * intervals (Wilson 1927). On the dashed diagonal they do. Below the title is the expected calibration error, Σ over bins of
 * (share of the bin)·|mean probability − share of positives|.
 *
 * @throws DataError for targets other than 0 and 1, probabilities outside of 0 … 1, or lists of different lengths.
 * @example
 * import { plotCalibration } from "@torte/plot";
 * const figure = plotCalibration([0, 0, 1, 1], [0.1, 0.1, 0.9, 0.9]);
 * console.log(figure.description); // Of 4 probabilities in 2 bins; the expected calibration error is 0.1.
 */
export function plotCalibration(
  targets: Numbers,
  probabilities: Numbers,
  options: CalibrationPlotOptions = {},
): Figure {
  const where = "plotCalibration";
  const sizes = checkFigure(where, options, ["bins"], 440);
  const bins = wholeOption(where, "bins", options.bins ?? 10, 2, 100);
  const [labels, scores] = pairsOf(where, ["targets", targets], ["probabilities", probabilities]);
  binaryLabels(where, labels);
  const values = reliability(where, labels, scores, bins);
  const error = values.reduce((sum, { mean, share, count }) => sum + Math.abs(mean - share) * count, 0) / labels.length;
  const scale = { domain: [0, 1], nice: false };
  const x = { field: "mean", type: "quantitative", scale, title: "Mean predicted probability" };
  const y = { field: "share", type: "quantitative", scale, title: "Share of positives" };
  const data = { values };
  return vegaFigure({
    title: options.title ?? "Calibration",
    subtitle: subtitleOf(options, `Expected calibration error ${error.toFixed(3)}; bars are 95 % intervals`),
    description: `Of ${grouped(labels.length)} probabilities in ${values.length} bins; the expected calibration error is ${shortNumber(error)}.`,
    sizes,
    chart: {
      layer: [
        {
          data: {
            values: [
              { mean: 0, share: 0 },
              { mean: 1, share: 1 },
            ],
          },
          mark: { type: "line", color: COLOR.axis, strokeDash: [4, 4], strokeWidth: 1.5 },
          encoding: { x, y },
        },
        {
          data,
          mark: { type: "rule", color: seriesColor(0) },
          encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" } },
        },
        {
          data,
          mark: { type: "line", point: { size: 50, color: seriesColor(0) }, color: seriesColor(0) },
          encoding: { x, y },
        },
      ],
    },
  });
}

interface Bin {
  readonly mean: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

/** A bin has its lower limit, the last one both. */
function reliability(where: string, labels: readonly number[], scores: readonly number[], bins: number): Bin[] {
  const sums = Array.from({ length: bins }, () => ({ score: 0, positives: 0, count: 0 }));
  scores.forEach((score, i) => {
    if (score < 0 || score > 1)
      throw new DataError({
        where,
        problem: "a probability is out of range",
        expected: "0 … 1",
        received: `${score} at ${i}`,
      });
    const bin = sums[Math.min(bins - 1, Math.floor(score * bins))];
    if (bin === undefined) return;
    bin.score += score;
    bin.positives += labels[i] ?? 0;
    bin.count += 1;
  });
  return sums
    .filter(({ count }) => count > 0)
    .map(({ score, positives, count }) => {
      const [low, high] = wilson(positives, count);
      return { mean: score / count, share: positives / count, low, high, count };
    });
}

/** The 95 % interval of a share. */
function wilson(positives: number, count: number): [number, number] {
  const z = 1.959963984540054;
  const share = positives / count;
  const middle = (share + z ** 2 / (2 * count)) / (1 + z ** 2 / count);
  const half = (z / (1 + z ** 2 / count)) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

export interface ScoresOptions extends FigureOptions {
  /** From which score on it is a yes; drawn as a line. Default none. */
  readonly threshold?: number;
  /** Bins, 2 to 200. Default 25. */
  readonly bins?: number;
  /** Names of class 0 and class 1. Default "class 0" and "class 1". */
  readonly labels?: readonly [string, string];
}

/**
 * Histograms of the scores of both classes, each as shares of its class.
 *
 * @throws DataError for targets other than 0 and 1, scores that are not finite, or lists of different lengths.
 * @example
 * import { plotScores } from "@torte/plot";
 * const figure = plotScores([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8], { threshold: 0.5 });
 * console.log(figure.description); // 2 scores of class 0, mean 0.25; 2 scores of class 1, mean 0.575. 1 of class 1 and 0 of class 0 are at or above 0.5.
 */
export function plotScores(targets: Numbers, scores: Numbers, options: ScoresOptions = {}): Figure {
  const where = "plotScores";
  const sizes = checkFigure(where, options, ["threshold", "bins", "labels"], 340);
  const bins = wholeOption(where, "bins", options.bins ?? 25, 2, 200);
  const [classes, all] = pairsOf(where, ["targets", targets], ["scores", scores]);
  binaryLabels(where, classes);
  const names = labelsOf(where, 2, options.labels ?? ["class 0", "class 1"]);
  const { threshold } = options;
  if (threshold !== undefined) numberOption(where, "threshold", threshold, -Number.MAX_VALUE, Number.MAX_VALUE);
  const range: [number, number] = all.every((score) => score >= 0 && score <= 1) ? [0, 1] : rangeOf(all);
  const parts = names.map((name, label) => ({ name, scores: all.filter((_, i) => classes[i] === label) }));
  const values = parts.flatMap(({ name, scores: own }) =>
    binned(own, range, bins).map(({ from, to, count }) => ({
      name,
      from,
      to,
      count,
      share: own.length === 0 ? 0 : count / own.length,
    })),
  );
  const told = parts.map(
    ({ name, scores: own }) =>
      `${grouped(own.length)} scores of ${name}${own.length === 0 ? "" : `, mean ${shortNumber(own.reduce((a, b) => a + b, 0) / own.length)}`}`,
  );
  const above = (own: readonly number[]): string => grouped(own.filter((score) => score >= (threshold ?? 0)).length);
  const [no, yes] = parts;
  const split =
    threshold === undefined || no === undefined || yes === undefined
      ? ""
      : ` ${above(yes.scores)} of ${yes.name} and ${above(no.scores)} of ${no.name} are at or above ${shortNumber(threshold)}.`;
  const x = { field: "from", type: "quantitative", title: "Score", scale: { domain: range, nice: false } };
  const series = { field: "name", type: "nominal", legend: legendOf(names, sizes, "square") };
  const color = { ...series, scale: { domain: names, range: [seriesColor(1), seriesColor(0)] } };
  return vegaFigure({
    title: options.title ?? "Scores by class",
    subtitle: subtitleOf(options, threshold === undefined ? "" : `Dashed: the threshold, ${shortNumber(threshold)}`),
    description: `${told.join("; ")}.${split}`,
    sizes,
    chart: {
      layer: [
        {
          data: { values },
          mark: { type: "bar", opacity: 0.45, binSpacing: 0 },
          encoding: {
            x: { ...x, bin: "binned" },
            x2: { field: "to" },
            y: {
              field: "share",
              type: "quantitative",
              title: "Share of the class",
              stack: null,
              axis: { format: "%" },
            },
            color,
          },
        },
        {
          data: { values: outlineOf(values) },
          mark: { type: "line" },
          encoding: {
            x: { ...x, field: "x" },
            y: { field: "share", type: "quantitative" },
            order: { field: "i" },
            color,
            strokeDash: { ...series, scale: { domain: names, range: [DASHES[1], DASHES[0]] } },
          },
        },
        ...(threshold === undefined
          ? []
          : [
              {
                data: { values: [{ x: threshold }] },
                mark: { type: "rule", strokeDash: [4, 4], color: COLOR.ink, strokeWidth: 1.5 },
                encoding: { x: { ...x, field: "x" } },
              },
            ]),
      ],
    },
  });
}

/** The upper edge of the bars of each class, so that they are told apart in grey. */
function outlineOf(
  bars: readonly { readonly name: string; readonly from: number; readonly to: number; readonly share: number }[],
): { name: string; i: number; x: number; share: number }[] {
  return bars.flatMap(({ name, from, to, share }, i) => [
    { name, i: 2 * i, x: from, share },
    { name, i: 2 * i + 1, x: to, share },
  ]);
}
