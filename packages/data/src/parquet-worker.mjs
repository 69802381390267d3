// Decodes Parquet, in a thread that can be ended: a damaged file may keep the decoder busy for hours, or ask for all memory.
// Plain JavaScript, so that it is a file of its own wherever this package is built, bundled or tested.
import { parquetMetadataAsync, parquetRead, parquetSchema } from "hyparquet";
import { compressors } from "hyparquet-compressors";

const port = globalThis.process?.getBuiltinModule?.("node:worker_threads").parentPort ?? globalThis;

/** Parts of the file that have been asked for. */
const asked = new Map();
let slices = 0;
let file;
let metadata;
let columns;

/** The file lies on the other side, which gives its parts. */
const remote = (byteLength) => ({
  byteLength,
  slice: (start, end = byteLength) =>
    new Promise((resolve, reject) => {
      asked.set(++slices, { resolve, reject });
      port.postMessage({ slice: slices, start, end });
    }),
});

/** Reads the end of the file, where its columns and groups stand. */
async function open({ byteLength }) {
  file = remote(byteLength);
  metadata = await parquetMetadataAsync(file);
  columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  const groups = metadata.row_groups.map((group) => ({
    rows: Number(group.num_rows),
    sizes: group.columns.map(({ meta_data }) => Number(meta_data?.total_uncompressed_size ?? 0)),
    values: group.columns.map(({ meta_data }) => Number(meta_data?.num_values ?? 0)),
  }));
  return { columns, rows: Number(metadata.num_rows), groups };
}

/** The cells of some rows, by column. */
async function read({ from, to }) {
  let rows = [];
  await parquetRead({
    file,
    metadata,
    compressors,
    columns: [...columns],
    rowStart: from,
    rowEnd: to,
    onComplete: (all) => (rows = all),
  });
  return { cells: columns.map((column, c) => rows.map((row, i) => cellOf(row[c], column, from + i + 1))) };
}

function cellOf(value, column, row) {
  if (value === null || value === undefined) return null;
  if (typeof value === "string" || typeof value === "number") return value;
  if (typeof value === "boolean") return String(value);
  if (typeof value === "bigint") {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : String(value);
  }
  if (value instanceof Date) return value.toISOString();
  const shown = ArrayBuffer.isView(value) ? `${value.byteLength} bytes` : Array.isArray(value) ? "a list" : "a record";
  throw Object.assign(new Error("the value is no cell"), { place: `row ${row}: ${column}`, shown });
}

async function answer(task, run) {
  try {
    port.postMessage({ task, result: await run() });
  } catch (error) {
    const { message = String(error), place, shown } = error ?? {};
    port.postMessage({ task, error: message, place, shown });
  }
}

port.onmessage = ({ data }) => {
  if (data.task === "open") void answer("open", () => open(data));
  else if (data.task === "read") void answer("read", () => read(data));
  else {
    const { resolve, reject } = asked.get(data.slice) ?? {};
    asked.delete(data.slice);
    if (data.error === undefined) resolve?.(data.bytes);
    else reject?.(new Error(data.error));
  }
};
