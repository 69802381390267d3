/** Kernels become loop nests: maps, reductions and scatters here, products in lower-contract.ts. */
import type { Node } from "../../graph/node.js";
import { PRIMITIVES } from "../../graph/primitives.js";
import { largestDivisor, sameShape, sizeOf } from "../../tensor/shape.js";
import { KernelCache } from "./kernel-cache.js";
import {
  type Accumulator,
  type AccumulatorPart,
  type Buffer,
  type Expr,
  Exprs,
  indicesIn,
  visitExpr,
} from "../loops/expr.js";
import { type FusedProgram, fitsVectors, type Kernel, reduced } from "../fusion/fuse.js";
import {
  addIndex,
  constantIndex,
  coordinatesOf,
  factorOf,
  indexOf,
  linearIndex,
  scaleIndex,
  type Index,
  type LoopVariable,
} from "../loops/index-expr.js";
import { lowerContract } from "./gemm.js";
import {
  coalesce,
  lanePlace,
  type KernelSummary,
  type LoweredKernel,
  nest,
  parallelNest,
  vectorPlaces,
  type Statement,
  type Strip,
  strips,
  WIDTH,
} from "../loops/loops.js";
import { linearCombinations } from "./linear-combinations.js";
import { inputOf, insertAxes, Inliner } from "../loops/inline.js";

/** Rows of a transposed array that are read together: their elements share cache lines. */
const COLUMN_BLOCK = 16;
/** Vectors of a row that a scatter adds at a time. */
const SCATTER_VECTORS = 2;

/** What the loops are made for. */
export interface LoweringTarget {
  /** A product and a sum in one instruction, which needs no register for the product. */
  readonly fma: boolean;
}

/** What `finish` makes of each kernel's loops; it keeps as little of them as it can, since they take much memory. */
export function lower<K extends KernelSummary>(
  fused: FusedProgram,
  target: LoweringTarget,
  finish: (lowered: LoweredKernel) => K,
): K[] {
  const alike = new KernelCache<K>(fused);
  return fused.kernels.map((kernel) =>
    alike.getOrLower(kernel, () => finish(new KernelLowering(fused, kernel, target).lowered())),
  );
}

/** One kernel on its way to loops: what its loops and its epilogue have in common. */
export class KernelLowering {
  readonly exprs = new Exprs();
  readonly reader: Inliner;
  readonly primary: Node;

  constructor(
    readonly fused: FusedProgram,
    readonly kernel: Kernel,
    readonly target: LoweringTarget,
  ) {
    const [primary] = kernel.nodes;
    if (primary === undefined) throw new RangeError("a kernel computes at least one node");
    this.primary = primary;
    this.reader = new Inliner(this.exprs, fused.storage);
  }

  lowered(): LoweredKernel {
    const body = this.#body();
    const reads = new Set<Buffer>();
    const writes = new Set<Buffer>();
    collectBuffers(body, reads, writes);
    const names = [...new Set(this.kernel.nodes.map((node) => node.op))].join("+");
    return { name: names, origin: this.primary.origin, body, reads, writes };
  }

