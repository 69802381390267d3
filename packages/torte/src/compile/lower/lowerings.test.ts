/** Each way of lowering: what its loops are like, and that they compute in float64 what the graph says. */
import { describe, expect, it } from "vitest";
import { iota } from "../../graph/make.js";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { Cases } from "../../testing/compare.js";
import { differenceToGraph, lowered } from "../../testing/run-loops.js";
import type { Expr } from "../loops/expr.js";
import { WIDTH, type Statement } from "../loops/loops.js";
import { lowerElementwise } from "./elementwise.js";
import { lowerGemm } from "./gemm.js";
import { KC, packedGemm } from "./gemm-packed.js";
import { chooseRoles, Gemm, tilesOf } from "./gemm-tile.js";
import { KernelContext } from "./kernel.js";
import { lowerReduction, reduceProduct } from "./reduce.js";
import { lowerScatter } from "./scatter.js";
import { narrowTarget, registerTile } from "./target.js";
import { lowerLinearMap } from "./transform.js";

/** Float64 in another order of the sums. */
const EXACT = 1e-12;

const contextOf = (output: Node, fma = true): KernelContext => {
  const { fused } = lowered([output], narrowTarget(fma));
  const kernel = fused.kernels.at(-1);
  if (kernel === undefined) throw new Error("there is no kernel");
  return new KernelContext(fused, kernel, narrowTarget(fma));
};

function* statements(body: readonly Statement[]): Generator<Statement> {
  for (const statement of body) {
    yield statement;
    if (statement.op === "loop") yield* statements(statement.body);
  }
}
const all = (body: readonly Statement[]): Statement[] => [...statements(body)];
const stores = (body: readonly Statement[]) => all(body).filter((statement) => statement.op === "store");

const SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 33];

describe("elementwise kernels", () => {
  it.each(SIZES)("of %i columns: vectors, then the lanes that are left", (columns) => {
    const cases = new Cases(1);
    const [x, b] = [cases.float([3, columns]), cases.float([columns])];
    const output = ops.add(ops.mul(ops.tanh(x), 2), b);
    const lanes = stores(lowerElementwise(contextOf(output))).map((store) => store.lane.extent);
    expect(Math.max(...lanes)).toBe(columns === 1 ? 3 : Math.min(WIDTH, columns));
    expect(differenceToGraph([output], cases)).toBe(0);
  });

  it("of a transposed array go by blocks of rows, whose elements share lines of the cache", () => {
    const cases = new Cases(2);
    const output = ops.mul(ops.transpose(cases.float([48, 64]), [1, 0]), cases.float([64, 48]));
    const depth = (body: readonly Statement[]): number =>
      Math.max(0, ...body.map((s) => (s.op === "loop" ? 1 + depth(s.body) : 0)));
    expect(depth(lowerElementwise(contextOf(output)))).toBe(3);
    expect(differenceToGraph([output], cases)).toBe(0);
  });

  it("decide element by element about margins and joints", () => {
    const cases = new Cases(3);
    const x = cases.float([4, 6]);
    const margins: [number, number][] = [
      [1, 2],
      [2, 1],
    ];
    const output = ops.concat([ops.pad(x, margins, 0.5), cases.float([7, 3])], 1);
    expect(differenceToGraph([output], cases)).toBe(0);
  });

  it("choose, look up and draw at random", () => {
    const cases = new Cases(4);
    const rows = ops.gather(cases.float([5, 6]), cases.int([7], 5));
    const noise = ops.uniform(cases.int([2], 99), 3, [7, 6]);
    const output = ops.where(ops.less(noise, 0.5), rows, ops.neg(rows));
    expect(differenceToGraph([output], cases)).toBe(0);
  });
});

