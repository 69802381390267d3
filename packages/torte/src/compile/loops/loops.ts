/** The loop language: what kernels become before they become machine code of some target. */
import { type Accumulator, type Buffer, dynamics, type Expr } from "./expr.js";
import {
  coordinatesOf,
  indexOf,
  linearIndex,
  scaleIndex,
  shiftIndex,
  addIndex,
  constantIndex,
  type Index,
  type LoopVariable,
} from "./index-expr.js";
import type { Exprs } from "./expr.js";
import { elementAt, sizeAt, sizeOf } from "../../tensor/shape.js";

/**
 * Lanes of the vectors of WebAssembly, the narrowest that there are. What a program computes rests on this number, whatever the
 * target: where vectors run along a sum, its terms go to so many lanes in turn, which are combined at the end.
 */
export const WIDTH = 4;

/** Runs `body` for variable = 0 … extent−1. */
export interface Loop {
  readonly op: "loop";
  readonly variable: LoopVariable;
  readonly body: readonly Statement[];
  /** The rounds do not depend on each other, so that threads can share them; what encloses the loop is parallel, too. */
  readonly parallel?: true;
}

/** `lane` advances within the vector; its extent is the number of lanes in use. */
export type Statement =
  | Loop
  | {
      readonly op: "store";
      readonly buffer: Buffer;
      readonly index: Index;
      readonly value: Expr;
      readonly lane: LoopVariable;
    }
  /** Sets every lane of the accumulators to the neutral value. */
  | { readonly op: "reset"; readonly accumulators: readonly Accumulator[] }
  /** Lets an accumulator go on from a value that a store has left. */
  | {
      readonly op: "restore";
      readonly accumulator: Accumulator;
      readonly buffer: Buffer;
      readonly index: Index;
      readonly lane: LoopVariable;
    }
  /** Takes the values into an accumulator; `position` is what argmax remembers. */
  | {
      readonly op: "accumulate";
      readonly accumulator: Accumulator;
      readonly values: readonly Expr[];
      readonly position: Index | undefined;
      readonly lane: LoopVariable;
    }
  /** Adds (or takes the maximum of) `from` into `into`. */
  | { readonly op: "merge"; readonly into: Accumulator; readonly from: Accumulator }
  /** Combines the lanes of an accumulator, the result in each of them. */
  | { readonly op: "combine"; readonly accumulator: Accumulator }
  | {
      readonly op: "addTo";
      readonly buffer: Buffer;
      readonly index: Index;
      readonly value: Expr;
      readonly lane: LoopVariable;
    };

/** Visits what a statement computes, values behind its indices included. */
export function visitStatement(statement: Statement, visit: (value: Expr) => void): void {
  if (statement.op === "accumulate") statement.values.forEach(visit);
  else if (statement.op === "store" || statement.op === "addTo") {
    visit(statement.value);
    dynamics(statement.index).forEach(visit);
  }
}

/** A kernel after its loops are made, whatever has become of them. */
export interface KernelSummary {
  readonly name: string;
  readonly origin: string;
  readonly reads: ReadonlySet<Buffer>;
  readonly writes: ReadonlySet<Buffer>;
  /** Of a kernel like an earlier one, which shares what was made of that one: its own arrays for those of the other. */
  readonly arrays?: ReadonlyMap<Buffer, Buffer>;
}

/** A kernel ready for a target. */
export interface LoweredKernel extends KernelSummary {
  readonly body: readonly Statement[];
}

/** Rounds that any number of threads can share evenly: loops further inside stay whole. */
const ENOUGH_ITERATIONS = 64;

/** The rounds that threads can share: those of parallel loops one after the other and within each other. */
export function iterationsOf(body: readonly Statement[]): number {
  let iterations = 0;
  for (const statement of body) {
    if (statement.op !== "loop" || statement.parallel !== true) return 1;
    iterations += statement.variable.extent * iterationsOf(statement.body);
  }
  return Math.max(1, iterations);
}

