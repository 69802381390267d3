/** From a table to the parts that a model is trained, chosen and measured on. */
import {
  type Cell,
  checkOptions,
  DataError,
  Dataset,
  isMissing,
  labelsIn,
  oneOf,
  OptionError,
  parseRowSplit,
  type RowSplit,
  type RowSplitOptions,
  type SealedTest,
  sealTest,
  splitRows,
  type Table,
  type Tensor,
} from "torte";
import { type RowProblem, TableEncoding } from "./encoding.js";
import { type PlanOptions, planTable, type TablePlan } from "./plan.js";

/** How rows fall into parts. */
export const SPLITS = ["random", "cluster", "group", "time", "given"] as const;
/** How rows are split. */
export type SplitWay = (typeof SPLITS)[number];

/** What becomes of rows that cannot be encoded, as those with letters that are none. */
export const INVALID = ["error", "skip", "unknown"] as const;
/** What becomes of rows that cannot be encoded. */
export type InvalidPolicy = (typeof INVALID)[number];

/** Options of `encodeTable`. */
export interface EncodeOptions extends Omit<PlanOptions, "reserved"> {
  /** Of two classes, the label that the probability is of. Default: the second one in their order. */
  readonly positive?: string;
  /**
   * "random", with the same shares of all classes in each part; "cluster": sequences that are alike lie in one part; "group", "time"
   * and "given" by the column `splitBy`. Default "random".
   */
  readonly split?: SplitWay;
  /** The column of groups, of times, or of the words train, validation and test. */
  readonly splitBy?: string;
  /** The rows of each part, as an earlier split has them; then `split` is not looked at. */
  readonly rows?: unknown;
  /** Share of the rows for validation. Default 0.1. */
  readonly validation?: number;
  /** Share of the rows for the test. Default 0.1. */
  readonly test?: number;
  /** Of the split. Default 0. */
  readonly seed?: number;
  /** Of sequences: "error" where letters are none, "skip" leaves the rows out, "unknown" keeps the letters as unknown ones. Default "error". */
  readonly invalid?: InvalidPolicy;
  /**
   * Of a model that was trained before: columns are encoded as it knows them, so that its weights go on to mean the same. Default: encoders are
   * fitted to the training part.
   */
  readonly like?: TableEncoding;
}

/** The parts of a table, encoded. */
export interface EncodedTable {
  readonly train: Dataset;
  readonly validation: Dataset;
  readonly test: SealedTest;
  readonly encoding: TableEncoding;
  readonly plan: TablePlan;
  /** Rows of the table, counted from 0. */
  readonly split: RowSplit;
  /** Rows that are in no part, and why. */
  readonly leftOut: { readonly withoutTarget: number; readonly unreadable: number };
}

const OPTIONS = [
  "target",
  "sequence",
  "inputs",
  "kinds",
  "targetKind",
  "positive",
  "split",
  "splitBy",
  "rows",
  "validation",
  "test",
  "seed",
  "invalid",
  "like",
] as const;

/**
 * Splits a table into training, validation and a sealed test, and encodes its columns by what the training part has.
 *
 * @throws DataError for columns that are not there, classes with too few rows, rows that cannot be encoded; OptionError.
 * @example
 * import { Table } from "torte";
 * import { encodeTable } from "@torte/data";
 * const size = Array.from({ length: 40 }, (_, i) => i);
 * const table = new Table({ size, big: size.map((n) => (n < 20 ? "no" : "yes")) });
 * const { train, validation, test, encoding } = encodeTable(table, { target: "big" });
 * console.log(train.size, validation.size, test.size, encoding.target.kind); // 32 4 4 binary
 */
export function encodeTable(table: Table, options: EncodeOptions): EncodedTable {
  checkOptions("encodeTable", options, OPTIONS);
  const { splitBy, positive, like } = options;
  const invalid = oneOf("encodeTable", "invalid", options.invalid ?? "error", INVALID);
  const asked = { ...options, reserved: splitBy === undefined ? [] : [splitBy] };
  const plan = planTable(table, like === undefined ? asked : { ...asked, ...columnsOf(table, like, options) });
  const targets = table.column(plan.target);
  const known = targets.flatMap((cell, row) => (isMissing(cell) ? [] : [row]));
  // Which rows can be read does not depend on what an encoding is fitted to.
  const problems =
    like === undefined
      ? TableEncoding.problems(table, plan, known, invalid === "unknown")
      : like.problems(table, known);
  // What a model has not learnt to take as unknown it cannot take.
  if (problems.length > 0 && invalid !== "skip") throw unreadable(table, problems);
  const bad = new Set(problems.map(({ row }) => row));
  const usable = known.filter((row) => !bad.has(row));
  const split =
    options.rows === undefined ? splitUsable(table, plan, usable, options) : parseRowSplit(options.rows, table.size);
  const { encoding, encoded } = TableEncoding.fitAndEncode(table, plan, split.train, {
    lenient: invalid === "unknown",
    ...(positive === undefined ? {} : { positive }),
    ...(like === undefined ? {} : { like }),
  });
  const part = (
    rows: readonly number[],
    { x } = encoding.encode(table, rows),
  ): { readonly x: Tensor[]; readonly y: Tensor } => ({ x: [...x], y: encoding.encodeTarget(table, rows) });
  return {
    train: Dataset.fromTensors(part(split.train, encoded)).shuffle({ seed: options.seed ?? 0 }),
    validation: Dataset.fromTensors(part(split.validation)),
    test: sealTest(part(split.test)),
    encoding,
    plan,
    split,
    leftOut: { withoutTarget: table.size - known.length, unreadable: bad.size },
  };
}

