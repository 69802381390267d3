/** An audit of a table: what would make figures on it wrong, before a model is trained. */
import { checkOptions, DataError, numberIn, oneOf, OptionError, show } from "../../errors.js";
import {
  COLUMN_KINDS,
  type ColumnKind,
  columnKinds,
  inferSequenceKind,
  inferTarget,
  isMissing,
  labelsIn,
  numberOf,
  TARGET_KINDS,
  type TargetKind,
} from "../kinds.js";
import type { Cell, Table } from "../table.js";
import { type Baseline, baselines, type Targets } from "./baselines.js";
import { balance, constantColumns, duplicates, leakingColumns, missing } from "./columns.js";
import { bySeverity, type Finding } from "./findings.js";
import { invalidCharacters, lengthPerClass, nearTwins, padding } from "./sequences.js";

/** Options of {@link audit}. */
export interface AuditOptions {
  /** The column that is to be told. */
  readonly target: string;
  /** The column with the sequences or texts. Default: the only one, where there is only one. */
  readonly sequence?: string;
  /** What columns hold, where that is not what `inferKind` says. */
  readonly kinds?: Readonly<Record<string, ColumnKind>>;
  /** What the target asks for. Default: as `inferTarget` says. */
  readonly targetKind?: TargetKind;
  /** The part of each row, as "train" or "test"; then copies that straddle parts are found. */
  readonly parts?: readonly string[];
  /** Jaccard similarity of k-mers from which on two sequences are near-twins. Above 0, at most 1; default 0.9. */
  readonly similarity?: number;
  /** Letters in a k-mer. Default: 5 for proteins, 11 for DNA. */
  readonly k?: number;
}

/** What the checks look at; rows without a target or a sequence are left out. */
export interface Audited {
  readonly table: Table;
  readonly kinds: Readonly<Record<string, ColumnKind>>;
  /** Rows of the table. */
  readonly rows: readonly number[];
  readonly target: string;
  readonly targets: Targets;
  readonly sequence:
    { readonly column: string; readonly kind: ColumnKind; readonly values: readonly string[] } | undefined;
  readonly parts: readonly string[] | undefined;
  /** The line of row i of those that are looked at. */
  readonly lineOf: (i: number) => number;
  /** Score by no input at all: the majority's share, or 0. */
  readonly chance: number;
}

/** What an audit has found. */
export class Audit {
  /** Rows that were looked at. */
  readonly size: number;
  readonly name: string;
  readonly kinds: Readonly<Record<string, ColumnKind>>;
  readonly target: string;
  readonly targetKind: TargetKind;
  /** The worst first. */
  readonly findings: readonly Finding[];
  readonly baselines: readonly Baseline[];

  constructor(of: Omit<Audit, "toString">) {
    this.size = of.size;
    this.name = of.name;
    this.kinds = of.kinds;
    this.target = of.target;
    this.targetKind = of.targetKind;
    this.findings = of.findings;
    this.baselines = of.baselines;
  }

  /** A table for people. */
  toString(): string {
    const score = this.targetKind === "regression" ? "R²" : "accuracy";
    const kinds = Object.entries(this.kinds).map(([column, kind]) => `${column} (${kind})`);
    const width = Math.max(...this.baselines.map(({ name }) => name.length));
    return [
      `${this.name}: ${this.size} rows; ${kinds.join(", ")}`,
      `target ${this.target}: ${this.targetKind}`,
      "",
      ...(this.findings.length === 0 ? ["nothing found"] : []),
      ...this.findings.map(({ severity, message }) => `${severity.padEnd(7)}  ${message}`),
      "",
      `trivial baselines, ${score}`,
      ...this.baselines.map(({ name, rule, score: value }) => `  ${name.padEnd(width)}  ${value.toFixed(3)}  ${rule}`),
    ].join("\n");
  }
}

/**
 * Looks a table over: missing values, copies, near-twins with opposite labels, classes out of balance, lengths that tell the
 * class, characters that are none, padding, columns that are constant or give the target away, and trivial baselines, among
 * them a rule of the first and of the last residue. Each finding has its severity, a sentence, and data.
 *
 * @throws DataError for columns that are not there and targets that cannot be learnt; OptionError for options out of range.
 * @example
 * import { audit, Table } from "torte";
 * const table = new Table({ length: [5, 7, 5, 7, 6], copy: [1, 1, 0, 0, 1], soluble: [1, 1, 0, 0, 1] });
 * const { findings } = audit(table, { target: "soluble" });
 * console.log(findings[0]?.kind, findings[0]?.severity); // leakingColumn error
 */
