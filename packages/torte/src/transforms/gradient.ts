/** Derivatives of functions: gradients, products with Jacobians from both sides, products with Hessians. */
import { gradients, vjp as pullBackNodes } from "../autodiff/gradient.js";
import { checkOptions, GraphError, OptionError, show } from "../errors.js";
import { constant, read } from "../graph/make.js";
import { isNode, type Node, State } from "../graph/node.js";
import { rewriteNodes } from "../compile/rewrite/rewrite.js";
import { formatShape, sameShape } from "../tensor/shape.js";
import { beforeGradient } from "../compile/pipeline.js";
import { type AnyFunction, asNode, checkDifferentiable, finish, type TracedCall, traceCall } from "./trace.js";
import { checkFunction, type Transformed, transformed } from "./transformed.js";
import { leavesOf, type OnNodes, type OnTensors, type Path, withLeaves } from "./tree.js";

/** Options of {@link grad} and {@link valueAndGrad}. */
export interface GradOptions<Argument extends number | readonly number[] = number> {
  /** Number of the argument to differentiate by, or several of them, whose gradients come as a list. Default 0. */
  readonly argument?: Argument;
}

/** Whether a function gives something beside its value. */
export interface AuxiliaryOptions<Argument extends number | readonly number[] = number> extends GradOptions<Argument> {
  /** The function gives [scalar, others]; the others, any tree, are given back as they are. Default false. */
  readonly auxiliary: true;
}

/** The gradient: a tree like the argument, or a list of them. */
export type GradientOf<A extends readonly unknown[], Argument> = Argument extends readonly number[]
  ? { [I in keyof Argument]: Argument[I] extends keyof A ? OnNodes<A[Argument[I]]> : OnNodes<A[number]> }
  : number extends Argument
    ? OnNodes<A[0]>
    : Argument extends keyof A
      ? OnNodes<A[Argument]>
      : never;

/** A leaf of an argument that is differentiated by. */
interface Wrt {
  readonly node: Node;
  readonly path: Path;
}

/** The leaves of the chosen arguments, and the tree in which their derivatives are given back. */
export function choose(
  where: string,
  call: TracedCall,
  args: readonly unknown[],
  argument: number | readonly number[],
): { wrt: readonly Wrt[]; tree: unknown } {
  const chosen = typeof argument === "number" ? [argument] : argument;
  for (const position of chosen) {
    if (Number.isInteger(position) && position >= 0 && position < args.length) continue;
    throw new OptionError({
      where,
      problem: "argument is out of range",
      expected: args.length === 0 ? "a function with arguments" : `0…${args.length - 1}`,
      received: show(position),
    });
  }
  const wrt = chosen.flatMap((position) =>
    call.inputs.flatMap((node, i) => {
      const path = call.paths[i] ?? [];
      return path[0] === position ? [{ node, path }] : [];
    }),
  );
  if (wrt.length === 0) {
    throw new GraphError({
      where,
      problem: `argument ${formatShape(chosen)} has nothing to differentiate by`,
      expected: "a float32 tensor, or a tree of them",
      received: show(args[chosen[0] ?? 0]),
    });
  }
  for (const { node, path } of wrt) checkDifferentiable(where, node, path);
  return { wrt, tree: typeof argument === "number" ? args[argument] : chosen.map((position) => args[position]) };
}

/** The scalar that the function gives, and what it gives beside it. */
function scalarOf(where: string, result: unknown, auxiliary: boolean): { value: Node; others: unknown } {
  const pair = auxiliary && Array.isArray(result) && result.length === 2 ? (result as [unknown, unknown]) : undefined;
  if (auxiliary && pair === undefined) {
    throw new GraphError({
      where,
      problem: "the function gives nothing beside its value",
      expected: "[scalar, others], as the option auxiliary says",
      received: describe(result),
    });
  }
  const [value, others] = pair ?? [result, []];
  if (isNode(value) && value.shape.length === 0 && value.dtype === "float32") return { value, others };
  throw new GraphError({
    where,
    problem: "only a scalar has a gradient",
    expected: "float32()",
    received: describe(value),
    fix:
      isNode(value) && value.dtype === "float32"
        ? "Take the sum or the mean first, or use jacobian."
        : isNode(value)
          ? "Give a float32 number; ops.cast makes one, through which no derivative passes."
          : "Return the number alone, or [number, others] with auxiliary: true.",
  });
}