/** The columns that an encoding knows are the inputs. @throws OptionError for others. */
function columnsOf(table: Table, like: TableEncoding, { inputs, sequence }: EncodeOptions): Partial<PlanOptions> {
  for (const column of like.columns) table.column(column);
  const other = (inputs ?? (sequence === undefined ? [] : [sequence])).find((name) => !like.columns.includes(name));
  if (other !== undefined)
    throw new OptionError({
      where: "encodeTable",
      problem: "the model that this one starts from does not know the column",
      expected: like.columns.join(", "),
      received: other,
    });
  return { inputs: like.columns, kinds: like.kinds };
}

/** So many lines are named. */
const NAMED = 5;

function unreadable(table: Table, problems: readonly RowProblem[]): DataError {
  const [first] = problems;
  const lines = problems.slice(0, NAMED).map(({ row }) => table.lines[row] ?? row + 1);
  const more = problems.length > NAMED ? ", ..." : "";
  return new DataError({
    where: `${table.name}: ${first?.column ?? ""}`,
    problem: `${problems.length} of ${table.size} rows cannot be read (lines ${lines.join(", ")}${more})`,
    received: first?.problem ?? "",
    fix: 'Mend them, leave them out (invalid "skip"), or take letters that are none as unknown (invalid "unknown").',
  });
}

/** A class has at least one row in each part. */
const FEWEST = 3;

function splitUsable(table: Table, plan: TablePlan, usable: readonly number[], options: EncodeOptions): RowSplit {
  const { validation, test, seed } = options;
  const cells = (column: string): readonly Cell[] => {
    const all = table.column(column);
    return usable.map((row) => all[row] ?? null);
  };
  const targets = cells(plan.target).map((cell) => String(cell).trim());
  if (plan.targetKind !== "regression") checkClasses(table, plan, targets);
  const by: RowSplitOptions = {
    ...(validation === undefined ? {} : { validation }),
    ...(test === undefined ? {} : { test }),
    ...(seed === undefined ? {} : { seed }),
    ...wayOf(plan, usable.length, cells, targets, options),
  };
  const parts = splitRows(by);
  const rows = (of: readonly number[]): readonly number[] => of.map((i) => usable[i] ?? -1);
  return { train: rows(parts.train), validation: rows(parts.validation), test: rows(parts.test) };
}

function checkClasses(table: Table, { target, targetKind }: TablePlan, targets: readonly string[]): void {
  const counts = new Map<string, number>();
  const all = targetKind === "multiLabel" ? targets.flatMap(labelsIn) : targets;
  for (const label of all) counts.set(label, (counts.get(label) ?? 0) + 1);
  const small = [...counts].filter(([, count]) => count < FEWEST);
  if (counts.size >= 2 && small.length === 0) return;
  const one = counts.size < 2;
  throw new DataError({
    where: `${table.name}: ${target}`,
    problem: one ? "there is one class only" : "a class has too few rows for three parts",
    expected: one ? "two classes at least" : `at least ${FEWEST} rows of each class`,
    received: (one ? [...counts] : small)
      .slice(0, NAMED)
      .map(([label, count]) => `${JSON.stringify(label)} (${count})`)
      .join(", "),
  });
}

function wayOf(
  plan: TablePlan,
  rows: number,
  cells: (column: string) => readonly Cell[],
  targets: readonly string[],
  options: EncodeOptions,
): RowSplitOptions {
  const where = "encodeTable";
  const way = oneOf(where, "split", options.split ?? "random", SPLITS);
  const { splitBy } = options;
  if (way === "random") return plan.targetKind === "regression" ? { rows } : { labels: targets };
  if (way === "cluster") {
    const kinds = ["protein", "DNA", "RNA"];
    const [column] = Object.entries(plan.inputs).find(([, kind]) => kinds.includes(kind)) ?? [];
    if (column !== undefined) return { sequences: cells(column).map(String) };
    throw new OptionError({ where, problem: "there are no sequences to cluster", expected: kinds.join(", ") });
  }
  if (splitBy === undefined)
    throw new OptionError({ where, problem: `split ${JSON.stringify(way)} needs a column`, expected: "splitBy" });
  const by = cells(splitBy);
  return way === "group" ? { groups: by } : way === "time" ? { time: by } : { parts: by };
}
