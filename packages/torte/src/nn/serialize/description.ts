/** A network in words of JSON, and back: what a file keeps beside the weights. */
import { DataError, OptionError, show, TorteError } from "../../errors.js";
import type { DType } from "../../tensor/dtype.js";
import { entryOf, formatShape } from "../../tensor/shape.js";
import { checkDescription } from "./description-schema.js";
import { isLayerFunction, type Layer, type LayerFunction, type SymbolicTensor } from "../layer.js";
import { composite } from "../layers/composite.js";
import { recipeOf } from "../factories.js";
import { input, Network } from "../network.js";
import { follow, type LayerFactory, LAYERS } from "./registry.js";

/** An input of a network as plain JSON. */
export interface InputDescription {
  readonly name: string;
  /** Of one example; null where sequences may be of any length. */
  readonly shape: readonly (number | null)[];
  readonly dtype: DType;
}

/** One call of a layer. Values are counted: the inputs first, then the results of the calls in their order. */
export interface CallDescription {
  /** Position in the list of layers. */
  readonly layer: number;
  readonly from: readonly number[];
  readonly shape: readonly (number | null)[];
}

/** A network as plain JSON. */
export interface NetworkDescription {
  readonly inputs: readonly InputDescription[];
  readonly calls: readonly CallDescription[];
  readonly outputs: readonly number[];
}

/** A layer as plain JSON. */
export interface LayerDescription {
  readonly name: string;
  readonly kind: string;
  /** Options as they were given. A layer among them is `{ $layer: position }`, a function `{ $function: recipe }`. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly trainable: boolean;
  /** Shapes of the layer's own weights. */
  readonly weights: Readonly<Record<string, readonly number[]>>;
  /** The network inside, of a block, a residual block or a model. */
  readonly network?: NetworkDescription;
}

export interface GraphDescription {
  /** Every layer once, those inside others included. */
  readonly layers: readonly LayerDescription[];
  readonly network: NetworkDescription;
}

/**
 * The network with all its layers.
 *
 * `unnamed` says what stands for an option that no file can hold, such as a function of the user's own.
 */
export function describeNetwork(network: Network, unnamed: (facts: Unnamed) => unknown): GraphDescription {
  return describeLayers(network, unnamed).description;
}

/** The same, with each layer's place in the list. */
export function describeLayers(
  network: Network,
  unnamed: (facts: Unnamed) => unknown,
): { readonly description: GraphDescription; readonly positions: ReadonlyMap<Layer, number> } {
  const writer = new Writer(unnamed);
  const described = writer.network(network);
  const description = { layers: writer.layers, network: described };
  checkDescription(description, "save"); // what is written can be read again
  return { description, positions: writer.positions };
}

export interface Unnamed {
  readonly layer: string;
  readonly option: string;
  readonly value: unknown;
}

/** For files that must be read again. */
export function refuse({ layer, option, value }: Unnamed): never {
  throw new OptionError({
    where: layer,
    problem: `a file cannot hold ${option}`,
    expected: "numbers, texts, lists, layers, and functions that this library has made",
    received: show(value),
    fix: "Make it a layer of its own with layerFunction({ kind, options, call }), and give its factory to loadModel, layers: { kind: factory }.",
  });
}

class Writer {
  readonly layers: LayerDescription[] = [];
  readonly positions = new Map<Layer, number>();
  readonly #unnamed: (facts: Unnamed) => unknown;

  constructor(unnamed: (facts: Unnamed) => unknown) {
    this.#unnamed = unnamed;
  }

  network({ inputs, values, outputs }: Network): NetworkDescription {
    const calls = values.filter((value) => !inputs.includes(value));
    const positions = new Map([...inputs, ...calls].map((value, i) => [value, i]));
    const position = (value: SymbolicTensor): number => entryOf(positions, value);
    return {
      inputs: inputs.map(({ producer, shape, dtype }) => ({
        name: producer.layer.where,
        shape: shape.slice(1),
        dtype,
      })),
      calls: calls.map(({ producer, shape }) => ({
        layer: this.#layer(producer.layer),
        from: producer.inputs.map(position),
        shape,
      })),
      outputs: outputs.map(position),
    };
  }

