/**
 * Products (gemm) as loops: whether operands are packed (`gemm-packed.ts`) or read where they lie (`directGemm`). The matmul of
 * a dense layer and the im2col of a convolution, which is a strided view, take the same way.
 */
import { sizeOf } from "../../tensor/shape.js";
import { constantIndex, factorOf, type Index, indexOf, sameIndex } from "../loops/index-expr.js";
import { parallelNest, type Statement, type Strip, strips, WIDTH } from "../loops/loops.js";
import type { KernelContext } from "./kernel.js";
import { KC, packedGemm } from "./gemm-packed.js";
import { reduceProduct } from "./reduce.js";
import { chooseRoles, type Plan, Gemm } from "./gemm-tile.js";

/** A right operand up to this size stays in the first-level cache while all rows pass by. */
const SMALL_PANEL_BYTES = 16 * 1024;
/** One from this size on is not: it has to come from the second-level cache or from memory each time. */
const LARGE_PANEL_BYTES = 256 * 1024;
/** A panel is packed where so many rows read it … */
const PACKED_ROWS = 24;
/** … and its vectors do not lie close to each other as it is. */
const CLOSE = 32;
/**
 * Where an epilogue reads arrays as large as the result, whole rows are finished one after the other, so that those arrays
 * pass by in the order in which they lie. That needs an operand of the vectors which stays in the second-level cache, …
 */
const NEAR_PANEL_BYTES = 512 * 1024;
/** … and pays where there are at least so many tiles of rows. */
const MANY_TILES = 64;

export function lowerGemm(kernel: KernelContext): readonly Statement[] {
  const { primary } = kernel;
  if (primary.op !== "contract") throw new RangeError("not a product");
  const roles = chooseRoles(primary);
  const product = roles === undefined ? undefined : new Gemm(kernel, primary, roles);
  if (!product?.hasVectors()) return reduceProduct(kernel);
  const plan = product.plan();
  if (finishesRows(product, plan)) return directGemm(product, plan, true);
  return isWorthPacking(product, plan) ? packedGemm(product, plan) : directGemm(product, plan, false);
}

/** Register tiles over rows and columns; the operands are read where they lie. */
function directGemm(product: Gemm, { across, sum, rowCount, width }: Plan, rowsFirst: boolean): readonly Statement[] {
  const { exprs } = product.kernel;
  const { batch } = product.roles;
  const last = across.extents.at(-1) ?? 1;
  const panelBytes = 4 * last * sizeOf(sum.extents);
  const outerExtents = [...product.extents(batch), ...across.extents.slice(0, -1)];
  return parallelNest(exprs, outerExtents, (at, parallel) => {
    const [batchAt, outer] = [at.slice(0, batch.length), at.slice(batch.length)];
    const batchPlaces = product.places(batch, batchAt);
    const tile = (row: Index, count: number, strip: Strip): readonly Statement[] => {
      const lanes = product.stripColumns(across, outer, strip);
      const cells = product.cells(row, count, lanes, batchPlaces);
      return [
        { op: "reset", accumulators: cells.map(({ accumulator }) => accumulator) },
        ...product.sum(cells, sum.extents, (over) => {
          const places = product.places(product.roles.summed, sum.expand(over));
          return {
            broadcast: (cell) => product.load("broadcast", cell.row, batchPlaces, places),
            vectors: (cell) => product.load("vectors", cell.column, batchPlaces, places),
          };
        }),
        ...cells.flatMap((cell) => product.epilogue(cell, exprs.accumulator(cell.accumulator))),
      ];
    };
    const byRows = (outer: boolean, body: (row: Index, count: number) => readonly Statement[]): readonly Statement[] =>
      product.byRows(constantIndex(0), rowCount, last, outer, body);
    const byColumns = (outer: boolean, body: (strip: Strip) => readonly Statement[]): readonly Statement[] =>
      strips(exprs, last, { width, wide: product.kernel.target.tile.vectors, parallel: outer }, body);
    return rowsFirst || panelBytes <= SMALL_PANEL_BYTES
      ? byRows(parallel, (row, count) => byColumns(false, (strip) => tile(row, count, strip)))
      : byColumns(parallel, (strip) => byRows(false, (row, count) => tile(row, count, strip)));
  });
}

function finishesRows(product: Gemm, { across, sum, rowCount }: Plan): boolean {
  const last = across.extents.at(-1) ?? 1;
  const terms = sizeOf(sum.extents);
  if (terms > KC || 4 * last * terms > NEAR_PANEL_BYTES) return false;
  if (rowCount < MANY_TILES * product.tileRows(last)) return false;
  const { batch, rows, columns } = product.roles;
  const result = product.result(...[batch, rows, columns].map((labels) => product.symbolic(labels)));
  return product.kernel.epilogueIndices(result).some((index) => sameIndex(index, result));
}

/**
 * Where enough tiles read the vectors' operand to pay for a copy: because its rows lie far apart, or because it is so long
 * that each tile would have to fetch it anew.
 */
function isWorthPacking(product: Gemm, { across, sum, rowCount }: Plan): boolean {
  const { exprs } = product.kernel;
  const [last = 1] = across.extents;
  if (across.extents.length !== 1 || sum.extents.length === 0 || last < 2 * WIDTH) return false;
  const terms = sizeOf(sum.extents);
  if (4 * last * terms >= LARGE_PANEL_BYTES && rowCount > product.tileRows(last)) return true;
  if (rowCount < PACKED_ROWS || terms < CLOSE) return false;
  const step = exprs.atoms.variable(sum.extents.at(-1) ?? 1);
  const outer = sum.extents.slice(0, -1).map((n) => indexOf(exprs.atoms.variable(n)));
  const { summed, columns, batch } = product.roles;
  const places = product.places(summed, sum.expand([...outer, indexOf(step)]));
  const load = product.load("vectors", places, product.symbolic(columns), product.symbolic(batch));
  const apart = load.op === "load" ? (factorOf(load.index, step) ?? 0) : 0;
  return Math.abs(apart) >= CLOSE;
}
