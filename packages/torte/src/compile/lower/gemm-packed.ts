/**
 * Packed products, after BLIS: the vectors of one operand are copied side by side, panel by panel, before register tiles
 * read them.
 */
import { sizeAt, sizeOf } from "../../tensor/shape.js";
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
  ZERO,
} from "../loops/index-expr.js";
import { eachIteration, nest, parallelNest, type Statement, type Strip, strips, WIDTH } from "../loops/loops.js";
import { type Chunk, type Gemm, type LabelIndices, type Plan, tilesOf, type TileSum } from "./gemm-tile.js";

/** Terms of a sum that are taken at a time (BLIS's kc): the panels of both operands stay in the first-level cache. */
export const KC = 256;
/** Tiles of a block of rows, at least, so that it is worth to pack a panel for them. */
const PACKED_TILES = 4;
/** Panels that are worked on together, so that lines of the caches are read and written whole. */
const BAND = 2;
/** Rows are shared out among threads where there are fewer bands of columns, and products of a batch, than this. */
const ENOUGH_SHARED = 8;
/**
 * Bytes of the rows that all columns read, so many that they stay in the second-level cache (BLIS's mc·kc): where there are more, they are
 * taken in blocks, whose panels are packed anew, …
 */
const NEAR_BYTES = 256 * 1024;
/** … of so many tiles at least, which pays for that. */
const NEAR_TILES = 8;
/** Bytes of rows that do not stay there from one band to the next, at the sizes of today's second-level caches (512 KiB and more). */
const FAR_BYTES = 512 * 1024;
/** Bytes of partial sums that stay there besides. */
const NEAR_SUMS_BYTES = 128 * 1024;
/** So many sums stay in the first-level cache while the operands pass by. */
const SMALL_RESULT = 8192;

/** As `directGemm`, the operand of the vectors packed. */
export const packedGemm = (gemm: Gemm, plan: Plan): readonly Statement[] => new PackedGemm(gemm, plan).lowered();

/** Rows of one product of a batch that are worked on together (BLIS's mc). */
interface RowBlock {
  readonly batchAt: readonly Index[];
  /** Its number within the product. */
  readonly number: Index;
  readonly from: Index;
  readonly count: number;
}

/** Terms of the sum that are taken at a time: those of one iteration of a chunk. */
interface TermBlock {
  readonly chunk: Chunk;
  readonly panel: Panel;
  readonly at: readonly Index[];
}

/** Where the vectors of a block's terms lie side by side. */
interface Panel {
  readonly terms: number;
  readonly buffer: Buffer;
}

/** Neighbouring panels whose tiles are made one after the other. */
interface Band {
  readonly count: number;
  readonly strip: (i: Index) => Strip;
}

/**
 * The sum goes in blocks of KC terms. In each block the vectors of a strip of columns are copied side by side, so that all
 * tiles of the strip read them from the first-level cache; between blocks the partial sums of the tiles rest in memory. The
 * terms are added in the same order as without blocks. A small result takes one block after the other, so that the operands
 * are read once; a large one takes one strip after the other, which threads can share.
 */
class PackedGemm {
  readonly #gemm: Gemm;
  readonly #plan: Plan;
  readonly #exprs: Exprs;
  /** Columns of the result. */
  readonly #columns: number;
  readonly #batches: readonly number[];
  readonly #blocks: TermBlocks;
  /** For each chunk of the sum. */
  readonly #panels: readonly Panel[];
  /** Where sums rest between blocks; undefined where one block has all terms. */
  readonly #partialSums: Buffer | undefined;
  readonly #rowsPerBlock: number;
  readonly #rowBlocks: number;
  /** Whether blocks of terms are the outer loop, and the strips of columns the inner one. */
  readonly #termsOutside: boolean;
  /** Bands that take one block of terms after the other together, so that a block's rows are still near for the next band. */
  readonly #together: number;

