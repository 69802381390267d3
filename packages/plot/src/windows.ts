/** A window that walks over the input: which positions each element of a layer's result depends on. */
import { type Explanation, OptionError } from "torte";
import { Animation } from "./animation.js";
import { headOf, paper } from "./architecture.js";
import { checkFigure, type FigureOptions, subtitleOf, wholeOption } from "./options.js";
import { el, label } from "./svg.js";
import { COLOR, seriesColor, SIZE } from "./theme.js";

export interface WindowsOptions extends FigureOptions {
  /** The layer, as `explain()` calls it: "conv1d", "block/conv1d". Default: the last one that sees windows. */
  readonly layer?: string;
  /** How many elements of the result are shown one after the other, 1 to 60; evenly chosen where there are more. Default 12. */
  readonly steps?: number;
}

type Row = Explanation["rows"][number];

/** Along one axis: what element i sees. */
interface Axis {
  readonly name: string;
  readonly input: number;
  readonly output: number;
  readonly size: number;
  readonly step: number;
  readonly start: number;
}

/**
 * A convolution, or a pooling, walking over the model's input: frame by frame an element of its result, and the positions
 * that it sees, padding included. For a layer deep in the model these are the positions that reach it through all before.
 *
 * @throws OptionError for a layer that the model does not have, or that sees no windows over one or two axes of at most 160.
 * @example
 * import { conv1d, input, sequential } from "torte";
 * import { plotWindows } from "@torte/plot";
 * const model = sequential(input({ shape: [12, 4] }), conv1d({ filters: 8, kernelSize: 5, strides: 2 }));
 * console.log(plotWindows(model).description); // conv1d: each of 4 elements along length sees 5 of 12 positions, 2 further from one to the next.
 */
export function plotWindows(model: { explain(): Explanation }, options: WindowsOptions = {}): Animation {
  const where = "plotWindows";
  const sizes = checkFigure(where, options, ["layer", "steps"], 120);
  const most = wholeOption(where, "steps", options.steps ?? 12, 1, 60);
  const row = rowOf(where, model.explain(), options.layer);
  const axes = axesOf(where, row);
  const title = options.title ?? `What ${row.layer} sees`;
  const described = axes.map(
    ({ name, input, output, size, step }) =>
      `each of ${output} elements along ${name} sees ${size} of ${input} positions, ${step} further from one to the next`,
  );
  const head = headOf(
    {
      title,
      subtitle: subtitleOf(
        options,
        `${row.type}: ${axes.map(({ size, step }) => `${size} positions, ${step} further each time`).join("; ")}`,
      ),
    },
    sizes.width,
  );
  const layout =
    axes.length === 1
      ? lineLayout(axes as [Axis], sizes.width, head.height)
      : planeLayout(axes as [Axis, Axis], sizes.width, head.height);
  const total = axes.reduce((product, { output }) => product * output, 1);
  const count = Math.min(most, total);
  const frames = Array.from({ length: count }, (_, i) =>
    layout.frame(Math.round((i * (total - 1)) / Math.max(1, count - 1))),
  );
  return new Animation({
    title,
    description: `${row.layer}: ${described.join("; ")}.`,
    width: sizes.width,
    height: options.height ?? layout.height,
    background: paper(sizes.width, options.height ?? layout.height) + head.body + layout.background,
    frames,
    still: Math.floor(count / 2),
  });
}

function rowOf(where: string, { rows }: Explanation, layer: string | undefined): Row {
  const row =
    layer === undefined
      ? (rows.findLast(({ receptiveField }) => receptiveField.some(({ step }) => step !== undefined)) ?? rows.at(-1))
      : rows.find((candidate) => candidate.layer === layer);
  if (row !== undefined) return row;
  throw new OptionError({
    where,
    problem: `there is no layer ${JSON.stringify(layer)}`,
    expected: rows.map((candidate) => candidate.layer).join(", "),
  });
}

const MOST_POSITIONS = 160;

function axesOf(where: string, { layer, output, receptiveField }: Row): readonly Axis[] {
  const axes = receptiveField.map(({ axis, positions, step, of, start }, i) => ({
    name: axis,
    input: of,
    output: step === undefined ? 1 : (output[i + 1] ?? 1),
    size: positions,
    step: step ?? 0,
    start,
  }));
  if (
    (axes.length === 1 || axes.length === 2) &&
    axes.every(({ input, step }) => input <= MOST_POSITIONS && Number.isInteger(step))
  )
    return axes;
  throw new OptionError({
    where,
    problem: `${layer} sees no windows that can be drawn`,
    expected: `whole steps along one or two axes of at most ${MOST_POSITIONS} positions`,
    received: axes.map(({ name, input, step }) => `${name} ${input}, step ${step}`).join("; ") || "no positions",
  });
}

interface Layout {
  readonly height: number;
  readonly background: string;
  readonly frame: (element: number) => string;
}

/** First and last position that element i sees, padding included. */
const seen = ({ start, step, size }: Axis, i: number): [number, number] => [
  start + i * step,
  start + i * step + size - 1,
];
const isSeen = (axis: Axis, i: number, position: number): boolean => {
  const [first, last] = seen(axis, i);
  return position >= first && position <= last;
};

/** Positions of the padding that some element sees. */
function margins(axis: Axis): [number, number] {
  const [first] = seen(axis, 0);
  const [, last] = seen(axis, axis.output - 1);
  return [Math.max(0, -first), Math.max(0, last - axis.input + 1)];
}

