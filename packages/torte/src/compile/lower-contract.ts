/**
 * Products as loops: tiles of a few rows by a few vectors are summed in registers and finished by the kernel's epilogue.
 *
 * Vectors run along the last axis of the result, which must lie side by side in one of the operands (pass `layout` sees
 * to that); the elements of the other operand are spread over all lanes. Where no such axis exists (a dot product, a
 * depthwise convolution) the product is a reduction of an elementwise product.
 */
import type { Node } from "../graph/node.js";
import { sizeOf } from "../tensor/shape.js";
import type { Accumulator, Buffer, Expr, Exprs } from "./expr.js";
import {
  addIndex,
  constantIndex,
  coordinatesOf,
  factorOf,
  indexOf,
  linearIndex,
  sameIndex,
  scaleIndex,
  shiftIndex,
  type Index,
  type LoopVariable,
} from "./index-expr.js";
import type { KernelLowering } from "./lower.js";
import { indicesIn } from "./lower.js";
import {
  coalesce,
  lanePlace,
  nest,
  parallelLoop,
  parallelNest,
  type Statement,
  type Strip,
  strips,
  unrolled,
  WIDTH,
} from "./loops.js";
import { inputOf } from "./reader.js";

/**
 * Rows of a register tile two vectors wide, and of one a single vector wide: what keeps the most accumulators busy in 16
 * registers. Without fused multiply-add the product itself needs one.
 */
const TILE = { vectors: 2, rows: { fma: 6, plain: 4 }, narrowRows: 8 } as const;
/** A right operand up to this size stays in the first-level cache while all rows pass by. */
const SMALL_PANEL_BYTES = 16 * 1024;
/** One from this size on is not: it has to come from the second-level cache or from memory each time. */
const LARGE_PANEL_BYTES = 256 * 1024;
/** Terms of a sum that are taken at a time: the panels of both operands stay in the first-level cache. */
const BLOCK = 256;
/** A panel is packed where at least so many tiles read it, … */
const PACKED_TILES = 4;
/** … and its vectors do not lie close to each other as it is. */
const CLOSE = 32;
/** Strips that are worked on together, so that lines of the caches are read and written whole. */
const BAND = 2;
/**
 * Where an epilogue reads arrays as large as the result, whole rows are finished one after the other, so that those arrays
 * pass by in the order in which they lie. That needs an operand of the vectors which stays in the second-level cache, …
 */
const NEAR_PANEL_BYTES = 512 * 1024;
/** … and pays where there are at least so many tiles of rows. */
const MANY_TILES = 64;
/** Rows are shared out among threads where there are fewer bands of columns, and products of a batch, than this. */
const UNITS = 8;
/** So many sums stay in the first-level cache while the operands pass by. */
const SMALL_RESULT = 8192;

export interface Roles {
  /** Whose elements are spread, and whose rows are read as vectors. */
  readonly spread: Node;
  readonly vectors: Node;
  readonly spreadLabels: string;
  readonly vectorLabels: string;
  readonly rows: string;
  readonly columns: string;
  readonly batch: string;
  readonly summed: string;
}

const sizesOf = (node: Node & { op: "contract" }): Map<string, number> => {
  const sizes = new Map<string, number>();
  for (const [labels, i] of [
    [node.attributes.a, 0],
    [node.attributes.b, 1],
  ] as const) {
    for (const [axis, label] of [...labels].entries()) sizes.set(label, inputOf(node, i).shape[axis] ?? 1);
  }
  return sizes;
};

/** Which operand plays which part, or undefined where the last axis of the result belongs to both. */
export function chooseRoles(node: Node & { op: "contract" }): Roles | undefined {
  const { a, b, out } = node.attributes;
  const sizes = sizesOf(node);
  const last = [...out].reverse().find((label) => (sizes.get(label) ?? 1) > 1);
  if (last === undefined || (a.includes(last) && b.includes(last))) return undefined;
  const swap = a.includes(last);
  const [spreadLabels, vectorLabels] = swap ? [b, a] : [a, b];
  const keep = (test: (label: string) => boolean): string => [...out].filter(test).join("");
  return {
    spread: inputOf(node, swap ? 1 : 0),
    vectors: inputOf(node, swap ? 0 : 1),
    spreadLabels,
    vectorLabels,
    rows: keep((l) => spreadLabels.includes(l) && !vectorLabels.includes(l)),
    columns: keep((l) => vectorLabels.includes(l) && !spreadLabels.includes(l)),
    batch: keep((l) => vectorLabels.includes(l) && spreadLabels.includes(l)),
    summed: [...spreadLabels].filter((l) => !out.includes(l)).join(""),
  };
}

