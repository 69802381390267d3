/** The table of primitives: for each, the number of inputs and the rule that checks them and derives shape and dtype. */
import { GraphError } from "../errors.js";
import type { DType } from "../tensor/dtype.js";
import { formatShape, sameShape, sizeOf, type Shape } from "../tensor/shape.js";
import type { Attributes, Node, Primitive, WindowAttributes } from "./node.js";

export interface Typed {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What a primitive does with the elements of its inputs; passes and backends decide by it. */
export type Kind =
  | "leaf"
  /** Each element from the corresponding elements of the inputs. */
  | "unary"
  | "binary"
  | "select"
  /** The input itself, for what it means to others. */
  | "identity"
  | "movement"
  | "reduction"
  | "contract"
  | "indirect";

/** `typed` derives the result; for leaves, shape and dtype are given by the maker. */
export interface Rule<P extends Primitive, K extends Kind = Kind> {
  readonly arity: number | "any";
  readonly kind: K;
  readonly typed: (inputs: readonly Node[], attributes: Attributes[P]) => Typed;
}

function fail(op: Primitive, expected: string, received: string): never {
  throw new GraphError({ where: op, problem: "operands do not fit", expected, received });
}

function at(inputs: readonly Node[], index: number): Node {
  const node = inputs[index];
  if (node === undefined) throw new RangeError(`input ${index} is missing`);
  return node;
}

const describe = (node: Typed): string => `${node.dtype}${formatShape(node.shape)}`;

function want(op: Primitive, node: Typed, dtypes: readonly DType[]): void {
  if (!dtypes.includes(node.dtype)) fail(op, dtypes.join(" or "), describe(node));
}

/** One operand, whose shape and dtype the result has. */
function alike<K extends Kind>(kind: K, op: Primitive, dtypes: readonly DType[]): Rule<Primitive, K> {
  return {
    arity: 1,
    kind,
    typed: (inputs) => {
      const x = at(inputs, 0);
      want(op, x, dtypes);
      return { shape: x.shape, dtype: x.dtype };
    },
  };
}

const unary = (op: Primitive, dtypes: readonly DType[]): Rule<Primitive, "unary"> => alike("unary", op, dtypes);

function binary(op: Primitive, dtypes: readonly DType[], result?: DType): Rule<Primitive, "binary"> {
  return {
    arity: 2,
    kind: "binary",
    typed: (inputs) => {
      const [a, b] = [at(inputs, 0), at(inputs, 1)];
      want(op, a, dtypes);
      if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape)) {
        fail(op, "two operands of one shape and dtype", `${describe(a)} and ${describe(b)}`);
      }
      return { shape: a.shape, dtype: result ?? a.dtype };
    },
  };
}

function reduction(op: "sum" | "reduceMax" | "argmax", dtypes: readonly DType[]): Rule<typeof op, "reduction"> {
  return {
    arity: 1,
    kind: "reduction",
    typed: (inputs, { axes }) => {
      const x = at(inputs, 0);
      want(op, x, dtypes);
      checkAxes(op, x, axes);
      if (op !== "sum" && axes.some((axis) => x.shape[axis] === 0))
        fail(op, "at least one value to reduce", describe(x));
      return {
        shape: x.shape.filter((_, axis) => !axes.includes(axis)),
        dtype: op === "argmax" ? "int32" : x.dtype,
      };
    },
  };
}

function checkAxes(op: Primitive, x: Typed, axes: readonly number[]): void {
  const fits = axes.every((axis) => Number.isInteger(axis) && axis >= 0 && axis < x.shape.length);
  if (!fits || new Set(axes).size !== axes.length) {
    fail(op, `distinct axes within 0…${x.shape.length - 1}`, `axes ${formatShape(axes)} of ${describe(x)}`);
  }
}

/** Number of window positions on an axis of `length`. */
export function windowCount(length: number, size: number, stride: number, dilation: number): number {
  return Math.floor((length - (size - 1) * dilation - 1) / stride) + 1;
}

function checkWindows(op: Primitive, attributes: WindowAttributes): void {
  const { size, stride, dilation } = attributes;
  const positive = [...size, ...stride, ...dilation].every((n) => Number.isInteger(n) && n > 0);
  if (!positive || size.length !== stride.length || size.length !== dilation.length) {
    fail(op, "positive size, stride and dilation for each axis", JSON.stringify({ size, stride, dilation }));
  }
}

