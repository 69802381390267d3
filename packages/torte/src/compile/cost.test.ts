/** The cost model: every primitive has a price that those who weigh can trust to be positive and finite. */
import { describe, expect, it } from "vitest";
import { PRIMITIVES } from "../graph/primitives.js";
import type { Primitive } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { Cases } from "../testing/compare.js";
import { lowered } from "../testing/run-loops.js";
import { COST } from "./cost.js";
import { costOf } from "./schedule/threads.js";

const all = Object.keys(COST) as Primitive[];

describe("the cost", () => {
  it("is a number for each primitive, 0 for constants only", () => {
    expect(all.sort()).toEqual(Object.keys(PRIMITIVES).sort());
    expect(all.filter((op) => !(COST[op] > 0 && COST[op] < 100))).toEqual(["constant"]);
  });

  it("of functions that are approximated is above that of arithmetic", () => {
    for (const op of ["exp", "log", "tanh", "sigmoid", "erf", "sin", "pow", "uniform"] as const)
      for (const simple of ["add", "mul", "max", "select", "sqrt", "div"] as const)
        expect(COST[op], `${op} and ${simple}`).toBeGreaterThan(COST[simple]);
  });

  it.each(["neg", "sqrt", "exp", "tanh", "softplus", "erf"] as const)("of a kernel counts %s once a vector", (op) => {
    const vectors = 32;
    const cost = (make: "neg" | typeof op): number => {
      const [kernel] = lowered([ops[make](new Cases(1).float([vectors * 4]))]).kernels;
      return costOf(kernel?.body ?? []);
    };
    expect(cost(op) - cost("neg")).toBe(vectors * (COST[op] - COST.neg));
  });
});
