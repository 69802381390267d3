/** How far gradients reach, as a figure. */
import { DataError, type GradientFlow, show } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, subtitleOf } from "./options.js";
import { shortNumber } from "./text.js";
import { DASHES, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

/**
 * The norm of the gradient by depth, as `checkGradientFlow` has found it, with the residual connections and without.
 *
 * @throws DataError for what is no gradient flow.
 * @example
 * import { checkGradientFlow, dense, input, residual, sequential, tensor } from "torte";
 * import { plotGradientFlow } from "@torte/plot";
 * const deep = Array.from({ length: 12 }, () => residual([dense({ units: 4, activation: "sigmoid" })]));
 * const model = sequential(input({ shape: [4] }), ...deep, dense({ units: 1 }));
 * model.compile({ loss: "meanSquaredError" });
 * const flow = await checkGradientFlow(model, { x: tensor([[1, -1, 0.5, 2]]), y: tensor([[1]]) });
 * console.log(plotGradientFlow(flow).title); // Gradient norm by depth
 */
export function plotGradientFlow(flow: Pick<GradientFlow, "rows">, options: FigureOptions = {}): Figure {
  const where = "plotGradientFlow";
  const sizes = checkFigure(where, options, [], 360);
  const rows: unknown = (flow as { readonly rows?: unknown } | undefined)?.rows;
  if (!Array.isArray(rows) || rows.length === 0)
    throw new DataError({
      where,
      problem: "this is no gradient flow",
      expected: "what checkGradientFlow gives",
      received: show(flow),
    });
  const names = flow.rows.some(({ withoutResidual }) => withoutResidual !== undefined)
    ? ["with residual connections", "without"]
    : ["gradient"];
  const values = flow.rows.flatMap(({ layer, norm, withoutResidual }, i) =>
    [norm, ...(withoutResidual === undefined ? [] : [withoutResidual])].map((value, k) => ({
      depth: i + 1,
      layer,
      // A logarithm has no place for 0.
      norm: value > 0 && Number.isFinite(value) ? value : null,
      way: names[k],
    })),
  );
  const zeros = values.filter(({ norm }) => norm === null).length;
  const series = { field: "way", type: "nominal", legend: legendOf(names, sizes) };
  const told = (pick: (row: GradientFlow["rows"][number]) => number | undefined): string =>
    `${shortNumber(pick(flow.rows[0] ?? EMPTY) ?? NaN)} in the first layer, ${shortNumber(pick(flow.rows.at(-1) ?? EMPTY) ?? NaN)} in the last`;
  const without = names.length === 1 ? "" : `; without residual connections ${told((row) => row.withoutResidual)}`;
  return vegaFigure({
    title: options.title ?? "Gradient norm by depth",
    subtitle: subtitleOf(
      options,
      "√Σg² of all weights of a layer, from the input to the output",
      zeros === 0 ? "" : `${zeros} that are 0 or not finite are left out.`,
    ),
    description: `Gradient norms of ${flow.rows.length} layers: ${told((row) => row.norm)}${without}.`,
    sizes,
    chart: {
      data: { values },
      mark: { type: "line", point: { size: 30 } },
      encoding: {
        x: {
          field: "depth",
          type: "quantitative",
          title: "Layer, from the input",
          axis: { format: "d", tickMinStep: 1, grid: false },
          scale: { domain: [1, Math.max(2, flow.rows.length)], nice: false },
        },
        y: {
          field: "norm",
          type: "quantitative",
          title: "Gradient norm",
          scale: { type: "log" },
          axis: { format: "~e", labelOverlap: true },
        },
        color: { ...series, scale: { domain: names, range: names.map((_, i) => seriesColor(i)) } },
        strokeDash: { ...series, scale: { domain: names, range: names.map((_, i) => DASHES[i]) } },
      },
    },
  });
}

const EMPTY = { layer: "", norm: NaN, withoutResidual: undefined };
