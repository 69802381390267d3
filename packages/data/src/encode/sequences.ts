/** Columns of sequences, structures and texts. */
import { type Cell, isMissing, LETTERS, show, type Tokenizer, tokenizer } from "torte";
import type { ColumnDescription, ColumnEncoder, TokenArray, TokenInput } from "./column.js";

/** Letters with an alphabet of their own. */
export type LetterKind = keyof typeof LETTERS;

/** What is told of a sequence of letters. */
export interface LetterSettings {
  /** Shares of all words of so many letters, and of single letters. */
  readonly k: number;
  /** So many equal pieces have shares of single letters of their own; 0 for none. */
  readonly pieces: number;
  /** Letters of the beginning and of the end, each as a token; 0 for none. */
  readonly ends: number;
  /** Letters of the whole, each as a token; what is longer is cut there. 0 for none. */
  readonly whole: number;
}

/** A share of the training part's sequences that are seen whole. */
const SEEN_WHOLE = 0.98;

const LETTER_SETTINGS: Readonly<Record<LetterKind, LetterSettings>> = {
  protein: { k: 2, pieces: 3, ends: 20, whole: 0 },
  DNA: { k: 4, pieces: 0, ends: 0, whole: 512 },
  RNA: { k: 4, pieces: 0, ends: 0, whole: 512 },
};

/** A letter that stands for several, or for none that is known. */
const OTHER = -1;
const INVALID = -2;

/**
 * Proteins and nucleic acids: shares of single letters, in the whole and in its pieces, and of words of k letters, the logarithm
 * of the length, and the ends or the whole as tokens. Letters that stand for several have a token of their own and take no part in the shares.
 */
export class LetterEncoder implements ColumnEncoder {
  readonly features: number;
  readonly tokens: readonly TokenInput[];
  /** By the letter's code: its place in the alphabet, OTHER or INVALID. */
  readonly #places = new Int8Array(128).fill(INVALID);
  readonly #letters: number;
  readonly #words: number;
  /** Of the text in hand; longer than it. */
  #looked = new Int8Array(512);

  constructor(
    readonly kind: LetterKind,
    readonly settings: LetterSettings,
    /** Letters that are none are taken as unknown ones; otherwise they are an error. */
    readonly lenient = false,
  ) {
    const { usual, others } = LETTERS[kind];
    const { k, pieces, ends, whole } = settings;
    if (lenient) this.#places.fill(OTHER);
    for (const letter of others) this.#set(letter, OTHER);
    [...usual].forEach((letter, i) => {
      this.#set(letter, i);
    });
    this.#letters = usual.length;
    this.#words = this.#letters ** k;
    this.features = this.#letters * (1 + pieces) + (k > 1 ? this.#words : 0) + 1;
    const vocabulary = usual.length + 2;
    this.tokens = [
      ...(ends > 0 ? (["start", "end"] as const).map((role) => ({ role, length: ends, vocabulary })) : []),
      ...(whole > 0 ? [{ role: "tokens" as const, length: whole, vocabulary }] : []),
    ];
  }

  static fit(kind: LetterKind, cells: readonly Cell[], lenient: boolean): LetterEncoder {
    const settings = LETTER_SETTINGS[kind];
    const lengths = cells.map((cell) => textOf(cell).length);
    return new LetterEncoder(kind, { ...settings, whole: lengthFor(lengths, settings.whole) }, lenient);
  }

