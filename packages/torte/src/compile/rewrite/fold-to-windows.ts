/**
 * Turns the scatter of overlapping windows (`fold`, col2im) into a gather, so that what overlaps and is added up is never
 * made. The gradient of a convolution's input, a product whose windows are added up, becomes a product over windows of its
 * padded factor with the kernel turned around. Of a fast convolution, tiles that are transformed and then added up become one
 * linear map of all the tiles that meet at a place.
 */
import { make } from "../../graph/make.js";
import { inputOf, type Node, nodesOf, type Program } from "../../graph/node.js";
import { linearMap, pad, reshape, reverse, slice, transpose, windows } from "../../ops/index.js";
import { rewriting } from "./rewrite.js";
import { elementAt, sizeAt } from "../../tensor/shape.js";

/** Above this many zeros between positions, multiplying them costs more than the detour through memory. */
const MOST_STRIDE = 2;

export function* foldToWindows(program: Program): Generator<undefined, Program> {
  const readers = new Map<Node, number>();
  for (const node of nodesOf(program)) for (const x of node.inputs) readers.set(x, (readers.get(x) ?? 0) + 1);
  return yield* rewriting(program, (node, original) => {
    if (node.op !== "fold") return node;
    const folded = inputOf(node, 0);
    if (readers.get(inputOf(original, 0)) !== 1) return node;
    if (folded.op === "contract") return foldAsConvolution(node, folded) ?? node;
    return folded.op === "linearMap" ? (mergeTiles(node, folded) ?? node) : node;
  });
}

/**
 * Result r of place t is Σ_k B[r + s·k]·x[t − k], where tiles of B's rows begin every s results: one linear map of the tiles t − K + 1 … t.
 */
function mergeTiles(node: Node & { op: "fold" }, mixed: Node & { op: "linearMap" }): Node | undefined {
  const { axis, size, stride, dilation, lengths } = node.attributes;
  const { axis: from, to, matrix } = mixed.attributes;
  const [step = 1, length = 0] = [stride[0], lengths[0]];
  if (size.length !== 1 || dilation[0] !== 1 || to !== axis + 1 || step >= matrix.length) return undefined;
  const x = inputOf(mixed, 0);
  const [tile, points] = [axis < from ? axis : axis + 1, sizeAt(x.shape, from)];
  const overlap = Math.ceil(matrix.length / step);
  const margins = x.shape.map((_, i) => (i === tile ? ([overlap - 1, overlap - 1] as const) : ([0, 0] as const)));
  const view = windows(pad(x, margins), { axis: tile, size: [overlap], stride: [1], dilation: [1] });
  const [across, point] = [tile + 1, from <= tile ? from : from + 1];
  const others = [...view.shape.keys()].filter((i) => i !== across && i !== point);
  const together = reshape(transpose(view, [across, point, ...others]), [
    overlap * points,
    ...others.map((i) => sizeAt(view.shape, i)),
  ]);
  const row = (result: number): number[] =>
    Array.from(
      { length: overlap },
      (_, k) => matrix[result + (overlap - 1 - k) * step] ?? Array<number>(points).fill(0),
    ).flat();
  const found = linearMap(
    together,
    0,
    Array.from({ length: step }, (_, result) => row(result)),
    to,
  );
  const [before, after] = [found.shape.slice(0, axis), found.shape.slice(axis + 2)];
  return slice(reshape(found, [...before, sizeAt(found.shape, axis) * step, ...after]), axis, 0, length);
}

function foldAsConvolution(node: Node & { op: "fold" }, product: Node & { op: "contract" }): Node | undefined {
  const { axis, size, stride, dilation, lengths } = node.attributes;
  const n = size.length;
  const { a, b, out } = product.attributes;
  const positions = [...out.slice(axis, axis + n)];
  const taps = [...out.slice(axis + n, axis + 2 * n)];
  const only = (labels: readonly string[], inside: string, outside: string): boolean =>
    labels.every((label) => inside.includes(label) && !outside.includes(label));
  const order =
    only(positions, a, b) && only(taps, b, a)
      ? ([0, 1] as const)
      : only(positions, b, a) && only(taps, a, b)
        ? ([1, 0] as const)
        : undefined;
  if (order === undefined || stride.reduce((all, s) => all * s, 1) > MOST_STRIDE) return undefined;
  const [factorLabels, kernelLabels] = order[0] === 0 ? [a, b] : [b, a];
  const [factor, kernel] = [inputOf(product, order[0]), inputOf(product, order[1])];
  const at = factorLabels.indexOf(elementAt(positions, 0));
  const contiguous = positions.every((label, i) => factorLabels.indexOf(label) === at + i);
  if (!contiguous) return undefined;
  const along = (value: (i: number) => number): number[] =>
    factor.shape.map((_, i) => (i >= at && i < at + n ? value(i - at) : 0));
  const reach = (i: number): number => (sizeAt(size, i) - 1) * sizeAt(dilation, i);
  const padded = make("pad", [factor], {
    low: along(reach),
    high: along((i) => sizeAt(lengths, i) - (sizeAt(factor.shape, at + i) - 1) * sizeAt(stride, i) - 1),
    interior: along((i) => sizeAt(stride, i) - 1),
    value: 0,
  });
  const view = windows(padded, { axis: at, size, stride: size.map(() => 1), dilation });
  const flipped = reverse(
    kernel,
    taps.map((label) => kernelLabels.indexOf(label)),
  );
  const viewLabels = factorLabels.slice(0, at + n) + taps.join("") + factorLabels.slice(at + n);
  const result = out.slice(0, axis + n) + out.slice(axis + 2 * n);
  return make("contract", [view, flipped], { a: viewLabels, b: kernelLabels, out: result });
}
