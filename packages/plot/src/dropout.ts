/** Masks of dropout, drawn from a model's own layers: nodes crossed out, their edges gone, the factor beside them. */
import { type AnyModel, asFunction, DataError, functional, input, type Layer, OptionError, Tensor } from "torte";
import { Animation } from "./animation.js";
import { headOf, paper } from "./architecture.js";
import { checkFigure, type FigureOptions, subtitleOf, wholeOption } from "./options.js";
import { el, label, num } from "./svg.js";
import { shortNumber } from "./text.js";
import { COLOR, seriesColor } from "./theme.js";

export interface DropoutPlotOptions extends FigureOptions {
  /** How many masks, one after the other, 1 to 24. Default 4. */
  readonly masks?: number;
  /** The first mask is that of this seed, the others of the next ones. Default 0. */
  readonly seed?: number;
}

/** One layer of nodes. */
interface Column {
  readonly units: number;
  readonly layer: Layer | undefined;
}

interface Mask {
  readonly kept: readonly boolean[];
  readonly factor: number;
}

/**
 * A chain of dense layers with dropout between them, as nodes and edges; frame by frame the masks that the dropout layers
 * really draw in a training step, and the factor by which what is kept grows.
 *
 * @throws OptionError for a model that is no chain of dense layers over a vector, has no dropout, or more than 24 units in a layer.
 * @example
 * import { dense, dropout, input, sequential } from "torte";
 * import { plotDropout } from "@torte/plot";
 * const model = sequential(
 *   input({ shape: [6] }),
 *   dropout({ rate: 0.4 }),
 *   dense({ units: 6 }),
 *   dropout({ rate: 0.4 }),
 *   dense({ units: 1 }),
 * );
 * const figure = await plotDropout(model, { masks: 3 });
 * console.log(figure.length); // 4
 */
export async function plotDropout(model: AnyModel, options: DropoutPlotOptions = {}): Promise<Animation> {
  const where = "plotDropout";
  const sizes = checkFigure(where, options, ["masks", "seed"], 320);
  const count = wholeOption(where, "masks", options.masks ?? 4, 1, 24);
  const seed = wholeOption(where, "seed", options.seed ?? 0, 0, 0xffffffff - count);
  const columns = columnsOf(where, model);
  const draws: (readonly (Mask | undefined)[])[] = [];
  for (let i = 0; i < count; i++) {
    const masks: (Mask | undefined)[] = [];
    for (const { units, layer } of columns)
      masks.push(layer === undefined ? undefined : await maskOf(layer, units, seed + i));
    draws.push(masks);
  }
  const title = options.title ?? "Dropout";
  const head = headOf({ title, subtitle: subtitleOf(options) }, sizes.width);
  const told = (masks: readonly (Mask | undefined)[]): string =>
    masks.map((mask) => (mask === undefined ? 0 : mask.kept.filter((kept) => !kept).length)).join(", ");
  const factors = [...new Set(draws.flat().flatMap((mask) => (mask === undefined ? [] : [shortNumber(mask.factor)])))];
  const none = columns.map(() => undefined);
  return new Animation({
    title,
    description: `A network of ${columns.map(({ units }) => units).join("-")} nodes, whole and with ${count} masks of dropout; crossed out by layer: ${draws.map(told).join("; ")}. What is kept grows by ${factors.join(", ")}.`,
    ...sizes,
    background: paper(sizes.width, sizes.height) + head.body,
    frames: [none, ...draws].map((masks) => frameOf(columns, masks, sizes, head.height)),
    still: 1,
  });
}