  constructor(gemm: Gemm, plan: Plan) {
    const { across, sum, rowCount } = plan;
    const { exprs, fused } = gemm.kernel;
    const { origin, shape } = gemm.node;
    const [columns = 1] = across.extents;
    this.#gemm = gemm;
    this.#plan = plan;
    this.#exprs = exprs;
    this.#columns = columns;
    this.#batches = gemm.extents(gemm.roles.batch);
    this.#blocks = blocksOf(sum.extents, KC);
    const iterations = this.#blocks.chunks.reduce((total, chunk) => total + chunk.iterations, 0);
    const single = sizeOf(this.#blocks.outer) * iterations === 1;
    this.#partialSums = single ? undefined : fused.buffers.addScratch(`${origin}:sums`, sizeOf(shape));
    const tiles = Math.ceil(rowCount / gemm.tileRows(columns));
    const bandCount = Math.ceil(columns / (BAND * gemm.kernel.target.tile.vectors * plan.width));
    const wanted = Math.ceil(ENOUGH_SHARED / (sizeOf(this.#batches) * bandCount));
    const most = Math.max(...this.#blocks.chunks.map(({ count }) => count * sizeOf(this.#blocks.inner)));
    const near = Math.min(Math.ceil((4 * rowCount * most) / NEAR_BYTES), Math.ceil(tiles / NEAR_TILES));
    const rowBlocks = Math.max(near, Math.min(wanted, Math.ceil(tiles / PACKED_TILES)));
    this.#rowsPerBlock = Math.ceil(tiles / rowBlocks) * gemm.tileRows(columns);
    this.#rowBlocks = Math.ceil(rowCount / this.#rowsPerBlock);
    const shared = sizeOf(this.#batches) * this.#rowBlocks;
    this.#termsOutside = !single && shared >= ENOUGH_SHARED && this.#rowsPerBlock * columns <= SMALL_RESULT;
    const bandBytes = 4 * this.#rowsPerBlock * BAND * gemm.kernel.target.tile.vectors * plan.width;
    const isFar = 4 * this.#rowsPerBlock * sizeOf(sum.extents) > FAR_BYTES;
    const shareable = Math.floor((bandCount * shared) / ENOUGH_SHARED);
    this.#together = isFar ? Math.max(1, Math.min(shareable, Math.floor(NEAR_SUMS_BYTES / bandBytes))) : 1;
    this.#panels = this.#blocks.chunks.map(({ count }) => {
      const terms = count * sizeOf(this.#blocks.inner);
      return { terms, buffer: fused.buffers.addScratch(`${origin}:panel`, shared * this.#paddedColumns * terms) };
    });
  }

  get #paddedColumns(): number {
    return Math.ceil(this.#columns / WIDTH) * WIDTH;
  }

  lowered(): readonly Statement[] {
    const full = Math.floor(this.#plan.rowCount / this.#rowsPerBlock);
    const left = this.#plan.rowCount - full * this.#rowsPerBlock;
    return parallelNest(this.#exprs, this.#batches, (batchAt, parallel) => {
      if (this.#rowBlocks === 1)
        return this.#sweep(parallel, { batchAt, number: ZERO, from: ZERO, count: this.#plan.rowCount });
      const rows = (number: Index, count: number): readonly Statement[] =>
        this.#sweep(parallel, { batchAt, number, from: scaleIndex(number, this.#rowsPerBlock), count });
      return [
        ...eachIteration(this.#exprs, full, parallel, (number) => rows(number, this.#rowsPerBlock)),
        ...(left > 0 ? eachIteration(this.#exprs, 1, parallel, (number) => rows(shiftIndex(number, full), left)) : []),
      ];
    });
  }

  /** All columns and all terms for a block of rows. */
  #sweep(parallel: boolean, rows: RowBlock): readonly Statement[] {
    const { width } = this.#plan;
    const parts = { width, wide: this.#gemm.kernel.target.tile.vectors, parallel: parallel && !this.#termsOutside };
    const inOrder = (each: EachBand): readonly Statement[] => [
      ...each((band) => this.#initialize(rows, band)),
      ...this.#eachTermBlock((terms) => each((band) => this.#block(rows, band, terms))),
      ...each((band) => this.#finish(rows, band)),
    ];
    return this.#termsOutside
      ? inOrder((body) => groups(this.#exprs, this.#columns, { ...parts, together: 1 }, (each) => each(body)))
      : groups(this.#exprs, this.#columns, { ...parts, together: this.#together }, inOrder);
  }

  #eachTermBlock(body: (terms: TermBlock) => readonly Statement[]): readonly Statement[] {
    return nest(this.#exprs, this.#blocks.outer, (outer) =>
      this.#blocks.chunks.flatMap((chunk, c) => {
        const panel = this.#panels[c];
        if (panel === undefined) throw new RangeError("a chunk of terms has no panel");
        return nest(this.#exprs, [chunk.iterations], ([at = ZERO]) => body({ chunk, panel, at: [...outer, at] }));
      }),
    );
  }

  /** One block of a band: the panels of its strips, then the tiles. */
  #block(rows: RowBlock, band: Band, terms: TermBlock): readonly Statement[] {
    const tiles = (row: Index, count: number): readonly Statement[] =>
      nest(this.#exprs, [band.count], ([strip = ZERO]) =>
        this.#microTile({ rows, row, count, strip: band.strip(strip), terms }),
      );
    return [
      ...this.#packPanel(rows, band, terms),
      ...this.#gemm.byRows(rows.from, rows.count, this.#columns, false, tiles),
    ];
  }

  #packPanel(rows: RowBlock, band: Band, terms: TermBlock): readonly Statement[] {
    const batch = this.#batchPlaces(rows);
    const extents = this.#termExtents(terms);
    return nest(this.#exprs, extents, (over) =>
      stripsOf(band).flatMap((strip) =>
        this.#gemm.stripColumns(this.#plan.across, [], strip).map(({ lane, places }, vector) => ({
          op: "store",
          buffer: terms.panel.buffer,
          index: this.#packedAt(rows, terms, strip, { term: linearIndex(over, extents), vector, lane }),
          value: this.#gemm.load("vectors", places, batch, this.#termPlaces(terms, over)),
          lane,
        })),
      ),
    );
  }

  /** Batches, blocks of rows and strips have panels of their own, since threads share them. */
  #packedAt(
    { batchAt, number }: RowBlock,
    { panel }: TermBlock,
    strip: Strip,
    { term, vector, lane }: { term: Index; vector: number; lane: LoopVariable },
  ): Index {
    const own = addIndex(scaleIndex(linearIndex(batchAt, this.#batches), this.#rowBlocks), number);
    const start = scaleIndex(addIndex(scaleIndex(own, this.#paddedColumns), strip.start), panel.terms);
    const width = strip.lanes.length * strip.width;
    return addIndex(
      addIndex(start, scaleIndex(term, width)),
      addIndex(constantIndex(vector * strip.width), indexOf(lane)),
    );
  }

  /** A register tile: its sums over the block's terms, taken up from memory and put back where there are more blocks. */
  #microTile({
    rows,
    row,
    count,
    strip,
    terms,
  }: {
    rows: RowBlock;
    row: Index;
    count: number;
    strip: Strip;
    terms: TermBlock;
  }): readonly Statement[] {
    const gemm = this.#gemm;
    const batch = this.#batchPlaces(rows);
    const extents = this.#termExtents(terms);
    const sums = gemm.cells(row, count, gemm.stripColumns(this.#plan.across, [], strip), batch);
    const loops = gemm.sum(sums, extents, (over) => {
      const places = this.#termPlaces(terms, over);
      const term = linearIndex(over, extents);
      return {
        broadcast: (sum) => gemm.load("broadcast", sum.row, batch, places),
        vectors: ({ vector, lane }) =>
          this.#exprs.load(terms.panel.buffer, this.#packedAt(rows, terms, strip, { term, vector, lane })),
      };
    });
    const buffer = this.#partialSums;
    if (buffer === undefined) {
      return [
        { op: "reset", accumulators: sums.map(({ accumulator }) => accumulator) },
        ...loops,
        ...sums.flatMap((sum) => gemm.epilogue(sum, this.#exprs.accumulator(sum.accumulator))),
      ];
    }
    const resting = sums.map((sum) => ({ ...sum, index: gemm.result(sum.row, sum.column, batch) }));
    const stored = resting.map(({ accumulator, lane, index }): Statement => {
      return { op: "store", buffer, index, value: this.#exprs.accumulator(accumulator), lane };
    });
    return [
      ...resting.map(({ accumulator, lane, index }): Statement => ({
        op: "restore",
        accumulator,
        buffer,
        index,
        lane,
      })),
      ...loops,
      ...stored,
    ];
  }

  /** Zeros, where partial sums rest in memory between blocks. */
  #initialize(rows: RowBlock, band: Band): readonly Statement[] {
    const buffer = this.#partialSums;
    if (buffer === undefined) return [];
    const value = this.#exprs.number(0, "float32");
    return this.#eachSum(rows, band, ({ lane }, index) => [{ op: "store", buffer, index, value, lane }]);
  }

  /** The epilogue of sums that have rested in memory. */
  #finish(rows: RowBlock, band: Band): readonly Statement[] {
    const buffer = this.#partialSums;
    if (buffer === undefined) return [];
    return this.#eachSum(rows, band, (sum, index) => this.#gemm.epilogue(sum, this.#exprs.load(buffer, index)));
  }

  #eachSum(
    rows: RowBlock,
    band: Band,
    body: (sum: TileSum, index: Index) => readonly Statement[],
  ): readonly Statement[] {
    const gemm = this.#gemm;
    const batch = this.#batchPlaces(rows);
    return nest(this.#exprs, [rows.count], ([row = ZERO]) =>
      stripsOf(band).flatMap((strip) =>
        gemm
          .cells(addIndex(rows.from, row), 1, gemm.stripColumns(this.#plan.across, [], strip), batch)
          .flatMap((sum) => body(sum, gemm.result(sum.row, sum.column, batch))),
      ),
    );
  }

  #batchPlaces({ batchAt }: RowBlock): LabelIndices {
    return this.#gemm.places(this.#gemm.roles.batch, batchAt);
  }

  #termExtents({ chunk }: TermBlock): readonly number[] {
    return [chunk.count, ...this.#blocks.inner];
  }

  /** Where the summed labels stand for a term of the block. */
  #termPlaces({ chunk, at }: TermBlock, over: readonly Index[]): LabelIndices {
    const [iteration = ZERO] = at.slice(-1);
    const first = shiftIndex(scaleIndex(iteration, chunk.count), chunk.from);
    const [own = ZERO, ...rest] = over;
    const places = this.#plan.sum.expand([...at.slice(0, -1), addIndex(first, own), ...rest]);
    return this.#gemm.places(this.#gemm.roles.summed, places);
  }
}

/** The strips one by one. */
const stripsOf = ({ count, strip }: Band): Strip[] => Array.from({ length: count }, (_, i) => strip(constantIndex(i)));

/** Bands one after the other. */
type EachBand = (body: (band: Band) => readonly Statement[]) => readonly Statement[];

/** Covers an axis in bands of up to `BAND` strips, some together, then in what is left of a strip. */
function groups(
  exprs: Exprs,
  extent: number,
  { width, wide, parallel, together }: { width: number; wide: number; parallel: boolean; together: number },
  body: (each: EachBand) => readonly Statement[],
): readonly Statement[] {
  const full = Math.floor(extent / (wide * width));
  const banded = tilesOf(full, BAND).flatMap(({ from, iterations, count }) => {
    const lanes = Array.from({ length: wide }, () => exprs.atoms.variable(width));
    const band = (iteration: Index): Band => {
      const first = shiftIndex(scaleIndex(iteration, count), from);
      return { count, strip: (i) => ({ start: scaleIndex(addIndex(first, i), wide * width), width, lanes }) };
    };
    return chunksOf(iterations, together).flatMap((chunk) =>
      eachIteration(exprs, chunk.iterations, parallel, (number) =>
        body((each) =>
          nest(exprs, [chunk.count], ([own = ZERO]) =>
            each(band(addIndex(shiftIndex(scaleIndex(number, chunk.count), chunk.from), own))),
          ),
        ),
      ),
    );
  });
  const done = full * wide * width;
  const rest = strips(exprs, extent - done, { width, wide, parallel }, ({ start, ...own }) => {
    const strip = { start: shiftIndex(start, done), ...own };
    return body((each) => each({ count: 1, strip: () => strip }));
  });
  return [...banded, ...rest];
}

/** Axes of a sum in blocks: `outer` axes one by one, one axis in chunks, `inner` axes whole. */
interface TermBlocks {
  readonly outer: readonly number[];
  readonly chunks: readonly Chunk[];
  readonly inner: readonly number[];
}

/** Blocks of at most `most` terms, all of nearly one size. */
function blocksOf(extents: readonly number[], most: number): TermBlocks {
  let axis = extents.length - 1;
  while (axis > 0 && sizeOf(extents.slice(axis)) <= most) axis--;
  const inner = extents.slice(axis + 1);
  const extent = sizeAt(extents, axis);
  const largest = Math.max(1, Math.floor(most / sizeOf(inner)));
  const count = Math.ceil(extent / Math.ceil(extent / largest));
  return { outer: extents.slice(0, axis), chunks: chunksOf(extent, count), inner };
}

/** So many at a time, then what is left. */
function chunksOf(extent: number, count: number): Chunk[] {
  const iterations = Math.floor(extent / count);
  const left = extent - iterations * count;
  const whole = { from: 0, iterations, count };
  const rest = { from: iterations * count, iterations: 1, count: left };
  return [...(iterations > 0 ? [whole] : []), ...(left > 0 ? [rest] : [])];
}
