/** Splits of rows by their numbers: at random, stratified, grouped, by cluster, by time; folds and bootstrap. Plain JSON. */
import { checkOptions, DataError, numberIn, OptionError, positiveInteger, seedOption, show } from "../errors.js";
import { boundedDraws, mixKey, shuffle } from "../tensor/random.js";
import { type ClusterOptions, clusterSequences } from "./kmers.js";
import { numberOf } from "./kinds.js";
import type { Cell } from "./table.js";

/** The rows of each part, in ascending order. JSON as it is; `parseRowSplit` reads it. */
export interface RowSplit {
  readonly train: readonly number[];
  readonly validation: readonly number[];
  readonly test: readonly number[];
}

/** Options of {@link splitRows}. */
export interface RowSplitOptions extends ClusterOptions {
  /** Number of rows. Default: as many as a column below has. */
  readonly rows?: number;
  /** Share for validation, at least 0 and below 1. Default 0.1. */
  readonly validation?: number;
  /** Share for the test, at least 0 and below 1. Default 0.1. */
  readonly test?: number;
  /** Default 0. */
  readonly seed?: number;
  /** The class of each row: every part gets the same shares of all classes. */
  readonly labels?: readonly Cell[];
  /** The group of each row, as a scaffold, a patient or a family: a group lies in one part. */
  readonly groups?: ArrayLike<Cell>;
  /** Sequences: those that are alike (`identity`, `k`) lie in one part. */
  readonly sequences?: readonly string[];
  /** When each row was made, as a number or a date: the latest rows are the test, those before them the validation. */
  readonly time?: readonly Cell[];
  /** The part of each row, as it is given: "train", "validation" or "test". */
  readonly parts?: readonly Cell[];
}

const WAYS = ["labels", "groups", "sequences", "time", "parts"] as const;

/**
 * Three disjoint parts that have all rows. Without a column at random; with `labels` stratified; with `groups` or `sequences` of
 * whole groups (parts are then only about as large as asked); with `time` in order; with `parts` as given.
 *
 * @throws OptionError for more than one way at once, and shares out of range; DataError where a part would be empty.
 * @example
 * import { splitRows } from "torte";
 * const species = ["cow", "cow", "pig", "hen", "hen", "owl", "rat", "rat"];
 * const { train, test } = splitRows({ groups: species, validation: 0, test: 0.25 });
 * console.log(test.some((row) => train.some((other) => species[row] === species[other]))); // false
 */
export function splitRows(options: RowSplitOptions): RowSplit {
  const where = "splitRows";
  checkOptions(where, options, ["rows", "validation", "test", "seed", "identity", "k", ...WAYS]);
  const rows = rowCount(where, options, WAYS);
  if (options.parts !== undefined) return givenParts(where, options.parts);
  const sizes = sharesOf(where, rows, options);
  const seed = seedOption(where, options.seed ?? 0);
  const groups = groupsOf(options);
  const parts =
    options.time !== undefined
      ? cut(byTime(where, options.time), sizes, options.time)
      : groups !== undefined
        ? wholeGroups(groups, sizes, seed)
        : evenly(ordered(rows, options.labels, seed), sizes);
  return checked(where, parts, options);
}

/** The one column that rows are split by, or their number alone. */
function rowCount<Way extends string>(
  where: string,
  options: { readonly rows?: number } & Partial<Record<Way, ArrayLike<unknown>>>,
  ways: readonly Way[],
): number {
  const given = ways.filter((way) => options[way] !== undefined);
  if (given.length > 1)
    throw new OptionError({
      where,
      problem: "there is more than one way to split",
      expected: `one of ${ways.join(", ")}`,
      received: given.join(", "),
    });
  const [way] = given;
  const length = way === undefined ? undefined : options[way]?.length;
  const rows = positiveInteger(where, "rows", options.rows ?? length);
  if (length !== undefined && length !== rows)
    throw new OptionError({
      where,
      problem: `${way ?? ""} and rows differ`,
      expected: `${rows} values`,
      received: show(length),
    });
  return rows;
}

function givenParts(where: string, given: readonly Cell[]): RowSplit {
  const parts = { train: [] as number[], validation: [] as number[], test: [] as number[] };
  given.forEach((part, row) => {
    if (part !== "train" && part !== "validation" && part !== "test")
      throw new DataError({
        where,
        problem: `row ${row} has an unknown part`,
        expected: "train, validation or test",
        received: show(part),
      });
    parts[part].push(row);
  });
  return checked(where, parts, {});
}

interface Sizes {
  readonly validation: number;
  readonly test: number;
}

function sharesOf(where: string, rows: number, options: RowSplitOptions): Sizes {
  const share = (name: "validation" | "test"): number =>
    Math.floor(numberIn(where, name, options[name] ?? 0.1, { min: 0, below: 1 }) * rows + 1e-9);
  return { validation: share("validation"), test: share("test") };
}

