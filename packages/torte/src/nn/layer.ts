/**
 * What a layer is: options, weights, and one expression over ops.
 *
 * The expression asks for its weights by name and shape; they come into being when it is traced for the first time. The
 * shape of its result is that of the traced nodes, so there is no second rule for shapes.
 */
import { booleanOption, MaskError, OptionError, seedOption, ShapeError, show, TorteError } from "../errors.js";
import { read, uniform } from "../graph/make.js";
import { type Node, State } from "../graph/node.js";
import * as ops from "../ops/index.js";
import type { DType } from "../tensor/dtype.js";
import { hashName } from "../tensor/random.js";
import { formatShape, sameShape, type Shape, sizeAt } from "../tensor/shape.js";
import type { Constraint } from "./constraints.js";
import type { Initializer } from "./initializers.js";
import type { Network } from "./network.js";
import { readRegularizer, type Regularizer, type RegularizerOption } from "./regularizers.js";

/** A value on its way through a model. Where the mask (bool, [batch, length]) is false, the value is zero. */
export interface Traced {
  readonly value: Node;
  readonly mask?: Node | undefined;
  /** Of a sequence of open length: which positions it has, masked or not, as a mask. */
  readonly ends?: Node | undefined;
}

export interface Weight {
  readonly name: string;
  readonly state: State;
  readonly initializer: Initializer;
  readonly regularizer: Regularizer | undefined;
  /** What every update of the weight ends with. */
  readonly constraint: Constraint | undefined;
  /** False for what is no parameter of the loss, such as moving averages. */
  readonly trainable: boolean;
}

/** What one tracing of a model collects and offers to its layers. */
export interface Tracing {
  readonly training: boolean;
  /** Within a layer that is not trained. Default false. */
  readonly frozen?: boolean;
  /** Path of the layer that is being traced, such as "block/"; default "". */
  readonly inside?: string;
  /** int32[2], seed and step; undefined where nothing random may happen. */
  readonly randomKey: Node | undefined;
  /** Nodes that stand for states instead of reading them. */
  readonly substitutes: ReadonlyMap<State, Node>;
  /** Penalties to be added to the loss. */
  readonly penalties: Node[];
  /** States that a training step changes by other means than the gradient. */
  readonly updates: Map<State, Node>;
  /** Told of every application of a layer, once it is traced; those inside a layer come before it. */
  readonly observe?: (call: Application) => void;
}

/** One application of a layer, as a tracing saw it. */
export interface Application {
  readonly layer: Layer;
  /** The layer's name behind those of the layers that it is part of: "block/conv1d". */
  readonly path: string;
  readonly inputs: readonly Traced[];
  /** An object of its own, by which users of the value are recognised. */
  readonly result: Traced;
}

export function newTracing(
  training: boolean,
  randomKey?: Node,
  substitutes: ReadonlyMap<State, Node> = new Map(),
): Tracing {
  return { training, randomKey, substitutes, penalties: [], updates: new Map() };
}

export interface CommonOptions {
  /** Default: the kind of layer, numbered within the model. */
  readonly name?: string;
  /** Whether training changes the weights. Default true. */
  readonly trainable?: boolean;
  /** Penalty of the layer's output, divided by the batch size. Default none. */
  readonly activityRegularizer?: RegularizerOption;
}

export const COMMON = ["name", "trainable", "activityRegularizer"] as const;

/** What the expression of a layer may ask for. */
export interface Scope {
  readonly where: string;
  readonly training: boolean;
  /** Whether training changes the layer's weights. */
  readonly trainable: boolean;
  /** What the whole model collects; for layers made of others. */
  readonly tracing: Tracing;
  weight(name: string, shape: Shape, options: WeightOptions): Node;
  /** Uniform random numbers, new in every step; with a seed, apart from the model's seed and the layer's name. */
  random(shape: Shape, seed?: number): Node;
  penalty(value: Node): void;
  /** Writes a weight that is not trained, after the step. */
  assign(name: string, value: Node): void;
}

