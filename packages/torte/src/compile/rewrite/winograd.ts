/**
 * Convolutions with fewer multiplications (Toom 1963, Cook 1966, Winograd 1980): m neighbouring results of a kernel of r
 * taps take m + r − 1 products instead of m·r.
 *
 * The m + r − 1 inputs of a tile, the r taps and the m results are values of polynomials; they are mixed so that the
 * products belong to points of evaluation: y = Aᵀ((G·g) ⊙ (Bᵀ·d)), summed over channels between the brackets. The same
 * identity read the other way gives the gradient of the kernel: dg = Gᵀ((A·dy) ⊙ (Bᵀ·d)), summed over tiles. Applied to
 * one axis after the other where an estimate of the cost says so; taps along other axes stay sums.
 *
 * Done before differentiation, so that both gradients follow, dd = B((G·g) ⊙ (A·dy)) with as few products, and share
 * G·g, Bᵀ·d and A·dy; and once more after it, for convolutions that are the gradient of something else.
 */
import { make } from "../../graph/make.js";
import { inputOf, type Matrix, type Node, type Program, transposeMatrix } from "../../graph/node.js";
import { linearMap, pad, reshape, slice, windows } from "../../ops/index.js";
import { elementAt, sizeAt, sizeOf } from "../../tensor/shape.js";
import { rewriting } from "./rewrite.js";

/** Finite points of evaluation, in the order in which they are taken; the last point is always infinity. */
const POINTS = [0, 1, -1, 2, -2, 1 / 2, -1 / 2];
/** Results of a tile that are tried: along the first two axes, and along a third, where rounding would add up. */
const TILES = { first: [2, 4, 6], third: [2] } as const;
/** What making and reading a mixed value costs, in multiplications of a product. */
const TRANSFORM_COST = 10;

type Contract = Node & { readonly op: "contract" };

export const fastConvolutions = (program: Program): Generator<undefined, Program> =>
  fastConvolutionsAt(program, TRANSFORM_COST);

/** The same where a mixed value costs as much as so many multiplications of a product. */
export function* fastConvolutionsAt(program: Program, transformCost: number): Generator<undefined, Program> {
  if (program.exactConvolutions === true) return program;
  return yield* rewriting(program, (node) => (node.op === "contract" ? fast(node, transformCost) : node));
}

/** One windowed axis of a product. */
interface WindowedAxis {
  /** The operand with the windows, and its number. */
  readonly view: Node & { readonly op: "windows" };
  readonly which: 0 | 1;
  /** Among the windowed axes. */
  readonly index: number;
  readonly position: string;
  readonly tap: string;
  readonly length: number;
  readonly taps: number;
  /** The taps are summed, as in a convolution, or the positions, as in the gradient of its kernel. */
  readonly sums: "taps" | "positions";
}

/** The product along the first axis where that pays, then along the next; `done` axes are already. */
function fast(node: Contract, transformCost: number, done = 0): Node {
  for (const which of [0, 1] as const) {
    const view = inputOf(node, which);
    if (view.op !== "windows") continue;
    for (let index = view.attributes.size.length - 1; index >= 0; index--) {
      const axis = windowedAxis(node, view, which, index);
      const allowed = done < 2 ? TILES.first : TILES.third;
      const tile = axis === undefined ? undefined : bestTile(node, axis, { allowed, transformCost });
      if (axis === undefined || tile === undefined) continue;
      return transformed(node, axis, tile, (product) => fast(product, transformCost, done + 1));
    }
  }
  return node;
}

