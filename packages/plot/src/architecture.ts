/** A model in the manner of LeNet's drawing: boxes with depth, operations between them. LeCun et al. 1998, figure 2. */
import { Figure } from "./figure.js";
import { layered } from "./layered.js";
import { checkFigure, type FigureOptions, type Sizes, subtitleOf } from "./options.js";
import { type DrawnModel, type ModelNode, type Structure, structureOf } from "./structure.js";
import { type Drawing, el, label } from "./svg.js";
import { grouped, textWidth, wrapText } from "./text.js";
import { COLOR, seriesColor, SIZE } from "./theme.js";

export interface ArchitectureOptions extends FigureOptions {
  /** Shows the layers inside of blocks, residual blocks and models. Default true. */
  readonly expand?: boolean;
}

/**
 * The model as its values: a box for each, as high as it has positions and as deep as it has channels, and between them what
 * the layers do. Branches lie side by side, ways around layers are arcs, blocks have a frame, masked values a dashed edge.
 * What does not fit into the width goes on in the next row.
 *
 * @throws OptionError for what is no model.
 * @example
 * import { conv2d, dense, flatten, input, maxPooling2d, sequential } from "torte";
 * import { plotArchitecture } from "@torte/plot";
 * const model = sequential(
 *   input({ shape: [64, 64, 3] }),
 *   conv2d({ filters: 24, kernelSize: 17 }),
 *   maxPooling2d({ poolSize: 3 }),
 *   flatten(),
 *   dense({ units: 256 }),
 *   dense({ units: 128, activation: "softmax" }),
 * );
 * const figure = plotArchitecture(model);
 * console.log(figure.description.includes("3@64×64, Convolution 17×17, 24@48×48, Max pooling 3×3, 24@16×16")); // true
 */
export function plotArchitecture(model: DrawnModel, options: ArchitectureOptions = {}): Figure {
  const where = "plotArchitecture";
  const sizes = checkFigure(where, options, ["expand"], 120);
  const structure = structureOf(where, model, { expand: options.expand ?? true, merge: true });
  const parameters = `${grouped(model.countParams())} parameters`;
  const title = options.title ?? model.name;
  const head = { title, subtitle: subtitleOf(options, parameters) };
  return new Figure({
    title,
    description: `${describeStructure(structure)}. ${parameters}.`,
    draw: () => drawArchitecture(structure, sizes, head),
  });
}

/** The values in their order, with what leads to each. */
export function describeStructure({ nodes, inputs, outputs }: Structure): string {
  const named = (id: number): string => nodes[id]?.name ?? "";
  const parts = nodes.map((node, i) => {
    const before = node.from.length === 1 && node.from[0] === i - 1;
    const source = inputs.includes(i) || before ? "" : ` of ${node.from.map(named).join(" and ")}`;
    const steps = node.operations.length === 0 ? "" : `${node.operations.join(", ")}${source}, `;
    return `${steps}${node.size}${node.masked ? " (masked)" : ""}`;
  });
  const several = inputs.length + outputs.length > 2 ? `${inputs.length} inputs, ${outputs.length} outputs: ` : "";
  return several + parts.join(", ");
}

/** Title and lines below it, as elements, and how high they are. */
export function headOf(
  head: { title: string; subtitle: readonly string[] },
  width: number,
): { body: string; height: number } {
  const room = width - 24;
  const titles = wrapText(head.title, room, SIZE.title * 1.1);
  const lines = head.subtitle.flatMap((line) => wrapText(line, room, SIZE.text));
  const body = [
    ...titles.map((line, i) => label(line, 12, 25 + 19 * i, { "font-size": SIZE.title, "font-weight": 600 })),
    ...lines.map((line, i) => label(line, 12, 25 + 19 * titles.length + 16 * i, { fill: COLOR.soft })),
  ].join("");
  return { body, height: 12 + 19 * titles.length + 16 * lines.length + (titles.length + lines.length > 0 ? 6 : 0) };
}

/** The whole sheet behind a drawing. */
export const paper = (width: number, height: number): string => el("rect", { width, height, fill: COLOR.paper });

/** A value's box: sheets one behind the other, or a bar. */
interface Box {
  readonly width: number;
  readonly height: number;
  readonly sheets: number;
  readonly step: number;
}

/** Between boxes: where operations are told. */
const GAP = 72;
const MARGIN = 14;
/** From the top of a lane to the middle of its boxes. */
const HEAD = 64;

function boxOf({ shape }: ModelNode, largest: number): Box {
  const positions = shape.slice(0, -1);
  const channels = shape.at(-1) ?? 1;
  const side = (size: number): number => Math.max(9, 58 * Math.sqrt(size / largest));
  if (positions.length === 0)
    return { width: 9, height: 18 + 46 * Math.min(1, Math.log2(1 + channels) / 11), sheets: 1, step: 4 };
  const sheets = Math.max(1, Math.min(7, Math.round(Math.log2(1 + channels))));
  const height = side(positions[0] ?? 1);
  return { height, width: positions.length === 1 ? 7 : side(positions.at(-1) ?? 1), sheets, step: 4 };
}