export function lowerContract(lowering: KernelLowering): readonly Statement[] {
  const { primary } = lowering;
  if (primary.op !== "contract") throw new RangeError("not a product");
  const roles = chooseRoles(primary);
  const product = roles === undefined ? undefined : new Product(lowering, primary, roles);
  return product?.hasVectors() ? product.lower() : lowering.reduceProduct();
}

type Places = ReadonlyMap<string, Index>;

/** Where each label stands; a label is in one of the maps. */
function placesOf(labels: string, places: readonly Places[]): Index[] {
  const result: Index[] = [];
  for (const label of labels) {
    let at: Index | undefined;
    for (let i = 0; at === undefined && i < places.length; i++) at = places[i]?.get(label);
    result.push(at ?? constantIndex(0));
  }
  return result;
}

class Product {
  readonly #lowering: KernelLowering;
  readonly #node: Node & { op: "contract" };
  readonly #roles: Roles;
  readonly #sizes: ReadonlyMap<string, number>;

  constructor(lowering: KernelLowering, node: Node & { op: "contract" }, roles: Roles) {
    this.#lowering = lowering;
    this.#node = node;
    this.#roles = roles;
    this.#sizes = sizesOf(node);
  }

  #extents(labels: string): number[] {
    return [...labels].map((label) => this.#sizes.get(label) ?? 1);
  }

