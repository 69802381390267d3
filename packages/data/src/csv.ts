/** CSV and TSV: rows of fields with quotes, parsed by csv-parse. */
import { CsvError, parse } from "#csv-parse";
import {
  checkColumns,
  checkOptions,
  DataError,
  LONGEST_LINE,
  readText,
  type RowBatch,
  type StreamSource,
  streamName,
  type TableOptions,
  type TableStream,
} from "torte";

/** Options of {@link openCsv} and {@link openTsv}. */
export interface CsvOptions extends TableOptions {
  /** Between fields. Default: ",", of a TSV file the tab; where the header has none of it but ";" or tabs, those. */
  readonly delimiter?: string;
  /** The first row names the columns. Default true; false names them 1, 2, … . A list is taken as the names. */
  readonly header?: boolean | readonly string[];
  /** Lines that begin with this are left out, as with "#". Default: none are. */
  readonly comment?: string;
}

/** A table of comma-separated values, read as a stream. */
export function openCsv(source: StreamSource, options: CsvOptions = {}): Promise<TableStream> {
  return openDelimited(source, options, ",", "openCsv");
}

/** A table of values between tabs, read as a stream. */
export function openTsv(source: StreamSource, options: CsvOptions = {}): Promise<TableStream> {
  return openDelimited(source, options, "\t", "openTsv");
}

async function openDelimited(
  source: StreamSource,
  options: CsvOptions,
  usual: string,
  caller: string,
): Promise<TableStream> {
  checkOptions(caller, options, ["encoding", "name", "delimiter", "header", "comment"]);
  const where = options.name ?? streamName(source, "CSV");
  const { encoding, header = true, comment } = options;
  const text = readText(source, { name: where, ...(encoding === undefined ? {} : { encoding }) });
  const first = await text.next();
  if (first.done === true) return { columns: [], batches: empty() };
  const delimiter = options.delimiter ?? guessDelimiter(first.value, usual);
  const records = recordsOf(first.value, text, { where, delimiter, ...(comment === undefined ? {} : { comment }) });
  const head = await records.next();
  if (head.done === true) return { columns: [], batches: empty() };
  const [row = []] = head.value.rows;
  const names =
    header === true ? row.map((name) => name.trim()) : header === false ? row.map((_, i) => `${i + 1}`) : header;
  const columns = checkColumns(names, where);
  if (columns.length !== row.length)
    throw new DataError({
      where,
      problem: "the header does not fit the rows",
      expected: `${row.length} names`,
      received: `${columns.length}`,
    });
  const batches = async function* (): AsyncGenerator<RowBatch> {
    const skip = header === true ? 1 : 0;
    yield { rows: head.value.rows.slice(skip), lines: head.value.lines.slice(skip) };
    yield* records;
  };
  return { columns, batches: batches() };
}

// eslint-disable-next-line @typescript-eslint/require-await -- an empty stream
async function* empty(): AsyncGenerator<RowBatch> {
  yield* [];
}

/** What the header's line has most of, where it lacks the usual delimiter. */
function guessDelimiter(text: string, usual: string): string {
  const line = /^[^\n]*/.exec(text)?.[0] ?? "";
  if (line.includes(usual)) return usual;
  const counts = [",", ";", "\t"].map((mark) => [mark, line.split(mark).length] as const);
  const [best = usual, count = 1] = counts.sort((a, b) => b[1] - a[1])[0] ?? [];
  return count > 1 ? best : usual;
}

interface Form {
  readonly where: string;
  readonly delimiter: string;
  readonly comment?: string;
}

interface Records extends RowBatch {
  readonly rows: readonly (readonly string[])[];
}

/** Records as they come: lines as long as there are only those, the rest by the parser. */
async function* recordsOf(first: string, rest: AsyncGenerator<string>, form: Form): AsyncGenerator<Records> {
  const lines = new PlainLines(form);
  for (let text: string | undefined = first; text !== undefined;) {
    if (!lines.takes(text)) {
      yield* parsed(`${lines.open}${text}`, rest, form, lines);
      return;
    }
    const records = lines.add(text);
    if (records.rows.length > 0) yield records;
    const next = await rest.next();
    text = next.done === true ? undefined : next.value;
  }
  const records = lines.add("\n");
  if (records.rows.length > 0) yield records;
}

/** Lines without quotes: each is a record, split at the delimiters, which takes a tenth of the parser's time. */
class PlainLines {
  readonly #form: Form;
  /** The last line, as far as it has come. */
  open = "";
  /** Lines that are whole. */
  count = 0;
  /** Fields of a record; 0 before the first one. */
  width = 0;

