/** Whether a study is the one that its journal has. */
import { DataError, OptionError, show } from "torte";
import type { StudyEvent } from "./events.js";

/** A study that is resumed must be the same. @throws OptionError that names what was changed. */
export function checkSame(before: StudyEvent, now: StudyEvent, where: string): void {
  const version: number = before.version;
  if (version !== now.version)
    throw new DataError({
      where,
      problem: "the journal is of another version",
      expected: show(now.version),
      received: show(version),
    });
  const changed = (name: string, was: unknown, is: unknown): never => {
    throw new OptionError({
      where,
      problem: `${name} was changed`,
      expected: typeof was === "string" ? was : JSON.stringify(was),
      received: typeof is === "string" ? is : JSON.stringify(is),
      fix: "Resume the study as it was, or begin another one in a new folder.",
    });
  };
  const known = new Map(now.parameters.map((parameter) => [parameter.name, parameter]));
  for (const parameter of before.parameters) {
    const other = known.get(parameter.name);
    if (other === undefined) changed(`the hyperparameter ${parameter.name}`, parameter, "nothing");
    if (JSON.stringify(other) !== JSON.stringify(parameter))
      changed(`the hyperparameter ${parameter.name}`, parameter, other);
  }
  const added = now.parameters.find(({ name }) => !before.parameters.some((other) => other.name === name));
  if (added !== undefined) changed(`the hyperparameter ${added.name}`, "nothing", added);
  // Where it is not said again, the journal knows.
  if (now.earlier !== undefined && JSON.stringify(now.earlier) !== JSON.stringify(before.earlier)) {
    const names = (study: StudyEvent): string => (study.earlier ?? []).map(({ name }) => name).join(", ") || "nothing";
    changed("what earlier studies have found", names(before), names(now));
  }
  for (const name of ["seed", "objectives", "value", "epochs", "repeats", "searcher", "scheduler", "round"] as const)
    if (JSON.stringify(before[name]) !== JSON.stringify(now[name])) changed(name, before[name], now[name]);
}
