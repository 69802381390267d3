/** Functions that move values without computing. */
import { GraphError } from "../errors.js";
import { iota, make } from "../graph/make.js";
import type { Node, WindowAttributes } from "../graph/node.js";
import { formatShape, sameShape, sizeAt, sizeOf, type Shape } from "../tensor/shape.js";
import { cast, equal } from "./basic.js";

/** `axis` counted from the end if negative. */
export function normalizeAxis(axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || positive < 0 || positive >= rank) {
    throw new GraphError({
      where: "axis",
      problem: "axis does not exist",
      expected: `${-rank}…${rank - 1}`,
      received: String(axis),
    });
  }
  return positive;
}

/** The same values in another shape; one size may be −1 and is then derived. */
export function reshape(x: Node, shape: Shape): Node {
  const known = shape.reduce((product, n) => (n === -1 ? product : product * n), 1);
  const derived = shape.map((n) => (n === -1 ? sizeOf(x.shape) / known : n));
  if (derived.some((n) => !Number.isInteger(n)) || shape.filter((n) => n === -1).length > 1) {
    throw new GraphError({
      where: "reshape",
      problem: "sizes do not fit",
      expected: `${sizeOf(x.shape)} elements`,
      received: formatShape(shape),
    });
  }
  return sameShape(derived, x.shape) ? x : make("reshape", [x], { shape: derived });
}

/** The axes of x in another order; reversed unless said otherwise. */
export function transpose(
  x: Node,
  permutation: readonly number[] = x.shape.map((_, i) => x.shape.length - 1 - i),
): Node {
  return permutation.every((axis, i) => axis === i) ? x : make("transpose", [x], { permutation });
}

/** x with an axis of size 1 put in. */
export function expandDims(x: Node, axis: number): Node {
  const position = normalizeAxis(axis, x.shape.length + 1);
  return reshape(x, [...x.shape.slice(0, position), 1, ...x.shape.slice(position)]);
}

/** `start` up to `stop` (from the end if negative, the end by default) in steps, for the axes given; others whole. */
export function slice(x: Node, axis: number, start: number, stop = Infinity, step = 1): Node {
  const at = normalizeAxis(axis, x.shape.length);
  const length = sizeAt(x.shape, at);
  const from = start < 0 ? start + length : start;
  const to = Math.min(length, stop < 0 ? stop + length : stop);
  if (from === 0 && to === length && step === 1) return x;
  const pick = (whole: number, part: number): number[] => x.shape.map((_, i) => (i === at ? part : whole));
  return make("slice", [x], {
    start: pick(0, from),
    stop: x.shape.map((n, i) => (i === at ? to : n)),
    step: pick(1, step),
  });
}

/** `[before, after]` positions of `value` around each axis. */
export function pad(x: Node, widths: readonly (readonly [number, number])[], value = 0): Node {
  if (widths.every(([low, high]) => low === 0 && high === 0)) return x;
  return make("pad", [x], {
    low: widths.map(([low]) => low),
    high: widths.map(([, high]) => high),
    interior: widths.map(() => 0),
    value,
  });
}

/** x turned around along axes. */
export function reverse(x: Node, axes: readonly number[]): Node {
  return make("reverse", [x], { axes: axes.map((axis) => normalizeAxis(axis, x.shape.length)) });
}

/** Arrays one behind the other along an axis. */
export function concat(parts: readonly Node[], axis: number): Node {
  const [first] = parts;
  if (first === undefined) throw new RangeError("there is nothing to put together");
  return parts.length === 1 ? first : make("concat", parts, { axis: normalizeAxis(axis, first.shape.length) });
}

/** Arrays side by side along a new axis. */
export function stack(parts: readonly Node[], axis = 0): Node {
  return concat(
    parts.map((part) => expandDims(part, axis)),
    axis,
  );
}

/** Sliding windows over the axes from `axis` on: [..., n, ...] becomes [..., positions, taps, ...]. */
export function windows(x: Node, attributes: WindowAttributes): Node {
  return make("windows", [x], attributes);
}

/** Adds windows up again where they overlap: the transpose of `windows` over axes of the given lengths. */
export function fold(x: Node, attributes: WindowAttributes & { lengths: readonly number[] }): Node {
  return make("fold", [x], attributes);
}

/**
 * Rows of `table` at `indices`. Models look at indices before or while they use them: one that is no row of its table is a
 * DataError with row and column.
 */
export function gather(table: Node, indices: Node): Node {
  return make("gather", [table, indices], {});
}

/** Adds `updates` to the rows at `indices`; the first `batch` axes have tables of their own. */
export function scatterAdd(indices: Node, updates: Node, rows: number, batch = 0): Node {
  return make("scatterAdd", [indices, updates], { rows, batch });
}

/** 1 at the place that an index names, 0 elsewhere, along a new last axis. */
export function oneHot(indices: Node, depth: number): Node {
  const shape = [...indices.shape, depth];
  const expanded = make("broadcast", [expandDims(indices, -1)], { shape });
  return cast(equal(expanded, iota(shape, shape.length - 1)), "float32");
}