const describe = (value: unknown): string =>
  isNode(value)
    ? `${value.dtype}${formatShape(value.shape)}`
    : Array.isArray(value)
      ? `a list of ${value.length}`
      : show(value);

const readArgument = (where: string, argument: unknown): number | readonly number[] => {
  const list: unknown = typeof argument === "number" ? [argument] : argument;
  const fits = Array.isArray(list) && list.length > 0 && list.every((n) => Number.isInteger(n) && n >= 0);
  if (fits && new Set(list).size === list.length) return argument as number | readonly number[];
  throw new OptionError({
    where,
    problem: "argument is out of range",
    expected: "a whole number of at least 0, or a list of different ones",
    received: show(argument),
  });
};

interface Options {
  readonly argument?: number | readonly number[];
  readonly auxiliary?: boolean;
}

/** [value, others, gradient], as nodes over the given arguments. */
function differentiate(
  where: string,
  f: AnyFunction,
  args: readonly unknown[],
  { argument = 0, auxiliary = false }: Options,
): { value: unknown; others: unknown; gradient: unknown } {
  const call = traceCall(where, f, args);
  const { value, others } = scalarOf(where, call.result, auxiliary);
  const { wrt, tree } = choose(where, call, args, argument);
  const beside = leavesOf(others).map(({ leaf }) => leaf as Node);
  const [simple = value, ...rest] = beforeGradient([value, ...beside]);
  const parts = gradients(
    simple,
    wrt.map(({ node }) => node),
  );
  const made = [simple, withLeaves(others, rest), withLeaves(tree, parts)];
  const [finished, ...more] = finish(call, made) as [unknown, unknown, unknown];
  return { value: finished, others: more[0], gradient: more[1] };
}

function checkOf(where: string, f: unknown, options: Options): void {
  checkFunction(where, f);
  checkOptions(where, options, ["argument", "auxiliary"]);
  readArgument(where, options.argument ?? 0);
}

/**
 * The gradient of a function that gives one number: df/dx, a tree like its argument.
 *
 * On tensors it runs and gives tensors, on nodes it gives nodes, so that transformations nest: `grad(grad(f))` is the
 * second derivative. At corners the derivative is one of those on either side: relu′(0) = 0, |x|′ = 0 at 0, of equal
 * maxima the first takes all; √x has the derivative ∞ at 0.
 *
 * @throws GraphError where the function gives no scalar, where the argument is of integers, or a node is used outside of
 * its function; OptionError for an argument that does not exist.
 * @example
 * import { grad, ops, tensor, type Node } from "torte";
 * const f = (x: Node) => ops.sum(ops.mul(x, ops.mul(x, x)));
 * const g = await grad(f)(tensor([1, 2, 3]));
 * console.log(g.toArray()); // [3, 12, 27]
 */
export function grad<
  A extends readonly unknown[] = readonly Node[],
  Aux = unknown,
  const I extends number | readonly number[] = 0,
>(
  f: (...args: A) => readonly [Node, Aux],
  options: AuxiliaryOptions<I>,
): Transformed<A, [gradient: GradientOf<A, I>, auxiliary: Aux]>;
export function grad<A extends readonly unknown[] = readonly Node[], const I extends number | readonly number[] = 0>(
  f: (...args: A) => Node,
  options?: GradOptions<I>,
): Transformed<A, GradientOf<A, I>>;
export function grad(f: AnyFunction, options: Options = {}): unknown {
  checkOf("grad", f, options);
  return transformed("grad", f, (...args: readonly unknown[]) => {
    const { others, gradient } = differentiate("grad", f, args, options);
    return options.auxiliary === true ? [gradient, others] : gradient;
  });
}

/**
 * The value and the gradient together, in one program: [f(x), df/dx]; with auxiliary values [[f(x), others], df/dx].
 *
 * @throws as `grad` does.
 * @example
 * import { ops, tensor, valueAndGrad, type Node } from "torte";
 * const norm = (x: Node) => ops.sqrt(ops.sum(ops.square(x)));
 * const [y, g] = await valueAndGrad(norm)(tensor([3, 4]));
 * console.log(y.toArray()); // 5
 * console.log(g.shape); // [2]
 */
export function valueAndGrad<
  A extends readonly unknown[] = readonly Node[],
  Aux = unknown,
  const I extends number | readonly number[] = 0,
>(
  f: (...args: A) => readonly [Node, Aux],
  options: AuxiliaryOptions<I>,
): Transformed<A, [value: [Node, Aux], gradient: GradientOf<A, I>]>;
export function valueAndGrad<
  A extends readonly unknown[] = readonly Node[],
  const I extends number | readonly number[] = 0,
