/** FASTA: sequences, each after a line with its name. */
import { checkOptions, DataError, oneOf } from "../errors.js";
import { readLines, type StreamSource, streamName } from "./stream.js";
import type { Cell, RowBatch, TableOptions, TableStream } from "./table.js";

/** Options of {@link readFasta}. */
export interface FastaOptions extends TableOptions {
  /** Lower case marks repeats in some files: "upper" takes it as upper case. Default "upper". */
  readonly letterCase?: "upper" | "keep";
}

/** Options of {@link openFasta}. */
export interface FastaTableOptions extends FastaOptions {
  /** The label of each record, as its header has it: the first group of the pattern. Adds the column `label`. */
  readonly label?: RegExp;
}

/** A sequence of a FASTA file. */
export interface FastaRecord {
  /** The header up to the first blank. */
  readonly id: string;
  /** The rest of the header. */
  readonly description: string;
  readonly sequence: string;
  /** Of the header, from 1. */
  readonly line: number;
}

/** A sequence is never longer: 256 Mi letters, a chromosome. */
const LONGEST = 2 ** 28;

/**
 * The records of a FASTA file, plain or gzip, one after the other. Lines of a sequence are joined, blanks left out, and so
 * are comments (lines that begin with ";") and the star at a protein's end.
 *
 * @throws DataError for what is no FASTA, and a record without a sequence, with the line.
 * @example
 * import { readFasta } from "torte";
 * const file = new TextEncoder().encode(">P1 a peptide\nMKV\nLA*\n>P2\nmmk\n");
 * const sequences: string[] = [];
 * for await (const { sequence } of readFasta(file)) sequences.push(sequence);
 * console.log(sequences); // ['MKVLA', 'MMK']
 */
export async function* readFasta(source: StreamSource, options: FastaOptions = {}): AsyncGenerator<FastaRecord> {
  checkOptions("readFasta", options, ["encoding", "name", "letterCase"]);
  for await (const batch of fastaBatches(source, options)) yield* batch;
}

async function* fastaBatches(source: StreamSource, options: FastaOptions): AsyncGenerator<readonly FastaRecord[]> {
  const upper = oneOf("readFasta", "letterCase", options.letterCase ?? "upper", ["upper", "keep"]) === "upper";
  const where = options.name ?? streamName(source, "FASTA");
  let open: { readonly header: string; readonly line: number; readonly parts: string[]; length: number } | undefined;
  let done: FastaRecord[] = [];
  const finish = (): void => {
    if (open === undefined) return;
    const { header, line, parts } = open;
    const text = parts.join("").replace(/\*$/, "");
    if (text === "") throw new DataError({ where, problem: `line ${line}: ${JSON.stringify(header)} has no sequence` });
    const [, id = "", description = ""] = /^\s*(\S*)\s*(.*)$/s.exec(header) ?? [];
    if (id === "") throw new DataError({ where, problem: `line ${line}: the record has no name`, expected: ">name" });
    done.push({ id, description: description.trim(), sequence: upper ? text.toUpperCase() : text, line });
  };
  for await (const { first, lines } of readLines(source, { ...options, name: where })) {
    for (const [i, line] of lines.entries()) {
      if (line.startsWith(">")) {
        finish();
        open = { header: line.slice(1), line: first + i, parts: [], length: 0 };
      } else if (line !== "" && !line.startsWith(";")) {
        const text = line.replaceAll(/\s+/g, "");
        if (text === "") continue;
        if (open === undefined)
          throw new DataError({
            where,
            problem: `line ${first + i}: this is no FASTA`,
            expected: "a line that begins with >",
            received: JSON.stringify(line.slice(0, 40)),
          });
        open.parts.push(text);
        open.length += text.length;
        if (open.length > LONGEST)
          throw new DataError({
            where,
            problem: `line ${open.line}: the sequence is too long`,
            expected: `at most ${LONGEST} letters`,
          });
      }
    }
    if (done.length > 0) yield done;
    done = [];
  }
  finish();
  if (done.length > 0) yield done;
}

/** FASTA as a table: id, description, sequence, and the label where a pattern says where it is. */
export function openFasta(source: StreamSource, options: FastaTableOptions = {}): Promise<TableStream> {
  checkOptions("openFasta", options, ["encoding", "name", "letterCase", "label"]);
  const { label, ...others } = options;
  const where = options.name ?? streamName(source, "FASTA");
  const columns = ["id", "description", "sequence", ...(label === undefined ? [] : ["label"])];
  const batches = async function* (): AsyncGenerator<RowBatch> {
    for await (const records of fastaBatches(source, others)) {
      const rows = records.map(({ id, description, sequence, line }): Cell[] => [
        id,
        description,
        sequence,
        ...(label === undefined ? [] : [labelOf(`${id} ${description}`, label, `${where}: line ${line}`)]),
      ]);
      yield { rows, lines: records.map(({ line }) => line) };
    }
  };
  return Promise.resolve({ columns, batches: batches() });
}

function labelOf(header: string, pattern: RegExp, where: string): string {
  const found = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, "")).exec(header);
  const label = found?.[1] ?? found?.[0];
  if (label !== undefined) return label;
  throw new DataError({ where, problem: "the header has no label", expected: String(pattern), received: header });
}
