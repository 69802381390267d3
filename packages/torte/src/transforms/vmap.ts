/** vmap: a function of one example becomes one of a batch. */
import { checkOptions, GraphError, oneOf, OptionError, show } from "../errors.js";
import type { Node } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { formatShape } from "../tensor/shape.js";
import { type Operand, type Randomness, withBatch } from "./batch-rules.js";
import { type AnyFunction, finish, traceCall } from "./trace.js";
import { checkFunction, type Transformed, transformed } from "./transformed.js";
import { formatPath, leavesOf, type Path, withLeaves } from "./tree.js";

/** An axis, null for none, or a tree of them like the argument's. */
export type Axes = number | null | readonly Axes[] | { readonly [name: string]: Axes };

/** Options of {@link vmap}. */
export interface VmapOptions {
  /**
   * The axis of the examples, for each argument: a list, or one for all. null: the argument is the same for all examples.
   * For a tree one axis for all of its leaves, or a tree of axes. Negative ones count from the end. Default 0.
   */
  readonly in?: Axes;
  /** Where the axis of the examples goes in what the function gives: one for all, or a tree of them. Default 0. */
  readonly out?: Axes;
  /**
   * What random numbers within the function do: "error", "same" for all examples, or "different", those of one draw for
   * the whole batch. A key that differs from example to example draws by itself in any case. Default "error".
   */
  readonly randomness?: Randomness;
}

/** The axis for each leaf of a tree. */
function axesOf(where: string, option: string, axes: unknown, tree: unknown): { axis: number | null; path: Path }[] {
  const wrong = (problem: string, expected: string, received: unknown): never => {
    throw new OptionError({ where, problem, expected, received: show(received) });
  };
  return leavesOf(tree).map(({ path }) => {
    let here: unknown = axes;
    for (const key of path) {
      if (typeof here !== "object" || here === null) break;
      here = (here as Readonly<Record<string | number, unknown>>)[key];
      if (here === undefined) wrong(`${option} does not fit`, `an axis, or null, for ${formatPath(path)}`, axes);
    }
    if (here === null || (typeof here === "number" && Number.isInteger(here))) return { axis: here, path };
    return wrong(`${option} has the wrong form`, "axes (whole numbers), null, or trees of them", axes);
  });
}

/** Counted from the front. */
function axisWithin(where: string, axis: number, rank: number, what: string, shape: readonly number[]): number {
  const found = axis < 0 ? axis + rank : axis;
  if (found >= 0 && found < rank) return found;
  throw new OptionError({
    where,
    problem: `axis ${axis} of ${what} does not exist`,
    expected: rank === 0 ? "null, as it has no axes" : `${-rank}…${rank - 1}`,
    received: `${axis} for ${formatShape(shape)}`,
    ...(rank === 0 ? { fix: "Write null in the option in for what is the same for all examples." } : {}),
  });
}

function moved(x: Node, from: number, to: number): Node {
  const order = x.shape.map((_, i) => i);
  order.splice(to, 0, ...order.splice(from, 1));
  return ops.transpose(x, order);
}

interface Mapped {
  readonly axis: number | null;
  readonly path: Path;
  readonly size: number | undefined;
}

function mappedLeaves(where: string, axes: unknown, args: readonly unknown[]): { leaves: Mapped[]; size: number } {
  const wanted = Array.isArray(axes) ? (axes as unknown[]) : args.map(() => axes);
  if (wanted.length !== args.length) {
    throw new OptionError({
      where,
      problem: "in does not fit",
      expected: `${args.length} ${args.length === 1 ? "axis" : "axes"}, one for each argument`,
      received: show(axes),
    });
  }
  const nodes = leavesOf(args).map(({ leaf }) => leaf as Node);
  const leaves = axesOf(where, "in", wanted, args).map(({ axis, path }, i): Mapped => {
    const { shape } = nodes[i] ?? { shape: [] };
    if (axis === null) return { axis, path, size: undefined };
    const at = axisWithin(where, axis, shape.length, `argument ${formatPath(path)}`, shape);
    return { axis: at, path, size: shape[at] };
  });
  const first = leaves.find(({ size }) => size !== undefined);
  if (first?.size === undefined) {
    throw new OptionError({
      where,
      problem: "nothing differs from example to example",
      expected: "an axis for at least one tensor among the arguments",
      received: `in: ${show(axes)}`,
    });
  }
  const other = leaves.find(({ size }) => size !== undefined && size !== first.size);
  if (other !== undefined) {
    throw new GraphError({
      where,
      problem: "the arguments have different numbers of examples",
      expected: `${first.size} as in argument ${formatPath(first.path)}`,
      received: `${other.size ?? 0} in argument ${formatPath(other.path)}`,
      fix: "Write null in the option in for what is the same for all examples.",
    });
  }
  return { leaves, size: first.size };
}