function windowsRule(inputs: readonly Node[], attributes: WindowAttributes): Typed {
  const x = at(inputs, 0);
  checkWindows("windows", attributes);
  const { axis, size } = attributes;
  const counts = size.map((taps, i) =>
    windowCount(x.shape[axis + i] ?? 0, taps, attributes.stride[i] ?? 1, attributes.dilation[i] ?? 1),
  );
  if (axis < 0 || axis + size.length > x.shape.length || counts.some((count) => count < 1)) {
    fail("windows", `axes at least as long as the window ${formatShape(size)}`, `${describe(x)} from axis ${axis}`);
  }
  return {
    shape: [...x.shape.slice(0, axis), ...counts, ...size, ...x.shape.slice(axis + size.length)],
    dtype: x.dtype,
  };
}

function foldRule(inputs: readonly Node[], attributes: Attributes["fold"]): Typed {
  const x = at(inputs, 0);
  checkWindows("fold", attributes);
  const { axis, size, lengths } = attributes;
  const n = size.length;
  const counts = lengths.map((length, i) =>
    windowCount(length, size[i] ?? 1, attributes.stride[i] ?? 1, attributes.dilation[i] ?? 1),
  );
  if (!sameShape(x.shape.slice(axis, axis + 2 * n), [...counts, ...size])) {
    fail("fold", `positions and taps ${formatShape([...counts, ...size])} from axis ${axis}`, describe(x));
  }
  return { shape: [...x.shape.slice(0, axis), ...lengths, ...x.shape.slice(axis + 2 * n)], dtype: x.dtype };
}

function contractRule(inputs: readonly Node[], { a, b, out }: Attributes["contract"]): Typed {
  const sizes = new Map<string, number>();
  for (const [labels, x] of [
    [a, at(inputs, 0)],
    [b, at(inputs, 1)],
  ] as const) {
    want("contract", x, ["float32"]);
    if (labels.length !== x.shape.length || new Set(labels).size !== labels.length) {
      fail("contract", `one distinct label of "${labels}" per axis`, describe(x));
    }
    for (const [i, label] of [...labels].entries()) {
      const size = x.shape[i] ?? 0;
      if ((sizes.get(label) ?? size) !== size)
        fail("contract", `${label} = ${sizes.get(label) ?? 0}`, `${label} = ${size}`);
      sizes.set(label, size);
    }
  }
  for (const label of new Set([...a, ...b])) {
    if (!out.includes(label) && !(a.includes(label) && b.includes(label))) {
      fail("contract", "labels that are summed to be in both operands", `"${label}" in ${a},${b}->${out}`);
    }
  }
  const shape = [...out].map(
    (label) => sizes.get(label) ?? fail("contract", "known labels in the result", `"${label}"`),
  );
  return { shape, dtype: "float32" };
}

function linearMapRule(inputs: readonly Node[], { axis, to, matrix }: Attributes["linearMap"]): Typed {
  const x = at(inputs, 0);
  want("linearMap", x, ["float32"]);
  checkAxes("linearMap", x, [axis]);
  checkAxes("linearMap", x, [to]);
  const length = x.shape[axis] ?? 0;
  if (matrix.length === 0 || matrix.some((row) => row.length !== length)) {
    fail("linearMap", `rows of ${length} numbers`, `rows of ${matrix.map((row) => row.length).join(", ")}`);
  }
  const others = x.shape.filter((_, i) => i !== axis);
  return { shape: [...others.slice(0, to), matrix.length, ...others.slice(to)], dtype: x.dtype };
}

function sliceRule(inputs: readonly Node[], { start, stop, step }: Attributes["slice"]): Typed {
  const x = at(inputs, 0);
  const shape = x.shape.map((length, i) => {
    const [from, to, by] = [start[i] ?? -1, stop[i] ?? -1, step[i] ?? 0];
    if (by < 1 || from < 0 || to > length || from > to) {
      fail("slice", `0 ≤ start ≤ stop ≤ ${length} and step ≥ 1 on axis ${i}`, `${from}:${to}:${by}`);
    }
    return Math.ceil((to - from) / by);
  });
  return { shape, dtype: x.dtype };
}

