/** The `audit` command: its options, and its help. What it needs is loaded when it runs. */
import { type Command, InvalidArgumentError } from "commander";

export interface AuditCommandOptions {
  readonly target: string;
  readonly sequence?: string;
  readonly parts?: string;
  readonly kind?: Readonly<Record<string, string>>;
  readonly targetKind?: string;
  readonly similarity?: number;
  readonly k?: number;
  readonly format?: string;
  readonly encoding?: string;
  readonly delimiter?: string;
  readonly label?: string;
  readonly json?: boolean;
}

export type AuditAction = (file: string, options: AuditCommandOptions) => Promise<void>;

/** Adds `torte audit`. */
export function addAudit(program: Command, onAudit: AuditAction): void {
  program
    .command("audit")
    .description("Look a table over before a model is trained: copies, near-twins, shortcuts, leaks.")
    .argument("<file>", "CSV, TSV, FASTA, JSON lines or Parquet, plain or gzip")
    .requiredOption("--target <column>", "the column that is to be told")
    .option("--sequence <column>", "the column with the sequences (default: the only one there is)")
    .option("--parts <column>", "a column that says the part of each row, as train and test; then parts are compared")
    .option("--kind <column=kind>", "protein, DNA, RNA, SMILES, text, number or category; may be repeated", kindOf)
    .option("--target-kind <kind>", "binary, multiClass or regression (default: by the values)")
    .option("--similarity <number>", "Jaccard similarity of near-twins (default: 0.9)", numberOf)
    .option("--k <n>", "letters in a k-mer (default: 5 for proteins, 11 for DNA)", numberOf)
    .option("--format <name>", "csv, tsv, fasta, jsonl or parquet (default: by the file's name)")
    .option("--encoding <label>", "of the text, as windows-1252 (default: utf-8, or by the byte order mark)")
    .option("--delimiter <mark>", "between the fields of a CSV (default: a comma, or what the header has)")
    .option("--label <pattern>", "of FASTA: the label in the header, as the pattern's first group; the column label")
    .option("--json", "the findings as JSON")
    .addHelpText("after", HELP)
    .exitOverride()
    .action(onAudit);
}

const HELP = `
Example:
  torte audit proteins.csv --sequence seq --target soluble

Exit status: 0 looked over, whatever was found; 2 the data or an option is wrong.`;

function kindOf(value: string, before: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const at = value.lastIndexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be column=kind.");
  return { ...before, [value.slice(0, at)]: value.slice(at + 1) };
}

function numberOf(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || Number.isNaN(number)) throw new InvalidArgumentError("It must be a number.");
  return number;
}