/**
 * Turns a function of one example into one of a batch of them: its arguments get an axis more, and so does what it gives.
 * It is traced once for one example, and each primitive replaced by itself over a batch, so that the batch costs what
 * layers over a batch cost. vmap(f)(X)[i] = f(X[i]).
 *
 * @throws OptionError for axes that do not exist or do not fit the arguments; GraphError for unequal numbers of examples,
 * and for random numbers within the function unless `randomness` says what they do.
 * @example
 * import { ops, tensor, vmap, type Node } from "torte";
 * const f = (x: Node, w: Node) => ops.einsum("i,i->", x, w);
 * const F = vmap(f, { in: [0, null] });
 * const y = await F(tensor([[1, 2], [3, 4], [5, 6]]), tensor([1, 10]));
 * console.log(y.toArray()); // [21, 43, 65]
 */
export function vmap<A extends readonly unknown[] = readonly Node[], R = unknown>(
  f: (...args: A) => R,
  options: VmapOptions = {},
): Transformed<A, R> {
  const where = "vmap";
  checkFunction(where, f);
  checkOptions(where, options, ["in", "out", "randomness"]);
  const randomness = oneOf(where, "randomness", options.randomness ?? "error", ["error", "same", "different"]);
  const { in: inAxes = 0, out: outAxes = 0 } = options;
  const onNodes = (...args: readonly unknown[]): unknown => {
    const given = leavesOf(args).map(({ leaf }) => leaf as Node);
    const { leaves, size } = mappedLeaves(where, inAxes, args);
    const call = traceCall(where, f, args, ({ shape }, i) => {
      const axis = leaves[i]?.axis ?? null;
      return { shape: shape.filter((_, at) => at !== axis), mapped: axis !== null };
    });
    const inputs = new Map<Node, Node>();
    call.inputs.forEach((input, i) => {
      const [leaf, node] = [leaves[i], given[i]];
      if (leaf?.axis != null && node !== undefined) inputs.set(input, moved(node, leaf.axis, 0));
    });
    const results = leavesOf(call.result).map(({ leaf }) => leaf as Node);
    const since = Math.min(...call.inputs.map(({ id }) => id));
    const batched = withBatch(results, inputs, { size, randomness, where, since });
    const out = axesOf(where, "out", outAxes, call.result);
    const placed = batched.map((result, i) => placedAt(where, result, out[i]?.axis ?? null, size, out[i]?.path ?? []));
    return finish(call, withLeaves(call.result, placed), given);
  };
  return transformed(where, f as AnyFunction, onNodes) as Transformed<A, R>;
}

/** The result with the axis of the examples where the option out says. */
function placedAt(where: string, { node, batched }: Operand, axis: number | null, size: number, path: Path): Node {
  const what = path.length === 0 ? "the result" : `result${formatPath(path)}`;
  if (axis === null) {
    if (!batched) return node;
    throw new OptionError({
      where,
      problem: `${what} differs from example to example`,
      expected: "an axis for it in the option out",
      received: "null",
    });
  }
  const whole = batched ? node : ops.broadcastTo(ops.reshape(node, [1, ...node.shape]), [size, ...node.shape]);
  return moved(whole, 0, axisWithin(where, axis, whole.shape.length, what, whole.shape));
}