  #set(letter: string, place: number): void {
    this.#places[letter.charCodeAt(0)] = place;
    this.#places[letter.toLowerCase().charCodeAt(0)] = place;
  }

  problem(cell: Cell): string | undefined {
    const text = textOf(cell);
    if (isMissing(cell) || text === "") return "there is no sequence";
    if (this.lenient) return undefined;
    for (let i = 0; i < text.length; i++)
      if (this.#placeOf(text.charCodeAt(i)) === INVALID) return this.#noLetter(text, i);
    return undefined;
  }

  #placeOf(code: number): number {
    return code < 128 ? (this.#places[code] ?? INVALID) : this.lenient ? OTHER : INVALID;
  }

  #noLetter(text: string, i: number): string {
    return `${show(text.charAt(i))} at ${i + 1} is no letter of a ${this.kind}`;
  }

  encode(
    cell: Cell,
    features: Float32Array,
    at: number,
    tokens: readonly TokenArray[],
    row: number,
  ): string | undefined {
    const text = textOf(cell);
    const { length } = text;
    if (isMissing(cell) || length === 0) return "there is no sequence";
    const places = this.#placesIn(text);
    const bad = this.lenient ? -1 : places.subarray(0, length).indexOf(INVALID);
    if (bad >= 0) return this.#noLetter(text, bad);
    this.#addShares(places, length, features, at);
    if (this.settings.k > 1) this.#addWords(places, length, features, at + this.#letters);
    features[at + this.features - 1] = Math.log(length);
    for (const [i, { role, length: width }] of this.tokens.entries()) {
      const kept = Math.min(width, length);
      const from = role === "end" ? length - kept : 0;
      const to = row * width + (role === "end" ? width - kept : 0);
      const target = tokens[i] ?? new Int32Array();
      for (let j = 0; j < kept; j++) {
        const place = places[from + j] ?? OTHER;
        target[to + j] = place < 0 ? this.#letters + 1 : place + 1;
      }
    }
    return undefined;
  }

  /** The places of a text's letters in the alphabet, looked up once for all that is told of them. */
  #placesIn(text: string): Int8Array {
    const { length } = text;
    if (this.#looked.length < length) this.#looked = new Int8Array(2 * length);
    const [found, places] = [this.#looked, this.#places];
    const beyond = this.lenient ? OTHER : INVALID;
    for (let i = 0; i < length; i++) {
      const code = text.charCodeAt(i);
      found[i] = code < 128 ? (places[code] ?? INVALID) : beyond;
    }
    return found;
  }

  /** Of letters in the whole, and in each of its pieces. */
  #addShares(places: Int8Array, length: number, features: Float32Array, at: number): void {
    const { k, pieces } = this.settings;
    const letters = this.#letters;
    const share = 1 / length;
    const shareOfPiece = pieces / length;
    let piece = at + letters + (k > 1 ? this.#words : 0);
    for (let p = 0, i = 0; p < Math.max(1, pieces); p++, piece += letters) {
      const end = pieces === 0 ? length : Math.ceil(((p + 1) * length) / pieces);
      for (; i < end; i++) {
        const place = places[i] ?? OTHER;
        if (place < 0) continue;
        features[at + place] = (features[at + place] ?? 0) + share;
        if (pieces > 0) features[piece + place] = (features[piece + place] ?? 0) + shareOfPiece;
      }
    }
  }

  /** Of words of k letters that are all known. */
  #addWords(places: Int8Array, length: number, features: Float32Array, at: number): void {
    const { k } = this.settings;
    const letters = this.#letters;
    const share = 1 / Math.max(1, length - k + 1);
    const first = this.#words / letters;
    for (let i = 0, word = 0, known = 0; i < length; i++) {
      const place = places[i] ?? OTHER;
      if (place < 0) {
        known = 0;
        word = 0;
        continue;
      }
      // The word before without its first letter, and the next one.
      if (known >= k) word -= (places[i - k] ?? 0) * first;
      word = word * letters + place;
      if (++known >= k) features[at + word] = (features[at + word] ?? 0) + share;
    }
  }

  toJSON(): ColumnDescription {
    return { kind: this.kind, ...this.settings, lenient: this.lenient };
  }
}

/** What else falls into tokens: SMILES by atoms and marks, text by words. */
export type TokenKind = "SMILES" | "text";

const TOKEN_SETTINGS: Readonly<
  Record<TokenKind, { readonly unit: "SMILES" | "words"; readonly size: number; readonly whole: number }>
> = {
  SMILES: { unit: "SMILES", size: 126, whole: 128 },
  text: { unit: "words", size: 10_000, whole: 256 },
};

/** Texts as tokens of a vocabulary that is found in the training part, and the logarithm of their number. */
export class TextEncoder implements ColumnEncoder {
  readonly features = 1;
  readonly tokens: readonly TokenInput[];

  constructor(
    readonly kind: TokenKind,
    readonly tokenizer: Tokenizer,
    readonly length: number,
  ) {
    this.tokens = [{ role: "tokens", length, vocabulary: tokenizer.size }];
  }

  static fit(kind: TokenKind, cells: readonly Cell[]): TextEncoder {
    const { unit, size, whole } = TOKEN_SETTINGS[kind];
    const texts = cells.filter((cell) => !isMissing(cell)).map(textOf);
    const fitted = tokenizer({ unit, size }).fit(texts);
    return new TextEncoder(
      kind,
      fitted,
      lengthFor(
        texts.map((text) => fitted.tokens(text).length),
        whole,
      ),
    );
  }

  encode(
    cell: Cell,
    features: Float32Array,
    at: number,
    tokens: readonly TokenArray[],
    row: number,
  ): string | undefined {
    const numbers = isMissing(cell) ? [] : this.tokenizer.encode(textOf(cell));
    if (numbers.length === 0) return this.kind === "SMILES" ? "there is no SMILES string" : "there is no text";
    features[at] = Math.log(numbers.length);
    const kept = Math.min(this.length, numbers.length);
    const target = tokens[0] ?? new Int32Array();
    for (let j = 0; j < kept; j++) target[row * this.length + j] = numbers[j] ?? 0;
    return undefined;
  }

  toJSON(): ColumnDescription {
    return { kind: this.kind, length: this.length, tokenizer: this.tokenizer.toJSON() };
  }
}

/** A length that nearly all have, in steps of 8, and at most so much. */
function lengthFor(lengths: readonly number[], most: number): number {
  if (most === 0) return 0;
  const sorted = [...lengths].sort((a, b) => a - b);
  const usual = sorted[Math.min(sorted.length - 1, Math.floor(SEEN_WHOLE * sorted.length))] ?? 0;
  return Math.min(most, Math.max(8, Math.ceil(usual / 8) * 8));
}

/** Without blanks around it. */
function textOf(cell: Cell): string {
  const text = cell === null ? "" : String(cell);
  return text.charCodeAt(0) <= 32 || text.charCodeAt(text.length - 1) <= 32 ? text.trim() : text;
}
