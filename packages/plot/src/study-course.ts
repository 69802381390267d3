/** Figures of what a study has weighed and how it went: its Pareto front, and who has trained what when. */
import { DataError } from "torte";
import type { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, subtitleOf } from "./options.js";
import type { DrawnStudy } from "./study.js";
import { COLOR, seriesColor } from "./theme.js";
import { legendOf, vegaFigure } from "./vega.js";

/**
 * Two objectives against each other: points are trials, the line is the front of those that no other one beats in both.
 *
 * @throws DataError for a study of one objective, and where no trial has both results.
 */
export function plotStudyFront(study: DrawnStudy, options: FigureOptions = {}): Figure {
  const where = "plotStudyFront";
  const sizes = checkFigure(where, options, [], 320);
  const [first, second] = study.objectives;
  if (first === undefined || second === undefined)
    throw new DataError({ where, problem: "the study has one objective", expected: "two" });
  const rows = study.trials.flatMap(({ number, results, violations = [] }) => {
    const [x, y] = results ?? [];
    const isKept = violations.every((by) => by <= 0);
    return isKept && Number.isFinite(x) && Number.isFinite(y) ? [{ x: x ?? 0, y: y ?? 0, trial: number }] : [];
  });
  if (rows.length === 0) throw new DataError({ where, problem: "no trial has both results" });
  const sign = ({ direction }: typeof first): number => (direction === "max" ? -1 : 1);
  const [across, up] = [sign(first), sign(second)];
  let best = Infinity;
  const front = [...rows]
    .sort((a, b) => across * (a.x - b.x) || up * (a.y - b.y))
    .filter(({ y }) => up * y < best && ((best = up * y), true));
  const encoding = {
    x: { field: "x", type: "quantitative", title: `${first.metric} (${first.direction})`, scale: { zero: false } },
    y: { field: "y", type: "quantitative", title: `${second.metric} (${second.direction})`, scale: { zero: false } },
  };
  return vegaFigure({
    title: options.title ?? "Pareto front",
    subtitle: subtitleOf(options, "Points are trials, the line is the front"),
    description: `${front.length} of ${rows.length} trials are on the front of ${first.metric} and ${second.metric}.`,
    sizes,
    chart: {
      encoding,
      layer: [
        { data: { values: rows }, mark: { type: "point", filled: true, color: COLOR.axis, size: 40 } },
        {
          data: { values: front },
          mark: {
            type: "line",
            interpolate: across > 0 ? "step-after" : "step-before",
            color: seriesColor(0),
            point: true,
          },
        },
      ],
    },
  });
}

/**
 * When each worker has trained which trial; colour is what became of the trial.
 *
 * @throws DataError where it is not known of any trial.
 */
export function plotStudyTimeline(study: DrawnStudy, options: FigureOptions = {}): Figure {
  const where = "plotStudyTimeline";
  const all = study.trials.flatMap(({ number, state = "", spans = [] }) =>
    spans.map(({ worker = "this process", from, to }) => ({ trial: number, state, worker, from, to })),
  );
  const workers = [...new Set(all.map(({ worker }) => worker))].sort();
  const sizes = checkFigure(where, options, [], Math.min(4000, 130 + 26 * workers.length));
  if (all.length === 0) throw new DataError({ where, problem: "it is not known when trials were trained" });
  const start = Math.min(...all.map(({ from }) => from));
  const values = all.map((span) => ({ ...span, from: (span.from - start) / 1000, to: (span.to - start) / 1000 }));
  const states = [...new Set(all.map(({ state }) => state))].sort();
  const seconds = Math.max(...values.map(({ to }) => to));
  return vegaFigure({
    title: options.title ?? "Timeline",
    subtitle: subtitleOf(options, "A bar for each time that a trial was trained"),
    description: `${all.length} times of training by ${workers.length} worker${workers.length === 1 ? "" : "s"} in ${seconds.toFixed(1)} seconds.`,
    sizes,
    chart: {
      data: { values },
      mark: { type: "bar", stroke: "white", strokeWidth: 0.6, height: { band: 0.8 } },
      encoding: {
        x: { field: "from", type: "quantitative", title: "Seconds" },
        x2: { field: "to" },
        y: { field: "worker", type: "nominal", title: "Worker", axis: { labelLimit: 120 } },
        color: {
          field: "state",
          type: "nominal",
          title: null,
          scale: { domain: states, range: states.map((_, i) => seriesColor(i)) },
          legend: legendOf(states, sizes, "square"),
        },
      },
    },
  });
}
