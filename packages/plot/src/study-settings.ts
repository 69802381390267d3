/** Figures of a study's settings: all hyperparameters side by side, and two of them as a map. */
import { DataError } from "torte";
import type { Figure, Spec } from "./figure.js";
import { checkFigure, type FigureOptions, subtitleOf } from "./options.js";
import { type DrawnStudy, metricOf, rowsOf, type StudyParameter } from "./study.js";
import { shortened, shortNumber } from "./text.js";
import { COLOR, SIZE } from "./theme.js";
import { vegaFigure } from "./vega.js";

type Value = number | string | boolean;

/** A hyperparameter as an axis from 0 to 1. */
interface Axis {
  readonly name: string;
  readonly isNumeric: boolean;
  readonly log: boolean;
  /** Where a value lies. */
  readonly unit: (value: Value) => number;
  /** The value at a place, of numbers. */
  readonly value: (unit: number) => number;
  /** Places with what stands there. */
  readonly labels: readonly { readonly at: number; readonly text: string }[];
}

function axisOf(parameter: StudyParameter, values: readonly Value[]): Axis {
  const { name, kind, log = false } = parameter;
  const numbers = values.filter((value) => typeof value === "number");
  if (kind === "float" || kind === "int") {
    const scale = (value: number): number => (log ? Math.log(value) : value);
    const [min, max] = [parameter.min ?? Math.min(...numbers), parameter.max ?? Math.max(...numbers)];
    const [low, size] = [scale(min), scale(max) - scale(min) || 1];
    const value = (unit: number): number => (log ? Math.exp(low + unit * size) : low + unit * size);
    const labels = [0, 1].map((at) => ({ at, text: shortNumber(at === 0 ? min : max) }));
    return { name, isNumeric: true, log, unit: (of) => (scale(Number(of)) - low) / size, value, labels };
  }
  const choices = parameter.choices ?? (kind === "boolean" ? [false, true] : [...new Set(values)]);
  const place = (i: number): number => (choices.length < 2 ? 0.5 : i / (choices.length - 1));
  const labels = choices.map((choice, i) => ({ at: place(i), text: String(choice) }));
  return { name, isNumeric: false, log: false, unit: (of) => place(choices.indexOf(of)), value: () => NaN, labels };
}

/** Categories with names on their axis; more would stand on each other. */
const MOST_NAMED = 8;
/** Pixels between two axes at least; what is written there is cut. */
const COLUMN = 78;

/**
 * The settings of all trials, a line for each, over an axis for each hyperparameter and one for the first objective; better trials are
 * drawn darker, and above the others. A line has a gap where a trial does not have the hyperparameter.
 *
 * @throws DataError where no trial has a result.
 * @example
 * import { type DrawnStudy, plotStudyParallel } from "@torte/plot";
 * const trials = [0.9, 0.4, 0.6].map((loss, number) => ({ number, values: { rate: loss, units: 4 * number }, results: [loss], epochs: [] }));
 * const parameters = [{ name: "rate", kind: "float" }, { name: "units", kind: "int", min: 0, max: 8 }];
 * const study: DrawnStudy = { trials, space: { parameters }, objectives: [{ metric: "loss", direction: "min" }] };
 * console.log(plotStudyParallel(study).description); // 3 trials by rate, units and loss.
 */
export function plotStudyParallel(study: DrawnStudy, options: FigureOptions = {}): Figure {
  const where = "plotStudyParallel";
  const sizes = checkFigure(where, options, [], 320);
  const results = new Map(rowsOf(where, study).map(({ trial, value }) => [trial, value]));
  const sign = study.objectives[0]?.direction === "max" ? -1 : 1;
  const trials = study.trials
    .filter(({ number }) => results.has(number))
    .sort((a, b) => sign * ((results.get(b.number) ?? 0) - (results.get(a.number) ?? 0)));
  const settings = study.space.parameters.flatMap((parameter) => {
    const values = trials.flatMap(({ values: setting }) => setting[parameter.name] ?? []);
    return values.length === 0 ? [] : [axisOf(parameter, values)];
  });
  const objective = axisOf({ name: metricOf(study), kind: "float" }, [...results.values()]);
  const axes = [...settings, objective];
  // The rank, not the result, so that one bad trial does not make all others look alike.
  const lines = trials.flatMap(({ number, values }, rank) =>
    axes.map((axis, i) => {
      const value = axis === objective ? results.get(number) : values[axis.name];
      return {
        axis: i,
        at: value === undefined ? null : axis.unit(value),
        trial: rank,
        rank: (rank + 1) / trials.length,
      };
    }),
  );
  const room = Math.max(COLUMN, (sizes.width - 120) / axes.length);
  const labels = axes.flatMap(({ labels: all }, axis) =>
    all
      .filter((_, i) => all.length <= MOST_NAMED || i === 0 || i === all.length - 1)
      .map(({ at, text }) => ({ axis, at, text: shortened(text, room, SIZE.small) })),
  );
  const x: Spec = {
    field: "axis",
    type: "quantitative",
    axis: null,
    scale: { domain: [0, axes.length - 1], padding: 46 },
  };
  const y: Spec = { field: "at", type: "quantitative", axis: null, scale: { domain: [0, 1], padding: 26 } };
  const names = axes.map(({ name }, axis) => ({ axis, at: 1, text: shortened(name, room, SIZE.text) }));
  const text = (values: readonly object[], mark: Spec): Spec => ({
    data: { values },
    mark: { type: "text", fontSize: SIZE.small, ...mark },
    encoding: { x, y, text: { field: "text" } },
  });
  return vegaFigure({
    title: options.title ?? "Parallel coordinates",
    subtitle: subtitleOf(options, "A line for each trial; the darker, the better"),
    description: `${trials.length} trials by ${axes
      .map(({ name }) => name)
      .join(", ")
      .replace(/, ([^,]*)$/, " and $1")}.`,
    sizes,
    chart: {
      layer: [
        {
          data: { values: names },
          mark: { type: "rule", color: COLOR.axis },
          encoding: { x, y: { ...y, datum: 0, field: undefined }, y2: { datum: 1 } },
        },
        {
          data: { values: lines },
          mark: { type: "line", strokeWidth: 1.5, opacity: 0.8, invalid: "break-paths-filter-domains" },
          encoding: {
            x,
            y,
            detail: { field: "trial" },
            order: { field: "axis" },
            color: { field: "rank", type: "quantitative", scale: { scheme: "blues", domain: [-0.3, 1] }, legend: null },
          },
        },
        text(names, { dy: -20, fontWeight: "bold" }),
        text(labels, { align: "left", dx: 5, dy: -7 }),
      ],
    },
  });
}

