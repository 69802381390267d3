import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Value } from "../backends/reference/arrays.js";
import { evaluate } from "../backends/reference/index.js";
import { GraphError } from "../errors.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, type NodeOf, type Primitive, State, topological } from "../graph/node.js";
import { print } from "../graph/print.js";
import * as ops from "../ops/index.js";
import { mixKey, normalAt } from "../tensor/random.js";
import { sizeOf } from "../tensor/shape.js";
import { drawChain, type Drawing, drawing, drawn, GRAPHS } from "../testing/arbitrary.js";
import { gradients, vjp } from "./gradient.js";

/**
 * What passes through each primitive: a "derivative"; "zero", where the function is constant between its steps; "stopped",
 * where it is zero although the function changes; or "nothing", where no operand is a float.
 */
const PASSES: { readonly [P in Primitive]: "derivative" | "zero" | "stopped" | "nothing" } = {
  constant: "nothing",
  iota: "nothing",
  state: "derivative",
  uniform: "nothing",
  neg: "derivative",
  abs: "derivative",
  sign: "zero",
  floor: "zero",
  exp: "derivative",
  expm1: "derivative",
  log: "derivative",
  log1p: "derivative",
  sqrt: "derivative",
  tanh: "derivative",
  sigmoid: "derivative",
  softplus: "derivative",
  erf: "derivative",
  erfc: "derivative",
  sin: "derivative",
  cos: "derivative",
  not: "nothing",
  cast: "derivative",
  stopGradient: "stopped",
  copy: "derivative",
  add: "derivative",
  sub: "derivative",
  mul: "derivative",
  div: "derivative",
  pow: "derivative",
  max: "derivative",
  min: "derivative",
  mod: "nothing",
  bitXor: "nothing",
  shiftRight: "nothing",
  less: "zero",
  lessEqual: "zero",
  equal: "zero",
  and: "nothing",
  or: "nothing",
  select: "derivative",
  reshape: "derivative",
  transpose: "derivative",
  broadcast: "derivative",
  slice: "derivative",
  pad: "derivative",
  reverse: "derivative",
  concat: "derivative",
  windows: "derivative",
  fold: "derivative",
  sum: "derivative",
  reduceMax: "derivative",
  argmax: "zero",
  contract: "derivative",
  linearMap: "derivative",
  gather: "derivative",
  scatterAdd: "derivative",
};
const kinds = Object.entries(PASSES) as [Primitive, (typeof PASSES)[Primitive]][];

/** Values of states, in float64. */
type Point = ReadonlyMap<State, Value>;

/** Elements of each state at which differences are taken. */
const PROBES = 12;

const scalar = (node: Node, at: Point): number => evaluate([node], at)[0]?.data[0] ?? NaN;

function moved(at: Point, state: State, i: number, by: number): Point {
  const value = valueOf(at, state);
  const data = Float64Array.from(value.data);
  data[i] = (data[i] ?? 0) + by;
  return new Map(at).set(state, { ...value, data });
}

function valueOf(at: Point, state: State): Value {
  const value = at.get(state);
  if (value === undefined) throw new RangeError(`${state.name} has no value`);
  return value;
}

/** The float32 states that the nodes read. */
function leavesOf(nodes: readonly Node[]): NodeOf<"state">[] {
  return topological(nodes)
    .filter((node) => node.op === "state")
    .filter(({ dtype }) => dtype === "float32");
}

