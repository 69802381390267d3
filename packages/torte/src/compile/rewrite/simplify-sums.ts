/** Algebraic simplification of sums: factors leave them, sums over scattered or chosen elements become sums over the source. */
import { constant, make } from "../../graph/make.js";
import { inputOf, type Node } from "../../graph/node.js";
import { sameShape, sizeAt, sizeOf, stridesOf } from "../../tensor/shape.js";

type Sum = Node & { op: "sum" };

/** What stands in for the sum; new nodes that it is made of go through `shared`. */
export function simplifySum(node: Sum, shared: (node: Node) => Node): Node {
  const x = inputOf(node, 0);
  if (x.op === "constant") return sumOfConstant(node, x.attributes.value);
  const unfolded = sumOfWindows(node, x, shared) ?? sumOfChosen(node, x, shared);
  return unfolded ?? factorOut(node, shared);
}

const sumOfConstant = (node: Sum, value: number): Node =>
  constant((value * sizeOf(inputOf(node, 0).shape)) / Math.max(1, sizeOf(node.shape)), node.shape, node.dtype);

/** Adding up windows where they lie and summing over all places is summing over all windows. */
function sumOfWindows({ attributes: { axes } }: Sum, x: Node, shared: (node: Node) => Node): Node | undefined {
  if (x.op !== "fold" || sizeOf(inputOf(x, 0).shape) > sizeOf(x.shape)) return undefined;
  const { axis, size } = x.attributes;
  const n = size.length;
  const folded = size.map((_, i) => axis + i);
  if (!folded.every((i) => axes.includes(i))) return undefined;
  const outside = axes.filter((i) => !folded.includes(i)).map((i) => (i < axis ? i : i + n));
  const all = [...outside, ...folded, ...folded.map((i) => i + n)].sort((i, j) => i - j);
  return simplifySum(make("sum", [inputOf(x, 0)], { axes: all }) as Sum, shared);
}

/** Σ over a window of g where the window has its maximum and 0 elsewhere, as in the derivative of pooling, is g. */
function sumOfChosen({ attributes: { axes } }: Sum, x: Node, shared: (node: Node) => Node): Node | undefined {
  const [chosen, g, zero] = x.inputs;
  if (x.op !== "select" || zero?.op !== "constant" || zero.attributes.value !== 0) return undefined;
  const window = chosen?.op === "equal" ? windowOfMaximum(chosen) : undefined;
  if (g === undefined || window === undefined || !window.every((axis) => axes.includes(axis))) return undefined;
  const single = withoutAxes(g, window);
  if (single === undefined) return undefined;
  const others = axes.filter((axis) => !window.includes(axis));
  const left = others.map((axis) => axis - window.filter((gone) => gone < axis).length);
  return left.length === 0 ? single : simplifySum(make("sum", [single], { axes: left }) as Sum, shared);
}

/** The axes along which exactly one element is chosen: where its position is that of the maximum. */
function windowOfMaximum({ shape, inputs }: Node & { op: "equal" }): readonly number[] | undefined {
  for (const [spread, position] of [inputs, [...inputs].reverse()]) {
    if (spread?.op !== "broadcast" || position === undefined) continue;
    const kept = inputOf(spread, 0);
    const first = kept.op === "reshape" ? inputOf(kept, 0) : kept;
    if (first.op !== "argmax" || !sameShape(inputOf(first, 0).shape, shape)) continue;
    const { axes } = first.attributes;
    const alone = shape.map((n, axis) => (axes.includes(axis) ? 1 : n));
    const within = stridesOf(axes.map((axis) => sizeAt(shape, axis)));
    const steps = shape.map((_, axis) => (axes.includes(axis) ? sizeAt(within, axes.indexOf(axis)) : 0));
    if (sameShape(kept.shape, alone) && sameShape(stepsOf(position) ?? [], steps)) return axes;
  }
  return undefined;
}

/** What an array of positions gains per step along each axis, where it starts at 0. */
function stepsOf(position: Node): readonly number[] | undefined {
  const [a, b] = position.inputs;
  if (position.op === "iota") return position.shape.map((_, axis) => Number(axis === position.attributes.axis));
  if (a === undefined || b === undefined) return undefined;
  if (position.op === "mul" && b.op === "constant") return stepsOf(a)?.map((n) => n * b.attributes.value);
  if (position.op !== "add") return undefined;
  const [first, second] = [stepsOf(a), stepsOf(b)];
  return first === undefined || second === undefined ? undefined : first.map((n, axis) => n + sizeAt(second, axis));
}

/**
 * Σ c·x = c·Σ x for factors that do not change along the summed axes: less work, and sums that differ in such factors only,
 * as in the derivative of a normalization, become one.
 */
function factorOut(node: Sum, shared: (node: Node) => Node): Node {
  const [x] = node.inputs;
  const { axes } = node.attributes;
  if (x?.dtype !== "float32" || axes.length === 0) return node;
  const factors = factorsOf(x);
  const fixed = factors.nodes.map((factor) => withoutAxes(factor, axes));
  const [first, ...others] = factors.nodes.filter((_, i) => fixed[i] === undefined);
  if (first === undefined || (others.length + 1 === factors.nodes.length && !factors.negative)) return node;
  const times = (a: Node, b: Node): Node => shared(make("mul", [a, b], {}));
  const sum = shared(make("sum", [others.reduce(times, first)], node.attributes));
  const total = fixed.reduce<Node>((product, factor) => (factor === undefined ? product : times(product, factor)), sum);
  return factors.negative ? make("neg", [total], {}) : total;
}

/** The factors of a product of products, and whether it is negative. */
function factorsOf(x: Node): { readonly nodes: readonly Node[]; readonly negative: boolean } {
  const [a, b] = x.inputs;
  if (x.op === "neg" && a !== undefined) {
    const { nodes, negative } = factorsOf(a);
    return { nodes, negative: !negative };
  }
  if (x.op !== "mul" || a === undefined || b === undefined) return { nodes: [x], negative: false };
  const [left, right] = [factorsOf(a), factorsOf(b)];
  return { nodes: [...left.nodes, ...right.nodes], negative: left.negative !== right.negative };
}

/** What the values are without the axes, along which they do not change; undefined where they do. */
function withoutAxes(x: Node, axes: readonly number[]): Node | undefined {
  const shape = x.shape.filter((_, axis) => !axes.includes(axis));
  if (x.op === "constant") return constant(x.attributes.value, shape, x.dtype);
  const [source] = x.inputs;
  if (x.op !== "broadcast" || source === undefined || axes.some((axis) => source.shape[axis] !== 1)) return undefined;
  const kept = source.shape.filter((_, axis) => !axes.includes(axis));
  const flat = sameShape(kept, source.shape) ? source : make("reshape", [source], { shape: kept });
  return sameShape(kept, shape) ? flat : make("broadcast", [flat], { shape });
}
