/** compile: a function traced once for each set of shapes, and run as one program. */
import type { BackendOptions } from "../backends/select.js";
import { readBackend } from "../backends/select.js";
import { checkOptions } from "../errors.js";
import { isNode, type Node } from "../graph/node.js";
import { asNode, isTracing } from "./trace.js";
import { checkFunction, runTraced, type TracedForTensors, traceForTensors, type Transformed } from "./transformed.js";
import { leavesOf, mapLeaves, structureOf } from "./tree.js";

/** Traces that are kept for one function. */
const KEPT = 100;

/**
 * The same function as one program for each set of shapes that it is called with: traced once, compiled once. What is no
 * tensor among the arguments (numbers, texts, true and false) belongs to the program; give a tensor for a number that
 * changes. Tensors that the function takes from elsewhere are read anew at each call.
 *
 * On nodes it is the function itself.
 *
 * @throws OptionError for options out of range.
 * @example
 * import { compile, grad, ops, tensor, type Node } from "torte";
 * const step = compile((w: Node, x: Node) => {
 *   const loss = (v: Node) => ops.mean(ops.square(ops.sub(ops.mul(v, x), 1)));
 *   return ops.sub(w, ops.mul(grad(loss)(w), 0.1));
 * });
 * let w = tensor(0);
 * for (let i = 0; i < 100; i++) w = await step(w, tensor([2, 2]));
 * console.log(w.toArray()); // 0.5
 */
export function compile<A extends readonly unknown[] = readonly Node[], R = unknown>(
  f: (...args: A) => R,
  options: BackendOptions = {},
): Transformed<A, R> {
  const where = "compile";
  checkFunction(where, f);
  checkOptions(where, options, ["backend", "precision", "threads"]);
  readBackend(where, options);
  const known = new Map<string, TracedForTensors>();
  const call = (...args: unknown[]): unknown => {
    if (isTracing() || leavesOf(args).some(({ leaf }) => isNode(leaf))) return f(...(mapLeaves(args, asNode) as A));
    return run(args);
  };
  const run = async (args: readonly unknown[]): Promise<unknown> => {
    const key = structureOf(where, args);
    let traced = known.get(key);
    if (traced === undefined) {
      traced = traceForTensors(where, f.name, f, args);
      const [oldest] = known.keys();
      if (known.size >= KEPT && oldest !== undefined) known.delete(oldest);
      known.set(key, traced);
    }
    return runTraced(traced, args, options);
  };
  Object.defineProperty(call, "name", { value: f.name });
  return call as Transformed<A, R>;
}
