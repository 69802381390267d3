/** What a column holds, by its cells: sequences, structures, text, numbers or categories. */
import { DataError } from "../errors.js";
import { type Cell, Picture, type Table } from "./table.js";

/** What a column can hold. */
export const COLUMN_KINDS = ["protein", "DNA", "RNA", "SMILES", "text", "number", "category", "image"] as const;
/** What a column holds. */
export type ColumnKind = (typeof COLUMN_KINDS)[number];

/** What is asked of a model: one of two classes, one of several, any number of labels, or a number. */
export const TARGET_KINDS = ["binary", "multiClass", "multiLabel", "regression"] as const;
/** What is asked of a model: one of two classes, one of several, any number of labels, or a number. */
export type TargetKind = (typeof TARGET_KINDS)[number];

export type SequenceKind = Extract<ColumnKind, "protein" | "DNA" | "RNA" | "SMILES">;

/** Letters of each kind of sequence: the usual ones, and those that stand for several or for none. */
export const LETTERS = {
  protein: { usual: "ACDEFGHIKLMNPQRSTVWY", others: "BJOUXZ*-" },
  DNA: { usual: "ACGT", others: "NRYSWKMBDHV-" },
  RNA: { usual: "ACGU", others: "NRYSWKMBDHV-" },
} as const satisfies Record<Exclude<SequenceKind, "SMILES">, { readonly usual: string; readonly others: string }>;

const NUMBER = /^\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*$/i;

/** Empty fields, and what tables write for what is not known. */
const MISSING = /^\s*(|na|n\/a|nan|null|none|\?)\s*$/i;

/** Whether a cell holds nothing: empty, NA, NaN and their like. */
export const isMissing = (cell: Cell): boolean =>
  cell === null || (typeof cell === "number" ? Number.isNaN(cell) : typeof cell === "string" && MISSING.test(cell));

/** The number that a cell holds; NaN where it holds none. */
export function numberOf(cell: Cell): number {
  if (typeof cell === "number") return cell;
  return typeof cell === "string" && NUMBER.test(cell) ? Number(cell) : NaN;
}

/** Of longer columns, as many cells evenly along them are looked at. */
const LOOKED_AT = 20_000;
/** A sequence has so many letters on average; shorter ones are names. */
const SEQUENCE_LENGTH = 8;
/** A category has at most so many values, */
const MOST_VALUES = 1000;
/** and each comes so often on average. */
const REPEATED = 2;
/** So much of the letters are usual ones. */
const USUAL = 0.9;

/**
 * The kind of a column: "image" where there are pictures, "number" where all cells are numbers; else "DNA", "RNA" or "protein" where the letters are (nearly
 * all) theirs, "SMILES" where they are written as molecules are, "category" where values repeat, and else "text".
 *
 * @example
 * import { inferKind } from "torte";
 * console.log(inferKind(["1", "2.5"]), inferKind(["MKVLAGIVGE", "MSTNPKPQRK"]), inferKind(["yes", "no", "no", "yes"]));
 * // number protein category
 */
export function inferKind(cells: readonly Cell[]): ColumnKind {
  const known = someOf(cells);
  if (known.some((cell) => cell instanceof Picture)) return "image";
  if (known.length > 0 && known.every((cell) => !Number.isNaN(numberOf(cell)))) return "number";
  const texts = known.map((cell) => String(cell).trim());
  const values = new Set(texts).size;
  const repeats = values > 0 && values <= MOST_VALUES && values * REPEATED <= texts.length;
  const few = repeats && values <= 20;
  return (few ? undefined : sequenceKind(texts)) ?? (repeats ? "category" : "text");
}

/** The kind of a column that is known to have sequences or texts, however often they repeat. */
export function inferSequenceKind(cells: readonly Cell[]): SequenceKind | "text" {
  return sequenceKind(someOf(cells).map((cell) => String(cell).trim())) ?? "text";
}

function someOf(cells: readonly Cell[]): readonly Cell[] {
  const step = Math.max(1, Math.floor(cells.length / LOOKED_AT));
  return cells.filter((cell, i) => i % step === 0 && !isMissing(cell));
}