interface Spot {
  readonly layer: number;
  readonly lane: number;
  /** From the middle to what is told below. */
  readonly below: number;
  /** From the middle to the end of the lane. */
  readonly floor: number;
  readonly x: number;
  readonly y: number;
  readonly band: number;
  readonly box: Box;
}

function drawArchitecture(
  structure: Structure,
  sizes: Sizes,
  about: { title: string; subtitle: readonly string[] },
): Drawing {
  const { nodes } = structure;
  const layout = layered(
    nodes.map(({ from }) => from),
    false,
  );
  const largest = Math.max(1, ...nodes.flatMap(({ shape }) => shape.slice(0, -1)));
  const boxes = nodes.map((node) => boxOf(node, largest));
  const wide = (box: Box): number => box.width + (box.sheets - 1) * box.step;
  // Each layer of the layout is a column as wide as its widest box or label.
  const columns = Array.from({ length: layout.layers }, (_, at) =>
    Math.max(
      ...nodes.map((node, i) =>
        layout.places[i]?.layer === at ? Math.max(wide(boxes[i] as Box), textWidth(node.size, SIZE.small) - 26) : 0,
      ),
    ),
  );
  const { starts, bands, bandOf } = bandsOf(columns, sizes.width);
  const head = headOf(about, sizes.width);
  const below = belowBoxes(nodes, boxes);
  const arcs = arcRoom(structure, layout.places);
  const lanes = Array.from({ length: bands }, (_, band) =>
    Math.max(...layout.places.filter(({ layer }) => bandOf[layer] === band).map(({ lane }) => lane + 1)),
  );
  const floor = below + 12 * linesBelow(nodes) + (nodes.some(({ blocks }) => blocks.length > 0) ? 10 : 0);
  const lane = HEAD + floor + 4;
  const tops = lanes.map((_, i) => head.height + lanes.slice(0, i).reduce((sum, n) => sum + n * lane + arcs, 0));
  const spots = nodes.map((_, i): Spot => {
    const place = layout.places[i] ?? { layer: 0, lane: 0 };
    const box = boxes[i] as Box;
    const band = bandOf[place.layer] ?? 0;
    const x = (starts[place.layer] ?? 0) + ((columns[place.layer] ?? 0) - wide(box)) / 2;
    return { ...place, x, y: (tops[band] ?? 0) + arcs + place.lane * lane + HEAD, band, box, below, floor };
  });
  const height = (tops.at(-1) ?? 0) + (lanes.at(-1) ?? 1) * lane + arcs + 4;
  const body = [
    paper(sizes.width, height),
    head.body,
    ...framesOf(structure, spots),
    ...nodes.flatMap((node) => node.from.map((source) => edgeOf(source, node.id, spots, sizes.width))),
    ...nodes.map((node) => boxElement(node, spots[node.id] as Spot)),
    ...nodes.map((node) => operationElement(node, spots[node.id] as Spot)),
  ];
  return { width: sizes.width, height, body: body.join("") };
}

/** From the middle of a box to what is told below the boxes. */
const belowBoxes = (nodes: readonly ModelNode[], boxes: readonly Box[]): number =>
  16 +
  Math.max(
    ...boxes.map(({ height, sheets }, i) => height / 2 + (sheets - 1) * 2 + (nodes[i]?.masked === true ? 14 : 0)),
  );

const linesOf = ({ operations }: ModelNode): readonly string[] =>
  operations.flatMap((operation) => wrapText(operation, GAP - 8, 10));

const linesBelow = (nodes: readonly ModelNode[]): number => Math.max(1, ...nodes.map((node) => linesOf(node).length));

/** Room above the boxes for ways around layers. */
function arcRoom({ nodes }: Structure, places: readonly { readonly layer: number }[]): number {
  const layers = places.map(({ layer }) => layer);
  const longest = Math.max(
    0,
    ...nodes.flatMap(({ id, from }) => from.map((source) => (layers[id] ?? 0) - (layers[source] ?? 0))),
  );
  return longest > 1 ? 24 : 0;
}

/** Columns fill rows like words fill lines. */
function bandsOf(columns: readonly number[], width: number): { starts: number[]; bands: number; bandOf: number[] } {
  const [starts, bandOf]: [number[], number[]] = [[], []];
  let [x, band] = [MARGIN + 10, 0];
  columns.forEach((column, at) => {
    // A way to the next row turns on the right.
    const turn = at === columns.length - 1 ? 0 : 20;
    if (at > 0 && x + column + MARGIN + turn > width) [x, band] = [MARGIN + GAP + 4, band + 1];
    starts.push(x);
    bandOf.push(band);
    x += column + GAP + 4;
  });
  return { starts, bands: band + 1, bandOf };
}

