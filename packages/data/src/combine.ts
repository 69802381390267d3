/** Tables put together: a file for each class, and labels in a file of their own. */
import { type Cell, DataError, isMissing, Table } from "torte";

/** The column that says the class of a row. */
const LABEL = "label";

/**
 * Tables with the same columns one below the other, each being a class: its name is in the column `label`.
 *
 * @throws DataError for tables with other columns, a column `label` that is there already, and names that come twice.
 * @example
 * import { Table } from "torte";
 * import { joinClasses } from "@torte/data";
 * const [yes, no] = [new Table({ sequence: ["MKV"] }), new Table({ sequence: ["MMK", "MAA"] })];
 * console.log(joinClasses({ yes, no }).column("label")); // [ 'yes', 'no', 'no' ]
 */
export function joinClasses(tables: Readonly<Record<string, Table>>): Table {
  const classes = Object.entries(tables);
  const [[, first] = []] = classes;
  if (first === undefined)
    throw new DataError({ where: "joinClasses", problem: "there are no tables", expected: "one for each class" });
  const { columns } = first;
  for (const [, table] of classes)
    if (table.columns.length !== columns.length || columns.some((column) => !table.columns.includes(column)))
      throw new DataError({
        where: table.name,
        problem: `the columns are not those of ${first.name}`,
        expected: columns.join(", "),
        received: table.columns.join(", "),
      });
  if (columns.includes(LABEL))
    throw new DataError({
      where: first.name,
      problem: `there is a column ${LABEL} already, and each file is a class`,
      fix: "Give one file, or take the column away.",
    });
  const cells = columns.map((column): [string, readonly Cell[]] => [
    column,
    classes.flatMap(([, table]) => table.column(column)),
  ]);
  const labels = classes.flatMap(([name, { size }]) => new Array<string>(size).fill(name));
  return new Table(new Map([...cells, [LABEL, labels]]), {
    name: classes.map(([, table]) => table.name).join(", "),
    lines: classes.flatMap(([, { lines }]) => lines),
  });
}

/** The column that names the rows: `id`, or the first one. */
const idOf = ({ columns }: Table): string => (columns.includes("id") ? "id" : (columns[0] ?? "id"));

/**
 * A table with the columns of another one beside it, such as labels, by the names of rows: the column `id` of both, or their first. Rows that
 * the other one does not name have no cells there, and are left out where one of them is the target.
 *
 * @throws DataError for a name that has two rows of different cells, for columns that are there already, and where no name is known.
 * @example
 * import { Table } from "torte";
 * import { joinLabels } from "@torte/data";
 * const table = joinLabels(new Table({ id: ["a", "b"], sequence: ["MK", "MV"] }), new Table({ id: ["b", "a"], soluble: [0, 1] }));
 * console.log(table.column("soluble")); // [ 1, 0 ]
 */
export function joinLabels(table: Table, labels: Table): Table {
  const [own, other] = [idOf(table), idOf(labels)];
  const added = labels.columns.filter((column) => column !== other);
  const there = added.find((column) => table.columns.includes(column));
  if (there !== undefined || added.length === 0)
    throw new DataError({
      where: labels.name,
      problem: there === undefined ? "there is no column beside the names" : `${table.name} has a column ${there}, too`,
      expected: `${other} and the columns that are added`,
      received: labels.columns.join(", "),
    });
  const places = placesOf(labels, other, added);
  const rows = table.column(own).map((id) => places.get(nameOf(id)));
  if (rows.every((row) => row === undefined))
    throw new DataError({
      where: labels.name,
      problem: `it names no row of ${table.name}`,
      expected: `names as ${JSON.stringify(nameOf(table.column(own)[0] ?? null))}`,
      received: JSON.stringify(nameOf(labels.column(other)[0] ?? null)),
    });
  const cells = new Map<string, readonly Cell[]>(table.columns.map((column) => [column, table.column(column)]));
  for (const column of added) {
    const from = labels.column(column);
    cells.set(
      column,
      rows.map((row) => (row === undefined ? null : (from[row] ?? null))),
    );
  }
  return new Table(cells, { name: table.name, lines: table.lines });
}

const nameOf = (id: Cell): string => String(id ?? "").trim();

/** The row of each name. */
function placesOf(labels: Table, column: string, added: readonly string[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  const all = added.map((name) => labels.column(name));
  labels.column(column).forEach((id, row) => {
    if (isMissing(id)) return;
    const before = places.get(nameOf(id));
    if (before !== undefined && all.some((cells) => cells[before] !== cells[row]))
      throw new DataError({
        where: `${labels.name}: line ${labels.lines[row] ?? row + 1}`,
        problem: `${JSON.stringify(nameOf(id))} comes again, with other cells`,
        expected: `those of line ${labels.lines[before] ?? before + 1}`,
      });
    places.set(nameOf(id), before ?? row);
  });
  return places;
}
