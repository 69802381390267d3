/** Tracing a function: it is called once, on nodes that stand for its arguments, and what it gives is a graph over them. */
import { GraphError, show } from "../errors.js";
import { constant, read } from "../graph/make.js";
import { isNode, type Node, State, topological } from "../graph/node.js";
import { rewriteNodes } from "../compile/rewrite/rewrite.js";
import { computedAs, type DType } from "../tensor/dtype.js";
import { formatShape, type Shape } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { formatPath, type Leaf, leavesOf, mapLeaves, type Path, withLeaves } from "./tree.js";

/** Transformations within each other; beyond it the functions call each other without end. */
const DEEPEST = 100;

/** One call of a function on nodes. It is open until the function returns. */
export class Trace {
  readonly depth: number;
  /** Whose stack says where the function was called. */
  readonly #here = new Error();

  constructor(
    /** "grad(loss)". */
    readonly what: string,
    readonly outer: Trace | undefined,
  ) {
    this.depth = (outer?.depth ?? 0) + 1;
  }

  get isOpen(): boolean {
    for (let trace = current; trace !== undefined; trace = trace.outer) if (trace === this) return true;
    return false;
  }

  /** " at file.ts:12:5", the line outside of the library that led here, where the host tells. */
  get place(): string {
    const lines = this.#here.stack?.split("\n").slice(1) ?? [];
    const line = lines.find((text) => !/\/(torte|packages\/torte)\/(src|dist)\//.test(text) && !text.includes("node:"));
    const place = line?.match(/([^/\\(]+:\d+:\d+)\)?$/)?.[1];
    return place === undefined ? (this.outer?.place ?? "") : ` at ${place}`;
  }
}

let current: Trace | undefined;

export const isTracing = (): boolean => current !== undefined;

/** What stands for an argument while its function is traced. */
export class Argument extends State {
  constructor(
    name: string,
    shape: Shape,
    dtype: DType,
    readonly trace: Trace,
    /** What it will be replaced by, where that is a node. */
    readonly standsFor: Node | undefined,
    /** One example of a batch, within vmap. */
    readonly mapped = false,
  ) {
    super(name, shape, dtype);
  }

  override get description(): string {
    return `${this.name}, called${this.trace.place}`;
  }
}

/** A tensor that a function reads without being given it. */
export class Captured extends State {
  constructor(
    readonly tensor: Tensor,
    dtype: DType,
  ) {
    super("tensor", tensor.shape, dtype);
  }
}

const captures = new WeakMap<Tensor, Captured>();

/** The node that reads the tensor, as its numbers are when the program runs. */
export function captured(tensor: Tensor): Node {
  let state = captures.get(tensor);
  if (state === undefined) captures.set(tensor, (state = new Captured(tensor, computedAs(tensor.dtype))));
  return read(state);
}

export const asNode = (leaf: Leaf): Node => (leaf instanceof Tensor ? captured(leaf) : leaf);

export interface TracedCall {
  readonly trace: Trace;
  readonly args: readonly unknown[];
  /** The nodes that stood for the leaves of the arguments, in order. */
  readonly inputs: readonly Node[];
  readonly paths: readonly Path[];
  /** What the function gave: a tree of nodes. */
  readonly result: unknown;
}

export type AnyFunction = (...args: never[]) => unknown;

/** Calls the function on nodes that stand for the leaves of its arguments, of the shapes that `shapeOf` gives. */
export function traceCall(
  what: string,
  f: AnyFunction,
  args: readonly unknown[],
  shapeOf: (leaf: Leaf, i: number) => { readonly shape: Shape; readonly mapped: boolean } = ({ shape }) => ({
    shape,
    mapped: false,
  }),
): TracedCall {
  const trace = new Trace(`${what}(${f.name === "" ? "a function" : f.name})`, current);
  if (trace.depth > DEEPEST) {
    throw new GraphError({
      where: what,
      problem: `more than ${DEEPEST} transformations are called within each other`,
      fix: "Does a transformed function call itself?",
    });
  }
  const inputs: Node[] = [];
  const paths: Path[] = [];
  const places = mapLeaves(args, (leaf, path) => {
    const { shape, mapped } = shapeOf(leaf, inputs.length);
    const name = `argument ${formatPath(path)} of ${trace.what}`;
    const standsFor = isNode(leaf) ? leaf : undefined;
    const node = read(new Argument(name, shape, computedAs(leaf.dtype), trace, standsFor, mapped));
    inputs.push(node);
    paths.push(path);
    return node;
  }) as never[];
  current = trace;
  try {
    const result = checkResult(
      trace,
      withoutOverflow(what, () => f(...places)),
    );
    checkLeaves(
      trace,
      leavesOf(result).map(({ leaf }) => leaf as Node),
    );
    return { trace, args, inputs, paths, result };
  } finally {
    current = trace.outer;
  }
}

/** Runs out of stack with an error of its own. */
export function withoutOverflow<T>(where: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (!(error instanceof Error) || !/call stack|too much recursion/.test(error.message)) throw error;
    throw new GraphError({
      where,
      problem: "calls are nested too deeply",
      expected: "some thousand at most",
      fix: "Write the recursion as a loop.",
    });
  }
}