/** Gradients of the scalar against central differences, at up to PROBES elements of each leaf. */
function checkGradients(output: Node, leaves: readonly NodeOf<"state">[], at: Point): void {
  const found = evaluate(gradients(output, leaves), at);
  leaves.forEach(({ attributes: { state } }, k) => {
    const size = sizeOf(state.shape);
    for (let i = 0; i < size; i += Math.max(1, Math.floor(size / PROBES))) {
      const h = 1e-5 * Math.max(1, Math.abs(valueOf(at, state).data[i] ?? 0));
      const [above, below] = [scalar(output, moved(at, state, i, h)), scalar(output, moved(at, state, i, -h))];
      const [expected, actual] = [(above - below) / (2 * h), found[k]?.data[i] ?? NaN];
      const rounding = (1e-15 * (Math.abs(above) + Math.abs(below))) / h;
      if (!(Math.abs(actual - expected) <= 1e-6 + 1e-5 * Math.abs(expected) + 10 * rounding)) {
        const graph = print({ name: "gradients", outputs: [output], updates: [] });
        expect.fail(`${state.name}[${i}]: difference ${expected}, derivative ${actual}\n${graph}`);
      }
    }
  });
}

/** Σ node·weights, the weights random, so that each element counts differently. */
function weighted(node: Node, seed: number, at: Map<State, Value>): Node {
  const weights = new State("weights", node.shape, "float32");
  const key = mixKey(seed, at.size, 0);
  const data = Float64Array.from({ length: sizeOf(node.shape) }, (_, i) => normalAt(key, i));
  at.set(weights, { shape: node.shape, data });
  return ops.sum(ops.mul(ops.cast(node, "float32"), read(weights)));
}

const pointOf = (d: Drawing): Map<State, Value> =>
  new Map(
    [...d.data].map(([state, { shape, data }]) => [
      state,
      { shape, data: data instanceof Float32Array ? Float64Array.from(data) : (data as Int32Array | Uint8Array) },
    ]),
  );

const forRandom = (numRuns: number, check: (d: Drawing) => void): void => {
  fc.assert(
    fc.property(fc.gen(), (gen) => {
      check(drawing(gen, true));
    }),
    drawn(numRuns),
  );
};

const of = (...wanted: (typeof PASSES)[Primitive][]): Primitive[] =>
  kinds.filter(([, kind]) => wanted.includes(kind)).map(([op]) => op);

describe("the derivative is what differences tend to", () => {
  it.each(of("derivative", "zero"))("%s", (op) => {
    forRandom(25, (d) => {
      const node = GRAPHS[op](d);
      const [leaves, at] = [leavesOf([node]), pointOf(d)];
      checkGradients(weighted(node, 1, at), leaves, at);
    });
  });

  it("of chains", () => {
    forRandom(60, (d) => {
      const nodes = drawChain(d, d.int(2, 8));
      const [leaves, at] = [leavesOf(nodes), pointOf(d)];
      const parts = nodes.map((node, i) => weighted(node, i, at));
      checkGradients(
        parts.reduce((a, b) => ops.add(a, b), constant(0)),
        leaves,
        at,
      );
    });
  });
});

describe("the second derivative is what differences of the first tend to", () => {
  it.each(of("derivative"))("%s", (op) => {
    forRandom(10, (d) => {
      const node = GRAPHS[op](d);
      const [leaves, at] = [leavesOf([node]), pointOf(d)];
      const first = gradients(ops.square(weighted(node, 1, at)), leaves);
      const parts = first.map((gradient, i) => weighted(gradient, i, at));
      checkGradients(
        parts.reduce((a, b) => ops.add(a, b), constant(0)),
        leaves,
        at,
      );
    });
  });
});

describe("nothing passes", () => {
  it.each(of("zero", "stopped", "nothing"))("%s", (op) => {
    forRandom(10, (d) => {
      const node = GRAPHS[op](d);
      const at = pointOf(d);
      const parts = evaluate(gradients(weighted(node, 1, at), [...node.inputs, ...leavesOf([node])]), at);
      for (const { data } of parts) expect([...data]).toEqual([...data].map(() => 0));
    });
  });
});

