/** Jacobians and Hessians of functions, of any shapes. */
import { vjp } from "../autodiff/gradient.js";
import { checkOptions, GraphError, oneOf } from "../errors.js";
import { iota, read } from "../graph/make.js";
import { type Node, State } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { formatShape, type Shape, sizeOf } from "../tensor/shape.js";
import { withBatch } from "./batch-rules.js";
import { beforeGradient } from "../compile/pipeline.js";
import { choose, type GradientOf, pushForward } from "./gradient.js";
import { type AnyFunction, finish, traceCall } from "./trace.js";
import { checkFunction, type Transformed, transformed } from "./transformed.js";
import { formatPath, leavesOf, type OnNodes, withLeaves } from "./tree.js";

/** Options of {@link jacobian}. */
export interface JacobianOptions<Argument extends number | readonly number[] = number> {
  /** Number of the argument to differentiate by, or several of them. Default 0. */
  readonly argument?: Argument;
  /**
   * "reverse" takes one pass for each number that the function gives, "forward" one for each number in the argument, all
   * of them in one program; "auto" what has fewer. Default "auto".
   */
  readonly mode?: "auto" | "forward" | "reverse";
}

/** A tree like what the function gives, with a tree like the argument at each leaf. */
export type JacobianOf<R, G> = R extends Node ? G : R extends object ? { [K in keyof R]: JacobianOf<R[K], G> } : R;

/** Unit vectors: [n, ...shape] with one 1 in each, n being the size of the shape. */
function basis(shape: Shape): Node {
  const n = sizeOf(shape);
  const eye = ops.equal(iota([n, n], 0), iota([n, n], 1));
  return ops.reshape(ops.cast(eye, "float32"), [n, ...shape]);
}

const placeholder = (shape: Shape): Node => read(new State("unit", shape, "float32"));

/** What depends linearly on a unit vector, for all unit vectors: [n, ...shape] each. */
function forUnits(nodes: readonly Node[], unit: Node): Node[] {
  const size = sizeOf(unit.shape);
  const batch = { size, randomness: "same", where: "jacobian", since: unit.id } as const;
  return withBatch(nodes, new Map([[unit, basis(unit.shape)]]), batch).map(({ node, batched }) =>
    batched ? node : ops.broadcastTo(ops.reshape(node, [1, ...node.shape]), [size, ...node.shape]),
  );
}

/** [...output.shape, ...input.shape] for each output and each input. */
function backward(outputs: readonly Node[], wrt: readonly Node[]): Node[][] {
  return outputs.map((output) => {
    const unit = placeholder(output.shape);
    const rows = forUnits(vjp([output], [unit], wrt), unit);
    return rows.map((row, i) => ops.reshape(row, [...output.shape, ...(wrt[i]?.shape ?? [])]));
  });
}

function forward(outputs: readonly Node[], wrt: readonly Node[]): Node[][] {
  const columns = wrt.map((input) => {
    const unit = placeholder(input.shape);
    const directions = wrt.map((other) => (other === input ? unit : ops.constant(0, other.shape)));
    return forUnits(pushForward(outputs, wrt, directions), unit).map((column) => {
      const rank = column.shape.length;
      const last = ops.transpose(column, [...Array.from({ length: rank - 1 }, (_, i) => i + 1), 0]);
      return ops.reshape(last, [...column.shape.slice(1), ...input.shape]);
    });
  });
  return outputs.map((_, i) => columns.map((column) => column[i] as Node));
}

/**
 * All derivatives of all that a function gives, in one program: output.shape ++ input.shape. For trees, a tree like what
 * the function gives, with a tree like the argument at each leaf.
 *
 * @throws GraphError where the argument or what the function gives is of integers; OptionError for an argument that does
 * not exist.
 * @example
 * import { jacobian, ops, tensor, type Node } from "torte";
 * const f = (x: Node) => ops.mul(x, ops.sum(x));
 * const J = await jacobian(f)(tensor([1, 2]));
 * console.log(J.toArray()); // [[4, 1], [2, 5]]
 */
export function jacobian<
  A extends readonly unknown[] = readonly Node[],
  R = unknown,
  const I extends number | readonly number[] = 0,
>(f: (...args: A) => R, options: JacobianOptions<I> = {}): Transformed<A, JacobianOf<R, GradientOf<A, I>>> {
  const where = "jacobian";
  checkFunction(where, f);
  checkOptions(where, options, ["argument", "mode"]);
  const mode = oneOf(where, "mode", options.mode ?? "auto", ["auto", "forward", "reverse"]);
  const onNodes = (...args: readonly unknown[]): unknown => {
    const call = traceCall(where, f, args);
    const chosen = choose(where, call, args, options.argument ?? 0);
    const wrt = chosen.wrt.map(({ node }) => node);
    const results = leavesOf(call.result);
    for (const { leaf, path } of results) {
      if (leaf.dtype === "float32") continue;
      throw new GraphError({
        where,
        problem: `${path.length === 0 ? "what the function gives" : `result${formatPath(path)}`} has no derivative`,
        expected: "float32",
        received: `${leaf.dtype}${formatShape(leaf.shape)}`,
      });
    }
    const outputs = beforeGradient(results.map(({ leaf }) => leaf as Node));
    const count = (nodes: readonly Node[]): number => nodes.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
    const reverse = mode === "reverse" || (mode === "auto" && count(outputs) <= count(wrt));
    const blocks = reverse ? backward(outputs, wrt) : forward(outputs, wrt);
    const trees = blocks.map((row) => withLeaves(chosen.tree, row));
    return finish(call, withLeaves(call.result, trees));
  };
  return transformed(where, f as AnyFunction, onNodes) as never;
}

/** Options of {@link hessian}. */
export interface HessianOptions<Argument extends number | readonly number[] = number> {
  /** Number of the argument to differentiate by twice, or several of them. Default 0. */
  readonly argument?: Argument;
}

/**
 * All second derivatives, in one program: output.shape ++ input.shape ++ input.shape, forward over reverse.
 *
 * @throws as `jacobian` does.
 * @example
 * import { hessian, ops, tensor, type Node } from "torte";
 * const f = (x: Node) => ops.mul(ops.sum(x), ops.sum(ops.square(x)));
 * const H = await hessian(f)(tensor([1, 2]));
 * console.log(H.toArray()); // [[10, 6], [6, 14]]
 */
export function hessian<
  A extends readonly unknown[] = readonly Node[],
  R = unknown,
  const I extends number | readonly number[] = 0,
>(
  f: (...args: A) => R,
  options: HessianOptions<I> = {},
): Transformed<A, JacobianOf<JacobianOf<R, GradientOf<A, I>>, GradientOf<A, I>>> {
  checkFunction("hessian", f);
  checkOptions("hessian", options, ["argument"]);
  const first = jacobian(f, { ...options, mode: "reverse" });
  const second = jacobian(first as unknown as (...args: A) => OnNodes<R>, { ...options, mode: "forward" });
  return second as never;
}
