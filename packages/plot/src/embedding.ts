/** An embedding table in two dimensions, by principal components. Pearson 1901. */
import { DataError, OptionError, show, Tensor } from "torte";
import { headOf, paper } from "./architecture.js";
import { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, type Sizes, subtitleOf } from "./options.js";
import { type Drawing, el, label } from "./svg.js";
import { grouped, textWidth } from "./text.js";
import { COLOR, seriesColor, SIZE } from "./theme.js";

export interface EmbeddingPlotOptions extends FigureOptions {
  /** What the rows stand for. Default: their numbers. */
  readonly labels?: readonly string[];
  /** Which group each row is of, told by colour and shape; at most 8 different ones. Default none. */
  readonly groups?: readonly string[];
}

/** What `principalComponents` finds. */
export interface Components {
  /** Of each row, along the first and the second component. */
  readonly points: readonly (readonly [number, number])[];
  /** Shares of the whole variance. */
  readonly shares: readonly [number, number];
}

/**
 * The rows of an embedding table by their first two principal components, with the share of the variance that each has.
 *
 * @throws DataError for what is no table of at least two rows and columns; OptionError for labels that are not as many as the rows.
 * @example
 * import { tensor } from "torte";
 * import { plotEmbedding } from "@torte/plot";
 * const figure = plotEmbedding(tensor([[1, 0], [-1, 0], [0, 0.5], [0, -0.5]]), { labels: ["A", "C", "G", "T"] });
 * console.log(figure.description); // 4 rows of 2 numbers; the first component has 80 % of the variance, the second 20 %.
 */
export function plotEmbedding(table: Tensor, options: EmbeddingPlotOptions = {}): Figure {
  const where = "plotEmbedding";
  const sizes = checkFigure(where, options, ["labels", "groups"], 460);
  const [rows = 0, columns = 0] = table instanceof Tensor && table.shape.length === 2 ? table.shape : [];
  if (rows < 2 || columns < 2 || !table.data.every((value) => Number.isFinite(value)))
    throw new DataError({
      where,
      problem: "this is no embedding table",
      expected: "finite numbers, at least [2, 2]",
      received: table instanceof Tensor ? `[${table.shape.join(", ")}]` : show(table),
    });
  if (rows > 2000)
    throw new DataError({
      where,
      problem: "there are too many rows to draw",
      expected: "at most 2000",
      received: String(rows),
    });
  const labels = namesOf(where, "labels", options.labels, rows) ?? Array.from({ length: rows }, (_, i) => String(i));
  const groups = namesOf(where, "groups", options.groups, rows);
  const found = principalComponents(table.data, rows, columns);
  const [first, second] = found.shares.map((share) => `${Math.round(100 * share)} %`);
  const title = options.title ?? "Embedding, two principal components";
  const head = headOf({ title, subtitle: subtitleOf(options) }, sizes.width);
  return new Figure({
    title,
    description: `${grouped(rows)} rows of ${columns} numbers; the first component has ${first} of the variance, the second ${second}.`,
    draw: () => drawEmbedding(found, labels, groups, sizes, head),
  });
}

function namesOf(
  where: string,
  name: string,
  given: readonly string[] | undefined,
  rows: number,
): readonly string[] | undefined {
  if (given === undefined) return undefined;
  if (Array.isArray(given) && given.length === rows && (name === "labels" || new Set(given).size <= 8))
    return given.map(String);
  throw new OptionError({
    where,
    problem: `${name} do not fit the table`,
    expected: `${rows} texts${name === "groups" ? ", at most 8 different ones" : ""}`,
    received: show(given),
  });
}

