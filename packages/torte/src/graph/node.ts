/**
 * The graph: immutable nodes, each one primitive applied to other nodes.
 *
 * A node is made by `make` (graph/make.ts), which checks the inputs and derives shape and dtype from the table of
 * primitives. Nothing is computed here; backends interpret or compile the graph.
 */
import type { DType } from "../tensor/dtype.js";
import { formatShape, type Shape } from "../tensor/shape.js";
import { noValue } from "./no-value.js";

/** A named array that outlives a step: a weight, an optimizer moment, a resident data column, a counter. */
export class State {
  constructor(
    /** For messages and files; a model names the weights of its layers when it is made. */
    public name: string,
    readonly shape: Shape,
    readonly dtype: DType,
  ) {}

  /** In messages about what is computed from it. */
  get description(): string {
    return this.name;
  }
}

/** Attributes without content. */
export type None = Readonly<Record<string, never>>;

/** What each primitive carries besides its inputs. The keys are the primitives. */
export interface Attributes {
  // Leaves.
  /** One number in every position. */
  constant: { readonly value: number };
  /** The position along `axis`, int32. */
  iota: { readonly axis: number };
  state: { readonly state: State };
  /** Uniform numbers in [0, 1): number i, in row-major order, of the stream, for the (seed, step) pair in its input. */
  uniform: { readonly stream: number };
  // Elementwise, one input.
  neg: None;
  abs: None;
  sign: None;
  floor: None;
  exp: None;
  expm1: None;
  log: None;
  log1p: None;
  sqrt: None;
  tanh: None;
  sigmoid: None;
  softplus: None;
  erf: None;
  erfc: None;
  sin: None;
  cos: None;
  not: None;
  cast: { readonly dtype: DType };
  /** The identity, through which no gradient passes. */
  /** The values, through which no gradient flows. */
  stopGradient: None;
  /** The values in an array of their own: where a pass wants them laid out, or two results may not share one array. */
  copy: None;
  // Elementwise, two inputs of one shape and dtype.
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  max: None;
  min: None;
  /** Remainder of int32 operands, which are not negative. */
  mod: None;
  bitXor: None;
  /** The bits of an integer moved to the right by as many places as the lowest five bits of the second say; the sign comes after. */
  shiftRight: None;
  less: None;
  lessEqual: None;
  equal: None;
  and: None;
  or: None;
  /** `select(condition, a, b)`: a where the condition holds. */
  select: None;
  // Movement.
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  /** Repeats axes of size 1. */
  broadcast: { readonly shape: Shape };
  slice: { readonly start: readonly number[]; readonly stop: readonly number[]; readonly step: readonly number[] };
  /** `low` and `high` positions outside and `interior` positions between neighbours, all filled with `value`. */
  pad: {
    readonly low: readonly number[];
    readonly high: readonly number[];
    readonly interior: readonly number[];
    readonly value: number;
  };
  reverse: { readonly axes: readonly number[] };
  concat: { readonly axis: number };
  /** Sliding windows over the axes from `axis` on: [..., n, ...] becomes [..., positions, taps, ...]. */
  windows: WindowAttributes;
  /** The transpose of `windows`: adds every tap back to the position it was taken from; `lengths` are the sizes of the windowed axes. */
  fold: WindowAttributes & { readonly lengths: readonly number[] };
  // Reductions; the reduced axes disappear.
  sum: { readonly axes: readonly number[] };
  reduceMax: { readonly axes: readonly number[] };
  /** Row-major position of the first maximum within the reduced axes, int32. */
  argmax: { readonly axes: readonly number[] };
  // Products and indirection.
  /** Sum over the labels that are missing in `out` of a·b, as in einsum. */
  contract: { readonly a: string; readonly b: string; readonly out: string };
  /** A matrix of numbers applied along `axis`, which becomes axis `to` of the result: yᵢ = Σ_j matrix[i][j]·xⱼ. */
  linearMap: { readonly axis: number; readonly to: number; readonly matrix: Matrix };
  /** `gather(table [V, ...rest], indices [...])`: rows of the table, [...indices, ...rest]. */
  gather: None;
  /**
   * `scatterAdd(indices [...], updates [...indices, ...rest])`: [rows, ...rest], repeated indices add up. The first
   * `batch` axes of the indices have tables of their own: [...batch, rows, ...rest].
   */
  scatterAdd: { readonly rows: number; readonly batch: number };
}

/** Rows of numbers, all of one length. */
export type Matrix = readonly (readonly number[])[];

