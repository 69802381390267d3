/** From nodes to expressions: what the element of a node at given coordinates is computed from. */
import { type Attributes, inputOf, type Node } from "../../graph/node.js";
import { type Elementwise, isElementwise } from "../../graph/primitives.js";
import { elementAt, sameShape, sizeAt, sizeOf } from "../../tensor/shape.js";
import type { Buffer, Expr, Exprs } from "./expr.js";
import {
  addIndex,
  constantIndex,
  coordinatesOf,
  divideIndex,
  indexOf,
  linearIndex,
  rangeOf,
  remainderIndex,
  sameIndex,
  scaleIndex,
  shiftIndex,
  ZERO,
  type Index,
} from "./index-expr.js";

/** Thrown where a kernel would need a value of its own result at another place than the one it computes. */
export class NotPointwise extends Error {}

export class Inliner {
  /** What `#placeOf` was asked last: most nodes of an expression are read at the very same coordinates. */
  #coordinates: readonly Index[] | undefined;
  #shape: readonly number[] = [];
  #place: Index = ZERO;

  constructor(
    readonly exprs: Exprs,
    /** Where nodes are kept that are not recomputed by their readers. */
    readonly storage: ReadonlyMap<Node, Buffer>,
    /** Values that the kernel at hand has computed already, each at the element `at` of its array. */
    readonly locals: ReadonlyMap<Node, Expr> = new Map(),
    readonly at: Index = ZERO,
  ) {}

  /** The element of `node` at `coordinates`. */
  read(node: Node, coordinates: readonly Index[]): Expr {
    const local = this.locals.get(node);
    if (local !== undefined) {
      if (!sameIndex(this.#placeOf(coordinates, node.shape), this.at)) throw new NotPointwise();
      return local;
    }
    const buffer = this.storage.get(node);
    if (buffer !== undefined) return this.exprs.load(buffer, this.#placeOf(coordinates, node.shape));
    return this.define(node, coordinates);
  }

  #placeOf(coordinates: readonly Index[], shape: readonly number[]): Index {
    if (coordinates !== this.#coordinates || !sameShape(shape, this.#shape)) {
      this.#coordinates = coordinates;
      this.#shape = shape;
      this.#place = linearIndex(coordinates, shape);
    }
    return this.#place;
  }

  /** As `value`, but never a load of the node itself: its defining expression. */
  define(node: Node, coordinates: readonly Index[]): Expr {
    if (isElementwise(node)) return this.#apply(node, coordinates);
    const { exprs } = this;
    const input = (i: number, at: readonly Index[]): Expr => this.read(inputOf(node, i), at);
    switch (node.op) {
      case "constant":
        return exprs.number(node.attributes.value, node.dtype);
      case "iota":
        return exprs.position(elementAt(coordinates, node.attributes.axis));
      case "uniform": {
        const at = linearIndex(coordinates, node.shape);
        return exprs.random(node.attributes.stream, at, input(0, [ZERO]), input(0, [constantIndex(1)]));
      }
      case "stopGradient":
      case "copy":
        return input(0, coordinates);
      case "pad":
        return this.#pad(node, node.attributes, coordinates);
      case "concat":
        return this.#concat(node, node.attributes.axis, coordinates);
      case "fold":
        return this.#fold(node, node.attributes, coordinates);
      case "sum":
      case "reduceMax":
        return this.#unrolled(node, node.attributes.axes, node.op === "sum" ? "add" : "max", coordinates);
      case "gather": {
        const [table, indices] = [inputOf(node, 0), inputOf(node, 1)];
        const rank = indices.shape.length;
        const row = this.#dynamic(this.read(indices, coordinates.slice(0, rank)), sizeAt(table.shape, 0));
        return input(0, [row, ...coordinates.slice(rank)]);
      }
      case "state":
      case "contract":
      case "linearMap":
      case "scatterAdd":
      case "argmax":
        throw new RangeError(`${node.op} is read from memory, never recomputed`);
      case "reshape":
      case "transpose":
      case "broadcast":
      case "slice":
      case "reverse":
      case "windows":
        return input(0, moveIndex(exprs, node, coordinates));
    }
  }

  #apply(node: Extract<Node, { op: Elementwise }>, coordinates: readonly Index[]): Expr {
    const args = node.inputs.map((x) => this.read(x, coordinates));
    return this.exprs.apply(node.op, args, node.dtype);
  }

  /** A run-time value as an index; known positions stay symbolic. */
  #dynamic(value: Expr, extent: number): Index {
    if (value.op === "position") return value.index;
    if (value.op === "number") return constantIndex(value.value);
    if (value.op === "apply" && (value.primitive === "add" || value.primitive === "sub")) {
      const [a, b] = value.args;
      if (a !== undefined && b !== undefined && (isKnown(a) || isKnown(b))) {
        const right = this.#dynamic(b, extent);
        return addIndex(this.#dynamic(a, extent), value.primitive === "add" ? right : scaleIndex(right, -1));
      }
    }
    if (value.op === "apply" && value.primitive === "mul") {
      const [a, b] = value.args;
      if (a !== undefined && isKnown(a) && b?.op === "number") return scaleIndex(this.#dynamic(a, extent), b.value);
    }
    return indexOf(this.exprs.atoms.dynamic(value, extent));
  }

  #pad(node: Node, { low, interior, value }: Attributes["pad"], coordinates: readonly Index[]): Expr {
    const x = inputOf(node, 0);
    const conditions = coordinates.flatMap((index, axis) => {
      const every = sizeAt(interior, axis) + 1;
      const from = sizeAt(low, axis);
      const to = from + (sizeAt(x.shape, axis) - 1) * every + 1;
      const range = rangeOf(index);
      const always = every === 1 && range.low >= from && range.high < to;
      return always ? [] : [{ index, low: from, high: to, every }];
    });
    if (conditions.some((c) => rangeOf(c.index).high < c.low || rangeOf(c.index).low >= c.high)) {
      return this.exprs.number(value, node.dtype);
    }
    const inner = coordinates.map((index, axis) =>
      divideIndex(this.exprs.atoms, shiftIndex(index, -sizeAt(low, axis)), sizeAt(interior, axis) + 1),
    );
    return this.exprs.guard(conditions, this.read(x, inner), this.exprs.number(value, node.dtype));
  }

  #concat(node: Node, axis: number, coordinates: readonly Index[]): Expr {
    let start = sizeAt(node.shape, axis);
    let result: Expr | undefined;
    for (const part of [...node.inputs].reverse()) {
      const length = sizeAt(part.shape, axis);
      start -= length;
      const index = elementAt(coordinates, axis);
      const range = rangeOf(index);
      if (length === 0 || range.high < start || range.low >= start + length) continue;
      const from = start;
      const value = this.read(
        part,
        coordinates.map((c, i) => (i === axis ? shiftIndex(c, -from) : c)),
      );
      result =
        result === undefined
          ? value
          : this.exprs.guard([{ index, low: start, high: start + length, every: 1 }], value, result);
    }
    return result ?? this.exprs.number(0, node.dtype);
  }

