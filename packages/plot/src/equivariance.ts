/** Whether a model's output moves with its input, to be seen: output of the shifted input beside the shifted output. */
import { type AnyModel, DataError, OptionError, Tensor } from "torte";
import { headOf, paper } from "./architecture.js";
import { cells, diverging, type Grid, largestOf, reduced } from "./cells.js";
import { Figure } from "./figure.js";
import { checkFigure, type FigureOptions, type Sizes, subtitleOf, wholeOption } from "./options.js";
import { el, label, num } from "./svg.js";
import { shortNumber } from "./text.js";
import { COLOR, seriesColor, SIZE } from "./theme.js";

export interface EquivariancePlotOptions extends FigureOptions {
  /** By how many positions of the input, at least 1. Default: the product of all strides, but at least 3. */
  readonly by?: number;
  /** The axis of the input, with the batch as axis 0. Default 1. */
  readonly axis?: number;
  /** The output's channel that is drawn. Default 0. */
  readonly channel?: number;
}

/**
 * Four panels: what the model makes of x, of x moved by some positions with zeros coming after it, what it made of x moved
 * likewise, and the difference. Where it is equivariant, the second and the third are the same.
 *
 * @throws OptionError for a model without positions in its output, or a shift that is no multiple of its step; DataError for
 * an x that is not one example.
 * @example
 * import { conv1d, input, sequential, tensor } from "torte";
 * import { plotEquivariance } from "@torte/plot";
 * const model = sequential(input({ shape: [12, 1] }), conv1d({ filters: 1, kernelSize: 3, padding: "same" }));
 * const x = tensor([[0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0].map((value) => [value])]);
 * console.log((await plotEquivariance(model, x, { by: 2 })).title); // Equivariance to shifts
 */
export async function plotEquivariance(
  model: AnyModel,
  x: Tensor,
  options: EquivariancePlotOptions = {},
): Promise<Figure> {
  const where = "plotEquivariance";
  const sizes = checkFigure(where, options, ["by", "axis", "channel"], 120);
  if (!(x instanceof Tensor) || x.shape[0] !== 1 || x.shape.length < 2)
    throw new DataError({ where, problem: "x is no single example", expected: "a tensor with a batch of 1" });
  const axis = wholeOption(where, "axis", options.axis ?? 1, 1, Math.max(1, x.shape.length - 1));
  const step = stepOf(where, model, axis);
  const by = wholeOption(where, "by", options.by ?? step * Math.ceil(3 / step), 1, x.shape[axis] ?? 1);
  if (by % step !== 0)
    throw new OptionError({
      where,
      problem: "the output cannot follow the shift",
      expected: `a multiple of ${step}`,
      received: String(by),
    });
  const predict = async (of: Tensor): Promise<Plane> => planeOf(where, await model.predict(of), options.channel ?? 0);
  const [plain, moved] = [await predict(x), await predict(shiftedBy(x, axis, by))];
  const after = shiftedPlane(plain, axis, by / step);
  const difference: Plane = { ...after, values: after.values.map((value, i) => (moved.values[i] ?? 0) - value) };
  const scale = largestOf([...plain.values, ...moved.values]);
  const error = Math.max(0, ...difference.values.map(Math.abs));
  const panels: readonly (readonly [string, Plane])[] = [
    ["output of x", plain],
    [`output of x moved by ${by}`, moved],
    [`output of x, moved by ${by / step}`, after],
    ["difference of these two", difference],
  ];
  const title = options.title ?? "Equivariance to shifts";
  const told = `largest difference ${shortNumber(Number(error.toPrecision(2)))}, the largest value ${shortNumber(scale)}`;
  return new Figure({
    title,
    description: `Shift by ${by} positions along axis ${axis}: ${told}.`,
    draw: () => drawPanels(panels, scale, sizes, headOf({ title, subtitle: subtitleOf(options, told) }, sizes.width)),
  });
}

/** A channel of the output: a line, or a plane. */
interface Plane {
  readonly rows: number;
  readonly columns: number;
  readonly line: boolean;
  readonly values: readonly number[];
}

function stepOf(where: string, model: AnyModel, axis: number): number {
  const field = model.explain().rows.at(-1)?.receptiveField[axis - 1];
  if (field?.step !== undefined && Number.isInteger(field.step)) return field.step;
  throw new OptionError({
    where,
    problem: "the model's output has no positions that could follow a shift",
    fix: "Take a model that ends before its global pooling or flatten.",
  });
}