function windowedAxis(
  node: Contract,
  view: WindowedAxis["view"],
  which: 0 | 1,
  index: number,
): WindowedAxis | undefined {
  const { axis, size, stride, dilation } = view.attributes;
  const { a, b, out } = node.attributes;
  const [own, other] = which === 0 ? [a, b] : [b, a];
  const [position = "", tap = ""] = [own[axis + index], own[axis + size.length + index]];
  const plain = stride[index] === 1 && dilation[index] === 1;
  const within = (label: string, inOut: boolean): boolean =>
    out.includes(label) === inOut && other.includes(label) !== inOut;
  const sums =
    within(position, true) && within(tap, false)
      ? "taps"
      : within(position, false) && within(tap, true)
        ? "positions"
        : undefined;
  if (!plain || sums === undefined) return undefined;
  const [length, taps] = [sizeAt(view.shape, axis + index), sizeAt(size, index)];
  return { view, which, index, position, tap, length, taps, sums };
}

/** Results of a tile with the lowest cost, undefined where the plain product is cheaper. */
function bestTile(
  node: Contract,
  { view, which, length, taps, sums }: WindowedAxis,
  { allowed, transformCost }: { readonly allowed: readonly number[]; readonly transformCost: number },
): number | undefined {
  if (taps < 3) return undefined;
  const other = inputOf(node, which === 0 ? 1 : 0);
  const input = inputOf(view, 0);
  const plain = multiplications(node);
  let best: { tile: number; cost: number } | undefined;
  for (const tile of allowed) {
    const points = tile + taps - 1;
    if (points > POINTS.length + 1) continue;
    const tiles = Math.ceil(length / tile);
    const [perPosition, perTap] = [(tiles * points) / length, points / taps];
    const small = sums === "taps" ? other : node;
    const large = sums === "taps" ? node : other;
    const mixed = sizeOf(input.shape) * perPosition + sizeOf(large.shape) * perPosition + sizeOf(small.shape) * perTap;
    const cost = (plain * tiles * points) / (length * taps) + transformCost * mixed;
    if (cost < (best?.cost ?? plain)) best = { tile, cost };
  }
  return best?.tile;
}

function multiplications(node: Contract): number {
  const sizes = new Map<string, number>();
  [...node.attributes.a].forEach((label, i) => sizes.set(label, sizeAt(inputOf(node, 0).shape, i)));
  [...node.attributes.b].forEach((label, i) => sizes.set(label, sizeAt(inputOf(node, 1).shape, i)));
  return sizeOf([...sizes.values()]);
}

/** Over tiles of so many results; `further` sees to the other axes of the product. */
function transformed(node: Contract, axis: WindowedAxis, tile: number, further: (product: Contract) => Node): Node {
  const { which, position, tap, length, taps, sums } = axis;
  const { a, b, out } = node.attributes;
  const other = which === 0 ? b : a;
  const tiles = Math.ceil(length / tile);
  const { results, kernel, inputs } = toomCook(tile, taps);
  const view = mixedView(axis, which === 0 ? a : b, tiles, tile, inputs);
  const product = (factor: Node, labels: string, result: string): Node => {
    const [x, y] = which === 0 ? [view.node, factor] : [factor, view.node];
    const [left, right] = which === 0 ? [view.labels, labels] : [labels, view.labels];
    const contract = make("contract", [x, y], { a: left, b: right, out: result });
    return contract.op === "contract" ? further(contract) : contract;
  };
  const factor = inputOf(node, which === 0 ? 1 : 0);
  // The label of the taps stands for the points from here on; they come first, so that each point has its own matrices.
  const without = (labels: string): string => labels.replace(tap, "");
  if (sums === "taps") {
    const weights = linearMap(factor, other.indexOf(tap), kernel, 0);
    const points = product(weights, tap + without(other), tap + out);
    const at = out.indexOf(position);
    const found = linearMap(points, 0, results, at + 1);
    const flat = reshape(found, [...found.shape.slice(0, at), tiles * tile, ...found.shape.slice(at + 2)]);
    return slice(flat, at, 0, length);
  }
  const at = other.indexOf(position);
  const whole = padEnd(factor, at, tiles * tile);
  const tiled = reshape(whole, [...whole.shape.slice(0, at), tiles, tile, ...whole.shape.slice(at + 1)]);
  const points = product(linearMap(tiled, at + 1, transposeMatrix(results), 0), tap + other, tap + without(out));
  return linearMap(points, 0, transposeMatrix(kernel), out.indexOf(tap));
}

