/** Checks of any table: missing cells, copies of rows, balance, columns that are constant or give the target away. */
import { isMissing, numberOf } from "../kinds.js";
import type { Audited } from "./audit.js";
import { bestThreshold, correlation, type Targets } from "./baselines.js";
import type { ClassSize, Finding } from "./findings.js";

/** So many lines are named. */
export const NAMED = 5;

export const counted = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

export const named = (lines: readonly number[], count: number): string =>
  `line${lines.length === 1 ? "" : "s"} ${lines.join(", ")}${count > lines.length ? ", ..." : ""}`;

export function missing({ table, target, sequence }: Audited): readonly Finding[] {
  return table.columns.flatMap((column): readonly Finding[] => {
    const cells = table.column(column);
    const rows = table.lines.filter((_, i) => isMissing(cells[i] ?? null));
    if (rows.length === 0) return [];
    const needed = column === target || column === sequence?.column;
    const lines = rows.slice(0, NAMED);
    const rest = needed ? "; these rows are left out" : "";
    const message = `${column}: ${counted(rows.length, "cell")} of ${table.size} without a value (${named(lines, rows.length)})${rest}`;
    return [{ kind: "missing", severity: needed ? "warning" : "info", column, count: rows.length, lines, message }];
  });
}

const sameClass = ({ targets }: Audited, i: number, j: number): boolean => targets.of[i] === targets.of[j];

/** Copies of a sequence, or of all columns but the target where there is no sequence. */
export function duplicates(audited: Audited): readonly Finding[] {
  const { sequence, parts, lineOf } = audited;
  const groups = [...copies(audited).values()].filter(({ length }) => length > 1);
  const what = sequence === undefined ? "rows" : "sequences";
  const make = (
    across: "none" | "classes" | "parts",
    chosen: readonly (readonly number[])[],
    severity: Finding["severity"],
    how: string,
  ): readonly Finding[] => {
    if (chosen.length === 0) return [];
    const count = chosen.reduce((sum, group) => sum + group.length - 1, 0);
    const shown = chosen.slice(0, NAMED).map((group) => group.slice(0, NAMED).map(lineOf));
    const message = `${count} ${what} are copies of earlier ones${how} (${named(shown[0] ?? [], 0)}${chosen.length > 1 ? "; ..." : ""})`;
    return [{ kind: "duplicates", across, severity, count, groups: shown, message }];
  };
  const straddle = (group: readonly number[]): boolean =>
    parts !== undefined && group.some((i) => parts[i] !== parts[group[0] ?? 0]);
  const mixed = (group: readonly number[]): boolean =>
    audited.targets.kind === "classes" && group.some((i) => !sameClass(audited, i, group[0] ?? 0));
  return [
    ...make(
      "parts",
      groups.filter(straddle),
      "error",
      ", and lie in different parts: the test part is not independent",
    ),
    ...make("classes", groups.filter(mixed), "warning", " with another class"),
    ...make(
      "none",
      groups.filter((group) => !straddle(group) && !mixed(group)),
      "info",
      "",
    ),
  ];
}

/** Rows by what is told from. */
function copies({ table, rows, target, sequence }: Audited): ReadonlyMap<string, number[]> {
  const columns = table.columns.filter((name) => name !== target).map((name) => table.column(name));
  const groups = new Map<string, number[]>();
  if (sequence === undefined && columns.length === 0) return groups;
  rows.forEach((row, i) => {
    const key = sequence?.values[i] ?? JSON.stringify(columns.map((cells) => cells[row]));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  });
  return groups;
}

/** The largest class may be so much larger than the smallest. */
const UNBALANCED = 3;