/** Loops over a list of extents, the body made from the coordinates. Loops of one round vanish. */
export const nest = (
  exprs: Exprs,
  extents: readonly number[],
  body: (at: Index[]) => readonly Statement[],
): readonly Statement[] => nested(exprs, extents, body, 0);

/** One loop. */
export const loop = (exprs: Exprs, extent: number, body: (at: Index) => readonly Statement[]): readonly Statement[] =>
  nest(exprs, [extent], (at) => body(elementAt(at, 0)));

/** The loops are marked as parallel from the outermost one on until there are `enough` rounds. */
function nested(
  exprs: Exprs,
  extents: readonly number[],
  body: (at: Index[]) => readonly Statement[],
  enough: number,
): readonly Statement[] {
  const variables = extents.map((n) => exprs.atoms.variable(n));
  let statements = body(variables.map((v) => indexOf(v)));
  let rounds = sizeOf(extents);
  for (const variable of [...variables].reverse()) {
    rounds /= variable.extent;
    if (variable.extent <= 1) continue;
    const loop = { op: "loop", variable, body: statements } as const;
    statements = [rounds < enough ? { ...loop, parallel: true } : loop];
  }
  return statements;
}

/** A step over part of an axis: the place of its first element, and the lanes of each of its vectors, `width` apart. */
export interface Strip {
  readonly start: Index;
  readonly width: number;
  readonly lanes: readonly LoopVariable[];
}

/**
 * Covers an axis of `extent` in strips of up to `wide` vectors of `width` lanes: a loop over the full strips, then what
 * is left over in single vectors, of fewer lanes in the end; parallel loops, where that is asked for.
 */
export function strips(
  exprs: Exprs,
  extent: number,
  { width, wide, parallel = false }: { width: number; wide: number; parallel?: boolean },
  body: (strip: Strip) => readonly Statement[],
): readonly Statement[] {
  const result: Statement[] = [];
  let done = 0;
  const narrower = widthsUpTo(width).map((lanes) => ({ vectors: 1, lanes }));
  for (const { vectors, lanes: own } of wide > 1 ? [{ vectors: wide, lanes: width }, ...narrower] : narrower) {
    const size = vectors * own;
    const rounds = Math.floor((extent - done) / size);
    const from = done;
    const lanes = Array.from({ length: vectors }, () => exprs.atoms.variable(own));
    if (rounds > 0)
      result.push(
        ...eachIteration(exprs, rounds, parallel, (round) =>
          body({ start: shiftIndex(scaleIndex(round, size), from), width: own, lanes }),
        ),
      );
    done += rounds * size;
  }
  if (done < extent) {
    const strip = { start: constantIndex(done), width: WIDTH, lanes: [exprs.atoms.variable(extent - done)] };
    result.push(...eachIteration(exprs, 1, parallel, () => body(strip)));
  }
  return result;
}

/** The widths of vectors that cover an axis one after the other, the widest first; what is left is less than the last one. */
export function widthsUpTo(width: number): number[] {
  const widths: number[] = [];
  for (let own = width; own > WIDTH; own /= 2) widths.push(own);
  return [...widths, Math.min(width, WIDTH)];
}

/** A loop over an axis, unrolled by up to `times`; what is left over follows one by one. */
export function unrolled(
  exprs: Exprs,
  extent: number,
  times: number,
  body: (at: Index, copy: number) => readonly Statement[],
): readonly Statement[] {
  const copies = (start: Index, n: number): Statement[] =>
    Array.from({ length: n }, (_, i) => body(shiftIndex(start, i), i)).flat();
  if (extent <= times) return copies(constantIndex(0), extent);
  const rounds = Math.floor(extent / times);
  return [
    ...loop(exprs, rounds, (round) => copies(scaleIndex(round, times), times)),
    ...copies(constantIndex(rounds * times), extent - rounds * times),
  ];
}