/** The two directions of most variance, by orthogonal iteration on the covariance; the largest coordinate of each is positive. */
export function principalComponents(data: ArrayLike<number>, rows: number, columns: number): Components {
  const means = Array.from({ length: columns }, (_, j) => {
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += data[i * columns + j] ?? 0;
    return sum / rows;
  });
  const centred = Float64Array.from({ length: rows * columns }, (_, k) => (data[k] ?? 0) - (means[k % columns] ?? 0));
  const covariance = new Float64Array(columns * columns);
  for (let i = 0; i < rows; i++)
    for (let a = 0; a < columns; a++)
      for (let b = 0; b < columns; b++)
        covariance[a * columns + b] =
          (covariance[a * columns + b] ?? 0) + (centred[i * columns + a] ?? 0) * (centred[i * columns + b] ?? 0);
  const times = (v: Float64Array): Float64Array =>
    Float64Array.from({ length: columns }, (_, a) =>
      v.reduce((sum, x, b) => sum + (covariance[a * columns + b] ?? 0) * x, 0),
    );
  const total = Array.from({ length: columns }, (_, a) => covariance[a * columns + a] ?? 0).reduce((a, b) => a + b, 0);
  let first = unit(Float64Array.from({ length: columns }, (_, a) => 1 + a / columns));
  let second = unit(Float64Array.from({ length: columns }, (_, a) => (a % 2 === 0 ? 1 : -1 - a / columns)));
  for (let again = 0; again < 2000; again++) {
    const next = unit(times(first), first);
    const other = unit(without(times(second), next), second);
    const moved = Math.max(distance(next, first), distance(other, second));
    [first, second] = [next, other];
    if (moved < 1e-14) break;
  }
  const directions = [first, unit(without(second, first), second)].map(upright);
  const points = Array.from({ length: rows }, (_, i): readonly [number, number] => {
    const along = directions.map((v) => v.reduce((sum, x, b) => sum + x * (centred[i * columns + b] ?? 0), 0));
    return [along[0] ?? 0, along[1] ?? 0];
  });
  const share = (k: 0 | 1): number => (total === 0 ? 0 : points.reduce((sum, point) => sum + point[k] ** 2, 0) / total);
  return { points, shares: [share(0), share(1)] };
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0);
const distance = (a: Float64Array, b: Float64Array): number =>
  Math.sqrt(a.reduce((sum, x, i) => sum + (x - (b[i] ?? 0)) ** 2, 0));
/** Of length 1; `instead` where there is no length. */
function unit(v: Float64Array, instead = v): Float64Array {
  const length = Math.sqrt(dot(v, v));
  return length < 1e-300 ? instead : v.map((x) => x / length);
}
function without(v: Float64Array, direction: Float64Array): Float64Array {
  const along = dot(v, direction);
  return v.map((x, i) => x - along * (direction[i] ?? 0));
}
function upright(v: Float64Array): Float64Array {
  const largest = v.reduce((best, x) => (Math.abs(x) > Math.abs(best) + 1e-12 ? x : best), 0);
  return largest < 0 ? v.map((x) => -x) : v;
}

function drawEmbedding(
  { points, shares }: Components,
  labels: readonly string[],
  groups: readonly string[] | undefined,
  sizes: Sizes,
  head: { readonly body: string; readonly height: number },
): Drawing {
  const names = [...new Set(groups ?? [])];
  const legend = legendElements(names, sizes.width, sizes.height - 14);
  const [left, right, top, bottom] = [36, sizes.width - 16, head.height + 6, sizes.height - 34 - legend.height];
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  // One unit for both, so that distances are what they are.
  const middle = (list: readonly number[]): number => (Math.min(...list) + Math.max(...list)) / 2;
  const span = (list: readonly number[]): number => Math.max(...list) - Math.min(...list);
  const scale = Math.min(
    (right - left - 70) / Math.max(span(xs), 1e-12),
    (bottom - top - 40) / Math.max(span(ys), 1e-12),
  );
  const at = ([x, y]: readonly [number, number]): [number, number] => [
    (left + right) / 2 + (x - middle(xs)) * scale,
    (top + bottom) / 2 - (y - middle(ys)) * scale,
  ];
  const placed = points.map(at);
  const zero = at([0, 0]);
  const axis = { stroke: COLOR.axis, "stroke-dasharray": "5 4", "stroke-width": 1 };
  const size = labels.length > 120 ? 8 : SIZE.small;
  const body = [
    paper(sizes.width, sizes.height),
    head.body,
    el("rect", { x: left, y: top, width: right - left, height: bottom - top, fill: "none", stroke: COLOR.grid }),
    ...(zero[0] > left && zero[0] < right
      ? [el("line", { x1: zero[0], y1: top, x2: zero[0], y2: bottom, ...axis })]
      : []),
    ...(zero[1] > top && zero[1] < bottom
      ? [el("line", { x1: left, y1: zero[1], x2: right, y2: zero[1], ...axis })]
      : []),
    ...placed.map(([x, y], i) => mark(x, y, groups === undefined ? 0 : names.indexOf(groups[i] ?? ""))),
    ...labelElements(placed, labels, size, { left, right, top, bottom }),
    label(`First component, ${Math.round(100 * shares[0])} % of the variance`, (left + right) / 2, bottom + 20, {
      "text-anchor": "middle",
    }),
    label(`Second component, ${Math.round(100 * shares[1])} %`, 0, 0, {
      "text-anchor": "middle",
      transform: `translate(22 ${(top + bottom) / 2}) rotate(-90)`,
    }),
    legend.body,
  ];
  return { ...sizes, body: body.join("") };
}

