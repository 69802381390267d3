/** Products that copy the vectors of one operand side by side before their tiles read them. */
import { sizeOf } from "../../tensor/shape.js";
import type { Buffer, Exprs } from "../loops/expr.js";
import {
  addIndex,
  constantIndex,
  type Index,
  indexOf,
  linearIndex,
  type LoopVariable,
  scaleIndex,
  shiftIndex,
} from "../loops/index-expr.js";
import { eachIteration, nest, parallelNest, type Statement, type Strip, strips, WIDTH } from "../loops/loops.js";
import { type TileSum, type Chunk, type LabelIndices, type Plan, type Gemm, TILE, tilesOf } from "./gemm-tile.js";

/** Terms of a sum that are taken at a time: the panels of both operands stay in the first-level cache. */
export const KC = 256;
/** A panel is packed where at least so many tiles read it. */
export const PACKED_TILES = 4;
/** Strips that are worked on together, so that lines of the caches are read and written whole. */
const BAND = 2;
/** Rows are shared out among threads where there are fewer bands of columns, and products of a batch, than this. */
const UNITS = 8;
/** So many sums stay in the first-level cache while the operands pass by. */
const SMALL_RESULT = 8192;

/**
 * As `plain`, the sum in blocks. In each block the vectors of a strip are copied side by side, so that all tiles of the
 * strip read them from the first-level cache; between blocks the tiles rest in memory. The terms are added in the same
 * order as without blocks. A small result takes one block after the other, so that the operands are read once; a large
 * one takes one strip after the other, which threads can share.
 */
