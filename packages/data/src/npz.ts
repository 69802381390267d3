/** npz as a table: arrays side by side, a row of each for a row of the table. */
import {
  type Cell,
  checkColumns,
  checkOptions,
  DataError,
  parseNpz,
  readBytes,
  type RowBatch,
  type StreamSource,
  streamName,
  type TableOptions,
  type TableStream,
  type Tensor,
} from "torte";

/** Rows that come together. */
const BATCH = 4096;

/**
 * The arrays of an npz archive as columns: one of [rows] is a column of its name, one of [rows, n] is n columns (x_0, x_1, …).
 *
 * @throws DataError for arrays with different numbers of rows or of more axes, and as `parseNpz` does.
 */
export async function openNpz(source: StreamSource, options: TableOptions = {}): Promise<TableStream> {
  checkOptions("openNpz", options, ["encoding", "name"]);
  const where = options.name ?? streamName(source, "npz");
  const arrays = Object.entries(parseNpz(await readBytes(source, where), where));
  const rows = arrays[0]?.[1].shape[0] ?? 0;
  const columns = arrays.flatMap(([name, array]) => columnsOf(name, array, rows, where));
  const batches = async function* (): AsyncGenerator<RowBatch> {
    for (let from = 0; from < rows; from += BATCH) {
      const count = Math.min(BATCH, rows - from);
      yield await Promise.resolve({
        rows: Array.from({ length: count }, (_, i) => columns.map(({ cellOf }) => cellOf(from + i))),
        lines: Array.from({ length: count }, (_, i) => from + i + 1),
      });
    }
  };
  const names = columns.map(({ name }) => name);
  return { columns: checkColumns(names, where), batches: batches() };
}

interface Column {
  readonly name: string;
  readonly cellOf: (row: number) => Cell;
}

function columnsOf(name: string, { shape, data }: Tensor, rows: number, where: string): readonly Column[] {
  const [own = 0, width = 1] = shape;
  if (shape.length < 1 || shape.length > 2 || own !== rows)
    throw new DataError({
      where: `${where}: ${name}`,
      problem: "the array is no column, nor several",
      expected: `[${rows}] or [${rows}, columns]`,
      received: `[${shape.join(", ")}]`,
    });
  const cellOf = (at: number): Cell => {
    const value = data[at] ?? NaN;
    return Number.isNaN(value) ? null : value;
  };
  if (shape.length === 1) return [{ name, cellOf }];
  return Array.from({ length: width }, (_, i) => ({
    name: `${name}_${i}`,
    cellOf: (row: number) => cellOf(row * width + i),
  }));
}