/** Squares along each side of the map. */
const GRID = 24;
/** How far a trial's result reaches, as a share of the range. */
const REACH = 0.12;
/** Steps of colour. */
const LEVELS = 8;

/**
 * The first objective by two numeric hyperparameters: at each place the mean of the trials' results, nearer trials weighing more (Gaussian
 * kernel, an eighth of the range wide), in eight steps; points are the trials.
 *
 * @throws DataError where no trial has a result and both hyperparameters, or one of them is no number.
 */
export function plotStudyContour(
  study: DrawnStudy,
  parameters: readonly [x: string, y: string],
  options: FigureOptions = {},
): Figure {
  const where = "plotStudyContour";
  const sizes = checkFigure(where, options, [], 340);
  const results = new Map(rowsOf(where, study).map(({ trial, value }) => [trial, value]));
  const kept = study.trials.flatMap(({ number, values }) => {
    const [x, y, value] = [values[parameters[0]], values[parameters[1]], results.get(number)];
    return typeof x !== "number" || typeof y !== "number" || value === undefined
      ? []
      : [{ x, y, value, trial: number }];
  });
  if (kept.length === 0)
    throw new DataError({
      where,
      problem: `no trial with a result has numbers for ${JSON.stringify(parameters[0])} and ${JSON.stringify(parameters[1])}`,
    });
  const axis = (at: 0 | 1): Axis => {
    const known = study.space.parameters.find(({ name }) => name === parameters[at]);
    const own = kept.map((row) => (at === 0 ? row.x : row.y));
    return axisOf({ name: parameters[at], kind: "float", ...known }, own);
  };
  const [across, up] = [axis(0), axis(1)];
  const points = kept.map((row) => ({ ...row, across: across.unit(row.x), up: up.unit(row.y) }));
  const squares = Array.from({ length: GRID * GRID }, (_, i) => {
    const [column, row] = [i % GRID, Math.floor(i / GRID)];
    return {
      x: across.value(column / GRID),
      x2: across.value((column + 1) / GRID),
      y: up.value(row / GRID),
      y2: up.value((row + 1) / GRID),
      value: smoothed(points, (column + 0.5) / GRID, (row + 0.5) / GRID),
    };
  });
  const scaleOf = ({ log }: Axis): Spec => ({
    scale: log ? { type: "log", nice: false } : { zero: false, nice: false },
  });
  const ticks = ({ log }: Axis): Spec => ({
    axis: { labelOverlap: true, ...(log ? { format: "~g" } : {}), grid: false },
  });
  const x: Spec = { field: "x", type: "quantitative", title: across.name, ...scaleOf(across), ...ticks(across) };
  const y: Spec = { field: "y", type: "quantitative", title: up.name, ...scaleOf(up), ...ticks(up) };
  const reverse = study.objectives[0]?.direction !== "max";
  return vegaFigure({
    title: options.title ?? `${across.name} and ${up.name}`,
    subtitle: subtitleOf(options, "Colour is the mean of the trials near by, points are the trials"),
    description: `${metricOf(study)} of ${kept.length} trials by ${across.name} and ${up.name}.`,
    sizes,
    chart: {
      layer: [
        {
          data: { values: squares },
          mark: { type: "rect", stroke: null },
          encoding: {
            x,
            x2: { field: "x2" },
            y,
            y2: { field: "y2" },
            color: {
              field: "value",
              type: "quantitative",
              title: metricOf(study),
              scale: { type: "quantize", scheme: { name: "blues", count: LEVELS }, reverse, zero: false },
            },
          },
        },
        {
          data: { values: kept },
          mark: {
            type: "point",
            filled: true,
            size: 26,
            color: COLOR.ink,
            opacity: 0.9,
            stroke: "white",
            strokeWidth: 0.8,
          },
          encoding: { x, y },
        },
      ],
    },
  });
}

function smoothed(
  points: readonly { readonly across: number; readonly up: number; readonly value: number }[],
  across: number,
  up: number,
): number {
  const distances = points.map((point) => ((point.across - across) ** 2 + (point.up - up) ** 2) / (2 * REACH * REACH));
  const nearest = Math.min(...distances);
  const weights = distances.map((distance) => Math.exp(nearest - distance));
  const sum = points.reduce((total, { value }, i) => total + value * (weights[i] ?? 0), 0);
  return sum / weights.reduce((total, weight) => total + weight, 0);
}