describe("reductions", () => {
  it.each(SIZES)("of rows and of columns of %i", (size) => {
    const cases = new Cases(5);
    const x = cases.float([5, size]);
    const outputs = [[0], [1], [0, 1]].flatMap((axes) => [
      ops.sum(x, { axes }),
      ops.max(ops.mul(x, 3), { axes }),
      ops.argmax(ops.neg(x), { axes }),
    ]);
    expect(differenceToGraph(outputs, cases)).toBeLessThan(EXACT);
  });

  it("of long rows have several accumulators that take turns, merged before lanes are combined", () => {
    const cases = new Cases(6);
    const output = ops.sum(cases.float([3, 130]), { axes: [1] });
    const kinds = all(lowerReduction(contextOf(output))).map(({ op }) => op);
    expect(kinds.filter((op) => op === "merge")).toHaveLength(3);
    expect(kinds.lastIndexOf("merge")).toBeLessThan(kinds.indexOf("combine"));
    expect(differenceToGraph([output], cases)).toBeLessThan(EXACT);
  });

  it("of equal maxima the first is found, along rows as along columns", () => {
    const cases = new Cases(7);
    const x = ops.cast(ops.cast(cases.float([9, 11]), "int32"), "float32");
    expect(differenceToGraph([ops.argmax(x, { axes: [0] }), ops.argmax(x, { axes: [1] })], cases)).toBe(0);
  });

  it("products without an axis for vectors are reductions", () => {
    const cases = new Cases(8);
    const output = ops.einsum("bi,bi->b", cases.float([3, 37]), cases.float([3, 37]));
    const accumulators = all(reduceProduct(contextOf(output))).flatMap((s) => (s.op === "accumulate" ? [s] : []));
    expect(accumulators.every(({ values, accumulator }) => values.length === 2 && accumulator.across)).toBe(true);
    expect(differenceToGraph([output], cases)).toBeLessThan(EXACT);
  });
});

describe("products", () => {
  const product = (rows: number, terms: number, columns: number, seed = 9): { cases: Cases; output: Node } => {
    const cases = new Cases(seed);
    const y = ops.einsum("rk,kc->rc", cases.float([rows, terms]), cases.float([terms, columns]));
    return { cases, output: ops.relu(ops.add(y, cases.float([columns]))) };
  };

  it.each([
    [1, 1, 4],
    [5, 3, 9],
    [6, 16, 8],
    [7, 31, 13],
    [13, 40, 33],
  ])("(%i × %i) · (%i): tiles that cover every row and column once, with and without fused products", (m, k, n) => {
    for (const fma of [true, false]) {
      const { cases, output } = product(m, k, n);
      expect(differenceToGraph([output], cases, narrowTarget(fma))).toBeLessThan(EXACT);
    }
  });

  it.each([1, 5, 6, 7, 12, 13, 100])("%i rows fall into as few tiles as there can be", (rows) => {
    for (const most of [registerTile(true).rows, registerTile(false).rows, registerTile(true).narrowRows]) {
      const chunks = tilesOf(rows, most);
      const total = (of: (chunk: (typeof chunks)[number]) => number): number =>
        chunks.reduce((sum, c) => sum + of(c), 0);
      expect(total(({ count, iterations }) => count * iterations)).toBe(rows);
      expect(total(({ iterations }) => iterations)).toBe(Math.ceil(rows / most));
      expect(Math.max(...chunks.map(({ count }) => count))).toBeLessThanOrEqual(most);
      chunks
        .slice(1)
        .forEach(({ from }, i) => expect(from).toBe((chunks[i]?.count ?? 0) * (chunks[i]?.iterations ?? 0)));
    }
  });

  it("the operand with the result's last axis is read as vectors", () => {
    const contract = (spec: string, a: readonly number[], b: readonly number[]) => {
      const cases = new Cases(10);
      const node = ops.einsum(spec, cases.float(a), cases.float(b));
      return node.op === "contract" ? { node, roles: chooseRoles(node) } : undefined;
    };
    const plain = contract("rk,kc->rc", [6, 5], [5, 8]);
    expect(plain?.roles).toMatchObject({ rows: "r", columns: "c", summed: "k", vectorLabels: "kc" });
    const swapped = contract("kc,rk->rc", [5, 8], [6, 5]);
    expect(swapped?.roles).toMatchObject({ broadcastLabels: "rk", vectorLabels: "kc" });
    expect(contract("bc,bc->bc", [3, 4], [3, 4])?.roles).toBeUndefined();
  });

  it.each([KC - 1, KC, KC + 1, 2 * KC + 3])(
    "packed, with %i terms in blocks, rests partial sums in between",
    (terms) => {
      const { cases, output } = product(4 * registerTile(true).rows + 1, terms, 40);
      const context = contextOf(output);
      const { primary } = context;
      const roles = primary.op === "contract" ? chooseRoles(primary) : undefined;
      if (primary.op !== "contract" || roles === undefined) throw new Error("no product");
      const gemm = new Gemm(context, primary, roles);
      const body = all(packedGemm(gemm, gemm.plan()));
      expect(stores(body).some(({ buffer }) => buffer.scratch === true)).toBe(true);
      expect(body.some(({ op }) => op === "restore")).toBe(terms > KC);
      expect(lowerGemm(contextOf(output)).length).toBeGreaterThan(0);
      expect(differenceToGraph([output], cases)).toBeLessThan(EXACT);
    },
  );

  it("of a convolution read windows where they lie: no array of patches is made", () => {
    const cases = new Cases(11);
    const view = ops.windows(cases.float([2, 19, 5]), { axis: 1, size: [3], stride: [2], dilation: [2] });
    const output = ops.einsum("bokc,kcf->bof", view, cases.float([3, 5, 9]));
    const written = new Set(stores(lowerGemm(contextOf(output))).map(({ buffer }) => buffer.size));
    expect([...written]).toEqual([2 * 8 * 9]);
    expect(differenceToGraph([output], cases)).toBeLessThan(EXACT);
  });
});

