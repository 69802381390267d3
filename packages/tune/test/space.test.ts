import { describe, expect, it } from "vitest";
import { OptionError } from "torte";
import { type Assignment, type Hyper, Search, space } from "@torte/tune";

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(OptionError);
    return (error as Error).message;
  }
  throw new Error("nothing was thrown");
};

describe("a space", () => {
  it("has the hyperparameters that the function asks for, with their kinds and ranges", () => {
    const all = space((h) => {
      h.float("rate", 0.05, 0.35);
      h.float("learningRate", 1e-5, 1e-1, { log: true });
      h.int("units", 32, 512, { log: true });
      h.int("kernel", 3, 9, { step: 2 });
      h.categorical("activation", ["relu", "tanh"]);
      h.ordered("batch", [16, 32, 64]);
      h.boolean("bias");
    });
    expect(all.toString()).toBe(
      [
        "  rate          float        0.05 to 0.35",
        "  learningRate  float        0.00001 to 0.1, logarithmic",
        "  units         int          32 to 512, logarithmic",
        "  kernel        int          3 to 9 by 2",
        '  activation    categorical  "relu", "tanh"',
        "  batch         ordered      16 < 32 < 64",
        "  bias          boolean      true or false",
        "230.9 million combinations (a continuous hyperparameter counts 100)",
      ].join("\n"),
    );
    expect(all.conditional.size).toBe(0);
    expect(all.size).toEqual({ combinations: 100 * 100 * 481 * 4 * 2 * 3 * 2, finite: false });
  });

  it("gives each kind a value of its type", () => {
    const made = space((h) => ({
      a: h.categorical("a", ["x", "y"]) satisfies "x" | "y",
      b: h.ordered("b", [1, 2]) satisfies 1 | 2,
      c: h.boolean("c") satisfies boolean,
    })).build({ a: "y", b: 2, c: true });
    expect(made).toEqual({ a: "y", b: 2, c: true });
  });

  it("finds what depends on conditions, nested ones too, and counts the combinations exactly", () => {
    const define = (h: Hyper): void => {
      const kind = h.categorical("kind", ["conv", "dense", "none"]);
      h.boolean("bias");
      if (kind === "conv") {
        const blocks = h.int("blocks", 1, 3);
        for (let i = 0; i < blocks; i++) h.ordered(`filters${i}`, [8, 16]);
      }
      if (kind === "dense" && h.boolean("deep")) h.categorical("shape", ["a", "b", "c"]);
    };
    const all = space(define);
    const conditional = ["blocks", "filters0", "filters1", "filters2", "deep", "shape"];
    expect([...all.conditional].sort()).toEqual(conditional.sort());
    // conv: 2 + 4 + 8, dense: 1 + 3, none: 1, each with and without a bias
    expect(all.size).toEqual({ combinations: 2 * (14 + 4 + 1), finite: true });
    const search = new Search(all, { searcher: "grid" });
    while (search.ask() !== undefined);
    expect(search.trials).toHaveLength(38);
  });

  it("has a condition on two hyperparameters at once", () => {
    const all = space((h) => {
      if ([h.boolean("a"), h.boolean("b")].every(Boolean)) h.float("both", 0, 1);
    });
    expect([...all.conditional]).toEqual(["both"]);
  });

  it("has the present setting where defaults are given", () => {
    const define = (given: object) => (h: Hyper) => [h.float("x", 0, 1, given), h.int("n", 1, 9)];
    expect(space(define({ default: 0.2 })).present).toEqual({ x: 0.2, n: 5 });
    expect(space(define({})).present).toBeUndefined();
  });

  const cases: Readonly<Record<string, readonly [(h: Hyper) => unknown, string]>> = {
    empty: [
      () => 1,
      'space: the space is empty: expected a function that asks for hyperparameters. Write space((h) => ({ rate: h.float("rate", 0.05, 0.35) })).',
    ],
    "an empty range": [
      (h) => h.float("x", 1, 1),
      "x: the range is empty: expected a least value below the largest, received 1 to 1.",
    ],
    "a bound that is none": [
      (h) => h.float("x", 0, NaN),
      "x: the bounds have the wrong type: expected two finite numbers, received 0 to NaN.",
    ],
    "a logarithm of 0": [
      (h) => h.float("x", 0, 1, { log: true }),
      "x: a logarithmic range needs positive bounds: expected a least value above 0, received 0 to 1.",
    ],
    "a step that misses the end": [
      (h) => h.int("n", 1, 4, { step: 2 }),
      "n: the step does not lead from one bound to the other: expected a whole number that divides 3, received 1 to 4.",
    ],
    "nothing to choose": [
      (h) => h.categorical("k", ["a"]),
      'k: there is nothing to choose from: expected a list of different numbers, texts, true or false, at least two, received ["a"].',
    ],
    "the same twice": [
      (h) => h.ordered("k", [1, 1]),
      "k: a choice comes twice: expected a list of different numbers, texts, true or false, at least two, received [1, 1].",
    ],
    "a default outside": [
      (h) => h.float("x", 0, 1, { default: 2 }),
      "x: the default is not in the range: expected 0 to 1, received 2.",
    ],
    "an unknown option": [
      (h) => h.float("x", 0, 1, { logarithmic: true } as object),
      'x: unknown option "logarithmic": expected one of log, default.',
    ],
    "two of one name": [
      (h) => [h.float("x", 0, 1), h.int("x", 0, 1)],
      "x: two hyperparameters have the same name: expected float, 0 to 1, received int, 0 to 1. Give each a name of its own.",
    ],
    "two of one name, under a condition": [
      (h) => (h.boolean("c") ? h.float("x", 0, 1) : h.float("x", 0, 2)),
      "x: two hyperparameters have the same name: expected float, 0 to 2, received float, 0 to 1. Give each a name of its own.",
    ],
  };
  it.each(Object.entries(cases))("refuses: %s", (_, [define, text]) => {
    expect(message(() => space(define))).toBe(text);
  });

  it("builds from a whole setting only", () => {
    const all = space((h) => h.float("x", 0, 1));
    const build = (values: Assignment) => message(() => all.build(values));
    expect(build({})).toBe("x: the setting has no value for it: received {}.");
    expect(build({ x: 2 })).toBe("x: the value is not in the range: expected 0 to 1, received 2.");
    expect(build({ x: 0.5, y: 1 })).toBe("y: no such hyperparameter is asked for: expected x.");
  });
});