function padRule(inputs: readonly Node[], { low, high, interior }: Attributes["pad"]): Typed {
  const x = at(inputs, 0);
  const shape = x.shape.map((length, i) => {
    const [before, after, between] = [low[i] ?? -1, high[i] ?? -1, interior[i] ?? -1];
    if (before < 0 || after < 0 || between < 0) {
      fail("pad", `counts of at least 0 on axis ${i}`, `${before}, ${after}, ${between}`);
    }
    return before + after + length + Math.max(0, length - 1) * between;
  });
  return { shape, dtype: x.dtype };
}

function concatRule(inputs: readonly Node[], { axis }: Attributes["concat"]): Typed {
  const first = at(inputs, 0);
  const fits = inputs.every(
    (x) =>
      x.dtype === first.dtype &&
      x.shape.length === first.shape.length &&
      x.shape.every((n, i) => i === axis || n === first.shape[i]),
  );
  if (!fits || axis < 0 || axis >= first.shape.length) {
    fail("concat", `operands that differ only on axis ${axis}`, inputs.map(describe).join(", "));
  }
  const total = inputs.reduce((sum, x) => sum + (x.shape[axis] ?? 0), 0);
  return { shape: first.shape.map((n, i) => (i === axis ? total : n)), dtype: first.dtype };
}

function leaf(op: Primitive): Rule<Primitive, "leaf"> {
  return { arity: 0, kind: "leaf", typed: () => fail(op, "shape and dtype from its maker", "none") };
}

const FLOAT = ["float32"] as const;
const NUMBER = ["float32", "int32"] as const;
const ANY = ["float32", "int32", "bool"] as const;

type Table = { readonly [P in Primitive]: Rule<P> };

