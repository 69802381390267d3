/** A model as values and what leads from one to the next: what its diagrams are drawn from. */
import { OptionError, show } from "torte";

type Size = number | null;

/** Of a model, what the diagrams look at. */
export interface DrawnModel {
  readonly name: string;
  readonly network: DrawnNetwork;
  countParams(): number;
}

interface DrawnNetwork {
  readonly inputs: readonly DrawnValue[];
  readonly outputs: readonly DrawnValue[];
  readonly values: readonly DrawnValue[];
}

interface DrawnValue {
  readonly shape: readonly Size[];
  readonly masked: boolean;
  readonly producer: { readonly layer: DrawnLayer; readonly inputs: readonly DrawnValue[] };
}

interface DrawnLayer {
  readonly kind: string;
  readonly where: string;
  readonly options: object;
  readonly network: DrawnNetwork | undefined;
  everyWeight(): readonly { readonly state: { readonly shape: readonly number[] } }[];
}

/** One value of the model: an input, or what a layer gives. */
export interface ModelNode {
  readonly id: number;
  /** The layer's name. */
  readonly name: string;
  readonly kind: string;
  /** What the layers before it do, each in a line: "Convolution 17×17". */
  readonly operations: string[];
  /** Without the batch. */
  readonly shape: readonly number[];
  /** "24@48×48": channels, then positions; "1×256" for a vector. */
  readonly size: string;
  readonly masked: boolean;
  /** Of the layers in `operations`; those applied before count there. */
  parameters: number;
  readonly from: readonly number[];
  /** Names of the blocks around it, from the outside in. */
  readonly blocks: readonly string[];
}

export interface Structure {
  readonly nodes: readonly ModelNode[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export interface StructureOptions {
  /** Blocks, residual blocks and models inside are shown with the layers that they are made of. */
  readonly expand: boolean;
  /** Layers that leave the shape as it is, or only lay it out anew, are told with the operation that follows. */
  readonly merge: boolean;
}

/** Kinds that make no box of their own in a drawing of shapes. */
const MINOR =
  /^(flatten|reshape|activation|softmax|.*relu|elu|.*dropout.*|gaussian.*|masking|.*ormalization|rescaling|identity)$/i;

/** A value, and the operations since then that are told later. */
interface Reference {
  readonly node: number;
  readonly waiting: readonly string[];
  readonly parameters: number;
}

const NOWHERE: Reference = { node: 0, waiting: [], parameters: 0 };

/** @throws OptionError for what is no model. */
export function structureOf(where: string, model: DrawnModel, options: StructureOptions): Structure {
  const network: unknown = (model as { readonly network?: unknown } | undefined)?.network;
  if (typeof network !== "object" || network === null)
    throw new OptionError({
      where,
      problem: "this is no model",
      expected: "what sequential, functional or loadModel gives",
      received: show(model),
    });
  return new Builder(options).build(model.network);
}

class Builder {
  readonly #nodes: ModelNode[] = [];
  readonly #counted = new Set<unknown>();
  readonly #options: StructureOptions;

  constructor(options: StructureOptions) {
    this.#options = options;
  }

  build(network: DrawnNetwork): Structure {
    const inputs = network.inputs.map((value) => ({
      node: this.#add(value, {
        name: value.producer.layer.where,
        kind: "input",
        operations: [],
        from: [],
        blocks: [],
        parameters: 0,
      }),
      waiting: [],
      parameters: 0,
    }));
    const outputs = this.#network(network, inputs, []);
    for (const { node, waiting, parameters } of outputs) {
      const last = this.#nodes[node];
      if (last === undefined) continue;
      last.operations.push(...waiting.filter((operation) => !last.operations.includes(operation)));
      last.parameters += parameters;
    }
    return { nodes: this.#nodes, inputs: inputs.map(({ node }) => node), outputs: outputs.map(({ node }) => node) };
  }

  #add(value: DrawnValue, facts: Omit<ModelNode, "id" | "shape" | "size" | "masked">): number {
    const shape = value.shape.slice(1).map((size) => size ?? 1);
    const id = this.#nodes.length;
    this.#nodes.push({ ...facts, id, shape, size: sizeText(shape), masked: value.masked });
    return id;
  }

