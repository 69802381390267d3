/** What becomes of the columns of a table: inputs, the target, and those that are left out, each with its reason. */
import {
  type ColumnKind,
  columnKinds,
  DataError,
  inferSequenceKind,
  inferTarget,
  isMissing,
  type Table,
  type TargetKind,
} from "torte";

/** Options of `planTable`. */
export interface PlanOptions {
  /** The column that is to be told. */
  readonly target: string;
  /** The column with the sequences or texts: the only input, but for those that `inputs` names. Default: by the columns. */
  readonly sequence?: string;
  /** The columns that the model sees. Default: all that are neither the target nor used otherwise, constant, or names of rows. */
  readonly inputs?: readonly string[];
  /** What columns hold, where that is not what `inferKind` says. */
  readonly kinds?: Readonly<Record<string, ColumnKind>>;
  /** Default: as `inferTarget` says. */
  readonly targetKind?: TargetKind;
  /** Columns that say how rows are split, which no model may see. Default none. */
  readonly reserved?: readonly string[];
}

/** What each column of a table is taken for. */
export interface TablePlan {
  readonly target: string;
  readonly targetKind: TargetKind;
  /** The kind of each input, by column. */
  readonly inputs: Readonly<Record<string, ColumnKind>>;
  /** Why a column is no input. */
  readonly leftOut: Readonly<Record<string, string>>;
}

/** Names of columns that tell rows apart. */
const NAMES = /^(id|index|name|identifier|accession|description|unnamed: 0|)$/i;

/**
 * Says what becomes of each column.
 *
 * @throws DataError for columns that are not there, a target that cannot be learnt, and where no input is left.
 * @example
 * import { Table } from "torte";
 * import { planTable } from "@torte/data";
 * const table = new Table({ id: ["a", "b", "c"], size: [1, 2, 3], kind: ["x", "y", "x"] });
 * console.log(planTable(table, { target: "kind" }).inputs); // { size: 'number' }
 */
export function planTable(table: Table, options: PlanOptions): TablePlan {
  const { target, sequence, kinds = {}, reserved = [] } = options;
  const cells = table.column(target);
  const known = columnKinds(table, kinds);
  const targetKind = options.targetKind ?? inferTarget(cells, `${table.name}: ${target}`);
  const chosen = options.inputs ?? (sequence === undefined ? undefined : []);
  const asked = chosen === undefined ? undefined : [...(sequence === undefined ? [] : [sequence]), ...chosen];
  const inputs: Record<string, ColumnKind> = {};
  const leftOut: Record<string, string> = {};
  for (const column of asked ?? []) table.column(column);
  for (const column of table.columns) {
    if (column === target) continue;
    const kind = kindOf(table, column, known[column] ?? "text", { ...options, kinds });
    const reason = reserved.includes(column)
      ? "says how rows are split"
      : asked !== undefined
        ? asked.includes(column)
          ? undefined
          : "not asked for"
        : kinds[column] !== undefined
          ? undefined
          : reasonAgainst(table, column, kind);
    if (reason === undefined) inputs[column] = kind;
    else leftOut[column] = reason;
  }
  if (Object.keys(inputs).length > 0) return { target, targetKind, inputs, leftOut };
  throw new DataError({
    where: table.name,
    problem: "no column is left for the model to see",
    expected: "a sequence, a text, numbers or categories beside the target",
    received: Object.entries(leftOut)
      .map(([column, reason]) => `${column} (${reason})`)
      .join(", "),
    fix: "Name the columns that it shall see.",
  });
}

/** A column that is said to be the sequence is one, however often its values repeat. */
function kindOf(table: Table, column: string, kind: ColumnKind, { sequence, kinds }: PlanOptions): ColumnKind {
  if (column !== sequence || kinds?.[column] !== undefined) return kind;
  return ["protein", "DNA", "RNA", "SMILES", "text"].includes(kind) ? kind : inferSequenceKind(table.column(column));
}

function reasonAgainst(table: Table, column: string, kind: ColumnKind): string | undefined {
  if (NAMES.test(column.trim())) return "names the rows";
  const cells = table.column(column);
  const values = new Set(cells);
  if (values.size === 1) return "is constant";
  if (cells.every(isMissing)) return "is empty";
  // Text without blanks, each but once, is a name.
  const isName = kind === "text" && values.size === cells.length && cells.every((cell) => !/\s/.test(String(cell)));
  return isName ? "names the rows" : undefined;
}
