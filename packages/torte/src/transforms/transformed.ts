/** Functions that work on nodes and on tensors: on nodes they trace, on tensors they run what they trace. */
import type { BackendOptions } from "../backends/select.js";
import { GraphError, show } from "../errors.js";
import { isNode, type Node } from "../graph/node.js";
import { Tensor } from "../tensor/tensor.js";
import { execute, prepare } from "./execute.js";
import { type AnyFunction, Argument, asNode, Captured, isTracing, traceCall, withoutOverflow } from "./trace.js";
import { leavesOf, mapLeaves, type Mixed, type OnTensors, structureOf, withLeaves } from "./tree.js";

/**
 * A function of nodes that can also be called with tensors; it then runs. On nodes, and within a function that is being
 * traced, it gives nodes; tensors beside them count as constants.
 */
export interface Transformed<A extends readonly unknown[], R> {
  (...args: OnTensors<A> & unknown[]): Promise<OnTensors<R>>;
  (...args: Mixed<A> & unknown[]): R;
}

export type AnyTransformed = (...args: readonly unknown[]) => unknown;

export function checkFunction(where: string, f: unknown): asserts f is AnyFunction {
  if (typeof f === "function") return;
  throw new GraphError({ where, problem: "there is no function", expected: "a function of nodes", received: show(f) });
}

/** `onNodes` gets its arguments with a node for each tensor. */
export function transformed<A extends readonly unknown[], R>(
  where: string,
  f: AnyFunction,
  onNodes: (...args: A) => R,
  options: BackendOptions = {},
): Transformed<A, R> {
  const call = (...args: unknown[]): unknown => {
    if (isTracing() || leavesOf(args).some(({ leaf }) => isNode(leaf)))
      return onNodes(...(mapLeaves(args, asNode) as A));
    return run(where, f.name, onNodes, args, options);
  };
  Object.defineProperty(call, "name", { value: `${where}(${f.name === "" ? "a function" : f.name})` });
  return call as Transformed<A, R>;
}

async function run(
  where: string,
  name: string,
  onNodes: AnyFunction,
  args: readonly unknown[],
  options: BackendOptions,
): Promise<unknown> {
  structureOf(where, args);
  return runTraced(traceForTensors(where, name, onNodes, args), args, options);
}

/** A function traced for tensors of some shapes: where each value comes from, and how the results are put together. */
export interface TracedForTensors {
  readonly where: string;
  readonly graph: ReturnType<typeof prepare>;
  /** Number of the argument's leaf, or a tensor that the function has taken from elsewhere. */
  readonly sources: readonly (number | Tensor)[];
  readonly result: unknown;
}

export function traceForTensors(
  where: string,
  name: string,
  onNodes: AnyFunction,
  args: readonly unknown[],
): TracedForTensors {
  const named = Object.defineProperty((...given: never[]) => onNodes(...given), "name", { value: name });
  const call = traceCall(where, named, args);
  const nodes = leavesOf(call.result).map(({ leaf }) => leaf as Node);
  const graph = withoutOverflow(where, () => prepare(nodes));
  const positions = new Map(call.inputs.map((input, i) => [input.op === "state" ? input.attributes.state : input, i]));
  const sources = graph.states.map((state) => {
    const position = positions.get(state);
    if (position !== undefined) return position;
    if (state instanceof Captured) return state.tensor;
    throw new RangeError(`${state.name} has no value${state instanceof Argument ? state.trace.place : ""}`);
  });
  return { where, graph, sources, result: call.result };
}

export async function runTraced(
  { where, graph, sources, result }: TracedForTensors,
  args: readonly unknown[],
  options: BackendOptions,
): Promise<unknown> {
  const leaves = leavesOf(args).map(({ leaf }) => leaf);
  const values = sources.map((source) => {
    const value = typeof source === "number" ? leaves[source] : source;
    if (!(value instanceof Tensor)) throw new RangeError("an argument is missing");
    return value;
  });
  const results = await withoutOverflow(where, () => execute(graph, values, options));
  return withLeaves(result, results);
}
