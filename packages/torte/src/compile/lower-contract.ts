/**
 * Products as loops: tiles of a few rows by a few vectors are summed in registers and finished by the kernel's epilogue.
 *
 * Vectors run along the last axis of the result, which must lie side by side in one of the operands (pass `layout` sees
 * to that); the elements of the other operand are spread over all lanes. Where no such axis exists (a dot product, a
 * depthwise convolution) the product is a reduction of an elementwise product.
 */
import type { Node } from "../graph/node.js";
import type { Accumulator, Expr } from "./expr.js";
import {
  constantIndex,
  coordinatesOf,
  factorOf,
  indexOf,
  linearIndex,
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

/** Rows of a register tile by number of vectors across: what keeps the most accumulators busy in 16 registers. */
const TILE = { rows: 6, vectors: 2, narrowRows: 8 } as const;
/** A right operand up to this size stays in the first-level cache while all rows pass by. */
const SMALL_PANEL_BYTES = 16 * 1024;

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
    const find = (label: string): Index => places.find((map) => map.has(label))?.get(label) ?? constantIndex(0);
    return this.#lowering.reader.value(this.#roles[operand], [...labels].map(find));
  }

  /** Row-major place in the result. */
  #result(...places: Places[]): Index {
    const find = (label: string): Index => places.find((map) => map.has(label))?.get(label) ?? constantIndex(0);
    return linearIndex([...this.#node.attributes.out].map(find), this.#node.shape);
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
    const last = across.extents.at(-1) ?? 1;
    const panelBytes = 4 * last * sum.extents.reduce((a, b) => a * b, 1);
    const rowCount = this.#extents(rows).reduce((a, b) => a * b, 1);
    const tileRows = last >= 2 * WIDTH ? TILE.rows : TILE.narrowRows;
    const byRows = (
      outermost: boolean,
      body: (start: Index, count: number) => readonly Statement[],
    ): readonly Statement[] =>
      rowTiles(rowCount, tileRows).flatMap(({ from, rounds, count }) => {
        const part = (round: Index): readonly Statement[] => body(shiftIndex(scaleIndex(round, count), from), count);
        return outermost
          ? [parallelLoop(exprs, rounds, part)]
          : nest(exprs, [rounds], ([round]) => part(round ?? constantIndex(0)));
      });
    const byColumns = (outermost: boolean, body: (strip: Strip) => readonly Statement[]): readonly Statement[] =>
      strips(exprs, last, { width: WIDTH, wide: TILE.vectors, outermost }, body);
    const outerExtents = [...this.#extents(batch), ...across.extents.slice(0, -1)];
    return parallelNest(exprs, outerExtents, (at, outermost) => {
      const [batchAt, outer] = [at.slice(0, batch.length), at.slice(batch.length)];
      const tile = (row: Index, count: number, strip: Strip): readonly Statement[] =>
        this.#tile({
          batch: this.#places(batch, batchAt),
          rows: Array.from({ length: count }, (_, r) =>
            this.#places(rows, coordinatesOf(exprs.atoms, shiftIndex(row, r), this.#extents(rows))),
          ),
          columns: strip.lanes.map((lane, v) => ({
            lane,
            places: this.#places(columns, across.expand([...outer, lanePlace(strip, v, WIDTH, lane)])),
          })),
          sum,
        });
      return panelBytes <= SMALL_PANEL_BYTES
        ? byRows(outermost, (row, count) => byColumns(false, (strip) => tile(row, count, strip)))
        : byColumns(outermost, (strip) => byRows(false, (row, count) => tile(row, count, strip)));
    });
  }

  #tile(tile: {
    batch: Places;
    rows: readonly Places[];
    columns: readonly { lane: LoopVariable; places: Places }[];
    sum: ReturnType<typeof coalesce>;
  }): readonly Statement[] {
    const { exprs } = this.#lowering;
    const cells = tile.rows.flatMap((row) =>
      tile.columns.map((column) => ({ row, column, accumulator: exprs.newAccumulator("product", "float32") })),
    );
    const step = (over: Index[]): Statement[] => {
      const places = this.#places(this.#roles.summed, tile.sum.expand(over));
      return cells.map(({ row, column, accumulator }) => ({
        op: "accumulate",
        accumulator,
        values: [
          this.#load("spread", row, tile.batch, places),
          this.#load("vectors", column.places, tile.batch, places),
        ],
        position: undefined,
        lane: column.lane,
      }));
    };
    const { extents } = tile.sum;
    const loops = nest(exprs, extents.slice(0, -1), (outer) =>
      unrolled(exprs, extents.at(-1) ?? 1, 4, (inner) => step(extents.length === 0 ? [] : [...outer, inner])),
    );
    return [
      { op: "reset", accumulators: cells.map((cell): Accumulator => cell.accumulator) },
      ...loops,
      ...cells.flatMap(({ row, column, accumulator }) => {
        const linear = this.#result(row, column.places, tile.batch);
        return this.#lowering.stores(linear, column.lane, new Map([[this.#node, exprs.accumulator(accumulator)]]));
      }),
    ];
  }
}

/** Full tiles, then one for what is left; few rows are shared out evenly. */
function rowTiles(rows: number, most: number): { from: number; rounds: number; count: number }[] {
  const tiles = Math.ceil(rows / most);
  const count = tiles <= 8 ? Math.ceil(rows / tiles) : most;
  const rounds = Math.floor(rows / count);
  const full = { from: 0, rounds, count };
  const left = rows - rounds * count;
  return left > 0 ? [full, { from: rounds * count, rounds: 1, count: left }] : [full];
}
