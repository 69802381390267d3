/** Every rewrite by itself: the rewritten graph computes what the plain one does. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gradients } from "../../autodiff/gradient.js";
import type { Value } from "../../backends/reference/arrays.js";
import { evaluate } from "../../backends/reference/index.js";
import { type Node, type Program, roots, type State, topological } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { Cases } from "../../testing/compare.js";
import { sinkClamp } from "./max-before-relu.js";
import { fastConvolutions, toomCook } from "./winograd.js";
import { layOutOperands } from "./operand-layout.js";
import { premultiplyTables } from "./embedding-product.js";
import { splitReductions } from "./split-reductions.js";
import type { Pass } from "../pipeline.js";
import { atOnce } from "../../turns.js";
import { eliminateCommonSubexpressions } from "./common-subexpressions.js";
import { foldToWindows } from "./fold-to-windows.js";

/** What a pass makes of the nodes. */
const applied = (pass: Pass["run"], nodes: readonly Node[]): readonly Node[] =>
  atOnce(pass({ name: "nodes", outputs: nodes, updates: [] })).outputs;

function valuesOf(nodes: readonly Node[], { data }: Cases): Value[] {
  const states = new Map<State, Value>(
    [...data].map(([state, { shape, data: numbers, dtype }]) => [
      state,
      { shape, data: dtype === "int32" ? Int32Array.from(numbers) : Float64Array.from(numbers) },
    ]),
  );
  return evaluate(nodes, states);
}

function expectSame(plain: readonly Node[], rewritten: readonly Node[], cases: Cases): void {
  const [expected, actual] = [valuesOf(plain, cases), valuesOf(rewritten, cases)];
  expected.forEach(({ shape, data }, i) => {
    expect(actual[i]?.shape).toEqual(shape);
    const values = actual[i]?.data ?? [];
    const apart = data.findIndex((value, k) => !(Math.abs((values[k] ?? NaN) - value) < 5e-10));
    expect(values[apart], `output ${i}[${apart}]`).toBe(data[apart]);
  });
}

/** The interpreter takes its time over convolutions along three axes. */
const LONG = { timeout: 180_000 };

const sizes = fc.record({
  batch: fc.integer({ min: 1, max: 3 }),
  length: fc.integer({ min: 6, max: 12 }),
  channels: fc.integer({ min: 1, max: 4 }),
  filters: fc.integer({ min: 1, max: 4 }),
  taps: fc.integer({ min: 1, max: 3 }),
  stride: fc.integer({ min: 1, max: 3 }),
  dilation: fc.integer({ min: 1, max: 2 }),
  margin: fc.integer({ min: 0, max: 2 }),
  seed: fc.integer({ min: 0, max: 1000 }),
});
type Sizes = typeof sizes extends fc.Arbitrary<infer T> ? T : never;

/** Numbers for a convolution of the sizes. */
function drawn({ seed, batch, length, channels, taps, filters }: Sizes): { cases: Cases; x: Node; kernel: Node } {
  const cases = new Cases(seed);
  return { cases, x: cases.float([batch, length, channels]), kernel: cases.float([taps, channels, filters]) };
}

/** A convolution over x [batch, length, channels], with what is not given drawn from the cases. */
function convolution(x: Node, { taps, stride, dilation, margin, channels, filters }: Sizes, kernel: Node): Node {
  const padded = ops.pad(x, [
    [0, 0],
    [margin, margin],
    [0, 0],
  ]);
  const view = ops.windows(padded, { axis: 1, size: [taps], stride: [stride], dilation: [dilation] });
  expect(kernel.shape).toEqual([taps, channels, filters]);
  return ops.einsum("bokc,kcf->bof", view, kernel);
}

const count = (nodes: readonly Node[], op: Node["op"]): number => topological(nodes).filter((n) => n.op === op).length;

