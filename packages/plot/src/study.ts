/** Figures of a study of hyperparameters: what was found when, and which settings were good. */
import { DataError } from "torte";
import type { Figure, Spec } from "./figure.js";
import { checkFigure, type FigureOptions, subtitleOf } from "./options.js";
import { shortNumber } from "./text.js";
import { COLOR, seriesColor } from "./theme.js";
import { vegaFigure } from "./vega.js";

/** A trial of a study, as `@torte/tune` has it. */
export interface StudyTrial {
  readonly number: number;
  readonly values: Readonly<Record<string, number | string | boolean>>;
  /** One for each objective; undefined where there is none. */
  readonly results: readonly number[] | undefined;
  /** One list of figures for each epoch. */
  readonly epochs: readonly (readonly number[])[];
  /** What became of it. Default: nothing is said of it. */
  readonly state?: string;
  /** One for each constraint, above 0 where it is violated. Default: there are none. */
  readonly violations?: readonly number[];
  /** When it was trained, in milliseconds, and by whom. Default: not known. */
  readonly spans?: readonly { readonly worker?: string; readonly from: number; readonly to: number }[];
}

/** A hyperparameter, as a space has it. */
export interface StudyParameter {
  readonly name: string;
  readonly kind: string;
  readonly log?: boolean;
  /** Of numbers. Default: as the trials have it. */
  readonly min?: number;
  readonly max?: number;
  /** Of categories. Default: as the trials have it. */
  readonly choices?: readonly (number | string | boolean)[];
}

/** What a study's figures are made of: the study itself will do. */
export interface DrawnStudy {
  readonly trials: readonly StudyTrial[];
  readonly objectives: readonly { readonly metric: string; readonly direction: "min" | "max" }[];
  readonly space: { readonly parameters: readonly StudyParameter[] };
}

interface Row {
  readonly trial: number;
  readonly value: number;
}

export function rowsOf(where: string, { trials }: DrawnStudy): readonly Row[] {
  const rows = trials.flatMap(({ number, results }) =>
    Number.isFinite(results?.[0]) ? [{ trial: number, value: results?.[0] ?? NaN }] : [],
  );
  if (rows.length === 0) throw new DataError({ where, problem: "no trial has a result" });
  return rows;
}

export const metricOf = ({ objectives }: DrawnStudy): string => objectives[0]?.metric ?? "objective";
export const isBetter = ({ objectives }: DrawnStudy, a: number, b: number): boolean =>
  objectives[0]?.direction === "max" ? a > b : a < b;

/**
 * The result of each trial, and the best one so far.
 *
 * @throws DataError where no trial has a result.
 * @example
 * import { type DrawnStudy, plotStudyHistory } from "@torte/plot";
 * const trials = [0.9, 0.4, 0.6].map((loss, number) => ({ number, values: { rate: loss }, results: [loss], epochs: [[loss]] }));
 * const space = { parameters: [{ name: "rate", kind: "float" }] };
 * const study: DrawnStudy = { trials, space, objectives: [{ metric: "loss", direction: "min" }] };
 * console.log(plotStudyHistory(study).description); // 3 trials; the best is trial 1 with loss 0.4.
 */
export function plotStudyHistory(study: DrawnStudy, options: FigureOptions = {}): Figure {
  const sizes = checkFigure("plotStudyHistory", options, [], 300);
  const rows = rowsOf("plotStudyHistory", study);
  const metric = metricOf(study);
  let best = rows[0]?.value ?? NaN;
  const path = rows.map(({ trial, value }) => ({ trial, value: (best = isBetter(study, value, best) ? value : best) }));
  const at = rows.find(({ value }) => value === best)?.trial ?? 0;
  return vegaFigure({
    title: options.title ?? "History",
    subtitle: subtitleOf(options, "Points are trials, the line is the best so far"),
    description: `${rows.length} trials; the best is trial ${at} with ${metric} ${shortNumber(best)}.`,
    sizes,
    chart: {
      encoding: {
        x: { field: "trial", type: "quantitative", title: "Trial", axis: { tickMinStep: 1 } },
        y: { field: "value", type: "quantitative", title: metric, scale: { zero: false } },
      },
      layer: [
        { data: { values: rows }, mark: { type: "point", filled: true, color: COLOR.axis, size: 40 } },
        { data: { values: path }, mark: { type: "line", interpolate: "step-after", color: seriesColor(0) } },
      ],
    },
  });
}

/**
 * Each trial's result by one hyperparameter.
 *
 * @throws DataError where no trial has a result, or the hyperparameter.
 */
export function plotStudySlice(study: DrawnStudy, parameter: string, options: FigureOptions = {}): Figure {
  const where = "plotStudySlice";
  const sizes = checkFigure(where, options, [], 260);
  const kept = new Map(rowsOf(where, study).map(({ trial, value }) => [trial, value]));
  const values = study.trials.flatMap(({ number, values: setting }) => {
    const [at, value] = [setting[parameter], kept.get(number)];
    return at === undefined || value === undefined ? [] : [{ at, value, trial: number }];
  });
  if (values.length === 0)
    throw new DataError({ where, problem: `no trial with a result has ${JSON.stringify(parameter)}` });
  const { kind = "float", log } = study.space.parameters.find(({ name }) => name === parameter) ?? {};
  const numeric = kind === "float" || kind === "int";
  return vegaFigure({
    title: options.title ?? parameter,
    subtitle: subtitleOf(options),
    description: `${metricOf(study)} of ${values.length} trials by ${parameter}.`,
    sizes,
    chart: {
      data: { values },
      mark: { type: "point", filled: true, size: 40 },
      encoding: {
        x: {
          field: "at",
          type: numeric ? "quantitative" : "ordinal",
          title: parameter,
          ...(numeric ? { scale: log === true ? { type: "log" } : { zero: false } } : {}),
          axis: { labelOverlap: true, ...(log === true ? { format: "~g" } : {}) },
        },
        y: { field: "value", type: "quantitative", title: metricOf(study), scale: { zero: false } },
        color: { field: "trial", type: "quantitative", legend: null },
      },
    },
  });
}

/**
 * The first objective after each epoch, a line for each trial: where a line ends, the trial was stopped or paused.
 *
 * @throws DataError where no trial has a result.
 */
export function plotStudyCurves(study: DrawnStudy, options: FigureOptions = {}): Figure {
  const where = "plotStudyCurves";
  const sizes = checkFigure(where, options, [], 320);
  const longest = Math.max(...rowsOf(where, study).map(({ trial }) => study.trials[trial]?.epochs.length ?? 0));
  const values = study.trials.flatMap(({ number, epochs }) =>
    epochs.flatMap(([value], i) => (Number.isFinite(value) ? [{ trial: number, epoch: i + 1, value }] : [])),
  );
  const encoding: Spec = {
    x: { field: "epoch", type: "quantitative", title: "Epoch", axis: { tickMinStep: 1 } },
    y: { field: "value", type: "quantitative", title: metricOf(study), scale: { zero: false } },
    detail: { field: "trial" },
  };
  return vegaFigure({
    title: options.title ?? "Learning curves",
    subtitle: subtitleOf(options, "A line for each trial; it ends where the trial was stopped"),
    description: `${metricOf(study)} of ${study.trials.length} trials over at most ${longest} epochs.`,
    sizes,
    chart: {
      data: { values },
      encoding,
      layer: [
        { mark: { type: "line", strokeWidth: 1, opacity: 0.6 } },
        { mark: { type: "point", filled: true, size: 12, color: seriesColor(0) } },
      ],
    },
  });
}