  #network(network: DrawnNetwork, inputs: readonly Reference[], blocks: readonly string[]): Reference[] {
    const known = new Map<DrawnValue, Reference>();
    network.inputs.forEach((value, i) => {
      const reference = inputs[i];
      if (reference !== undefined) known.set(value, reference);
    });
    const find = (value: DrawnValue): Reference => known.get(value) ?? NOWHERE;
    for (const value of network.values)
      if (!known.has(value)) known.set(value, this.#call(value, value.producer.inputs.map(find), blocks));
    return network.outputs.map(find);
  }

  #call(value: DrawnValue, from: readonly Reference[], blocks: readonly string[]): Reference {
    const { layer } = value.producer;
    if (layer.network !== undefined && this.#options.expand)
      return this.#network(layer.network, from, [...blocks, layer.where])[0] ?? NOWHERE; // a layer has one output
    const parameters = this.#parameters(layer);
    const operations = operationsOf(layer);
    const [only] = from;
    if (this.#options.merge && from.length === 1 && only !== undefined && MINOR.test(layer.kind))
      return { node: only.node, waiting: [...only.waiting, ...operations], parameters: only.parameters + parameters };
    const node = this.#add(value, {
      name: layer.where,
      kind: layer.kind,
      operations: [...new Set(from.flatMap(({ waiting }) => waiting)), ...operations],
      from: from.map((reference) => reference.node),
      blocks,
      parameters: from.reduce((sum, reference) => sum + reference.parameters, parameters),
    });
    return { node, waiting: [], parameters: 0 };
  }

  #parameters(layer: DrawnLayer): number {
    let sum = 0;
    for (const { state } of layer.everyWeight()) {
      if (this.#counted.has(state)) continue;
      this.#counted.add(state);
      sum += state.shape.reduce((product, size) => product * size, 1);
    }
    return sum;
  }
}

/** Channels come last in the model, and first in the drawing. */
function sizeText(shape: readonly number[]): string {
  const [channels = 1] = shape.slice(-1);
  const positions = shape.slice(0, -1);
  return positions.length === 0 ? `1×${channels}` : `${channels}@${positions.join("×")}`;
}

/** What a layer does, in words: "Convolution 17×17", and its activation. */
function operationsOf({ kind, options, where }: DrawnLayer): string[] {
  const given = options as Readonly<Record<string, unknown>>;
  const rank = Number(/(\d)d$/i.exec(kind)?.[1] ?? 0);
  const window = sizesText(
    given["kernelSize"] ?? given["poolSize"] ?? given["size"] ?? (/^(max|average)Pooling/.test(kind) ? 2 : undefined),
    rank,
  );
  const activation = given["activation"];
  const custom = !/^[a-z]\w*$/.test(kind) ? where : spoken(kind);
  const rate = typeof given["rate"] === "number" ? ` ${given["rate"]}` : "";
  const own = kind === "activation" ? [] : [`${custom}${window === "" ? "" : ` ${window}`}${rate}`];
  return [
    ...own,
    ...(typeof activation === "string" && activation !== "linear"
      ? [activation]
      : typeof activation === "function"
        ? ["activation"]
        : []),
  ];
}

function sizesText(size: unknown, rank: number): string {
  if (typeof size === "number") return Array.from({ length: Math.max(1, rank) }, () => size).join("×");
  return Array.isArray(size) ? size.join("×") : "";
}

/** "globalMaxPooling1d" as "Global max pooling". */
function spoken(kind: string): string {
  if (kind === "add") return "+";
  const words = kind
    .replace(/\dd$/i, "")
    .replace(/^conv(?=$|[A-Z])/, "convolution")
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}