function checked(where: string, parts: RowSplit, { validation, test }: RowSplitOptions): RowSplit {
  const empty =
    parts.train.length === 0 ||
    (validation !== 0 && parts.validation.length === 0) ||
    (test !== 0 && parts.test.length === 0);
  if (!empty) return parts;
  const received = `${parts.train.length} train, ${parts.validation.length} validation, ${parts.test.length} test`;
  throw new DataError({ where, problem: "a part would be empty", expected: "at least one row in each", received });
}

function groupsOf({ groups, sequences, identity, k }: RowSplitOptions): ArrayLike<Cell> | undefined {
  if (sequences === undefined) return groups;
  return clusterSequences(sequences, {
    ...(identity === undefined ? {} : { identity }),
    ...(k === undefined ? {} : { k }),
  });
}

const ascending = (rows: Iterable<number>): readonly number[] => [...rows].sort((a, b) => a - b);

/** All rows in a random order; those of a label beside each other where there are labels. */
function ordered(rows: number, labels: readonly Cell[] | undefined, seed: number): readonly number[] {
  const order = [
    ...shuffle(
      Int32Array.from({ length: rows }, (_, i) => i),
      mixKey(seed, 0x5b117, 0),
    ),
  ];
  if (labels === undefined) return order;
  const places = placesOf(labels);
  return order.sort((a, b) => (places[a] ?? 0) - (places[b] ?? 0)); // stable: the rows of a label stay shuffled
}

/** A number from 0 for each value, in the order in which they come. */
function placesOf(values: ArrayLike<Cell>): readonly number[] {
  const known = new Map<Cell, number>();
  return Array.from(values, (value) => {
    const place = known.get(value) ?? known.size;
    known.set(value, place);
    return place;
  });
}

/** Picks evenly along the order, so that each label's count in a part is right to within a row or two. */
function evenly(order: readonly number[], { validation, test }: Sizes): RowSplit {
  const pick = (rows: readonly number[], count: number): readonly [picked: number[], left: number[]] => {
    const is = (i: number): boolean =>
      Math.floor(((i + 1) * count) / rows.length) > Math.floor((i * count) / rows.length);
    return [rows.filter((_, i) => is(i)), rows.filter((_, i) => !is(i))];
  };
  const [tested, others] = pick(order, test);
  const [validated, trained] = pick(others, validation);
  return { train: ascending(trained), validation: ascending(validated), test: ascending(tested) };
}

/** Each group to the part that lacks most, the largest groups first. */
function wholeGroups(groups: ArrayLike<Cell>, { validation, test }: Sizes, seed: number): RowSplit {
  const rows = groups.length;
  const parts = [
    { rows: [] as number[], lacks: rows - validation - test },
    { rows: [] as number[], lacks: validation },
    { rows: [] as number[], lacks: test },
  ];
  for (const group of shuffledGroups(groups, seed)) {
    const most = parts.reduce((a, b) => (b.lacks > a.lacks ? b : a));
    most.rows.push(...group);
    most.lacks -= group.length;
  }
  const [train, validated, tested] = parts.map((part) => ascending(part.rows));
  return { train: train ?? [], validation: validated ?? [], test: tested ?? [] };
}

/** The rows of each group, the largest group first, groups of one size in a random order. */
function shuffledGroups(groups: ArrayLike<Cell>, seed: number): readonly (readonly number[])[] {
  const members: number[][] = [];
  placesOf(groups).forEach((place, row) => (members[place] ??= []).push(row));
  const order = shuffle(
    Int32Array.from(members, (_, i) => i),
    mixKey(seed, 0x6a0f5, 0),
  );
  return Array.from(order, (i) => members[i] ?? []).sort((a, b) => b.length - a.length);
}

/** Rows from the earliest to the latest. */
function byTime(where: string, time: readonly Cell[]): readonly number[] {
  const moments = time.map(momentOf);
  const bad = moments.findIndex((moment) => !Number.isFinite(moment));
  if (bad >= 0)
    throw new DataError({
      where,
      problem: `row ${bad} has no time`,
      expected: "a number or a date",
      received: show(time[bad]),
    });
  return time.map((_, i) => i).sort((a, b) => (moments[a] ?? 0) - (moments[b] ?? 0));
}

function momentOf(cell: Cell): number {
  const number = numberOf(cell);
  return Number.isNaN(number) && typeof cell === "string" ? Date.parse(cell) : number;
}

/** Cuts where time goes on: rows of one moment stay together, in the later part. */
function cut(order: readonly number[], { validation, test }: Sizes, time: readonly Cell[]): RowSplit {
  const moments = order.map((row) => momentOf(time[row] ?? null));
  const before = (end: number, count: number): number => {
    let at = end - count;
    while (count > 0 && at > 0 && moments[at - 1] === moments[at]) at--;
    return at;
  };
  const tested = before(order.length, test);
  const validated = before(tested, validation);
  return {
    train: ascending(order.slice(0, Math.max(0, validated))),
    validation: ascending(order.slice(Math.max(0, validated), tested)),
    test: ascending(order.slice(tested)),
  };
}

