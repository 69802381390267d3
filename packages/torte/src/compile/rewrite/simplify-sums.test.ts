/** Sums that become less work: what stands in their place, and that it has their value. */
import { describe, expect, it } from "vitest";
import { evaluate } from "../../backends/reference/index.js";
import { gradients } from "../../autodiff/gradient.js";
import { type Node, type NodeOf, topological } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { Cases } from "../../testing/compare.js";
import { simplifySum } from "./simplify-sums.js";

const cases = new Cases(3);
const valuesOf = (node: Node): number[] => {
  const states = new Map(
    [...cases.data].map(([state, { shape, data }]) => [state, { shape, data: Float64Array.from(data) }]),
  );
  return [...(evaluate([node], states)[0]?.data ?? [])];
};

/** The simplified sum, whose values are those of the sum. */
function simplified(sum: Node): Node {
  const result = simplifySum(sum as NodeOf<"sum">, (node) => node);
  const [expected, received] = [valuesOf(sum), valuesOf(result)];
  expect(result.shape).toEqual(sum.shape);
  received.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 12));
  return result;
}

const counts = (node: Node): Record<string, number> => {
  const found: Record<string, number> = {};
  for (const { op } of topological([node])) found[op] = (found[op] ?? 0) + 1;
  return found;
};

describe("a sum", () => {
  const x = cases.float([4, 6]);
  const row = ops.reshape(cases.float([4]), [4, 1]);
  const spread = ops.broadcastTo(row, [4, 6]);

  it("of a constant is a constant", () => {
    expect(simplified(ops.sum(ops.constant(3, [4, 6]), { axes: [1] }))).toMatchObject({
      op: "constant",
      attributes: { value: 18 },
    });
  });

  it("lets factors leave that do not change along it, signs too", () => {
    const result = simplified(ops.sum(ops.neg(ops.mul(ops.mul(x, spread), x)), { axes: [1] }));
    expect(result.op).toBe("neg");
    const [sum] = topological([result]).filter(({ op }) => op === "sum");
    expect(sum === undefined ? [] : topological([sum])).not.toContain(spread);
  });

  it("keeps factors that do change along it", () => {
    const sum = ops.sum(ops.mul(x, spread), { axes: [0] });
    expect(simplified(sum)).toBe(sum);
  });

  it("of windows that are added up where they lie is a sum of the windows", () => {
    const windows = cases.float([2, 3, 2, 5]);
    const folded = ops.fold(windows, { axis: 1, size: [2], stride: [2], dilation: [1], lengths: [6] });
    const result = simplified(ops.sum(folded, { axes: [0, 1] }));
    expect(counts(result)).not.toHaveProperty("fold");
  });

  it("of a pooling's derivative is that of what came to its results", () => {
    const view = ops.windows(x, { axis: 1, size: [2], stride: [2], dilation: [1] });
    const pooled = ops.max(view, { axes: [2] });
    const [gradient] = gradients(ops.sum(ops.mul(pooled, cases.float([4, 3]))), [x]);
    if (gradient === undefined) throw new Error("no gradient");
    const result = simplified(ops.sum(gradient, { axes: [0, 1] }));
    expect(counts(result)).not.toHaveProperty("argmax");
  });
});
