/** A model as a plain graph: a figure, and text for Mermaid and Graphviz. */
import { describeStructure, headOf, paper } from "./architecture.js";
import { Figure } from "./figure.js";
import { edgeKey, layered, type Place } from "./layered.js";
import { checkFigure, type FigureOptions, type Sizes, subtitleOf } from "./options.js";
import { type DrawnModel, type ModelNode, type Structure, structureOf } from "./structure.js";
import { type Drawing, el, label, num } from "./svg.js";
import { grouped, shortened } from "./text.js";
import { COLOR, seriesColor, SIZE } from "./theme.js";

export interface GraphOptions extends FigureOptions {
  /** Shows the layers inside of blocks, residual blocks and models. Default true. */
  readonly expand?: boolean;
}

/** A graph as a figure, and as text. */
export class GraphFigure extends Figure {
  readonly #structure: Structure;

  constructor(structure: Structure, parts: ConstructorParameters<typeof Figure>[0]) {
    super(parts);
    this.#structure = structure;
  }

  /** A flow chart for Mermaid, which GitHub and many notebooks draw. */
  toMermaid(): string {
    return mermaidOf(this.#structure);
  }

  /** A graph for Graphviz. */
  toDOT(): string {
    return dotOf(this.#structure);
  }
}

/**
 * Every layer from the top down, with its shape and parameters, and what it takes.
 *
 * @throws OptionError for what is no model.
 * @example
 * import { dense, input, residual, sequential } from "torte";
 * import { plotGraph } from "@torte/plot";
 * const graph = plotGraph(sequential(input({ shape: [8] }), residual([dense({ units: 8 })])));
 * console.log(graph.toMermaid().split("\n")[1]); // n0["input<br>1×8"]
 */
export function plotGraph(model: DrawnModel, options: GraphOptions = {}): GraphFigure {
  const where = "plotGraph";
  const sizes = checkFigure(where, options, ["expand"], 120);
  const structure = structureOf(where, model, { expand: options.expand ?? true, merge: false });
  const parameters = `${grouped(model.countParams())} parameters`;
  const title = options.title ?? model.name;
  const head = { title, subtitle: subtitleOf(options, parameters) };
  return new GraphFigure(structure, {
    title,
    description: `${describeStructure(structure)}. ${parameters}.`,
    draw: () => drawGraph(structure, sizes, head),
  });
}

const ROW = 66;
const BOX = 42;

function drawGraph({ nodes }: Structure, sizes: Sizes, about: { title: string; subtitle: readonly string[] }): Drawing {
  const layout = layered(
    nodes.map(({ from }) => from),
    true,
  );
  const head = headOf(about, sizes.width);
  // Lanes that only edges pass are narrow.
  const used = Array.from({ length: layout.lanes }, (_, lane) => layout.places.some((place) => place.lane === lane));
  const narrow = used.filter((boxes) => !boxes).length * 18;
  const wide = Math.min(230, (sizes.width - 24 - narrow) / used.filter(Boolean).length);
  const lefts = used.map((_, lane) => used.slice(0, lane).reduce((sum, boxes) => sum + (boxes ? wide : 18), 0));
  const total = used.reduce((sum, boxes) => sum + (boxes ? wide : 18), 0);
  const offset = (sizes.width - total) / 2;
  const at = ({ layer, lane }: Place): { x: number; y: number } => ({
    x: offset + (lefts[lane] ?? 0) + (used[lane] === true ? wide : 18) / 2,
    y: head.height + 8 + layer * ROW + BOX / 2,
  });
  const height = head.height + 8 + layout.layers * ROW - (ROW - BOX) + 12;
  const edges = nodes.flatMap(({ id, from }) =>
    [...new Set(from)].map((source) => {
      const way = [layout.places[source], ...(layout.routes.get(edgeKey(source, id)) ?? []), layout.places[id]];
      return wire(way.filter((place) => place !== undefined).map(at));
    }),
  );
  const boxes = nodes.map((node, i) => nodeElement(node, at(layout.places[i] ?? { layer: 0, lane: 0 }), wide - 12));
  return { width: sizes.width, height, body: [paper(sizes.width, height), head.body, ...edges, ...boxes].join("") };
}

/** Down from box to box, past those between. */
function wire(points: readonly { readonly x: number; readonly y: number }[]): string {
  const [first, ...rest] = points;
  const last = points.at(-1);
  if (first === undefined || last === undefined) return "";
  let d = `M${num(first.x)} ${num(first.y + BOX / 2)}`;
  rest.forEach((point, i) => {
    const before = points[i] ?? first;
    const end = i === rest.length - 1;
    const [y0, y1] = [before.y + BOX / 2, point.y - BOX / 2];
    const middle = (y0 + y1) / 2;
    d += `C${num(before.x)} ${num(middle)} ${num(point.x)} ${num(middle)} ${num(point.x)} ${num(y1)}`;
    if (!end) d += `L${num(point.x)} ${num(point.y + BOX / 2)}`;
  });
  const [x, y] = [last.x, last.y - BOX / 2];
  const line = { fill: "none", stroke: COLOR.axis, "stroke-width": 1.3 };
  return (
    el("path", { d, ...line }) +
    el("path", { d: `M${num(x - 3.5)} ${num(y - 5)}L${num(x)} ${num(y)}L${num(x + 3.5)} ${num(y - 5)}`, ...line })
  );
}

function nodeElement(node: ModelNode, { x, y }: { readonly x: number; readonly y: number }, width: number): string {
  const color =
    node.kind === "input"
      ? seriesColor(2)
      : /^(add|concatenate|multiply|average|maximum|subtract)$/.test(node.kind)
        ? seriesColor(1)
        : seriesColor(0);
  const facts = `${node.size}${node.masked ? ", masked" : ""}${node.parameters > 0 ? `, ${grouped(node.parameters)} parameters` : ""}`;
  // A name that is only the kind's, numbered, tells nothing more.
  const plain = node.name.replace(/_\d+$/, "").replaceAll("_", "") === node.kind.toLowerCase();
  const name = plain && node.operations.length > 0 ? node.operations.join(", ") : nameOf(node);
  return (
    el("rect", {
      x: x - width / 2,
      y: y - BOX / 2,
      width,
      height: BOX,
      rx: 5,
      fill: COLOR.shade,
      stroke: color,
      "stroke-width": 1.2,
      "stroke-dasharray": node.masked ? "4 2" : undefined,
    }) +
    label(shortened(name, width - 10, SIZE.text), x, y - 4, { "text-anchor": "middle" }) +
    label(shortened(facts, width - 10, 10), x, y + 12, { "text-anchor": "middle", "font-size": 10, fill: COLOR.soft })
  );
}

const nameOf = ({ name, operations }: ModelNode): string =>
  operations.length === 0 ? name : `${name}: ${operations.join(", ")}`;

/** Texts in quotes, for both languages. */
const quoted = (lines: readonly string[], newline: string, quote: string): string =>
  `"${lines
    .map((line) =>
      line
        .replaceAll("\\", "/")
        .replaceAll('"', quote)
        .replaceAll(/[\n\r]/g, " "),
    )
    .join(newline)}"`;

const linesOf = (node: ModelNode): readonly string[] => [
  nameOf(node),
  node.size,
  ...(node.masked ? ["masked"] : []),
  ...(node.parameters > 0 ? [`${grouped(node.parameters)} parameters`] : []),
];

function mermaidOf({ nodes }: Structure): string {
  const node = (item: ModelNode): string =>
    `n${item.id}[${quoted(linesOf(item).map(escapeMermaid), "<br>", "#quot;")}]`;
  const open = (name: string, i: number): string => `subgraph b${i}[${quoted([escapeMermaid(name)], "", "#quot;")}]`;
  const edges = nodes.flatMap(({ id, from }) => from.map((source) => `  n${source} --> n${id}`));
  return ["flowchart TD", ...inBlocks(nodes, node, open, "end"), ...edges, ""].join("\n");
}

const escapeMermaid = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function dotOf({ nodes }: Structure): string {
  const node = (item: ModelNode): string => `n${item.id} [label=${quoted(linesOf(item), "\\n", '\\"')}];`;
  const open = (name: string, i: number): string => `subgraph cluster_${i} { label=${quoted([name], "", '\\"')};`;
  const edges = nodes.flatMap(({ id, from }) => from.map((source) => `  n${source} -> n${id};`));
  return ["digraph model {", "  node [shape=box];", ...inBlocks(nodes, node, open, "}"), ...edges, "}", ""].join("\n");
}

/** Lines of the nodes, those of a block inside of it. Nodes of a block follow each other. */
function inBlocks(
  nodes: readonly ModelNode[],
  line: (node: ModelNode) => string,
  open: (name: string, i: number) => string,
  close: string,
): string[] {
  const lines: string[] = [];
  let [inside, count]: [readonly string[], number] = [[], 0];
  const enter = (blocks: readonly string[]): void => {
    const same = blocks.findIndex((name, i) => name !== inside[i]);
    const common = Math.min(same < 0 ? blocks.length : same, inside.length);
    for (let depth = inside.length; depth > common; depth--) lines.push(`${"  ".repeat(depth)}${close}`);
    for (let depth = common; depth < blocks.length; depth++)
      lines.push(`${"  ".repeat(depth + 1)}${open(blocks[depth] ?? "", count++)}`);
    inside = blocks;
  };
  for (const node of nodes) {
    enter(node.blocks);
    lines.push(`${"  ".repeat(inside.length + 1)}${line(node)}`);
  }
  enter([]);
  return lines;
}
