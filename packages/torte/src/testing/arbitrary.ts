/**
 * Random graphs for property tests: of each primitive, and small chains of several.
 *
 * Everything is drawn through one `fc.gen()`, so that a generator reads as a plain function and fast-check can still
 * shrink what it drew. The contents of the leaves come from a drawn seed, and are not shrunk.
 */
import fc from "fast-check";
import { constant, iota, make, read, uniform } from "../graph/make.js";
import { type Node, type Primitive, State, type WindowAttributes } from "../graph/node.js";
import { type Elementwise, type OfKind, windowCount } from "../graph/primitives.js";
import * as ops from "../ops/index.js";
import type { DType } from "../tensor/dtype.js";
import { mixKey, normalAt, shuffle, uniformAt } from "../tensor/random.js";
import { type Shape, sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/**
 * Which numbers a float32 leaf holds. `spaced` ones have a kink where they are whole or meet each other: in smooth graphs
 * they keep away from that.
 */
export type Domain = "any" | "positive" | "spaced";

export interface DrawingOptions {
  /** The most elements of a result. */
  readonly most: number;
  /** Sizes of axes that are drawn. */
  readonly sizes: readonly number[];
  /** Only graphs with a derivative wherever they are evaluated. */
  readonly smooth: boolean;
}

/** Small arrays, with some axes as long as vectors and a little longer. */
const COMPILED: DrawingOptions = { most: 600, sizes: [1, 2, 3, 4, 5, 7, 8, 1, 2, 3, 4, 9, 16, 17, 33], smooth: false };
const SMOOTH: DrawingOptions = { most: 24, sizes: [1, 2, 3, 4, 5, 2, 3], smooth: true };

/** The same cases in every run; TORTE_SEED draws others. */
export const drawn = (numRuns: number): { numRuns: number; seed: number } => ({
  numRuns,
  seed: Number(process.env["TORTE_SEED"] ?? 1),
});

export class Drawing {
  /** The leaves and what they hold. */
  readonly data = new Map<State, Tensor>();
  readonly #seed: number;

  constructor(
    readonly gen: fc.GeneratorValue,
    readonly options: DrawingOptions,
  ) {
    this.#seed = gen(fc.nat);
  }

  get smooth(): boolean {
    return this.options.smooth;
  }

  int(min: number, max: number): number {
    return min >= max ? min : this.gen(fc.integer, { min, max });
  }

  /** True once in `n` draws. */
  rarely(n: number): boolean {
    return this.int(1, n) === n;
  }

  one<T>(items: readonly T[]): T {
    const item = items[this.int(0, items.length - 1)];
    if (item === undefined) throw new RangeError("nothing to choose from");
    return item;
  }

  pick<T>(...items: readonly T[]): T {
    return this.one(items);
  }

  size(): number {
    return this.one(this.options.sizes);
  }

  /** A shape of `rank` axes that holds at most `most` elements. */
  shape(rank = this.int(0, 4), most = this.options.most): number[] {
    const shape: number[] = [];
    for (let axis = 0; axis < rank; axis++) {
      shape.push(Math.min(this.size(), Math.max(1, Math.floor(most / sizeOf(shape)))));
    }
    return shape;
  }

  permutation(n: number): number[] {
    const rest = Array.from({ length: n }, (_, i) => i);
    return Array.from({ length: n }, () => rest.splice(this.int(0, rest.length - 1), 1)[0] ?? 0);
  }

  /** Some of the axes, in ascending order. */
  axes(rank: number, atLeast = 0): number[] {
    const count = this.int(Math.min(atLeast, rank), rank);
    return this.permutation(rank)
      .slice(0, count)
      .sort((a, b) => a - b);
  }

  /** A new state that nothing is computed from. */
  leaf(shape: Shape, dtype: DType = "float32", domain: Domain = "any", below = 10): Node {
    const number = this.data.size;
    const state = new State(`s${number}`, shape, dtype);
    const [key, n] = [mixKey(this.#seed, number, 0), sizeOf(shape)];
    const values = (value: (i: number) => number): number[] => Array.from({ length: n }, (_, i) => value(i));
    const place = shuffle(
      Int32Array.from({ length: n }, (_, i) => i),
      key,
    );
    const float = (i: number): number => {
      if (domain === "positive") return 0.1 + 5 * uniformAt(key, i);
      if (domain === "any") return 2 * normalAt(key, i);
      // No two are equal nor whole, not in different leaves either; or else many are.
      return this.smooth
        ? 0.2 * ((place[i] ?? 0) - (n >> 1)) + 0.0437 + 0.0313 * number
        : Math.round(3 * normalAt(key, i));
    };
    const data =
      dtype === "float32"
        ? Float32Array.from(values(float))
        : dtype === "int32"
          ? Int32Array.from(values((i) => Math.floor(below * uniformAt(key, i))))
          : Uint8Array.from(values((i) => Number(uniformAt(key, i) < 0.5)));
    this.data.set(state, new Tensor(data, shape, dtype));
    return read(state);
  }

  /** A view of one or two leaves with the given result: transposed, cut, repeated, surrounded, flipped, … */
  operand(shape: Shape, dtype: DType = "float32", domain: Domain = "any", below = 10): Node {
    const leaf = (of: Shape): Node => this.leaf(of, dtype, domain, below);
    // What repeats or invents values gives ties, and zeros, where a smooth function may have a kink or a pole.
    const distinct = this.smooth && domain !== "any";
    return this.view(shape, leaf, distinct, dtype === "float32" && domain === "any" ? this.pick(0, 1, -2.5) : 1);
  }

  view(shape: Shape, leaf: (shape: Shape) => Node, distinct: boolean, fill: number, depth = 3): Node {
    const below = (of: Shape): Node => this.view(of, leaf, distinct, fill, depth - 1);
    const plain = (): Node => leaf(shape);
    if (depth === 0 || shape.length === 0) return plain();
    const view = this.pick(
      plain,
      plain,
      () => this.transposed(shape, below),
      () => this.cut(shape, below),
      () => make("reverse", [below(shape)], { axes: this.axes(shape.length, 1) }),
      () => make("reshape", [below(this.factored(sizeOf(shape)))], { shape }),
      () => this.joined(shape, below),
      ...(distinct
        ? []
        : [
            () => this.repeated(shape, below),
            () => this.surrounded(shape, below, fill),
            () => this.slid(shape, below),
          ]),
    );
    return view();
  }

  transposed(shape: Shape, below: (shape: Shape) => Node): Node {
    const permutation = this.permutation(shape.length);
    return make("transpose", [below(shape.map((_, axis) => shape[permutation.indexOf(axis)] ?? 1))], { permutation });
  }

  cut(shape: Shape, below: (shape: Shape) => Node): Node {
    const axes = this.axes(shape.length, 1).slice(0, 2);
    const draw = (...numbers: [number, ...number[]]): number[] =>
      shape.map((_, axis) => (axes.includes(axis) ? this.pick(...numbers) : numbers[0]));
    const [start, step, slack, rest] = [draw(0, 1, 2), draw(1, 2, 3), draw(0, 1, 2), draw(0, 1, 3)];
    // The stop may lie anywhere before the next element that would be taken.
    const stop = shape.map((n, i) => {
      const by = step[i] ?? 1;
      return (start[i] ?? 0) + (n === 0 ? 0 : (n - 1) * by + 1 + Math.min(slack[i] ?? 0, by - 1));
    });
    return make("slice", [below(stop.map((n, i) => n + (rest[i] ?? 0)))], { start, stop, step });
  }

  repeated(shape: Shape, below: (shape: Shape) => Node): Node {
    const axes = this.axes(shape.length, 1);
    return make("broadcast", [below(shape.map((n, axis) => (axes.includes(axis) ? 1 : n)))], { shape });
  }

  surrounded(shape: Shape, below: (shape: Shape) => Node, value: number): Node {
    const interior = shape.map((n) => (n > 1 && n % 2 === 1 ? this.pick(0, 0, 1) : 0));
    const room = shape.map((n, i) => ((interior[i] ?? 0) > 0 ? 0 : Math.max(0, n - 1)));
    const low = room.map((n) => Math.min(n, this.pick(0, 1, 2)));
    const high = room.map((n, i) => Math.min(n - (low[i] ?? 0), this.pick(0, 1, 2)));
    const inner = shape.map((n, i) => ((interior[i] ?? 0) > 0 ? (n + 1) / 2 : n - (low[i] ?? 0) - (high[i] ?? 0)));
    return make("pad", [below(inner)], { low, high, interior, value });
  }

  /** Two neighbouring axes as positions and taps of a window. */
  slid(shape: Shape, below: (shape: Shape) => Node): Node {
    const axis = this.int(0, shape.length - 2);
    const [positions = 0, taps = 0] = shape.slice(axis, axis + 2);
    if (shape.length < 2 || positions === 0 || taps === 0) return below(shape);
    const [stride, dilation] = [this.int(1, 3), this.int(1, 2)];
    const length = (positions - 1) * stride + (taps - 1) * dilation + 1 + this.int(0, stride - 1);
    return make("windows", [below([...shape.slice(0, axis), length, ...shape.slice(axis + 2)])], {
      axis,
      size: [taps],
      stride: [stride],
      dilation: [dilation],
    });
  }

  joined(shape: Shape, below: (shape: Shape) => Node): Node {
    const axis = this.int(0, shape.length - 1);
    const n = shape[axis] ?? 0;
    if (n < 2) return below(shape);
    const first = this.int(1, n - 1);
    const part = (size: number): Node => below(shape.map((whole, i) => (i === axis ? size : whole)));
    return make("concat", [part(first), part(n - first)], { axis });
  }

  /** A shape of `n` elements. */
  factored(n: number): number[] {
    const factors = [2, 3, 4, 5].filter((factor) => n % factor === 0);
    if (n === 0 || factors.length === 0 || this.rarely(3)) return [n];
    const factor = this.one(factors);
    return this.pick(true, false) ? [factor, n / factor] : [n / factor, factor];
  }
}

/** Draws a graph; the same in a compiled and in a smooth setting. */
export type GraphArbitrary = (d: Drawing) => Node;

type NoAttributes = Exclude<Elementwise, "cast" | "select"> | OfKind<"identity">;

const number = (d: Drawing): DType => (d.smooth ? "float32" : d.pick<DType>("float32", "float32", "int32"));
const any = (d: Drawing): DType => (d.smooth ? "float32" : d.pick<DType>("float32", "int32", "bool"));

/** Integers on both sides of zero. */
const signed = (d: Drawing, shape: Shape, domain: Domain, dtype: DType): Node =>
  dtype === "int32" ? ops.sub(d.operand(shape, dtype, domain, 20), 10) : d.operand(shape, dtype, domain);

const unary =
  (op: NoAttributes, domain: Domain = "any", dtypeOf: (d: Drawing) => DType = () => "float32"): GraphArbitrary =>
  (d) =>
    make(op, [signed(d, d.shape(), domain, dtypeOf(d))], {});

const binary =
  (
    op: NoAttributes,
    domains: readonly [Domain, Domain] = ["any", "any"],
    dtypeOf: (d: Drawing) => DType = () => "float32",
  ): GraphArbitrary =>
  (d) => {
    const [shape, dtype] = [d.shape(), dtypeOf(d)];
    return make(
      op,
      domains.map((domain) => signed(d, shape, domain, dtype)),
      {},
    );
  };

const reduced =
  (op: "sum" | "reduceMax" | "argmax", domain: Domain): GraphArbitrary =>
  (d) => {
    const shape = d.shape();
    return make(op, [signed(d, shape, domain, number(d))], { axes: d.axes(shape.length) });
  };

/** Windows over one or two axes, and the lengths that they need. */
function drawWindows(d: Drawing): { attributes: WindowAttributes; lengths: number[]; shape: number[] } {
  const rank = d.int(1, 3);
  const count = d.int(1, Math.min(2, rank));
  const axis = d.int(0, rank - count);
  const draw = (max: number): number[] => Array.from({ length: count }, () => d.int(1, max));
  const [size, stride, dilation, positions] = [draw(4), draw(3), draw(2), draw(5)];
  const lengths = positions.map((n, i) => {
    const span = (n - 1) * (stride[i] ?? 1) + ((size[i] ?? 1) - 1) * (dilation[i] ?? 1) + 1;
    return span + d.int(0, (stride[i] ?? 1) - 1);
  });
  const shape = Array.from({ length: rank }, (_, i) =>
    i >= axis && i < axis + count ? (lengths[i - axis] ?? 1) : d.smooth ? d.int(1, 2) : d.size(),
  );
  return { attributes: { axis, size, stride, dilation }, lengths, shape };
}

/** Labels with a part in the product: in the first, the second operand, and the result. */
const ROLES: readonly (readonly [boolean, boolean, boolean])[] = [
  [true, true, true],
  [true, false, true],
  [false, true, true],
  [true, true, false],
];

function drawContract(d: Drawing): Node {
  const labels = [..."abcde"].slice(0, d.int(0, 5)).map((label) => ({ label, role: d.one(ROLES), n: 1 }));
  let left = d.smooth ? 100 : 6000;
  for (const each of labels) {
    each.n = Math.max(1, Math.min(d.size(), left));
    left = Math.floor(left / each.n);
  }
  const some = (part: 0 | 1 | 2): { spec: string; shape: number[] } => {
    const own = labels.filter(({ role }) => role[part]);
    const order = d.permutation(own.length).map((i) => own[i] ?? { label: "", n: 1 });
    return { spec: order.map(({ label }) => label).join(""), shape: order.map(({ n }) => n) };
  };
  const [a, b, out] = [some(0), some(1), some(2)];
  return make("contract", [d.operand(a.shape), d.operand(b.shape)], { a: a.spec, b: b.spec, out: out.spec });
}

/** Rows of a table, places to look up, and the shape of a row. */
function drawLookup(d: Drawing): { rows: number; indices: Node; row: number[] } {
  const rows = d.size();
  // Padding fills with 1, a second row.
  const indices = d.operand(d.shape(d.int(0, 2), d.smooth ? 6 : 40), "int32", "any", rows);
  return { rows: Math.max(2, rows), indices, row: d.shape(d.int(0, 2), d.smooth ? 4 : 40) };
}

/** A graph that ends in the primitive, over operands of random shapes and strides. */
export const GRAPHS: { readonly [P in Primitive]: GraphArbitrary } = {
  constant: (d) => {
    const dtype = d.pick<DType>("float32", "int32", "bool");
    return constant(dtype === "bool" ? d.int(0, 1) : d.pick(0, 1, -3, 7), d.shape(), dtype);
  },
  iota: (d) => {
    const shape = d.shape(d.int(1, 4));
    return iota(shape, d.int(0, shape.length - 1));
  },
  state: (d) => d.leaf(d.shape(), any(d)),
  uniform: (d) => uniform(d.leaf([2], "int32", "any", 2 ** 31 - 1), d.gen(fc.integer), d.shape()),
  neg: unary("neg", "any", number),
  abs: unary("abs", "spaced", number),
  sign: unary("sign", "spaced"),
  floor: unary("floor", "spaced"),
  exp: unary("exp"),
  expm1: unary("expm1"),
  log: unary("log", "positive"),
  log1p: unary("log1p", "positive"),
  sqrt: unary("sqrt", "positive"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  softplus: unary("softplus"),
  erf: unary("erf"),
  erfc: unary("erfc"),
  sin: unary("sin"),
  cos: unary("cos"),
  not: unary("not", "any", () => "bool"),
  cast: (d) =>
    make("cast", [signed(d, d.shape(), "spaced", any(d))], { dtype: d.pick<DType>("float32", "int32", "bool") }),
  stopGradient: unary("stopGradient", "any", any),
  copy: unary("copy", "any", any),
  add: binary("add", ["any", "any"], number),
  sub: binary("sub", ["any", "any"], number),
  mul: binary("mul", ["any", "any"], number),
  div: binary("div", ["any", "positive"], number),
  pow: binary("pow", ["positive", "any"]),
  max: binary("max", ["spaced", "spaced"], number),
  min: binary("min", ["spaced", "spaced"], number),
  mod: (d) => {
    const shape = d.shape();
    return make("mod", [d.operand(shape, "int32", "any", 1000), ops.add(d.operand(shape, "int32"), 1)], {});
  },
  bitXor: binary("bitXor", ["any", "any"], () => "int32"),
  shiftRight: (d) => {
    const shape = d.shape();
    const by = d.pick(true, false) ? constant(d.pick(0, 1, 24, 31), shape, "int32") : d.operand(shape, "int32");
    return make("shiftRight", [d.operand(shape, "int32", "any", 2 ** 30), by], {});
  },
  less: binary("less", ["spaced", "spaced"], number),
  lessEqual: binary("lessEqual", ["spaced", "spaced"], number),
  equal: binary("equal", ["spaced", "spaced"], number),
  and: binary("and", ["any", "any"], () => "bool"),
  or: binary("or", ["any", "any"], () => "bool"),
  select: (d) => {
    const [shape, dtype] = [d.shape(), any(d)];
    return make("select", [d.operand(shape, "bool"), d.operand(shape, dtype), d.operand(shape, dtype)], {});
  },
  reshape: (d) => {
    const shape = d.shape();
    return make("reshape", [d.operand(shape, any(d))], { shape: d.factored(sizeOf(shape)) });
  },
  transpose: (d) => d.transposed(d.shape(d.int(1, 4)), (of) => d.operand(of, any(d))),
  broadcast: (d) => d.repeated(d.shape(d.int(1, 4)), (of) => d.operand(of, any(d))),
  slice: (d) => d.cut(d.shape(d.int(1, 4), 100), (of) => d.operand(of, any(d))),
  pad: (d) => {
    const shape = d.shape(d.int(1, 3), 100);
    const widths = (): number[] => shape.map(() => d.pick(0, 0, 1, 2));
    const value = d.smooth ? 1.5 : d.pick(0, 1, -2.5, -Infinity);
    return make("pad", [d.operand(shape)], { low: widths(), high: widths(), interior: widths(), value });
  },
  reverse: (d) => {
    const shape = d.shape();
    return make("reverse", [d.operand(shape, any(d))], { axes: d.axes(shape.length) });
  },
  concat: (d) => {
    const shape = d.shape(d.int(1, 3), 100);
    const [axis, dtype] = [d.int(0, shape.length - 1), any(d)];
    const part = (): Node =>
      d.operand(
        shape.map((n, i) => (i === axis ? d.size() : n)),
        dtype,
      );
    return make("concat", Array.from({ length: d.int(1, 4) }, part), { axis });
  },
  windows: (d) => {
    const { attributes, shape } = drawWindows(d);
    return make("windows", [d.operand(shape, any(d))], attributes);
  },
  fold: (d) => {
    const { attributes, lengths, shape } = drawWindows(d);
    const { axis, size, stride, dilation } = attributes;
    const counts = lengths.map((n, i) => windowCount(n, size[i] ?? 1, stride[i] ?? 1, dilation[i] ?? 1));
    const windowed = [...shape.slice(0, axis), ...counts, ...size, ...shape.slice(axis + size.length)];
    return make("fold", [d.operand(windowed)], { ...attributes, lengths });
  },
  sum: reduced("sum", "any"),
  reduceMax: reduced("reduceMax", "spaced"),
  argmax: reduced("argmax", "spaced"),
  contract: drawContract,
  linearMap: (d) => {
    const shape = d.shape(d.int(1, 3), 100);
    const axis = d.int(0, shape.length - 1);
    const row = (): number[] => Array.from({ length: shape[axis] ?? 1 }, () => d.pick(0, 1, -1, 2, -2, 0.5, -0.75));
    const to = d.int(0, shape.length - 1);
    return make("linearMap", [d.operand(shape)], { axis, to, matrix: Array.from({ length: d.int(1, 5) }, row) });
  },
  gather: (d) => {
    const { rows, indices, row } = drawLookup(d);
    return make("gather", [d.operand([rows, ...row], any(d)), indices], {});
  },
  scatterAdd: (d) => {
    const { rows, indices, row } = drawLookup(d);
    const batch = d.int(0, indices.shape.length);
    return make("scatterAdd", [indices, d.operand([...indices.shape, ...row])], { rows, batch });
  },
};

/** A drawing for comparing backends, or, smooth, for derivatives. */
export const drawing = (gen: fc.GeneratorValue, smooth = false): Drawing =>
  new Drawing(gen, smooth ? SMOOTH : COMPILED);

/** Goes on from a float32 node. What it returns is of the size of 1, so that rounding does not grow along a chain. */
type Link = (d: Drawing, x: Node) => Node;

const axisOf = (d: Drawing, x: Node): number => d.int(0, x.shape.length - 1);
const bounded = (x: Node): Node => ops.tanh(ops.mul(x, 0.5));
/** An operand that broadcasts against `x`. */
const beside = (d: Drawing, x: Node, domain: Domain = "any"): Node => {
  const shape = x.shape.slice(d.int(0, x.shape.length)).map((n) => (d.rarely(4) ? 1 : n));
  return d.operand(shape, "float32", domain);
};

const SMOOTH_LINKS: readonly Link[] = [
  (d, x) => d.one([ops.tanh, ops.sigmoid, ops.sin, ops.cos, ops.erf, ops.erfc, ops.neg])(x),
  (_, x) => ops.log1p(ops.exp(bounded(x))),
  (d, x) => bounded(d.one([ops.add, ops.sub, ops.mul])(x, beside(d, x))),
  (d, x) => ops.div(bounded(x), ops.add(beside(d, x, "positive"), 0.5)),
  (d, x) => ops.where(d.operand(x.shape, "bool"), x, d.pick<Node | number>(0, d.operand(x.shape))),
  (d, x) => ops.transpose(x, d.permutation(x.shape.length)),
  (d, x) => ops.reverse(x, d.axes(x.shape.length)),
  (d, x) => ops.reshape(x, d.factored(sizeOf(x.shape))),
  (d, x) => ops.slice(x, axisOf(d, x), d.int(0, 1), Infinity, d.int(1, 2)),
  (d, x) =>
    ops.pad(
      x,
      x.shape.map(() => [d.pick(0, 0, 1), d.pick(0, 0, 2)] as const),
      d.pick(0, 1),
    ),
  (d, x) => ops.concat(d.pick([x, x], [d.operand(x.shape), x]), axisOf(d, x)),
  (d, x) => ops.mean(x, { axes: d.axes(x.shape.length), keepDims: d.pick(true, false) }),
  (d, x) => ops.sub(x, ops.mean(x, { axes: [axisOf(d, x)], keepDims: true })),
  (d, x) => ops.softmax(x, axisOf(d, x)),
  (d, x) => {
    const n = d.int(1, 9);
    const weights = d.operand([x.shape.at(-1) ?? 1, n]);
    const labels = [..."abcd"].slice(0, x.shape.length - 1).join("");
    const out = d.pick(`${labels}n`, `n${labels}`);
    return bounded(ops.einsum(`${labels}k,kn->${out}`, x, weights));
  },
  (d, x) => {
    const axis = axisOf(d, x);
    const [size, stride] = [d.int(1, Math.min(3, x.shape[axis] ?? 1)), d.int(1, 2)];
    const attributes = { axis, size: [size], stride: [stride], dilation: [1] };
    const view = ops.windows(x, attributes);
    const weighted = ops.mul(view, d.operand([size, ...x.shape.slice(axis + 1).map(() => 1)]));
    return d.pick(
      bounded(ops.sum(weighted, { axes: [axis + 1] })),
      bounded(ops.fold(weighted, { ...attributes, lengths: [x.shape[axis] ?? 1] })),
      view,
    );
  },
  (d, x) => ops.gather(x, d.leaf(d.shape(1, 6), "int32", "any", x.shape[0])),
  (d, x) => bounded(ops.scatterAdd(d.leaf([x.shape[0] ?? 1], "int32", "any", 3), x, 3)),
  (d, x) => ops.add(x, ops.mul(ops.cast(iota(x.shape, axisOf(d, x)), "float32"), 0.1)),
  (d, x) => {
    const key = d.leaf([2], "int32", "any", 2 ** 31 - 1);
    return ops.where(ops.less(uniform(key, d.int(0, 9), x.shape), 0.5), ops.mul(x, 2), 0);
  },
];

const KINKED_LINKS: readonly Link[] = [
  (d, x) => d.one([ops.relu, ops.abs, ops.sign, ops.floor])(x),
  (d, x) => ops.maximum(x, beside(d, x)),
  (d, x) => ops.max(x, { axes: d.axes(x.shape.length, 1) }),
  (d, x) => {
    const axis = axisOf(d, x);
    const size = d.int(1, Math.min(3, x.shape[axis] ?? 1));
    const view = ops.windows(x, { axis, size: [size], stride: [d.int(1, size)], dilation: [1] });
    return ops.max(view, { axes: [axis + 1] });
  },
];

/** Some nodes of a graph of `links` random links; the last one depends on most of the others. */
export function drawChain(d: Drawing, links: number): Node[] {
  const known = d.smooth ? SMOOTH_LINKS : [...SMOOTH_LINKS, ...KINKED_LINKS];
  const nodes = [d.operand(d.shape(d.int(1, 3), d.smooth ? 12 : 300))];
  for (let i = 0; i < links; i++) {
    const last = nodes.at(-1) ?? d.one(nodes);
    const x = d.rarely(4) ? d.one(nodes) : last;
    const next = d.one(known)(d, x.shape.length === 0 ? ops.reshape(x, [1]) : x);
    if (sizeOf(next.shape) === 0 || sizeOf(next.shape) > 1000 || next.shape.length > 4) continue;
    const same = nodes.filter((node) => node !== x && node.shape.join() === next.shape.join());
    nodes.push(same.length > 0 && d.rarely(2) ? ops.add(next, d.one(same)) : next);
  }
  return nodes.slice(1).filter((_, i, all) => i === all.length - 1 || d.rarely(4));
}