export function packedGemm(product: Gemm, { across, sum, rowCount }: Plan): readonly Statement[] {
  const { exprs, fused } = product.lowering;
  const [last = 1] = across.extents;
  const padded = Math.ceil(last / WIDTH) * WIDTH;
  const blocks = blocksOf(sum.extents, KC);
  const rounds = sizeOf(blocks.outer) * blocks.chunks.reduce((sum, chunk) => sum + chunk.rounds, 0);
  const single = rounds === 1;
  const { batch } = product.roles;
  const batches = product.extents(batch);
  const kept = single ? undefined : fused.buffers.addScratch(`${product.node.origin}:sums`, sizeOf(product.node.shape));
  const tiles = Math.ceil(rowCount / product.tileRows(last));
  const bandCount = Math.ceil(last / (BAND * TILE.vectors * WIDTH));
  const rowBlocks = Math.min(Math.ceil(UNITS / (sizeOf(batches) * bandCount)), Math.ceil(tiles / PACKED_TILES));
  const rowsPerBlock = Math.ceil(tiles / rowBlocks) * product.tileRows(last);
  const rowBlockCount = Math.ceil(rowCount / rowsPerBlock);
  const small = !single && sizeOf(batches) * rowBlockCount >= UNITS && rowsPerBlock * last <= SMALL_RESULT;
  const panels = blocks.chunks.map(({ count }) => {
    const terms = count * sizeOf(blocks.inner);
    const size = sizeOf(batches) * rowBlockCount * padded * terms;
    return { terms, buffer: fused.buffers.addScratch(`${product.node.origin}:panel`, size) };
  });
  /** One block of a band: the vectors of each of its strips side by side, then the tiles. */
  const block = (
    { batchAt, group, from, count }: RowBlock,
    band: Band,
    { chunk, panel, at }: Block,
  ): readonly Statement[] => {
    const batchPlaces = product.places(batch, batchAt);
    // Batches, groups and strips fill their own parts of the panel, since threads share them.
    const own = addIndex(scaleIndex(linearIndex(batchAt, batches), rowBlockCount), group);
    const packedAt = (strip: Strip, term: Index, v: number, lane: LoopVariable): Index => {
      const start = scaleIndex(addIndex(scaleIndex(own, padded), strip.start), panel.terms);
      const width = strip.lanes.length * WIDTH;
      return addIndex(addIndex(start, scaleIndex(term, width)), addIndex(constantIndex(v * WIDTH), indexOf(lane)));
    };
    const inner = [chunk.count, ...blocks.inner];
    const [round = constantIndex(0)] = at.slice(-1);
    const first = shiftIndex(scaleIndex(round, chunk.count), chunk.from);
    const termAt = (over: readonly Index[]): LabelIndices => {
      const [own = constantIndex(0), ...rest] = over;
      return product.places(product.roles.summed, sum.expand([...at.slice(0, -1), addIndex(first, own), ...rest]));
    };
    const pack = nest(exprs, inner, (over) =>
      allOf(band).flatMap((strip) =>
        product.stripColumns(across, [], strip).map(({ lane, places }, v) => ({
          op: "store",
          buffer: panel.buffer,
          index: packedAt(strip, linearIndex(over, inner), v, lane),
          value: product.load("vectors", places, batchPlaces, termAt(over)),
          lane,
        })),
      ),
    );
    const tile = (row: Index, rows: number, strip: Strip): readonly Statement[] => {
      const cells = product.cells(row, rows, product.stripColumns(across, [], strip), batchPlaces);
      const sums = product.sum(cells, inner, (over) => {
        const places = termAt(over);
        const term = linearIndex(over, inner);
        return {
          spread: (cell) => product.load("spread", cell.row, batchPlaces, places),
          vectors: (cell) => exprs.load(panel.buffer, packedAt(strip, term, cell.vector, cell.lane)),
        };
      });
      if (kept === undefined) {
        return [
          { op: "reset", accumulators: cells.map(({ accumulator }) => accumulator) },
          ...sums,
          ...cells.flatMap((cell) => product.epilogue(cell, exprs.accumulator(cell.accumulator))),
        ];
      }
      const resting = cells.map((cell) => ({ cell, index: product.result(cell.row, cell.column, batchPlaces) }));
      return [
        ...resting.map(({ cell: { accumulator, lane }, index }): Statement => ({
          op: "restore",
          accumulator,
          buffer: kept,
          index,
          lane,
        })),
        ...sums,
        ...resting.map(({ cell: { accumulator, lane }, index }): Statement => ({
          op: "store",
          buffer: kept,
          index,
          value: exprs.accumulator(accumulator),
          lane,
        })),
      ];
    };
    const tiles = (row: Index, rows: number): readonly Statement[] =>
      nest(exprs, [band.count], ([strip]) => tile(row, rows, band.strip(strip ?? constantIndex(0))));
    return [...pack, ...product.byRows(from, count, last, false, tiles)];
  };
  const eachBlock = (body: (where: Block) => readonly Statement[]): readonly Statement[] =>
    blocks.chunks.flatMap((chunk, c) => {
      const panel = panels[c];
      if (panel === undefined) return [];
      return nest(exprs, [...blocks.outer, chunk.rounds], (at) => body({ chunk, panel, at }));
    });
  const eachResting = (
    { batchAt, from, count }: RowBlock,
    band: Band,
    body: (cell: TileSum, index: Index) => readonly Statement[],
  ): readonly Statement[] => {
    const batchPlaces = product.places(batch, batchAt);
    return nest(exprs, [count], ([row]) =>
      allOf(band).flatMap((strip) =>
        product
          .cells(addIndex(from, row ?? constantIndex(0)), 1, product.stripColumns(across, [], strip), batchPlaces)
          .flatMap((cell) => body(cell, product.result(cell.row, cell.column, batchPlaces))),
      ),
    );
  };
  /** What comes before and after the blocks, where sums rest in memory between them. */
  const begin = (part: RowBlock, band: Band): readonly Statement[] => {
    const zero = exprs.number(0, "float32");
    if (kept === undefined) return [];
    return eachResting(part, band, ({ lane }, index) => [{ op: "store", buffer: kept, index, value: zero, lane }]);
  };
  const end = (part: RowBlock, band: Band): readonly Statement[] =>
    kept === undefined ? [] : eachResting(part, band, (cell, index) => product.epilogue(cell, exprs.load(kept, index)));
  const byBands = (parallel: boolean, part: RowBlock): readonly Statement[] => {
    const each = (body: (band: Band) => readonly Statement[]): readonly Statement[] =>
      bands(exprs, last, parallel && !small, body);
    if (!small)
      return each((band) => [
        ...begin(part, band),
        ...eachBlock((where) => block(part, band, where)),
        ...end(part, band),
      ]);
    return [
      ...each((band) => begin(part, band)),
      ...eachBlock((where) => each((band) => block(part, band, where))),
      ...each((band) => end(part, band)),
    ];
  };
  const full = Math.floor(rowCount / rowsPerBlock);
  const left = rowCount - full * rowsPerBlock;
  return parallelNest(exprs, batches, (batchAt, parallel) => {
    const zero = constantIndex(0);
    if (rowBlockCount === 1) return byBands(parallel, { batchAt, group: zero, from: zero, count: rowCount });
    const part = (group: Index, count: number): readonly Statement[] =>
      byBands(parallel, { batchAt, group, from: scaleIndex(group, rowsPerBlock), count });
    return [
      ...eachIteration(exprs, full, parallel, (group) => part(group, rowsPerBlock)),
      ...(left > 0 ? eachIteration(exprs, 1, parallel, (group) => part(shiftIndex(group, full), left)) : []),
    ];
  });
}

