/**
 * The register tile of a product (the micro-kernel of a gemm): a few rows by a few vectors of the result are summed in
 * registers, then the kernel's epilogue runs on them.
 *
 * Vectors run along the last axis of the result, which must lie side by side in one of the operands (pass `operand layout` sees
 * to that); the elements of the other operand are broadcast to all lanes. Where no such axis exists (a dot product, a
 * depthwise convolution) the product is a reduction of an elementwise product.
 */
import { inputOf, type Node } from "../../graph/node.js";
import { elementAt, entryOf, sizeAt, sizeOf } from "../../tensor/shape.js";
import { type Accumulator, type Expr, indicesIn } from "../loops/expr.js";
import {
  addIndex,
  coordinatesOf,
  factorOf,
  type Index,
  indexOf,
  linearIndex,
  type LoopVariable,
  scaleIndex,
  shiftIndex,
} from "../loops/index-expr.js";
import {
  coalesce,
  eachIteration,
  lanePlace,
  nest,
  type Statement,
  type Strip,
  unrolled,
  WIDTH,
} from "../loops/loops.js";
import type { KernelContext } from "./kernel.js";

export interface Roles {
  /** Whose elements are broadcast to all lanes, and whose rows are read as vectors. */
  readonly broadcast: Node;
  readonly vectors: Node;
  readonly broadcastLabels: string;
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
    for (const [axis, label] of [...labels].entries()) sizes.set(label, sizeAt(inputOf(node, i).shape, axis));
  }
  return sizes;
};

/** Which operand plays which part, or undefined where the last axis of the result belongs to both. */
export function chooseRoles(node: Node & { op: "contract" }): Roles | undefined {
  const { a, b, out } = node.attributes;
  const sizes = sizesOf(node);
  const last = [...out].reverse().find((label) => entryOf(sizes, label) > 1);
  if (last === undefined || (a.includes(last) && b.includes(last))) return undefined;
  const swap = a.includes(last);
  const [broadcastLabels, vectorLabels] = swap ? [b, a] : [a, b];
  const keep = (test: (label: string) => boolean): string => [...out].filter(test).join("");
  return {
    broadcast: inputOf(node, swap ? 1 : 0),
    vectors: inputOf(node, swap ? 0 : 1),
    broadcastLabels,
    vectorLabels,
    rows: keep((l) => broadcastLabels.includes(l) && !vectorLabels.includes(l)),
    columns: keep((l) => vectorLabels.includes(l) && !broadcastLabels.includes(l)),
    batch: keep((l) => vectorLabels.includes(l) && broadcastLabels.includes(l)),
    summed: [...broadcastLabels].filter((l) => !out.includes(l)).join(""),
  };
}

export type LabelIndices = ReadonlyMap<string, Index>;

/** Where each label stands; a label is in one of the maps. */
function indicesOfLabels(labels: string, places: readonly LabelIndices[]): Index[] {
  const result: Index[] = [];
  for (const label of labels) {
    let at: Index | undefined;
    for (let i = 0; at === undefined && i < places.length; i++) at = places[i]?.get(label);
    if (at === undefined) throw new RangeError(`there is no place for the label ${label}`);
    result.push(at);
  }
  return result;
}

export class Gemm {
  readonly sizes: ReadonlyMap<string, number>;

  constructor(
    readonly kernel: KernelContext,
    readonly node: Node & { op: "contract" },
    readonly roles: Roles,
  ) {
    this.sizes = sizesOf(node);
  }

  extents(labels: string): number[] {
    return [...labels].map((label) => entryOf(this.sizes, label));
  }

  places(labels: string, at: readonly Index[]): LabelIndices {
    return new Map([...labels].map((label, i) => [label, elementAt(at, i)]));
  }

  symbolic(labels: string): LabelIndices {
    return this.places(
      labels,
      this.extents(labels).map((n) => indexOf(this.kernel.exprs.atoms.variable(n))),
    );
  }

  load(operand: "broadcast" | "vectors", ...places: LabelIndices[]): Expr {
    const labels = operand === "broadcast" ? this.roles.broadcastLabels : this.roles.vectorLabels;
    return this.kernel.inliner.read(this.roles[operand], indicesOfLabels(labels, places));
  }

  coordinates(...places: LabelIndices[]): Index[] {
    return indicesOfLabels(this.node.attributes.out, places);
  }

  /** Row-major place in the result. */
  result(...places: LabelIndices[]): Index {
    return linearIndex(this.coordinates(...places), this.node.shape);
  }

  /** Whether the last axis of the result lies side by side in the operand that is read as vectors. */
  hasVectors(): boolean {
    const last = [...this.roles.columns].reverse().find((label) => entryOf(this.sizes, label) > 1);
    if (last === undefined) return false;
    const variable = this.kernel.exprs.atoms.variable(entryOf(this.sizes, last));
    const others = this.symbolic(this.roles.vectorLabels.replace(last, ""));
    const load = this.load("vectors", new Map([[last, indexOf(variable)]]), others);
    return load.op === "load" && factorOf(load.index, variable) === 1;
  }