export function balance({ targets }: Audited): readonly Finding[] {
  if (targets.kind === "numbers") return [];
  const counts = new Array<number>(targets.labels.length).fill(0);
  for (const label of targets.of) counts[label] = (counts[label] ?? 0) + 1;
  const classes = targets.labels.map((label, i): ClassSize => ({
    label,
    count: counts[i] ?? 0,
    share: (counts[i] ?? 0) / targets.of.length,
  }));
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const uneven = most > UNBALANCED * least;
  const listed = classes
    .slice(0, 6)
    .map(({ label, count, share }) => `${label}: ${count} (${(100 * share).toFixed(1)} %)`);
  const rest = classes.length > 6 ? `, and ${classes.length - 6} more` : "";
  const message = `classes ${listed.join(", ")}${rest}${uneven ? `; the largest is ${(most / least).toFixed(1)} times the smallest` : ""}`;
  return [{ kind: "classBalance", severity: uneven ? "warning" : "info", classes, message }];
}

export function constantColumns({ table, rows }: Audited): readonly Finding[] {
  return table.columns.flatMap((column): readonly Finding[] => {
    const cells = table.column(column);
    const value = cells[rows[0] ?? 0] ?? null;
    if (rows.length < 2 || isMissing(value) || rows.some((row) => cells[row] !== value)) return [];
    const message = `${column} is the same in all rows: ${JSON.stringify(value)}`;
    return [{ kind: "constantColumn", severity: "warning", column, value: String(value), message }];
  });
}

/** From so much on a single column gives the target away. */
const GIVES_AWAY = 0.98;

export function leakingColumns(audited: Audited): readonly Finding[] {
  const { table, kinds, rows, target, targets, sequence, chance } = audited;
  return table.columns.flatMap((column): readonly Finding[] => {
    if (column === target || column === sequence?.column || chance >= GIVES_AWAY) return [];
    const cells = rows.map((row) => table.column(column)[row] ?? null);
    const score =
      kinds[column] === "number"
        ? numberScore(
            Float64Array.from(cells, (cell) => (isMissing(cell) ? 0 : numberOf(cell))),
            targets,
          )
        : lookupScore(cells.map(String), targets);
    if (score < GIVES_AWAY) return [];
    const measure = targets.kind === "classes" ? "accuracy" : "R²";
    const message = `${column} gives the target away: alone it has ${measure} ${score.toFixed(3)}`;
    return [{ kind: "leakingColumn", severity: "error", column, score, message }];
  });
}

const numberScore = (values: Float64Array, targets: Targets): number =>
  targets.kind === "numbers"
    ? correlation(values, targets.of) ** 2
    : Math.max(bestThreshold(values, targets, "value").score, lookupScore(Array.from(values, String), targets));

/** Each row told by the other rows with the same value; where there are none, by nothing. */
function lookupScore(values: readonly string[], targets: Targets): number {
  const groups = new Map<string, number[]>();
  values.forEach((value, i) => {
    const group = groups.get(value);
    if (group === undefined) groups.set(value, [i]);
    else group.push(i);
  });
  if (targets.kind === "numbers") return explained([...groups.values()], targets.of);
  let right = 0;
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    const counts = new Map<number, number>();
    for (const i of group) counts.set(targets.of[i] ?? 0, (counts.get(targets.of[i] ?? 0) ?? 0) + 1);
    const most = Math.max(...counts.values());
    // Of a class that is the most frequent by one, its rows are told by a tie.
    const second = Math.max(0, ...[...counts.values()].sort((a, b) => b - a).slice(1));
    right += most - 1 >= second ? most : 0;
  }
  return right / values.length;
}

/** R² of the mean of the other rows of each group. */
function explained(groups: readonly (readonly number[])[], of: Float64Array): number {
  const mean = of.reduce((sum, value) => sum + value, 0) / of.length;
  let [left, total] = [0, 0];
  for (const group of groups) {
    const sum = group.reduce((all, i) => all + (of[i] ?? 0), 0);
    for (const i of group) {
      const value = of[i] ?? 0;
      const told = group.length > 1 ? (sum - value) / (group.length - 1) : mean;
      left += (value - told) ** 2;
      total += (value - mean) ** 2;
    }
  }
  return total > 0 ? 1 - left / total : 0;
}