function planeOf(where: string, output: Tensor | readonly Tensor[], channel: number): Plane {
  const tensor = output instanceof Tensor ? output : output[0];
  const shape = tensor?.shape.slice(1) ?? [];
  const [rows = 1, columns = 1] = shape.length === 2 ? [1, shape[0]] : shape;
  const channels = shape.at(-1) ?? 1;
  if (
    tensor === undefined ||
    ![2, 3].includes(shape.length) ||
    channel >= channels ||
    channel < 0 ||
    !Number.isInteger(channel)
  )
    throw new OptionError({
      where,
      problem: "the output has no such channel along one or two axes",
      received: `channel ${channel} of [${shape.join(", ")}]`,
    });
  return {
    rows,
    columns,
    line: shape.length === 2,
    values: Array.from({ length: rows * columns }, (_, i) => tensor.data[i * channels + channel] ?? 0),
  };
}

function shiftedBy(x: Tensor, axis: number, by: number): Tensor {
  const inner = x.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const length = x.shape[axis] ?? 1;
  const data = x.data.slice().fill(0);
  for (let i = 0; i < data.length; i++) {
    const at = Math.floor(i / inner) % length;
    if (at >= by) data[i] = x.data[i - by * inner] ?? 0;
  }
  return new Tensor(data, x.shape, x.dtype);
}

function shiftedPlane(plane: Plane, axis: number, by: number): Plane {
  const along = plane.line || axis === 2;
  const values = plane.values.map((_, i) => {
    const [row, column] = [Math.floor(i / plane.columns), i % plane.columns];
    const [a, b] = along ? [row, column - by] : [row - by, column];
    return a < 0 || b < 0 ? 0 : (plane.values[a * plane.columns + b] ?? 0);
  });
  return { ...plane, values };
}

function drawPanels(
  panels: readonly (readonly [string, Plane])[],
  scale: number,
  sizes: Sizes,
  head: { readonly body: string; readonly height: number },
): { width: number; height: number; body: string } {
  const [, first] = panels[0] ?? ["", { rows: 1, columns: 1, line: true, values: [] }];
  const columns = first.line || sizes.width < 420 ? 1 : 2;
  const width = (sizes.width - 24 - 14 * (columns - 1)) / columns;
  const high = first.line ? 62 : Math.min(220, (width * first.rows) / first.columns);
  const wide = first.line ? width : Math.min(width, (high * first.columns) / first.rows);
  const body = panels.map(([name, plane], i) => {
    const [x, y] = [12 + (i % columns) * (width + 14), head.height + Math.floor(i / columns) * (high + 30)];
    const caption = label(name, x, y + 13, { "font-size": SIZE.small, fill: COLOR.soft });
    return (
      caption +
      (plane.line
        ? linePanel(plane, scale, x, y + 19, wide, high, i === 3)
        : planePanel(plane, scale, x, y + 19, wide, high))
    );
  });
  const height = head.height + Math.ceil(panels.length / columns) * (high + 30) + 6;
  return { width: sizes.width, height, body: [paper(sizes.width, height), head.body, ...body].join("") };
}

function linePanel(
  { values }: Plane,
  scale: number,
  x: number,
  y: number,
  width: number,
  height: number,
  last: boolean,
): string {
  const middle = y + height / 2;
  const at = (i: number): number => x + (values.length < 2 ? width / 2 : (i * width) / (values.length - 1));
  const d = values
    .map((value, i) => `${i === 0 ? "M" : "L"}${num(at(i))} ${num(middle - (value / scale) * (height / 2 - 3))}`)
    .join("");
  return (
    el("rect", { x, y, width, height, fill: "none", stroke: COLOR.grid }) +
    el("line", { x1: x, y1: middle, x2: x + width, y2: middle, stroke: COLOR.axis, "stroke-dasharray": "4 4" }) +
    el("path", { d, fill: "none", stroke: seriesColor(last ? 1 : 0), "stroke-width": 1.8 })
  );
}

function planePanel(
  { rows, columns, values }: Plane,
  scale: number,
  x: number,
  y: number,
  width: number,
  height: number,
): string {
  const grid: Grid = reduced({ rows, columns, values });
  return cells(grid, { x, y, width, height }, (i, j) => diverging((grid.values[i * grid.columns + j] ?? 0) / scale));
}
