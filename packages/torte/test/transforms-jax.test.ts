/** 200 random functions beside JAX: values, gradients, Jacobians, Hessians, and batches of them. */
import { describe, expect, it } from "vitest";
import { compile, grad, hessian, jacobian, ops, Tensor, vmap, type Node } from "torte";
import fixture from "./fixtures/transforms/jax.json" with { type: "json" };

interface Step {
  readonly op: string;
  readonly in: readonly number[];
  readonly a?: {
    readonly w?: readonly number[] | readonly (readonly number[])[];
    readonly shape?: readonly number[];
    readonly start?: number;
    readonly stop?: number;
    readonly step?: number;
    readonly low?: number;
    readonly high?: number;
    readonly rows?: readonly number[];
    readonly into?: number;
    readonly stride?: number;
    readonly size?: number;
  };
}

interface Case {
  readonly shape: readonly number[];
  readonly steps: readonly Step[];
  readonly x: readonly number[];
  readonly value: readonly number[];
  readonly gradient: readonly number[];
  readonly hessian: readonly number[];
  readonly jacobian: readonly number[];
  readonly values: readonly number[];
  readonly gradients: readonly number[];
  readonly hessians: readonly number[];
}

const squared = (x: Node): Node => ops.add(ops.square(x), 1);

const UNARY: Readonly<Record<string, (x: Node) => Node>> = {
  tanh: ops.tanh,
  sigmoid: ops.sigmoid,
  softplus: ops.softplus,
  sin: ops.sin,
  cos: ops.cos,
  erf: ops.erf,
  neg: ops.neg,
  square: ops.square,
  boundedExp: (x) => ops.exp(ops.tanh(x)),
  logOfSquare: (x) => ops.log1p(ops.square(x)),
  norm: (x) => ops.sqrt(squared(x)),
  expm1: (x) => ops.expm1(ops.tanh(x)),
  relu: ops.relu,
  abs: ops.abs,
  power: (x) => ops.pow(squared(x), 1.5),
};

const BINARY: Readonly<Record<string, (a: Node, b: Node) => Node>> = {
  add: ops.add,
  sub: ops.sub,
  mul: ops.mul,
  divide: (a, b) => ops.div(a, squared(b)),
  maximum: ops.maximum,
  minimum: ops.minimum,
  where: (a, b) => ops.where(ops.less(a, b), ops.sin(a), b),
};

const constantOf = (values: readonly number[]): Node => ops.stack(values.map((value) => ops.constant(value)));
const whole = (values: readonly number[]): Node => ops.stack(values.map((value) => ops.constant(value, [], "int32")));
const last = { axes: [-1], keepDims: true };
const first = (x: Node, size: number, stride: number): Node =>
  ops.windows(x, { axis: 0, size: [size], stride: [stride], dilation: [1] });

/** Axes before the last one, by label. */
const lead = (x: Node): string => [..."abcd"].slice(0, x.shape.length - 1).join("");

const OTHER: Readonly<Record<string, (x: Node, a: NonNullable<Step["a"]>) => Node>> = {
  scale: (x, { w }) => ops.mul(x, scalarOrList(x, w)),
  shift: (x, { w }) => ops.add(x, scalarOrList(x, w)),
  matmul: (x, { w }) => {
    const matrix = ops.stack((w as readonly (readonly number[])[]).map(constantOf));
    return ops.einsum(`${lead(x)}i,ij->${lead(x)}j`, x, matrix);
  },
  reshape: (x, { shape = [] }) => ops.reshape(x, shape),
  transpose: (x) => ops.transpose(x),
  slice: (x, { start = 0, stop = 0, step = 1 }) => ops.slice(x, 0, start, stop, step),
  pad: (x, { low = 0, high = 0 }) =>
    ops.pad(
      x,
      x.shape.map((_, i) => (i === 0 ? [low, high] : [0, 0])),
      0.5,
    ),
  concat: (x) => ops.concat([x, ops.mul(x, 0.5)], 0),
  reverse: (x) => ops.reverse(x, [0]),
  sum: (x) => ops.sum(x, { axes: [0] }),
  mean: (x) => ops.mean(x, last),
  max: (x) => ops.max(x, { axes: [0] }),
  softmax: (x) => ops.softmax(x),
  logSumExp: (x) => ops.logSumExp(x, last),
  variance: (x) => ops.variance(x, last),
  normalize: (x) => ops.div(ops.sub(x, ops.mean(x, last)), ops.sqrt(ops.add(ops.variance(x, last), 0.1))),
  gather: (x, { rows = [] }) => ops.gather(x, whole(rows)),
  scatter: (x, { rows = [], into = 0 }) => ops.scatterAdd(whole(rows), x, into),
  conv: (x, { w = [], stride = 1 }) => {
    const rest = [..."abcd"].slice(0, x.shape.length - 1).join("");
    return ops.einsum(`ps${rest},s->p${rest}`, first(x, w.length, stride), constantOf(w as readonly number[]));
  },
  maxPool: (x, { size = 1, stride = 1 }) => ops.max(first(x, size, stride), { axes: [1] }),
  outer: (x) => ops.einsum("i,j->ij", ops.reshape(x, [-1]), ops.reshape(x, [-1])),
};

