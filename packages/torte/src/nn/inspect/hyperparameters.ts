/** Every hyperparameter of a model: what was chosen, what was left at its default, and what is usual. */
import { show } from "../../errors.js";
import {
  COMMON_HYPERPARAMETERS,
  defaultOf,
  type Description,
  describedOptions,
  type HyperparameterKind,
  REQUIRED,
  STRENGTH,
  type Usual,
} from "./hyperparameter-table.js";
import type { Layer } from "../layer.js";
import { madeWith } from "../factories.js";
import type { Network } from "../network.js";
import { penaltyOf } from "../regularizers.js";
import { type MakeModel, ModelSpace, type ModelSpaceOptions } from "./model-space.js";
import { PAGE, Report, wrap } from "./report.js";
import { kindOf, typeOf } from "./call-tree.js";

type Options = Readonly<Record<string, unknown>>;

/** The value of a hyperparameter. */
export type HyperparameterValue = number | string | boolean | readonly unknown[] | null;

/** A choice that a model's layers were made with. */
export interface Hyperparameter {
  /** The layer, behind the blocks that it is part of: "block/conv1d". */
  readonly layer: string;
  /** What kind of layer: "conv1d". */
  readonly type: string;
  /** The option: "kernelSize", or "kernelRegularizer.strength" for what a penalty was made with. */
  readonly name: string;
  /** What holds; null for none. Functions are shown as what they were made with: "uniform({ min: -0.1, max: 0.1 })". */
  readonly value: HyperparameterValue;
  readonly kind: HyperparameterKind;
  /** What would hold had nothing been given; null for none, undefined where something must be given. */
  readonly default: HyperparameterValue | undefined;
  /** Whether the model says it. */
  readonly given: boolean;
  /** What people usually choose from; undefined where the option follows from the data or from the other layers. */
  readonly usual: Usual | undefined;
}

/** A value as a listing shows it. */
export function plainValue(value: unknown): HyperparameterValue {
  if (value === undefined || value === null) return null;
  if (typeof value === "number" || typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) {
    const list: readonly unknown[] = value;
    return list.some((item) => typeof item === "function") ? "layers" : list;
  }
  return typeof value === "function" ? functionName(value) : show(value);
}

function functionName(value: object): string {
  const made = madeWith(value);
  if (made === undefined) return "a function";
  const plain = made.argument === undefined || Object.keys(Object(made.argument) as object).length === 0;
  return plain && typeof made.argument !== "number" ? made.name : `${made.name}(${show(made.argument)})`;
}

/** Whether an option stands in the argument that a factory was given: l2(0.001) takes a number, l1l2({ l1: 0.001 }) options. */
const isGiven = (argument: unknown, option: string): boolean =>
  typeof argument === "number" ||
  (typeof argument === "object" && (argument as Options | null)?.[option] !== undefined);

interface Place {
  readonly layer: string;
  readonly type: string;
}

function rowsOf(place: Place, name: string, description: Description, options: Options) {
  const set = options[name];
  const otherwise = defaultOf(description, options);
  const penalty = name.endsWith("Regularizer") ? penaltyOf(set) : undefined;
  const row: Hyperparameter = {
    ...place,
    name,
    // Its numbers follow in rows of their own.
    value: penalty?.name ?? plainValue(set ?? otherwise),
    kind: description.kind,
    default: otherwise === REQUIRED ? undefined : plainValue(otherwise),
    given: set !== undefined,
    usual: description.usual,
  };
  const numbers = Object.entries(penalty?.settled ?? {}).filter(([, value]) => typeof value === "number");
  return [
    row,
    ...numbers.map(([option, value]): Hyperparameter => ({
      ...place,
      name: `${name}.${option}`,
      value: plainValue(value),
      kind: STRENGTH.kind,
      default: plainValue(STRENGTH.otherwise),
      given: typeof set === "function" && isGiven(penalty?.argument, option),
      usual: STRENGTH.usual,
    })),
  ];
}

/** Options of layers of people's own: what they are can only be told from their values. */
function guessed(options: Options): Readonly<Record<string, Description>> {
  const kinds: Readonly<Record<string, HyperparameterKind>> = { boolean: "boolean", string: "categorical" };
  const entries = Object.entries(options)
    .filter(([name]) => name !== "name" && !(name in COMMON_HYPERPARAMETERS))
    .map(([name, value]): [string, Description] => {
      const number: HyperparameterKind = Number.isInteger(value) ? "integer" : "continuous";
      const kind = typeof value === "number" ? number : (kinds[typeof value] ?? "categorical");
      return [name, { kind, otherwise: REQUIRED }];
    });
  return Object.fromEntries(entries);
}

/** Whether the input of a residual block is projected on its way around the body. */
function projects({ kind, network }: Layer): boolean {
  if (kind !== "residual" || network === undefined) return false;
  const [around] = network.outputs[0]?.producer.inputs ?? [];
  return around !== undefined && !network.inputs.includes(around);
}