/**
 * A split that JSON.parse has read, to be used again.
 *
 * @throws DataError for what is none: rows that are no whole numbers below `rows`, or come twice.
 */
export function parseRowSplit(value: unknown, rows: number): RowSplit {
  const where = "parseRowSplit";
  const seen = new Uint8Array(positiveInteger(where, "rows", rows));
  const part = (name: keyof RowSplit): readonly number[] => {
    const list: unknown = (value as Partial<RowSplit> | null)?.[name];
    if (!Array.isArray(list))
      throw new DataError({ where, problem: `there is no list ${name}`, received: show(value) });
    return list.map((row: unknown) => {
      const fits = typeof row === "number" && Number.isInteger(row) && row >= 0 && row < rows && seen[row] === 0;
      if (!fits)
        throw new DataError({
          where,
          problem: `${name} has a row that is none or comes twice`,
          expected: `whole numbers below ${rows}`,
          received: show(row),
        });
      seen[row] = 1;
      return row;
    });
  };
  return { train: part("train"), validation: part("validation"), test: part("test") };
}

/** One of several divisions into rows to learn from and rows to be told. */
export interface Fold {
  readonly train: readonly number[];
  readonly test: readonly number[];
}

/** Options of {@link kFold}. */
export interface FoldOptions {
  /** Number of rows. Default: as many as `labels` or `groups` have. */
  readonly rows?: number;
  /** At least 2; as many as rows is leave-one-out, as many as groups leave-one-group-out. Default 5. */
  readonly folds?: number;
  /** The whole again, in another order. Default 1. */
  readonly repeats?: number;
  /** Default 0. */
  readonly seed?: number;
  /** Every fold gets the same shares of all classes. */
  readonly labels?: readonly Cell[];
  /** A group lies in one fold. */
  readonly groups?: ArrayLike<Cell>;
}

/**
 * k-fold cross-validation: every row is in the test of one fold, `repeats` times.
 *
 * @throws OptionError where there are more folds than rows or groups.
 * @example
 * import { kFold } from "torte";
 * const folds = kFold({ rows: 6, folds: 3 });
 * console.log(folds.map(({ train, test }) => [train.length, test.length])); // [[4, 2], [4, 2], [4, 2]]
 */
export function kFold(options: FoldOptions): readonly Fold[] {
  const where = "kFold";
  checkOptions(where, options, ["rows", "folds", "repeats", "seed", "labels", "groups"]);
  const rows = rowCount(where, options, ["labels", "groups"]);
  const folds = positiveInteger(where, "folds", options.folds ?? 5);
  const repeats = positiveInteger(where, "repeats", options.repeats ?? 1);
  const seed = seedOption(where, options.seed ?? 0);
  const most = options.groups === undefined ? rows : new Set(Array.from(options.groups)).size;
  if (folds < 2 || folds > most)
    throw new OptionError({
      where,
      problem: "folds is out of range",
      expected: `a whole number from 2 to ${most}`,
      received: show(folds),
    });
  return Array.from({ length: repeats }, (_, repeat) => {
    const foldOf = new Int32Array(rows);
    const again = (seed + repeat) >>> 0;
    if (options.groups === undefined)
      ordered(rows, options.labels, again).forEach((row, i) => (foldOf[row] = i % folds));
    else {
      const sizes = new Array<number>(folds).fill(0);
      for (const group of shuffledGroups(options.groups, again)) {
        const least = sizes.indexOf(Math.min(...sizes));
        sizes[least] = (sizes[least] ?? 0) + group.length;
        for (const row of group) foldOf[row] = least;
      }
    }
    const all = Array.from({ length: rows }, (_, row) => row);
    return Array.from({ length: folds }, (_, fold): Fold => ({
      train: all.filter((row) => foldOf[row] !== fold),
      test: all.filter((row) => foldOf[row] === fold),
    }));
  }).flat();
}

/** Options of {@link bootstrap}. */
export interface BootstrapOptions {
  readonly rows: number;
  /** Number of samples. Default 200. */
  readonly samples?: number;
  /** Default 0. */
  readonly seed?: number;
}

/** Samples of as many rows, drawn with replacement; the rows that were not drawn are the test. */
export function bootstrap(options: BootstrapOptions): readonly Fold[] {
  checkOptions("bootstrap", options, ["rows", "samples", "seed"]);
  const rows = positiveInteger("bootstrap", "rows", options.rows);
  const samples = positiveInteger("bootstrap", "samples", options.samples ?? 200);
  const seed = seedOption("bootstrap", options.seed ?? 0);
  return Array.from({ length: samples }, (_, sample): Fold => {
    const below = boundedDraws(mixKey(seed, 0xb007, sample));
    const train = Array.from({ length: rows }, () => below(rows));
    const drawn = new Set(train);
    return { train, test: Array.from({ length: rows }, (_, row) => row).filter((row) => !drawn.has(row)) };
  });
}