  #places(labels: string, at: readonly Index[]): Places {
    return new Map([...labels].map((label, i) => [label, at[i] ?? constantIndex(0)]));
  }

  #symbolic(labels: string): Places {
    return this.#places(
      labels,
      this.#extents(labels).map((n) => indexOf(this.#lowering.exprs.atoms.variable(n))),
    );
  }

  #load(operand: "spread" | "vectors", ...places: Places[]): Expr {
    const labels = operand === "spread" ? this.#roles.spreadLabels : this.#roles.vectorLabels;
    return this.#lowering.reader.value(this.#roles[operand], placesOf(labels, places));
  }

  #coordinates(...places: Places[]): Index[] {
    return placesOf(this.#node.attributes.out, places);
  }

  /** Row-major place in the result. */
  #result(...places: Places[]): Index {
    return linearIndex(this.#coordinates(...places), this.#node.shape);
  }

  /** Whether the last axis of the result lies side by side in the operand that is read as vectors. */
  hasVectors(): boolean {
    const last = [...this.#roles.columns].reverse().find((label) => (this.#sizes.get(label) ?? 1) > 1);
    if (last === undefined) return false;
    const variable = this.#lowering.exprs.atoms.variable(this.#sizes.get(last) ?? 1);
    const others = this.#symbolic(this.#roles.vectorLabels.replace(last, ""));
    const load = this.#load("vectors", new Map([[last, indexOf(variable)]]), others);
    return load.op === "load" && factorOf(load.index, variable) === 1;
  }

  lower(): readonly Statement[] {
    const { exprs } = this.#lowering;
    const { batch, rows, columns, summed } = this.#roles;
    const [anyBatch, anyRows, anySum] = [this.#symbolic(batch), this.#symbolic(rows), this.#symbolic(summed)];
    const across = coalesce(exprs, this.#extents(columns), (at) => {
      const places = this.#places(columns, at);
      const result = this.#result(places, anyBatch, anyRows);
      return [
        result,
        ...indicesIn(this.#load("vectors", places, anyBatch, anySum)),
        ...this.#lowering.epilogueIndices(result),
      ];
    });
    const sum = coalesce(exprs, this.#extents(summed), (at) => {
      const places = this.#places(summed, at);
      return [
        ...indicesIn(this.#load("spread", places, anyBatch, anyRows)),
        ...indicesIn(this.#load("vectors", places, anyBatch, this.#symbolic(columns))),
      ];
    });
    const plan = { across, sum, rowCount: product(this.#extents(rows)) };
    const rowsFirst = this.#finishesRows(plan);
    return !rowsFirst && this.#isWorthPacking(plan) ? this.#packed(plan) : this.#plain(plan, rowsFirst);
  }

  /** Register tiles over rows and columns; the operands are read where they lie. */
  #plain({ across, sum, rowCount }: Plan, rowsFirst: boolean): readonly Statement[] {
    const { exprs } = this.#lowering;
    const { batch } = this.#roles;
    const last = across.extents.at(-1) ?? 1;
    const panelBytes = 4 * last * product(sum.extents);
    const outerExtents = [...this.#extents(batch), ...across.extents.slice(0, -1)];
    return parallelNest(exprs, outerExtents, (at, parallel) => {
      const [batchAt, outer] = [at.slice(0, batch.length), at.slice(batch.length)];
      const batchPlaces = this.#places(batch, batchAt);
      const tile = (row: Index, count: number, strip: Strip): readonly Statement[] => {
        const lanes = this.#stripColumns(across, outer, strip);
        const cells = this.#cells(row, count, lanes, batchPlaces);
        return [
          { op: "reset", accumulators: cells.map(({ accumulator }) => accumulator) },
          ...this.#sum(cells, sum.extents, (over) => {
            const places = this.#places(this.#roles.summed, sum.expand(over));
            return {
              spread: (cell) => this.#load("spread", cell.row, batchPlaces, places),
              vectors: (cell) => this.#load("vectors", cell.column, batchPlaces, places),
            };
          }),
          ...cells.flatMap((cell) => this.#finish(cell, exprs.accumulator(cell.accumulator))),
        ];
      };
      const byRows = (
        outer: boolean,
        body: (row: Index, count: number) => readonly Statement[],
      ): readonly Statement[] => this.#byRows(constantIndex(0), rowCount, last, outer, body);
      const byColumns = (outer: boolean, body: (strip: Strip) => readonly Statement[]): readonly Statement[] =>
        strips(exprs, last, { width: WIDTH, wide: TILE.vectors, parallel: outer }, body);
      return rowsFirst || panelBytes <= SMALL_PANEL_BYTES
        ? byRows(parallel, (row, count) => byColumns(false, (strip) => tile(row, count, strip)))
        : byColumns(parallel, (strip) => byRows(false, (row, count) => tile(row, count, strip)));
    });
  }

  #finishesRows({ across, sum, rowCount }: Plan): boolean {
    const last = across.extents.at(-1) ?? 1;
    const terms = product(sum.extents);
    if (terms > BLOCK || 4 * last * terms > NEAR_PANEL_BYTES) return false;
    if (rowCount < MANY_TILES * this.#tileRows(last)) return false;
    const { batch, rows, columns } = this.#roles;
    const result = this.#result(...[batch, rows, columns].map((labels) => this.#symbolic(labels)));
    return this.#lowering.epilogueIndices(result).some((index) => sameIndex(index, result));
  }

  /**
   * Where enough tiles read the vectors' operand to pay for a copy: because its rows lie far apart, or because it is so long
   * that each tile would have to fetch it anew.
   */
  #isWorthPacking({ across, sum, rowCount }: Plan): boolean {
    const { exprs } = this.#lowering;
    const [last = 1] = across.extents;
    if (across.extents.length !== 1 || sum.extents.length === 0 || last < 2 * WIDTH) return false;
    const terms = product(sum.extents);
    if (4 * last * terms >= LARGE_PANEL_BYTES && rowCount > this.#tileRows(last)) return true;
    if (rowCount < PACKED_TILES * TILE.rows.fma || terms < CLOSE) return false;
    const step = exprs.atoms.variable(sum.extents.at(-1) ?? 1);
    const outer = sum.extents.slice(0, -1).map((n) => indexOf(exprs.atoms.variable(n)));
    const places = this.#places(this.#roles.summed, sum.expand([...outer, indexOf(step)]));
    const load = this.#load("vectors", places, this.#symbolic(this.#roles.columns));
    const apart = load.op === "load" ? (factorOf(load.index, step) ?? 0) : 0;
    return Math.abs(apart) >= CLOSE;
  }

  /**
   * As `plain`, the sum in blocks. In each block the vectors of a strip are copied side by side, so that all tiles of the
   * strip read them from the first-level cache; between blocks the tiles rest in memory. The terms are added in the same
   * order as without blocks. A small result takes one block after the other, so that the operands are read once; a large
   * one takes one strip after the other, which threads can share.
   */
  #packed({ across, sum, rowCount }: Plan): readonly Statement[] {
    const { exprs } = this.#lowering;
    const [last = 1] = across.extents;
    const padded = Math.ceil(last / WIDTH) * WIDTH;
    const blocks = blocksOf(sum.extents, BLOCK);
    const rounds = product(blocks.outer) * blocks.chunks.reduce((sum, chunk) => sum + chunk.rounds, 0);
    const single = rounds === 1;
    const { batch } = this.#roles;
    const batches = this.#extents(batch);
    const kept = single ? undefined : exprs.newScratch(`${this.#node.origin}:sums`, sizeOf(this.#node.shape));
    const tiles = Math.ceil(rowCount / this.#tileRows(last));
    const bandCount = Math.ceil(last / (BAND * TILE.vectors * WIDTH));
    const groups = Math.min(Math.ceil(UNITS / (product(batches) * bandCount)), Math.ceil(tiles / PACKED_TILES));
    const groupRows = Math.ceil(tiles / groups) * this.#tileRows(last);
    const groupCount = Math.ceil(rowCount / groupRows);
    const small = !single && product(batches) * groupCount >= UNITS && groupRows * last <= SMALL_RESULT;
    const panels = blocks.chunks.map(({ count }) => {
      const terms = count * product(blocks.inner);
      const size = product(batches) * groupCount * padded * terms;
      return { terms, buffer: exprs.newScratch(`${this.#node.origin}:panel`, size) };
    });
    /** One block of a band: the vectors of each of its strips side by side, then the tiles. */
    const block = (
      { batchAt, group, from, count }: Part,
      band: Band,
      { chunk, panel, at }: Block,
    ): readonly Statement[] => {
      const batchPlaces = this.#places(batch, batchAt);
      // Batches, groups and strips fill their own parts of the panel, since threads share them.
      const own = addIndex(scaleIndex(linearIndex(batchAt, batches), groupCount), group);
      const packedAt = (strip: Strip, term: Index, v: number, lane: LoopVariable): Index => {
        const start = scaleIndex(addIndex(scaleIndex(own, padded), strip.start), panel.terms);
        const width = strip.lanes.length * WIDTH;
        return addIndex(addIndex(start, scaleIndex(term, width)), addIndex(constantIndex(v * WIDTH), indexOf(lane)));
      };
      const inner = [chunk.count, ...blocks.inner];
      const [round = constantIndex(0)] = at.slice(-1);
      const first = shiftIndex(scaleIndex(round, chunk.count), chunk.from);
      const termAt = (over: readonly Index[]): Places => {
        const [own = constantIndex(0), ...rest] = over;
        return this.#places(this.#roles.summed, sum.expand([...at.slice(0, -1), addIndex(first, own), ...rest]));
      };
      const pack = nest(exprs, inner, (over) =>
        allOf(band).flatMap((strip) =>
          this.#stripColumns(across, [], strip).map(({ lane, places }, v) => ({
            op: "store",
            buffer: panel.buffer,
            index: packedAt(strip, linearIndex(over, inner), v, lane),
            value: this.#load("vectors", places, batchPlaces, termAt(over)),
            lane,
          })),
        ),
      );
      const tile = (row: Index, rows: number, strip: Strip): readonly Statement[] => {
        const cells = this.#cells(row, rows, this.#stripColumns(across, [], strip), batchPlaces);
        const sums = this.#sum(cells, inner, (over) => {
          const places = termAt(over);
          const term = linearIndex(over, inner);
          return {
            spread: (cell) => this.#load("spread", cell.row, batchPlaces, places),
            vectors: (cell) => exprs.load(panel.buffer, packedAt(strip, term, cell.vector, cell.lane)),
          };
        });
        if (kept === undefined) {
          return [
            { op: "reset", accumulators: cells.map(({ accumulator }) => accumulator) },
            ...sums,
            ...cells.flatMap((cell) => this.#finish(cell, exprs.accumulator(cell.accumulator))),
          ];
        }
        const resting = cells.map((cell) => ({ cell, index: this.#result(cell.row, cell.column, batchPlaces) }));
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
      return [...pack, ...this.#byRows(from, count, last, false, tiles)];
    };
    const eachBlock = (body: (where: Block) => readonly Statement[]): readonly Statement[] =>
      blocks.chunks.flatMap((chunk, c) => {
        const panel = panels[c];
        if (panel === undefined) return [];
        return nest(exprs, [...blocks.outer, chunk.rounds], (at) => body({ chunk, panel, at }));
      });
    const eachResting = (
      { batchAt, from, count }: Part,
      band: Band,
      body: (cell: Cell, index: Index) => readonly Statement[],
    ): readonly Statement[] => {
      const batchPlaces = this.#places(batch, batchAt);
      return nest(exprs, [count], ([row]) =>
        allOf(band).flatMap((strip) =>
          this.#cells(
            addIndex(from, row ?? constantIndex(0)),
            1,
            this.#stripColumns(across, [], strip),
            batchPlaces,
          ).flatMap((cell) => body(cell, this.#result(cell.row, cell.column, batchPlaces))),
        ),
      );
    };
    /** What comes before and after the blocks, where sums rest in memory between them. */
    const begin = (part: Part, band: Band): readonly Statement[] => {
      const zero = exprs.number(0, "float32");
      if (kept === undefined) return [];
      return eachResting(part, band, ({ lane }, index) => [{ op: "store", buffer: kept, index, value: zero, lane }]);
    };
    const end = (part: Part, band: Band): readonly Statement[] =>
      kept === undefined ? [] : eachResting(part, band, (cell, index) => this.#finish(cell, exprs.load(kept, index)));
    const byBands = (parallel: boolean, part: Part): readonly Statement[] => {
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
    const full = Math.floor(rowCount / groupRows);
    const left = rowCount - full * groupRows;
    return parallelNest(exprs, batches, (batchAt, parallel) => {
      const zero = constantIndex(0);
      if (groupCount === 1) return byBands(parallel, { batchAt, group: zero, from: zero, count: rowCount });
      const groupsOf = (rounds: number, body: (group: Index) => readonly Statement[]): readonly Statement[] =>
        parallel
          ? [parallelLoop(exprs, rounds, body)]
          : nest(exprs, [rounds], ([group]) => body(group ?? constantIndex(0)));
      const part = (group: Index, count: number): readonly Statement[] =>
        byBands(parallel, { batchAt, group, from: scaleIndex(group, groupRows), count });
      return [
        ...groupsOf(full, (group) => part(group, groupRows)),
        ...(left > 0 ? groupsOf(1, (group) => part(shiftIndex(group, full), left)) : []),
      ];
    });
  }

  #tileRows(columns: number): number {
    if (columns < 2 * WIDTH) return TILE.narrowRows;
    return this.#lowering.target.fma ? TILE.rows.fma : TILE.rows.plain;
  }

  /** Tiles over `count` rows from `from`. */
  #byRows(
    from: Index,
    count: number,
    columns: number,
    parallel: boolean,
    body: (row: Index, count: number) => readonly Statement[],
  ): readonly Statement[] {
    const { exprs } = this.#lowering;
    return tilesOf(count, this.#tileRows(columns)).flatMap((tiles) => {
      const part = (round: Index): readonly Statement[] =>
        body(addIndex(from, shiftIndex(scaleIndex(round, tiles.count), tiles.from)), tiles.count);
      return parallel
        ? [parallelLoop(exprs, tiles.rounds, part)]
        : nest(exprs, [tiles.rounds], ([round]) => part(round ?? constantIndex(0)));
    });
  }

  #stripColumns(across: Coalesced, outer: readonly Index[], strip: Strip): Column[] {
    return strip.lanes.map((lane, v) => ({
      lane,
      places: this.#places(this.#roles.columns, across.expand([...outer, lanePlace(strip, v, WIDTH, lane)])),
    }));
  }

  #cells(row: Index, count: number, columns: readonly Column[], batch: Places): Cell[] {
    const { exprs } = this.#lowering;
    const rows = Array.from({ length: count }, (_, r) =>
      this.#places(this.#roles.rows, coordinatesOf(exprs.atoms, shiftIndex(row, r), this.#extents(this.#roles.rows))),
    );
    return rows.flatMap((places) =>
      columns.map((column, vector) => ({
        row: places,
        column: column.places,
        batch,
        vector,
        lane: column.lane,
        accumulator: exprs.newAccumulator("product", "float32"),
      })),
    );
  }

  /** Loops over the terms, each of which all cells take. */
  #sum(
    cells: readonly Cell[],
    extents: readonly number[],
    term: (over: Index[]) => { spread: (cell: Cell) => Expr; vectors: (cell: Cell) => Expr },
  ): readonly Statement[] {
    const { exprs } = this.#lowering;
    const step = (over: Index[]): Statement[] => {
      const { spread, vectors } = term(over);
      // All cells of a row read the same element, all of a column the same vector.
      const read = new Map<Places, Expr>();
      const once = (places: Places, load: () => Expr): Expr => {
        const value = read.get(places) ?? load();
        read.set(places, value);
        return value;
      };
      return cells.map((cell) => ({
        op: "accumulate",
        accumulator: cell.accumulator,
        values: [once(cell.row, () => spread(cell)), once(cell.column, () => vectors(cell))],
        position: undefined,
        lane: cell.lane,
      }));
    };
    return nest(exprs, extents.slice(0, -1), (outer) =>
      unrolled(exprs, extents.at(-1) ?? 1, 4, (inner) => step(extents.length === 0 ? [] : [...outer, inner])),
    );
  }

  /** The epilogue of a cell whose sum is `value`. */
  #finish({ row, column, batch, lane }: Cell, value: Expr): readonly Statement[] {
    const own = this.#coordinates(row, column, batch);
    return this.#lowering.stores(linearIndex(own, this.#node.shape), lane, new Map([[this.#node, value]]), own);
  }
}

type Coalesced = ReturnType<typeof coalesce>;

interface Plan {
  readonly across: Coalesced;
  readonly sum: Coalesced;
  readonly rowCount: number;
}

/** Rows of one product of a batch that are worked on together. */
interface Part {
  readonly batchAt: readonly Index[];
  readonly group: Index;
  readonly from: Index;
  readonly count: number;
}

interface Column {
  readonly lane: LoopVariable;
  readonly places: Places;
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
    return parallel
      ? [parallelLoop(exprs, rounds, band)]
      : nest(exprs, [rounds], ([round]) => band(round ?? constantIndex(0)));
  });
  const done = full * wide * width;
  const rest = strips(exprs, extent - done, { width, wide, parallel }, ({ start, lanes }) => {
    const strip = { start: shiftIndex(start, done), lanes };
    return body({ count: 1, strip: () => strip });
  });
  return [...banded, ...rest];
}

