/** What holds between transformations: on random smooth graphs, and through max-pooling and batch normalization. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate } from "../backends/reference/index.js";
import type { Value } from "../backends/reference/arrays.js";
import { rewriteNodes } from "../compile/rewrite/rewrite.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, State, topological } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { type Drawing, drawing, drawChain, drawn } from "../testing/arbitrary.js";
import { sizeOf } from "../tensor/shape.js";
import { grad, hvp, jvp, vjp } from "./gradient.js";
import { hessian, jacobian } from "./jacobian.js";
import { captured } from "./trace.js";

type Point = Map<State, Value>;

/** A float32 leaf of a drawn graph, and what the graph's last node is as a function of it. */
function drawFunction(d: Drawing): { f: (x: Node) => Node; x: Node; at: Point } | undefined {
  const last = drawChain(d, d.int(2, 6)).at(-1);
  if (last === undefined) return undefined;
  const leaf = topological([last]).find((node) => node.op === "state" && node.dtype === "float32");
  if (leaf?.op !== "state" || sizeOf(leaf.shape) > 24) return undefined;
  const { state } = leaf.attributes;
  const isLeaf = (node: Node): boolean => node.op === "state" && node.attributes.state === state;
  const at: Point = new Map();
  // The other leaves are tensors that the function takes from elsewhere.
  const others = new Map<State, Node>();
  for (const [own, tensor] of d.data) {
    const node = captured(tensor);
    if (node.op !== "state") continue;
    others.set(own, node);
    const data = tensor.data instanceof Float32Array ? Float64Array.from(tensor.data) : (tensor.data as Int32Array);
    at.set(own === state ? own : node.attributes.state, { shape: tensor.shape, data });
  }
  const f = (x: Node): Node =>
    rewriteNodes([last], (node) => {
      if (isLeaf(node)) return x;
      return node.op === "state" ? (others.get(node.attributes.state) ?? node) : node;
    })[0] ?? last;
  return { f, x: leaf, at };
}

const wave = (shape: readonly number[], phase: number): Node =>
  ops.reshape(ops.cos(ops.add(ops.cast(iota([sizeOf(shape)], 0), "float32"), phase)), shape);
const values = (node: Node, at: Point): number[] => [...(evaluate([node], at)[0]?.data ?? [])];

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 1e-9): void {
  expect(actual.length).toBe(expected.length);
  const scale = Math.max(1, ...expected.map(Math.abs));
  expected.forEach((value, i) => {
    if (!(Math.abs((actual[i] ?? NaN) - value) <= tolerance * scale)) expect.fail(`[${i}]: ${actual[i]}, not ${value}`);
  });
}

describe("on random graphs", () => {
  it("u·(J·v) = (uᵀ·J)·v, forward and reverse Jacobians are equal, Hessians symmetric and their products those of hvp", () => {
    fc.assert(
      fc.property(fc.gen(), (gen) => {
        const drawn_ = drawFunction(drawing(gen, true));
        if (drawn_ === undefined) return;
        const { f, x, at } = drawn_;
        const [y, pullback] = vjp(f, x);
        const [u, v] = [wave(y.shape, 1), wave(x.shape, 2)];
        const [, dy] = jvp(f, [x] as const, [v] as const);
        const [uJ] = pullback(u) as readonly [Node];
        expectClose(values(ops.sum(ops.mul(u, dy)), at), values(ops.sum(ops.mul(uJ, v)), at));
        const [forward, reverse] = (["forward", "reverse"] as const).map((mode) => jacobian(f, { mode })(x));
        expectClose(values(forward as Node, at), values(reverse as Node, at));
        const scalar = (z: Node): Node => ops.sum(ops.mul(f(z), wave(y.shape, 3)));
        const H = values(hessian(scalar)(x), at);
        const n = sizeOf(x.shape);
        expectClose(
          H.map((_, i) => H[(i % n) * n + Math.floor(i / n)] ?? NaN),
          H,
        );
        const direction = values(v, at);
        const product = H.flatMap((_, i) =>
          i % n === 0 ? [direction.reduce((sum, value, k) => sum + value * (H[i + k] ?? NaN), 0)] : [],
        );
        expectClose(values(hvp(scalar)(x, v), at), product);
      }),
      drawn(60),
    );
  });
});

describe("the gradient of a gradient is what differences tend to", () => {
  const shape = [2, 6, 3];
  const state = new State("x", shape, "float32");
  const start = Float64Array.from({ length: sizeOf(shape) }, (_, i) => 1.5 * Math.sin(1 + 2.3 * i));
  const pooled = (x: Node): Node =>
    ops.max(ops.windows(ops.tanh(x), { axis: 1, size: [3], stride: [2], dilation: [1] }), { axes: [2] });
  const normalized = (x: Node): Node => {
    const axes = { axes: [0, 1], keepDims: true };
    return ops.div(ops.sub(x, ops.mean(x, axes)), ops.sqrt(ops.add(ops.variance(x, axes), 1e-3)));
  };

  it.each([
    ["max-pooling", pooled],
    ["batch normalization", normalized],
    ["both", (x: Node) => pooled(normalized(x))],
  ] as const)("through %s", (_, layer) => {
    const f = (x: Node): Node => {
      const y = layer(x);
      return ops.sum(ops.mul(ops.square(y), wave(y.shape, 1)));
    };
    const squaredGradient = (x: Node): Node => ops.sum(ops.square(grad(f)(x)));
    const at = (data: Float64Array): Point => new Map([[state, { shape, data }]]);
    const x = read(state);
    const second = values(grad(squaredGradient)(x), at(start));
    const value = squaredGradient(x);
    const differences = second.map((__, i) => {
      const moved = (by: number): number => values(value, at(start.with(i, (start[i] ?? 0) + by)))[0] ?? NaN;
      return (moved(1e-5) - moved(-1e-5)) / 2e-5;
    });
    expectClose(second, differences, 1e-6);
    expect(second.some((entry) => Math.abs(entry) > 1e-3)).toBe(true);
  });
});

it("stopGradient counts as a constant in both directions", () => {
  const state = new State("x", [], "float32");
  const x = read(state);
  const f = (z: Node): Node => ops.mul(z, ops.stopGradient(z));
  const at: Point = new Map([[state, { shape: [], data: Float64Array.of(3) }]]);
  expect(values(grad(f)(x), at)).toEqual([3]);
  expect(values(jvp(f, [x] as const, [constant(1)] as const)[1], at)).toEqual([3]);
});