/** Rows of one product of a batch that are worked on together. */
interface RowBlock {
  readonly batchAt: readonly Index[];
  readonly group: Index;
  readonly from: Index;
  readonly count: number;
}

/** Terms of a sum that are taken at a time: those of one round of a chunk. */
interface Block {
  readonly chunk: Chunk;
  readonly panel: { readonly terms: number; readonly buffer: Buffer };
  readonly at: readonly Index[];
}

/** Neighbouring strips whose tiles are made one after the other. */
interface Band {
  readonly count: number;
  readonly strip: (i: Index) => Strip;
}

/** The strips one by one. */
const allOf = ({ count, strip }: Band): Strip[] => Array.from({ length: count }, (_, i) => strip(constantIndex(i)));

/** Covers an axis in bands of up to `BAND` strips, then in what is left of a strip. */
function bands(
  exprs: Exprs,
  extent: number,
  parallel: boolean,
  body: (band: Band) => readonly Statement[],
): readonly Statement[] {
  const [width, wide] = [WIDTH, TILE.vectors];
  const full = Math.floor(extent / (wide * width));
  const banded = tilesOf(full, BAND).flatMap(({ from, rounds, count }) => {
    const lanes = Array.from({ length: wide }, () => exprs.atoms.variable(width));
    const band = (round: Index): readonly Statement[] => {
      const first = shiftIndex(scaleIndex(round, count), from);
      return body({ count, strip: (i) => ({ start: scaleIndex(addIndex(first, i), wide * width), lanes }) });
    };
    return eachIteration(exprs, rounds, parallel, band);
  });
  const done = full * wide * width;
  const rest = strips(exprs, extent - done, { width, wide, parallel }, ({ start, lanes }) => {
    const strip = { start: shiftIndex(start, done), lanes };
    return body({ count: 1, strip: () => strip });
  });
  return [...banded, ...rest];
}

/** Axes of a sum in blocks of at most `most` terms: `outer` axes one by one, one axis in chunks, `inner` axes whole. */
function blocksOf(extents: readonly number[], most: number): { outer: number[]; chunks: Chunk[]; inner: number[] } {
  let axis = extents.length - 1;
  while (axis > 0 && sizeOf(extents.slice(axis)) <= most) axis--;
  const inner = extents.slice(axis + 1);
  const extent = extents[axis] ?? 1;
  const largest = Math.max(1, Math.floor(most / sizeOf(inner)));
  const count = Math.ceil(extent / Math.ceil(extent / largest));
  const rounds = Math.floor(extent / count);
  const left = extent - rounds * count;
  const chunks = [{ from: 0, rounds, count }, ...(left > 0 ? [{ from: rounds * count, rounds: 1, count: left }] : [])];
  return { outer: extents.slice(0, axis), chunks, inner };
}
