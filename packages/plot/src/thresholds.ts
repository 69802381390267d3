/** How well two classes are told apart at all thresholds: ROC, precision and recall. */
import type { PrecisionRecallCurve, RocCurve } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, named, type Sizes, subtitleOf } from "./options.js";
import { shortNumber } from "./text.js";
import { COLOR, DASHES, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

/** Curves of several models by name, or one. */
export type Curves<C> = C | Readonly<Record<string, C>>;

/**
 * The rate of true over that of false positives; chance is the dashed diagonal.
 *
 * @throws DataError for what is no such curve.
 * @example
 * import { rocCurve } from "torte";
 * import { plotRoc } from "@torte/plot";
 * const figure = plotRoc(await rocCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]));
 * console.log(figure.description); // Area under the curve: 0.75.
 */
export function plotRoc(curves: Curves<RocCurve>, options: FigureOptions = {}): Figure {
  const where = "plotRoc";
  const sizes = checkFigure(where, options, [], 440);
  const entries = named(where, curves, isRoc, "");
  const lines = entries.map(([name, curve]) => ({
    name: nameWith(name, "AUROC", curve.area),
    points: thinned(curve.falsePositiveRate, curve.truePositiveRate),
  }));
  return vegaFigure({
    title: options.title ?? "ROC curve",
    subtitle: subtitleOf(options, entries.length === 1 ? (lines[0]?.name ?? "") : ""),
    description: describeAreas(
      "Area under the curve",
      entries.map(([name, { area }]) => [name, area]),
    ),
    sizes,
    chart: unitSquare(lines, { x: "False positive rate", y: "True positive rate" }, "linear", [DIAGONAL], sizes),
  });
}

/**
 * Precision over recall, as the stairs that average precision is the area of; the share of positives, which chance reaches, is
 * dashed.
 *
 * @throws DataError for what is no such curve.
 * @example
 * import { precisionRecallCurve } from "torte";
 * import { plotPrecisionRecall } from "@torte/plot";
 * const figure = plotPrecisionRecall(await precisionRecallCurve([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]));
 * console.log(figure.description); // Average precision: 0.8333. The share of positives is 0.5.
 */
export function plotPrecisionRecall(curves: Curves<PrecisionRecallCurve>, options: FigureOptions = {}): Figure {
  const where = "plotPrecisionRecall";
  const sizes = checkFigure(where, options, [], 440);
  const entries = named(where, curves, isPrecisionRecall, "");
  const lines = entries.map(([name, curve]) => ({
    name: nameWith(name, "AP", curve.averagePrecision),
    points: thinned(curve.recall, curve.precision),
  }));
  // With the lowest threshold everything is a yes.
  const shares = [...new Set(entries.map(([, { precision }]) => Number((precision.at(-1) ?? NaN).toPrecision(4))))];
  const [share = NaN] = shares;
  return vegaFigure({
    title: options.title ?? "Precision and recall",
    subtitle: subtitleOf(options, entries.length === 1 ? (lines[0]?.name ?? "") : ""),
    description: `${describeAreas(
      "Average precision",
      entries.map(([name, { averagePrecision }]) => [name, averagePrecision]),
    )}${shares.length === 1 ? ` The share of positives is ${shortNumber(share)}.` : ""}`,
    sizes,
    chart: unitSquare(
      lines,
      { x: "Recall", y: "Precision" },
      "step-before",
      shares.map((y): Point[] => [
        [0, y],
        [1, y],
      ]),
      sizes,
    ),
  });
}

const nameWith = (name: string, figure: string, value: number): string =>
  `${name === "" ? "" : `${name}: `}${figure} ${value.toFixed(3)}`;

function describeAreas(what: string, areas: readonly (readonly [string, number])[]): string {
  return `${what}: ${areas.map(([name, area]) => `${name === "" ? "" : `${name} `}${shortNumber(area)}`).join(", ")}.`;
}

const areNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length > 0 && value.every((item) => Number.isFinite(item));
function isRoc(value: unknown): boolean {
  const curve = value as Partial<RocCurve> | undefined;
  return (
    areNumbers(curve?.falsePositiveRate) &&
    areNumbers(curve.truePositiveRate) &&
    curve.falsePositiveRate.length === curve.truePositiveRate.length &&
    Number.isFinite(curve.area)
  );
}
function isPrecisionRecall(value: unknown): boolean {
  const curve = value as Partial<PrecisionRecallCurve> | undefined;
  return (
    areNumbers(curve?.precision) &&
    areNumbers(curve.recall) &&
    curve.precision.length === curve.recall.length &&
    Number.isFinite(curve.averagePrecision)
  );
}

type Point = readonly [x: number, y: number];
const DIAGONAL: readonly Point[] = [
  [0, 0],
  [1, 1],
];

/** Points more than so many are thinned out to a quarter of a pixel. */
const MOST_POINTS = 2000;

/** The curve without points on a straight line between others; very long ones without those that nobody could see. */
function thinned(x: readonly number[], y: readonly number[]): readonly Point[] {
  const all = x.map((value, i): Point => [value, y[i] ?? NaN]);
  const corners = all.filter(([x1, y1], i) => {
    const [before, after] = [all[i - 1], all[i + 1]];
    if (before === undefined || after === undefined) return true;
    return (x1 - before[0]) * (after[1] - y1) !== (after[0] - x1) * (y1 - before[1]);
  });
  if (corners.length <= MOST_POINTS) return corners;
  const kept: Point[] = [];
  for (const [i, point] of corners.entries()) {
    const last = kept.at(-1);
    const far = last === undefined || Math.max(Math.abs(point[0] - last[0]), Math.abs(point[1] - last[1])) >= 0.0005;
    if (far || i === corners.length - 1) kept.push(point);
  }
  return kept;
}

/** Lines in the square of two shares, and dashed ones for comparison. */
function unitSquare(
  lines: readonly { readonly name: string; readonly points: readonly Point[] }[],
  axes: { readonly x: string; readonly y: string },
  interpolate: string,
  comparisons: readonly (readonly Point[])[],
  sizes: Sizes,
): Record<string, unknown> {
  const scale = { domain: [0, 1], nice: false };
  const x = { field: "x", type: "quantitative", scale, title: axes.x };
  const y = { field: "y", type: "quantitative", scale, title: axes.y };
  const names = lines.map(({ name }) => name);
  const legend = legendOf(names, sizes);
  const order = { field: "i", type: "quantitative" };
  const series = { field: "name", type: "nominal" };
  return {
    layer: [
      ...comparisons.map((points) => ({
        data: { values: points.map(([px, py]) => ({ x: px, y: py })) },
        mark: { type: "line", color: COLOR.axis, strokeDash: [4, 4], strokeWidth: 1.5 },
        encoding: { x, y },
      })),
      {
        data: { values: lines.flatMap(({ name, points }) => points.map(([px, py], i) => ({ name, i, x: px, y: py }))) },
        mark: { type: "line", interpolate, clip: true },
        encoding: {
          x,
          y,
          order,
          color: {
            ...series,
            scale: { domain: names, range: names.map((_, i) => seriesColor(i)) },
            legend,
          },
          strokeDash: {
            ...series,
            scale: { domain: names, range: names.map((_, i) => DASHES[i % DASHES.length]) },
            legend,
          },
        },
      },
    ],
  };
}