  constructor(form: Form) {
    this.#form = form;
  }

  /** What quotes and other line ends mean, and where comments begin, the parser knows. */
  takes(text: string): boolean {
    return this.#form.comment === undefined && !text.includes('"') && !text.includes("\r");
  }

  add(text: string): Records {
    const { where, delimiter } = this.#form;
    const lines = text.split("\n");
    lines[0] = `${this.open}${lines[0] ?? ""}`;
    this.open = lines.pop() ?? "";
    if (this.open.length > LONGEST_LINE) throw tooLong(where, this.count + 1);
    const rows: (readonly string[])[] = [];
    const numbers: number[] = [];
    for (const line of lines) {
      this.count++;
      if (line === "") continue;
      const row = line.split(delimiter);
      this.width ||= row.length;
      if (row.length !== this.width) throw otherWidth(where, this.count, this.width, row.length);
      rows.push(row);
      numbers.push(this.count);
    }
    return { rows, lines: numbers };
  }
}

const otherWidth = (where: string, line: number, expected: number, received: number): DataError =>
  new DataError({
    where: `${where}: line ${line}`,
    problem: PROBLEMS["CSV_RECORD_INCONSISTENT_FIELDS_LENGTH"] ?? "",
    expected: `${expected} fields`,
    received: String(received),
  });

const tooLong = (where: string, line: number): DataError =>
  new DataError({ where: `${where}: line ${line}`, problem: PROBLEMS["CSV_MAX_RECORD_SIZE"] ?? "" });

/** Records by the parser, which hands them over in `on_record`, so that they need not pass a stream one by one. */
async function* parsed(
  first: string,
  rest: AsyncGenerator<string>,
  form: Form,
  { count, width }: { readonly count: number; readonly width: number },
): AsyncGenerator<Records> {
  const { where, delimiter, comment } = form;
  let rows: (readonly string[])[] = [];
  let lines: number[] = [];
  /** The line of the last row that is whole. */
  let last = count;
  let otherwise: DataError | undefined;
  const parser = parse({
    delimiter,
    ...(comment === undefined ? {} : { comment }),
    skip_empty_lines: true,
    max_record_size: LONGEST_LINE,
    // Lines before it have ended so.
    ...(count === 0 ? {} : { record_delimiter: "\n" }),
    on_record: (record: readonly string[], { lines: line }) => {
      last = count + line;
      if (width > 0 && record.length !== width) otherwise ??= otherWidth(where, last, width, record.length);
      rows.push(record);
      lines.push(last);
      return null;
    },
  });
  let failure: unknown;
  parser.on("error", (error) => {
    failure ??= error;
  });
  parser.resume();
  const told = (send: (done: (error?: Error | null) => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      send((error) => {
        if (error === undefined || error === null) resolve();
        else reject(error);
      });
    });
  const send = async (text: string | undefined): Promise<void> => {
    try {
      if (text !== undefined) await told((done) => void parser.write(text, done));
      else
        await told((done) => {
          parser.once("error", done).end(() => {
            done(failure as Error | undefined);
          });
        });
    } catch (error) {
      throw otherwise ?? problemOf(error, where, count, last);
    }
    if (otherwise !== undefined) throw otherwise;
  };
  const taken = (): Records => {
    const batch = { rows, lines };
    [rows, lines] = [[], []];
    return batch;
  };
  try {
    await send(first);
    if (rows.length > 0) yield taken();
    for await (const text of rest) {
      await send(text);
      if (rows.length > 0) yield taken();
    }
    await send(undefined);
    if (rows.length > 0) yield taken();
  } finally {
    parser.destroy();
    await rest.return(undefined);
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: "a quote is opened and never closed",
  CSV_INVALID_CLOSING_QUOTE: "something follows a closing quote",
  INVALID_OPENING_QUOTE: "a quote stands within a field that has none at its start",
  CSV_RECORD_INCONSISTENT_FIELDS_LENGTH: "the row has another number of fields than the first",
  CSV_MAX_RECORD_SIZE: `the row is longer than ${LONGEST_LINE} letters`,
};

function problemOf(error: unknown, where: string, before: number, last: number): unknown {
  if (!(error instanceof CsvError)) return error;
  const { code, message } = error;
  const { lines = last - before } = error as { readonly lines?: number };
  // A quote that stays open is noticed at the end of the file; what matters is where it begins.
  const line = code === "CSV_QUOTE_NOT_CLOSED" ? `line ${last + 1} or soon after` : `line ${before + lines}`;
  return new DataError({ where: `${where}: ${line}`, problem: PROBLEMS[code] ?? code, received: message });
}
