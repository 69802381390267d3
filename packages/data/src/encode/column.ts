/** What each kind of column becomes: numbers about its cell, and tokens. */
import type { Cell } from "torte";

/** Tokens of a column as an input of a model, [length] whole numbers, 0 where there is none; or the pixels of an image. */
export interface TokenInput {
  /** The beginning, the end (its last token is the last), or the whole; or [height, width, channels] bytes. */
  readonly role: "start" | "end" | "tokens" | "image";
  readonly length: number;
  /** Of an image. Default [length]. */
  readonly shape?: readonly number[];
  /** Of tokens: how many different numbers there are, 0 included. */
  readonly vocabulary: number;
}

/** Where tokens of all rows, or pixels, are written to. */
export type TokenArray = Int32Array | Uint8Array;

/** Turns the cells of one column into numbers. Fitted on the training part; plain JSON. */
export interface ColumnEncoder {
  /** Numbers for each cell. */
  readonly features: number;
  readonly tokens: readonly TokenInput[];
  /**
   * Writes a cell's numbers to `features` from `at` on, which are 0, and its tokens to row `row` of `tokens`, which are 0, too.
   * Gives what is wrong with the cell where that cannot be; a part may then be written.
   */
  encode(
    cell: Cell,
    features: Float32Array,
    at: number,
    tokens: readonly TokenArray[],
    row: number,
  ): string | undefined;
  /** What is wrong with a cell, as `encode` says it, without encoding it. Default: it is encoded. */
  problem?(cell: Cell): string | undefined;
  toJSON(): ColumnDescription;
}

/** A column encoder as JSON; which fields there are depends on the kind. */
export interface ColumnDescription {
  readonly kind: string;
  readonly [field: string]: unknown;
}
