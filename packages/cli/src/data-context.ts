/** What an experiment's `data` function is given, and what becomes known about the data on the way. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import {
  FORMAT_NAMES,
  formatOf,
  joinClasses,
  joinLabels,
  readTable,
  type ReadTableOptions,
  type TableEncoding,
} from "@torte/data";
import { DataError, oneOf, OptionError, parseNpz, type Table, type Tensor } from "torte";
import type { DataContext, NpzRequest, TableRequest } from "./experiment.js";
import { type DataFileOptions, findDataFile } from "./data-file.js";
import { sha256Of } from "./load-experiment.js";
import { modelFile, readEncoding } from "./model-file.js";

/** Where a run's data came from. */
export type DataSource =
  | {
      readonly kind: "file";
      readonly file: string;
      readonly path: string;
      readonly sha256: string;
      /** The experiment has said which checksum it must be. */
      readonly checked: boolean;
      readonly from: string;
    }
  | { readonly kind: "synthetic"; readonly file: string; readonly reason: string };

export interface SourcedData {
  readonly context: DataContext;
  /** Filled as the experiment asks for files. */
  readonly sources: readonly DataSource[];
  /** Those of tables, read. */
  readonly tables: readonly Table[];
}

export interface ContextOptions extends DataFileOptions {
  /** Where files of tables were when a run was made, by the names that the experiment has for them. */
  readonly known?: Readonly<Record<string, string>>;
  /** Tables that have been read already. */
  readonly tables?: readonly ReadFile[];
}

/** A table with the file that it was read from. */
export interface ReadFile {
  readonly request: TableRequest;
  readonly table: Table;
  readonly sources: readonly (DataSource & { readonly kind: "file" })[];
}

/** A context that remembers which files were read and which were made up. */
export function dataContext(seed: number, options: ContextOptions): SourcedData {
  const sources: DataSource[] = [];
  const tables: Table[] = [];
  const table = async (request: TableRequest): Promise<Table> => {
    const read = options.tables?.find((other) => JSON.stringify(other.request) === JSON.stringify(request));
    const found = read ?? (await readTableFile(request, options));
    sources.push(...found.sources);
    tables.push(found.table);
    return found.table;
  };
  const npz = async <Name extends string>(request: NpzRequest<Name>): Promise<Readonly<Record<Name, Tensor>>> => {
    const found = await findDataFile(request, options);
    if (found.path !== undefined) {
      const { path, sha256, from } = found;
      sources.push({ kind: "file", file: request.file, path, sha256, checked: request.sha256 !== undefined, from });
      return checkArrays(request, parseNpz(found.bytes, path), path);
    }
    if (request.standIn === undefined) {
      const fix = "Give its place with --data PATH, or name its folder in TORTE_DATA.";
      throw new DataError({ where: request.file, problem: `the data cannot be had: ${found.reason}`, fix });
    }
    sources.push({ kind: "synthetic", file: request.file, reason: found.reason });
    return checkArrays(request, request.standIn(), "stand-in");
  };
  const encodingOf = async (run: string): Promise<TableEncoding> => {
    const there = existsSync(run) ? run : (options.known?.[run] ?? run);
    const encoding = await readEncoding(there);
    const sha256 = sha256Of(readFileSync(join(there, modelFile(0))));
    sources.push({ kind: "file", file: run, path: resolve(there), sha256, checked: false, from: "the experiment" });
    return encoding;
  };
  return { context: { seed, npz, table, encodingOf }, sources, tables };
}

/** Reads the files of a table. @throws DataError where one cannot be had or read, or they do not go together. */
export async function readTableFile(request: TableRequest, options: ContextOptions = {}): Promise<ReadFile> {
  const { file, beside = [], labels } = request;
  if (beside.length > 0 && options.path !== undefined && !statSync(options.path).isDirectory())
    throw new OptionError({
      where: "--data",
      problem: "the table has several files",
      expected: "the folder that has them",
    });
  const names = beside.length === 0 ? [] : classNames([file, ...beside]);
  const read = [];
  for (const each of [file, ...beside]) read.push(await readOne({ ...request, file: each }, options));
  const sources = read.map(({ source }) => source);
  const [first] = read;
  if (first === undefined) throw new RangeError("a table has a file");
  const table =
    beside.length === 0
      ? first.table
      : joinClasses(Object.fromEntries(read.map((each, i) => [names[i] ?? "", each.table])));
  if (labels === undefined) return { request, table, sources };
  const more = await readOne({ file: labels }, options);
  return { request, table: joinLabels(table, more.table), sources: [...sources, more.source] };
}

