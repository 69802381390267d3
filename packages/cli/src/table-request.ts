/** What the command line says of the files of a table. */
import { OptionError } from "torte";
import type { TableRequest } from "./experiment.js";

/** The column with the classes of files, and of headers. */
export const LABEL = "label";

/** Without what is undefined. */
export function defined<T extends object>(value: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as T;
}

export function requestOf(
  [file = "", ...beside]: readonly string[],
  { labels, format, encoding, delimiter, label }: Omit<TableRequest, "file" | "beside">,
): TableRequest {
  return defined<TableRequest>({
    file,
    beside: beside.length === 0 ? undefined : beside,
    labels,
    format,
    encoding,
    delimiter,
    label,
  });
}

/** The target that is asked for, or the classes that the files say. */
export function targetOf(
  { beside, label }: TableRequest,
  target: string | undefined,
  format: string | undefined,
): string {
  if (target !== undefined) return target;
  if (beside !== undefined || label !== undefined || format === "images") return LABEL;
  throw new OptionError({ where: "--target", problem: "it is missing", expected: "the column that is to be told" });
}