export interface WeightOptions {
  readonly initializer: Initializer;
  readonly regularizer?: Regularizer | undefined;
  readonly constraint?: Constraint | undefined;
  readonly trainable?: boolean;
}

export type Expression = (inputs: readonly Traced[], scope: Scope) => Traced;

/** What a layer is made of: its kind, its options and one expression. */
export interface LayerDefinition {
  readonly kind: string;
  /** As they were given, for saving. */
  readonly options: CommonOptions & object;
  readonly call: Expression;
  /** Number of inputs. Default 1. */
  readonly inputs?: number | "many";
  /** What an integer input means to the layer. Default: it is refused. */
  readonly integers?: "accept";
  /** The result has no mask though an input has one: on purpose. Default: that is an error. */
  readonly endsMask?: true;
  /** The layers that this one is made of, once it has been applied. */
  readonly children?: () => readonly Layer[];
  /** The network of those layers, where the layer does what that does. */
  readonly network?: () => Network | undefined;
}

/** A layer: its kind, its options, and its weights once it was called. */
export class Layer {
  readonly kind: string;
  readonly options: CommonOptions & object;
  readonly weights = new Map<string, Weight>();
  trainable: boolean;
  readonly #definition: LayerDefinition;
  readonly #activityRegularizer: Regularizer | undefined;
  #name: string | undefined;

  constructor(definition: LayerDefinition) {
    const { name, trainable = true } = definition.options;
    if (name !== undefined && (typeof name !== "string" || name === "" || name.includes("/"))) {
      throw new OptionError({
        where: definition.kind,
        problem: "name is unusable",
        expected: "a text without /",
        received: JSON.stringify(name),
      });
    }
    this.kind = definition.kind;
    this.options = definition.options;
    this.trainable = booleanOption(definition.kind, "trainable", trainable);
    const { activityRegularizer } = definition.options;
    this.#activityRegularizer = readRegularizer(definition.kind, "activityRegularizer", activityRegularizer);
    this.#definition = definition;
    this.#name = name;
  }

  /** Undefined until a model has numbered the layer. */
  get name(): string | undefined {
    return this.#name;
  }

  /** How messages call the layer. */
  get where(): string {
    return this.#name ?? this.kind;
  }

  /** The layers that this one is made of. */
  get children(): readonly Layer[] {
    return this.#definition.children?.() ?? this.network?.layers ?? [];
  }

  /** The network inside, of a block, a residual block or a model; undefined before it has been applied, and for other layers. */
  get network(): Network | undefined {
    return this.#definition.network?.();
  }

  rename(name: string): void {
    this.#name = name;
    for (const weight of this.weights.values()) weight.state.name = `${name}.${weight.name}`;
  }

  /**
   * All weights, those of the children included, by full name ("block/conv1d.kernel"); `trainable` says whether training
   * really changes them.
   */
  everyWeight(inside = "", frozen = false): Weight[] {
    const fixed = frozen || !this.trainable;
    const path = `${inside}${this.where}`;
    const own = [...this.weights.values()].map((weight) => ({
      ...weight,
      name: `${path}.${weight.name}`,
      trainable: weight.trainable && !fixed,
    }));
    return [...own, ...this.children.flatMap((child) => child.everyWeight(`${path}/`, fixed))];
  }