export function audit(table: Table, options: AuditOptions): Audit {
  checkOptions("audit", options, ["target", "sequence", "kinds", "targetKind", "parts", "similarity", "k"]);
  const similarity = numberIn("audit", "similarity", options.similarity ?? 0.9, { above: 0, max: 1 });
  for (const kind of Object.values(options.kinds ?? {})) oneOf("audit", "kinds", kind, COLUMN_KINDS);
  const { parts, k, target } = options;
  if (parts !== undefined && parts.length !== table.size)
    throw new OptionError({
      where: "audit",
      problem: "parts do not fit the table",
      expected: `${table.size} names`,
      received: show(parts.length),
    });
  const cells = table.column(target);
  const inferred = columnKinds(table, options.kinds);
  const column = sequenceColumn(table, inferred, options);
  const said = column === undefined ? undefined : options.kinds?.[column];
  const kinds =
    column === undefined || said !== undefined
      ? inferred
      : { ...inferred, [column]: inferSequenceKind(table.column(column)) };
  const where = `${table.name}: ${target}`;
  const targetKind = oneOf("audit", "targetKind", options.targetKind ?? inferTarget(cells, where), TARGET_KINDS);
  const rows = Array.from({ length: table.size }, (_, i) => i).filter(
    (i) => !isMissing(cells[i] ?? null) && (column === undefined || !isMissing(table.column(column)[i] ?? null)),
  );
  if (rows.length === 0) throw new DataError({ where, problem: "no row has both a sequence and a target" });
  // Of several labels all of a row are looked at together.
  const targets = targetsOf(
    rows.map((i) => (targetKind === "multiLabel" ? labelsIn(cells[i] ?? null).join(";") : (cells[i] ?? null))),
    targetKind,
    where,
  );
  const values = column === undefined ? undefined : rows.map((i) => String(table.column(column)[i]).trim());
  const kind = column === undefined ? undefined : kinds[column];
  const plain =
    kind === "protein" || kind === "DNA" || kind === "RNA" ? values?.map((text) => text.toUpperCase()) : values;
  const found = baselines(targets, plain);
  const audited: Audited = {
    table,
    kinds,
    rows,
    target,
    targets,
    sequence: column === undefined || plain === undefined ? undefined : { column, kind: kind ?? "text", values: plain },
    parts: parts === undefined ? undefined : rows.map((i) => parts[i] ?? ""),
    lineOf: (i) => table.lines[rows[i] ?? 0] ?? 0,
    chance: found[0]?.score ?? 0,
  };
  const findings = [
    ...missing(audited),
    ...duplicates(audited),
    ...nearTwins(audited, similarity, k),
    ...shortcuts(audited, found),
    ...balance(audited),
    ...lengthPerClass(audited),
    ...invalidCharacters(audited),
    ...padding(audited),
    ...constantColumns(audited),
    ...leakingColumns(audited),
  ];
  return new Audit({
    size: rows.length,
    name: table.name,
    kinds,
    target,
    targetKind,
    findings: bySeverity(findings),
    baselines: found,
  });
}

function sequenceColumn(
  table: Table,
  kinds: Readonly<Record<string, ColumnKind>>,
  { sequence, target }: AuditOptions,
): string | undefined {
  if (sequence !== undefined) {
    table.column(sequence);
    if (sequence !== target) return sequence;
    throw new OptionError({ where: "audit", problem: "sequence and target are one column", received: show(sequence) });
  }
  const able = table.columns.filter(
    (name) => name !== target && ["protein", "DNA", "RNA", "SMILES"].includes(kinds[name] ?? ""),
  );
  if (able.length <= 1) return able[0];
  const expected = `one of ${able.join(", ")}`;
  throw new OptionError({
    where: "audit",
    problem: "several columns are sequences",
    expected,
    fix: "Say which with sequence.",
  });
}

function targetsOf(cells: readonly Cell[], kind: TargetKind, where: string): Targets {
  if (kind === "regression") {
    const of = Float64Array.from(cells, numberOf);
    const bad = of.findIndex((value) => !Number.isFinite(value));
    if (bad < 0) return { kind: "numbers", of };
    throw new DataError({ where, problem: "the target is no number", expected: "numbers", received: show(cells[bad]) });
  }
  const labels = [...new Set(cells.map(String))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const places = new Map(labels.map((label, i) => [label, i]));
  return { kind: "classes", labels, of: Int32Array.from(cells, (cell) => places.get(String(cell)) ?? 0) };
}

/** A rule of one parameter is a shortcut where it is better than chance by more than so much, and than three standard errors. */
const LEAST_GAIN = 0.02;
/** Then a model that is as good has learnt nothing else. */
const TELLS_ALL = 0.95;

const TOLD_BY: Readonly<Record<Baseline["name"], string>> = {
  majority: "",
  mean: "",
  length: "the length tells",
  firstResidue: "the first residue tells",
  lastResidue: "the last residue tells",
  composition: "the composition tells",
};

function shortcuts({ targets, chance }: Audited, found: readonly Baseline[]): readonly Finding[] {
  const what = targets.kind === "classes" ? "the class" : "the target";
  const measure = targets.kind === "classes" ? "accuracy" : "R²";
  return found.slice(1).flatMap(({ name, rule, score }): readonly Finding[] => {
    const error = Math.sqrt((Math.max(chance, 1 / targets.of.length) * (1 - chance)) / targets.of.length);
    if (!(score > chance + Math.max(LEAST_GAIN, 3 * error))) return [];
    const severity = score >= TELLS_ALL ? "error" : name === "composition" ? "info" : "warning";
    const message = `${TOLD_BY[name]} ${what}: ${rule} has ${measure} ${score.toFixed(3)}, chance ${chance.toFixed(3)}`;
    return [{ kind: "shortcut", severity, baseline: name, rule, score, chance, message }];
  });
}
