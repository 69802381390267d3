/** A network: the graph of layer calls between inputs and outputs. Sequential and functional models are both this. */
import { checkOptions, oneOf, OptionError, positiveInteger, ShapeError } from "../errors.js";
import { read } from "../graph/make.js";
import { State } from "../graph/node.js";
import type { DType } from "../tensor/dtype.js";
import { formatShape } from "../tensor/shape.js";
import { atOnce } from "../turns.js";
import {
  Layer,
  OPEN_LENGTHS,
  PLACEHOLDER_BATCH,
  SymbolicTensor,
  type Traced,
  type Tracing,
  type Weight,
} from "./layer.js";

/** Options of {@link input}. */
export interface InputOptions {
  /**
   * Shape of one example, without the batch. The first size may be null: sequences of any length. They are filled up to one of a few
   * lengths and masked, so that the results are those of the exact length; a layer that cannot honour that is refused by its name.
   */
  readonly shape: readonly (number | null)[];
  /** Default "float32". */
  readonly dtype?: "float32" | "int32";
  /** Default "input", numbered within the model. */
  readonly name?: string;
}

/**
 * Where data enters a model.
 *
 * @throws OptionError for sizes below 1.
 * @example
 * import { input } from "torte";
 * console.log(input({ shape: [200], dtype: "int32" }).shape); // [null, 200]
 * console.log(input({ shape: [null, 4] }).shape); // [null, null, 4]
 */
export function input(options: InputOptions): SymbolicTensor {
  checkOptions("input", options, ["shape", "dtype", "name"]);
  if (!Array.isArray(options.shape)) {
    throw new OptionError({
      where: "input",
      problem: "shape is missing",
      expected: "a list of sizes, without the batch",
      received: String(options.shape),
    });
  }
  const shape = options.shape.map((n: unknown, i) =>
    n === null && i === 0 ? OPEN_LENGTHS[0] : positiveInteger("input", "shape", n),
  );
  const dtype = oneOf("input", "dtype", options.dtype ?? "float32", ["float32", "int32"]);
  const layer = new Layer({
    kind: "input",
    options: options.name === undefined ? {} : { name: options.name },
    inputs: 0,
    call: () => ({ value: read(new State("input", [PLACEHOLDER_BATCH, ...shape], dtype)) }),
  });
  const isOpen = options.shape[0] === null;
  const placed = (sizes: readonly number[]): Traced => {
    const [length = 1] = sizes;
    const mask = isOpen ? { mask: read(new State("mask", [PLACEHOLDER_BATCH, length], "bool")) } : {};
    return { value: read(new State("input", [PLACEHOLDER_BATCH, ...sizes], dtype)), ...mask };
  };
  const producer = { layer, inputs: [] };
  if (!isOpen) return new SymbolicTensor(placed(shape), producer);
  return new SymbolicTensor(placed(shape), producer, placed([OPEN_LENGTHS[1], ...shape.slice(1)]));
}

export interface InputSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export class Network {
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  /** All values, producers before users. */
  readonly values: readonly SymbolicTensor[];
  /** Each layer once, in order; inputs left out. */
  readonly layers: readonly Layer[];

