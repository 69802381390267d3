/** The formats of tables. A new one is a file with its reader, and a line here. */
import { openFasta, openJsonLines, type TableOptions, type TableReader } from "torte";
import { openCsv, openTsv } from "./csv.js";
import { openImages } from "./images.js";
import { openNpz } from "./npz.js";
import { openParquet } from "./parquet.js";

interface Format {
  /** Ends of file names, without .gz. */
  readonly extensions: readonly string[];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- each reader has options of its own
  readonly open: TableReader<any>;
}

/** The formats of tables: the ends of their files' names, and their readers. */
export const FORMATS = {
  csv: { extensions: ["csv", "txt"], open: openCsv },
  tsv: { extensions: ["tsv", "tab"], open: openTsv },
  fasta: { extensions: ["fasta", "fa", "faa", "fna", "ffn", "fas"], open: openFasta },
  jsonl: { extensions: ["jsonl", "ndjson"], open: openJsonLines },
  npz: { extensions: ["npz"], open: openNpz },
  images: { extensions: ["png", "jpg", "jpeg"], open: openImages },
  parquet: { extensions: ["parquet", "pq"], open: openParquet },
} as const satisfies Record<string, Format>;

/** The name of a format. */
export type FormatName = keyof typeof FORMATS;
/** The options of a format's reader. */
export type FormatOptions<Name extends FormatName> = NonNullable<Parameters<(typeof FORMATS)[Name]["open"]>[1]> &
  TableOptions;

/** The names of all formats. */
export const FORMAT_NAMES = Object.keys(FORMATS) as FormatName[];

/** By the end of the file's name. */
export function formatOf(name: string): FormatName | undefined {
  const plain = name
    .toLowerCase()
    .replace(/[?#].*$/, "")
    .replace(/\.(gz|bgz)$/, "");
  const extension = plain.slice(plain.lastIndexOf(".") + 1);
  return FORMAT_NAMES.find((format) => (FORMATS[format].extensions as readonly string[]).includes(extension));
}
