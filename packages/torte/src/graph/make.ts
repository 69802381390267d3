/** Making nodes: the only place where they come into being. */
import { GraphError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import { type Attributes, GraphNode, type Node, type Primitive, type State } from "./node.js";
import { PRIMITIVES } from "./primitives.js";

let nextId = 0;
let currentOrigin = "";

/** Runs `trace` with every node it makes labelled as coming from `origin` (nested: `outer/inner`). Only labels depend on it. */
export function withOrigin<T>(origin: string, trace: () => T): T {
  const before = currentOrigin;
  currentOrigin = before === "" ? origin : `${before}/${origin}`;
  try {
    return trace();
  } finally {
    currentOrigin = before;
  }
}

function build(
  op: Primitive,
  inputs: readonly Node[],
  attributes: Attributes[Primitive],
  shape: Shape,
  dtype: DType,
): Node {
  const origin = currentOrigin === "" ? (inputs.find((input) => input.origin !== "")?.origin ?? "") : currentOrigin;
  // The union of all node types cannot be proved from a generic op; the table's types guarantee the pairing.
  return new GraphNode(nextId++, op, inputs, attributes, shape, dtype, origin) as Node;
}

type NotLeaf = Exclude<Primitive, "constant" | "iota" | "state" | "uniform">;

/** A node of primitive `op`; throws a GraphError where the inputs do not fit it. */
export function make<P extends NotLeaf>(op: P, inputs: readonly Node[], attributes: Attributes[P]): Node {
  const rule = PRIMITIVES[op];
  if (rule.arity === "any" ? inputs.length === 0 : inputs.length !== rule.arity) {
    throw new GraphError({
      where: op,
      problem: "wrong number of operands",
      expected: String(rule.arity),
      received: String(inputs.length),
    });
  }
  const { shape, dtype } = rule.typed(inputs, attributes);
  return build(op, inputs, attributes, shape, dtype);
}

/** An array of one value. */
export function constant(value: number, shape: Shape = [], dtype: DType = "float32"): Node {
  return build("constant", [], { value }, shape, dtype);
}

/** Integers that count up from 0 along an axis. */
export function iota(shape: Shape, axis: number): Node {
  return build("iota", [], { axis }, shape, "int32");
}

/** The array that a state holds when the program starts. */
export function read(state: State): Node {
  return build("state", [], { state }, state.shape, state.dtype);
}

/** Uniform numbers in [0, 1) of `shape`: those of `stream` for the (seed, step) pair in `key`, an int32 node of shape [2]. */
export function uniform(key: Node, stream: number, shape: Shape): Node {
  if (key.dtype !== "int32" || key.shape.length !== 1 || key.shape[0] !== 2) {
    throw new GraphError({
      where: "uniform",
      problem: "wrong key",
      expected: "int32(2)",
      received: `${key.dtype}(${key.shape.join(", ")})`,
    });
  }
  return build("uniform", [key], { stream }, shape, "float32");
}

/** The same node over other inputs (of the same types), keeping its origin. */
export function rebuild(node: Node, inputs: readonly Node[]): Node {
  if (sameInputs(inputs, node.inputs)) return node;
  const { op, attributes, shape, dtype, origin } = node;
  return new GraphNode(nextId++, op, inputs, attributes, shape, dtype, origin) as Node;
}

function sameInputs(a: readonly Node[], b: readonly Node[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A node that carries the origin of `like` instead of the current one. */
export function originOf<T>(like: Node, trace: () => T): T {
  const before = currentOrigin;
  currentOrigin = like.origin;
  try {
    return trace();
  } finally {
    currentOrigin = before;
  }
}