function cell(x: number, y: number, size: number, kind: "plain" | "seen" | "padding" | "result"): string {
  const paint = {
    plain: { fill: COLOR.shade, stroke: COLOR.axis },
    seen: { fill: seriesColor(0), stroke: COLOR.ink },
    padding: { fill: COLOR.paper, stroke: COLOR.axis, "stroke-dasharray": "2 2" },
    result: { fill: seriesColor(1), stroke: COLOR.ink },
  }[kind];
  return el("rect", { x: x + 0.5, y: y + 0.5, width: size - 1, height: size - 1, ...paint, "stroke-width": 0.8 });
}

function lineLayout([axis]: [Axis], width: number, top: number): Layout {
  const [before, after] = margins(axis);
  const count = before + axis.input + after;
  const size = Math.min(26, (width - 28) / count);
  const left = (width - size * count) / 2 + before * size;
  const [first, second] = [top + 24, top + 24 + size + 62];
  const center = (i: number): number => left + (axis.start + i * axis.step + (axis.size - 1) / 2 + 0.5) * size;
  // Results lie below the middle of what they see; where they are as dense as the input, side by side.
  const output = Math.min(size, axis.step * size);
  const resultAt = (i: number): number => center(i) - output / 2;
  const padding = [
    ...Array.from({ length: before }, (_, i) => -1 - i),
    ...Array.from({ length: after }, (_, i) => axis.input + i),
  ];
  const background = [
    label(`input, ${axis.input} positions`, width / 2, top + 14, {
      "text-anchor": "middle",
      "font-size": SIZE.small,
      fill: COLOR.soft,
    }),
    ...Array.from({ length: axis.input }, (_, i) => cell(left + i * size, first, size, "plain")),
    ...padding.map((i) => cell(left + i * size, first, size, "padding")),
    ...Array.from({ length: axis.output }, (_, i) => cell(resultAt(i), second, output, "plain")),
    label(`result, ${axis.output} positions`, width / 2, second + output + 16, {
      "text-anchor": "middle",
      "font-size": SIZE.small,
      fill: COLOR.soft,
    }),
  ].join("");
  const frame = (i: number): string => {
    const [from, to] = seen(axis, i);
    const positions = Array.from({ length: to - from + 1 }, (_, k) => from + k);
    const line = { stroke: COLOR.ink, "stroke-width": 1, "stroke-dasharray": "3 3" };
    return [
      ...positions.map((at) =>
        at < 0 || at >= axis.input
          ? el("rect", {
              x: left + at * size + 0.5,
              y: first + 0.5,
              width: size - 1,
              height: size - 1,
              fill: "none",
              stroke: COLOR.ink,
              "stroke-width": 1.6,
            })
          : cell(left + at * size, first, size, "seen"),
      ),
      el("line", { x1: left + from * size, y1: first + size + 1, x2: resultAt(i), y2: second - 1, ...line }),
      el("line", {
        x1: left + (to + 1) * size,
        y1: first + size + 1,
        x2: resultAt(i) + output,
        y2: second - 1,
        ...line,
      }),
      cell(resultAt(i), second, output, "result"),
    ].join("");
  };
  return { height: Math.ceil(second + output + 30), background, frame };
}

function planeLayout([rows, columns]: [Axis, Axis], width: number, top: number): Layout {
  const [[above, below], [before, after]] = [margins(rows), margins(columns)];
  const wide = before + columns.input + after;
  const size = Math.min(22, (width - 64) / (wide + columns.output), 340 / (above + rows.input + below));
  const left = (width - 40 - size * (wide + columns.output)) / 2 + before * size;
  const right = left + (columns.input + after) * size + 40;
  const inputTop = top + 22 + above * size;
  const outputTop = inputTop + ((rows.input - rows.output) * size) / 2;
  const places = (m: number, n: number): [number, number][] =>
    Array.from({ length: m * n }, (_, i) => [Math.floor(i / n), i % n]);
  const inputCell = (i: number, j: number, kind: "plain" | "seen" | "padding"): string =>
    cell(left + j * size, inputTop + i * size, size, kind);
  const rim = places(above + rows.input + below, wide)
    .map(([i, j]): [number, number] => [i - above, j - before])
    .filter(([i, j]) => i < 0 || j < 0 || i >= rows.input || j >= columns.input);
  const caption = { "text-anchor": "middle", "font-size": SIZE.small, fill: COLOR.soft };
  const floor = inputTop + (rows.input + below) * size;
  const background = [
    ...places(rows.input, columns.input).map(([i, j]) => inputCell(i, j, "plain")),
    ...rim.map(([i, j]) => inputCell(i, j, "padding")),
    ...places(rows.output, columns.output).map(([i, j]) => cell(right + j * size, outputTop + i * size, size, "plain")),
    label(`input ${rows.input}×${columns.input}`, left + (columns.input * size) / 2, top + 12, caption),
    label(
      `result ${rows.output}×${columns.output}`,
      Math.min(right + (columns.output * size) / 2, width - 50),
      floor + 16,
      caption,
    ),
  ].join("");
  const frame = (element: number): string => {
    const [i, j] = [Math.floor(element / columns.output), element % columns.output];
    const [[firstRow, lastRow], [firstColumn, lastColumn]] = [seen(rows, i), seen(columns, j)];
    const inside = places(rows.input, columns.input).filter(([a, b]) => isSeen(rows, i, a) && isSeen(columns, j, b));
    const frameOf = { fill: "none", stroke: COLOR.ink, "stroke-width": 1.8 };
    return [
      ...inside.map(([a, b]) => inputCell(a, b, "seen")),
      el("rect", {
        x: left + firstColumn * size,
        y: inputTop + firstRow * size,
        width: (lastColumn - firstColumn + 1) * size,
        height: (lastRow - firstRow + 1) * size,
        ...frameOf,
      }),
      cell(right + j * size, outputTop + i * size, size, "result"),
    ].join("");
  };
  return { height: Math.ceil(floor + 30), background, frame };
}
