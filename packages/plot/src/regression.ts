/** How near numbers come: predicted beside true values, and what is between them. */
import type { Figure } from "./figure.js";
import { rangeOf } from "./histogram.js";
import { checkFigure, type FigureOptions, type Numbers, pairsOf, subtitleOf } from "./options.js";
import { grouped, shortNumber } from "./text.js";
import { COLOR, seriesColor } from "./theme.js";
import { vegaFigure } from "./vega.js";

export interface RegressionPlotOptions extends FigureOptions {
  /** What is predicted, with its unit. Default "value". */
  readonly quantity?: string;
}

/** More points than so many lie on each other, and make a file of megabytes. */
const MOST_POINTS = 5000;

interface Fit {
  readonly rmse: number;
  readonly r2: number;
  readonly bias: number;
}

/** √(mean (p − y)²), 1 − Σ(p − y)²/Σ(y − ȳ)², mean p − y. */
function fitOf(targets: readonly number[], predictions: readonly number[]): Fit {
  const n = targets.length;
  const mean = targets.reduce((sum, y) => sum + y, 0) / n;
  let [squares, spread, bias] = [0, 0, 0];
  targets.forEach((y, i) => {
    const error = (predictions[i] ?? NaN) - y;
    squares += error ** 2;
    spread += (y - mean) ** 2;
    bias += error;
  });
  return { rmse: Math.sqrt(squares / n), r2: 1 - squares / spread, bias: bias / n };
}

const fitText = ({ rmse, r2 }: Fit): string =>
  `RMSE ${shortNumber(rmse)}${Number.isFinite(r2) ? `, R² ${shortNumber(r2)}` : ""}`;

/** Some of the points, evenly, where there are too many; and what to say then. */
function shownOf<T>(points: readonly T[]): { shown: readonly T[]; note: string } {
  if (points.length <= MOST_POINTS) return { shown: points, note: "" };
  const step = points.length / MOST_POINTS;
  const shown = Array.from({ length: MOST_POINTS }, (_, i) => points[Math.floor(i * step)] as T);
  return { shown, note: `${grouped(MOST_POINTS)} of ${grouped(points.length)} points are drawn, evenly chosen.` };
}

/**
 * Predicted beside true values; on the dashed diagonal they are the same.
 *
 * @throws DataError for lists of different lengths, and values that are not finite.
 * @example
 * import { plotParity } from "@torte/plot";
 * const figure = plotParity([1, 2, 3, 4], [1.1, 1.9, 3.2, 3.8], { quantity: "log S" });
 * console.log(figure.description); // 4 predictions of log S: RMSE 0.1581, R² 0.98.
 */
export function plotParity(targets: Numbers, predictions: Numbers, options: RegressionPlotOptions = {}): Figure {
  const where = "plotParity";
  const sizes = checkFigure(where, options, ["quantity"], 440);
  const [actual, predicted] = pairsOf(where, ["targets", targets], ["predictions", predictions]);
  const fit = fitOf(actual, predicted);
  const quantity = options.quantity ?? "value";
  const { shown, note } = shownOf(actual.map((y, i) => ({ true: y, predicted: predicted[i] ?? NaN })));
  const domain = rangeOf([...actual, ...predicted]);
  const scale = { domain, nice: true, zero: false };
  const x = { field: "true", type: "quantitative", scale, title: `True ${quantity}` };
  const y = { field: "predicted", type: "quantitative", scale, title: `Predicted ${quantity}` };
  const [low, high] = domain;
  return vegaFigure({
    title: options.title ?? "Predicted and true values",
    subtitle: subtitleOf(options, fitText(fit), note),
    description: `${grouped(actual.length)} predictions of ${quantity}: ${fitText(fit)}.`,
    sizes,
    chart: {
      layer: [
        {
          data: {
            values: [
              { true: low, predicted: low },
              { true: high, predicted: high },
            ],
          },
          mark: { type: "line", color: COLOR.axis, strokeDash: [4, 4], strokeWidth: 1.5 },
          encoding: { x, y },
        },
        { data: { values: shown }, mark: pointMark(shown.length), encoding: { x, y } },
      ],
    },
  });
}

/**
 * What is between predicted and true values, p − y, by the predicted value; the dashed line is at 0.
 *
 * @throws DataError for lists of different lengths, and values that are not finite.
 * @example
 * import { plotResiduals } from "@torte/plot";
 * const figure = plotResiduals([1, 2, 3, 4], [1.1, 1.9, 3.2, 3.8]);
 * console.log(figure.description); // 4 residuals, predicted minus true: mean 0, RMSE 0.1581.
 */
export function plotResiduals(targets: Numbers, predictions: Numbers, options: RegressionPlotOptions = {}): Figure {
  const where = "plotResiduals";
  const sizes = checkFigure(where, options, ["quantity"], 360);
  const [actual, predicted] = pairsOf(where, ["targets", targets], ["predictions", predictions]);
  const { rmse, bias } = fitOf(actual, predicted);
  // What is left of numbers that cancel is no bias.
  const mean = Math.abs(bias) < 1e-12 * rmse ? 0 : bias;
  const quantity = options.quantity ?? "value";
  const { shown, note } = shownOf(
    actual.map((y, i) => ({ predicted: predicted[i] ?? NaN, residual: (predicted[i] ?? NaN) - y })),
  );
  const told = `mean ${shortNumber(mean)}, RMSE ${shortNumber(rmse)}`;
  const y = { field: "residual", type: "quantitative", title: "Predicted − true" };
  return vegaFigure({
    title: options.title ?? "Residuals",
    subtitle: subtitleOf(options, `Predicted minus true ${quantity}: ${told}`, note),
    description: `${grouped(actual.length)} residuals, predicted minus true: ${told}.`,
    sizes,
    chart: {
      layer: [
        {
          data: { values: [{ residual: 0 }] },
          mark: { type: "rule", color: COLOR.axis, strokeDash: [4, 4], strokeWidth: 1.5 },
          encoding: { y },
        },
        {
          data: { values: shown },
          mark: pointMark(shown.length),
          encoding: {
            x: { field: "predicted", type: "quantitative", title: `Predicted ${quantity}`, scale: { zero: false } },
            y,
          },
        },
      ],
    },
  });
}

/** The more points, the fainter each. */
const pointMark = (count: number): Record<string, unknown> => ({
  type: "circle",
  size: count > 500 ? 14 : 32,
  opacity: count > 500 ? 0.35 : 0.65,
  color: seriesColor(0),
});