  /** The fewest axes for the loops. */
  plan(): Plan {
    const { exprs } = this.kernel;
    const { batch, rows, columns, summed } = this.roles;
    const [anyBatch, anyRows, anySum] = [this.symbolic(batch), this.symbolic(rows), this.symbolic(summed)];
    const across = coalesce(exprs, this.extents(columns), (at) => {
      const places = this.places(columns, at);
      const result = this.result(places, anyBatch, anyRows);
      return [
        result,
        ...indicesIn(this.load("vectors", places, anyBatch, anySum)),
        ...this.kernel.epilogueIndices(result),
      ];
    });
    const sum = coalesce(exprs, this.extents(summed), (at) => {
      const places = this.places(summed, at);
      return [
        ...indicesIn(this.load("broadcast", places, anyBatch, anyRows)),
        ...indicesIn(this.load("vectors", places, anyBatch, this.symbolic(columns))),
      ];
    });
    return { across, sum, rowCount: sizeOf(this.extents(rows)), width: this.vectorWidth(across) };
  }

  tileRows(columns: number): number {
    const { tile, width } = this.kernel.target;
    return columns < 2 * width ? tile.narrowRows : tile.rows;
  }

  /** Lanes of the vectors: the epilogue, which fits the narrowest ones, may not fit wider ones. */
  vectorWidth({ extents, expand }: Coalesced): number {
    const { kernel } = this;
    if (kernel.target.width === WIDTH) return WIDTH;
    const batch = this.symbolic(this.roles.batch);
    const rows = this.symbolic(this.roles.rows);
    const summed = this.symbolic(this.roles.summed);
    const width = kernel.vectorWidth(extents, (at, inner) => {
      const columns = this.places(this.roles.columns, expand([...at, inner]));
      const result = this.result(columns, batch, rows);
      const vectors = this.load("vectors", columns, batch, summed);
      return [vectors, ...kernel.values(result, kernel.placeholders()).values()];
    });
    return Math.max(WIDTH, width);
  }

  /** Tiles over `count` rows from `from`. */
  byRows(
    from: Index,
    count: number,
    columns: number,
    parallel: boolean,
    body: (row: Index, count: number) => readonly Statement[],
  ): readonly Statement[] {
    const { exprs } = this.kernel;
    return tilesOf(count, this.tileRows(columns)).flatMap((tiles) => {
      const part = (iteration: Index): readonly Statement[] =>
        body(addIndex(from, shiftIndex(scaleIndex(iteration, tiles.count), tiles.from)), tiles.count);
      return eachIteration(exprs, tiles.iterations, parallel, part);
    });
  }

  stripColumns(across: Coalesced, outer: readonly Index[], strip: Strip): Column[] {
    return strip.lanes.map((lane, v) => ({
      lane,
      places: this.places(this.roles.columns, across.expand([...outer, lanePlace(strip, v, lane)])),
    }));
  }

  cells(row: Index, count: number, columns: readonly Column[], batch: LabelIndices): TileSum[] {
    const { exprs } = this.kernel;
    const rows = Array.from({ length: count }, (_, r) =>
      this.places(this.roles.rows, coordinatesOf(exprs.atoms, shiftIndex(row, r), this.extents(this.roles.rows))),
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
  sum(
    cells: readonly TileSum[],
    extents: readonly number[],
    term: (over: Index[]) => { broadcast: (cell: TileSum) => Expr; vectors: (cell: TileSum) => Expr },
  ): readonly Statement[] {
    const { exprs } = this.kernel;
    const step = (over: Index[]): Statement[] => {
      const { broadcast, vectors } = term(over);
      // All cells of a row read the same element, all of a column the same vector.
      const read = new Map<LabelIndices, Expr>();
      const once = (places: LabelIndices, load: () => Expr): Expr => {
        const value = read.get(places) ?? load();
        read.set(places, value);
        return value;
      };
      return cells.map((cell) => ({
        op: "accumulate",
        accumulator: cell.accumulator,
        values: [once(cell.row, () => broadcast(cell)), once(cell.column, () => vectors(cell))],
        position: undefined,
        lane: cell.lane,
      }));
    };
    return nest(exprs, extents.slice(0, -1), (outer) =>
      unrolled(exprs, extents.at(-1) ?? 1, this.kernel.target.tile.unroll, (inner) =>
        step(extents.length === 0 ? [] : [...outer, inner]),
      ),
    );
  }

  /** The epilogue of a cell whose sum is `value`. */
  epilogue({ row, column, batch, lane }: TileSum, value: Expr): readonly Statement[] {
    const own = this.coordinates(row, column, batch);
    return this.kernel.stores(linearIndex(own, this.node.shape), lane, new Map([[this.node, value]]), own);
  }
}

type Coalesced = ReturnType<typeof coalesce>;

export interface Plan {
  readonly across: Coalesced;
  readonly sum: Coalesced;
  readonly rowCount: number;
  /** Lanes of the vectors across. */
  readonly width: number;
}

export interface Column {
  readonly lane: LoopVariable;
  readonly places: LabelIndices;
}

/** A vector of the result, summed in a register. */
export interface TileSum {
  readonly row: LabelIndices;
  readonly column: LabelIndices;
  readonly batch: LabelIndices;
  /** Which of the vectors across. */
  readonly vector: number;
  readonly lane: LoopVariable;
  readonly accumulator: Accumulator;
}

/** Rounds of so many along an axis. */
export interface Chunk {
  readonly from: number;
  readonly iterations: number;
  readonly count: number;
}

/** Full tiles, then one for what is left; few are of equal size. */
export function tilesOf(rows: number, most: number): Chunk[] {
  const tiles = Math.ceil(rows / most);
  const count = tiles <= 8 ? Math.ceil(rows / tiles) : most;
  const iterations = Math.floor(rows / count);
  const full = { from: 0, iterations, count };
  const left = rows - iterations * count;
  return left > 0 ? [full, { from: iterations * count, iterations: 1, count: left }] : [full];
}
