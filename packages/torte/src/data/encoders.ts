/** Encoders: fitted on training values, they turn text, categories and numbers into tensors, and are saved as JSON. */
import { checkOptions, DataError, OptionError, show, wholeNumber } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { numberOf } from "./kinds.js";
import type { Cell } from "./table.js";
import { Tokenizer, type TokenizerDescription } from "./tokenizer.js";

/** Options of {@link padSequences}. */
export interface PadOptions {
  /** Length of all. Default: of the longest. */
  readonly length?: number;
  /** Default 0. */
  readonly value?: number;
  /** Where padding is added. Default "end". */
  readonly padding?: "start" | "end";
  /** Where what is too long is cut. Default "end". */
  readonly truncating?: "start" | "end";
}

/**
 * Lists of different lengths as one tensor [rows, length].
 *
 * @throws OptionError for options out of range.
 * @example
 * import { padSequences } from "torte";
 * console.log(padSequences([[1, 2, 3], [4]]).toArray()); // [ [ 1, 2, 3 ], [ 4, 0, 0 ] ]
 */
export function padSequences(sequences: readonly ArrayLike<number>[], options: PadOptions = {}): Tensor {
  checkOptions("padSequences", options, ["length", "value", "padding", "truncating"]);
  const longest = sequences.reduce((most, { length }) => Math.max(most, length), 0);
  const length = wholeNumber("padSequences", "length", options.length ?? longest);
  const { value = 0, padding = "end", truncating = "end" } = options;
  const data = new Int32Array(sequences.length * length).fill(value);
  sequences.forEach((sequence, row) => {
    const kept = Math.min(length, sequence.length);
    const from = truncating === "end" ? 0 : sequence.length - kept;
    const to = row * length + (padding === "end" ? 0 : length - kept);
    for (let i = 0; i < kept; i++) data[to + i] = sequence[from + i] ?? value;
  });
  return new Tensor(data, [sequences.length, length], "int32");
}

/**
 * Class numbers as rows of a unit matrix, [rows, classes].
 *
 * @throws DataError for what is no class.
 * @example
 * import { toCategorical } from "torte";
 * console.log(toCategorical([0, 2]).toArray()); // [ [ 1, 0, 0 ], [ 0, 0, 1 ] ]
 */
export function toCategorical(classes: ArrayLike<number>, count?: number): Tensor {
  const most = Array.from(classes).reduce((a, b) => Math.max(a, b), -1) + 1;
  const width = wholeNumber("toCategorical", "count", count ?? most);
  const data = new Float32Array(classes.length * width);
  Array.from(classes).forEach((label, row) => {
    if (!Number.isInteger(label) || label < 0 || label >= width)
      throw new DataError({
        where: "toCategorical",
        problem: `row ${row} has no class`,
        expected: `a whole number from 0 to ${width - 1}`,
        received: show(label),
      });
    data[row * width + label] = 1;
  });
  return new Tensor(data, [classes.length, width], "float32");
}

/** What a scaler is saved as. */
export interface ScalerDescription {
  readonly encoder: "standardScaler" | "minMaxScaler";
  readonly shift: readonly number[];
  readonly scale: readonly number[];
}

/**
 * Numbers on a common scale: (x − shift) / scale, column by column.
 *
 * Immutable: `fit` gives a new one. A column that is constant has scale 1.
 */
export class Scaler {
  readonly #description: ScalerDescription | ScalerDescription["encoder"];

  constructor(description: ScalerDescription | ScalerDescription["encoder"]) {
    this.#description = description;
  }

  /** Takes shift and scale from these rows: those of the training part, and no others. */
  fit(rows: readonly (readonly Cell[])[]): Scaler {
    const encoder = typeof this.#description === "string" ? this.#description : this.#description.encoder;
    const width = rows[0]?.length ?? 0;
    const columns = Array.from({ length: width }, (_, c) => numbersOf(encoder, rows, c));
    if (width === 0)
      throw new DataError({ where: encoder, problem: "there is nothing to fit to", received: "no rows" });
    const limits = columns.map((column) => (encoder === "standardScaler" ? moments(column) : extent(column)));
    return new Scaler({
      encoder,
      shift: limits.map(([shift]) => shift),
      scale: limits.map(([, scale]) => (scale > 0 ? scale : 1)),
    });
  }

  /** [rows, columns], float32. @throws DataError for cells that are no numbers, and before `fit`. */
  transform(rows: readonly (readonly Cell[])[]): Tensor {
    const { encoder, shift, scale } = this.toJSON();
    const data = new Float32Array(rows.length * shift.length);
    shift.forEach((value, c) => {
      numbersOf(encoder, rows, c).forEach((x, row) => (data[row * shift.length + c] = (x - value) / (scale[c] ?? 1)));
    });
    return new Tensor(data, [rows.length, shift.length], "float32");
  }

  toJSON(): ScalerDescription {
    if (typeof this.#description !== "string") return this.#description;
    throw new DataError({
      where: this.#description,
      problem: "it has not been fitted",
      fix: "Call fit(rows) with rows of the training part.",
    });
  }
}

function numbersOf(where: string, rows: readonly (readonly Cell[])[], c: number): Float64Array {
  return Float64Array.from(rows, (row, i) => {
    const value = numberOf(row[c] ?? null);
    if (Number.isFinite(value)) return value;
    throw new DataError({ where, problem: `row ${i}, column ${c}: this is no number`, received: show(row[c]) });
  });
}

/** Mean and standard deviation, of all rows (1/n), in two passes. */
function moments(values: Float64Array): readonly [mean: number, deviation: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return [mean, Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)];
}

