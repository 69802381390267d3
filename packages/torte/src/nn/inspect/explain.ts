/** A walk through a model: the arithmetic of each shape, what a layer sees, and what it costs. */
import { inputOf, type Node, topological } from "../../graph/node.js";
import { formatShape, sizeAt, sizeOf } from "../../tensor/shape.js";
import { ruleFor } from "./explain-rules.js";
import { type Field, inputTrack, type Track } from "./receptive-field.js";
import type { Layer, Traced } from "../layer.js";
import type { Network } from "../network.js";
import { formatBytes, PAGE, Report, thousands, wrap } from "./report.js";
import { countParameters } from "./parameters.js";
import { type Call, kindOf, namesOf, typeOf, walk } from "./call-tree.js";

/** An axis of a layer's result, in words. */
export interface AxisExplanation {
  readonly kind: "batch" | "shape" | "channel";
  /** "batch", "length", "height", "width", "depth", "channels" or "features". */
  readonly role: string;
  /** Null for the batch, which is open. */
  readonly size: number | null;
}

/** What an element of a layer's result sees of the model's input along an axis. */
export interface ReceptiveField {
  /** The axis of the input: "length", "height", … */
  readonly axis: string;
  /** Neighbouring input positions that one element of the result depends on. */
  readonly positions: number;
  /** First of the positions that element 0 of the result sees, from 0; negative in the padding. */
  readonly start: number;
  /** Input positions between neighbours in the result, the product of all strides; undefined where there are no neighbours left. */
  readonly step: number | undefined;
  /** Positions of the input. */
  readonly of: number;
}

/** One application of a layer. */
export interface LayerExplanation {
  /** The layer, behind the blocks that it is part of: "block/conv1d". */
  readonly layer: string;
  /** As the summary calls it: "Conv1D". */
  readonly type: string;
  /** How many layers are around it. */
  readonly depth: number;
  /** Names of the layers (or inputs) whose results it takes. */
  readonly from: readonly string[];
  readonly inputs: readonly (readonly (number | null)[])[];
  readonly output: readonly (number | null)[];
  readonly axes: readonly AxisExplanation[];
  /** The arithmetic of the shape: "length: 200 − 5 + 1 = 196". */
  readonly shape: readonly string[];
  readonly parameters: number;
  /** "5·16·16 + 16 = 1,296". */
  readonly parameterArithmetic: string;
  readonly receptiveField: readonly ReceptiveField[];
  /** Multiply-adds of its products for one example, forward. */
  readonly multiplyAdds: number;
  /** "196·5·16·16 = 250,880". */
  readonly multiplyAddArithmetic: string;
  /** Bytes of its result for one example, in float32. */
  readonly bytes: number;
  /** For a masked result: the shortest sequence that has a valid position in it. */
  readonly shortest: number | undefined;
}

const KINDS: Readonly<Record<string, AxisExplanation["kind"]>> = { channels: "channel", features: "channel" };

/** The axes of an example by their roles, behind that of the batch. */
const axesOf = (shape: readonly number[], roles: readonly string[]): AxisExplanation[] => [
  { kind: "batch", role: "batch", size: null },
  ...shape.slice(1).map((size, i) => {
    const role = roles[i] ?? `axis ${i + 1}`;
    return { kind: KINDS[role] ?? "shape", role, size };
  }),
];

const open = (shape: readonly number[]): (number | null)[] => [null, ...shape.slice(1)];

interface Product {
  /** Sizes of its labels for one example. */
  readonly sizes: readonly number[];
  readonly count: number;
}

/** The nodes that a call made itself: on the way back from its result, up to its inputs. */
function ownNodes({ inputs, result }: Call): Set<Node> {
  const sources = new Set(inputs.map(({ value }) => value));
  const own = new Set<Node>();
  const stack = [result.value];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (own.has(node) || sources.has(node)) continue;
    own.add(node);
    stack.push(...node.inputs);
  }
  return own;
}