  #layer(layer: Layer): number {
    const known = this.positions.get(layer);
    if (known !== undefined) return known;
    const at = this.positions.size;
    this.positions.set(layer, at);
    const { where: name, kind, network, trainable } = layer;
    const own = Object.entries(layer.options).filter(([option]) => option !== "name" && option !== "trainable");
    this.layers[at] = {
      name,
      kind,
      options: this.#record(name, "", Object.fromEntries(own)),
      trainable,
      weights: Object.fromEntries([...layer.weights.values()].map((weight) => [weight.name, weight.state.shape])),
      ...(network === undefined ? {} : { network: this.network(network) }),
    };
    return at;
  }

  #record(layer: string, option: string, values: object): Record<string, unknown> {
    const entries = Object.entries(values).filter(([, value]) => value !== undefined);
    return Object.fromEntries(
      entries.map(([key, value]) => [key, this.#value(layer, option === "" ? key : `${option}.${key}`, value)]),
    );
  }

  #value(layer: string, option: string, value: unknown): unknown {
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (Array.isArray(value)) return value.map((item, i) => this.#value(layer, `${option}[${i}]`, item));
    if (typeof value === "function") {
      if (isLayerFunction(value)) return { $layer: this.#layer(value.layer) };
      const recipe = recipeOf(value);
      if (recipe !== undefined) return { $function: recipe };
    }
    if (typeof value === "object" && isPlain(value)) return this.#record(layer, option, value);
    return this.#unnamed({ layer, option, value });
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * The network that a description describes. `changed`: its layers have other options than when it was written, so that results may
 * have other shapes.
 *
 * @throws DataError where it is none, or names a layer that is neither the library's nor among `custom`.
 */
export function networkOf(
  description: GraphDescription,
  custom: Readonly<Record<string, LayerFactory>>,
  where: string,
  changed = false,
): Network {
  checkDescription(description, where);
  const reader = new Reader(description.layers, custom, where, changed);
  return reader.network(description.network);
}

const named = (name: string, kind: string): string =>
  name === kind ? `the layer ${JSON.stringify(name)}` : `the layer ${JSON.stringify(name)} (${kind})`;

class Reader {
  readonly #descriptions: readonly LayerDescription[];
  readonly #custom: Readonly<Record<string, LayerFactory>>;
  readonly #where: string;
  readonly #changed: boolean;
  readonly #layers = new Map<number, LayerFunction | "in the making">();

  constructor(
    descriptions: readonly LayerDescription[],
    custom: Readonly<Record<string, LayerFactory>>,
    where: string,
    changed: boolean,
  ) {
    this.#descriptions = descriptions;
    this.#custom = custom;
    this.#where = where;
    this.#changed = changed;
  }

  network(description: NetworkDescription): Network {
    const places = description.inputs.map(({ name, shape, dtype }) =>
      this.#built(`the input ${JSON.stringify(name)}`, () =>
        input({ name, shape, dtype: dtype === "int32" ? "int32" : "float32" }),
      ),
    );
    const outputs = this.#apply(description, places, (call, value) => {
      this.#checkShape(call, value);
    });
    return this.#built("the network", () => new Network(places, outputs));
  }

  /** The network's outputs for the inputs; `each` is told of the result of each call. */
  #apply(
    { calls, outputs }: NetworkDescription,
    inputs: readonly SymbolicTensor[],
    each: (call: CallDescription, value: SymbolicTensor) => void = () => undefined,
  ): SymbolicTensor[] {
    const values = [...inputs];
    const at = (position: number): SymbolicTensor =>
      values[position] ?? this.#corrupt(`value ${position} is used before it is there`);
    for (const call of calls) {
      const layer = this.#layer(call.layer);
      const value = this.#built(named(layer.layer.where, layer.layer.kind), () => layer(call.from.map(at)));
      each(call, value);
      values.push(value);
    }
    return outputs.map(at);
  }

  /** A result of another shape than when the file was written means that the layers are not those of the file. */
  #checkShape({ layer, shape }: CallDescription, value: SymbolicTensor): void {
    if (this.#changed) return;
    if (value.shape.length === shape.length && value.shape.every((n, axis) => n === shape[axis])) return;
    const { name = "", kind = "" } = this.#descriptions[layer] ?? {};
    throw new DataError({
      where: this.#where,
      problem: `${named(name, kind)} gives another shape than the file says`,
      expected: formatShape(shape),
      received: formatShape(value.shape),
    });
  }

  /** What is no error of this library is one here: options that make no sense, told with the layer. */
  #built<T>(what: string, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (error instanceof TorteError) throw error;
      const received = error instanceof Error ? error.message : String(error);
      const failure = new DataError({ where: this.#where, problem: `${what} cannot be made`, received });
      failure.cause = error;
      throw failure;
    }
  }

  #layer(position: number): LayerFunction {
    const known = this.#layers.get(position);
    if (known === "in the making") return this.#corrupt(`layer ${position} is part of itself`);
    if (known !== undefined) return known;
    const described = this.#descriptions[position] ?? this.#corrupt(`there is no layer ${position}`);
    this.#layers.set(position, "in the making");
    const { name, kind } = described;
    const made = this.#built(named(name, kind), () => this.#make(described));
    if (!isLayerFunction(made)) {
      throw new DataError({
        where: this.#where,
        problem: `the factory of ${named(name, kind)} gives no layer`,
        expected: "a function that returns a layer",
        received: show(made),
      });
    }
    made.layer.rename(described.name);
    made.layer.trainable = described.trainable;
    this.#layers.set(position, made);
    return made;
  }

  #make({ name, kind, options: encoded, network }: LayerDescription): LayerFunction {
    const options = this.#record(name, encoded);
    if (network !== undefined) {
      return composite(kind, options, (inputs) => {
        const [output, ...more] = this.#apply(network, inputs);
        return output !== undefined && more.length === 0 ? output : this.#corrupt(`${name} has not one output`);
      });
    }
    const factory = [this.#custom, LAYERS].find((table) => Object.hasOwn(table, kind))?.[kind];
    if (factory !== undefined) return factory(options as never);
    throw new DataError({
      where: this.#where,
      problem: `the layer ${JSON.stringify(name)} is of the unknown kind ${JSON.stringify(kind)}`,
      expected: "a layer of this library, or one of the layers given",
      received: Object.keys(this.#custom).join(", ") || "none",
      fix: `Give loadModel its factory: layers: { ${kind}: (options) => … }.`,
    });
  }

  #record(layer: string, values: object): Record<string, unknown> {
    return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, this.#value(layer, value)]));
  }

  #value(layer: string, value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.#value(layer, item));
    if (typeof value !== "object" || value === null) return value;
    const { $layer: position, $function: recipe }: { $layer?: unknown; $function?: unknown } = value;
    if (typeof position === "number") return this.#layer(position);
    if (typeof recipe === "object" && recipe !== null && "factory" in recipe && typeof recipe.factory === "string")
      return follow(layer, { factory: recipe.factory, argument: "argument" in recipe ? recipe.argument : undefined });
    return this.#record(layer, value);
  }

  #corrupt(problem: string): never {
    throw new DataError({ where: this.#where, problem: `the description is corrupt: ${problem}` });
  }
}