describe("lookups in mapped tables", () => {
  const TOKENS = 3;
  const embedded = (cases: Cases, { batch, length, channels }: Sizes, masked: boolean) => {
    const tokens = cases.int([batch, length], TOKENS);
    const table = cases.float([TOKENS, channels]);
    const kept = masked ? ops.mul(table, cases.float([TOKENS, 1])) : table;
    const rows = ops.gather(kept, tokens);
    const mask = ops.reshape(ops.notEqual(tokens, 0), [batch, length, 1]);
    return { table, x: masked ? ops.where(mask, rows, 0) : rows, rows };
  };

  it("compute what embedding and convolution do, forward and backward", () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const cases = new Cases(given.seed);
        const { table, rows } = embedded(cases, given, false);
        const kernel = cases.float([given.taps, given.channels, given.filters]);
        const y = ops.tanh(convolution(rows, given, kernel));
        const [mapped = y] = applied(premultiplyTables, [y]);
        const all = (result: Node): Node[] => [result, ...gradients(ops.sum(ops.mul(result, result)), [table, kernel])];
        expectSame(all(y), all(mapped), cases);
      }),
      { numRuns: 40 },
    );
  });

  it("compute what embedding and dense do, with zeroed positions in between", () => {
    fc.assert(
      fc.property(sizes, fc.boolean(), (given, masked) => {
        const cases = new Cases(given.seed);
        const { table, x } = embedded(cases, given, masked);
        const kernel = cases.float([given.channels, given.filters]);
        const y = ops.einsum("blc,cf->blf", x, kernel);
        const [mapped = y] = applied(premultiplyTables, [y]);
        const all = (result: Node): Node[] => [result, ...gradients(ops.sum(ops.mul(result, result)), [table, kernel])];
        expectSame(all(y), all(mapped), cases);
      }),
      { numRuns: 40 },
    );
  });

  it("happen where they save work, and only there", () => {
    const build = (tokens: number): Node => {
      const cases = new Cases(1);
      const rows = ops.gather(cases.float([tokens, 16]), cases.int([4, 50], tokens));
      return ops.einsum("blc,cf->blf", rows, cases.float([16, 8]));
    };
    const products = (node: Node): readonly number[] =>
      topological(applied(premultiplyTables, [node])).find(({ op }) => op === "contract")?.shape ?? [];
    expect(products(build(21))).toEqual([21, 8]);
    expect(products(build(5000))).toEqual([4, 50, 8]);
  });
});

describe("unfolding the gradient of a convolution", () => {
  it("computes what adding up the windows does", () => {
    let turned = 0;
    fc.assert(
      fc.property(sizes, (given) => {
        const { cases, x, kernel } = drawn(given);
        const [gradient = x] = gradients(ops.sum(ops.tanh(convolution(x, given, kernel))), [x]);
        const program: Program = { name: "gradient", outputs: [gradient], updates: [] };
        const after = roots(atOnce(foldToWindows(program)));
        if (count([gradient], "fold") > count(after, "fold")) turned++;
        expectSame([gradient], after, cases);
      }),
      { numRuns: 60 },
    );
    expect(turned).toBeGreaterThan(10);
  });
});

describe.each([
  ["layout", layOutOperands],
  ["sharing", eliminateCommonSubexpressions],
] as const)("%s", (_, pass) => {
  it("computes the same", () => {
    fc.assert(
      fc.property(sizes, (given) => {
        const { cases, x, kernel } = drawn(given);
        const second = cases.float([given.filters, given.channels]);
        const y = ops.relu(convolution(x, given, kernel));
        const z = ops.einsum("bof,fc->boc", ops.add(y, ops.mul(y, 1)), second);
        const total = ops.add(ops.sum(ops.mul(z, z)), ops.mul(ops.sum(ops.add(z, 0)), ops.add(2, 3)));
        const outputs = [total, ...gradients(total, [x, kernel, second])];
        expectSame(outputs, roots(atOnce(pass({ name: "step", outputs, updates: [] }))), cases);
      }),
      { numRuns: 40 },
    );
  });
});