function sequenceKind(texts: readonly string[]): SequenceKind | undefined {
  const letters = texts.reduce((sum, { length }) => sum + length, 0);
  if (letters === 0 || letters < SEQUENCE_LENGTH * texts.length) return undefined;
  const counts = new Uint32Array(128);
  for (const text of texts)
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code < 128) counts[code] = (counts[code] ?? 0) + 1;
    }
  const countOf = (letter: string): number => counts[letter.charCodeAt(0)] ?? 0;
  const share = (allowed: string): number =>
    [...new Set(`${allowed}${allowed.toLowerCase()}`)].reduce((sum, letter) => sum + countOf(letter), 0) / letters;
  for (const kind of ["DNA", "RNA", "protein"] as const) {
    const { usual, others } = LETTERS[kind];
    // Words are made of a protein's letters, too, but with vowels and blanks; sequences are in one case.
    if (share(usual) >= USUAL && share(usual + others) >= 0.99 && oneCase(texts)) return kind;
  }
  const molecules = texts.filter((text) => SMILES.test(text) && /[a-zA-Z]/.test(text)).length;
  const marks = texts.filter((text) => /[()=#[\]\d]/.test(text)).length;
  return molecules >= 0.99 * texts.length && marks >= 0.5 * texts.length ? "SMILES" : undefined;
}

const oneCase = (texts: readonly string[]): boolean =>
  texts.filter((text) => text === text.toUpperCase() || text === text.toLowerCase()).length >= 0.9 * texts.length;

const SMILES = /^(Cl|Br|[BCNOPSFIHbcnops*]|\[[^\]]+\]|[-=#$:/\\.()]|\d|%\d\d)+$/;

/** The labels of a cell that may have several, with ";" or "|" between them; each once, in their order. */
export const labelsIn = (cell: Cell): readonly string[] =>
  [
    ...new Set(
      String(cell ?? "")
        .split(/[;|]/)
        .map((label) => label.trim()),
    ),
  ]
    .filter((label) => label !== "")
    .sort();

/** Whether cells have several labels each, and the labels come again. */
function isMultiLabel(known: readonly Cell[]): boolean {
  const each = known.map(labelsIn);
  if (!each.some(({ length }) => length > 1)) return false;
  const all = each.flat();
  const different = new Set(all).size;
  return different <= MOST_VALUES && different * REPEATED <= all.length;
}

/**
 * What a target asks for: "binary" with two values, "multiLabel" where cells have several labels with ";" or "|" between them,
 * "multiClass" with a few (text, or whole numbers: at most 20, or a tenth of the rows), "regression" with numbers otherwise.
 *
 * @throws DataError for a target that is constant, empty, or has (nearly) as many classes as rows.
 */
export function inferTarget(cells: readonly Cell[], where = "target"): TargetKind {
  const known = cells.filter((cell) => !isMissing(cell));
  const values = new Set(known.map(String));
  if (values.size < 2) {
    const received = values.size === 0 ? "no value" : `only ${JSON.stringify([...values][0])}`;
    throw new DataError({ where, problem: "there is nothing to learn", expected: "two values at least", received });
  }
  if (values.size === 2) return "binary";
  if (isMultiLabel(known)) return "multiLabel";
  const numbers = known.map(numberOf);
  if (numbers.every((value) => !Number.isNaN(value))) {
    const classes = numbers.every((value) => Number.isInteger(value)) && values.size <= Math.min(20, known.length / 10);
    return classes ? "multiClass" : "regression";
  }
  if (values.size > known.length / 2) {
    const word = known.find((cell) => Number.isNaN(numberOf(cell)));
    throw new DataError({
      where,
      problem: "this is no target",
      expected: "classes that repeat, or numbers",
      received: `${values.size} values in ${known.length} rows, such as ${JSON.stringify(word)}`,
    });
  }
  return "multiClass";
}

/** The kind of each column of a table; what is said of one is taken. */
export function columnKinds(
  table: Table,
  given: Readonly<Record<string, ColumnKind>> = {},
): Readonly<Record<string, ColumnKind>> {
  for (const name of Object.keys(given)) table.column(name);
  return Object.fromEntries(table.columns.map((name) => [name, given[name] ?? inferKind(table.column(name))]));
}
