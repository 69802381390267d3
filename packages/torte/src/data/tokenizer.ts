/** Tokenizers: text as whole numbers, by a vocabulary that is given or found in the training part. */
import { checkOptions, DataError, OptionError, oneOf, positiveInteger, show } from "../errors.js";
import { Tensor } from "../tensor/tensor.js";
import { learnMerges, mergeAll } from "./byte-pairs.js";

/** How a text falls into tokens. */
const UNITS = {
  protein: (text: string): readonly string[] => [...text.toUpperCase()],
  DNA: (text: string): readonly string[] => [...text.toUpperCase()],
  RNA: (text: string): readonly string[] => [...text.toUpperCase()],
  SMILES: (text: string): readonly string[] => text.match(SMILES) ?? [],
  characters: (text: string): readonly string[] => [...text],
  words: (text: string): readonly string[] => text.toLowerCase().match(/[\p{L}\p{M}\p{N}']+/gu) ?? [],
  bytePairs: (text: string): readonly string[] => [...text],
} as const;

/** Atoms in brackets, atoms of two letters, ring closures of two digits, and single marks. */
const SMILES = /\[[^\]]*\]|Cl|Br|%\d\d|[^]/gu;

/** What a tokenizer cuts text into. */
export type TokenUnit = keyof typeof UNITS;
const UNIT_NAMES = Object.keys(UNITS) as TokenUnit[];

/** Vocabularies that need no fit. The chapter's order of the bases. */
const KNOWN: Partial<Record<TokenUnit, string>> = { protein: "ACDEFGHIKLMNPQRSTVWY", DNA: "TCAG", RNA: "UCAG" };

/** Options of {@link tokenizer}. */
export interface TokenizerOptions {
  /** What a token is: a residue, a base, a part of a SMILES string, a character, a word, or a piece that is frequent. */
  readonly unit: TokenUnit;
  /** The tokens, in their order. Default: the 20 residues, the bases T, C, A, G, or what `fit` finds. */
  readonly vocabulary?: readonly string[] | string;
  /** The most tokens that `fit` keeps, the most frequent ones, without the reserved. Default: all; of byte pairs 1000. */
  readonly size?: number;
  /** Number 0 is kept for padding. Default true. */
  readonly padding?: boolean;
  /** A number for tokens that are not known, after padding's. Default true; false refuses them. */
  readonly unknown?: boolean;
}

/** A tokenizer as plain JSON. */
export interface TokenizerDescription {
  readonly encoder: "tokenizer";
  readonly unit: TokenUnit;
  readonly vocabulary: readonly string[];
  readonly merges: readonly (readonly [string, string])[];
  readonly padding: boolean;
  readonly unknown: boolean;
  readonly size?: number;
}

type Settings = Omit<TokenizerDescription, "encoder" | "vocabulary">;

/** Text as whole numbers. Immutable: `fit` gives a new one. */
export class Tokenizer {
  readonly #settings: Settings;
  readonly #vocabulary: readonly string[] | undefined;
  readonly #numbers: ReadonlyMap<string, number>;

  /** Use `tokenizer(options)`. */
  constructor(settings: Settings, vocabulary: readonly string[] | undefined) {
    this.#settings = settings;
    this.#vocabulary = vocabulary;
    this.#numbers = new Map(vocabulary?.map((token, i) => [token, i + this.#reserved]));
    if (vocabulary !== undefined && this.#numbers.size !== vocabulary.length)
      throw new OptionError({ where: "tokenizer", problem: "the vocabulary has a token twice" });
  }

  get #reserved(): number {
    return Number(this.#settings.padding) + Number(this.#settings.unknown);
  }

  /** How many numbers there are, with the reserved ones: `inputDim` of an embedding. */
  get size(): number {
    return this.#known().length + this.#reserved;
  }

  /** The tokens, in the order of their numbers, without the reserved ones. */
  get vocabulary(): readonly string[] {
    return this.#known();
  }

  #known(): readonly string[] {
    if (this.#vocabulary !== undefined) return this.#vocabulary;
    throw new DataError({
      where: "tokenizer",
      problem: "it has no vocabulary yet",
      fix: "Call fit(texts) with texts of the training part, or give one.",
    });
  }

  /** Takes the vocabulary from these texts: those of the training part, and no others. The most frequent token is first. */
  fit(texts: readonly string[]): Tokenizer {
    const { unit, size } = this.#settings;
    if (unit === "bytePairs") {
      const { merges, vocabulary } = learnMerges(texts, size ?? 1000);
      return new Tokenizer({ ...this.#settings, merges }, vocabulary);
    }
    const counts = new Map<string, number>();
    for (const text of texts) for (const token of UNITS[unit](text)) counts.set(token, (counts.get(token) ?? 0) + 1);
    const byCount = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([token]) => token);
    return new Tokenizer(this.#settings, byCount.slice(0, size));
  }

  /** The tokens of a text. */
  tokens(text: string): readonly string[] {
    const { unit, merges } = this.#settings;
    return unit === "bytePairs" ? mergeAll(text, merges) : UNITS[unit](text);
  }

  /** The numbers of a text's tokens. @throws DataError for a token that is not known, where `unknown` is false. */
  encode(text: string): number[] {
    this.#known();
    const unknown = this.#settings.unknown ? Number(this.#settings.padding) : undefined;
    return this.tokens(text).map((token) => {
      const number = this.#numbers.get(token) ?? unknown;
      if (number !== undefined) return number;
      const fix = "unknown: true gives those a number of their own.";
      throw new DataError({
        where: "tokenizer",
        problem: `the token ${JSON.stringify(token)} is unknown`,
        received: show(text),
        fix,
      });
    });
  }

  /** The text of numbers; padding is left out, what is unknown is "\ufffd". */
  decode(numbers: ArrayLike<number>): string {
    const { padding, unit } = this.#settings;
    const vocabulary = this.#known();
    const tokens = Array.from(numbers)
      .filter((number) => !(padding && number === 0))
      .map((number) => vocabulary[number - this.#reserved] ?? "\ufffd");
    return tokens.join(unit === "words" ? " " : "");
  }

  /**
   * [texts, length], int32, shorter texts padded at their end, longer ones cut there.
   *
   * @throws DataError for texts of different lengths where no number is reserved for padding.
   */
  transform(texts: readonly string[], length?: number): Tensor {
    const rows = texts.map((text) => this.encode(text));
    const longest = rows.reduce((most, row) => Math.max(most, row.length), 0);
    const width = length === undefined ? longest : positiveInteger("tokenizer", "length", length);
    const data = new Int32Array(rows.length * width);
    rows.forEach((row, r) => {
      if (row.length < width && !this.#settings.padding)
        throw new DataError({
          where: "tokenizer",
          problem: `text ${r} is too short`,
          expected: `${width} tokens`,
          received: String(row.length),
          fix: "padding: true keeps number 0 for what is missing.",
        });
      for (let i = 0; i < Math.min(width, row.length); i++) data[r * width + i] = row[i] ?? 0;
    });
    return new Tensor(data, [rows.length, width], "int32");
  }

  toJSON(): TokenizerDescription {
    return { encoder: "tokenizer", ...this.#settings, vocabulary: this.#known() };
  }

  /** @throws DataError for what `toJSON` did not give. */
  static fromJSON(value: unknown): Tokenizer {
    const { encoder, unit, vocabulary, merges, padding, unknown, size } = (value ??
      {}) as Partial<TokenizerDescription>;
    const isStrings = (list: unknown): boolean => Array.isArray(list) && list.every((item) => typeof item === "string");
    const fits =
      encoder === "tokenizer" &&
      UNIT_NAMES.includes(unit as TokenUnit) &&
      isStrings(vocabulary) &&
      Array.isArray(merges) &&
      merges.every((pair: unknown) => isStrings(pair) && (pair as readonly string[]).length === 2) &&
      typeof padding === "boolean" &&
      typeof unknown === "boolean" &&
      (size === undefined || Number.isInteger(size));
    if (!fits || unit === undefined)
      throw new DataError({
        where: "Tokenizer.fromJSON",
        problem: "this is no tokenizer",
        expected: "what a tokenizer's toJSON gives",
        received: show(value),
      });
    return new Tokenizer({ unit, merges, padding, unknown, ...(size === undefined ? {} : { size }) }, vocabulary);
  }
}

/**
 * A tokenizer. Residues and bases have a vocabulary at once; the others need one, or `fit`.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { tokenizer } from "torte";
 * const letters = tokenizer({ unit: "characters", vocabulary: "abcdefghijklmnopqrstuvwxyz", padding: false, unknown: false });
 * console.log(letters.encode("hello")); // [ 7, 4, 11, 11, 14 ]
 * console.log(tokenizer({ unit: "protein" }).transform(["MKV", "M"]).toArray()); // [ [ 12, 10, 19 ], [ 12, 0, 0 ] ]
 */
export function tokenizer(options: TokenizerOptions): Tokenizer {
  checkOptions("tokenizer", options, ["unit", "vocabulary", "size", "padding", "unknown"]);
  const unit = oneOf("tokenizer", "unit", options.unit, UNIT_NAMES);
  const { vocabulary = KNOWN[unit], size, padding = true, unknown = true } = options;
  if (size !== undefined) positiveInteger("tokenizer", "size", size);
  if (unit === "bytePairs" && vocabulary !== undefined)
    throw new OptionError({ where: "tokenizer", problem: "byte pairs are learnt", fix: "Call fit(texts)." });
  const settings = { unit, merges: [], padding, unknown, ...(size === undefined ? {} : { size }) };
  return new Tokenizer(settings, vocabulary === undefined ? undefined : [...vocabulary]);
}
