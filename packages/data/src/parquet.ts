/** Parquet: columns in groups of rows, read by hyparquet. */
import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetRead, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";
import {
  type Cell,
  checkColumns,
  checkOptions,
  DataError,
  type RowBatch,
  show,
  type StreamSource,
  streamName,
  type TableOptions,
  type TableStream,
} from "torte";
import { bytesOf, openFile } from "./file.js";

/** A group of rows is unpacked at once; a larger one is taken as a bomb. */
const LARGEST_GROUP = 2 ** 30;

/** So much of what the file has may be unpacked, for each byte. */
const MOST_PER_BYTE = 2000;

/** A reader of a Parquet file. */
export async function openParquet(source: StreamSource, options: TableOptions = {}): Promise<TableStream> {
  checkOptions("openParquet", options, ["encoding", "name"]);
  const where = options.name ?? streamName(source, "Parquet");
  const file = await bufferOf(source, where);
  const metadata = await readable(where, () => parquetMetadataAsync(file));
  checkSizes(metadata, file.byteLength, where);
  const fields = await readable(where, () => parquetSchema(metadata).children);
  const columns = checkColumns(
    fields.map(({ element }) => element.name),
    where,
  );
  const batches = async function* (): AsyncGenerator<RowBatch> {
    let from = 0;
    for (const { num_rows } of metadata.row_groups) {
      const to = from + Number(num_rows);
      let rows: readonly (readonly unknown[])[] = [];
      await readable(where, () =>
        parquetRead({
          file,
          metadata,
          compressors,
          columns: [...columns],
          rowStart: from,
          rowEnd: to,
          onComplete: (all) => (rows = all),
        }),
      );
      const start = from;
      yield {
        rows: rows.map((row, i) =>
          row.map((value, c) => cellOf(value, `${where}: row ${start + i + 1}: ${columns[c] ?? ""}`)),
        ),
        lines: rows.map((_, i) => start + i + 1),
      };
      from = to;
    }
  };
  return { columns, batches: batches() };
}

/** Files are read where they lie, other sources first into memory. */
async function bufferOf(source: StreamSource, where: string): Promise<AsyncBuffer> {
  const file = await openFile(source);
  if (file !== undefined) return file;
  const bytes = await bytesOf(source, where);
  return { byteLength: bytes.length, slice: (start, end) => bytes.slice(start, end).buffer };
}

/** What hyparquet says is wrong, as an error of Torte's. */
async function readable<T>(where: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DataError) throw error;
    const received = error instanceof Error ? error.message : String(error);
    throw new DataError({ where, problem: "this Parquet file cannot be read", received });
  }
}

/** Before anything is allocated: sizes that the file cannot have. */
function checkSizes({ row_groups, num_rows }: FileMetaData, length: number, where: string): void {
  const rows = row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  if (rows !== Number(num_rows) || row_groups.some(({ num_rows: own }) => own < 0n))
    throw new DataError({
      where,
      problem: "the groups do not add up",
      expected: `${num_rows} rows`,
      received: String(rows),
    });
  for (const group of row_groups)
    for (const { meta_data } of group.columns) {
      const size = Number(meta_data?.total_uncompressed_size ?? 0);
      const values = Number(meta_data?.num_values ?? 0);
      // A run of equal values takes next to nothing; unpacked, each is a value.
      if (
        size > Math.min(LARGEST_GROUP, MOST_PER_BYTE * length) ||
        values > Math.min(LARGEST_GROUP / 8, MOST_PER_BYTE * length) ||
        size < 0 ||
        values < 0
      )
        throw new DataError({
          where,
          problem: "a group of rows is too large to unpack",
          expected: `at most ${LARGEST_GROUP} bytes`,
          received: `${size} bytes, ${values} values in a file of ${length} bytes`,
        });
    }
}

function cellOf(value: unknown, where: string): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return value.toISOString();
  throw new DataError({
    where,
    problem: "the value is no cell",
    expected: "text, a number, a date, true or false",
    received: show(value),
  });
}
