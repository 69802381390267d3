/** Scatters: tables are cleared, then rows are added in the order of the indices. */
import { sizeOf } from "../../tensor/shape.js";
import type { Expr } from "../loops/expr.js";
import {
  addIndex,
  constantIndex,
  coordinatesOf,
  type Index,
  indexOf,
  linearIndex,
  type LoopVariable,
  scaleIndex,
} from "../loops/index-expr.js";
import { lanePlace, nest, parallelNest, type Statement, type Strip, strips } from "../loops/loops.js";
import type { KernelContext } from "./kernel.js";
import { inputOf } from "../../graph/node.js";

/** Vectors of a row that are added at a time. */
const SCATTER_VECTORS = 2;

export function lowerScatter(kernel: KernelContext): readonly Statement[] {
  const { exprs, primary } = kernel;
  const [indices, updates] = [inputOf(primary, 0), inputOf(primary, 1)];
  if (primary.op !== "scatterAdd") throw new RangeError("nothing is scattered");
  const { rows, batch } = primary.attributes;
  const buffer = kernel.bufferOf(primary);
  const tables = indices.shape.slice(0, batch);
  const rest = primary.shape.slice(batch + 1);
  const row = sizeOf(rest);
  const place = (table: readonly Index[], at: Index, inner: Index): Index =>
    addIndex(scaleIndex(addIndex(scaleIndex(linearIndex(table, tables), rows), at), row), inner);
  const update = (at: readonly Index[], inner: Index): Expr =>
    kernel.inliner.read(updates, [...at, ...coordinatesOf(exprs.atoms, inner, rest)]);
  const width = kernel.vectorWidth([...indices.shape, row], (at, inner) => [update(at, inner)]);
  const table = (own: readonly Index[], strip: Strip): readonly Statement[] => {
    const each = (make: (inner: Index, lane: LoopVariable) => Statement): Statement[] =>
      strip.lanes.map((lane, v) => make(lanePlace(strip, v, lane), lane));
    const zero = exprs.number(0, primary.dtype);
    const clear = nest(exprs, [rows], ([at = constantIndex(0)]) =>
      each((inner, lane) => ({ op: "store", buffer, index: place(own, at, inner), value: zero, lane })),
    );
    const add = nest(exprs, indices.shape.slice(batch), (inside) => {
      const at = [...own, ...inside];
      const target = indexOf(exprs.atoms.dynamic(kernel.inliner.read(indices, at), rows));
      return each((inner, lane) => ({
        op: "addTo",
        buffer,
        index: place(own, target, inner),
        value: update(at, inner),
        lane,
      }));
    });
    return [...clear, ...add];
  };
  // Threads share tables or columns, so that every row is added to in the order of the indices; not both, since
  // the columns of a table would be apart by less than a line of the cache.
  return parallelNest(exprs, tables, (own) =>
    strips(exprs, row, { width, wide: SCATTER_VECTORS, parallel: tables.length === 0 }, (strip) => table(own, strip)),
  );
}
