/** A study in words. */
import type { Assignment, Value } from "../space/parameter.js";
import { sizeText } from "../space/space.js";
import type { TrialState } from "./ledger.js";
import type { BestTrial, Study } from "./study.js";

export const shownValue = (value: Value): string =>
  typeof value === "number" && !Number.isInteger(value) ? String(Number(value.toPrecision(4))) : String(value);

export const shownSetting = (values: Assignment): string =>
  Object.entries(values)
    .map(([name, value]) => `${name} ${shownValue(value)}`)
    .join("  ");

export const shownNumber = (value: number | undefined): string =>
  value === undefined || !Number.isFinite(value)
    ? "–"
    : Math.abs(value) >= 1e5
      ? value.toExponential(3)
      : String(Number(value.toFixed(4)));

const STATES: readonly TrialState[] = ["complete", "pruned", "paused", "failed", "lost", "running"];

export function reportOf(study: Study): string {
  const { trials, objectives, cost, finalists, front } = study;
  const counts = STATES.map((state) => [state, trials.filter((trial) => trial.state === state).length] as const);
  const states = counts.flatMap(([state, count]) => (count === 0 ? [] : [`${count} ${state}`]));
  const goals = objectives.map(({ metric, direction }) => `${metric} (${direction})`).join(", ");
  const lines = [
    `objective  ${goals}`,
    `space      ${study.space.parameters.length} hyperparameters, ${sizeText(study.space.size)}`,
    `trials     ${trials.length}: ${states.join(", ")}`,
    `cost       ${cost.epochs} epochs, ${Math.round(cost.seconds)} s`,
    "",
  ];
  if (finalists.length === 0) return [...lines, "No trial has a result.", ...failures(study)].join("\n");
  lines.push(...(objectives.length > 1 ? frontLines(front) : finalistLines(finalists)));
  const results = trials.map(({ results: all }) => all?.[0]).filter((value) => value !== undefined);
  if (results.length > 2 && new Set(results).size === 1)
    lines.push("", "The objective is the same in all trials: no hyperparameter changes it.");
  const importance = Object.entries(study.importance());
  if (importance.length > 1 && trials.length >= 4) {
    lines.push("", "importance (share of the variance that single hyperparameters explain)");
    const width = Math.max(...importance.map(([name]) => name.length));
    for (const [name, value] of importance)
      lines.push(`  ${name.padEnd(width)}  ${value.toFixed(3)}  ${"#".repeat(Math.round(40 * value))}`);
  }
  return [...lines, ...failures(study)].join("\n");
}

function finalistLines(finalists: readonly BestTrial[]): readonly string[] {
  const lines = finalists.flatMap(({ number, seen, values, confirmation }) => {
    const again =
      confirmation === undefined
        ? ""
        : `, again ${shownNumber(confirmation.mean)}${Number.isNaN(confirmation.standardError) ? "" : ` ± ${shownNumber(confirmation.standardError)}`} (${confirmation.runs} fresh seed${confirmation.runs === 1 ? "" : "s"})`;
    return [`trial ${number}: seen ${shownNumber(seen)}${again}`, `  ${shownSetting(values)}`];
  });
  const note = finalists.some(({ confirmation }) => confirmation !== undefined)
    ? "What was seen is the best of many and too good (winner's curse); what came again is not."
    : "Seen is the best of many and too good (winner's curse): confirm it with fresh seeds.";
  return [...lines, "", note];
}

const frontLines = (front: Study["front"]): readonly string[] => [
  `${front.length} trials on the Pareto front`,
  ...front.map(
    ({ number, results, values }) =>
      `trial ${number}: ${(results ?? []).map(shownNumber).join("  ")}  |  ${shownSetting(values)}`,
  ),
];

/** Each reason once. */
function failures({ trials }: Study): readonly string[] {
  const reasons = new Map<string, number>();
  for (const { error } of trials) if (error !== undefined) reasons.set(error, (reasons.get(error) ?? 0) + 1);
  if (reasons.size === 0) return [];
  return ["", "failed:", ...[...reasons].map(([reason, count]) => `  ${count} × ${reason}`)];
}
