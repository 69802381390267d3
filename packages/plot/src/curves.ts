/** Learning curves: a figure of training against the epoch, of one run, of several, or of several seeds. */
import { DataError, type Diagnosis, type Logs, oneOf, OptionError, show } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, type Sizes, subtitleOf } from "./options.js";
import { shortNumber } from "./text.js";
import { COLOR, DASHES, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

/** A history, or the list of its epochs. */
export type Run =
  | readonly Logs[]
  | {
      readonly epochs: readonly Logs[];
      readonly ended?: string;
      /** From 0: whose weights the model was given back. */
      readonly restoredEpoch?: number | undefined;
      best?(figure?: string): { readonly epoch: number } | undefined;
    };

/** One run; or runs by name, each of them one run or a list of the same run with several seeds. */
export type Runs = Run | Readonly<Record<string, Run | readonly Run[]>>;

export interface CurvesOptions extends FigureOptions {
  /** What is drawn: "loss", "accuracy", …; that of the validation data is beside it where there is some. Default "loss". */
  readonly figure?: string;
  /** Marks the best epoch of a single run: whether less or more is better. Default: as the history says; for losses "min". */
  readonly best?: "min" | "max" | "none";
  /** Of several seeds: all of their range, or one standard deviation to each side. Default "range". */
  readonly spread?: "range" | "deviation";
  /** What `history.diagnose()` has found; it is told below the title. */
  readonly diagnosis?: Diagnosis;
}

const WHERE = "plotCurves";
const SETS = ["training", "validation"] as const;
type Set = (typeof SETS)[number];

interface Curve {
  readonly run: string;
  readonly set: Set;
  /** Seeds. */
  readonly runs: number;
  readonly points: readonly { epoch: number; value: number | null; low?: number; high?: number }[];
}

/**
 * A figure of training and validation against the epoch. Of a single run the best epoch is marked, and where it stopped
 * early; several runs have a colour each; of several seeds of a run the mean and the spread are drawn.
 *
 * @throws DataError without epochs, or where no run has such a figure; OptionError for options out of range.
 * @example
 * import { plotCurves } from "@torte/plot";
 * const figure = plotCurves([
 *   { loss: 0.7, valLoss: 0.72 },
 *   { loss: 0.5, valLoss: 0.6 },
 *   { loss: 0.3, valLoss: 0.65 },
 * ]);
 * console.log(figure.description); // Training loss over 3 epochs from 0.7 to 0.3, validation loss from 0.72 to 0.65, best in epoch 2 with 0.6.
 */
export function plotCurves(runs: Runs, options: CurvesOptions = {}): Figure {
  const sizes = checkFigure(WHERE, options, ["figure", "best", "spread", "diagnosis"], 340);
  const figure = options.figure ?? "loss";
  const spread = oneOf(WHERE, "spread", options.spread ?? "range", ["range", "deviation"]);
  const entries = entriesOf(runs);
  const curves = entries.flatMap(([name, seeds]) =>
    SETS.flatMap((set) => curveOf(name, seeds, set, keyOf(figure, set), spread)),
  );
  if (!curves.some(({ points }) => points.some(({ value }) => value !== null))) throw noFigure(figure, entries);
  const [only, ...others] = entries;
  const single = others.length === 0 && only?.[1].length === 1 ? only[1][0] : undefined;
  const mark = single === undefined ? undefined : bestOf(single, figure, curves, options.best);
  const word = wordsOf(figure);
  const alone = entries.length === 1;
  const description = describe(word, curves, alone, mark);
  const title = options.title ?? (alone ? `${capital(word)} by epoch` : `${capital(word)} by epoch and run`);
  const notes = [
    ...(options.diagnosis?.findings ?? []).map(({ kind, text }) => `${capital(spaced(kind))}: ${text}`),
    single === undefined ? "" : endOf(single),
    spreadNote(curves, spread),
  ];
  return vegaFigure({
    title,
    subtitle: subtitleOf(options, ...notes),
    description,
    sizes,
    chart: chartOf(curves, word, alone, mark, single, sizes),
  });
}

const keyOf = (figure: string, set: Set): string =>
  set === "training" ? figure : `val${figure.slice(0, 1).toUpperCase()}${figure.slice(1)}`;
const spaced = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
/** "topKAccuracy" as "top k accuracy"; abbreviations stay. */
const wordsOf = (figure: string): string => (/[A-Z]{2}/.test(figure) ? figure : spaced(figure));
const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const isLogs = (value: unknown): value is Logs =>
  typeof value === "object" && value !== null && Object.values(value).every((item) => typeof item === "number");
const isRun = (value: unknown): value is Run =>
  Array.isArray(value)
    ? value.every(isLogs)
    : typeof value === "object" && value !== null && Array.isArray((value as { epochs?: unknown }).epochs);

const epochsOf = (run: Run): readonly Logs[] => (isList(run) ? run : run.epochs);
const isList = (run: Run): run is readonly Logs[] => Array.isArray(run);

function entriesOf(runs: Runs): readonly (readonly [string, readonly Run[]])[] {
  const given: unknown = runs;
  const entries: [string, unknown][] = isRun(given)
    ? [["", [given]]]
    : typeof given === "object" && given !== null
      ? Object.entries(given).map(([name, value]: [string, unknown]) => [name, isRun(value) ? [value] : value])
      : [];
  for (const [name, seeds] of entries) {
    if (!Array.isArray(seeds) || seeds.length === 0 || !seeds.every(isRun))
      throw new DataError({
        where: WHERE,
        problem: "there is no run to draw",
        expected: "a history, its epochs, or several of them by name",
        received: `${show(seeds)}${name === "" ? "" : ` under ${JSON.stringify(name)}`}`,
      });
    if (seeds.some((run) => epochsOf(run).length === 0))
      throw new DataError({ where: WHERE, problem: `a run has no epochs${name === "" ? "" : `: ${name}`}` });
  }
  if (entries.length === 0)
    throw new DataError({ where: WHERE, problem: "there is no run to draw", received: show(runs) });
  return entries as [string, readonly Run[]][];
}

function noFigure(figure: string, entries: readonly (readonly [string, readonly Run[]])[]): DataError {
  const names = entries.flatMap(([, seeds]) => seeds.flatMap((run) => Object.keys(epochsOf(run)[0] ?? {})));
  return new DataError({
    where: WHERE,
    problem: `no run has a finite ${JSON.stringify(figure)}`,
    expected: [...new Set(names)].join(", "),
  });
}

function curveOf(run: string, seeds: readonly Run[], set: Set, key: string, spread: "range" | "deviation"): Curve[] {
  const columns = seeds.map((seed) => epochsOf(seed).map((logs) => logs[key] ?? NaN));
  if (columns.every((column) => column.every((value) => !Number.isFinite(value)))) return [];
  // A mean over fewer runs than before would jump where the first one ends.
  const epochs = Math.min(...columns.map(({ length }) => length));
  const points = Array.from({ length: epochs }, (_, i) => {
    const values = columns.map((column) => column[i] ?? NaN);
    if (values.some((value) => !Number.isFinite(value))) return { epoch: i + 1, value: null };
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    if (values.length === 1) return { epoch: i + 1, value: mean };
    const deviation = Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (values.length - 1));
    const [low, high] =
      spread === "range" ? [Math.min(...values), Math.max(...values)] : [mean - deviation, mean + deviation];
    return { epoch: i + 1, value: mean, low, high };
  });
  return [{ run, set, runs: seeds.length, points }];
}

