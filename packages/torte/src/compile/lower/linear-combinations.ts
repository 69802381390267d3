/** Several sums of the same values, with as few operations as their matrix allows. */
import type { Matrix } from "../../graph/node.js";
import type { Expr, Exprs } from "../loops/expr.js";
import { elementAt } from "../../tensor/shape.js";

/**
 * The rows' sums Σ_j matrix[i][j]·values[j].
 *
 * Two columns that differ only in signs need the sum and the difference of their values once; two rows that do, once the
 * part in which they agree and once the other.
 */
export function linearCombinations(exprs: Exprs, matrix: Matrix, values: readonly Expr[]): Expr[] {
  const columns = values.map((_, j) => matrix.map((row) => elementAt(row, j)));
  const pair = firstPair(columns);
  if (pair !== undefined) {
    const [a, b] = pair;
    const [x, y] = [elementAt(values, a), elementAt(values, b)];
    const others = values.map((_, j) => j).filter((j) => j !== a && j !== b);
    const rest = matrix.map((row) => {
      const [p, q] = [elementAt(row, a), elementAt(row, b)];
      return [p === q ? p : 0, p === q ? 0 : p, ...others.map((j) => elementAt(row, j))];
    });
    const both = [exprs.apply("add", [x, y], "float32"), exprs.apply("sub", [x, y], "float32")];
    return linearCombinations(exprs, rest, [...both, ...others.map((j) => elementAt(values, j))]);
  }
  return byRows(exprs, matrix, values);
}

function byRows(exprs: Exprs, matrix: Matrix, values: readonly Expr[]): Expr[] {
  const result: (Expr | undefined)[] = matrix.map(() => undefined);
  for (const [i, row] of matrix.entries()) {
    if (result[i] !== undefined) continue;
    const other = matrix.findIndex((candidate, k) => k > i && result[k] === undefined && isTwin(row, candidate));
    const twin = matrix[other];
    if (twin === undefined) {
      result[i] = total(exprs, row, values);
      continue;
    }
    const same = total(
      exprs,
      row.map((factor, j) => (factor === twin[j] ? factor : 0)),
      values,
    );
    const opposite = total(
      exprs,
      row.map((factor, j) => (factor === twin[j] ? 0 : factor)),
      values,
    );
    result[i] = exprs.apply("add", [same, opposite], "float32");
    result[other] = exprs.apply("sub", [same, opposite], "float32");
  }
  return result.map((value) => value ?? exprs.number(0, "float32"));
}

/** The first two vectors that agree in some places and differ in the sign in all others. */
function firstPair(vectors: Matrix): readonly [number, number] | undefined {
  for (const [i, vector] of vectors.entries()) {
    const j = vectors.findIndex((other, k) => k > i && isTwin(vector, other));
    if (j >= 0) return [i, j];
  }
  return undefined;
}

function isTwin(a: readonly number[], b: readonly number[]): boolean {
  if (!a.every((x, i) => Math.abs(x) === Math.abs(elementAt(b, i)))) return false;
  const shared = a.filter((x) => x !== 0).length;
  const equal = a.filter((x, i) => x !== 0 && x === b[i]).length;
  return equal > 0 && equal < shared;
}

function total(exprs: Exprs, factors: readonly number[], values: readonly Expr[]): Expr {
  let sum: Expr | undefined;
  for (const [j, factor] of factors.entries()) {
    const value = values[j];
    if (factor === 0 || value === undefined) continue;
    const size = Math.abs(factor);
    const scaled = size === 1 ? value : exprs.apply("mul", [value, exprs.number(size, "float32")], "float32");
    if (sum === undefined) sum = factor > 0 ? scaled : exprs.apply("neg", [scaled], "float32");
    else sum = exprs.apply(factor > 0 ? "add" : "sub", [sum, scaled], "float32");
  }
  return sum ?? exprs.number(0, "float32");
}
