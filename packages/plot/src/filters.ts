/** The filters of a first layer: sequence logos, strips of channels, or images. Schneider and Stephens 1990, for the logos. */
import { DataError, OptionError, show, Tensor } from "torte";
import { headOf, paper } from "./architecture.js";
import { cells, diverging, hexOf, largestOf } from "./cells.js";
import { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, subtitleOf, wholeOption } from "./options.js";
import { el, escapeXml, label, num } from "./svg.js";
import { shortNumber, textWidth } from "./text.js";
import { COLOR, seriesColor } from "./theme.js";

export interface FiltersOptions extends FigureOptions {
  /** A letter for each channel, or for each row of `embedding`: draws logos, letters as high as their weights. Default none. */
  readonly letters?: string | readonly string[];
  /** The embedding in front of the layer, (tokens, channels): letters are then tokens, their weights table·kernel. Default none. */
  readonly embedding?: Tensor;
  /** How many filters at most, 1 to 64. Default 16. */
  readonly most?: number;
}

/**
 * The kernel of a convolution, filter by filter. Over sequences, (size, channels, filters), with letters a logo: what is above
 * the line speaks for the filter, what is below against it. Over images, (height, width, channels, filters), a picture: in
 * colours for three channels, else the mean of the channels, one colour above 0 and another below.
 *
 * @throws DataError for what is no kernel; OptionError for letters that do not fit it.
 * @example
 * import { conv1d, input, sequential } from "torte";
 * import { plotFilters } from "@torte/plot";
 * const model = sequential(input({ shape: [50, 4] }), conv1d({ filters: 8, kernelSize: 5 }));
 * const { "conv1d.kernel": kernel } = await model.getWeights();
 * if (kernel !== undefined) console.log(plotFilters(kernel, { letters: "TCAG" }).title); // 8 filters of 5 positions
 */
export function plotFilters(kernel: Tensor, options: FiltersOptions = {}): Figure {
  const where = "plotFilters";
  const sizes = checkFigure(where, options, ["letters", "embedding", "most"], 120);
  const most = wholeOption(where, "most", options.most ?? 16, 1, 64);
  const given = kernelOf(where, kernel);
  const shown = Math.min(most, given.filters);
  const drawn = given.positions.length === 1 ? sequenceFilters(where, given, options) : imageFilters(given);
  const what = given.positions.length === 1 ? `${given.positions[0] ?? 0} positions` : given.positions.join("×");
  const title = options.title ?? `${given.filters} filter${given.filters === 1 ? "" : "s"} of ${what}`;
  const note = shown < given.filters ? `the first ${shown} of ${given.filters}` : "";
  const head = headOf(
    { title, subtitle: subtitleOf(options, [drawn.note, note].filter((part) => part !== "").join("; ")) },
    sizes.width,
  );
  const wide = Math.max(drawn.least, Math.min(drawn.wish, sizes.width - 24));
  const columns = Math.max(1, Math.floor((sizes.width - 24 + 12) / (wide + 12)));
  const width = (sizes.width - 24 - 12 * (columns - 1)) / columns;
  const size = Math.min(width, drawn.wish * 1.4);
  const high = drawn.height(size) + 24;
  const height = head.height + Math.ceil(shown / columns) * high + 6;
  const body = Array.from({ length: shown }, (_, k) => {
    const [x, y] = [12 + (k % columns) * (width + 12), head.height + Math.floor(k / columns) * high];
    return label(`filter ${k}`, x, y + 10, { "font-size": 10, fill: COLOR.soft }) + drawn.draw(k, x, y + 15, size);
  });
  return new Figure({
    title,
    description: `${title}, weights from ${shortNumber(given.low)} to ${shortNumber(given.high)}. ${drawn.describe(shown)}`,
    draw: () => ({ width: sizes.width, height, body: [paper(sizes.width, height), head.body, ...body].join("") }),
  });
}

interface Kernel {
  readonly positions: readonly number[];
  readonly channels: number;
  readonly filters: number;
  readonly low: number;
  readonly high: number;
  readonly at: (position: number, channel: number, filter: number) => number;
}