describe("scatters", () => {
  it("clear their tables, and add rows in the order of the indices", () => {
    const cases = new Cases(12);
    const output = ops.scatterAdd(cases.int([3, 7], 5), cases.float([3, 7, 6]), 5);
    const kinds = all(lowerScatter(contextOf(output))).map(({ op }) => op);
    expect(kinds.indexOf("store")).toBeLessThan(kinds.indexOf("addTo"));
    expect(differenceToGraph([output], cases)).toBeLessThan(EXACT);
  });
});

describe("linear maps", () => {
  it("read a place once for all of its results", () => {
    const cases = new Cases(13);
    const matrix = [
      [1, 0, -1],
      [0, 1, 1],
      [0.5, -0.5, 2],
      [1, 1, 0],
    ];
    const output = ops.linearMap(cases.float([5, 3, 6]), 1, matrix, 0);
    const loads = new Set<Expr>();
    const visit = (expr: Expr): void => {
      if (expr.op === "load") loads.add(expr);
      expr.children.forEach(visit);
    };
    const perStore = stores(lowerLinearMap(contextOf(output)));
    perStore.forEach(({ value }) => {
      visit(value);
    });
    expect(perStore.length % matrix.length).toBe(0);
    expect(loads.size).toBe((perStore.length / matrix.length) * 3);
    expect(differenceToGraph([output], cases)).toBeLessThan(EXACT);
  });
});

describe("the kernel's context", () => {
  it("finds the epilogue's values at one point, and where they are read", () => {
    const cases = new Cases(14);
    const sum = ops.sum(cases.float([4, 9]), { axes: [1] });
    const output = ops.mul(ops.add(sum, cases.float([4])), 2);
    const context = contextOf(output);
    expect(context.reductions().map(({ op }) => op)).toEqual(["sum"]);
    expect([...context.placeholders().keys()]).toEqual(context.reductions());
    expect(context.primary.op).toBe("sum");
    const [at] = context.anywhere([4]);
    if (at === undefined) throw new Error("no point");
    expect(context.epilogueIndices(at).length).toBe(1);
    expect(differenceToGraph([output], cases)).toBeLessThan(EXACT);
    expect(() => context.bufferOf(iota([3], 0))).toThrow("iota has no memory");
  });
});

describe.each([8, 16])("vectors of %i lanes", (width) => {
  const target = { ...narrowTarget(true), width };

  it.each([...SIZES, 12, 16, 17, 31, 70])("cover an axis of %i, with narrower ones at its end", (columns) => {
    const cases = new Cases(20);
    const x = cases.float([3, columns]);
    const outputs = [ops.tanh(ops.mul(x, cases.float([columns]))), ops.sum(x, { axes: [0] }), ops.softmax(x)];
    expect(differenceToGraph(outputs, cases, target)).toBeLessThan(EXACT);
    const product = ops.einsum("ij,jk->ik", cases.float([13, 300]), cases.float([300, columns]));
    expect(differenceToGraph([ops.relu(product)], cases, target)).toBeLessThan(EXACT);
  });

  it("are narrower where wider ones would meet a margin or a joint", () => {
    const cases = new Cases(21);
    const x = cases.float([5, 12]);
    const padded = ops.reshape(
      ops.pad(x, [
        [1, 1],
        [0, 0],
      ]),
      [84],
    );
    const windows = ops.windows(cases.float([2, 40, 4]), { axis: 1, size: [3], stride: [2], dilation: [1] });
    const convolution = ops.einsum("bokc,kcf->bof", windows, cases.float([3, 4, 20]));
    expect(differenceToGraph([ops.tanh(padded), convolution], cases, target)).toBeLessThan(EXACT);
  });
});
