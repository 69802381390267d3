/**
 * The ops as people call them: on nodes they trace, on tensors they compute at once. Each call on tensors is a small program
 * of the compiled backend, kept by the shapes it was called with, so that formulas and rounding are the engine's own.
 */
import { compileInline, type InlineProgram } from "../backends/wasm/inline.js";
import { GraphError } from "../errors.js";
import { read } from "../graph/make.js";
import { isNode, type Node, State } from "../graph/node.js";
import * as graphOps from "../ops/index.js";
import { computedAs } from "../tensor/dtype.js";
import { Tensor } from "../tensor/tensor.js";
import { captured, checkSound, isTracing } from "./trace.js";
import { leavesOf, mapLeaves, type Mixed, type OnTensors, structureOf } from "./tree.js";

/** What makes nodes of nothing, and what takes a function, is as it is. */
type Unlifted = "constant" | "iota" | "read" | "withOrigin";

/** A function of nodes that also takes tensors: of tensors and numbers it gives a tensor, of nodes and tensors a node. */
export type Lifted<F> = F extends (...args: infer A) => infer R
  ? {
      (...args: A): R;
      (...args: OnTensors<A> & unknown[]): OnTensors<R>;
      (...args: Mixed<A> & unknown[]): R;
    }
  : F;

type GraphOps = typeof graphOps;
export type Ops = { readonly [K in keyof GraphOps]: K extends Unlifted ? GraphOps[K] : Lifted<GraphOps[K]> };

const UNLIFTED: ReadonlySet<string> = new Set<Unlifted>(["constant", "iota", "read", "withOrigin"]);

type Operation = (...args: readonly unknown[]) => unknown;

const isTensor = (value: unknown): boolean => value instanceof Tensor;
const hasTensor = (args: readonly unknown[]): boolean =>
  args.some((value) => isTensor(value) || (Array.isArray(value) && value.some(isTensor)));

const nodesAmong = (args: readonly unknown[]): Node[] => args.flat().filter(isNode);

/** Programs that are kept; the one that was not used for the longest time goes first. */
const KEPT = 1000;
const programs = new Map<string, InlineProgram>();

function lift(name: string, operation: Operation): Operation {
  return (...args) => {
    if (!isTracing()) checkSound(name, nodesAmong(args));
    if (!hasTensor(args)) return operation(...args);
    const leaves = leavesOf(args).map(({ leaf }) => leaf);
    if (leaves.some(isNode))
      return operation(...(mapLeaves(args, (leaf) => (isNode(leaf) ? leaf : captured(leaf))) as unknown[]));
    const key = `${name} ${structureOf(name, args)}`;
    const program = programs.get(key) ?? prepare(name, operation, args);
    programs.delete(key);
    programs.set(key, program);
    const [oldest] = programs.keys();
    if (programs.size > KEPT && oldest !== undefined) programs.delete(oldest);
    return program(leaves as Tensor[])[0];
  };
}

function prepare(name: string, operation: Operation, args: readonly unknown[]): InlineProgram {
  const states: State[] = [];
  const places = mapLeaves(args, ({ shape, dtype }) => {
    const state = new State(`operand ${states.length} of ${name}`, shape, computedAs(dtype));
    states.push(state);
    return read(state);
  }) as unknown[];
  const result = operation(...places);
  if (!isNode(result)) throw new GraphError({ where: name, problem: "the operation gives no node" });
  return compileInline({ name, outputs: [result], updates: [] }, states);
}

/** The vocabulary that layers, losses and optimizers are written in: on nodes ops trace, on tensors they compute at once. */
export const ops: Ops = /* @__PURE__ */ Object.freeze(
  Object.fromEntries(
    Object.entries(graphOps).map(([name, operation]) => [
      name,
      UNLIFTED.has(name) ? operation : lift(name, operation as unknown as Operation),
    ]),
  ),
) as unknown as Ops;
