/** What a model looks at: saliency along a sequence, or over an image. Simonyan et al. 2014. */
import { DataError, OptionError, show, Tensor } from "torte";
import { headOf, paper } from "./architecture.js";
import { cells, diverging, type Grid, grey, hexOf, largestOf, reduced, sequential } from "./cells.js";
import { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, type Numbers, numbersOf, type Sizes, subtitleOf } from "./options.js";
import { el, label } from "./svg.js";
import { grouped, shortNumber } from "./text.js";
import { CELL, COLOR, SIZE } from "./theme.js";

export interface SaliencyPlotOptions extends FigureOptions {
  /** The sequence's letters, as many as positions. Default none: bars by position. */
  readonly letters?: string | readonly string[];
  /** The image that the map is of, (height, width) or (height, width, 1 or 3): drawn beside it. Default none. */
  readonly image?: Tensor;
}

/**
 * What `saliency` gives of one example: a list of one number for each position, or a map over an image, (height, width) or
 * (height, width, channels), of which the largest channel counts. Values of both signs have two colours.
 *
 * @throws DataError for a map that is none; OptionError for letters or an image that do not fit it.
 * @example
 * import { plotSaliency } from "@torte/plot";
 * const figure = plotSaliency([0.1, 0.9, 0.2, 0.4], { letters: "MKVA" });
 * console.log(figure.description); // Saliency of 4 positions; highest at 2 (K) 0.9, 4 (A) 0.4, 3 (V) 0.2.
 */
export function plotSaliency(map: Numbers, options: SaliencyPlotOptions = {}): Figure {
  const where = "plotSaliency";
  const sizes = checkFigure(where, options, ["letters", "image"], 120);
  const shape =
    map instanceof Tensor ? map.shape.filter((size, axis) => !(axis === 0 && size === 1 && map.shape.length > 1)) : [];
  const values = numbersOf(where, "values of the map", map);
  if (map instanceof Tensor && shape.length > 1) return imageMap(where, values, shape, options, sizes);
  return sequenceMap(where, values, options, sizes);
}

function colorsOf(values: readonly number[]): {
  color: (value: number) => string;
  dark: (value: number) => boolean;
  signed: boolean;
} {
  const largest = largestOf(values);
  const signed = values.some((value) => value < 0);
  return {
    color: (value) => (signed ? diverging(value / largest) : sequential(value / largest)),
    dark: (value) => Math.abs(value) / largest > 0.55,
    signed,
  };
}

const scaleNote = (signed: boolean): string =>
  signed ? "blue speaks for it, brown against it" : "the darker, the more the output hangs on it";

function sequenceMap(where: string, values: readonly number[], options: SaliencyPlotOptions, sizes: Sizes): Figure {
  const given: unknown = options.letters;
  const letters = typeof given === "string" ? [...given] : Array.isArray(given) ? given.map(String) : undefined;
  if (options.image !== undefined) throw new OptionError({ where, problem: "an image belongs to a map over an image" });
  if (given !== undefined && letters?.length !== values.length)
    throw new OptionError({
      where,
      problem: "letters are not as many as positions",
      expected: String(values.length),
      received: letters === undefined ? show(given) : String(letters.length),
    });
  const { color, dark, signed } = colorsOf(values);
  const order = values
    .map((value, i) => ({ value, i }))
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.i - b.i);
  const top = order
    .slice(0, 3)
    .map(({ value, i }) => `${i + 1}${letters === undefined ? "" : ` (${letters[i] ?? ""})`} ${shortNumber(value)}`);
  const title = options.title ?? "Saliency along the sequence";
  const head = headOf({ title, subtitle: subtitleOf(options, scaleNote(signed)) }, sizes.width);
  // Lines of tens, numbered on the left.
  const cell = 15;
  const [left, line] = [44, 50];
  const perLine = Math.max(10, Math.floor((sizes.width - left - 12) / cell / 10) * 10);
  const width = Math.min(cell, (sizes.width - left - 12) / Math.min(perLine, values.length));
  const largest = largestOf(values);
  const body = values.map((value, i) => {
    const [x, y] = [left + (i % perLine) * width, head.height + 6 + Math.floor(i / perLine) * line];
    const bar = (Math.abs(value) / largest) * 22;
    const number =
      i % perLine === 0
        ? label(String(i + 1), left - 6, y + 39, { "text-anchor": "end", "font-size": 10, fill: COLOR.soft })
        : "";
    const letter =
      letters === undefined
        ? ""
        : label(letters[i] ?? "", x + width / 2, y + 39, {
            "text-anchor": "middle",
            "font-size": SIZE.small,
            fill: dark(value) ? CELL.lightInk : CELL.darkInk,
          });
    return (
      number +
      el("rect", {
        x: x + 2,
        y: y + 26 - bar,
        width: width - 4,
        height: bar,
        fill: signed && value < 0 ? COLOR.axis : COLOR.soft,
      }) +
      el("rect", { x, y: y + 28, width: width - 0.5, height: 15, fill: color(value) }) +
      letter
    );
  });
  const height = head.height + Math.ceil(values.length / perLine) * line + 12;
  return new Figure({
    title,
    description: `Saliency of ${grouped(values.length)} position${values.length === 1 ? "" : "s"}; highest at ${top.join(", ")}.`,
    draw: () => ({ width: sizes.width, height, body: [paper(sizes.width, height), head.body, ...body].join("") }),
  });
}