  /** Σ over the taps whose window position exists: position·stride + tap·dilation = index. */
  #fold(node: Node, attributes: Attributes["fold"], coordinates: readonly Index[]): Expr {
    const { axis, size, stride, dilation } = attributes;
    const x = inputOf(node, 0);
    const n = size.length;
    const before = coordinates.slice(0, axis);
    const after = coordinates.slice(axis + n);
    const terms = product(size.map((taps, i) => tapChoices(taps, sizeAt(stride, i), sizeAt(dilation, i)))).map(
      (taps) => {
        const conditions: { index: Index; low: number; high: number; every: number }[] = [];
        const positions: Index[] = [];
        const offsets: Index[] = [];
        for (const [i, tap] of taps.entries()) {
          const place = elementAt(coordinates, axis + i);
          const [by, count] = [sizeAt(stride, i), sizeAt(x.shape, axis + i)];
          if (tap === "only") {
            positions.push(divideIndex(this.exprs.atoms, place, by));
            offsets.push(remainderIndex(this.exprs.atoms, place, by));
            conditions.push({ index: place, low: 0, high: count * by, every: 1 });
            conditions.push({
              index: remainderIndex(this.exprs.atoms, place, by),
              low: 0,
              high: sizeAt(size, i),
              every: 1,
            });
          } else {
            const shift = tap * sizeAt(dilation, i);
            positions.push(divideIndex(this.exprs.atoms, shiftIndex(place, -shift), by));
            offsets.push(constantIndex(tap));
            conditions.push({ index: place, low: shift, high: shift + (count - 1) * by + 1, every: by });
          }
        }
        const needed = conditions.filter(({ index, low, high, every }) => {
          const range = rangeOf(index);
          return every > 1 || range.low < low || range.high >= high;
        });
        const value = this.read(x, [...before, ...positions, ...offsets, ...after]);
        return this.exprs.guard(needed, value, this.exprs.number(0, node.dtype));
      },
    );
    return terms.reduce((sum, term) => this.exprs.apply("add", [sum, term], node.dtype));
  }

  #unrolled(node: Node, axes: readonly number[], combine: "add" | "max", coordinates: readonly Index[]): Expr {
    const x = inputOf(node, 0);
    const sizes = axes.map((axis) => sizeAt(x.shape, axis));
    const terms = Array.from({ length: sizeOf(sizes) }, (_, i) => {
      const at = coordinatesOf(this.exprs.atoms, constantIndex(i), sizes);
      return this.read(x, insertAxes(coordinates, axes, at));
    });
    if (terms.length === 0) return this.exprs.number(0, node.dtype);
    return terms.reduce((all, term) => this.exprs.apply(combine, [all, term], node.dtype));
  }
}

