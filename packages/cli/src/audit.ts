/** Running an audit: reads the files, prints what is found. */
import { audit, type AuditOptions, type Table } from "torte";
import { formatOfPath, readTableFile } from "./data-context.js";
import type { TableRequest } from "./experiment.js";
import { checkLabelled, defined, requestOf, targetOf } from "./table-request.js";

/** What the command line says. */
export interface AuditCommandOptions extends Omit<TableRequest, "file" | "beside"> {
  readonly target?: string;
  readonly sequence?: string;
  readonly parts?: string;
  readonly kind?: Readonly<Record<string, string>>;
  readonly targetKind?: string;
  readonly similarity?: number;
  readonly k?: number;
  readonly json?: boolean;
}

/** The text that the command prints. */
export async function auditFiles(files: readonly string[], options: AuditCommandOptions): Promise<string> {
  const request = requestOf(files, options);
  const format = formatOfPath(request.file);
  const target = targetOf(request, options.target, format);
  const { table } = await readTableFile(request);
  checkLabelled(table, target, format);
  const found = audit(table, auditOptions(table, { ...options, target }));
  return options.json === true ? JSON.stringify(found, undefined, 2) : found.toString();
}

function auditOptions(table: Table, options: AuditCommandOptions & { readonly target: string }): AuditOptions {
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
  return defined(given) as unknown as AuditOptions;
}