function kernelOf(where: string, kernel: Tensor): Kernel {
  if (
    !(kernel instanceof Tensor) ||
    ![3, 4].includes(kernel.shape.length) ||
    !kernel.data.every((value) => Number.isFinite(value))
  )
    throw new DataError({
      where,
      problem: "this is no kernel of a convolution",
      expected: "finite numbers, (size, channels, filters) or (height, width, channels, filters)",
      received: kernel instanceof Tensor ? `[${kernel.shape.join(", ")}]` : show(kernel),
    });
  const [channels = 1, filters = 1] = kernel.shape.slice(-2);
  const { data } = kernel;
  const at = (position: number, channel: number, filter: number): number =>
    data[(position * channels + channel) * filters + filter] ?? 0;
  const [low, high] = data.reduce(
    ([a, b]: [number, number], value: number) => [Math.min(a, value), Math.max(b, value)],
    [Infinity, -Infinity] as [number, number],
  );
  return { positions: kernel.shape.slice(0, -2), channels, filters, low, high, at };
}

/** How the filters of one kind are drawn. */
interface Drawn {
  readonly note: string;
  /** Pixels that a filter wants to be wide, and needs at least. */
  readonly wish: number;
  readonly least: number;
  readonly height: (width: number) => number;
  readonly draw: (filter: number, x: number, y: number, width: number) => string;
  readonly describe: (shown: number) => string;
}

function sequenceFilters(where: string, kernel: Kernel, options: FiltersOptions): Drawn {
  const [size = 1] = kernel.positions;
  const { letters, weight } = tokensOf(where, kernel, options);
  const wish = Math.max(90, 22 * size);
  if (letters !== undefined) {
    const sums = Array.from({ length: kernel.filters }, (_, k) =>
      Array.from({ length: size }, (_, i) => letters.map((_, c) => weight(i, c, k))),
    );
    const tallest = Math.max(1e-12, ...sums.flat().flatMap((values) => [total(values, 1), total(values, -1)]));
    const strongest = (k: number): string =>
      (sums[k] ?? []).map((values) => letters[values.indexOf(Math.max(...values))] ?? "").join("");
    return {
      note: "letters as high as their weights, those below the line negative",
      wish,
      least: 70,
      height: () => 96,
      draw: (k, x, y, width) => logo(sums[k] ?? [], letters, tallest, x, y, Math.min(width, 34 * size), 96),
      describe: (shown) =>
        `Highest letters: ${Array.from({ length: Math.min(shown, 16) }, (_, k) => strongest(k)).join(", ")}.`,
    };
  }
  const largest = Math.max(Math.abs(kernel.low), Math.abs(kernel.high)) || 1;
  const side = (width: number): number => Math.min(16, width / size);
  return {
    note: "a row for each channel; blue above 0, brown below",
    wish,
    least: 60,
    height: (width) => side(width) * kernel.channels,
    draw: (k, x, y, width) =>
      cells(
        { rows: kernel.channels, columns: size },
        { x, y, width: side(width) * size, height: side(width) * kernel.channels },
        (c, i) => diverging(kernel.at(i, c, k) / largest),
      ),
    describe: () => `${kernel.channels} channels.`,
  };
}

const total = (values: readonly number[], sign: 1 | -1): number =>
  values.reduce((sum, value) => sum + Math.max(0, sign * value), 0);