interface Mark {
  readonly epoch: number;
  readonly value: number;
}

function bestOf(run: Run, figure: string, curves: readonly Curve[], wish: CurvesOptions["best"]): Mark | undefined {
  if (wish !== undefined) oneOf(WHERE, "best", wish, ["min", "max", "none"]);
  const curve = curves.find(({ set }) => set === "validation") ?? curves[0];
  if (wish === "none" || curve === undefined || curve.points.length < 2) return undefined;
  const at = wish === undefined ? historysBest(run, keyOf(figure, curve.set)) : undefined;
  const direction = wish ?? (/loss$/i.test(figure) ? "min" : undefined);
  const finite = curve.points.filter((point): point is Mark => point.value !== null);
  const sign = direction === "max" ? -1 : 1;
  const found =
    at === undefined
      ? direction === undefined
        ? undefined
        : finite.reduce<Mark | undefined>(
            (a, b) => (a === undefined || sign * b.value < sign * a.value ? b : a),
            undefined,
          )
      : finite.find(({ epoch }) => epoch === at + 1);
  return found === undefined ? undefined : { epoch: found.epoch, value: found.value };
}

/** What the run's own metric says; it knows the direction. */
function historysBest(run: Run, key: string): number | undefined {
  if (isList(run) || run.best === undefined) return undefined;
  try {
    return run.best(key)?.epoch;
  } catch (error) {
    if (error instanceof OptionError) return undefined; // a figure without a direction has no best
    throw error;
  }
}

function endOf(run: Run): string {
  if (isList(run)) return "";
  const stopped = run.ended === "stopped" ? `Stopped early after epoch ${run.epochs.length}.` : "";
  const kept = run.restoredEpoch === undefined ? "" : `The model has the weights of epoch ${run.restoredEpoch + 1}.`;
  return [stopped, kept].filter((part) => part !== "").join(" ");
}

function spreadNote(curves: readonly Curve[], spread: "range" | "deviation"): string {
  const most = Math.max(...curves.map(({ runs }) => runs));
  if (most === 1) return "";
  return `Lines are means over seeds, areas ${spread === "range" ? "their range" : "one standard deviation to each side"}.`;
}

