/** Figures by group, with their intervals. */
import { DataError, OptionError, show } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, numberOption, subtitleOf } from "./options.js";
import { grouped, shortNumber } from "./text.js";
import { COLOR, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

/** A bar, or a point with its interval. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  /** The interval's lower end. */
  readonly low?: number;
  readonly high?: number;
  /** How many examples it is of; written behind the label. */
  readonly count?: number;
  /** Which of several models or data sets it is of: bars of the same label stand together. */
  readonly group?: string;
}

export interface BarsOptions extends FigureOptions {
  /** What the values are. Default "Value". */
  readonly axis?: string;
  /** Whole bars from 0, or points, whose axis need not begin there. Default "bar". */
  readonly mark?: "bar" | "point";
  /** A value to compare with, drawn as a dashed line and named below the title. */
  readonly reference?: { readonly label: string; readonly value: number };
  /** What the intervals are. Default "95 % intervals", where there are some. */
  readonly interval?: string;
}

/**
 * Values by label, with intervals where they have some: figures by stratum, models side by side, an ablation.
 *
 * @throws DataError for empty lists, values that are not finite, and intervals that do not hold their value.
 * @example
 * import { plotBars } from "@torte/plot";
 * const figure = plotBars(
 *   [
 *     { label: "to 100", value: 0.81, low: 0.76, high: 0.85, count: 212 },
 *     { label: "101 to 200", value: 0.74, low: 0.71, high: 0.77, count: 640 },
 *   ],
 *   { axis: "AUROC", title: "AUROC by length" },
 * );
 * console.log(figure.description); // AUROC: to 100 (212) 0.81 (0.76 to 0.85), 101 to 200 (640) 0.74 (0.71 to 0.77).
 */
export function plotBars(bars: readonly Bar[], options: BarsOptions = {}): Figure {
  const where = "plotBars";
  const values = checkedBars(where, bars);
  const labels = [...new Set(values.map(({ label }) => label))];
  const groups = [...new Set(values.map(({ group }) => group ?? ""))];
  const height = 110 + labels.length * Math.max(26, 14 + 14 * groups.length) + (groups.length > 1 ? 30 : 0);
  const sizes = checkFigure(where, options, ["axis", "mark", "reference", "interval"], Math.min(4000, height));
  const { axis = "Value", mark = "bar", reference } = options;
  if ((mark as unknown) !== "bar" && mark !== "point")
    throw new OptionError({ where, problem: "mark is unknown", expected: '"bar" or "point"', received: show(mark) });
  if (reference !== undefined) numberOption(where, "reference.value", reference.value, -1e300, 1e300);
  const data = values.map((bar) => ({ ...bar, group: bar.group ?? "" }));
  const y = {
    field: "label",
    type: "nominal",
    sort: null,
    title: null,
    axis: { ticks: false, domain: false, labelPadding: 8 },
  };
  const scale = mark === "bar" ? {} : { scale: { zero: false, padding: 14 } };
  const x = { field: "value", type: "quantitative", title: axis, ...scale };
  const several = groups.length > 1;
  const yOffset = several
    ? { yOffset: { field: "group", type: "nominal", sort: null, scale: { paddingOuter: 0.15 } } }
    : {};
  const color = {
    field: "group",
    type: "nominal",
    scale: { domain: groups, range: groups.map((_, i) => seriesColor(i)) },
    legend: legendOf(groups, sizes, "square"),
  };
  const intervals = data.filter(({ low }) => low !== undefined);
  const shape = { type: "circle", size: 60, opacity: 1 };
  return vegaFigure({
    title: options.title ?? axis,
    subtitle: subtitleOf(
      options,
      [
        intervals.length === 0 ? "" : `Lines: ${options.interval ?? "95 % intervals"}`,
        reference === undefined ? "" : `dashed: ${reference.label}, ${shortNumber(reference.value)}`,
      ]
        .filter((part) => part !== "")
        .join("; "),
    ),
    description: describe(axis, values, reference),
    sizes,
    chart: {
      layer: [
        {
          data: { values: data },
          mark: mark === "bar" ? { type: "bar", opacity: 0.75 } : shape,
          encoding: { x, y, ...yOffset, color },
        },
        ...(intervals.length === 0
          ? []
          : [
              {
                data: { values: intervals },
                mark: { type: "rule", strokeWidth: 2, color: COLOR.ink },
                encoding: { x: { ...x, field: "low" }, x2: { field: "high" }, y, ...yOffset },
              },
            ]),
        ...(reference === undefined
          ? []
          : [
              {
                data: { values: [{ value: reference.value }] },
                mark: { type: "rule", strokeDash: [4, 4], strokeWidth: 1.5, color: COLOR.ink },
                encoding: { x },
              },
            ]),
      ],
    },
  });
}

const withCount = ({ label, count }: Bar): string => (count === undefined ? label : `${label} (${grouped(count)})`);

function checkedBars(where: string, bars: readonly Bar[]): readonly Bar[] {
  if (!Array.isArray(bars) || bars.length === 0)
    throw new DataError({
      where,
      problem: "there are no bars",
      expected: "a list of { label, value }",
      received: show(bars),
    });
  return (bars as readonly Bar[]).map((bar, i) => {
    const { value, low = value, high = value } = bar;
    const bad = ![value, low, high].every((number) => Number.isFinite(number)) || typeof bar.label !== "string";
    if (bad || low > value || high < value || (bar.low === undefined) !== (bar.high === undefined))
      throw new DataError({
        where,
        problem: `bar ${i} cannot be drawn`,
        expected: "a label, a finite value, and low ≤ value ≤ high where there is an interval",
        received: show(bar),
      });
    return { ...bar, label: withCount(bar) };
  });
}

function describe(axis: string, bars: readonly Bar[], reference: BarsOptions["reference"]): string {
  const parts = bars.map(({ label, group, value, low, high }) => {
    const interval = low === undefined || high === undefined ? "" : ` (${shortNumber(low)} to ${shortNumber(high)})`;
    return `${group === undefined ? "" : `${group}, `}${label} ${shortNumber(value)}${interval}`;
  });
  const beside = reference === undefined ? "" : ` For comparison: ${reference.label} ${shortNumber(reference.value)}.`;
  return `${axis}: ${parts.join(", ")}.${beside}`;
}
