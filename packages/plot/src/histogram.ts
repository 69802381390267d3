/** How often values are: histograms of one or several lists. */
import { DataError, Tensor } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, named, type Numbers, numbersOf, subtitleOf, wholeOption } from "./options.js";
import { grouped, shortNumber } from "./text.js";
import { seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

export interface HistogramOptions extends FigureOptions {
  /** Bins of equal width, 1 to 500. Default 30. */
  readonly bins?: number;
  /** What the values are. Default "Value". */
  readonly axis?: string;
}

export interface HistogramBin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Least and largest value; a single one gets some room. */
export function rangeOf(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low < high) return [low, high];
  const room = low === 0 ? 0.5 : Math.abs(low) / 2;
  return [low - room, high + room];
}

/** Counts in bins of equal width; a bin has its lower limit, the last one both. Values outside do not count. */
export function binned(
  values: readonly number[],
  [low, high]: readonly [number, number],
  bins: number,
): HistogramBin[] {
  const counts = new Array<number>(bins).fill(0);
  const edge = (i: number): number => (i === bins ? high : low + (i / bins) * (high - low));
  for (const value of values) {
    if (!(value >= low && value <= high)) continue;
    let i = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins));
    // What rounding has put beside its bin goes back.
    if (i > 0 && value < edge(i)) i--;
    else if (i < bins - 1 && value >= edge(i + 1)) i++;
    counts[i] = (counts[i] ?? 0) + 1;
  }
  return counts.map((count, i) => ({ from: edge(i), to: edge(i + 1), count }));
}

/**
 * How often values are; several lists, by name, one above the other in the same bins.
 *
 * @throws DataError for empty lists, and values that are not finite.
 * @example
 * import { plotHistogram } from "@torte/plot";
 * console.log(plotHistogram([1, 2, 2, 3], { axis: "Length" }).description); // 4 values from 1 to 3, mean 2.
 */
export function plotHistogram(
  values: Numbers | Readonly<Record<string, Numbers>>,
  options: HistogramOptions = {},
): Figure {
  const where = "plotHistogram";
  const bins = wholeOption(where, "bins", options.bins ?? 30, 1, 500);
  const lists = named(where, values, isNumbers, "").map(
    ([name, list]) => [name, numbersOf(where, name === "" ? "values" : `values of ${name}`, list)] as const,
  );
  const sizes = checkFigure(where, options, ["bins", "axis"], 120 + Math.max(180, 110 * lists.length));
  const range = rangeOf(lists.flatMap(([, list]) => list));
  if (!Number.isFinite(range[1] - range[0]))
    throw new DataError({ where, problem: "the values are too far apart", received: range.join(" … ") });
  const data = lists.flatMap(([name, list]) => binned(list, range, bins).map((bin) => ({ name, ...bin })));
  const several = lists.length > 1;
  const names = lists.map(([name]) => name);
  const described = lists.map(([name, list]) => {
    const [low, high] = list.reduce(([a, b], v) => [Math.min(a, v), Math.max(b, v)], [Infinity, -Infinity]);
    const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
    return `${several ? `${name}: ` : ""}${grouped(list.length)} value${list.length === 1 ? "" : "s"} from ${shortNumber(low)} to ${shortNumber(high)}, mean ${shortNumber(mean)}`;
  });
  const axis = options.axis ?? "Value";
  const x = {
    field: "from",
    type: "quantitative",
    bin: "binned",
    title: axis,
    scale: { domain: range, nice: false },
    axis: { grid: false },
  };
  return vegaFigure({
    title: options.title ?? `${axis}: how often`,
    subtitle: subtitleOf(options, several ? "" : (described[0] ?? "")),
    description: `${described.join("; ")}.`,
    sizes,
    chart: {
      data: { values: data },
      mark: { type: "bar", opacity: several ? 0.5 : 1, binSpacing: several ? 0 : 1 },
      encoding: {
        x,
        x2: { field: "to" },
        y: { field: "count", type: "quantitative", title: "Count", stack: null },
        color: {
          field: "name",
          type: "nominal",
          scale: { domain: names, range: names.map((_, i) => seriesColor(i)) },
          legend: legendOf(names, sizes, "square"),
        },
      },
    },
  });
}

const isNumbers = (value: unknown): boolean =>
  value instanceof Tensor || Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
