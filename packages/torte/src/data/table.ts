/** Tables: named columns of cells, as files have them; streamed in batches of rows, or whole. */
import { DataError, hintFor } from "../errors.js";
import type { StreamSource } from "./stream.js";

/** An image as bytes, 0 to 255: row by row from the top, each pixel with its channels. */
export class Picture {
  constructor(
    /** What it is called where it is shown: its file. */
    readonly name: string,
    readonly width: number,
    readonly height: number,
    /** 1: grey; 3: red, green and blue. */
    readonly channels: 1 | 3,
    readonly data: Uint8Array,
  ) {
    if (data.length !== width * height * channels)
      throw new DataError({
        where: name,
        problem: "the picture has another number of values than its sizes say",
        expected: String(width * height * channels),
        received: String(data.length),
      });
  }

  toString(): string {
    return this.name;
  }

  /** What it shows: two copies have the same, whatever their names. */
  toJSON(): string {
    const hash = this.data.reduce((sum, byte) => Math.imul(sum ^ byte, 0x01000193), 0x811c9dc5);
    return `${this.width}×${this.height}×${this.channels}:${this.data.reduce((sum, byte, i) => (sum + byte * (i + 1)) % 2147483647, 0)}:${hash >>> 0}`;
  }
}

/** Text as it stands in the file, a number where the format has numbers, a picture, null where nothing is. */
export type Cell = string | number | Picture | null;

/** Rows that have come together. */
export interface RowBatch {
  readonly rows: readonly (readonly Cell[])[];
  /** The line of each row in its file, or its number, from 1. */
  readonly lines: readonly number[];
}

/** A table that is read part by part. */
export interface TableStream {
  readonly columns: readonly string[];
  readonly batches: AsyncIterable<RowBatch>;
}

/** What readers of tables have in common. */
export interface TableOptions {
  /** A label of the Encoding Standard. Default: by the byte order mark, else "utf-8". */
  readonly encoding?: string;
  /** The name in messages. Default: the path or address. */
  readonly name?: string;
}

/** How a format is read. */
export type TableReader<Options extends TableOptions = TableOptions> = (
  source: StreamSource,
  options: Options,
) => Promise<TableStream>;

/** A table in memory. */
export class Table {
  readonly columns: readonly string[];
  /** Number of rows. */
  readonly size: number;
  /** The line of each row in its file, or its number, from 1. */
  readonly lines: readonly number[];
  /** The file, in messages. */
  readonly name: string;
  readonly #cells: ReadonlyMap<string, readonly Cell[]>;

  /** @throws DataError for columns of different lengths. */
  constructor(
    columns: Readonly<Record<string, readonly Cell[]>> | ReadonlyMap<string, readonly Cell[]>,
    { name = "table", lines }: { readonly name?: string; readonly lines?: readonly number[] } = {},
  ) {
    this.#cells = columns instanceof Map ? columns : new Map(Object.entries(columns));
    this.columns = [...this.#cells.keys()];
    this.name = name;
    this.size = this.#cells.values().next().value?.length ?? 0;
    this.lines = lines ?? Array.from({ length: this.size }, (_, i) => i + 1);
    for (const [column, { length }] of this.#cells)
      if (length !== this.size || this.lines.length !== this.size)
        throw new DataError({
          where: `${name}: ${column}`,
          problem: "the columns have different numbers of rows",
          expected: String(this.size),
          received: String(length),
        });
  }

  /** @throws DataError where there is none of this name; it says which are near. */
  column(name: string): readonly Cell[] {
    const cells = this.#cells.get(name);
    if (cells !== undefined) return cells;
    const hint = hintFor(name, this.columns);
    throw new DataError({
      where: this.name,
      problem: `there is no column ${JSON.stringify(name)}`,
      expected: `one of ${this.columns.map((column) => JSON.stringify(column)).join(", ")}`,
      ...hint,
    });
  }
}

/** All rows of a stream. @throws DataError where there are none. */
export async function collectTable({ columns, batches }: TableStream, name: string): Promise<Table> {
  const cells = columns.map((): Cell[] => []);
  const lines: number[] = [];
  for await (const batch of batches) {
    for (const line of batch.lines) lines.push(line);
    for (const row of batch.rows) for (const [i, column] of cells.entries()) column.push(row[i] ?? null);
  }
  if (lines.length === 0)
    throw new DataError({
      where: name,
      problem: "there are no rows",
      received: columns.length === 0 ? "an empty file" : "a header only",
    });
  return new Table(new Map(columns.map((column, i) => [column, cells[i] ?? []])), { name, lines });
}

/** Refuses names that come twice, or are empty. */
export function checkColumns(columns: readonly string[], where: string): readonly string[] {
  const seen = new Set<string>();
  for (const [i, column] of columns.entries()) {
    if (column === "") throw new DataError({ where, problem: `column ${i + 1} of the header has no name` });
    if (seen.has(column))
      throw new DataError({ where, problem: `the column ${JSON.stringify(column)} comes twice in the header` });
    seen.add(column);
  }
  return columns;
}