/** The products that a call makes of its inputs, as the layer writes them; those of weights alone left out. */
function productsOf(call: Call): Product[] {
  const own = ownNodes(call);
  const reached = new Set<Node>(call.inputs.map(({ value }) => value));
  const products: Product[] = [];
  for (const node of topological([call.result.value])) {
    if (!own.has(node) || !node.inputs.some((input) => reached.has(input))) continue;
    reached.add(node);
    if (node.op === "contract") products.push(productOf(node));
  }
  return products;
}

function productOf(node: Extract<Node, { op: "contract" }>): Product {
  const { a, b, out } = node.attributes;
  const sizes = new Map<string, number>();
  [a, b].forEach((labels, k) => [...labels].forEach((label, i) => sizes.set(label, sizeAt(inputOf(node, k).shape, i))));
  // The batch comes first, alone or as many times as there are steps.
  const [rows] = node.shape;
  if (a[0] !== undefined && a[0] === out[0] && rows !== undefined) sizes.set(a[0], rows / BATCH);
  const list = [...sizes.values()];
  return { sizes: list, count: sizeOf(list) };
}

/** Rows of the batch that stands for any. */
const BATCH = 2;

const withoutOnes = (sizes: readonly number[]): string => {
  const factors = sizes.filter((n) => n !== 1);
  return factors.length === 0 ? "1" : factors.join("·");
};

function equation(terms: readonly string[], total: number): string {
  const sum = terms.join(" + ");
  return sum === String(total) ? thousands(total) : `${sum} = ${thousands(total)}`;
}

function parameterArithmetic(layer: Layer, total: number): string {
  const own = [...layer.weights.values()].map(({ state }) => withoutOnes(state.shape));
  if (layer.children.length > 0) return `${thousands(total)}, those inside included`;
  return own.length === 0 ? "none" : equation(own, total);
}

class Explainer {
  readonly rows: LayerExplanation[] = [];
  /** What is known about the result of each row. */
  readonly followed: Track[] = [];
  readonly #tracks = new Map<Traced, Track>();
  /** Applied before: the weights are counted there. */
  readonly #counted = new Set<Layer>();
  readonly #names: ReadonlyMap<Traced, string>;

  constructor(names: ReadonlyMap<Traced, string>) {
    this.#names = names;
  }

  addInput(value: Traced, tokens: boolean): void {
    this.#tracks.set(value, inputTrack(value.value.shape, tokens));
  }

  /** Explains the calls and returns what is known about the last result. */
  add(calls: readonly Call[], depth: number): Track | undefined {
    let last: Track | undefined;
    for (const call of calls) last = this.#call(call, depth);
    return last;
  }

  #call(call: Call, depth: number): Track {
    const { layer, result, inputs } = call;
    const tracks = inputs.map((input) => this.#tracks.get(input) ?? inputTrack(input.value.shape, false));
    const at = this.rows.length;
    this.#enter(call, tracks);
    const inner = this.add(call.inner, depth + 1);
    const made = ruleFor(kindOf(layer))({
      options: { ...layer.options },
      inputs: inputs.map(({ value }) => value.shape),
      output: result.value.shape,
      tracks,
      inner,
    });
    const needs = result.mask === undefined ? undefined : (made.track.needs ?? ((count: number) => count));
    const track: Track = { ...made.track, needs };
    this.#tracks.set(result, track);
    this.rows.splice(at, 0, this.#row(call, depth, track, made.shape));
    this.followed.splice(at, 0, track);
    return track;
  }

  /** Inside a wrapper over steps, examples are single steps. */
  #enter({ layer, inner }: Call, [track]: readonly Track[]): void {
    const [input] = inner[0]?.inputs ?? [];
    if (layer.kind !== "timeDistributed" || input === undefined || track === undefined) return;
    const roles = track.roles.slice(1);
    const fields = track.fields
      .filter(({ axis }) => axis !== 1)
      .map((field) => ({ ...field, axis: field.axis === undefined ? undefined : field.axis - 1 }));
    this.#tracks.set(input, { roles, fields, needs: undefined });
  }