function describe(word: string, curves: readonly Curve[], alone: boolean, mark: Mark | undefined): string {
  const epochs = Math.max(...curves.map(({ points }) => points.length));
  const parts = curves.map(({ run, set, runs, points }, i) => {
    const values = points.map(({ value }) => value).filter((value) => value !== null);
    const [first = NaN, last = NaN] = [values[0], values.at(-1)];
    const seeds = runs === 1 ? "" : ` (mean of ${runs})`;
    const over = i === 0 ? ` over ${epochs} epoch${epochs === 1 ? "" : "s"}` : "";
    return `${set} ${word}${alone ? "" : ` of ${run}`}${seeds}${over} from ${shortNumber(first)} to ${shortNumber(last)}`;
  });
  const best = mark === undefined ? "" : `, best in epoch ${mark.epoch} with ${shortNumber(mark.value)}`;
  return `${capital(parts.join(", "))}${best}.`;
}

const SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"] as const;

function chartOf(
  curves: readonly Curve[],
  word: string,
  alone: boolean,
  mark: Mark | undefined,
  run: Run | undefined,
  sizes: Sizes,
): Record<string, unknown> {
  const epochs = Math.max(2, ...curves.map(({ points }) => points.length));
  const nameOf = ({ run: name, runs }: Curve): string => (runs === 1 ? name : `${name} (${runs} runs)`);
  const values = curves.flatMap((curve) =>
    curve.points.map((point) => ({ run: nameOf(curve), set: curve.set, ...point })),
  );
  const names = [...new Set(curves.map(nameOf))];
  const sets = SETS.filter((set) => curves.some((curve) => curve.set === set));
  const x = {
    field: "epoch",
    type: "quantitative",
    title: "Epoch",
    axis: { format: "d", tickMinStep: 1, grid: false },
    scale: { domain: [1, epochs], nice: false },
  };
  const y = { field: "value", type: "quantitative", title: capital(word), scale: { zero: false } };
  const colored = alone ? { field: "set", names: sets } : { field: "run", names };
  const color = {
    field: colored.field,
    type: "nominal",
    scale: { domain: colored.names, range: colored.names.map((_, i) => seriesColor(i)) },
    legend: { ...legendOf(colored.names, sizes), ...(alone ? {} : { symbolSize: 70 }) },
  };
  const strokeDash = {
    field: "set",
    type: "nominal",
    // Validation is what counts: its line is the solid one.
    scale: { domain: sets, range: sets.map((set) => (set === "training" ? DASHES[1] : DASHES[0])) },
    legend: legendOf(sets, sizes),
  };
  // In grey, runs are told apart by their points.
  const shape = {
    field: "run",
    type: "nominal",
    scale: { domain: names, range: names.map((_, i) => SHAPES[i % SHAPES.length]) },
    legend: color.legend,
  };
  const banded = values.some((value) => "low" in value);
  const band = {
    mark: { type: "area", fillOpacity: 0.18 },
    encoding: { x, y: { ...y, field: "low" }, y2: { field: "high" }, color, detail: { field: "set" } },
  };
  const points = epochs <= 40 && !banded;
  return {
    data: { values },
    layer: [
      ...(banded ? [band] : []),
      {
        mark: { type: "line", point: points ? { size: alone ? 22 : 40 } : false },
        encoding: { x, y, color, strokeDash, ...(points && !alone ? { shape } : {}) },
      },
      ...marksOf(mark, run, epochs),
    ],
  };
}

/** A vertical line at the best epoch, and one where it stopped early. */
function marksOf(mark: Mark | undefined, run: Run | undefined, epochs: number): Record<string, unknown>[] {
  const at = (epoch: number, text: string): Record<string, unknown>[] => {
    const x = { field: "epoch", type: "quantitative" };
    const left = epoch > (epochs + 1) / 2;
    const data = { values: [{ epoch, text }] };
    return [
      { data, mark: { type: "rule", color: COLOR.axis, strokeDash: [3, 3] }, encoding: { x } },
      {
        data,
        mark: {
          type: "text",
          align: left ? "right" : "left",
          baseline: "bottom",
          dx: left ? -4 : 4,
          y: -3,
          color: COLOR.soft,
        },
        encoding: { x, text: { field: "text" } },
      },
    ];
  };
  const stopped = run !== undefined && !isList(run) && run.ended === "stopped" ? run.epochs.length : undefined;
  return [
    ...(mark === undefined ? [] : at(mark.epoch, `best: ${shortNumber(mark.value)} in epoch ${mark.epoch}`)),
    ...(stopped === undefined || stopped === mark?.epoch ? [] : at(stopped, "").slice(0, 1)),
  ];
}