it("sharing finds equal parts, constants and neutral elements", () => {
  const cases = new Cases(1);
  const x = cases.float([3]);
  const sum = ops.add(ops.exp(x), ops.exp(x));
  const neutral = ops.mul(ops.add(x, 0), 1);
  const [a, b] = roots(atOnce(eliminateCommonSubexpressions({ name: "p", outputs: [sum, neutral], updates: [] })));
  expect(count([a ?? sum], "exp")).toBe(1);
  expect(b?.op).toBe("state");
});

it("a pass with nothing to do returns the program itself", () => {
  const program = { name: "p", outputs: [ops.exp(new Cases(1).float([3]))], updates: [] };
  for (const pass of [eliminateCommonSubexpressions, foldToWindows, fastConvolutions, splitReductions, layOutOperands])
    expect(atOnce(pass(program))).toBe(program);
});

describe("fast convolutions", () => {
  const program = (outputs: readonly Node[]): Program => ({ name: "test", outputs, updates: [] });
  const maps = (nodes: readonly Node[]): number => count(nodes, "linearMap");

  it("take the results of a tile from products at the points", () => {
    for (const [tile, taps] of [
      [2, 3],
      [4, 3],
      [6, 3],
      [2, 4],
      [4, 5],
      [2, 7],
    ] as const) {
      const { results, kernel, inputs } = toomCook(tile, taps);
      expect(results[0]?.length).toBe(tile + taps - 1);
      const [d, g] = [inputs.map((_, i) => Math.sin(3 * i + 1)), Array.from({ length: taps }, (_, k) => Math.cos(k))];
      const at = (matrix: readonly (readonly number[])[], x: readonly number[]): number[] =>
        matrix.map((row) => row.reduce((sum, factor, j) => sum + factor * (x[j] ?? 0), 0));
      const [v, w] = [at(inputs, d), at(kernel, g)];
      at(
        results,
        v.map((x, p) => x * (w[p] ?? 0)),
      ).forEach((y, i) => {
        expect(y).toBeCloseTo(
          g.reduce((sum, factor, k) => sum + factor * (d[i + k] ?? 0), 0),
          12,
        );
      });
    }
  });

  it("compute what the plain convolution does, forward and backward, along any number of axes", LONG, () => {
    let changed = 0;
    fc.assert(
      fc.property(
        fc.record({
          rank: fc.integer({ min: 1, max: 3 }),
          taps: fc.integer({ min: 3, max: 5 }),
          extra: fc.integer({ min: 0, max: 7 }),
          margin: fc.integer({ min: 0, max: 2 }),
          seed: fc.integer({ min: 0, max: 1000 }),
        }),
        ({ rank, taps, extra, margin, seed }) => {
          const cases = new Cases(seed);
          const [channels, filters] = [24, 32];
          const sizes = Array<number>(rank).fill(rank === 3 ? 3 : taps);
          const lengths = sizes.map((n, i) => n + (i === 0 ? extra : 1));
          const x = cases.float([1, ...lengths, channels]);
          const w = cases.float([...sizes, channels, filters]);
          const edges = lengths.map(() => [margin, margin] as const);
          const padded = ops.pad(x, [[0, 0], ...edges, [0, 0]]);
          const ones = sizes.map(() => 1);
          const view = ops.windows(padded, { axis: 1, size: sizes, stride: ones, dilation: ones });
          const [o, k] = ["opq".slice(0, rank), "ijk".slice(0, rank)];
          const y = ops.einsum(`b${o}${k}c,${k}cf->b${o}f`, view, w);
          const upstream = cases.float(y.shape);
          const derived = (from: Node): Node[] => [from, ...gradients(ops.sum(ops.mul(from, upstream)), [x, w])];
          const plain = atOnce(foldToWindows(program(derived(y))));
          const fast = atOnce(fastConvolutions(plain));
          changed += Number(maps(fast.outputs) > 0);
          expectSame(plain.outputs, fast.outputs, cases);
          const [before = y] = applied(fastConvolutions, [y]);
          const unfolded = atOnce(foldToWindows(program(derived(before)))).outputs;
          expectSame(plain.outputs, unfolded, cases);
          if (before !== y) expect(count(unfolded, "fold")).toBe(0);
        },
      ),
      { numRuns: 12, seed: 3 },
    );
    expect(changed).toBeGreaterThan(4);
  });

  it("happen where they save work, and only there", () => {
    const of = (channels: number, stride: number): number => {
      const cases = new Cases(1);
      const view = ops.windows(cases.float([8, 60, channels]), { axis: 1, size: [5], stride: [stride], dilation: [1] });
      return maps(
        atOnce(fastConvolutions(program([ops.einsum("bokc,kcf->bof", view, cases.float([5, channels, 64]))]))).outputs,
      );
    };
    expect([of(64, 1), of(1, 1), of(64, 2)]).toEqual([3, 0, 0]);
  });
});