/** Circles, squares, triangles: readable without colours. */
function mark(x: number, y: number, group: number): string {
  const paint = { fill: seriesColor(group), opacity: 0.85 };
  if (group % 3 === 1) return el("rect", { x: x - 3.5, y: y - 3.5, width: 7, height: 7, ...paint });
  if (group % 3 === 2)
    return el("path", {
      d: `M${(x - 4.5).toFixed(2)} ${(y + 4).toFixed(2)}L${(x + 4.5).toFixed(2)} ${(y + 4).toFixed(2)}L${x.toFixed(2)} ${(y - 4.5).toFixed(2)}Z`,
      ...paint,
    });
  return el("circle", { cx: x, cy: y, r: 4, ...paint });
}

interface Area {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Each label where it covers least: right of its mark, left, above or below. A label that has no room is left out. */
function labelElements(
  points: readonly (readonly [number, number])[],
  labels: readonly string[],
  size: number,
  within: Area,
): string[] {
  const taken: Area[] = points.map(([x, y]) => ({ left: x - 4, right: x + 4, top: y - 4, bottom: y + 4 }));
  const overlap = (a: Area, b: Area): number =>
    Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
    Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
  return points.map(([x, y], i) => {
    const text = labels[i] ?? "";
    const width = textWidth(text, size);
    const areas = (
      [
        [x + 6, y - size / 2],
        [x - 6 - width, y - size / 2],
        [x - width / 2, y - 6 - size],
        [x - width / 2, y + 6],
      ] as const
    ).map(([left, top]) => ({ left, right: left + width, top, bottom: top + size }));
    const cost = areas.map((area) => {
      const outside =
        area.left < within.left || area.right > within.right || area.top < within.top || area.bottom > within.bottom;
      return taken.reduce((sum, other) => sum + overlap(area, other), outside ? 1e6 : 0);
    });
    const least = Math.min(...cost);
    const best = areas[cost.indexOf(least)];
    if (best === undefined || least > 0.3 * width * size) return "";
    taken.push(best);
    return label(text, best.left, best.bottom - size * 0.14, { "font-size": size });
  });
}

/** Groups in lines at the foot. */
function legendElements(names: readonly string[], width: number, floor: number): { body: string; height: number } {
  if (names.length === 0) return { body: "", height: 0 };
  const lines: { x: number; name: string; line: number }[] = [];
  let [x, line] = [36, 0];
  for (const name of names) {
    const wide = textWidth(name, SIZE.text) + 34;
    if (x > 36 && x + wide > width - 12) [x, line] = [36, line + 1];
    lines.push({ x, name, line });
    x += wide;
  }
  const height = 18 * (line + 1);
  const body = lines
    .map((item, i) => {
      const y = floor - height + 18 * (item.line + 1) - 6;
      return mark(item.x + 5, y, i) + label(item.name, item.x + 15, y + 4);
    })
    .join("");
  return { body, height };
}