/**
 * As `nest`, the loops marked as parallel from the outermost one on until there are enough rounds; where there are not,
 * `body` is told to mark its own loops.
 */
export function parallelNest(
  exprs: Exprs,
  extents: readonly number[],
  body: (at: Index[], parallel: boolean) => readonly Statement[],
): readonly Statement[] {
  const more = sizeOf(extents) < ENOUGH_ITERATIONS;
  return nested(exprs, extents, (at) => body(at, more), ENOUGH_ITERATIONS);
}

/** A loop whose rounds do not depend on each other; threads can share a parallel one, even if it has a single round. */
export function eachIteration(
  exprs: Exprs,
  rounds: number,
  parallel: boolean,
  body: (round: Index) => readonly Statement[],
): readonly Statement[] {
  if (!parallel) return loop(exprs, rounds, body);
  const variable = exprs.atoms.variable(rounds);
  return [{ op: "loop", variable, body: body(indexOf(variable)), parallel }];
}

/** Where a vector can lie along an axis, as `strips` covers it: anywhere among the full ones, and at the end with fewer lanes. */
export function vectorPlaces(exprs: Exprs, extent: number, width: number): { at: Index; lane: LoopVariable }[] {
  const places: { at: Index; lane: LoopVariable }[] = [];
  let done = 0;
  const cover = (own: number, rounds: number): void => {
    if (rounds === 0) return;
    const lane = exprs.atoms.variable(own);
    const start = shiftIndex(scaleIndex(indexOf(exprs.atoms.variable(rounds)), own), done);
    places.push({ at: addIndex(start, indexOf(lane)), lane });
    done += own * rounds;
  };
  for (const own of widthsUpTo(width)) cover(own, Math.floor((extent - done) / own));
  if (done < extent) cover(extent - done, 1);
  return places;
}

export const lanePlace = (strip: Strip, vector: number, lane: LoopVariable): Index =>
  addIndex(shiftIndex(strip.start, vector * strip.width), indexOf(lane));

/**
 * The fewest axes that address all of `views` (functions of the coordinates) with the same plain strides: neighbours are
 * merged where every view steps through them as through one axis.
 */
export function coalesce(
  exprs: Exprs,
  shape: readonly number[],
  views: (coordinates: Index[]) => readonly Index[],
): { extents: number[]; expand: (at: readonly Index[]) => Index[] } {
  let groups = shape
    .map((n, axis) => [axis, n] as const)
    .filter(([, n]) => n !== 1)
    .map(([axis]) => [axis]);
  const extentOf = (group: readonly number[]): number =>
    group.reduce((product, axis) => product * sizeAt(shape, axis), 1);
  const expand = (grouped: readonly (readonly number[])[], at: readonly Index[]): Index[] => {
    const coordinates = shape.map(() => constantIndex(0));
    grouped.forEach((group, g) => {
      const sizes = group.map((axis) => sizeAt(shape, axis));
      const inner = coordinatesOf(exprs.atoms, elementAt(at, g), sizes);
      group.forEach((axis, i) => (coordinates[axis] = elementAt(inner, i)));
    });
    return coordinates;
  };
  const clean = (grouped: readonly (readonly number[])[]): number => {
    const at = grouped.map((group) => indexOf(exprs.atoms.variable(extentOf(group))));
    return views(expand(grouped, at)).reduce(
      (count, view) => count + view.terms.filter((t) => t.atom.kind === "quotient").length,
      0,
    );
  };
  let quotients = groups.length > 1 ? clean(groups) : 0;
  for (let i = 0; i + 1 < groups.length;) {
    const merged = [...groups.slice(0, i), [...(groups[i] ?? []), ...(groups[i + 1] ?? [])], ...groups.slice(i + 2)];
    const count = clean(merged);
    if (count <= quotients) [groups, quotients] = [merged, count];
    else i++;
  }
  return { extents: groups.map(extentOf), expand: (at) => expand(groups, at) };
}

export { linearIndex };