function columnsOf(where: string, model: AnyModel): readonly Column[] {
  const refuse = (problem: string): OptionError =>
    new OptionError({ where, problem, expected: "a sequential model of dense and dropout layers over a vector" });
  const { network } = model;
  const [, ...calls] = network.values;
  const first = network.inputs[0]?.shape ?? [];
  if (network.inputs.length !== 1 || first.length !== 2) throw refuse("the model's input is no vector");
  const columns: { units: number; layer: Layer | undefined }[] = [{ units: first[1] ?? 0, layer: undefined }];
  for (const { producer, shape } of calls) {
    const { layer } = producer;
    const last = columns.at(-1);
    if (producer.inputs.length !== 1 || shape.length !== 2)
      throw refuse(`${layer.where} is no layer of a chain of vectors`);
    if (/dropout/i.test(layer.kind)) {
      if (last !== undefined) last.layer = layer;
    } else if (layer.kind === "dense") columns.push({ units: shape[1] ?? 0, layer: undefined });
    else if (!/activation|relu|normalization/i.test(layer.kind)) throw refuse(`${layer.where} cannot be drawn`);
  }
  if (!columns.some(({ layer }) => layer !== undefined)) throw refuse("the model has no dropout");
  if (columns.some(({ units }) => units > 24)) throw refuse("a layer has more than 24 units, too many to draw");
  return columns;
}

/** What the layer makes of ones in a training step. */
async function maskOf(layer: Layer, units: number, seed: number): Promise<Mask> {
  const ones = input({ shape: [units] });
  const alone = functional({ inputs: ones, outputs: asFunction(layer)(ones) });
  const x = new Tensor(new Float32Array(units).fill(1), [1, units], "float32");
  const y = await alone.pure()(await alone.getWeights(), x, { training: true, seed });
  const values = [...y.data];
  const factor = values.find((value) => value !== 0) ?? 0;
  if (values.some((value) => value !== 0 && value !== factor))
    throw new DataError({ where: layer.where, problem: "the layer does more than to drop and to scale" });
  return { kept: values.map((value) => value !== 0), factor };
}

function frameOf(
  columns: readonly Column[],
  masks: readonly (Mask | undefined)[],
  { width, height }: { readonly width: number; readonly height: number },
  top: number,
): string {
  const most = Math.max(...columns.map(({ units }) => units));
  const [left, floor] = [34, height - 34];
  const step = Math.min(44, (floor - top - 10) / most);
  const radius = Math.min(13, step * 0.36);
  const middle = (top + floor) / 2;
  const x = (i: number): number => left + (i * (width - 2 * left)) / Math.max(1, columns.length - 1);
  const y = (units: number, k: number): number => middle + (k - (units - 1) / 2) * step;
  const kept = (i: number, k: number): boolean => masks[i]?.kept[k] ?? true;
  const edges = columns.slice(1).flatMap(({ units }, i) =>
    Array.from({ length: columns[i]?.units ?? 0 }, (_, from) =>
      Array.from({ length: units }, (_, to) =>
        kept(i, from) && kept(i + 1, to)
          ? el("line", {
              x1: x(i),
              y1: y(columns[i]?.units ?? 0, from),
              x2: x(i + 1),
              y2: y(units, to),
              stroke: COLOR.axis,
              "stroke-width": 0.9,
            })
          : "",
      ).join(""),
    ),
  );
  const nodes = columns.flatMap(({ units }, i) =>
    Array.from({ length: units }, (_, k) => nodeElement(x(i), y(units, k), radius, kept(i, k))),
  );
  const factors = masks.map((mask, i) =>
    mask === undefined
      ? ""
      : label(`× ${shortNumber(mask.factor)}`, x(i), height - 12, { "text-anchor": "middle", fill: COLOR.soft }),
  );
  return [...edges, ...nodes, ...factors].join("");
}

function nodeElement(x: number, y: number, r: number, kept: boolean): string {
  const color = kept ? seriesColor(0) : COLOR.axis;
  const circle = el("circle", {
    cx: x,
    cy: y,
    r,
    fill: kept ? COLOR.shade : COLOR.paper,
    stroke: color,
    "stroke-width": 1.6,
    "stroke-dasharray": kept ? undefined : "3 2",
  });
  if (kept) return circle;
  const d = r * 0.75;
  return (
    circle +
    el("path", {
      d: `M${num(x - d)} ${num(y - d)}L${num(x + d)} ${num(y + d)}M${num(x - d)} ${num(y + d)}L${num(x + d)} ${num(y - d)}`,
      fill: "none",
      stroke: seriesColor(1),
      "stroke-width": 2.2,
    })
  );
}