function scalarOrList(x: Node, w: NonNullable<Step["a"]>["w"]): Node {
  return x.shape.length === 0 ? ops.constant(w as unknown as number) : constantOf(w as readonly number[]);
}

const run = (steps: readonly Step[], x: Node): Node => {
  const values = [x];
  for (const { op, in: from, a = {} } of steps) {
    const [p, q] = from.map((i) => values[i]);
    if (p === undefined) throw new RangeError("a step reads what is not there");
    const unary = UNARY[op];
    const binary = BINARY[op];
    values.push(unary?.(p) ?? (binary !== undefined && q !== undefined ? binary(p, q) : (OTHER[op]?.(p, a) ?? p)));
  }
  return values.at(-1) ?? x;
};

const scalar =
  (steps: readonly Step[]) =>
  (x: Node): Node => {
    const y = ops.reshape(run(steps, x), [-1]);
    const factors = ops.cos(ops.add(ops.cast(ops.iota(y.shape, 0), "float32"), 1));
    return ops.sum(ops.mul(y, factors));
  };

/** The absolute part grows with the largest value beside: cancelling sums are as exact as what they are sums of. */
function expectClose(actual: Tensor, expected: readonly number[], tolerance: number, what: string): void {
  expect(actual.data.length, what).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  expected.forEach((value, i) => {
    const difference = Math.abs((actual.data[i] ?? NaN) - value);
    if (!(difference <= tolerance * scale)) expect.fail(`${what}[${i}]: ${actual.data[i] ?? NaN}, not ${value}`);
  });
}

const functions = fixture.functions as unknown as readonly Case[];
const STEEP = 179;

describe.each([
  ["reference", 1e-7],
  ["wasm", 1e-5],
] as const)("by JAX, on %s", (backend, tolerance) => {
  it.each(functions.map((tested, i) => [i, tested] as const))("function %i", async (number, tested) => {
    const f = scalar(tested.steps);
    const size = tested.shape.reduce((a, b) => a * b, 1);
    const x = new Tensor(Float32Array.from(tested.x.slice(0, size)), tested.shape, "float32");
    const xs = new Tensor(Float32Array.from(tested.x), [tested.x.length / size, ...tested.shape], "float32");
    const everything = compile(
      (one: Node, all: Node) => ({
        value: f(one),
        gradient: grad(f)(one),
        hessian: hessian(f)(one),
        jacobian: jacobian((v: Node) => run(tested.steps, v))(one),
        values: vmap(f)(all),
        gradients: vmap(grad(f))(all),
        hessians: vmap(hessian(f))(all),
      }),
      { backend },
    );
    const results = await everything(x, xs);
    for (const [name, value] of Object.entries(results)) {
      // The sine of (Σx)² ≈ 18.2: what rounding to float32 does to that argument alone moves its second derivatives by 2e-5.
      const isSteep = number === STEEP && backend === "wasm" && name.startsWith("hessian");
      const limit = isSteep ? 3 * tolerance : tolerance;
      expectClose(value, tested[name as keyof typeof results], limit, name);
    }
  });
});

it("there are 200", () => {
  expect(functions).toHaveLength(200);
});
