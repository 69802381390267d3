/** Columns of numbers and of categories. */
import { type Cell, isMissing, show } from "torte";
import type { ColumnDescription, ColumnEncoder } from "./column.js";

/** A number as it is; one that is missing is the mean of the training part, and a second number says so. */
export class NumberEncoder implements ColumnEncoder {
  readonly features: number;
  readonly tokens = [];

  constructor(
    readonly mean: number,
    /** Cells were missing in the training part. */
    readonly gaps: boolean,
  ) {
    this.features = gaps ? 2 : 1;
  }

  static fit(cells: readonly Cell[]): NumberEncoder {
    const known = cells.filter((cell) => !isMissing(cell)).map(Number);
    const finite = known.filter(Number.isFinite);
    const mean = finite.reduce((sum, value) => sum + value / finite.length, 0);
    return new NumberEncoder(mean, known.length < cells.length);
  }

  encode(cell: Cell, features: Float32Array, at: number): string | undefined {
    const missing = isMissing(cell);
    const value = missing ? this.mean : Number(cell);
    if (!Number.isFinite(Math.fround(value))) return `${show(cell)} is no number of 32 bits`;
    features[at] = value;
    if (this.gaps) features[at + 1] = Number(missing);
    return undefined;
  }

  toJSON(): ColumnDescription {
    return { kind: "number", mean: this.mean, gaps: this.gaps };
  }
}

/** The most frequent values get a number each; what is rarer, missing or new has 0 in all. */
const MOST_CATEGORIES = 200;

/** A category as a unit vector. */
export class CategoryEncoder implements ColumnEncoder {
  readonly features: number;
  readonly tokens = [];
  readonly #places: ReadonlyMap<string, number>;

  constructor(readonly values: readonly string[]) {
    this.features = values.length;
    this.#places = new Map(values.map((value, i) => [value, i]));
  }

  static fit(cells: readonly Cell[]): CategoryEncoder {
    const counts = new Map<string, number>();
    for (const cell of cells) {
      if (isMissing(cell)) continue;
      const value = String(cell).trim();
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    const frequent = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, MOST_CATEGORIES);
    return new CategoryEncoder(frequent.map(([value]) => value));
  }

  encode(cell: Cell, features: Float32Array, at: number): string | undefined {
    const place = isMissing(cell) ? undefined : this.#places.get(String(cell).trim());
    if (place !== undefined) features[at + place] = 1;
    return undefined;
  }

  toJSON(): ColumnDescription {
    return { kind: "category", values: this.values };
  }
}