const isKnown = (value: Expr): boolean =>
  value.op === "number" ||
  value.op === "position" ||
  (value.op === "apply" && ["add", "sub", "mul"].includes(value.primitive) && value.args.every(isKnown));

/** Where windows do not overlap, a position belongs to one tap at most; otherwise each tap is tried. */
function tapChoices(taps: number, stride: number, dilation: number): (number | "only")[] {
  if (dilation === 1 && stride >= taps) return ["only"];
  return Array.from({ length: taps }, (_, tap) => tap);
}

function product<T>(choices: readonly (readonly T[])[]): T[][] {
  return choices.reduce<T[][]>(
    (all, options) => all.flatMap((head) => options.map((option) => [...head, option])),
    [[]],
  );
}

/** The coordinates with those of the reduced axes put back in. */
export function insertAxes(kept: readonly Index[], axes: readonly number[], reduced: readonly Index[]): Index[] {
  const result: Index[] = [];
  let k = 0;
  for (let axis = 0; axis < kept.length + axes.length; axis++) {
    const r = axes.indexOf(axis);
    result.push((r >= 0 ? reduced[r] : kept[k++]) ?? ZERO);
  }
  return result;
}

/** Movements that only rearrange: where in the input the element at `coordinates` comes from. */
export type Rearrangement = Extract<
  Node,
  { op: "reshape" | "transpose" | "broadcast" | "slice" | "reverse" | "windows" }
>;

export function isRearrangement(node: Node): node is Rearrangement {
  return ["reshape", "transpose", "broadcast", "slice", "reverse", "windows"].includes(node.op);
}

export function moveIndex(exprs: Exprs, node: Rearrangement, coordinates: readonly Index[]): Index[] {
  const x = inputOf(node, 0);
  switch (node.op) {
    case "reshape":
      return moveReshape(exprs, node.shape, x.shape, coordinates);
    case "transpose": {
      const { permutation } = node.attributes;
      return x.shape.map((_, axis) => elementAt(coordinates, permutation.indexOf(axis)));
    }
    case "broadcast":
      return x.shape.map((n, axis) => (n === 1 ? ZERO : elementAt(coordinates, axis)));
    case "slice": {
      const { start, step } = node.attributes;
      return coordinates.map((c, axis) => shiftIndex(scaleIndex(c, sizeAt(step, axis)), sizeAt(start, axis)));
    }
    case "reverse": {
      const { axes } = node.attributes;
      return coordinates.map((c, axis) =>
        axes.includes(axis) ? shiftIndex(scaleIndex(c, -1), sizeAt(x.shape, axis) - 1) : c,
      );
    }
    case "windows": {
      const { axis, size, stride, dilation } = node.attributes;
      const n = size.length;
      const inner = size.map((_, i) =>
        addIndex(
          scaleIndex(elementAt(coordinates, axis + i), sizeAt(stride, i)),
          scaleIndex(elementAt(coordinates, axis + n + i), sizeAt(dilation, i)),
        ),
      );
      return [...coordinates.slice(0, axis), ...inner, ...coordinates.slice(axis + 2 * n)];
    }
  }
}

/** Axes are matched in groups of equal size, so that only the groups that really change need quotients. */
function moveReshape(
  exprs: Exprs,
  from: readonly number[],
  to: readonly number[],
  coordinates: readonly Index[],
): Index[] {
  const result: Index[] = [];
  let i = 0;
  let j = 0;
  while (i < from.length || j < to.length) {
    if (from[i] === 1) {
      i++;
      continue;
    }
    if (to[j] === 1) {
      result.push(ZERO);
      j++;
      continue;
    }
    let a = from[i] ?? 1;
    let b = to[j] ?? 1;
    let iEnd = Math.min(i + 1, from.length);
    let jEnd = Math.min(j + 1, to.length);
    while (a !== b) {
      if (a < b) a *= from[iEnd++] ?? 1;
      else b *= to[jEnd++] ?? 1;
    }
    if (iEnd - i === 1 && jEnd - j === 1) result.push(elementAt(coordinates, i));
    else {
      const linear = linearIndex(coordinates.slice(i, iEnd), from.slice(i, iEnd));
      result.push(...coordinatesOf(exprs.atoms, linear, to.slice(j, jEnd)));
    }
    i = iEnd;
    j = jEnd;
  }
  return result;
}
