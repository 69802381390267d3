/** Whether a study is the one that its journal has. */
import { DataError, OptionError, show } from "torte";
import type { Parameter } from "../space/parameter.js";
import type { StudyEvent } from "./events.js";

function other(where: string, name: string, was: unknown, is: unknown): OptionError {
  return new OptionError({
    where,
    problem: `${name} was changed`,
    expected: typeof was === "string" ? was : JSON.stringify(was),
    received: typeof is === "string" ? is : JSON.stringify(is),
    fix: "Resume the study as it was, or begin another one in a new folder.",
  });
}

/** @throws OptionError that names a hyperparameter that was changed. */
export function checkSameSpace(before: readonly Parameter[], now: readonly Parameter[], where: string): void {
  const names = new Set([...before, ...now].map(({ name }) => name));
  for (const name of names) {
    const [was, is] = [before, now].map((all) => all.find((one) => one.name === name));
    // What comes from a database has its keys in another order.
    if (sorted(was) !== sorted(is)) throw other(where, `the hyperparameter ${name}`, was ?? "nothing", is ?? "nothing");
  }
}

const sorted = (parameter: Parameter | undefined): string =>
  JSON.stringify(Object.entries(parameter ?? {}).sort(([a], [b]) => (a < b ? -1 : 1)));

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
    throw other(where, name, was, is);
  };
  checkSameSpace(before.parameters, now.parameters, where);
  // Where it is not said again, the journal knows.
  if (now.earlier !== undefined && JSON.stringify(now.earlier) !== JSON.stringify(before.earlier)) {
    const names = (study: StudyEvent): string => (study.earlier ?? []).map(({ name }) => name).join(", ") || "nothing";
    changed("what earlier studies have found", names(before), names(now));
  }
  for (const name of ["seed", "objectives", "value", "epochs", "repeats", "searcher", "scheduler", "round"] as const)
    if (JSON.stringify(before[name]) !== JSON.stringify(now[name])) changed(name, before[name], now[name]);
}
