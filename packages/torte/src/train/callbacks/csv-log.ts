/** The figures of each epoch in a CSV file. */
import { booleanOption, checkOptions, DataError, OptionError, show } from "../../errors.js";
import { append as addTo, needFiles, unwritable, writeWhole } from "../../data/write.js";
import { builtin } from "../../builtin.js";
import type { Callback, Logs } from "../callbacks.js";
import { readState } from "../json.js";

/** Options of {@link csvLog}. */
export interface CsvLogOptions {
  /** The file. */
  readonly filename: string;
  /** Between the fields: one character. Default ",". */
  readonly separator?: string;
  /** Goes on in a file that is there, which must have the same columns; else it is written anew. Default false. */
  readonly append?: boolean;
}

/**
 * Writes the figures of each epoch on a line of a CSV file (RFC 4180), with names in the first line and epochs counted from
 * 0. A run that goes on from a checkpoint goes on in its file, from the line after the checkpoint's epoch.
 *
 * @throws OptionError for options of the wrong type, and outside of Node; DataError where the file cannot be written, or has
 * other columns than the epoch.
 * @example
 * import { csvLog } from "torte";
 * const callback = csvLog({ filename: "runs/history.csv" });
 * console.log(callback.state?.()); // { bytes: 0 }
 */
export function csvLog(options: CsvLogOptions): Callback {
  const where = "csvLog";
  checkOptions(where, options, ["filename", "separator", "append"]);
  needFiles(where);
  const { filename, separator = "," } = options;
  textOption(where, "filename", filename, (text) => text !== "", "a path");
  textOption(where, "separator", separator, (text) => /^[^"\r\n]$/u.test(text), "one character, no quotation mark");
  const keep = booleanOption(where, "append", options.append ?? false);
  const line = (fields: readonly string[]): string =>
    `${fields.map((field) => quoted(field, separator)).join(separator)}\n`;
  let begun = false;
  let bytes = 0;

  /** The names in the first line; undefined where the file is empty or not there. */
  const header = async (): Promise<string | undefined> => {
    const text = await readText(filename);
    return text === "" ? undefined : text.slice(0, text.indexOf("\n") + 1);
  };
  const begin = async (names: string): Promise<void> => {
    if (!begun && !keep) await writeWhole(filename, "");
    begun = true;
    const found = await header();
    if (found === undefined) await addTo(filename, names);
    else if (found !== names) {
      const fix = "Write to another file, or leave append out.";
      throw new DataError({ where: filename, problem: "other columns", expected: names, received: found, fix });
    }
  };
  return {
    kind: where,
    onTrainBegin: () => {
      [begun, bytes] = [false, 0];
    },
    onEpochEnd: async (epoch, logs: Logs) => {
      await begin(line(["epoch", ...Object.keys(logs)]));
      await addTo(filename, line([epoch, ...Object.values(logs)].map(String)));
      bytes = await sizeOf(filename);
    },
    state: () => ({ bytes }),
    load: async (state) => {
      ({ bytes } = readState(where, state, { bytes: "number" }));
      begun = bytes > 0;
      if (begun && (await sizeOf(filename)) > bytes) await truncate(filename, bytes);
    },
  };
}

const quoted = (field: string, separator: string): string =>
  field.includes(separator) || /["\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;

const readText = (path: string): Promise<string> =>
  builtin("node:fs/promises")
    .readFile(path, "utf8")
    .catch(() => "");

const sizeOf = (path: string): Promise<number> =>
  builtin("node:fs/promises")
    .stat(path)
    .then(({ size }) => size)
    .catch(() => 0);

async function truncate(path: string, bytes: number): Promise<void> {
  try {
    await builtin("node:fs/promises").truncate(path, bytes);
  } catch (error) {
    throw unwritable(path, error);
  }
}

function textOption(
  where: string,
  name: string,
  value: unknown,
  fits: (text: string) => boolean,
  expected: string,
): void {
  if (typeof value === "string" && fits(value)) return;
  throw new OptionError({ where, problem: `${name} has the wrong type`, expected, received: show(value) });
}