const TABLE = {
  constant: leaf("constant"),
  iota: leaf("iota"),
  state: leaf("state"),
  uniform: { arity: 1, kind: "leaf", typed: () => fail("uniform", "a shape from its maker", "none") },
  neg: unary("neg", NUMBER),
  abs: unary("abs", NUMBER),
  sign: unary("sign", FLOAT),
  floor: unary("floor", FLOAT),
  exp: unary("exp", FLOAT),
  expm1: unary("expm1", FLOAT),
  log: unary("log", FLOAT),
  log1p: unary("log1p", FLOAT),
  sqrt: unary("sqrt", FLOAT),
  tanh: unary("tanh", FLOAT),
  sigmoid: unary("sigmoid", FLOAT),
  softplus: unary("softplus", FLOAT),
  erf: unary("erf", FLOAT),
  erfc: unary("erfc", FLOAT),
  sin: unary("sin", FLOAT),
  cos: unary("cos", FLOAT),
  not: unary("not", ["bool"]),
  stopGradient: alike("identity", "stopGradient", ANY),
  copy: alike("identity", "copy", ANY),
  cast: {
    arity: 1,
    kind: "unary",
    typed: (inputs, { dtype }) => ({ shape: at(inputs, 0).shape, dtype }),
  },
  add: binary("add", NUMBER),
  sub: binary("sub", NUMBER),
  mul: binary("mul", NUMBER),
  div: binary("div", NUMBER),
  pow: binary("pow", FLOAT),
  max: binary("max", NUMBER),
  min: binary("min", NUMBER),
  mod: binary("mod", ["int32"]),
  bitXor: binary("bitXor", ["int32"]),
  shiftRight: binary("shiftRight", ["int32"]),
  less: binary("less", NUMBER, "bool"),
  lessEqual: binary("lessEqual", NUMBER, "bool"),
  equal: binary("equal", NUMBER, "bool"),
  and: binary("and", ["bool"]),
  or: binary("or", ["bool"]),
  select: {
    arity: 3,
    kind: "select",
    typed: (inputs) => {
      const [condition, a, b] = [at(inputs, 0), at(inputs, 1), at(inputs, 2)];
      want("select", condition, ["bool"]);
      if (a.dtype !== b.dtype || !sameShape(a.shape, b.shape) || !sameShape(condition.shape, a.shape)) {
        fail("select", "one shape, and one dtype for both values", inputs.map(describe).join(", "));
      }
      return { shape: a.shape, dtype: a.dtype };
    },
  },
  reshape: {
    arity: 1,
    kind: "movement",
    typed: (inputs, { shape }) => {
      const x = at(inputs, 0);
      if (sizeOf(shape) !== sizeOf(x.shape)) fail("reshape", `${sizeOf(x.shape)} elements`, formatShape(shape));
      return { shape, dtype: x.dtype };
    },
  },
  transpose: {
    arity: 1,
    kind: "movement",
    typed: (inputs, { permutation }) => {
      const x = at(inputs, 0);
      checkAxes("transpose", x, permutation);
      if (permutation.length !== x.shape.length) fail("transpose", "each axis once", formatShape(permutation));
      return { shape: permutation.map((axis) => x.shape[axis] ?? 0), dtype: x.dtype };
    },
  },
  broadcast: {
    arity: 1,
    kind: "movement",
    typed: (inputs, { shape }) => {
      const x = at(inputs, 0);
      const fits = shape.length === x.shape.length && shape.every((n, i) => x.shape[i] === n || x.shape[i] === 1);
      if (!fits) fail("broadcast", `axes of size 1 where ${formatShape(shape)} differs`, describe(x));
      return { shape, dtype: x.dtype };
    },
  },
  slice: { arity: 1, kind: "movement", typed: sliceRule },
  pad: { arity: 1, kind: "movement", typed: padRule },
  reverse: {
    arity: 1,
    kind: "movement",
    typed: (inputs, { axes }) => {
      const x = at(inputs, 0);
      checkAxes("reverse", x, axes);
      return { shape: x.shape, dtype: x.dtype };
    },
  },
  concat: { arity: "any", kind: "movement", typed: concatRule },
  windows: { arity: 1, kind: "movement", typed: windowsRule },
  fold: { arity: 1, kind: "movement", typed: foldRule },
  sum: reduction("sum", NUMBER),
  reduceMax: reduction("reduceMax", NUMBER),
  argmax: reduction("argmax", NUMBER),
  contract: { arity: 2, kind: "contract", typed: contractRule },
  linearMap: { arity: 1, kind: "contract", typed: linearMapRule },
  gather: {
    arity: 2,
    kind: "indirect",
    typed: (inputs) => {
      const [table, indices] = [at(inputs, 0), at(inputs, 1)];
      want("gather", indices, ["int32"]);
      if (table.shape.length < 1) fail("gather", "a table with rows", describe(table));
      return { shape: [...indices.shape, ...table.shape.slice(1)], dtype: table.dtype };
    },
  },
  scatterAdd: {
    arity: 2,
    kind: "indirect",
    typed: (inputs, { rows, batch }) => {
      const [indices, updates] = [at(inputs, 0), at(inputs, 1)];
      want("scatterAdd", indices, ["int32"]);
      want("scatterAdd", updates, FLOAT);
      const rank = indices.shape.length;
      if (!sameShape(indices.shape, updates.shape.slice(0, rank))) {
        fail("scatterAdd", `updates that start with ${formatShape(indices.shape)}`, describe(updates));
      }
      if (batch < 0 || batch > rank) fail("scatterAdd", `at most ${rank} axes of a batch`, String(batch));
      return { shape: [...indices.shape.slice(0, batch), rows, ...updates.shape.slice(rank)], dtype: updates.dtype };
    },
  },
} as const satisfies Table;

export const PRIMITIVES: Table = TABLE;

/** The primitives of a kind. */
export type OfKind<K extends Kind> = {
  [P in Primitive]: (typeof TABLE)[P]["kind"] extends K ? P : never;
}[Primitive];

/** Primitives whose elements are computed from corresponding elements. */
export type Elementwise = OfKind<"unary" | "binary" | "select">;

export function isElementwise(node: Node): node is Extract<Node, { op: Elementwise }> {
  const { kind } = PRIMITIVES[node.op];
  return kind === "unary" || kind === "binary" || kind === "select";
}

/** One entry for all primitives of some kinds: a part of a total table over primitives. */
export function forKinds<K extends Kind, T>(kinds: readonly K[], entry: T): { readonly [P in OfKind<K>]: T } {
  const ops = Object.entries(PRIMITIVES).filter(([, { kind }]) => (kinds as readonly Kind[]).includes(kind));
  return Object.fromEntries(ops.map(([op]) => [op, entry])) as { [P in OfKind<K>]: T };
}

/** Primitives that give each element from the corresponding elements of their operands, copies included. */
export const POINTWISE = ["unary", "binary", "select", "identity"] as const;
