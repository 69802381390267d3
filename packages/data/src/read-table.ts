/** Reading a table from a file of any format that is known. */
import {
  collectTable,
  DataError,
  hintFor,
  type RowBatch,
  type StreamSource,
  streamName,
  type Table,
  type TableReader,
  type TableStream,
} from "torte";
import { FORMAT_NAMES, FORMATS, type FormatName, formatOf, type FormatOptions } from "./formats.js";

/** Options of `readTable`. */
export type ReadTableOptions = {
  [Name in FormatName]: {
    /** Default: by the end of the file's name. */
    readonly format?: Name;
    /** Columns to keep. Default: all. */
    readonly columns?: readonly string[];
    /** Told from time to time how many rows have come. */
    readonly onProgress?: (rows: number) => void;
  } & FormatOptions<Name>;
}[FormatName];

/**
 * The table of a file as a stream of rows, so that it may be larger than memory.
 *
 * @throws DataError for a format that is not known, a column that is not there, and what the format's reader cannot read.
 */
export async function openTable(source: StreamSource, options: ReadTableOptions = {}): Promise<TableStream> {
  const { format, columns, onProgress, ...others } = options;
  const where = options.name ?? streamName(source, "table");
  const name = format ?? formatOf(where);
  if (name === undefined || !Object.hasOwn(FORMATS, name))
    throw new DataError({
      where,
      problem: "the format is not known by the file's name",
      expected: FORMAT_NAMES.flatMap((known) => FORMATS[known].extensions.map((end) => `.${end}`)).join(", "),
      fix: `Say it with format: one of ${FORMAT_NAMES.join(", ")}.`,
    });
  const open = FORMATS[name].open as TableReader<typeof others>;
  return counted(chosen(await open(source, { ...others, name: where }), columns, where), onProgress);
}

/**
 * All rows of a file: CSV, TSV, FASTA, JSON lines, npz or Parquet, plain or gzip.
 *
 * @throws DataError as `openTable`, and where there are no rows.
 * @example
 * import { readTable } from "@torte/data";
 * const file = new TextEncoder().encode("seq,soluble\nMKV,1\nMMK,0\n");
 * const table = await readTable(file, { format: "csv" });
 * console.log(table.size, table.column("seq")); // 2 [ 'MKV', 'MMK' ]
 */
export async function readTable(source: StreamSource, options: ReadTableOptions = {}): Promise<Table> {
  return collectTable(await openTable(source, options), options.name ?? streamName(source, "table"));
}

function chosen(stream: TableStream, columns: readonly string[] | undefined, where: string): TableStream {
  if (columns === undefined) return stream;
  const places = columns.map((column) => {
    const place = stream.columns.indexOf(column);
    if (place >= 0) return place;
    throw new DataError({
      where,
      problem: `there is no column ${JSON.stringify(column)}`,
      expected:
        stream.columns.length === 0
          ? "a file that is not empty"
          : `one of ${stream.columns.map((name) => JSON.stringify(name)).join(", ")}`,
      ...hintFor(column, stream.columns),
    });
  });
  const batches = async function* (): AsyncGenerator<RowBatch> {
    for await (const { rows, lines } of stream.batches)
      yield { rows: rows.map((row) => places.map((place) => row[place] ?? null)), lines };
  };
  return { columns, batches: batches() };
}

function counted({ columns, batches }: TableStream, onProgress: ((rows: number) => void) | undefined): TableStream {
  if (onProgress === undefined) return { columns, batches };
  const all = async function* (): AsyncGenerator<RowBatch> {
    let rows = 0;
    for await (const batch of batches) {
      onProgress((rows += batch.rows.length));
      yield batch;
    }
  };
  return { columns, batches: all() };
}
