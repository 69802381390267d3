/** study.html: what a study has found, on one page that stands alone. */
import {
  plotBars,
  plotStudyContour,
  plotStudyCurves,
  plotStudyFront,
  plotStudyHistory,
  plotStudyParallel,
  plotStudySlice,
  plotStudyTimeline,
} from "@torte/plot";
import type { Study } from "@torte/tune";
import { drawn, escaped, page, preformatted, section, table } from "./html.js";

/** Trials in the table, the best first. */
const SHOWN = 20;

export async function studyPage(name: string, study: Study): Promise<string> {
  const { trials, finalists, objectives } = study;
  const head = [`<h1>${escaped(name)}</h1>`, preformatted(study.report(), "The study in words")];
  if (finalists.length === 0) return page(`${name}: a study`, head.join("\n"));
  const importance = Object.entries(study.importance());
  const slices = await Promise.all(
    importance
      .filter(([parameter]) => trials.some(({ values, results }) => parameter in values && results !== undefined))
      .map(([parameter]) => drawn(plotStudySlice(study, parameter, { width: 440 }))),
  );
  const parameters = study.space.parameters.map((parameter) => parameter.name);
  const pair = mapped(study, Object.keys(study.importance()));
  const isTimed = trials.some(({ spans }) => spans.length > 0);
  const sign = objectives[0]?.direction === "max" ? -1 : 1;
  const ordered = trials
    .filter(({ results }) => Number.isFinite(results?.[0]))
    .sort((a, b) => sign * ((a.results?.[0] ?? 0) - (b.results?.[0] ?? 0)));
  const sections = [
    section("History", await drawn(plotStudyHistory(study))),
    ...(objectives.length === 2 ? [section("Pareto front", await drawn(plotStudyFront(study)))] : []),
    section("Learning curves", await drawn(plotStudyCurves(study))),
    section("Parallel coordinates", await drawn(plotStudyParallel(study, { width: 80 * parameters.length + 240 }))),
    ...(importance.length > 1
      ? [
          section(
            "Importance",
            await drawn(
              plotBars(
                importance.map(([label, value]) => ({ label, value })),
                { title: "Importance (fANOVA)" },
              ),
            ),
          ),
        ]
      : []),
    section(
      "Hyperparameters",
      ...slices,
      ...(pair === undefined ? [] : [await drawn(plotStudyContour(study, pair, { width: 440 }))]),
    ),
    ...(isTimed ? [section("Timeline", await drawn(plotStudyTimeline(study, { width: 880 })))] : []),
    section(
      "Trials",
      table(
        ["Trial", "State", "Epochs", ...objectives.map(({ metric }) => metric), ...parameters],
        ordered
          .slice(0, SHOWN)
          .map(({ number, state, epochs, results, values }) => [
            number,
            state,
            epochs.length,
            ...(results ?? []),
            ...parameters.map((parameter) => cell(values[parameter])),
          ]),
        `The best ${Math.min(SHOWN, ordered.length)} of ${trials.length} trials`,
      ),
    ),
  ];
  return page(`${name}: a study`, [...head, ...sections].join("\n"));
}

/** The two most important hyperparameters that are numbers and that trials have together. */
function mapped({ space, trials }: Study, importance: readonly string[]): readonly [string, string] | undefined {
  const numeric = importance.filter((name) =>
    space.parameters.some((one) => one.name === name && (one.kind === "float" || one.kind === "int")),
  );
  const pairs = numeric.flatMap((a, i) => numeric.slice(i + 1).map((b) => [a, b] as const));
  return pairs.find(([a, b]) =>
    trials.some(({ values, results }) => a in values && b in values && results !== undefined),
  );
}

function cell(value: number | string | boolean | undefined): number | string {
  if (typeof value !== "number") return String(value ?? "–");
  return Math.abs(value) < 0.001 && value !== 0 ? value.toExponential(2) : value;
}