/** A vector of the result, summed in a register. */
interface Cell {
  readonly row: Places;
  readonly column: Places;
  readonly batch: Places;
  /** Which of the vectors across. */
  readonly vector: number;
  readonly lane: LoopVariable;
  readonly accumulator: Accumulator;
}

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** Rounds of so many along an axis. */
interface Chunk {
  readonly from: number;
  readonly rounds: number;
  readonly count: number;
}

/** Terms of a sum that are taken at a time: those of one round of a chunk. */
interface Block {
  readonly chunk: Chunk;
  readonly panel: { readonly terms: number; readonly buffer: Buffer };
  readonly at: readonly Index[];
}

/** Axes of a sum in blocks of at most `most` terms: `outer` axes one by one, one axis in chunks, `inner` axes whole. */
function blocksOf(extents: readonly number[], most: number): { outer: number[]; chunks: Chunk[]; inner: number[] } {
  let axis = extents.length - 1;
  while (axis > 0 && product(extents.slice(axis)) <= most) axis--;
  const inner = extents.slice(axis + 1);
  const extent = extents[axis] ?? 1;
  const largest = Math.max(1, Math.floor(most / product(inner)));
  const count = Math.ceil(extent / Math.ceil(extent / largest));
  const rounds = Math.floor(extent / count);
  const left = extent - rounds * count;
  const chunks = [{ from: 0, rounds, count }, ...(left > 0 ? [{ from: rounds * count, rounds: 1, count: left }] : [])];
  return { outer: extents.slice(0, axis), chunks, inner };
}

/** Full tiles, then one for what is left; few are of equal size. */
function tilesOf(rows: number, most: number): Chunk[] {
  const tiles = Math.ceil(rows / most);
  const count = tiles <= 8 ? Math.ceil(rows / tiles) : most;
  const rounds = Math.floor(rows / count);
  const full = { from: 0, rounds, count };
  const left = rows - rounds * count;
  return left > 0 ? [full, { from: rounds * count, rounds: 1, count: left }] : [full];
}