  /** The layer's result for symbolic inputs. */
  apply(inputs: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor {
    const list: unknown = isSymbolic(inputs) ? [inputs] : inputs;
    if (!Array.isArray(list) || !list.every((x) => x instanceof SymbolicTensor)) {
      throw new OptionError({
        where: this.where,
        problem: "a layer is called on symbolic tensors",
        expected: "what input() or another layer gives, or a list of it",
        received: show(inputs),
        fix: "For numbers make a model, and call model.predict.",
      });
    }
    return applyLayer(this, isSymbolic(inputs) ? [inputs] : inputs);
  }

  /** The layer's expression over the given inputs. */
  trace(inputs: readonly Traced[], tracing: Tracing): Traced {
    this.#checkInputs(inputs);
    const path = `${tracing.inside ?? ""}${this.where}`;
    const result = inside(path, () => this.#definition.call(inputs, this.#scope(tracing, path)));
    this.#checkResult(inputs, result);
    this.#checkMask(inputs, result);
    if (this.#activityRegularizer !== undefined) {
      const batch = sizeAt(result.value.shape, 0);
      const regularizer = this.#activityRegularizer;
      const penalty = this.#penalty(
        "activityRegularizer",
        inside(path, () => regularizer(result.value)),
      );
      tracing.penalties.push(ops.mul(penalty, 1 / batch));
    }
    const { value, mask } = result;
    const ends = result.ends ?? carriedEnds(inputs, result);
    const traced = { value, ...(mask === undefined ? {} : { mask }), ...(ends === undefined ? {} : { ends }) };
    tracing.observe?.({ layer: this, path, inputs, result: traced });
    return traced;
  }

  /** A layer gives a node with the batch of its inputs. */
  #checkResult(inputs: readonly Traced[], result: Partial<Traced> | undefined): void {
    const shape = result?.value?.shape;
    const batch = inputs[0]?.value.shape[0];
    if (shape !== undefined && (batch === undefined || shape[0] === batch)) return;
    throw new ShapeError({
      where: this.where,
      problem: "the layer gives no result with the batch of its input",
      expected: "{ value } with a node of shape (batch, …)",
      received: shape === undefined ? show(result) : `one of shape ${formatShape(shape)}`,
      fix: `Keep axis 0, which is ${batch ?? "the batch"} here, as it is.`,
    });
  }

  /** What a regularizer gives: one number. */
  #penalty(name: string, penalty: Node): Node {
    if (penalty.shape.length === 0 && penalty.dtype === "float32") return penalty;
    throw new ShapeError({
      where: this.where,
      problem: `${name} gives no penalty`,
      expected: "one float32 number",
      received: `${penalty.dtype} of shape ${formatShape(penalty.shape)}`,
      fix: "Sum it up with ops.sum.",
    });
  }

  #checkMask(inputs: readonly Traced[], result: Traced): void {
    if (result.mask !== undefined) {
      this.#checkMaskShape(result.value, result.mask);
      return;
    }
    if (this.#definition.endsMask === true) return;
    if (inputs.every(({ mask }) => mask === undefined)) return;
    throw new MaskError({
      where: this.where,
      problem: "the layer loses the mask of its input",
      expected: "a result with a mask",
      received: "a result without one",
      fix: "Return masked(value, mask), or define the layer with endsMask: true if padding may count as data from here on.",
    });
  }

  #checkMaskShape(value: Node, mask: Node): void {
    if (mask.dtype === "bool" && mask.shape.length === 2 && sameShape(mask.shape, value.shape.slice(0, 2))) return;
    throw new MaskError({
      where: this.where,
      problem: "the mask does not fit the result",
      expected: `bool ${formatShape([null, ...value.shape.slice(1, 2)])} beside ${formatShape([null, ...value.shape.slice(1)])}`,
      received: `${mask.dtype} ${formatShape([null, ...mask.shape.slice(1)])}`,
    });
  }

  #checkInputs(inputs: readonly Traced[]): void {
    const { inputs: expected = 1, integers } = this.#definition;
    const enough = expected === "many" ? inputs.length >= 1 : inputs.length === expected;
    if (!enough) {
      throw new ShapeError({
        where: this.where,
        problem: "wrong number of inputs",
        expected: String(expected),
        received: String(inputs.length),
      });
    }
    for (const { value } of inputs) {
      if (value.dtype === "float32" || integers === "accept") continue;
      throw new ShapeError({
        where: this.where,
        problem: "the layer computes with floats",
        expected: "float32",
        received: `${value.dtype} of shape ${formatShape([null, ...value.shape.slice(1)])}`,
        fix: "Put an embedding before it, or declare the input as float32.",
      });
    }
  }

  #scope(tracing: Tracing, path: string): Scope {
    const stateNode = (state: State): Node => tracing.substitutes.get(state) ?? read(state);
    const seen = new Set<string>();
    let draws = 0;
    return {
      where: path,
      training: tracing.training,
      trainable: this.trainable && tracing.frozen !== true,
      tracing: { ...tracing, inside: `${path}/`, frozen: tracing.frozen === true || !this.trainable },
      weight: (name, shape, options) => {
        const weight = this.#weight(name, shape, options);
        const node = stateNode(weight.state);
        if (weight.regularizer !== undefined && !seen.has(name))
          tracing.penalties.push(this.#penalty(`the regularizer of ${name}`, weight.regularizer(node)));
        seen.add(name);
        return node;
      },
      random: (shape, seed) => {
        const key = tracing.randomKey;
        if (key === undefined) throw new RangeError(`${path} draws random numbers without a key`);
        const draw = draws++;
        if (seed === undefined) return uniform(key, hashName(`${path}/${draw}`), shape);
        const own = ops.concat([ops.constant(seedOption(path, seed) | 0, [1], "int32"), ops.slice(key, 0, 1)], 0);
        return uniform(own, draw, shape);
      },
      penalty: (value) => {
        tracing.penalties.push(value);
      },
      assign: (name, value) => {
        const weight = this.weights.get(name);
        if (weight === undefined) throw new RangeError(`${this.where} has no weight ${name}`);
        tracing.updates.set(weight.state, value);
      },
    };
  }

  #weight(
    name: string,
    shape: Shape,
    { initializer, regularizer, constraint, trainable = true }: WeightOptions,
  ): Weight {
    const known = this.weights.get(name);
    if (known === undefined) {
      const weight: Weight = {
        name,
        state: new State(`${this.where}.${name}`, shape, "float32"),
        initializer,
        regularizer,
        constraint,
        trainable,
      };
      this.weights.set(name, weight);
      return weight;
    }
    if (!sameShape(known.state.shape, shape)) {
      throw new ShapeError({
        where: this.where,
        problem: `the layer is shared, but its ${name} would need another shape here`,
        expected: formatShape(known.state.shape),
        received: formatShape(shape),
      });
    }
    return known;
  }
}

