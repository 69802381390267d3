/** JSON lines: an object in each line. */
import { checkOptions, DataError, hintFor, show } from "../errors.js";
import { parseJson } from "./json.js";
import { readLines, type StreamSource, streamName } from "./stream.js";
import { type Cell, checkColumns, type RowBatch, type TableOptions, type TableStream } from "./table.js";

/**
 * The objects of a file of JSON lines (NDJSON) as a table. The first one says the columns; in later ones a value may be
 * missing, but none may be new.
 *
 * @throws DataError for what is no JSON, no object, or a value that is no cell, with the line.
 * @example
 * import { collectTable, openJsonLines } from "torte";
 * const file = new TextEncoder().encode('{"seq":"MKV","soluble":1}\n{"seq":"MMK","soluble":0}\n');
 * const table = await collectTable(await openJsonLines(file), "peptides");
 * console.log(table.column("seq")); // [ 'MKV', 'MMK' ]
 */
export async function openJsonLines(source: StreamSource, options: TableOptions = {}): Promise<TableStream> {
  checkOptions("openJsonLines", options, ["encoding", "name"]);
  const where = options.name ?? streamName(source, "JSON lines");
  const objects = objectsOf(source, { ...options, name: where });
  const first = await objects.next();
  if (first.done === true) return { columns: [], batches: none() };
  const columns = checkColumns(Object.keys(first.value[0]?.object ?? {}), where);
  const batches = async function* (): AsyncGenerator<RowBatch> {
    yield batchOf(first.value, columns, where);
    for await (const batch of objects) yield batchOf(batch, columns, where);
  };
  return { columns, batches: batches() };
}

// eslint-disable-next-line @typescript-eslint/require-await -- an empty stream
async function* none(): AsyncGenerator<RowBatch> {
  yield* [];
}

interface Found {
  readonly object: Readonly<Record<string, unknown>>;
  readonly line: number;
}

async function* objectsOf(
  source: StreamSource,
  options: TableOptions & { name: string },
): AsyncGenerator<readonly Found[]> {
  for await (const { first, lines } of readLines(source, options)) {
    const found: Found[] = [];
    for (const [i, text] of lines.entries()) {
      if (text.trim() === "") continue;
      const where = `${options.name}: line ${first + i}`;
      const object = parseJson(text, where);
      if (typeof object !== "object" || object === null || Array.isArray(object))
        throw new DataError({ where, problem: "this is no object", expected: "{ ... }", received: show(object) });
      found.push({ object: object as Found["object"], line: first + i });
    }
    if (found.length > 0) yield found;
  }
}

function batchOf(found: readonly Found[], columns: readonly string[], name: string): RowBatch {
  const rows = found.map(({ object, line }) => {
    const where = `${name}: line ${line}`;
    for (const key of Object.keys(object))
      if (!columns.includes(key))
        throw new DataError({
          where,
          problem: `the key ${JSON.stringify(key)} is new`,
          expected: `one of ${columns.join(", ")}, which the first object has`,
          ...hintFor(key, columns),
        });
    return columns.map((column) =>
      cellOf(Object.hasOwn(object, column) ? object[column] : null, `${where}: ${column}`),
    );
  });
  return { rows, lines: found.map(({ line }) => line) };
}

function cellOf(value: unknown, where: string): Cell {
  if (value === null || typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return String(value);
  throw new DataError({
    where,
    problem: "the value is no cell",
    expected: "text, a number, true, false or null",
    received: show(value),
  });
}
