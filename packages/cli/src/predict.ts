/** `torte predict`: what a trained model says of the rows of a file, streamed and in their order. */
import { createWriteStream, type WriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { once } from "node:events";
import { finished } from "node:stream/promises";
import { openTable, type Prediction, type Predictor, type TableEncoding, UNCERTAINTIES } from "@torte/data";
import { type Cell, DataError, hintFor, oneOf, OptionError, type TableStream } from "torte";
import { readOptions } from "./data-context.js";
import type { TableRequest } from "./experiment.js";
import { readPredictor } from "./model-file.js";
import { Reporter } from "./reporter.js";

export interface PredictOptions extends Omit<TableRequest, "file"> {
  /** The file that is written. Default: the standard output. */
  readonly output?: string;
  /** The column with names of rows. Default: id, else the row's number. */
  readonly id?: string;
  /** Columns of the file by the names that the model has for them. */
  readonly column?: Readonly<Record<string, string>>;
  /** "dropout" keeps dropout on in further passes; "ensemble" needs a run with several models, of which it is the default. */
  readonly uncertainty?: string;
  readonly threads?: number;
  readonly quiet?: boolean;
}

/** Rows that go through the model at once; the next are read and encoded meanwhile. */
const CHUNK = 4096;

/**
 * Predicts row by row; the file takes its place when it is whole. Rows that cannot be read are left out and listed beside it.
 *
 * @throws DataError for a folder without a model of tables, columns that are not there, and what cannot be read.
 */
export async function predictCommand(
  run: string,
  file: string,
  options: PredictOptions,
  signal: AbortSignal,
): Promise<void> {
  const reporter = new Reporter(options.quiet === true ? "silent" : process.stderr);
  const asked = options.uncertainty;
  const uncertainty = asked === undefined ? undefined : oneOf("--uncertainty", "way", asked, UNCERTAINTIES);
  const predictor = await readPredictor(run, options.threads, uncertainty);
  const { encoding } = predictor;
  const stream = await openTable(file, readOptions({ ...options, file }));
  const places = placesOf(file, stream, encoding, options.column ?? {});
  const id = idPlace(file, stream, options.id);
  const { output } = options;
  if (output === file) throw new OptionError({ where: "--output", problem: "this is the file that is read" });
  const target = new Output(output);
  const unreadable = new Output(output === undefined ? undefined : sideFile(output), true);
  try {
    await target.write(`${columnsOf(predictor).join(",")}\n`);
    let rows = 0;
    const pending: Promise<readonly [told: string, bad: string, count: number]>[] = [];
    const settle = async (): Promise<void> => {
      const [told, bad, count] = (await pending.shift()) ?? ["", "", 0];
      await target.write(told);
      if (bad !== "") await unreadable.write(bad);
      rows += count;
      reporter.rows(rows);
    };
    for await (const chunk of chunksOf(stream)) {
      signal.throwIfAborted();
      pending.push(predictChunk(predictor, chunk, places, id));
      if (pending.length > 2) await settle();
    }
    while (pending.length > 0) await settle();
    const left = unreadable.lines;
    await unreadable.finish();
    await target.finish();
    reporter.end();
    if (left > 0)
      reporter.line(
        `${left} of ${rows} rows could not be read${output === undefined ? "" : `; they are in ${sideFile(output)}`}`,
      );
  } catch (error) {
    reporter.end();
    await Promise.all([target.abandon(), unreadable.abandon()]);
    throw error;
  } finally {
    await predictor.close();
  }
}

const sideFile = (output: string): string => `${output.replace(/\.csv$/, "")}.unreadable.csv`;

const columnsOf = ({ encoding, uncertainty }: Predictor): readonly string[] => [
  "id",
  ...columnsToldOf(encoding.target),
  ...(uncertainty === undefined ? [] : ["uncertainty"]),
];

function columnsToldOf(target: TableEncoding["target"]): readonly string[] {
  if (target.kind === "regression") return ["value"];
  return target.kind === "multiLabel" ? ["label", ...target.labels.map(field)] : ["probability", "label"];
}

/** Where the columns of the model are in the file; the only sequence of a FASTA file needs no name. */
function placesOf(
  file: string,
  { columns }: TableStream,
  encoding: TableEncoding,
  given: Readonly<Record<string, string>>,
): readonly number[] {
  for (const name of Object.keys(given))
    if (!encoding.columns.includes(name))
      throw new OptionError({
        where: "--column",
        problem: `the model has no column ${JSON.stringify(name)}`,
        expected: encoding.columns.join(", "),
      });
  return encoding.columns.map((name) => {
    const asked = given[name] ?? name;
    const place = columns.indexOf(asked);
    if (place >= 0) return place;
    const only = encoding.columns.length === 1 && given[name] === undefined ? columns.indexOf("sequence") : -1;
    if (only >= 0) return only;
    throw new DataError({
      where: file,
      problem: `there is no column ${JSON.stringify(asked)}`,
      expected:
        columns.length === 0
          ? "a file that is not empty"
          : `one of ${columns.map((c) => JSON.stringify(c)).join(", ")}`,
      ...{ fix: `Say which one it is with --column ${name}=NAME.`, ...hintFor(asked, columns) },
    });
  });
}

function idPlace(file: string, { columns }: TableStream, asked: string | undefined): number {
  const place = columns.indexOf(asked ?? "id");
  if (place >= 0 || asked === undefined) return place;
  throw new DataError({
    where: file,
    problem: `there is no column ${JSON.stringify(asked)}`,
    expected: columns.join(", "),
  });
}

interface Chunk {
  readonly rows: readonly (readonly Cell[])[];
  readonly lines: readonly number[];
  /** Of its first row, from 1. */
  readonly first: number;
}

/** The rows in chunks of one size, the last one smaller. */
async function* chunksOf({ batches }: TableStream): AsyncGenerator<Chunk> {
  let rows: (readonly Cell[])[] = [];
  let lines: number[] = [];
  let first = 1;
  for await (const batch of batches) {
    for (const [i, row] of batch.rows.entries()) {
      rows.push(row);
      lines.push(batch.lines[i] ?? 0);
      if (rows.length < CHUNK) continue;
      yield { rows, lines, first };
      first += rows.length;
      [rows, lines] = [[], []];
    }
  }
  if (rows.length > 0) yield { rows, lines, first };
}

async function predictChunk(
  predictor: Predictor,
  { rows, lines, first }: Chunk,
  places: readonly number[],
  id: number,
): Promise<readonly [told: string, bad: string, count: number]> {
  const { predictions, problems } = await predictor.predict(
    rows.length,
    (column, row) => rows[row]?.[places[column] ?? -1] ?? null,
  );
  const bad = new Map(problems.map((problem) => [problem.row, problem]));
  let told = "";
  let refused = "";
  for (const [i, row] of rows.entries()) {
    const name = id < 0 ? String(first + i) : field(String(row[id] ?? ""));
    const problem = bad.get(i);
    const prediction = predictions[i];
    if (problem !== undefined)
      refused += `${lines[i] ?? 0},${name},${field(problem.column)},${field(problem.problem)}\n`;
    else if (prediction !== undefined) told += `${name},${fields(prediction)}\n`;
  }
  return [told, refused, rows.length];
}

function fields({ probability, probabilities, label, uncertainty }: Prediction): string {
  const told =
    probabilities !== undefined
      ? [field(label), ...Object.values(probabilities).map((p) => p.toFixed(6))].join(",")
      : probability === undefined
        ? short(label)
        : `${probability.toFixed(6)},${field(label)}`;
  return uncertainty === undefined ? told : `${told},${short(uncertainty)}`;
}

/** With as many digits as 32 bits have. */
const short = (value: string | number): string => String(Number(Number(value).toPrecision(7)));

/** A field of CSV. */
function field(value: string | number): string {
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Comes when more may be written, or the stream has closed. */
function drained(stream: WriteStream): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done).off("close", done);
      resolve();
    };
    stream.on("drain", done).on("close", done);
  });
}

