/** Which classes are taken for which. */
import { type ConfusionMatrix, DataError, show } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, labelsOf, subtitleOf } from "./options.js";
import { grouped, shortNumber, textWidth } from "./text.js";
import { CELL, COLOR, SIZE } from "./theme.js";
import { vegaFigure } from "./vega.js";

export interface ConfusionMatrixOptions extends FigureOptions {
  /** Names of the classes, in their order. Default: their numbers. */
  readonly labels?: readonly string[];
}

/**
 * How often each class was taken for each: counts, and the share of the true class, by which cells are coloured.
 *
 * @throws DataError for what is no square of counts; OptionError where the labels are not as many as the classes.
 * @example
 * import { confusionMatrix } from "torte";
 * import { plotConfusionMatrix } from "@torte/plot";
 * const matrix = confusionMatrix([0, 0, 1, 1, 1], [0, 1, 1, 1, 0]);
 * const figure = plotConfusionMatrix(matrix, { labels: ["insoluble", "soluble"] });
 * console.log(figure.description); // Of 5 examples 3 (60 %) are on the diagonal. insoluble: 1 of 2 right; soluble: 2 of 3 right.
 */
export function plotConfusionMatrix(
  matrix: Pick<ConfusionMatrix, "rows">,
  options: ConfusionMatrixOptions = {},
): Figure {
  const where = "plotConfusionMatrix";
  const rows = squareOf(where, matrix);
  const labels = labelsOf(where, rows.length, options.labels);
  const longest = Math.max(...labels.map((text) => textWidth(text, SIZE.small)));
  const cell = Math.max(28, Math.min(90, 380 / rows.length));
  const sizes = checkFigure(
    where,
    options,
    ["labels"],
    Math.round(Math.min(1600, 150 + cell * rows.length + Math.min(60, longest / 2))),
  );
  const values = rows.flatMap((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, j) => ({
      true: labels[i],
      predicted: labels[j],
      count,
      share: total === 0 ? 0 : count / total,
    }));
  });
  const width = (sizes.width - Math.min(160, longest) - 70) / rows.length;
  const written = values.map((value) => ({
    ...value,
    text: [countText(value.count), ...(width >= 44 && cell >= 36 ? [`${Math.round(100 * value.share)} %`] : [])],
  }));
  const size = Math.min(
    13,
    Math.floor((width - 4) / (0.64 * Math.max(...written.map(({ text }) => text[0]?.length ?? 1)))),
  );
  const axis = { domain: false, ticks: false, grid: false, labelPadding: 6 };
  const x = { field: "predicted", type: "nominal", sort: null, title: "Predicted class" };
  const y = { field: "true", type: "nominal", sort: null, title: "True class", axis };
  const turned = longest > width - 6;
  return vegaFigure({
    title: options.title ?? "Confusion matrix",
    subtitle: subtitleOf(options, "Counts, and the share of the true class"),
    description: describeConfusion(rows, labels),
    sizes,
    chart: {
      data: { values: written },
      layer: [
        {
          mark: { type: "rect", stroke: COLOR.paper, strokeWidth: 1 },
          encoding: {
            x: { ...x, axis: { ...axis, labelAngle: turned ? -45 : 0, ...(turned ? { labelAlign: "right" } : {}) } },
            y,
            color: {
              field: "share",
              type: "quantitative",
              legend: null,
              scale: { domain: [0, 1], range: [CELL.low, CELL.high] },
            },
          },
        },
        ...(size < 7
          ? []
          : [
              {
                mark: {
                  type: "text",
                  fontSize: size,
                  lineHeight: size + 3,
                  baseline: "middle",
                  dy: { expr: "isArray(datum.text) && length(datum.text) > 1 ? -7 : 0" },
                },
                encoding: {
                  x,
                  y,
                  text: { field: "text" },
                  color: { condition: { test: "datum.share > 0.5", value: CELL.lightInk }, value: CELL.darkInk },
                },
              },
            ]),
      ],
    },
  });
}

const countText = (count: number): string => (Number.isInteger(count) ? grouped(count) : shortNumber(count));

function squareOf(where: string, matrix: Pick<ConfusionMatrix, "rows">): readonly (readonly number[])[] {
  const rows: unknown = (matrix as { readonly rows?: unknown } | undefined)?.rows;
  const good =
    Array.isArray(rows) &&
    rows.length > 0 &&
    rows.every(
      (row) =>
        Array.isArray(row) &&
        row.length === rows.length &&
        row.every((count) => typeof count === "number" && Number.isFinite(count) && count >= 0),
    );
  if (good) return rows as number[][];
  const expected = "what confusionMatrix gives: as many rows as columns, of counts";
  throw new DataError({ where, problem: "this is no confusion matrix", expected, received: show(matrix) });
}

function describeConfusion(rows: readonly (readonly number[])[], labels: readonly string[]): string {
  const sum = (row: readonly number[]): number => row.reduce((a, b) => a + b, 0);
  const total = sum(rows.map(sum));
  const right = sum(rows.map((row, i) => row[i] ?? 0));
  const share = total === 0 ? "" : ` (${Math.round((100 * right) / total)} %)`;
  const each = rows.map((row, i) => `${labels[i] ?? ""}: ${countText(row[i] ?? 0)} of ${countText(sum(row))} right`);
  const shown = each.length <= 12 ? each : [...each.slice(0, 12), `and ${each.length - 12} classes more`];
  return `Of ${countText(total)} examples ${countText(right)}${share} are on the diagonal. ${shown.join("; ")}.`;
}
