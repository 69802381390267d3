/** Grids of coloured cells: images, maps, masks. */
import { el } from "./svg.js";
import { CELL, DIVERGING } from "./theme.js";

export interface Grid {
  readonly rows: number;
  readonly columns: number;
  /** Row by row. */
  readonly values: ArrayLike<number>;
}

/** As many cells a side at most are drawn; larger grids are averaged over blocks. */
export const MOST_CELLS = 64;

/** The grid with at most so many cells a side: means over equal blocks. */
export function reduced({ rows, columns, values }: Grid, most = MOST_CELLS): Grid {
  const [byRow, byColumn] = [Math.ceil(rows / most), Math.ceil(columns / most)];
  if (byRow === 1 && byColumn === 1) return { rows, columns, values };
  const [m, n] = [Math.ceil(rows / byRow), Math.ceil(columns / byColumn)];
  const sums = new Float64Array(m * n);
  const counts = new Float64Array(m * n);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const at = Math.floor(i / byRow) * n + Math.floor(j / byColumn);
      sums[at] = (sums[at] ?? 0) + (values[i * columns + j] ?? 0);
      counts[at] = (counts[at] ?? 0) + 1;
    }
  return { rows: m, columns: n, values: sums.map((sum, i) => sum / (counts[i] ?? 1)) };
}

type Rgb = readonly [red: number, green: number, blue: number];
const rgbOf = (color: string): Rgb => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)) as unknown as Rgb;
/** In capitals: dark mode changes the colours of the theme, which have small letters, and no pixel that happens to be like one. */
export const hexOf = (rgb: readonly number[]): string =>
  `#${rgb
    .map((part) =>
      Math.max(0, Math.min(255, Math.round(part)))
        .toString(16)
        .padStart(2, "0")
        .toUpperCase(),
    )
    .join("")}`;
const between = (a: Rgb, b: Rgb, share: number): string =>
  hexOf(a.map((part, i) => part + share * ((b[i] ?? 0) - part)));

/** Steps of a scale of colours: neighbours of one colour are drawn as one. */
const STEPS = 40;
const stepped = (share: number): number => Math.round(share * STEPS) / STEPS;

/** From light to dark for 0 … 1. */
export const sequential = (share: number): string =>
  between(rgbOf(CELL.low), rgbOf(CELL.high), stepped(Math.max(0, Math.min(1, share))));

/** For −1 … 1: one colour below, another above 0. */
export function diverging(share: number): string {
  const [low, middle, high] = DIVERGING.map(rgbOf) as [Rgb, Rgb, Rgb];
  const size = stepped(Math.min(1, Math.abs(share)));
  return between(middle, share < 0 ? low : high, size);
}

/** Grey for 0 … 1, black to white. */
export const grey = (share: number): string =>
  between([0, 0, 0], [255, 255, 255], stepped(Math.max(0, Math.min(1, share))));

/** The cells within a rectangle; equal neighbours in a row are one element. */
export function cells(
  grid: Pick<Grid, "rows" | "columns">,
  place: { readonly x: number; readonly y: number; readonly width: number; readonly height: number },
  colorAt: (row: number, column: number) => string,
): string {
  const [w, h] = [place.width / grid.columns, place.height / grid.rows];
  const parts: string[] = [];
  for (let i = 0; i < grid.rows; i++)
    for (let j = 0; j < grid.columns;) {
      const fill = colorAt(i, j);
      let end = j + 1;
      while (end < grid.columns && colorAt(i, end) === fill) end++;
      // A little overlap, so that no light falls through.
      parts.push(
        el("rect", { x: place.x + j * w, y: place.y + i * h, width: (end - j) * w + 0.3, height: h + 0.3, fill }),
      );
      j = end;
    }
  return el("g", { "shape-rendering": "crispEdges" }, ...parts);
}

/** The largest absolute value; 1 where all are 0. */
export function largestOf(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] ?? 0));
  return largest === 0 ? 1 : largest;
}