function boxElement(node: ModelNode, { x, y, box }: Spot): string {
  const { width, height, sheets, step } = box;
  const top = y - height / 2;
  const merged = node.kind === "add" || node.kind === "concatenate" || node.kind === "multiply";
  const color = node.kind === "input" ? seriesColor(2) : merged ? seriesColor(1) : seriesColor(0);
  const dashed = node.masked ? "4 2" : undefined;
  const sheet = (i: number): string =>
    el("rect", {
      x: x + (sheets - 1 - i) * step,
      y: top - (sheets - 1 - i) * step + ((sheets - 1) * step) / 2,
      width,
      height,
      fill: COLOR.shade,
      stroke: color,
      "stroke-width": 1.2,
      "stroke-dasharray": dashed,
    });
  const middle = x + (width + (sheets - 1) * step) / 2;
  return el(
    "g",
    {},
    ...Array.from({ length: sheets }, (_, i) => sheet(i)),
    label(node.size, middle, y - height / 2 - (sheets - 1) * 2 - 7, {
      "text-anchor": "middle",
      "font-size": SIZE.small,
    }),
    node.masked
      ? label("masked", middle, y + height / 2 + (sheets - 1) * 2 + 13, {
          "text-anchor": "middle",
          "font-size": 10,
          fill: COLOR.soft,
        })
      : "",
  );
}

/** What leads to the value, below the way to it. */
function operationElement(node: ModelNode, { x, y, below }: Spot): string {
  const halo = { stroke: COLOR.paper, "stroke-width": 3, "paint-order": "stroke" };
  return linesOf(node)
    .map((line, i) =>
      label(line, x - GAP / 2 - 2, y + below + 12 * i, {
        "text-anchor": "middle",
        "font-size": 10,
        fill: COLOR.soft,
        ...halo,
      }),
    )
    .join("");
}

const wideOf = ({ box }: Spot): number => box.width + (box.sheets - 1) * box.step;

/** A way from one box to the next: straight on; along its lane where that is free, else above the boxes; or to another row. */
function edgeOf(from: number, to: number, spots: readonly Spot[], width: number): string {
  const [a, b] = [spots[from] as Spot, spots[to] as Spot];
  const [start, end] = [a.x + wideOf(a) + 3, b.x - 4];
  const far = b.layer - a.layer > 1;
  const free = !spots.some(({ layer, lane }) => lane === a.lane && layer > a.layer && layer < b.layer);
  const above = ({ y }: Spot): number => y - HEAD - 2;
  const [right, left] = [width - (far ? 10 : 15), far ? 12 : 7];
  const between = b.y - HEAD - (far ? 14 : 8);
  const out =
    far && !free
      ? [`L${start + 11} ${a.y}`, `L${start + 11} ${above(a)}`, `L${right} ${above(a)}`]
      : [`L${right} ${a.y}`];
  const enter = far ? [`L${left} ${above(b)}`, `L${end - 9} ${above(b)}`, `L${end - 9} ${b.y}`] : [`L${left} ${b.y}`];
  const steps =
    a.band !== b.band
      ? [...out, `L${right} ${between}`, `L${left} ${between}`, ...enter]
      : !far
        ? [`L${start + 4} ${a.y}`, `L${start + 4} ${b.y}`]
        : free && a.lane !== b.lane
          ? [`L${end - 9} ${a.y}`, `L${end - 9} ${b.y}`]
          : [`L${start + 11} ${a.y}`, `L${start + 11} ${above(a)}`, `L${end - 9} ${above(a)}`, `L${end - 9} ${b.y}`];
  const line = {
    fill: "none",
    stroke: far ? seriesColor(1) : COLOR.axis,
    "stroke-width": 1.3,
    "stroke-linejoin": "round",
  };
  return (
    el("path", { d: `M${start} ${a.y}${steps.join("")}L${end} ${b.y}`, ...line }) +
    el("path", { d: `M${end - 5} ${b.y - 3.5}L${end} ${b.y}L${end - 5} ${b.y + 3.5}`, ...line })
  );
}

/** A frame around the boxes of each block, in each row that it reaches. */
function framesOf({ nodes }: Structure, spots: readonly Spot[]): string[] {
  const members = new Map<string, Map<number, Spot[]>>();
  for (const { id, blocks } of nodes) {
    const spot = spots[id];
    if (spot === undefined) continue;
    blocks.forEach((_, depth) => {
      const key = blocks.slice(0, depth + 1).join("/");
      const byBand = members.get(key) ?? new Map<number, Spot[]>();
      byBand.set(spot.band, [...(byBand.get(spot.band) ?? []), spot]);
      members.set(key, byBand);
    });
  }
  return [...members].flatMap(([key, byBand]) =>
    [...byBand.values()].map((inside) => {
      const left = Math.min(...inside.map(({ x }) => x)) - GAP - 2;
      const right = Math.max(...inside.map((spot) => spot.x + wideOf(spot))) + 4;
      const top = Math.min(...inside.map(({ y }) => y)) - HEAD + 4;
      const bottom = Math.max(...inside.map(({ y, floor }) => y + floor));
      return (
        el("rect", {
          x: left,
          y: top,
          width: right - left,
          height: bottom - top,
          rx: 5,
          fill: "none",
          stroke: COLOR.axis,
          "stroke-dasharray": "2 3",
        }) + label(key.split("/").at(-1) ?? "", left + 5, bottom - 5, { "font-size": 10, fill: COLOR.soft })
      );
    }),
  );
}
