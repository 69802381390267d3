/** What the command line says of the files of a table. */
import { DataError, OptionError, type Table } from "torte";
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

/** @throws DataError for a folder of images that says no classes, where they are what is told. */
export function checkLabelled({ columns, name }: Table, target: string, format: string | undefined): void {
  if (format !== "images" || target !== LABEL || columns.includes(LABEL)) return;
  throw new DataError({
    where: name,
    problem: "the images have no classes",
    expected: "a folder for each class, as cats/1.png and dogs/2.png",
    received: "images beside each other",
    fix: "Make these folders, or give a table of labels with --labels and its column with --target.",
  });
}