/** A tree of nodes; numbers and tensors become nodes. */
function checkResult(trace: Trace, result: unknown): unknown {
  const fail = (problem: string, received: string, fix: string): never => {
    throw new GraphError({ where: trace.what, problem, expected: "a node, or a tree of nodes", received, fix });
  };
  const visit = (value: unknown, path: Path): unknown => {
    const at = path.length === 0 ? "what the function gives" : `result${formatPath(path)}`;
    if (value instanceof Promise) {
      // This error says it all.
      value.catch(() => undefined);
      return fail(
        `${at} is a promise`,
        "a promise",
        "Write the function without async and await: it is traced, not run. What has to be awaited comes in as an argument.",
      );
    }
    if (isNode(value)) return value;
    if (value instanceof Tensor) return captured(value);
    if (typeof value === "number") return constant(value);
    if (Array.isArray(value)) return value.map((item, i) => visit(item, [...path, i]));
    if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, visit(item, [...path, name])]));
    return fail(`${at} is no node`, show(value), "Compute with ops, and return what they give.");
  };
  return visit(result, []);
}

/** Nothing belongs to a function that has returned, or to a model. */
function checkLeaves(trace: Trace, nodes: readonly Node[]): void {
  for (const node of topological(nodes)) {
    if (node.op !== "state") continue;
    const { state } = node.attributes;
    if (state instanceof Captured || (state instanceof Argument && state.trace.isOpen)) continue;
    if (state instanceof Argument) throw isOver(trace.what, state);
    throw new GraphError({
      where: trace.what,
      problem: `${state.name} of a model is read`,
      fix: "Take model.pure(), whose first argument is the weights.",
    });
  }
}

const isOver = (where: string, state: Argument): GraphError =>
  new GraphError({
    where,
    problem: `a node is used after its function has returned: it was made from ${state.description}`,
    fix: "Return it from that function, or give it to this one as an argument.",
  });

/** Nodes that are made from no argument of a function that has returned. */
const sound = new WeakSet<Node>();

/** Outside of all functions: nothing is made from the argument of one. */
export function checkSound(where: string, nodes: readonly Node[]): void {
  const pending = [...nodes];
  const seen = new Set<Node>();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (sound.has(node) || seen.has(node)) continue;
    if (node.op === "state" && node.attributes.state instanceof Argument) throw isOver(where, node.attributes.state);
    seen.add(node);
    pending.push(...node.inputs);
  }
  for (const node of seen) sound.add(node);
}

/** Whether the node differs from example to example within a vmap that is being traced. */
export function isMapped(node: Node): boolean {
  const pending = [node];
  const seen = new Set<State>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const { op, attributes } of topological([next])) {
      if (op !== "state" || seen.has(attributes.state)) continue;
      const { state } = attributes;
      seen.add(state);
      if (!(state instanceof Argument)) continue;
      if (state.mapped) return true;
      if (state.standsFor !== undefined) pending.push(state.standsFor);
    }
  }
  return false;
}

/** The result with the nodes that stood for arguments replaced by those given: by the arguments themselves, unless others are. */
export function finish(
  call: TracedCall,
  result: unknown,
  given: readonly Node[] = leavesOf(call.args).map(({ leaf }) => asNode(leaf)),
): unknown {
  const replacement = new Map(call.inputs.map((input, i) => [input, given[i] ?? input]));
  const leaves = leavesOf(result).map(({ leaf }) => leaf as Node);
  const replaced = rewriteNodes(leaves, (node) => replacement.get(node) ?? node);
  return withLeaves(result, replaced);
}

/** Float32 as differentiation needs it. */
export function checkDifferentiable(where: string, node: Node, path: Path): void {
  if (node.dtype === "float32") return;
  throw new GraphError({
    where,
    problem: `argument ${formatPath(path)} has no derivative`,
    expected: "float32",
    received: `${node.dtype}${formatShape(node.shape)}`,
    fix: "Differentiate by another argument (option argument), or by what an embedding makes of it.",
  });
}