  #body(): readonly Statement[] {
    switch (this.kernel.kind) {
      case "map":
        return this.#map();
      case "reduce":
        return this.#reduce();
      case "contract":
        return lowerContract(this);
      case "linearMap":
        return this.#linearMap();
      case "scatter":
        return this.#scatter();
    }
  }

  bufferOf(node: Node): Buffer {
    const buffer = this.fused.storage.get(node);
    if (buffer === undefined) throw new RangeError(`${node.op} has no memory`);
    return buffer;
  }

  /**
   * All values of the kernel at one point: `given` are those that the loops have found, the others follow from them. `own`
   * are the coordinates of the point in the primary's array, where they are known.
   */
  values(linear: Index, given: ReadonlyMap<Node, Expr>, own?: readonly Index[]): Map<Node, Expr> {
    const values = new Map<Node, Expr>();
    const reader = new Inliner(this.exprs, this.fused.storage, values, linear);
    let { shape } = this.primary;
    let coordinates = own ?? coordinatesOf(this.exprs.atoms, linear, shape);
    for (const node of this.kernel.nodes) {
      if (!sameShape(shape, node.shape)) {
        shape = node.shape;
        coordinates = coordinatesOf(this.exprs.atoms, linear, shape);
      }
      const value = given.get(node) ?? reader.define(node, coordinates);
      values.set(node, value);
    }
    return values;
  }

  /** The stores of all kept values at one point. */
  stores(
    linear: Index,
    lane: LoopVariable,
    given: ReadonlyMap<Node, Expr> = new Map(),
    own?: readonly Index[],
  ): Statement[] {
    const values = this.values(linear, given, own);
    return this.kernel.stored.map((node) => {
      const value = values.get(node);
      if (value === undefined) throw new RangeError(`${node.op} is not computed`);
      return { op: "store", buffer: this.bufferOf(node), index: linear, value, lane };
    });
  }

  #map(): readonly Statement[] {
    const { exprs } = this;
    const views = (coordinates: Index[]): Index[] => {
      const linear = linearIndex(coordinates, this.primary.shape);
      return [linear, ...[...this.values(linear, new Map()).values()].flatMap(indicesIn)];
    };
    const { extents, expand } = coalesce(exprs, this.primary.shape, views);
    const outer = extents.slice(0, -1);
    const last = extents.at(-1) ?? 1;
    const place = (at: Index[], inner: Index): Index => linearIndex(expand([...at, inner]), this.primary.shape);
    const width = this.#vectorWidth(extents, (at, inner) => [...this.values(place(at, inner), new Map()).values()]);
    const wide = last <= 8 * width ? Math.max(1, Math.floor(last / width)) : 2;
    const stores = (at: Index[], strip: Strip): Statement[] =>
      strip.lanes.flatMap((lane, v) => this.stores(place(at, lanePlace(strip, v, width, lane)), lane));
    const rows = outer.at(-1) ?? 1;
    const block = width === WIDTH && this.#readsColumns(extents, place) ? largestDivisor(rows, COLUMN_BLOCK) : 1;
    if (block === 1)
      return parallelNest(exprs, outer, (at, parallel) =>
        strips(exprs, last, { width, wide, parallel }, (strip) => stores(at, strip)),
      );
    return parallelNest(exprs, [...outer.slice(0, -1), rows / block], (at) => {
      const first = scaleIndex(at.at(-1) ?? constantIndex(0), block);
      return strips(exprs, last, { width, wide: 1 }, (strip) =>
        nest(exprs, [block], ([row]) => stores([...at.slice(0, -1), addIndex(first, row ?? constantIndex(0))], strip)),
      );
    });
  }

  /** Vectors run along the axes after the one that is mixed; all results of a place are made from one reading of it. */
  #linearMap(): readonly Statement[] {
    const { exprs, primary } = this;
    if (primary.op !== "linearMap") throw new RangeError("nothing is mixed");
    const { axis, to, matrix } = primary.attributes;
    const input = inputOf(primary, 0);
    const others = input.shape.filter((_, i) => i !== axis);
    const inputs = (at: readonly Index[]): Expr[] =>
      Array.from({ length: input.shape[axis] ?? 0 }, (_, j) =>
        this.reader.read(input, insertAxes(at, [axis], [constantIndex(j)])),
      );
    const places = (at: readonly Index[]): Index[] =>
      matrix.map((_, i) => linearIndex(insertAxes(at, [to], [constantIndex(i)]), primary.shape));
    const { extents, expand } = coalesce(exprs, others, (at) => [
      ...inputs(at).flatMap(indicesIn),
      ...places(at).flatMap((linear) => [linear, ...this.epilogueIndices(linear)]),
    ]);
    const width = this.#vectorWidth(extents, (at, inner) => {
      const place = expand([...at, inner]);
      return [
        ...inputs(place),
        ...places(place).flatMap((linear) => [...this.values(linear, this.#placeholders()).values()]),
      ];
    });
    return parallelNest(exprs, extents.slice(0, -1), (at, parallel) =>
      strips(exprs, extents.at(-1) ?? 1, { width, wide: 1, parallel }, (strip) =>
        strip.lanes.flatMap((lane, v) => {
          const place = expand([...at, lanePlace(strip, v, width, lane)]);
          const mixed = linearCombinations(exprs, matrix, inputs(place));
          return places(place).flatMap((linear, i) =>
            this.stores(linear, lane, new Map([[primary, mixed[i] ?? exprs.number(0, "float32")]])),
          );
        }),
      ),
    );
  }

  /** Whether vectors collect their lanes from far apart, while the next row finds its own beside them. */
  #readsColumns(extents: readonly number[], place: (at: Index[], inner: Index) => Index): boolean {
    const { exprs } = this;
    const variables = extents.map((n) => exprs.atoms.variable(n));
    const [row, column] = variables.slice(-2);
    if (row === undefined || column === undefined) return false;
    const at = variables.map((v) => indexOf(v));
    const linear = place(at.slice(0, -1), at.at(-1) ?? constantIndex(0));
    return [...this.values(linear, new Map()).values()].flatMap(indicesIn).some((index) => {
      const [across, along] = [factorOf(index, column) ?? 0, factorOf(index, row) ?? 0];
      return Math.abs(across) > 1 && Math.abs(along) === 1;
    });
  }

  /** Four lanes where they run along the last axis without decisions, else one. */
  #vectorWidth(extents: readonly number[], values: (at: Index[], inner: Index) => readonly Expr[]): number {
    const last = extents.at(-1) ?? 1;
    if (last < 2) return 1;
    const at = extents.slice(0, -1).map((n) => indexOf(this.exprs.atoms.variable(n)));
    const places = vectorPlaces(this.exprs, last, WIDTH);
    const fits = places.every(({ at: inner, lane }) => values(at, inner).every((value) => fitsVectors(value, lane)));
    return fits ? WIDTH : 1;
  }

  #reduce(): readonly Statement[] {
    const { exprs, primary } = this;
    const input = inputOf(primary, 0);
    const axes = "axes" in primary.attributes ? primary.attributes.axes : [];
    const over = axes.map((axis) => input.shape[axis] ?? 1);
    const nodes = this.#reductions();
    const values = (kept: readonly Index[], at: readonly Index[]): Taken =>
      new Map(nodes.map((node) => [node, [reduced(this.reader, node, kept, at)]]));
    const any = (sizes: readonly number[]): Index[] => sizes.map((n) => indexOf(exprs.atoms.variable(n)));
    const kept = coalesce(exprs, primary.shape, (at) => [
      ...all(values(at, any(over))).flatMap(indicesIn),
      ...this.epilogueIndices(linearIndex(at, primary.shape)),
      linearIndex(at, primary.shape),
    ]);
    const inner = coalesce(exprs, over, (at) => [
      linearIndex(at, over),
      ...all(values(any(primary.shape), at)).flatMap(indicesIn),
    ]);
    return this.#reduceBy({ kept, inner, over, read: (k, r) => values(kept.expand(k), inner.expand(r)) });
  }

  #reduceBy(plan: ReducePlan): readonly Statement[] {
    return this.#alongRows(plan) ? this.#reduceRows(plan) : this.#reduceColumns(plan);
  }

  /** A product without a vector axis of its own, as a reduction of an elementwise product. */
  reduceProduct(): readonly Statement[] {
    const { exprs, primary } = this;
    if (primary.op !== "contract") throw new RangeError("not a product");
    const { a, b, out } = primary.attributes;
    const summed = [...a].filter((label) => !out.includes(label));
    const over = summed.map((label) => inputOf(primary, 0).shape[a.indexOf(label)] ?? 1);
    const load = (i: 0 | 1, kept: readonly Index[], at: readonly Index[]): Expr => {
      const labels = i === 0 ? a : b;
      const place = (label: string): Index =>
        (out.includes(label) ? kept[out.indexOf(label)] : at[summed.indexOf(label)]) ?? constantIndex(0);
      return this.reader.read(inputOf(primary, i), [...labels].map(place));
    };
    const both = (kept: readonly Index[], at: readonly Index[]): Expr[] => [load(0, kept, at), load(1, kept, at)];
    const any = (sizes: readonly number[]): Index[] => sizes.map((n) => indexOf(exprs.atoms.variable(n)));
    const kept = coalesce(exprs, primary.shape, (at) => [
      linearIndex(at, primary.shape),
      ...both(at, any(over)).flatMap(indicesIn),
    ]);
    const inner = coalesce(exprs, over, (at) => [
      linearIndex(at, over),
      ...both(any(primary.shape), at).flatMap(indicesIn),
    ]);
    const read = (k: Index[], r: Index[]): Taken => new Map([[primary, both(kept.expand(k), inner.expand(r))]]);
    return this.#reduceBy({ kept, inner, over, read });
  }

  /** Values for reduced nodes while only the shape of the epilogue matters. */
  #placeholders(): Map<Node, Expr> {
    return new Map(
      this.#reductions().map((node) => [node, this.exprs.accumulator(this.exprs.newAccumulator("sum", node.dtype))]),
    );
  }

  /** Vectors run along the reduced axis where memory does, unless they run as well along the result. */
  #alongRows(plan: ReducePlan): boolean {
    const { exprs } = this;
    const last = plan.inner.extents.at(-1) ?? 1;
    const result = plan.kept.extents.at(-1) ?? 1;
    if (last < WIDTH) return false;
    const any = (extents: readonly number[]): Index[] => extents.map((n) => indexOf(exprs.atoms.variable(n)));
    const [keptOuter, innerOuter] = [any(plan.kept.extents.slice(0, -1)), any(plan.inner.extents.slice(0, -1))];
    const along = vectorPlaces(exprs, last, WIDTH).map(({ at, lane }) => ({
      lane,
      values: all(plan.read(any(plan.kept.extents), [...innerOuter, at])),
    }));
    const across = vectorPlaces(exprs, result, WIDTH).map(({ at, lane }) => ({
      lane,
      values: all(plan.read([...keptOuter, at], any(plan.inner.extents))),
    }));
    const fits = (ways: typeof along): boolean =>
      ways.every(({ lane, values }) => values.every((v) => fitsVectors(v, lane)));
    const strided = (ways: typeof along): boolean =>
      ways.some(({ lane, values }) => values.some((v) => isStrided(v, lane)));
    if (!fits(along)) return false;
    return result < WIDTH || !fits(across) || (strided(across) && !strided(along));
  }

  #reduceColumns(plan: ReducePlan): readonly Statement[] {
    const { exprs } = this;
    const { kept, inner } = plan;
    const last = kept.extents.at(-1) ?? 1;
    const width = this.#vectorWidth(kept.extents, (at, place) => [
      ...all(
        plan.read(
          [...at, place],
          inner.extents.map((n) => indexOf(exprs.atoms.variable(n))),
        ),
      ),
      ...this.values(linearIndex(kept.expand([...at, place]), this.primary.shape), this.#placeholders()).values(),
    ]);
    return parallelNest(exprs, kept.extents.slice(0, -1), (at, parallel) =>
      strips(exprs, last, { width, wide: 4, parallel }, (strip) => {
        const groups = strip.lanes.map((lane) => ({ lane, accumulators: this.#accumulators(false) }));
        const places = groups.map(({ lane }, v) => [...at, lanePlace(strip, v, width, lane)]);
        const short = inner.extents.reduce((product, n) => product * n, 1) <= 8;
        const step = (over: Index[]): Statement[] =>
          groups.flatMap(({ lane, accumulators }, v) =>
            this.#take(
              accumulators,
              plan.read(places[v] ?? [], over),
              linearIndex(inner.expand(over), plan.over),
              lane,
            ),
          );
        const loops = short
          ? everyPlace(inner.extents).flatMap((place) => step(place.map(constantIndex)))
          : nest(exprs, inner.extents, step);
        return [
          { op: "reset", accumulators: groups.flatMap(({ accumulators }) => [...accumulators.values()]) },
          ...loops,
          ...groups.flatMap(({ lane, accumulators }, v) => {
            const linear = linearIndex(kept.expand(places[v] ?? []), this.primary.shape);
            return this.stores(linear, lane, this.#finished(accumulators));
          }),
        ];
      }),
    );
  }

  #reduceRows(plan: ReducePlan): readonly Statement[] {
    const { exprs } = this;
    const { kept, inner } = plan;
    const last = inner.extents.at(-1) ?? 1;
    const sums = this.kernel.nodes.every((node) => node.op !== "argmax");
    const copies = sums && last >= 16 * WIDTH ? 4 : 1;
    return parallelNest(exprs, kept.extents, (at) => {
      const sets = Array.from({ length: copies }, () => this.#accumulators(true));
      const first = sets[0] ?? new Map<Node, Accumulator>();
      const one = exprs.atoms.variable(1);
      const loops = nest(exprs, inner.extents.slice(0, -1), (outer) =>
        strips(exprs, last, { width: WIDTH, wide: copies }, (strip) =>
          strip.lanes.flatMap((lane, v) => {
            const over = [...outer, lanePlace(strip, v, WIDTH, lane)];
            return this.#take(sets[v] ?? first, plan.read(at, over), linearIndex(inner.expand(over), plan.over), lane);
          }),
        ),
      );
      const merges = sets
        .slice(1)
        .flatMap((set) =>
          [...set].map(([node, from]): Statement => ({ op: "merge", into: first.get(node) ?? from, from })),
        );
      return [
        { op: "reset", accumulators: sets.flatMap((set) => [...set.values()]) },
        ...loops,
        ...merges,
        ...[...first.values()].map((accumulator): Statement => ({ op: "combine", accumulator })),
        ...this.stores(linearIndex(kept.expand(at), this.primary.shape), one, this.#finished(first)),
      ];
    });
  }

  /** What the epilogue reads at one point of the result. */
  epilogueIndices(linear: Index): Index[] {
    return [...this.values(linear, this.#placeholders()).values()].flatMap(indicesIn);
  }

  /** Nodes that the loops of the kernel sum up, as opposed to those computed from their results. */
  #reductions(): Node[] {
    return this.kernel.nodes.filter((node) => node === this.primary || PRIMITIVES[node.op].kind === "reduction");
  }

  /** One for each reduction, but one for a maximum and its position. */
  #accumulators(across: boolean): Map<Node, Accumulator> {
    const { exprs } = this;
    const reductions = this.#reductions();
    const maxima = new Map<Node, Accumulator>();
    const maximumOf = (x: Node): Accumulator => {
      const parts = reductions.filter((node) => inputOf(node, 0) === x).flatMap((node) => maximumPart(node) ?? []);
      const accumulator = maxima.get(x) ?? exprs.newAccumulator("maximum", x.dtype, across, parts);
      maxima.set(x, accumulator);
      return accumulator;
    };
    const made = (node: Node): Accumulator => {
      if (maximumPart(node) !== undefined) return maximumOf(inputOf(node, 0));
      return exprs.newAccumulator(node.op === "contract" ? "product" : "sum", node.dtype, across);
    };
    return new Map(reductions.map((node) => [node, made(node)]));
  }

  #take(accumulators: ReadonlyMap<Node, Accumulator>, values: Taken, position: Index, lane: LoopVariable): Statement[] {
    const each = new Map([...accumulators].map(([node, accumulator]) => [accumulator, values.get(node) ?? []]));
    return [...each].map(([accumulator, own]) => ({
      op: "accumulate",
      accumulator,
      values: own,
      position: accumulator.parts.includes("position") ? position : undefined,
      lane,
    }));
  }

  #finished(accumulators: ReadonlyMap<Node, Accumulator>): Map<Node, Expr> {
    const found = (node: Node, accumulator: Accumulator): Expr =>
      this.exprs.accumulator(accumulator, maximumPart(node));
    return new Map([...accumulators].map(([node, accumulator]) => [node, found(node, accumulator)]));
  }

  #scatter(): readonly Statement[] {
    const { exprs, primary } = this;
    const [indices, updates] = [inputOf(primary, 0), inputOf(primary, 1)];
    if (primary.op !== "scatterAdd") throw new RangeError("nothing is scattered");
    const { rows, batch } = primary.attributes;
    const buffer = this.bufferOf(primary);
    const tables = indices.shape.slice(0, batch);
    const rest = primary.shape.slice(batch + 1);
    const row = sizeOf(rest);
    const place = (table: readonly Index[], at: Index, inner: Index): Index =>
      addIndex(scaleIndex(addIndex(scaleIndex(linearIndex(table, tables), rows), at), row), inner);
    const update = (at: readonly Index[], inner: Index): Expr =>
      this.reader.read(updates, [...at, ...coordinatesOf(exprs.atoms, inner, rest)]);
    const width = this.#vectorWidth([...indices.shape, row], (at, inner) => [update(at, inner)]);
    const table = (own: readonly Index[], strip: Strip): readonly Statement[] => {
      const each = (make: (inner: Index, lane: LoopVariable) => Statement): Statement[] =>
        strip.lanes.map((lane, v) => make(lanePlace(strip, v, width, lane), lane));
      const zero = exprs.number(0, primary.dtype);
      const clear = nest(exprs, [rows], ([at = constantIndex(0)]) =>
        each((inner, lane) => ({ op: "store", buffer, index: place(own, at, inner), value: zero, lane })),
      );
      const add = nest(exprs, indices.shape.slice(batch), (inside) => {
        const at = [...own, ...inside];
        const target = indexOf(exprs.atoms.dynamic(this.reader.read(indices, at), rows));
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
}

/** What of a maximum the node is. */
function maximumPart(node: Node): AccumulatorPart | undefined {
  if (node.op === "argmax") return "position";
  return node.op === "reduceMax" ? "value" : undefined;
}

interface ReducePlan {
  readonly kept: ReturnType<typeof coalesce>;
  readonly inner: ReturnType<typeof coalesce>;
  readonly over: readonly number[];
  readonly read: (kept: Index[], over: Index[]) => Taken;
}

/** What each reduction takes at one place: a value, or the two factors whose product is summed. */
type Taken = ReadonlyMap<Node, readonly Expr[]>;

const all = (taken: Taken): Expr[] => [...taken.values()].flat();

function everyPlace(extents: readonly number[]): number[][] {
  return extents.reduce<number[][]>(
    (all, n) => all.flatMap((head) => Array.from({ length: n }, (_, i) => [...head, i])),
    [[]],
  );
}

/** Whether some load would have to collect its lanes one by one. */
function isStrided(value: Expr, lane: LoopVariable): boolean {
  let strided = false;
  visitExpr(value, (expr) => {
    if (expr.op === "load" && ![0, 1].includes(factorOf(expr.index, lane) ?? 2)) strided = true;
  });
  return strided;
}

function collectBuffers(
  body: readonly Statement[],
  reads: Set<Buffer>,
  writes: Set<Buffer>,
  seen = new Set<Expr>(),
): void {
  const visit = (expr: Expr): void => {
    if (expr.op === "load") reads.add(expr.buffer);
  };
  const read = (value: Expr): void => visitExpr(value, visit, seen);
  for (const statement of body) {
    if (statement.op === "loop") collectBuffers(statement.body, reads, writes, seen);
    else if (statement.op === "accumulate") statement.values.forEach(read);
    else if (statement.op === "restore") reads.add(statement.buffer);
    else if (statement.op === "store" || statement.op === "addTo") {
      writes.add(statement.buffer);
      read(statement.value);
      for (const { atom } of statement.index.terms) if (atom.kind === "dynamic") read(atom.value);
    }
  }
}
