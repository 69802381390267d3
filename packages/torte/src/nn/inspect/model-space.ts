/** The hyperparameters of a model as it stands, to be chosen anew: what there is to choose, and the model of a choice. */
import { checkOptions, hintFor, OptionError, show } from "../../errors.js";
import type { Layer } from "../layer.js";
import type { Network } from "../network.js";
import { penaltyOf } from "../regularizers.js";
import { describeLayers, type GraphDescription, networkOf, refuse } from "../serialize/description.js";
import type { LayerFactory } from "../serialize/registry.js";
import type { Hyperparameter } from "./hyperparameters.js";

/** What chooses: `h` of `@torte/tune`, or whatever asks for values in the same way. */
export interface Chooser {
  float(name: string, min: number, max: number, options: Present<number> & { readonly log: boolean }): number;
  int(name: string, min: number, max: number, options: Present<number> & { readonly log: boolean }): number;
  categorical(name: string, choices: readonly string[], options: Present<string>): string;
  boolean(name: string, options: Present<boolean>): boolean;
}

interface Present<T> {
  readonly default: T;
}

/** Options of `model.hyperparameters().space()`. */
export interface ModelSpaceOptions {
  /**
   * Names of options, such as "rate", for every layer that has them, or of one layer's, such as "dense_1.units" and
   * "block/conv1d.filters". Default: all that the model gives a value.
   */
  readonly only?: readonly string[];
  /** Factories of layers of your own by their kinds, as `loadModel` takes them. Default: none. */
  readonly layers?: Readonly<Record<string, LayerFactory>>;
}

/** Makes the model of a network. */
export type MakeModel<M, O> = (network: Network, options: O) => M;

/** What there is to choose about one hyperparameter. */
type Range =
  | {
      readonly kind: "float" | "int";
      readonly min: number;
      readonly max: number;
      readonly log: boolean;
      readonly default: number;
    }
  | { readonly kind: "categorical"; readonly choices: readonly string[]; readonly default: string }
  | { readonly kind: "boolean"; readonly default: boolean };

type Chosen = number | string | boolean;

interface Choice {
  readonly row: Hyperparameter;
  /** Of its layer, in the description. */
  readonly layer: number;
  readonly range: Range;
}

/** Stands for no activation, penalty or constraint. */
const NONE = "none";

const fullName = ({ layer, name }: Hyperparameter): string => `${layer}.${name}`;

/** The hyperparameters of a model that are to be chosen, and the model of a choice; made by `model.hyperparameters().space()`. */
export class ModelSpace<M = unknown> {
  readonly #network: Network;
  readonly #description: GraphDescription;
  readonly #custom: Readonly<Record<string, LayerFactory>>;
  readonly #choices: readonly Choice[];
  readonly #make: (network: Network, options: object) => M;

  constructor(
    network: Network,
    rows: readonly Hyperparameter[],
    layers: ReadonlyMap<Hyperparameter, Layer>,
    make: MakeModel<M, never>,
    options: ModelSpaceOptions,
  ) {
    checkOptions("space", options, ["only", "layers"]);
    const { description, positions } = describeLayers(network, refuse);
    this.#network = network;
    this.#description = description;
    this.#custom = options.layers ?? {};
    this.#make = make as (network: Network, options: object) => M;
    const last = new Set(network.outputs.map(({ producer }) => producer.layer));
    this.#choices = selected(rows, options.only).flatMap(({ row, named }) => {
      const layer = layers.get(row);
      const [position, range] = [layer && positions.get(layer), rangeOf(row)];
      if (layer === undefined || position === undefined || range === undefined) return [];
      const choice = { row, layer: position, range };
      if (named) return [choice];
      // What the last layer is, the loss depends on.
      return row.name === "activation" && last.has(layer) ? [] : this.#possible(choice);
    });
    if (this.#choices.length > 0) return;
    throw new OptionError({
      where: "space",
      problem: "nothing is left to choose",
      expected: "options with a usual range that do not change the shape of the model's output",
      received: show(options.only ?? []),
      fix: "model.hyperparameters() lists all options; name one with its layer, as dense.units.",
    });
  }

  /** What is chosen, in the order of the layers. */
  get rows(): readonly Hyperparameter[] {
    return this.#choices.map(({ row }) => row);
  }

  /** Whether it is the space of a model with this network. */
  isOf(network: Network): boolean {
    return this.#network === network;
  }

  /**
   * The model with what `h` answers; where it answers with the present values, the model as it stands, with weights of its own.
   *
   * @throws what the layers throw where the choices do not go together.
   */
  model(h: Chooser, options: object = {}): M {
    const chosen = new Map<Choice, Chosen>();
    for (const choice of this.#choices) {
      // Of another penalty than the present one, there are no strengths.
      const penalty = choice.row.name.split(".")[0] ?? "";
      const isReplaced = [...chosen].some(
        ([{ row, layer, range }, value]) =>
          layer === choice.layer && row !== choice.row && row.name === penalty && value !== range.default,
      );
      if (!isReplaced) chosen.set(choice, asked(h, fullName(choice.row), choice.range));
    }
    return this.#make(this.#with(chosen), options);
  }

  #with(chosen: ReadonlyMap<Choice, Chosen>): Network {
    const layers = this.#description.layers.map((layer) => ({ ...layer, options: { ...layer.options } }));
    for (const [{ row, layer: at, range }, value] of chosen) {
      const options = layers[at]?.options;
      if (options === undefined || value === range.default) continue;
      const [name = "", part] = row.name.split(".");
      if (part !== undefined) options[name] = withStrength(options[name], part, value);
      else if (value === NONE) options[name] = undefined;
      else if (name === "trainable")
        layers[at] = { ...(layers[at] as (typeof layers)[number]), trainable: value === true };
      else options[name] = value;
    }
    return networkOf({ ...this.#description, layers }, this.#custom, "space", true);
  }

  /** The choice without what makes another output or no network; nothing where only the present value is left. */
  #possible(choice: Choice): readonly Choice[] {
    // How weights begin and what keeps them within bounds changes no shape.
    if (/(Initializer|Constraint)$/.test(choice.row.name)) return [choice];
    const works = (value: Chosen): boolean => value === choice.range.default || this.#gives(choice, value);
    const { range } = choice;
    if (range.kind === "categorical") {
      const choices = range.choices.filter(works);
      return choices.length < 2 ? [] : [{ ...choice, range: { ...range, choices } }];
    }
    if (range.kind === "boolean") return works(!range.default) ? [choice] : [];
    const step = range.kind === "int" ? 1 : (range.max - range.min) / 100;
    const others = [range.default - step, range.default + step, range.min, range.max];
    const isInside = (value: number): boolean => value >= range.min && value <= range.max && value !== range.default;
    return others.filter(isInside).some(works) ? [choice] : [];
  }

  /** Whether the model with this value has outputs as it has now. */
  #gives(choice: Choice, value: Chosen): boolean {
    try {
      const { outputs } = this.#with(new Map([[choice, value]]));
      return outputs.every(({ shape }, i) => show(shape) === show(this.#network.outputs[i]?.shape));
    } catch {
      return false;
    }
  }
}

