/** study.html: what a study has found, on one page that stands alone. */
import { plotBars, plotStudyCurves, plotStudyHistory, plotStudySlice } from "@torte/plot";
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
  const sign = objectives[0]?.direction === "max" ? -1 : 1;
  const ordered = trials
    .filter(({ results }) => Number.isFinite(results?.[0]))
    .sort((a, b) => sign * ((a.results?.[0] ?? 0) - (b.results?.[0] ?? 0)));
  const sections = [
    section("History", await drawn(plotStudyHistory(study))),
    section("Learning curves", await drawn(plotStudyCurves(study))),
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
    section("Hyperparameters", ...slices),
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

function cell(value: number | string | boolean | undefined): number | string {
  if (typeof value !== "number") return String(value ?? "–");
  return Math.abs(value) < 0.001 && value !== 0 ? value.toExponential(2) : value;
}
