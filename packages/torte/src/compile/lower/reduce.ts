/** Reductions: vectors run along the result, or along the reduced axis and are combined at its end. */
import { inputOf, type Node } from "../../graph/node.js";
import { fitsVectors, reduced } from "../fusion/fuse.js";
import { type Accumulator, type AccumulatorPart, type Expr, indicesIn, isStrided } from "../loops/expr.js";
import { constantIndex, type Index, linearIndex, type LoopVariable } from "../loops/index-expr.js";
import {
  coalesce,
  lanePlace,
  nest,
  parallelNest,
  type Statement,
  strips,
  vectorPlaces,
  WIDTH,
} from "../loops/loops.js";
import type { KernelContext } from "./kernel.js";
import { elementAt, sizeAt } from "../../tensor/shape.js";

/** Places of a reduction that are unrolled instead of looped over. */
const MOST_UNROLLED = 8;
/** Vectors of a reduced row from which on several accumulators take turns, so that additions need not wait for each other. */
const LONG_ROW = 16;
const TURNS = 4;

export function lowerReduction(kernel: KernelContext): readonly Statement[] {
  const { exprs, primary } = kernel;
  const input = inputOf(primary, 0);
  const axes = "axes" in primary.attributes ? primary.attributes.axes : [];
  const over = axes.map((axis) => sizeAt(input.shape, axis));
  const nodes = kernel.reductions();
  const values = (kept: readonly Index[], at: readonly Index[]): Taken =>
    new Map(nodes.map((node) => [node, [reduced(kernel.inliner, node, kept, at)]]));
  const kept = coalesce(exprs, primary.shape, (at) => [
    ...all(values(at, kernel.anywhere(over))).flatMap(indicesIn),
    ...kernel.epilogueIndices(linearIndex(at, primary.shape)),
    linearIndex(at, primary.shape),
  ]);
  const inner = coalesce(exprs, over, (at) => [
    linearIndex(at, over),
    ...all(values(kernel.anywhere(primary.shape), at)).flatMap(indicesIn),
  ]);
  return new Reduction(kernel, {
    kept,
    inner,
    over,
    read: (k, r) => values(kept.expand(k), inner.expand(r)),
  }).lowered();
}

/** A product without a vector axis of its own, as a reduction of an elementwise product. */
export function reduceProduct(kernel: KernelContext): readonly Statement[] {
  const { exprs, primary } = kernel;
  if (primary.op !== "contract") throw new RangeError("not a product");
  const { a, b, out } = primary.attributes;
  const summed = [...a].filter((label) => !out.includes(label));
  const over = summed.map((label) => sizeAt(inputOf(primary, 0).shape, a.indexOf(label)));
  const load = (i: 0 | 1, kept: readonly Index[], at: readonly Index[]): Expr => {
    const labels = i === 0 ? a : b;
    const place = (label: string): Index =>
      out.includes(label) ? elementAt(kept, out.indexOf(label)) : elementAt(at, summed.indexOf(label));
    return kernel.inliner.read(inputOf(primary, i), [...labels].map(place));
  };
  const both = (kept: readonly Index[], at: readonly Index[]): Expr[] => [load(0, kept, at), load(1, kept, at)];
  const kept = coalesce(exprs, primary.shape, (at) => [
    linearIndex(at, primary.shape),
    ...both(at, kernel.anywhere(over)).flatMap(indicesIn),
  ]);
  const inner = coalesce(exprs, over, (at) => [
    linearIndex(at, over),
    ...both(kernel.anywhere(primary.shape), at).flatMap(indicesIn),
  ]);
  const read = (k: Index[], r: Index[]): Taken => new Map([[primary, both(kept.expand(k), inner.expand(r))]]);
  return new Reduction(kernel, { kept, inner, over, read }).lowered();
}

class Reduction {
  constructor(
    readonly kernel: KernelContext,
    readonly plan: ReducePlan,
  ) {}

  lowered(): readonly Statement[] {
    return this.#alongRows() ? this.#byRows() : this.#byColumns();
  }