>(f: (...args: A) => Node, options?: GradOptions<I>): Transformed<A, [value: Node, gradient: GradientOf<A, I>]>;
export function valueAndGrad(f: AnyFunction, options: Options = {}): unknown {
  checkOf("valueAndGrad", f, options);
  return transformed("valueAndGrad", f, (...args: readonly unknown[]) => {
    const { value, others, gradient } = differentiate("valueAndGrad", f, args, options);
    return [options.auxiliary === true ? [value, others] : value, gradient];
  });
}

const fresh = (like: Node): Node => read(new State("tangent", like.shape, "float32"));

/**
 * J·v for the outputs: the derivative of vᵀ-products by their v. A product with the transposed Jacobian is linear in its
 * factor, and its own transposed Jacobian is the Jacobian.
 */
export function pushForward(outputs: readonly Node[], wrt: readonly Node[], tangents: readonly Node[]): Node[] {
  const floats = outputs.filter(({ dtype }) => dtype === "float32");
  const factors = floats.map(fresh);
  const products = pullBackNodes(floats, factors, wrt);
  const pushed = pullBackNodes(products, tangents, factors);
  // Where nothing is linear in a factor it may be left over; what is multiplied with it is 0.
  const zero = new Map(factors.map((factor) => [factor, constant(0, factor.shape)]));
  const moved = rewriteNodes(pushed, (node) => zero.get(node) ?? node);
  return outputs.map((output) => {
    const i = floats.indexOf(output);
    return moved[i] ?? constant(0, output.shape);
  });
}

/** A tree beside another: the same structure and shapes, float32. */
function checkBeside(where: string, what: string, nodes: readonly Node[], given: unknown): Node[] {
  const leaves = leavesOf(given).map(({ leaf }) => asNode(leaf));
  const fits =
    leaves.length === nodes.length &&
    leaves.every(({ shape, dtype }, i) => dtype === "float32" && sameShape(shape, nodes[i]?.shape ?? []));
  if (fits) return leaves;
  const list = (all: readonly Node[]): string =>
    all.map(({ shape, dtype }) => `${dtype}${formatShape(shape)}`).join(", ") || "nothing";
  throw new GraphError({
    where,
    problem: `${what} does not fit`,
    expected: list(nodes.map((node) => ({ ...node, dtype: "float32" }))),
    received: list(leaves),
  });
}

/**
 * The value and its derivative along a direction, f(x) and J·v, without the Jacobian.
 *
 * @throws GraphError where the tangents do not have the arguments' shapes, or an argument is of integers.
 * @example
 * import { jvp, ops, tensor, type Node } from "torte";
 * const f = (x: Node) => ops.mul(x, ops.mul(x, x));
 * const [y, dy] = await jvp(f, [tensor([1, 2])], [tensor([1, 1])]);
 * console.log(y.toArray(), dy.toArray()); // [ 1, 8 ] [ 3, 12 ]
 */
export function jvp<A extends readonly unknown[] = readonly Node[], R = unknown>(
  f: (...args: A) => R,
  x: OnTensors<A>,
  tangents: OnTensors<A>,
): Promise<[value: OnTensors<R>, derivative: OnTensors<R>]>;
export function jvp<A extends readonly unknown[] = readonly Node[], R = unknown>(
  f: (...args: A) => R,
  x: readonly [...A],
  tangents: readonly [...A],
): [value: R, derivative: R];
export function jvp(f: AnyFunction, x: readonly unknown[], tangents: readonly unknown[]): unknown {
  checkFunction("jvp", f);
  checkLists("jvp", x, tangents);
  const onNodes = (args: readonly unknown[], directions: readonly unknown[]): unknown => {
    const call = traceCall("jvp", f, args);
    call.inputs.forEach((node, i) => {
      checkDifferentiable("jvp", node, call.paths[i] ?? []);
    });
    const v = checkBeside("jvp", "the tangent", call.inputs, directions);
    const outputs = beforeGradient(leavesOf(call.result).map(({ leaf }) => leaf as Node));
    const moved = pushForward(outputs, call.inputs, v);
    return finish(call, [withLeaves(call.result, outputs), withLeaves(call.result, moved)]);
  };
  return (transformed("jvp", f, onNodes) as (...args: readonly unknown[]) => unknown)(x, tangents);
}

