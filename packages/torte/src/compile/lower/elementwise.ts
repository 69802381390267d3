/** Elementwise kernels: one loop for each axis that remains when axes are merged, vectors along the last. */
import { largestDivisor, lastOf } from "../../tensor/shape.js";
import { indicesIn } from "../loops/expr.js";
import { addIndex, factorOf, type Index, indexOf, linearIndex, scaleIndex } from "../loops/index-expr.js";
import { coalesce, lanePlace, loop, parallelNest, type Statement, type Strip, strips } from "../loops/loops.js";
import type { KernelContext } from "./kernel.js";

/** Rows of a transposed array that are read together: their elements share cache lines. */
const COLUMN_BLOCK = 16;
/** Vectors of a row that are computed at a time; a row of up to so many is unrolled whole. */
const MOST_UNROLLED = 8;

export function lowerElementwise(kernel: KernelContext): readonly Statement[] {
  const { exprs } = kernel;
  const views = (coordinates: Index[]): Index[] => {
    const linear = linearIndex(coordinates, kernel.primary.shape);
    return [linear, ...[...kernel.values(linear, new Map()).values()].flatMap(indicesIn)];
  };
  const { extents, expand } = coalesce(exprs, kernel.primary.shape, views);
  const outer = extents.slice(0, -1);
  const last = extents.at(-1) ?? 1;
  const place = (at: Index[], inner: Index): Index => linearIndex(expand([...at, inner]), kernel.primary.shape);
  const width = kernel.vectorWidth(extents, (at, inner) => [...kernel.values(place(at, inner), new Map()).values()]);
  const wide = last <= MOST_UNROLLED * width ? Math.max(1, Math.floor(last / width)) : 2;
  const stores = (at: Index[], strip: Strip): Statement[] =>
    strip.lanes.flatMap((lane, v) => kernel.stores(place(at, lanePlace(strip, v, lane)), lane));
  const rows = outer.at(-1) ?? 1;
  const block = width > 1 && readsColumns(kernel, extents, place) ? largestDivisor(rows, COLUMN_BLOCK) : 1;
  if (block === 1)
    return parallelNest(exprs, outer, (at, parallel) =>
      strips(exprs, last, { width, wide, parallel }, (strip) => stores(at, strip)),
    );
  return parallelNest(exprs, [...outer.slice(0, -1), rows / block], (at) => {
    const first = scaleIndex(lastOf(at), block);
    return strips(exprs, last, { width, wide: 1 }, (strip) =>
      loop(exprs, block, (row) => stores([...at.slice(0, -1), addIndex(first, row)], strip)),
    );
  });
}

/** Whether vectors collect their lanes from far apart, while the next row finds its own beside them. */
function readsColumns(
  kernel: KernelContext,
  extents: readonly number[],
  place: (at: Index[], inner: Index) => Index,
): boolean {
  const { exprs } = kernel;
  const variables = extents.map((n) => exprs.atoms.variable(n));
  const [row, column] = variables.slice(-2);
  if (row === undefined || column === undefined) return false;
  const at = variables.map((v) => indexOf(v));
  const linear = place(at.slice(0, -1), lastOf(at));
  return [...kernel.values(linear, new Map()).values()].flatMap(indicesIn).some((index) => {
    const [across, along] = [factorOf(index, column) ?? 0, factorOf(index, row) ?? 0];
    return Math.abs(across) > 1 && Math.abs(along) === 1;
  });
}
