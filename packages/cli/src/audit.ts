/** Running an audit: reads the file, prints what is found. */
import { FORMAT_NAMES, readTable, type ReadTableOptions } from "@torte/data";
import { audit, type AuditOptions, oneOf, OptionError, type Table } from "torte";
import type { AuditCommandOptions } from "./audit-command.js";

/** The text that the command prints. */
export async function auditFile(file: string, options: AuditCommandOptions): Promise<string> {
  const table = await readTable(file, readOptions(options));
  const found = audit(table, auditOptions(table, options));
  return options.json === true ? JSON.stringify(found, undefined, 2) : found.toString();
}

function readOptions({ format, encoding, delimiter, label }: AuditCommandOptions): ReadTableOptions {
  const known = format === undefined ? {} : { format: oneOf("audit", "--format", format, FORMAT_NAMES) };
  const given = {
    ...known,
    ...(encoding === undefined ? {} : { encoding }),
    ...(delimiter === undefined ? {} : { delimiter }),
  };
  return { ...given, ...(label === undefined ? {} : { label: pattern(label) }) };
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new OptionError({ where: "--label", problem: "this is no pattern", received: (error as Error).message });
  }
}

function auditOptions(table: Table, options: AuditCommandOptions): AuditOptions {
  const { target, sequence, parts, kind, targetKind, similarity, k } = options;
  const given = {
    target,
    sequence,
    kinds: kind,
    targetKind,
    similarity,
    k,
    parts: parts === undefined ? undefined : table.column(parts).map(String),
  };
  // audit() looks at every value, so that what is wrong is said in its words.
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as unknown as AuditOptions;
}