describe("sums in parts", () => {
  const rewritten = (plain: Node, cases: Cases): Node => {
    const [after = plain] = roots(atOnce(splitReductions({ name: "test", outputs: [plain], updates: [] })));
    expectSame([plain], [after], cases);
    return after;
  };
  /** What the parts have in memory: one result each. */
  const partial = (node: Node): readonly number[] => node.inputs[0]?.shape ?? [];

  it("add up what one scatter does, where the table is small and its rows are narrow", () => {
    const of = (rows: number, width: number): readonly number[] => {
      const cases = new Cases(2);
      const [indices, updates] = [cases.int([12, 400], rows), cases.float([12, 400, width])];
      return partial(rewritten(ops.scatterAdd(indices, updates, rows), cases));
    };
    expect(of(10, 8)).toEqual([6, 10, 8]);
    expect(of(40, 8)).toEqual([3, 40, 8]);
    expect(of(400, 8)).toEqual([12, 400]);
    expect(of(10, 64)).toEqual([12, 400]);
  });

  it("add up what one sum does, where its results are few", () => {
    const of = (shape: readonly number[], axes: readonly number[]): readonly number[] => {
      const cases = new Cases(3);
      return partial(rewritten(ops.sum(cases.float(shape), { axes }), cases));
    };
    expect(of([16, 40, 60], [0, 1])).toEqual([8, 60]);
    expect(of([60, 16, 40], [1, 2])).toEqual([60, 8]);
    expect(of([7, 80, 60], [0])).toEqual([7, 80, 60]);
    expect(of([16, 4, 60], [0, 1])).toEqual([16, 4, 60]);
    expect(of([256, 64], [0, 1])).toEqual([8]);
    expect(of([255, 64], [0, 1])).toEqual([255, 64]);
    expect(of([2, 128, 64], [1, 2])).toEqual([2, 128, 64]);
  });

  it("add up what one product does, where its results are few", () => {
    const of = (batch: number, filters: number): readonly number[] => {
      const cases = new Cases(5);
      const view = ops.windows(cases.float([batch, 60, 4]), { axis: 1, size: [3], stride: [1], dilation: [1] });
      const gradient = cases.float([batch, 58, filters]);
      return partial(rewritten(ops.einsum("bokc,bof->kcf", view, gradient), cases));
    };
    expect(of(16, 40)).toEqual([2, 3, 4, 40]);
    expect(of(64, 40)).toEqual([8, 3, 4, 40]);
    expect(of(61, 40)).toEqual([61, 58, 3, 4]);
    expect(of(4, 40)).toEqual([4, 58, 3, 4]);
  });
});