  #row(call: Call, depth: number, track: Track, shape: readonly string[]): LayerExplanation {
    const { layer, path, result, inputs } = call;
    const { trainable, frozen } = countParameters([layer]);
    const parameters = trainable + frozen;
    const again = this.#counted.has(layer);
    this.#counted.add(layer);
    const products = productsOf(call);
    const multiplyAdds = products.reduce((sum, { count }) => sum + count, 0);
    return {
      layer: path,
      type: typeOf(layer),
      depth,
      from: inputs.map((input) => this.#names.get(input) ?? ""),
      inputs: inputs.map(({ value }) => open(value.shape)),
      output: open(result.value.shape),
      axes: axesOf(result.value.shape, track.roles),
      shape,
      parameters: again ? 0 : parameters,
      parameterArithmetic:
        again && parameters > 0 ? "shared with its application above" : parameterArithmetic(layer, parameters),
      receptiveField: track.fields.map(receptiveField),
      multiplyAdds,
      multiplyAddArithmetic: equation(
        products.map(({ sizes }) => withoutOnes(sizes)),
        multiplyAdds,
      ),
      bytes: 4 * sizeOf(result.value.shape.slice(1)),
      shortest: track.needs?.(1),
    };
  }
}

function receptiveField({ name, size, start, step, total, axis }: Field): ReceptiveField {
  const positions = Math.min(total, Math.ceil(size));
  return { axis: name, positions, start, step: axis === undefined ? undefined : step, of: total };
}

/** What `model.explain()` returns: one row for each application of a layer, and warnings. Prints as text. */
export class Explanation extends Report {
  constructor(
    readonly model: string,
    readonly rows: readonly LayerExplanation[],
    readonly inputs: readonly { readonly name: string; readonly axes: readonly AxisExplanation[] }[],
    readonly totals: { readonly parameters: number; readonly multiplyAdds: number; readonly bytes: number },
    /** What deserves a thought, such as sequences that would leave no valid position. */
    readonly warnings: readonly string[],
  ) {
    super();
  }

