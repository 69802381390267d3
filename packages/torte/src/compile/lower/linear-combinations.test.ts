import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Expr, Exprs, visitExpr } from "../loops/expr.js";
import { toomCook } from "../rewrite/winograd.js";
import { linearCombinations } from "./linear-combinations.js";

/** The number that an expression of the given ones is. */
function valueOf(expr: Expr, given: ReadonlyMap<Expr, number>): number {
  const known = given.get(expr);
  if (known !== undefined) return known;
  if (expr.op === "number") return expr.value;
  if (expr.op !== "apply") throw new Error(`unexpected ${expr.op}`);
  const [a = 0, b = 0] = expr.args.map((arg) => valueOf(arg, given));
  const results: Record<string, number> = { add: a + b, sub: a - b, mul: a * b, neg: -a };
  return results[expr.primitive] ?? NaN;
}

function inputs(exprs: Exprs, count: number): Expr[] {
  return Array.from({ length: count }, () => exprs.accumulator(exprs.newAccumulator("sum", "float32")));
}

function operations(results: readonly Expr[]): number {
  const seen = new Set<Expr>();
  let count = 0;
  for (const result of results) visitExpr(result, ({ op }) => (count += Number(op === "apply")), seen);
  return count;
}

describe("linear combinations", () => {
  it("are the product of the matrix and the values", () => {
    const entry = fc.constantFrom(0, 0, 1, -1, 2, -0.5, 0.25);
    const matrices = fc
      .tuple(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }))
      .chain(([rows, columns]) =>
        fc.array(fc.array(entry, { minLength: columns, maxLength: columns }), { minLength: rows, maxLength: rows }),
      );
    fc.assert(
      fc.property(matrices, (matrix) => {
        const exprs = new Exprs();
        const values = inputs(exprs, matrix[0]?.length ?? 0);
        const numbers = values.map((_, j) => 1 + j * j * 0.5);
        const given = new Map(values.map((value, j) => [value, numbers[j] ?? 0]));
        const results = linearCombinations(exprs, matrix, values).map((result) => valueOf(result, given));
        const expected = matrix.map((row) =>
          row.reduce<number>((sum, factor, j) => sum + factor * (numbers[j] ?? 0), 0),
        );
        results.forEach((result, i) => expect(result).toBeCloseTo(expected[i] ?? 0, 9));
      }),
    );
  });

  it("of a fast convolution's transforms take fewer operations than one after the other", () => {
    for (const matrix of [toomCook(4, 3).inputs, toomCook(4, 3).results]) {
      const exprs = new Exprs();
      const results = linearCombinations(exprs, matrix, inputs(exprs, matrix[0]?.length ?? 0));
      const plain = matrix.flat().filter((x) => x !== 0).length * 2 - matrix.length;
      expect(operations(results)).toBeLessThan(0.8 * plain);
    }
  });
});