/** Traces with the layer's path on every node, and on every error, as where it comes from. */
function inside<T>(path: string, trace: () => T): T {
  try {
    return ops.withOrigin(path, trace);
  } catch (error) {
    if (error instanceof TorteError && !error.message.startsWith(path)) error.message = `${path}, ${error.message}`;
    throw error;
  }
}

/** A value of a model that is being described: its shape with an open batch, and where it comes from. */
export class SymbolicTensor {
  constructor(
    /** Traced for a batch of two, which stands for any. */
    readonly traced: Traced,
    readonly producer: { readonly layer: Layer; readonly inputs: readonly SymbolicTensor[] },
    /** The same for another length, where that of an input is open: what differs is open, too. */
    readonly other?: Traced,
  ) {}

  get shape(): readonly (number | null)[] {
    return openShape(this.traced, this.other);
  }

  get dtype(): DType {
    return this.traced.value.dtype;
  }

  get masked(): boolean {
    return this.traced.mask !== undefined;
  }
}

/** A layer that can be called on symbolic tensors. */
export interface LayerFunction {
  (inputs: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor;
  readonly layer: Layer;
}

export const isLayerFunction = (value: unknown): value is LayerFunction =>
  typeof value === "function" && "layer" in value && value.layer instanceof Layer;

export const PLACEHOLDER_BATCH = 2;

/** Of a layer that says nothing of them: those of its input where the length stays, else as its mask has it. */
function carriedEnds(inputs: readonly Traced[], { value, mask }: Traced): Node | undefined {
  const { ends } = inputs.find((input) => input.ends !== undefined) ?? {};
  return ends !== undefined && ends.shape[1] === value.shape[1] ? ends : ends && mask;
}

/** A layer of your own, from its definition: a function from symbolic tensor to symbolic tensor. */
export function layerFunction(definition: LayerDefinition): LayerFunction {
  return asFunction(new Layer(definition));
}

/** A layer as a function of symbolic tensors. */
export function asFunction(layer: Layer): LayerFunction {
  const call = (inputs: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor => layer.apply(inputs);
  return Object.assign(call, { layer });
}

const isSymbolic = (inputs: SymbolicTensor | readonly SymbolicTensor[]): inputs is SymbolicTensor =>
  inputs instanceof SymbolicTensor;

/** Lengths that stand for any: so long that layers leave something of both, and never the same. */
export const OPEN_LENGTHS = [4099, 9973] as const;

/** The shape with an open batch, and null where it is another one for another length. */
export function openShape({ value }: Traced, other: Traced | undefined): readonly (number | null)[] {
  const rest = value.shape.slice(1);
  return [null, ...rest.map((n, i) => (other !== undefined && other.value.shape[i + 1] !== n ? null : n))];
}

function applyLayer(layer: Layer, inputs: readonly SymbolicTensor[]): SymbolicTensor {
  const key = read(new State("key", [2], "int32"));
  const isOpen = inputs.some(({ other }) => other !== undefined);
  const trace = (values: readonly Traced[], seen: Application[]): Traced =>
    layer.trace(
      values,
      isOpen ? { ...newTracing(true, key), observe: (call) => seen.push(call) } : newTracing(true, key),
    );
  const [first, second]: [Application[], Application[]] = [[], []];
  try {
    const traced = trace(
      inputs.map((x) => x.traced),
      first,
    );
    if (!isOpen) return new SymbolicTensor(traced, { layer, inputs });
    const other = trace(
      inputs.map((x) => x.other ?? x.traced),
      second,
    );
    first.forEach((call, i) => checkOpen(call, second[i]));
    const stays = openShape(traced, other).every((n, axis) => axis === 0 || n !== null);
    return stays ? new SymbolicTensor(traced, { layer, inputs }) : new SymbolicTensor(traced, { layer, inputs }, other);
  } catch (error) {
    if (isOpen && error instanceof TorteError && !(error instanceof MaskError))
      error.message += ` (The open axis stands as ${OPEN_LENGTHS[0]} and as ${OPEN_LENGTHS[1]} positions here: no weight may have a shape that hangs on it.)`;
    throw error;
  }
}

/**
 * An open axis is the one of the sequence, and has a mask: whatever ends the mask, or moves the axis, would count padding.
 *
 * @throws MaskError by the layer's name.
 */
function checkOpen({ path, result }: Application, other: Application | undefined): void {
  const shape = openShape(result, other?.result);
  const open = shape.map((n, axis) => (axis > 0 && n === null ? axis : 0)).filter((axis) => axis > 0);
  if (open.length === 0 || (open.length === 1 && open[0] === 1 && result.mask !== undefined)) return;
  throw new MaskError({
    where: path,
    problem: "the layer cannot honour the mask of an open axis",
    expected: "a result whose open axis is the first behind the batch, with its mask, or none",
    received: `${formatShape(shape)}${result.mask === undefined ? " without a mask" : ""}`,
    fix: "Reduce the sequence before it, as globalAveragePooling1d does, or give the input a length.",
  });
}

/** For layers that cannot work with a mask. */
export function refuseMask(scope: Scope, inputs: readonly Traced[]): void {
  if (inputs.every(({ mask }) => mask === undefined)) return;
  throw new MaskError({
    where: scope.where,
    problem: "the layer cannot honour the mask of its input",
    expected: "an input without a mask",
    received: "a masked sequence",
    fix: "Put dropMask() before it if padding may count as data from here on.",
  });
}

export function inputAt(inputs: readonly Traced[], i = 0): Traced {
  const input = inputs[i];
  if (input === undefined) throw new RangeError(`input ${i} is missing`);
  return input;
}