/** The rows that are named; `named` where the layer is, too. @throws OptionError for a name that none has. */
function selected(
  rows: readonly Hyperparameter[],
  only: readonly string[] | undefined,
): readonly { readonly row: Hyperparameter; readonly named: boolean }[] {
  if (only === undefined) return rows.filter(({ given }) => given).map((row) => ({ row, named: false }));
  if (!Array.isArray(only) || only.length === 0 || only.some((name) => typeof name !== "string"))
    throw new OptionError({
      where: "space",
      problem: "only has the wrong type",
      expected: 'a list of names such as ["rate", "dense_1.units"]',
      received: show(only),
    });
  const names = only as readonly string[];
  const known = [...new Set(rows.flatMap((row) => [row.name, fullName(row)]))];
  const strange = names.find((name) => !known.includes(name));
  if (strange !== undefined)
    throw new OptionError({
      where: "space",
      problem: `no layer has the hyperparameter ${JSON.stringify(strange)}`,
      expected: [...new Set(rows.map(({ name }) => name))].join(", "),
      ...hintFor(strange, known),
    });
  return rows
    .map((row) => ({ row, named: names.includes(fullName(row)) }))
    .filter(({ row, named }) => named || names.includes(row.name));
}

/** Kind and usual range, which has the present value; undefined where there is nothing to choose from, or the value is none of a range. */
function rangeOf({ kind, usual, value }: Hyperparameter): Range | undefined {
  if (kind === "boolean") return typeof value === "boolean" ? { kind, default: value } : undefined;
  if (usual === undefined) return undefined;
  if ("choices" in usual) {
    const present = value ?? NONE;
    if (typeof present !== "string") return undefined;
    const choices = usual.choices.includes(present) ? usual.choices : [present, ...usual.choices];
    return { kind: "categorical", choices, default: present };
  }
  const { min, max, log = false } = usual;
  if (typeof value !== "number" || (log && value <= 0)) return undefined;
  if (kind === "integer" && !Number.isInteger(value)) return undefined;
  const bounds = { min: Math.min(min, value), max: Math.max(max, value), log, default: value };
  return { kind: kind === "integer" ? "int" : "float", ...bounds };
}

function asked(h: Chooser, name: string, range: Range): Chosen {
  switch (range.kind) {
    case "float":
    case "int":
      return h[range.kind](name, range.min, range.max, { log: range.log, default: range.default });
    case "categorical":
      return h.categorical(name, range.choices, { default: range.default });
    case "boolean":
      return h.boolean(name, { default: range.default });
  }
}

/** A penalty, by name or as a file has it, with another strength. */
function withStrength(penalty: unknown, part: string, value: Chosen): unknown {
  const name = typeof penalty === "string" ? penalty : factoryOf(penalty).slice("regularizers.".length);
  const settled = penaltyOf(name)?.settled ?? {};
  // Factories of one strength take it as it is.
  if (part === "strength") return { $function: { factory: `regularizers.${name}`, argument: value } };
  const before: unknown = (penalty as { readonly $function?: { readonly argument?: unknown } }).$function?.argument;
  const argument = { ...settled, ...(typeof before === "object" ? before : {}), [part]: value };
  return { $function: { factory: `regularizers.${name}`, argument } };
}

const factoryOf = (penalty: unknown): string =>
  (penalty as { readonly $function?: { readonly factory: string } } | undefined)?.$function?.factory ?? "";