  override toString(): string {
    const { parameters, multiplyAdds, bytes } = this.totals;
    const inputs = this.inputs.flatMap(({ name, axes }) => [`${name} (Input)`, ...item("axes", axesText(axes), 0), ""]);
    const total = `${thousands(parameters)} parameters; for one example ${thousands(multiplyAdds)} multiply-adds forward and ${formatBytes(bytes)} of results`;
    return [
      `Model "${this.model}", layer by layer. The batch axis is open: whatever is said`,
      "holds for each of its examples.",
      "",
      ...inputs,
      ...this.rows.flatMap((row, i) => [...rowText(row, this.#before(i)), ""]),
      "=".repeat(PAGE),
      ...wrap(`Together ${total}.`, PAGE),
      ...this.warnings.flatMap((warning) => wrap(`Warning: ${warning}`, PAGE)),
    ].join("\n");
  }

  /** The row whose result a reader takes for granted as the input of row i: the one before, at the same depth. */
  #before(i: number): string {
    const row = this.rows[i];
    const before = this.rows.slice(0, i).findLast(({ depth }) => depth <= (row?.depth ?? 0));
    if (before === undefined) return this.inputs.length === 1 ? (this.inputs[0]?.name ?? "") : "";
    return before.depth === row?.depth ? nameOf(before) : (before.from[0] ?? "");
  }
}

/** "batch; shape: height 64, width 64; channels 3". */
function axesText(axes: readonly AxisExplanation[]): string {
  const parts = axes.map(({ kind, role, size }, i) => {
    const text = size === null ? role : `${role} ${size}`;
    return kind === "shape" && axes[i - 1]?.kind !== "shape" ? `shape: ${text}` : text;
  });
  return parts.reduce((all, part, i) => `${all}${axes[i]?.kind === axes[i - 1]?.kind ? "," : ";"} ${part}`);
}

/** A line "name  text" within an explanation, broken where it is long. */
function item(name: string, text: string, depth: number): string[] {
  const indent = "  ".repeat(depth + 1);
  return wrap(text, PAGE - indent.length - 12).map((line, i) => `${indent}${(i === 0 ? name : "").padEnd(12)}${line}`);
}

function fieldText({ axis, positions, step, of }: ReceptiveField): string {
  const part = positions >= of ? `all ${of} positions` : `${positions} of ${of} positions`;
  const apart = step === undefined || step === 1 ? "" : `, ${Number(step.toFixed(3))} from one to the next`;
  return `${part} along ${axis}${apart}`;
}

const nameOf = ({ layer }: LayerExplanation): string => layer.slice(layer.lastIndexOf("/") + 1);

function rowText(row: LayerExplanation, before: string): string[] {
  const { depth } = row;
  const shapes = `${row.inputs.map(formatShape).join(" and ")} → ${formatShape(row.output)}`;
  const title = `${nameOf(row)} (${row.type})`;
  const indent = "  ".repeat(depth);
  const head =
    indent.length + title.length + shapes.length + 3 <= PAGE
      ? [`${indent}${title}`.padEnd(PAGE - shapes.length) + shapes]
      : [`${indent}${title}`, ...wrap(shapes, PAGE - indent.length - 4).map((line) => `${indent}    ${line}`)];
  const products = row.multiplyAdds === 0 ? "no products" : `${row.multiplyAddArithmetic} multiply-adds`;
  return [
    ...head,
    // Layers one after the other need not be told whom they follow.
    ...(row.from.length === 1 && (row.from[0] === before || row.from[0] === "")
      ? []
      : item("takes", row.from.join(", "), depth)),
    ...item("axes", axesText(row.axes), depth),
    ...row.shape.flatMap((line, i) => item(i === 0 ? "shape" : "", line, depth)),
    ...item("parameters", row.parameterArithmetic, depth),
    ...(row.receptiveField.length === 0 ? [] : item("sees", row.receptiveField.map(fieldText).join("; "), depth)),
    ...item("costs", `${products}, ${formatBytes(row.bytes)}`, depth),
    ...(row.shortest === undefined
      ? []
      : item("mask", row.shortest <= 1 ? "carried on" : `none left of sequences shorter than ${row.shortest}`, depth)),
  ];
}

/** The first layer that leaves nothing of short sequences, and the one that asks for the longest. */
function shortSequences(rows: readonly LayerExplanation[]): string[] {
  const asking = rows.filter(({ shortest = 1 }) => shortest > 1);
  const longest = asking.reduce<LayerExplanation | undefined>(
    (most, row) => ((row.shortest ?? 0) > (most?.shortest ?? 1) ? row : most),
    undefined,
  );
  if (longest === undefined) return [];
  return [
    `a sequence shorter than ${longest.shortest ?? 0} leaves no valid position after ${longest.layer}; from there on it counts ` +
      'as nothing but zeros. Leave such sequences out, or set padding: "same" or "causal" in windows before it.',
  ];
}

function explained(network: Network): Explainer & { readonly inputs: readonly Traced[] } {
  network.requireLengths();
  const walked = walk(network);
  const explainer = new Explainer(namesOf(network, walked));
  for (const input of walked.inputs) explainer.addInput(input, input.value.dtype === "int32");
  explainer.add(walked.calls, 0);
  return Object.assign(explainer, { inputs: walked.inputs });
}

/** What is known about the result of each application, in the order of an explanation's rows. */
export const follow = (network: Network): readonly Track[] => explained(network).followed;

export function explain(network: Network, name: string): Explanation {
  const { rows, inputs } = explained(network);
  const { trainable, frozen } = countParameters(network.layers);
  const top = rows.filter(({ depth }) => depth === 0);
  const leaves = rows.filter(({ depth }, i) => (rows[i + 1]?.depth ?? 0) <= depth);
  const totals = {
    parameters: trainable + frozen,
    multiplyAdds: top.reduce((sum, row) => sum + row.multiplyAdds, 0),
    bytes: leaves.reduce((sum, row) => sum + row.bytes, 0),
  };
  const described = inputs.map(({ value }, i) => ({
    name: network.inputs[i]?.producer.layer.where ?? "input",
    axes: axesOf(value.shape, inputTrack(value.shape, value.dtype === "int32").roles),
  }));
  return new Explanation(name, rows, described, totals, shortSequences(rows));
}