describe("bounds behind maxima", () => {
  const pooled = (y: Node, { taps, stride, dilation }: Sizes, margin = 0): Node => {
    const edges = [
      [0, 0],
      [margin, margin],
      [0, 0],
    ] as const;
    const padded = margin === 0 ? y : ops.pad(y, edges, -Infinity);
    return ops.max(ops.windows(padded, { axis: 1, size: [taps], stride: [stride], dilation: [dilation] }), {
      axes: [2],
    });
  };
  const bounds = { relu: ops.relu, "a bound from above": (x: Node) => ops.minimum(x, 0.2) };

  it.each(Object.entries(bounds))("compute what %s before the pooling does, and its derivatives", (_, bound) => {
    let turned = 0;
    fc.assert(
      fc.property(sizes, (given) => {
        const { cases, x, kernel } = drawn(given);
        const dense = { ...given, stride: 1, dilation: 1 };
        const y = pooled(bound(convolution(x, dense, kernel)), { ...given, dilation: 1 });
        const [after = y] = applied(sinkClamp, [y]);
        const all = (result: Node): Node[] => [result, ...gradients(ops.sum(ops.mul(result, result)), [x, kernel])];
        const steps = roots(atOnce(eliminateCommonSubexpressions({ name: "step", outputs: all(after), updates: [] })));
        expectSame(all(y), steps, cases);
        turned += Number(after.op !== "reduceMax");
      }),
      { numRuns: 40 },
    );
    expect(turned).toBe(40);
  });

  it("happen under padding where no window is padding alone", () => {
    const of = (taps: number, dilation: number): Node["op"] | undefined => {
      const cases = new Cases(6);
      const given = { taps, stride: 1, dilation } as Sizes;
      const plain = pooled(ops.relu(cases.float([2, 9, 3])), given, 2);
      const [after] = applied(sinkClamp, [plain]);
      expectSame([plain], after === undefined ? [] : [after], cases);
      return after?.op;
    };
    expect([of(3, 1), of(2, 1), of(3, 2)]).toEqual(["max", "reduceMax", "reduceMax"]);
  });

  it("leave what others read in its place", () => {
    const cases = new Cases(7);
    const y = ops.relu(cases.float([2, 8, 3]));
    const given = { taps: 2, stride: 2, dilation: 1 } as Sizes;
    expect(applied(sinkClamp, [pooled(y, given), ops.sum(y)])[0]?.op).toBe("reduceMax");
  });
});

it("the sum of a pooling's derivative is the sum of what came to its results", () => {
  const cases = new Cases(8);
  const x = cases.float([3, 8, 6, 4]);
  const view = ops.windows(x, { axis: 1, size: [2, 3], stride: [2, 3], dilation: [1, 1] });
  const y = ops.max(view, { axes: [3, 4] });
  const [gradient = x] = gradients(ops.sum(ops.mul(y, cases.float(y.shape))), [x]);
  for (const axes of [
    [0, 1, 2],
    [1, 2],
    [0, 1, 2, 3],
    [0, 1],
  ]) {
    const plain = ops.sum(gradient, { axes });
    const after = roots(atOnce(eliminateCommonSubexpressions({ name: "test", outputs: [plain], updates: [] })));
    expectSame([plain], after, cases);
    expect(count(after, "argmax")).toBe(axes.length === 2 && axes[0] === 0 ? 1 : 0);
  }
});

describe("factors that do not change along a sum", () => {
  it("leave it, and sums that differ only in them become one", () => {
    const cases = new Cases(4);
    const [x, y, scale] = [cases.float([3, 5, 4]), cases.float([3, 5, 4]), cases.float([4])];
    const axes = [0, 1];
    const plain = [
      ops.sum(ops.mul(ops.mul(x, scale), y), { axes }),
      ops.sum(ops.mul(x, ops.mul(y, ops.neg(scale))), { axes }),
      ops.sum(ops.neg(ops.mul(ops.mul(x, y), 3)), { axes }),
      ops.sum(ops.mul(x, scale)),
      ops.sum(ops.mul(cases.float([3, 1, 4]), ops.mul(y, x)), { axes: [1] }),
    ];
    const { outputs } = atOnce(eliminateCommonSubexpressions({ name: "test", outputs: plain, updates: [] }));
    expectSame(plain, outputs, cases);
    expect(count(plain, "sum")).toBe(5);
    expect(count(outputs, "sum")).toBe(3);
  });
});
