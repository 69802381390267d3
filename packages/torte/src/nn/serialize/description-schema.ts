/** What the description of a network must hold before anything is made of it. */
import {
  among,
  type Check,
  checkSchema,
  fields,
  isRecord,
  label,
  list,
  nullOr,
  record,
  text,
  truth,
  whole,
} from "../../data/schema.js";
import { DataError } from "../../errors.js";
import type { GraphDescription, LayerDescription, NetworkDescription } from "./description.js";

const SHAPE = list(nullOr(whole(0)));

/** Of a layer: a slash parts the names of layers within layers. */
const NAME: Check = (value, path) =>
  label(value, path) ??
  (String(value).includes("/") ? { path, expected: "a name without /", received: value } : undefined);

const NETWORK = fields({
  inputs: list(fields({ name: NAME, shape: SHAPE, dtype: among("float32", "int32", "bool") }), 1),
  calls: list(fields({ layer: whole(0), from: list(whole(0), 1), shape: SHAPE })),
  outputs: list(whole(0), 1),
});

/** JSON in which `{ $layer }` and `{ $function }` stand for what they name. */
const OPTION: Check = (value, path) => {
  if (Array.isArray(value)) return list(OPTION)(value, path);
  if (!isRecord(value)) return undefined;
  if (Object.hasOwn(value, "$layer")) return fields({ $layer: whole(0) })(value, path);
  if (Object.hasOwn(value, "$function"))
    return fields({ $function: fields({ factory: text }, { optional: { argument: OPTION } }) })(value, path);
  return record(OPTION)(value, path);
};

const LAYER = fields(
  { name: NAME, kind: label, options: record(OPTION), trainable: truth, weights: record(SHAPE) },
  { optional: { network: NETWORK } },
);

/** The file's description has more. */
const GRAPH = fields({ layers: list(LAYER), network: NETWORK }, { more: true });

/**
 * Whether a network can be made of it: its form; that all it refers to is there; and that there is an end to it.
 *
 * @throws DataError that names the place of what has another form, for a reference to nothing, a layer that is part of
 * itself, layers nested too deeply, or shared layers that add up to a network without end.
 */
export function checkDescription(description: GraphDescription, where: string): void {
  checkSchema(description, GRAPH, where, "the description is corrupt");
  const corrupt = (problem: string): never => {
    throw new DataError({ where, problem: `the description is corrupt: ${problem}` });
  };
  const { layers, network } = description;
  for (const each of [network, ...layers.map((layer) => layer.network)])
    if (each !== undefined) checkValues(each, layers.length, corrupt);
  const calls = [network, ...layers.map((layer) => layer.network)].reduce((sum, n) => sum + (n?.calls.length ?? 0), 0);
  const { applications } = new Extent(layers, corrupt).of(network);
  const most = MOST_APPLICATIONS + 10 * calls;
  if (applications <= most) return;
  throw new DataError({
    where,
    problem: "the description shares layers within layers too often",
    expected: `at most ${most} applications of layers in all`,
    received: String(applications),
  });
}

/** Blocks in blocks; the functions that walk through a network are recursive. */
const DEEPEST = 100;
/** A network of this size is traced in a second or so; more than that must be in the file, and not come by sharing. */
const MOST_APPLICATIONS = 10_000;

function checkValues(
  { inputs, calls, outputs }: NetworkDescription,
  layers: number,
  corrupt: (problem: string) => never,
): void {
  const there = (position: number, values: number): void => {
    if (position >= values) corrupt(`value ${position} is used before it is there`);
  };
  for (const [i, { layer, from }] of calls.entries()) {
    if (layer >= layers) corrupt(`there is no layer ${layer}`);
    for (const position of from) there(position, inputs.length + i);
  }
  for (const position of outputs) there(position, inputs.length + calls.length);
}

interface Size {
  /** How often layers are applied, those inside of others each time that they are. */
  readonly applications: number;
  readonly depth: number;
}

class Extent {
  readonly #layers: readonly LayerDescription[];
  readonly #corrupt: (problem: string) => never;
  readonly #known = new Map<number, Size | "in the making">();

  constructor(layers: readonly LayerDescription[], corrupt: (problem: string) => never) {
    this.#layers = layers;
    this.#corrupt = corrupt;
  }

  of({ calls }: NetworkDescription, depth = 0): Size {
    return this.#sum(
      calls.map(({ layer }) => layer),
      depth,
    );
  }

  #sum(layers: readonly number[], depth: number): Size {
    let applications = 0;
    let deepest = 0;
    for (const layer of layers) {
      const size = this.#layer(layer, depth + 1);
      applications += size.applications;
      deepest = Math.max(deepest, size.depth);
    }
    return { applications, depth: deepest };
  }

  #layer(position: number, depth: number): Size {
    const known = this.#known.get(position);
    if (known === "in the making") return this.#corrupt(`layer ${position} is part of itself`);
    if (known !== undefined) return known;
    if (depth > DEEPEST) this.#corrupt(`layers are nested more than ${DEEPEST} deep`);
    const layer = this.#layers[position] ?? this.#corrupt(`there is no layer ${position}`);
    this.#known.set(position, "in the making");
    const inner = layer.network === undefined ? { applications: 0, depth: 0 } : this.of(layer.network, depth);
    const wrapped = this.#sum(layersIn(layer.options), depth);
    const size = {
      // A layer around another may apply it more than once.
      applications: 1 + inner.applications + 2 * wrapped.applications,
      depth: 1 + Math.max(inner.depth, wrapped.depth),
    };
    if (size.depth > DEEPEST) this.#corrupt(`layers are nested more than ${DEEPEST} deep`);
    this.#known.set(position, size);
    return size;
  }
}

/** Positions of the layers among options. */
function layersIn(options: unknown): number[] {
  if (Array.isArray(options)) return options.flatMap(layersIn);
  if (!isRecord(options)) return [];
  return typeof options["$layer"] === "number" ? [options["$layer"]] : Object.values(options).flatMap(layersIn);
}