/** What classes are called: their files' names. @throws DataError where two are the same. */
function classNames(files: readonly string[]): readonly string[] {
  const names = files.map(className);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice === undefined) return names;
  throw new DataError({
    where: files.join(", "),
    problem: `two files have one name, ${twice}, and each is a class`,
  });
}

/** A file's name without its folder and ends. */
export const className = (file: string): string =>
  basename(file)
    .replace(/\.(gz|bgz)$/i, "")
    .replace(/(?!^)\.[^.]*$/, "");

async function readOne(
  request: TableRequest,
  options: ContextOptions,
): Promise<{ readonly table: Table; readonly source: DataSource & { readonly kind: "file" } }> {
  const { file } = request;
  const folder = [file, options.known?.[file]].find((place) => place !== undefined && isFolder(place));
  if (folder !== undefined) return readFolder(file, folder);
  const place = options.path ?? placeOf(file, options.known?.[file]);
  const found = await findDataFile({ file }, { ...options, path: place });
  if (found.path === undefined) throw new DataError({ where: file, problem: found.reason });
  const { bytes, path, sha256 } = found;
  const table = await readTable(bytes, { ...readOptions(request), name: options.path === undefined ? file : path });
  const from = options.path === undefined ? "the experiment" : "--data";
  return { table, source: { kind: "file", file, path: resolve(path), sha256, checked: false, from } };
}

function placeOf(file: string, known: string | undefined): string {
  const place = existsSync(file) || known === undefined ? file : known;
  if (!existsSync(place)) throw new DataError({ where: file, problem: "there is no such file", expected: "a table" });
  return place;
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** A folder of images; its checksum is that of their names and bytes. */
async function readFolder(
  file: string,
  folder: string,
): Promise<{ readonly table: Table; readonly source: DataSource & { readonly kind: "file" } }> {
  const table = await readTable(folder, { format: "images", name: file });
  const hash = createHash("sha256");
  for (const id of table.column("id")) {
    const bytes = readFileSync(join(folder, String(id)));
    hash.update(`${String(id)}\n${bytes.length}\n`).update(bytes);
  }
  const [path, sha256] = [resolve(folder), hash.digest("hex")];
  return { table, source: { kind: "file", file, path, sha256, checked: false, from: "the experiment" } };
}

/** By the file's name; a folder is one of images. */
export const formatOfPath = (file: string): ReturnType<typeof formatOf> => (isFolder(file) ? "images" : formatOf(file));

/** How a file is read, as the command line and experiments say it. */
export function readOptions({ file, format, encoding, delimiter, label }: TableRequest): ReadTableOptions {
  const name = format === undefined ? formatOfPath(file) : oneOf("format", "format", format, FORMAT_NAMES);
  return {
    ...(name === undefined ? {} : { format: name }),
    ...(encoding === undefined ? {} : { encoding }),
    ...(delimiter === undefined ? {} : { delimiter }),
    ...(label === undefined ? {} : { label: patternOf(label) }),
  };
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new OptionError({ where: "label", problem: "this is no pattern", received: (error as Error).message });
  }
}

function checkArrays<Name extends string>(
  { arrays, range }: NpzRequest<Name>,
  given: Readonly<Record<string, Tensor>>,
  where: string,
): Readonly<Record<Name, Tensor>> {
  const result: Partial<Record<Name, Tensor>> = {};
  for (const name of Object.keys(arrays) as Name[]) {
    const array = Object.hasOwn(given, name) ? given[name] : undefined;
    if (array === undefined) {
      throw new DataError({
        where,
        problem: `there is no array ${JSON.stringify(name)}`,
        expected: Object.keys(given).join(", "),
      });
    }
    const shape = arrays[name];
    if (array.shape.length !== shape.length || shape.some((n, axis) => n !== null && n !== array.shape[axis])) {
      const show = (sizes: readonly (number | null)[]): string => `[${sizes.map((n) => n ?? "any").join(", ")}]`;
      throw new DataError({
        where,
        problem: `${name} has the wrong shape`,
        expected: show(shape),
        received: show(array.shape),
      });
    }
    if (range !== undefined) checkRange(`${where}: ${name}`, array, range);
    result[name] = array;
  }
  return result as Record<Name, Tensor>;
}

/** Here row and column are those of the file, which they no longer are when the rows have been split. */
function checkRange(where: string, array: Tensor, [least, largest]: readonly [number, number]): void {
  const bad = array.data.findIndex((value) => !(value >= least && value <= largest));
  if (bad < 0) return;
  const columns = array.data.length / (array.shape[0] ?? 1);
  throw new DataError({
    where,
    problem: "a value is out of range",
    expected: `${least}…${largest}`,
    received: `${array.data[bad] ?? NaN} at row ${Math.floor(bad / columns)}, column ${bad % columns}`,
  });
}