/** Derivatives at points where the function has a corner, or where a careless formula gives NaN. */
const CORNERS: readonly (readonly [name: string, f: (x: Node) => Node, at: number[], derivative: number[]])[] = [
  ["relu", ops.relu, [0, -0, -1, 1], [0, 0, 0, 1]],
  ["abs", ops.abs, [0, -2, 3], [0, -1, 1]],
  ["a maximum of equals: the second", (x) => ops.maximum(x, ops.mul(x, 1)), [2], [1]],
  ["clip", (x) => ops.clip(x, -1, 1), [-2, 0.5, 2], [0, 1, 0]],
  ["the first maximum takes all", (x) => ops.max(x), [1, 3, 3, 2], [0, 1, 0, 0]],
  ["x⁰", (x) => ops.pow(x, 0), [0, 2], [0, 0]],
  ["x¹", (x) => ops.pow(x, 1), [0, -2], [1, 1]],
  ["x²", (x) => ops.pow(x, 2), [0, -3], [0, -6]],
  ["0ˣ", (x) => ops.pow(0, x), [2], [0]],
  ["softplus", ops.softplus, [-1000, 0, 1000], [0, 0.5, 1]],
  ["sigmoid", ops.sigmoid, [-1000, 0, 1000], [0, 0.25, 0]],
  ["tanh", ops.tanh, [-1000, 0, 1000], [0, 1, 0]],
  ["log softmax", (x) => ops.slice(ops.logSoftmax(x), 0, 0, 1), [1000, 0], [0, 0]],
  ["used twice", (x) => ops.add(ops.mul(x, x), x), [3, -1], [7, -1]],
  ["the branch that is taken", (x) => ops.where(ops.less(x, 1), x, ops.mul(x, 5)), [0.5, 2], [1, 5]],
];

it.each(CORNERS)("at a corner: %s", (_, f, values, derivative) => {
  const state = new State("x", [values.length], "float32");
  const x = read(state);
  const at = new Map([[state, { shape: state.shape, data: Float64Array.from(values) }]]);
  const [gradient] = evaluate(gradients(ops.sum(f(x)), [x]), at);
  expect([...(gradient?.data ?? [])].map((value) => value + 0)).toEqual(derivative);
});

describe("gradients", () => {
  const [x, y] = [read(new State("x", [2, 3], "float32")), read(new State("y", [3], "float32"))];
  const shapes = (nodes: readonly Node[]): (readonly number[])[] => nodes.map(({ shape }) => shape);

  it("have the shapes of what they are taken of, also where nothing depends on it", () => {
    expect(shapes(gradients(ops.sum(ops.exp(x)), [x, y]))).toEqual([[2, 3], [3]]);
    expect(evaluate(gradients(ops.sum(constant(1, [2])), [x, y]), new Map()).map(({ data }) => [...data])).toEqual([
      [0, 0, 0, 0, 0, 0],
      [0, 0, 0],
    ]);
  });

  it("of a chain of thousands of nodes", () => {
    const state = new State("x", [], "float32");
    const deep = read(state);
    let sum: Node = deep;
    for (let i = 0; i < 5000; i++) sum = ops.add(sum, deep);
    const at = new Map([[state, { shape: [], data: Float64Array.of(2) }]]);
    expect(evaluate(gradients(sum, [deep]), at)[0]?.data[0]).toBe(5001);
  });

  it("carry the origin of the node that they belong to", () => {
    const hidden = ops.withOrigin("dense", () => ops.exp(x));
    const [gradient] = gradients(ops.sum(hidden), [x]);
    expect(gradient?.origin).toBe("dense");
  });

  it("refuse what is no scalar, and cotangents that do not fit", () => {
    expect(() => gradients(x, [x])).toThrow(
      new GraphError({
        where: "gradients",
        problem: "only a scalar has a gradient",
        expected: "float32()",
        received: "float32(2, 3)",
        fix: "Take the sum or the mean first.",
      }),
    );
    expect(() => gradients(iota([], 0), [x])).toThrow("received int32()");
    expect(() => vjp([x], [y], [x])).toThrow(
      "vjp: cotangent 0 does not fit its output: expected (2, 3), received (3,).",
    );
    expect(() => vjp([x], [], [x])).toThrow("received nothing");
  });
});