function imageMap(
  where: string,
  values: readonly number[],
  shape: readonly number[],
  options: SaliencyPlotOptions,
  sizes: Sizes,
): Figure {
  const [rows = 0, columns = 0, channels = 1] = shape;
  if (shape.length > 3 || options.letters !== undefined)
    throw new DataError({
      where,
      problem: "this is no map of one example",
      expected: "(length), (height, width) or (height, width, channels); letters for sequences only",
      received: `[${shape.join(", ")}]`,
    });
  const flat = Array.from({ length: rows * columns }, (_, i) => {
    const all = values.slice(i * channels, (i + 1) * channels);
    return all.reduce((best, value) => (Math.abs(value) > Math.abs(best) ? value : best), 0);
  });
  const small = reduced({ rows, columns, values: flat });
  const { color, signed } = colorsOf(Array.from(small.values));
  const largest = flat.reduce((best, value, i) => (Math.abs(value) > Math.abs(flat[best] ?? 0) ? i : best), 0);
  const title = options.title ?? "Saliency over the image";
  const head = headOf({ title, subtitle: subtitleOf(options, scaleNote(signed)) }, sizes.width);
  const image = options.image === undefined ? undefined : imageColors(where, options.image, rows, columns);
  const side = Math.min(240, (sizes.width - 24 - (image === undefined ? 0 : 16)) / (image === undefined ? 1 : 2));
  const high = (side * rows) / columns;
  const right = image === undefined ? 12 : 12 + side + 16;
  const body = [
    image === undefined ? "" : cells(image.grid, { x: 12, y: head.height + 4, width: side, height: high }, image.color),
    cells(small, { x: right, y: head.height + 4, width: side, height: high }, (i, j) =>
      color(small.values[i * small.columns + j] ?? 0),
    ),
  ];
  const height = head.height + high + 14;
  return new Figure({
    title,
    description: `Saliency over ${rows}×${columns} pixels; highest at row ${Math.floor(largest / columns) + 1}, column ${(largest % columns) + 1}, ${shortNumber(flat[largest] ?? 0)}.`,
    draw: () => ({ width: sizes.width, height, body: [paper(sizes.width, height), head.body, ...body].join("") }),
  });
}

/** The image's pixels between its least and its largest value. */
export function imageColors(
  where: string,
  image: Tensor,
  rows: number,
  columns: number,
): { grid: Grid; color: (i: number, j: number) => string } {
  const shape =
    image instanceof Tensor
      ? image.shape.filter((size, axis) => !(axis === 0 && size === 1 && image.shape.length > 2))
      : [];
  const channels = shape[2] ?? 1;
  if (shape[0] !== rows || shape[1] !== columns || ![1, 3].includes(channels))
    throw new OptionError({
      where,
      problem: "the image does not fit the map",
      expected: `[${rows}, ${columns}], of 1 or 3 channels`,
      received: `[${shape.join(", ")}]`,
    });
  const planes = Array.from({ length: channels }, (_, c) =>
    reduced({
      rows,
      columns,
      values: Array.from({ length: rows * columns }, (_, i) => image.data[i * channels + c] ?? 0),
    }),
  );
  const all = planes.flatMap(({ values }) => Array.from(values));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const share = (value: number): number => (high === low ? 0.5 : (value - low) / (high - low));
  const [grid] = planes as [Grid];
  return {
    grid,
    color: (i, j) => {
      const parts = planes.map(({ values }) => share(values[i * grid.columns + j] ?? 0));
      return parts.length === 3 ? hexOf(parts.map((part) => 255 * part)) : grey(parts[0] ?? 0);
    },
  };
}
