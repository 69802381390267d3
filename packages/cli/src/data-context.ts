/** What an experiment's `data` function is given, and what becomes known about the data on the way. */
import { DataError, parseNpz, type Tensor } from "torte";
import type { DataContext, NpzRequest } from "./experiment.js";
import { type DataFileOptions, findDataFile } from "./data-file.js";

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
}

/** A context that remembers which files were read and which were made up. */
export function dataContext(seed: number, options: DataFileOptions): SourcedData {
  const sources: DataSource[] = [];
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
  return { context: { seed, npz }, sources };
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