  /** Vectors run along the reduced axis where memory does, unless they run as well along the result. */
  #alongRows(): boolean {
    const { plan } = this;
    const { exprs } = this.kernel;
    const last = plan.inner.extents.at(-1) ?? 1;
    const result = plan.kept.extents.at(-1) ?? 1;
    if (last < WIDTH) return false;
    const [keptOuter, innerOuter] = [
      this.kernel.anywhere(plan.kept.extents.slice(0, -1)),
      this.kernel.anywhere(plan.inner.extents.slice(0, -1)),
    ];
    const along = vectorPlaces(exprs, last, WIDTH).map(({ at, lane }) => ({
      lane,
      values: all(plan.read(this.kernel.anywhere(plan.kept.extents), [...innerOuter, at])),
    }));
    const across = vectorPlaces(exprs, result, WIDTH).map(({ at, lane }) => ({
      lane,
      values: all(plan.read([...keptOuter, at], this.kernel.anywhere(plan.inner.extents))),
    }));
    const fits = (ways: typeof along): boolean =>
      ways.every(({ lane, values }) => values.every((v) => fitsVectors(v, lane)));
    const strided = (ways: typeof along): boolean =>
      ways.some(({ lane, values }) => values.some((v) => isStrided(v, lane)));
    if (!fits(along)) return false;
    return result < WIDTH || !fits(across) || (strided(across) && !strided(along));
  }

  #byColumns(): readonly Statement[] {
    const { plan } = this;
    const { exprs } = this.kernel;
    const { kept, inner } = plan;
    const last = kept.extents.at(-1) ?? 1;
    const width = this.kernel.vectorWidth(kept.extents, (at, place) => [
      ...all(plan.read([...at, place], this.kernel.anywhere(inner.extents))),
      ...this.kernel
        .values(linearIndex(kept.expand([...at, place]), this.kernel.primary.shape), this.kernel.placeholders())
        .values(),
    ]);
    return parallelNest(exprs, kept.extents.slice(0, -1), (at, parallel) =>
      strips(exprs, last, { width, wide: 4, parallel }, (strip) => {
        const groups = strip.lanes.map((lane) => ({ lane, accumulators: this.#accumulators(false) }));
        const places = groups.map(({ lane }, v) => [...at, lanePlace(strip, v, lane)]);
        const short = inner.extents.reduce((product, n) => product * n, 1) <= MOST_UNROLLED;
        const step = (over: Index[]): Statement[] =>
          groups.flatMap(({ lane, accumulators }, v) =>
            this.#take(
              accumulators,
              plan.read(elementAt(places, v), over),
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
            const linear = linearIndex(kept.expand(elementAt(places, v)), this.kernel.primary.shape);
            return this.kernel.stores(linear, lane, this.#finished(accumulators));
          }),
        ];
      }),
    );
  }

  #byRows(): readonly Statement[] {
    const { plan } = this;
    const { exprs } = this.kernel;
    const { kept, inner } = plan;
    const last = inner.extents.at(-1) ?? 1;
    const sums = this.kernel.kernel.nodes.every((node) => node.op !== "argmax");
    const copies = sums && last >= LONG_ROW * WIDTH ? TURNS : 1;
    return parallelNest(exprs, kept.extents, (at) => {
      const sets = Array.from({ length: copies }, () => this.#accumulators(true));
      const first = sets[0] ?? new Map<Node, Accumulator>();
      const one = exprs.atoms.variable(1);
      const loops = nest(exprs, inner.extents.slice(0, -1), (outer) =>
        strips(exprs, last, { width: WIDTH, wide: copies }, (strip) =>
          strip.lanes.flatMap((lane, v) => {
            const over = [...outer, lanePlace(strip, v, lane)];
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
        ...this.kernel.stores(linearIndex(kept.expand(at), this.kernel.primary.shape), one, this.#finished(first)),
      ];
    });
  }

  /** One for each reduction, but one for a maximum and its position. */
  #accumulators(across: boolean): Map<Node, Accumulator> {
    const { exprs } = this.kernel;
    const reductions = this.kernel.reductions();
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
      this.kernel.exprs.accumulator(accumulator, maximumPart(node));
    return new Map([...accumulators].map(([node, accumulator]) => [node, found(node, accumulator)]));
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
