/** Parquet: columns in groups of rows, read by hyparquet. */
import type { AsyncBuffer } from "hyparquet";
import {
  checkColumns,
  checkOptions,
  DataError,
  numberIn,
  readBytes,
  type RowBatch,
  type StreamSource,
  streamName,
  type TableOptions,
  type TableStream,
} from "torte";
import { openFile } from "./file.js";
import { type ParquetOverview, ParquetThread } from "./parquet-thread.js";

/** Options of {@link openParquet}. */
export interface ParquetOptions extends TableOptions {
  /**
   * Seconds that decoding may take, beside one for each 4 MB of a group; a damaged file may keep a decoder busy without end. Above 0;
   * default 20.
   */
  readonly patience?: number;
}

/** A group of rows is unpacked at once; a larger one is taken as a bomb. */
const LARGEST_GROUP = 2 ** 30;

/** So much of what the file has may be unpacked, for each byte. */
const MOST_PER_BYTE = 2000;

/** Bytes that are decoded in a second on a slow machine. */
const BYTES_PER_SECOND = 4e6;

/**
 * A reader of a Parquet file, group after group of its rows. It decodes in a thread of its own, which is ended where a file keeps it busy or takes too
 * much memory.
 *
 * @throws DataError for what is no Parquet, is cut short or damaged, or unpacks to more than files do.
 */
export async function openParquet(source: StreamSource, options: ParquetOptions = {}): Promise<TableStream> {
  checkOptions("openParquet", options, ["encoding", "name", "patience"]);
  const where = options.name ?? streamName(source, "Parquet");
  const patience = 1000 * numberIn("openParquet", "patience", options.patience ?? 20, { above: 0 });
  const file = await bufferOf(source, where);
  const { byteLength } = file;
  const open = (thread: ParquetThread): Promise<ParquetOverview> => thread.ask("open", { byteLength }, patience);
  const first = new ParquetThread(file, where);
  const overview = await open(first).finally(() => {
    first.close();
  });
  checkSizes(overview, byteLength, where);
  const columns = checkColumns(overview.columns, where);
  const batches = async function* (): AsyncGenerator<RowBatch> {
    const thread = new ParquetThread(file, where);
    try {
      await open(thread);
      let from = 0;
      for (const { rows, sizes } of overview.groups) {
        const to = from + rows;
        const size = sizes.reduce((sum, bytes) => sum + bytes, 0);
        const { cells } = await thread.ask("read", { from, to }, patience + (1000 * size) / BYTES_PER_SECOND);
        const count = Math.min(rows, cells[0]?.length ?? 0);
        const start = from;
        yield {
          rows: Array.from({ length: count }, (_, i) => cells.map((column) => column[i] ?? null)),
          lines: Array.from({ length: count }, (_, i) => start + i + 1),
        };
        from = to;
      }
    } finally {
      thread.close();
    }
  };
  return { columns, batches: batches() };
}

/** Files are read where they lie, other sources first into memory. */
async function bufferOf(source: StreamSource, where: string): Promise<AsyncBuffer> {
  const file = await openFile(source);
  if (file !== undefined) return file;
  const bytes = await readBytes(source, where);
  return { byteLength: bytes.length, slice: (start, end) => bytes.slice(start, end).buffer };
}

/** Before anything is unpacked: sizes that the file cannot have. */
function checkSizes({ rows, groups }: ParquetOverview, length: number, where: string): void {
  const sum = groups.reduce((all, group) => all + group.rows, 0);
  if (sum !== rows || groups.some((group) => !(group.rows >= 0)))
    throw new DataError({
      where,
      problem: "the groups do not add up",
      expected: `${rows} rows`,
      received: String(sum),
    });
  // A run of equal values takes next to nothing; unpacked, each is a value.
  const most = Math.min(LARGEST_GROUP, MOST_PER_BYTE * length);
  const mostValues = Math.min(LARGEST_GROUP / 8, MOST_PER_BYTE * length);
  for (const group of groups) {
    const size = group.sizes.find((bytes) => !(bytes >= 0 && bytes <= most));
    const values = [group.rows, ...group.values].find((count) => !(count >= 0 && count <= mostValues));
    if (size === undefined && values === undefined) continue;
    throw new DataError({
      where,
      problem: "a group of rows is too large to unpack",
      expected: `at most ${most} bytes and ${mostValues} values`,
      received: `${size ?? values} ${size === undefined ? "values" : "bytes"} in a file of ${length} bytes`,
    });
  }
}
