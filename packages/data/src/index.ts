/** The public surface. */
export { openCsv, openTsv, type CsvOptions } from "./csv.js";
export { openParquet } from "./parquet.js";
export { FORMAT_NAMES, FORMATS, type FormatName, formatOf, type FormatOptions } from "./formats.js";
export { openTable, readTable, type ReadTableOptions } from "./read-table.js";