/** A file that takes its place when it is whole, or the standard output. */
class Output {
  readonly #path: string | undefined;
  readonly #lazy: boolean;
  #stream: WriteStream | undefined;
  #failure: Error | undefined;
  lines = 0;

  /** A lazy one is made with its first line; without a path it is only counted. */
  constructor(path: string | undefined, lazy = false) {
    this.#path = path;
    this.#lazy = lazy;
  }

  async write(text: string): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    if (text === "") return;
    if (this.#lazy) for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.lines++;
    if (this.#path === undefined) {
      if (!this.#lazy && !process.stdout.write(text)) await once(process.stdout, "drain");
      return;
    }
    const first = this.#stream === undefined;
    this.#stream ??= createWriteStream(`${this.#path}.part`).on("error", (error) => (this.#failure = error));
    if (first && this.#lazy) this.#stream.write("line,id,column,problem\n");
    if (!this.#stream.write(text)) await drained(this.#stream);
  }

  async finish(): Promise<void> {
    if (this.#path === undefined || this.#stream === undefined) return;
    try {
      this.#stream.end();
      await finished(this.#stream);
      await rename(`${this.#path}.part`, this.#path);
    } catch (error) {
      await this.abandon();
      const received = error instanceof Error ? error.message : String(error);
      throw new DataError({ where: this.#path, problem: "the file cannot be written", received });
    }
  }

  async abandon(): Promise<void> {
    if (this.#path === undefined || this.#stream === undefined) return;
    this.#stream.destroy();
    await rm(`${this.#path}.part`, { force: true }).catch(() => undefined);
  }
}