export const transposeMatrix = (matrix: Matrix): Matrix =>
  (matrix[0] ?? []).map((_, j) => matrix.map((row) => row[j] ?? 0));

export interface WindowAttributes {
  readonly axis: number;
  readonly size: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
}

export type Primitive = keyof Attributes;

export interface NodeOf<P extends Primitive> {
  readonly id: number;
  readonly op: P;
  readonly inputs: readonly Node[];
  readonly attributes: Attributes[P];
  readonly shape: Shape;
  readonly dtype: DType;
  /** Path of the layer or part that made this node, for messages and profiles. */
  readonly origin: string;
}

/** Any node; `node.op` narrows `node.attributes`. */
export type Node = { [P in Primitive]: NodeOf<P> }[Primitive];

/** What nodes are made of. */
export class GraphNode {
  readonly id: number;
  readonly op: Primitive;
  readonly inputs: readonly Node[];
  readonly attributes: Attributes[Primitive];
  readonly shape: Shape;
  readonly dtype: DType;
  readonly origin: string;

  constructor(
    id: number,
    op: Primitive,
    inputs: readonly Node[],
    attributes: Attributes[Primitive],
    shape: Shape,
    dtype: DType,
    origin: string,
  ) {
    this.id = id;
    this.op = op;
    this.inputs = inputs;
    this.attributes = attributes;
    this.shape = shape;
    this.dtype = dtype;
    this.origin = origin;
  }
}

// Behind the prototype, where only what a node does not have is looked for.
Object.setPrototypeOf(GraphNode.prototype, noValue<Node>(describeNode));

/** "float32(2, 3), made by mul in dense of argument [0] of grad(loss)". */
function describeNode(node: Node): string {
  const states = topological([node]).flatMap((other) => (other.op === "state" ? [other.attributes.state] : []));
  const sources = [...new Set(states)].slice(0, 3).map(({ description }) => description);
  const made = node.op === "state" ? sources.join("") : `made by ${node.op}`;
  const where = node.origin === "" ? "" : ` in ${node.origin}`;
  const from = node.op === "state" || sources.length === 0 ? "" : ` of ${sources.join(", ")}`;
  return `${node.dtype}${formatShape(node.shape)}, ${made}${where}${from}`;
}

export const isNode = (value: unknown): value is Node => value instanceof GraphNode;

/** One write of a step: after it, `state` holds `value`. */
export interface Update {
  readonly state: State;
  readonly value: Node;
}

/** What is compiled: reads states, returns `outputs`, then writes all `updates` at once. */
export interface Program {
  readonly name: string;
  readonly outputs: readonly Node[];
  readonly updates: readonly Update[];
  /** Convolutions stay plain sums of products, where others take fewer multiplications and round more. Default false. */
  readonly exactConvolutions?: boolean | undefined;
}

/** The roots of a program: everything else is reached from them. */
export function roots(program: Program): Node[] {
  return [...program.outputs, ...program.updates.map((update) => update.value)];
}

const orders = new WeakMap<Program, readonly Node[]>();

/** All nodes of a program, inputs before users. Programs do not change, so each is searched once. */
export function nodesOf(program: Program): readonly Node[] {
  let order = orders.get(program);
  if (order === undefined) orders.set(program, (order = topological(roots(program))));
  return order;
}

/** All nodes under `from`, inputs before users, each once. Iterative: networks may be thousands of nodes deep. */
export function topological(from: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  /** The nodes on the way to the one at hand, and which of their inputs come next. */
  const path: Node[] = [];
  const next: number[] = [];
  for (const root of from) {
    if (seen.has(root)) continue;
    seen.add(root);
    path.push(root);
    next.push(0);
    let node: Node | undefined = root;
    while (node !== undefined) {
      const top = path.length - 1;
      const i: number = next[top] ?? 0;
      const input: Node | undefined = node.inputs[i];
      next[top] = i + 1;
      if (input === undefined) {
        order.push(node);
        path.pop();
        next.pop();
        node = top > 0 ? path[top - 1] : undefined;
      } else if (!seen.has(input)) {
        seen.add(input);
        path.push(input);
        next.push(0);
        node = input;
      }
    }
  }
  return order;
}

/** Input i of a node that has one. Throws where it has not. */
export function inputOf(node: Node, i: number): Node {
  const input = node.inputs[i];
  if (input === undefined) throw new RangeError(`${node.op} has no input ${i}`);
  return input;
}