/** Letters, and the weight that a letter has at a position of a filter. */
function tokensOf(
  where: string,
  kernel: Kernel,
  { letters, embedding }: FiltersOptions,
): { letters: readonly string[] | undefined; weight: Kernel["at"] } {
  const given: unknown = letters;
  const list = typeof given === "string" ? [...given] : Array.isArray(given) ? given.map(String) : undefined;
  if (letters !== undefined && list === undefined)
    throw new OptionError({ where, problem: "letters are no list", received: show(letters) });
  if (
    embedding !== undefined &&
    (!(embedding instanceof Tensor) || embedding.shape.length !== 2 || embedding.shape[1] !== kernel.channels)
  )
    throw new OptionError({
      where,
      problem: "the embedding does not fit the kernel",
      expected: `(tokens, ${kernel.channels})`,
      received: embedding instanceof Tensor ? `[${embedding.shape.join(", ")}]` : show(embedding),
    });
  const count = embedding === undefined ? kernel.channels : (embedding.shape[0] ?? 0);
  if (list !== undefined && list.length !== count)
    throw new OptionError({
      where,
      problem: "letters are not as many as there are tokens",
      expected: String(count),
      received: String(list.length),
    });
  if (embedding === undefined) return { letters: list, weight: kernel.at };
  const weight: Kernel["at"] = (i, token, k) => {
    let sum = 0;
    for (let c = 0; c < kernel.channels; c++)
      sum += (embedding.data[token * kernel.channels + c] ?? 0) * kernel.at(i, c, k);
    return sum;
  };
  return { letters: list ?? Array.from({ length: count }, (_, i) => String(i)), weight };
}

/** Capital letters of DejaVu Sans and Arial are so high, by their size. */
const CAPITAL = 0.73;

function logo(
  positions: readonly (readonly number[])[],
  letters: readonly string[],
  tallest: number,
  x: number,
  y: number,
  width: number,
  height: number,
): string {
  const column = width / positions.length;
  const middle = y + height / 2;
  const unit = height / 2 / tallest;
  const parts = positions.flatMap((values, i) => {
    const order = values
      .map((value, c) => ({ value, c }))
      .sort((a, b) => Math.abs(a.value) - Math.abs(b.value) || a.c - b.c);
    let [up, down] = [middle, middle];
    return order.map(({ value, c }) => {
      const high = Math.abs(value) * unit;
      const top = value > 0 ? (up -= high) : down;
      if (value <= 0) down += high;
      return high < 1 ? "" : glyph(letters[c] ?? "", x + i * column, top, column - 1, high, c, value < 0);
    });
  });
  return (
    parts.join("") + el("line", { x1: x, y1: middle, x2: x + width, y2: middle, stroke: COLOR.axis, "stroke-width": 1 })
  );
}

/** A letter drawn into a rectangle. */
function glyph(
  letter: string,
  x: number,
  y: number,
  width: number,
  height: number,
  color: number,
  faint: boolean,
): string {
  const size = 20;
  const [sx, sy] = [width / textWidth(letter, size), height / (size * CAPITAL)];
  return el(
    "text",
    {
      transform: `translate(${num(x)} ${num(y + height)}) scale(${sx.toFixed(4)} ${sy.toFixed(4)})`,
      "font-size": size,
      "font-family": "'DejaVu Sans', Verdana, sans-serif",
      fill: seriesColor(color),
      opacity: faint ? 0.55 : undefined,
    },
    escapeXml(letter),
  );
}

function imageFilters(kernel: Kernel): Drawn {
  const [rows = 1, columns = 1] = kernel.positions;
  const { channels } = kernel;
  const mean = (position: number, k: number): number =>
    Array.from({ length: channels }, (_, c) => kernel.at(position, c, k)).reduce((a, b) => a + b, 0) / channels;
  const largest = largestOf(
    Array.from({ length: rows * columns * kernel.filters }, (_, i) =>
      mean(Math.floor(i / kernel.filters), i % kernel.filters),
    ),
  );
  const span = kernel.high - kernel.low || 1;
  const color = (position: number, k: number): string =>
    channels === 3
      ? hexOf([0, 1, 2].map((c) => (255 * (kernel.at(position, c, k) - kernel.low)) / span))
      : diverging(mean(position, k) / largest);
  return {
    note:
      channels === 3
        ? "red, green and blue from the least weight to the largest"
        : `${channels === 1 ? "" : "mean of the channels; "}blue above 0, brown below`,
    wish: 84,
    least: 40,
    height: (width) => (width * rows) / columns,
    draw: (k, x, y, width) =>
      cells({ rows, columns }, { x, y, width, height: (width * rows) / columns }, (i, j) => color(i * columns + j, k)),
    describe: () => `${channels} channel${channels === 1 ? "" : "s"}.`,
  };
}
