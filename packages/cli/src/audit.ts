/** Running an audit: reads the file, prints what is found. */
import { readTable } from "@torte/data";
import { audit, type AuditOptions, type Table } from "torte";
import { readOptions } from "./data-context.js";
import type { TableRequest } from "./experiment.js";

/** What the command line says. */
export interface AuditCommandOptions extends Omit<TableRequest, "file"> {
  readonly target: string;
  readonly sequence?: string;
  readonly parts?: string;
  readonly kind?: Readonly<Record<string, string>>;
  readonly targetKind?: string;
  readonly similarity?: number;
  readonly k?: number;
  readonly json?: boolean;
}

/** The text that the command prints. */
export async function auditFile(file: string, options: AuditCommandOptions): Promise<string> {
  const table = await readTable(file, readOptions({ ...options, file }));
  const found = audit(table, auditOptions(table, options));
  return options.json === true ? JSON.stringify(found, undefined, 2) : found.toString();
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