function ofLayer(layer: Layer, inside: string, layers: Map<Hyperparameter, Layer>, seen: Set<Layer>): Hyperparameter[] {
  if (seen.has(layer)) return [];
  seen.add(layer);
  const place: Place = { layer: `${inside}${layer.where}`, type: kindOf(layer) };
  const options: Options = {
    ...layer.options,
    ...(projects(layer) ? { project: "layers" } : {}),
    trainable: layer.trainable ? undefined : false,
  };
  const { trainable, ...common } = COMMON_HYPERPARAMETERS;
  const described = {
    ...(describedOptions(place.type) ?? guessed(options)),
    // A layer without weights has nothing to train.
    ...(layer.everyWeight().length === 0 ? common : { trainable, ...common }),
  };
  const own = Object.entries(described).flatMap(([name, description]) => rowsOf(place, name, description, options));
  for (const row of own) layers.set(row, layer);
  return [...own, ...layer.children.flatMap((child) => ofLayer(child, `${place.layer}/`, layers, seen))];
}

/** All hyperparameters of a model's layers; prints as a table. */
export class Hyperparameters<M = unknown> extends Report {
  readonly #titles: ReadonlyMap<string, string>;
  readonly #space: (options: ModelSpaceOptions) => ModelSpace<M>;

  constructor(
    /** One for each hyperparameter, in the order of the layers. */
    readonly rows: readonly Hyperparameter[],
    titles: ReadonlyMap<string, string>,
    space: (options: ModelSpaceOptions) => ModelSpace<M>,
  ) {
    super();
    this.#titles = titles;
    this.#space = space;
  }

  /**
   * What there is to choose about the model as it stands, for `tune({ model, space })` of `@torte/tune`: hyperparameters named
   * "layer.option", each with its kind, its usual range (made wider where the present value lies outside) and the present value as
   * its default. What changes the shape of the model's output, or leaves no model, is not among them, nor the activation of the last
   * layer, unless it is named with its layer.
   *
   * @throws OptionError for a name that no hyperparameter has, where nothing is left to choose, and for an option that no file can hold.
   * @example
   * import { dense, dropout, input, sequential } from "torte";
   * const model = sequential(input({ shape: [4] }), dense({ units: 8 }), dropout({ rate: 0.2 }), dense({ units: 1 }));
   * const space = model.hyperparameters().space({ only: ["units", "rate"] });
   * console.log(space.rows.map(({ layer, name }) => `${layer}.${name}`)); // [ 'dense.units', 'dropout.rate' ]
   */
  space(options: ModelSpaceOptions = {}): ModelSpace<M> {
    return this.#space(options);
  }

  override toString(): string {
    const lines = [printed(["  Hyperparameter", "Value", "Kind", "Default", "Usual"]), "=".repeat(PAGE)];
    let layer: string | undefined;
    for (const row of this.rows) {
      if (row.layer !== layer) lines.push(...wrap(`${row.layer} (${this.#titles.get(row.layer) ?? row.type})`, PAGE));
      layer = row.layer;
      const [name, otherwise] = row.given ? [`* ${row.name}`, defaultText(row.default)] : [`  ${row.name}`, ""];
      lines.push(printed([name, cell(row.value), row.kind, otherwise, usualText(row.usual)]));
    }
    return [...lines, "=".repeat(PAGE), "* given, with its default beside it; all else is at its default"].join("\n");
  }
}

const WIDTHS = [29, 14, 12, 11, 14];

/** A line of the table; what does not fit is cut, since `rows` has it whole. */
function printed(cells: readonly string[]): string {
  const fitted = cells.map((text, i) => {
    const [width = 0, gap] = [WIDTHS[i], i === WIDTHS.length - 1 ? 0 : 1];
    return (text.length > width - gap ? `${text.slice(0, width - gap - 1)}…` : text).padEnd(width);
  });
  return fitted.join("").trimEnd();
}

const cell = (value: HyperparameterValue): string =>
  value === null ? "none" : typeof value === "string" ? value : show(value);
const defaultText = (value: HyperparameterValue | undefined): string =>
  value === undefined ? "required" : cell(value);

function usualText(usual: Usual | undefined): string {
  if (usual === undefined) return "";
  if (!("choices" in usual)) return `${usual.min}…${usual.max}${usual.log === true ? " log" : ""}`;
  const list = usual.choices.join(", ");
  return list.length <= 14 ? list : `${usual.choices.length} choices`;
}

/** `make` gives the model of a network, with other options where some are given. */
export function listHyperparameters<M, O>(network: Network, make: MakeModel<M, O>): Hyperparameters<M> {
  const [seen, layers] = [new Set<Layer>(), new Map<Hyperparameter, Layer>()];
  const rows = network.layers.flatMap((layer) => ofLayer(layer, "", layers, seen));
  const titles = new Map<string, string>();
  const name = (layer: Layer, inside: string): void => {
    titles.set(`${inside}${layer.where}`, typeOf(layer));
    for (const child of layer.children) name(child, `${inside}${layer.where}/`);
  };
  for (const layer of network.layers) name(layer, "");
  return new Hyperparameters(rows, titles, (options) => new ModelSpace(network, rows, layers, make, options));
}
