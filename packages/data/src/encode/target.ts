/** The target column: classes by number, labels as yes or no, or numbers on a scale of their own. */
import { type Cell, DataError, isMissing, labelsIn, show, type TargetKind, Tensor } from "torte";

/** Two classes, the second one being what the probability is of; several classes; or labels, each of which is told or not. */
interface Classes {
  readonly kind: "binary" | "multiClass" | "multiLabel";
  readonly column: string;
  readonly labels: readonly string[];
}

interface Numbers {
  readonly kind: "regression";
  readonly column: string;
  /** Of the training part; the model is asked for (value − mean) / deviation. */
  readonly mean: number;
  readonly deviation: number;
}

/** How the target becomes numbers. */
export type TargetEncoding = Classes | Numbers;

const labelOf = (cell: Cell): string => String(cell).trim();

/** Labels in their order: numbers by size, others by letters. */
export function labelsOf(cells: readonly Cell[]): readonly string[] {
  return [...new Set(cells.map(labelOf))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
}

/** @throws DataError for a positive label that is not there, and a column that is not of the kind. */
export function fitTarget(
  column: string,
  kind: TargetKind,
  cells: readonly Cell[],
  positive: string | undefined,
): TargetEncoding {
  const known = cells.filter((cell) => !isMissing(cell));
  if (kind === "regression") return { kind, column, ...moments(column, known) };
  const labels = labelsOf(kind === "multiLabel" ? known.flatMap(labelsIn) : known);
  if (kind === "binary" && labels.length !== 2)
    throw new DataError({
      where: column,
      problem: "the training part does not have two classes",
      expected: "rows of both",
      received: labels.map(show).join(", "),
    });
  if (positive === undefined || kind !== "binary") return { kind, column, labels };
  if (!labels.includes(positive))
    throw new DataError({
      where: column,
      problem: "there is no such label",
      expected: labels.map(show).join(" or "),
      received: show(positive),
    });
  return { kind, column, labels: [...labels.filter((label) => label !== positive), positive] };
}

function moments(column: string, cells: readonly Cell[]): { readonly mean: number; readonly deviation: number } {
  const values = cells.map((cell) => targetNumber(column, cell));
  const mean = values.reduce((sum, value) => sum + value / values.length, 0);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2 / values.length, 0);
  return { mean, deviation: variance > 0 ? Math.sqrt(variance) : 1 };
}

function targetNumber(column: string, cell: Cell): number {
  const value = Number(cell);
  if (Number.isFinite(Math.fround(value))) return value;
  const expected = "numbers of 32 bits";
  throw new DataError({ where: column, problem: "the target is no number", expected, received: show(cell) });
}

/** [rows], float32: class numbers, or numbers on the target's scale; of several labels [rows, labels], 0 or 1. @throws DataError for a class that is not known. */
export function encodeTarget(target: TargetEncoding, cells: readonly Cell[]): Tensor {
  if (target.kind === "regression")
    return new Tensor(
      Float32Array.from(cells, (cell) => (targetNumber(target.column, cell) - target.mean) / target.deviation),
      [cells.length],
      "float32",
    );
  const places = new Map(target.labels.map((label, i) => [label, i]));
  const placeOf = (label: string, cell: Cell): number => {
    const place = places.get(label);
    if (place !== undefined) return place;
    throw new DataError({
      where: target.column,
      problem: "a class is not in the training part",
      expected: target.labels.slice(0, 10).map(show).join(", "),
      received: show(cell),
    });
  };
  if (target.kind !== "multiLabel")
    return new Tensor(
      Float32Array.from(cells, (cell) => placeOf(labelOf(cell), cell)),
      [cells.length],
      "float32",
    );
  const width = target.labels.length;
  const data = new Float32Array(cells.length * width);
  cells.forEach((cell, row) => {
    for (const label of labelsIn(cell)) data[row * width + placeOf(label, cell)] = 1;
  });
  return new Tensor(data, [cells.length, width], "float32");
}