function extent(values: Float64Array): readonly [least: number, range: number] {
  const least = values.reduce((a, b) => Math.min(a, b), Infinity);
  return [least, values.reduce((a, b) => Math.max(a, b), -Infinity) - least];
}

/** Mean 0 and standard deviation 1 of the rows that it is fitted to. */
export const standardScaler = (): Scaler => new Scaler("standardScaler");
/** From 0 to 1 over the rows that it is fitted to. */
export const minMaxScaler = (): Scaler => new Scaler("minMaxScaler");

/** Options of {@link categoryLookup}. */
export interface LookupOptions {
  /** The values, in their order. Default: those that `fit` finds, sorted. */
  readonly vocabulary?: readonly string[];
  /** A number of its own, the first, for values that are not known. Default false: they are refused. */
  readonly unknown?: boolean;
}

export interface LookupDescription {
  readonly encoder: "categoryLookup";
  readonly vocabulary: readonly string[];
  readonly unknown: boolean;
}

/** Categories as whole numbers from 0, by their place in a vocabulary. Immutable: `fit` gives a new one. */
export class CategoryLookup {
  readonly #vocabulary: readonly string[] | undefined;
  readonly #unknown: boolean;
  readonly #places: ReadonlyMap<string, number>;

  constructor({ vocabulary, unknown = false }: LookupOptions = {}) {
    this.#vocabulary = vocabulary;
    this.#unknown = unknown;
    this.#places = new Map(vocabulary?.map((value, i) => [value, i + Number(unknown)]));
    if (vocabulary !== undefined && this.#places.size !== vocabulary.length)
      throw new OptionError({ where: "categoryLookup", problem: "the vocabulary has a value twice" });
  }

  /** Takes the vocabulary from these values: those of the training part, and no others. */
  fit(values: readonly Cell[]): CategoryLookup {
    const found = [...new Set(values.map(String))].sort((a, b) => (a < b ? -1 : 1));
    return new CategoryLookup({ vocabulary: found, unknown: this.#unknown });
  }

  /** [rows], int32. @throws DataError for a value that is not known. */
  transform(values: readonly Cell[]): Tensor {
    const { vocabulary } = this.toJSON();
    const data = Int32Array.from(values, (value, row) => {
      const place = this.#places.get(String(value)) ?? (this.#unknown ? 0 : undefined);
      if (place !== undefined) return place;
      const expected = `one of ${vocabulary.slice(0, 10).join(", ")}${vocabulary.length > 10 ? ", ..." : ""}`;
      throw new DataError({
        where: "categoryLookup",
        problem: `row ${row} has an unknown value`,
        expected,
        received: show(value),
        fix: "unknown: true gives those a number of their own.",
      });
    });
    return new Tensor(data, [values.length], "int32");
  }

  /** How many numbers there are. */
  get size(): number {
    return this.toJSON().vocabulary.length + Number(this.#unknown);
  }

  toJSON(): LookupDescription {
    if (this.#vocabulary !== undefined)
      return { encoder: "categoryLookup", vocabulary: this.#vocabulary, unknown: this.#unknown };
    throw new DataError({
      where: "categoryLookup",
      problem: "it has not been fitted",
      fix: "Call fit(values) with values of the training part.",
    });
  }
}

/** Categories as whole numbers. */
export function categoryLookup(options: LookupOptions = {}): CategoryLookup {
  checkOptions("categoryLookup", options, ["vocabulary", "unknown"]);
  return new CategoryLookup(options);
}

/** What turns a column into numbers. */
export type Encoder = Tokenizer | Scaler | CategoryLookup;
/** An encoder as plain JSON. */
export type EncoderDescription = TokenizerDescription | ScalerDescription | LookupDescription;

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");
const isNumbers = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.every((item) => Number.isFinite(item));

/**
 * An encoder from what its `toJSON` gave.
 *
 * @throws DataError for what is none.
 * @example
 * import { encoderFromJSON, standardScaler } from "torte";
 * const scaler = standardScaler().fit([[1], [3]]);
 * const same = encoderFromJSON(JSON.parse(JSON.stringify(scaler)));
 * console.log(same.toJSON()); // { encoder: 'standardScaler', shift: [ 2 ], scale: [ 1 ] }
 */
export function encoderFromJSON(value: unknown): Encoder {
  const { encoder, vocabulary, unknown, shift, scale } = (value ?? {}) as Readonly<Record<string, unknown>>;
  if (encoder === "tokenizer") return Tokenizer.fromJSON(value);
  if (encoder === "categoryLookup" && isStrings(vocabulary) && typeof unknown === "boolean")
    return new CategoryLookup({ vocabulary, unknown });
  if (
    (encoder === "standardScaler" || encoder === "minMaxScaler") &&
    isNumbers(shift) &&
    isNumbers(scale) &&
    shift.length === scale.length &&
    scale.every((x) => x > 0)
  )
    return new Scaler({ encoder, shift, scale });
  throw new DataError({
    where: "encoderFromJSON",
    problem: "this is no encoder",
    expected: "what an encoder's toJSON gives",
    received: show(value),
  });
}