  constructor(inputs: readonly SymbolicTensor[], outputs: readonly SymbolicTensor[]) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.values = sortValues(outputs);
    for (const value of this.values) {
      if (value.producer.layer.kind === "input" && !inputs.includes(value)) {
        throw new ShapeError({
          where: "functional",
          problem: "the outputs depend on an input that is not listed",
          fix: "Add it to the model's inputs.",
        });
      }
    }
    const layers = new Set(this.values.map(({ producer }) => producer.layer));
    nameLayers(layers);
    this.layers = [...layers].filter(({ kind }) => kind !== "input");
  }

  /** Whether sequences may be of any length. */
  get isOpen(): boolean {
    return this.inputs.some(({ other }) => other !== undefined);
  }

  get inputNames(): string[] {
    return this.inputs.map(({ producer }) => producer.layer.where);
  }

  /** @throws ShapeError where the length of an input is open. */
  requireLengths(): void {
    const open = this.inputs.find(({ other }) => other !== undefined);
    if (open !== undefined) {
      throw new ShapeError({
        where: open.producer.layer.where,
        problem: "the length of the input is open, and this needs one",
        expected: "a model whose sequences have one length",
        received: formatShape(open.shape),
        fix: "Build the model with that length, and set its weights.",
      });
    }
  }

  /** @throws ShapeError where the length of an input is open. */
  get inputSpecs(): InputSpec[] {
    this.requireLengths();
    return this.inputs.map(({ producer, traced, dtype }) => ({
      name: producer.layer.where,
      shape: traced.value.shape.slice(1),
      dtype,
    }));
  }

  /** All weights by full name, in the order of the layers; `trainable` says whether training really changes them. */
  get weights(): Map<string, Weight> {
    const all = new Map<State, Weight>();
    // A layer that several others share is named after the first of them, and trained where any of them is.
    for (const weight of this.layers.flatMap((layer) => layer.everyWeight())) {
      const known = all.get(weight.state);
      if (known === undefined) all.set(weight.state, weight);
      else if (weight.trainable) all.set(weight.state, { ...weight, name: known.name });
    }
    return new Map([...all.values()].map((weight) => [weight.name, weight]));
  }

  /** The network's expression over the given inputs. */
  trace(inputs: readonly Traced[], tracing: Tracing): Traced[] {
    return atOnce(this.traceEach(inputs, tracing));
  }

  /** The same, layer by layer. */
  *traceEach(inputs: readonly Traced[], tracing: Tracing): Generator<undefined, Traced[]> {
    const traced = new Map<SymbolicTensor, Traced>();
    this.inputs.forEach((value, i) => {
      const given = inputs[i];
      if (given !== undefined) traced.set(value, given);
    });
    for (const value of this.values) {
      if (traced.has(value)) continue;
      yield;
      const { layer, inputs: from } = value.producer;
      traced.set(
        value,
        layer.trace(
          from.map((x) => known(traced, x)),
          tracing,
        ),
      );
    }
    return this.outputs.map((output) => known(traced, output));
  }
}

function known(traced: ReadonlyMap<SymbolicTensor, Traced>, value: SymbolicTensor): Traced {
  const result = traced.get(value);
  if (result === undefined) throw new RangeError("a value is used before it is traced");
  return result;
}

function sortValues(outputs: readonly SymbolicTensor[]): SymbolicTensor[] {
  const done = new Set<SymbolicTensor>();
  const stack = [...outputs].reverse().map((value) => ({ value, expanded: false }));
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (done.has(top.value)) continue;
    if (top.expanded) {
      done.add(top.value);
      continue;
    }
    stack.push({ value: top.value, expanded: true });
    for (const from of [...top.value.producer.inputs].reverse()) stack.push({ value: from, expanded: false });
  }
  return [...done];
}

/** Layers without a name are numbered within their kind, as in Keras: conv1d, conv1d_1, … */
function nameLayers(layers: ReadonlySet<Layer>): void {
  const taken = new Map<string, Layer>();
  for (const layer of layers) {
    if (layer.name === undefined) continue;
    if (taken.has(layer.name)) {
      throw new OptionError({
        where: "model",
        problem: `two layers are called ${JSON.stringify(layer.name)}`,
        expected: "a name for each layer of its own",
        fix: "Layers keep the names that their first model gave them; name them with the option name before.",
      });
    }
    taken.set(layer.name, layer);
    layer.rename(layer.name);
  }
  const counts = new Map<string, number>();
  for (const layer of layers) {
    if (layer.name !== undefined) continue;
    const base = snake(layer.kind);
    let count = counts.get(base) ?? 0;
    let name = count === 0 ? base : `${base}_${count}`;
    while (taken.has(name)) name = `${base}_${++count}`;
    counts.set(base, count + 1);
    taken.set(name, layer);
    layer.rename(name);
  }
}

/** maxPooling1d becomes max_pooling1d, as the layers are called in Keras's summaries. */
const snake = (kind: string): string => kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