/** The view in tiles, mixed into values at the points; windows along other axes are taken of the result. */
function mixedView(
  { view, index }: WindowedAxis,
  labels: string,
  tiles: number,
  tile: number,
  inputs: Matrix,
): { node: Node; labels: string } {
  const { axis, size, stride, dilation } = view.attributes;
  const n = size.length;
  const at = axis + index;
  const padded = padEnd(inputOf(view, 0), at, (tiles - 1) * tile + inputs.length);
  const tiled = windows(padded, { axis: at, size: [inputs.length], stride: [tile], dilation: [1] });
  const mixed = linearMap(tiled, at + 1, inputs, 0);
  const [positions, taps] = [labels.slice(axis, axis + n), labels.slice(axis + n, axis + 2 * n)];
  const others = (from: number, to: number, start: number, of: Node): Node => {
    const part = <T>(list: readonly T[]): readonly T[] => list.slice(from, to);
    return from === to
      ? of
      : windows(of, { axis: start, size: part(size), stride: part(stride), dilation: part(dilation) });
  };
  const after = others(index + 1, n, at + 2, mixed);
  return {
    node: others(0, index, axis + 1, after),
    labels:
      elementAt([...taps], index) +
      labels.slice(0, axis) +
      positions.slice(0, index) +
      taps.slice(0, index) +
      elementAt([...positions], index) +
      positions.slice(index + 1) +
      taps.slice(index + 1) +
      labels.slice(axis + 2 * n),
  };
}

/** Zeros at the end of an axis up to `length`; one padding with another becomes one. */
function padEnd(x: Node, axis: number, length: number): Node {
  const missing = length - sizeAt(x.shape, axis);
  if (missing <= 0) return slice(x, axis, 0, length);
  if (x.op === "pad" && x.attributes.value === 0) {
    const high = x.attributes.high.map((n, i) => (i === axis ? n + missing : n));
    return make("pad", x.inputs, { ...x.attributes, high });
  }
  return pad(
    x,
    x.shape.map((_, i) => [0, i === axis ? missing : 0] as const),
  );
}

interface Transforms {
  /** Aᵀ, results × points. */
  readonly results: Matrix;
  /** G, points × taps. */
  readonly kernel: Matrix;
  /** Bᵀ, points × inputs. */
  readonly inputs: Matrix;
}

/** The transforms for tiles of `tile` results and kernels of `taps` taps. */
export function toomCook(tile: number, taps: number): Transforms {
  const points = POINTS.slice(0, tile + taps - 2);
  const all = polynomial(points);
  const without = (j: number): number[] => polynomial(points.filter((_, i) => i !== j));
  const slope = (j: number): number =>
    points.reduce((product, x, i) => (i === j ? product : product * (elementAt(points, j) - x)), 1);
  const last = (n: number): number[] => Array.from({ length: n }, (_, i) => Number(i === n - 1));
  const powers = (n: number, x: number): number[] => Array.from({ length: n }, (_, i) => x ** i);
  return {
    results: Array.from({ length: tile }, (_, i) => [...points.map((x) => x ** i), Number(i === tile - 1)]),
    kernel: [...points.map((x, j) => powers(taps, x).map((power) => power / slope(j))), last(taps)],
    inputs: [...points.map((_, j) => [...without(j), 0]), all],
  };
}

/** Coefficients of Π (x − root), the constant one first. */
function polynomial(roots: readonly number[]): number[] {
  return roots.reduce<number[]>(
    (product, root) => [...product, 0].map((_, i) => (product[i - 1] ?? 0) - root * (product[i] ?? 0)),
    [1],
  );
}