function checkLists(where: string, ...lists: readonly unknown[]): void {
  for (const list of lists) {
    if (Array.isArray(list)) continue;
    throw new GraphError({
      where,
      problem: "the arguments are no list",
      expected: "a list of the function's arguments, and one of their tangents",
      received: show(list),
      fix: "Write jvp(f, [x], [v]).",
    });
  }
}

/** From a factor like the function's value to uᵀ·J, one for each argument. */
export type Pullback<A extends readonly unknown[], R> = Transformed<[u: R], { [I in keyof A]: OnNodes<A[I]> }>;

/**
 * The value, and a function from u to uᵀ·J, one for each argument: reverse mode without a scalar. On tensors the pullback
 * computes the function again, in the same program as the products.
 *
 * @throws GraphError where an argument is of integers; from the pullback where u does not have the value's shapes.
 * @example
 * import { ops, tensor, vjp, type Node } from "torte";
 * const f = (x: Node) => ops.mul(x, x);
 * const [y, pullback] = await vjp(f, tensor([1, 2, 3]));
 * const [dx] = await pullback(tensor([1, 1, 2]));
 * console.log(y.toArray(), dx.toArray()); // [ 1, 4, 9 ] [ 2, 4, 12 ]
 */
export function vjp<A extends readonly unknown[] = readonly Node[], R = unknown>(
  f: (...args: A) => R,
  ...x: OnTensors<A> & readonly unknown[]
): Promise<[value: OnTensors<R>, pullback: Pullback<A, R>]>;
export function vjp<A extends readonly unknown[] = readonly Node[], R = unknown>(
  f: (...args: A) => R,
  ...x: A
): [value: R, pullback: Pullback<A, R>];
export function vjp(f: AnyFunction, ...x: readonly unknown[]): unknown {
  checkFunction("vjp", f);
  const products = (u: unknown, ...args: readonly unknown[]): unknown => {
    const call = traceCall("vjp", f, args);
    call.inputs.forEach((node, i) => {
      checkDifferentiable("vjp", node, call.paths[i] ?? []);
    });
    const outputs = beforeGradient(leavesOf(call.result).map(({ leaf }) => leaf as Node));
    const factors = checkBeside("vjp", "the factor of the pullback", outputs, u);
    return finish(call, withLeaves(args, pullBackNodes(outputs, factors, call.inputs)));
  };
  const pull = transformed("vjp", f, products) as (...args: readonly unknown[]) => unknown;
  const pullback = (u: unknown): unknown => pull(u, ...x);
  const value: unknown = transformed("vjp", f, f as (...args: readonly unknown[]) => unknown)(...(x as never[]));
  return value instanceof Promise ? value.then((y: unknown) => [y, pullback]) : [value, pullback];
}

/**
 * The product of the Hessian with a vector, d/dε ∇f(x + ε·v) at ε = 0, without the Hessian: some two gradients' work.
 * It is called with the function's arguments and, last, v, a tree like the argument that is differentiated by.
 *
 * @throws as `grad` does; GraphError where v does not have the argument's shapes.
 * @example
 * import { hvp, ops, tensor, type Node } from "torte";
 * const f = (x: Node) => ops.sum(ops.mul(x, ops.mul(x, x)));
 * const product = await hvp(f)(tensor([1, 2, 3]), tensor([1, 0, 1]));
 * console.log(product.toArray()); // [6, 0, 18]
 */
export function hvp<A extends readonly unknown[] = readonly Node[], const I extends number | readonly number[] = 0>(
  f: (...args: A) => Node,
  options: GradOptions<I> = {},
): Transformed<[...args: A, vector: GradientOf<A, I>], GradientOf<A, I>> {
  checkOf("hvp", f, options);
  const onNodes = (...all: readonly unknown[]): unknown => {
    const [args, vector] = [all.slice(0, -1), all.at(-1)];
    const call = traceCall("hvp", f, args);
    const { value } = scalarOf("hvp", call.result, false);
    const { wrt, tree } = choose("hvp", call, args, options.argument ?? 0);
    const nodes = wrt.map(({ node }) => node);
    const v = checkBeside("hvp", "the vector", nodes, vector);
    const [simple = value] = beforeGradient([value]);
    const products = pushForward(gradients(simple, nodes), nodes, v);
    return finish(call, withLeaves(tree, products));
  };
  return transformed("hvp", f as AnyFunction, onNodes) as unknown as ReturnType<typeof hvp<A, I>>;
}
