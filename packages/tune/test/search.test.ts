import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError, TorteError } from "torte";
import {
  byHand,
  grid,
  type Hyper,
  Search,
  type SearcherName,
  type SearchOptions,
  space,
  type Space,
  type Value,
} from "@torte/tune";

const NAMES = ["auto", "gp", "tpe", "sobol", "random", "grid"] as const satisfies readonly SearcherName[];

const numeric = (h: Hyper) => ({ x: h.float("x", 0, 1), rate: h.float("rate", 1e-4, 1, { log: true }) });
const mixed = (h: Hyper) => ({
  ...numeric(h),
  units: h.int("units", 4, 64, { log: true }),
  kernel: h.int("kernel", 1, 9, { step: 2 }),
  kind: h.categorical("kind", ["a", "b", "c"]),
  size: h.ordered("size", [8, 16, 32]),
  bias: h.boolean("bias"),
});
const conditional = (h: Hyper) => {
  const kind = h.categorical("kind", ["flat", "deep"]);
  return kind === "deep"
    ? { kind, layers: h.int("layers", 1, 4), drop: h.float("drop", 0, 0.5) }
    : { kind, ...numeric(h) };
};

/** Any smooth function of a setting. */
const lossOf = (values: Readonly<Record<string, Value>>): number =>
  Object.values(values).reduce<number>((sum, value, i) => {
    const at = typeof value === "number" ? value : String(value).length / 5;
    return sum + (Math.log1p(at) - 0.3 * (i + 1)) ** 2;
  }, 0);

function run<T>(all: Space<T>, options: SearchOptions, trials: number): Search<T> {
  const search = new Search(all, options);
  for (let i = 0; i < trials; i++) {
    const trial = search.ask();
    if (trial === undefined) break;
    search.tell(trial.number, lossOf(trial.values));
  }
  return search;
}
const settings = (search: Search<unknown>) => search.trials.map(({ values }) => JSON.stringify(values));

describe.each(NAMES)("%s", (searcher) => {
  const spaces = { numeric, mixed, ...(searcher === "gp" ? {} : { conditional }) };
  it.each(Object.entries(spaces))(
    "proposes settings of a %s space, none twice, the same with the same seed",
    (_, define) => {
      const all = space<unknown>(define);
      const first = run(all, { searcher, seed: 3 }, 16);
      expect(new Set(settings(first)).size).toBe(first.trials.length);
      expect(first.trials.length).toBe(16);
      for (const { values } of first.trials) all.build(values);
      expect(settings(run(all, { searcher, seed: 3 }, 16))).toEqual(settings(first));
      if (searcher !== "grid") expect(settings(run(all, { searcher, seed: 4 }, 16))).not.toEqual(settings(first));
    },
  );

  it("tries all of a finite space, and then says that there is nothing left", () => {
    const all = space((h) => ({ a: h.boolean("a"), b: h.int("b", 1, 3), c: h.ordered("c", ["x", "y"]) }));
    const search = run(all, { searcher, seed: 1 }, 20);
    expect(new Set(settings(search)).size).toBe(12);
    expect(search.ask()).toBeUndefined();
  });

  it("bears constant results, results that are no numbers, and huge ones", () => {
    for (const result of [1, NaN, Infinity, -Infinity, 1e300]) {
      const search = new Search(space(mixed), { searcher });
      for (let i = 0; i < 14; i++) {
        const trial = search.ask();
        if (trial !== undefined) search.tell(trial.number, i === 3 ? 0.5 : result);
      }
      expect(search.trials).toHaveLength(14);
    }
  });

  it("goes on while others run", () => {
    const search = new Search(space(mixed), { searcher, seed: 5 });
    const asked = Array.from({ length: 12 }, () => search.ask());
    asked.forEach((trial, i) => {
      if (i % 2 === 0 && trial !== undefined) search.tell(trial.number, i);
    });
    const more = Array.from({ length: 4 }, () => search.ask());
    expect(new Set([...asked, ...more].map((trial) => JSON.stringify(trial?.values))).size).toBe(16);
  });
});

describe("what is proposed", () => {
  it("depends on results in the order in which they were told", () => {
    const order = (numbers: readonly number[]): readonly string[] => {
      const search = new Search(space(numeric), { searcher: "tpe", seed: 2 });
      for (let i = 0; i < 12; i++) search.ask();
      for (const i of numbers) search.tell(i, (i * 7) % 5);
      search.ask();
      return settings(search).slice(12);
    };
    const ascending = Array.from({ length: 12 }, (_, i) => i);
    expect(order(ascending)).toEqual(order(ascending));
  });

  it("is the present setting first, and then what defaults do not say", () => {
    const all = space((h) => [h.float("x", 0, 1, { default: 0.9 }), h.int("n", 1, 5)]);
    expect(run(all, {}, 1).trials[0]?.values).toEqual({ x: 0.9, n: 3 });
  });

  it("is a list by hand, one after the other", () => {
    const search = run(space(numeric), { searcher: byHand([{ x: 0.1 }, { x: 0.3, rate: 0.5 }]) }, 9);
    expect(search.trials.map(({ values }) => values["x"])).toEqual([0.1, 0.3]);
    expect(search.trials[1]?.values["rate"]).toBe(0.5);
  });

  it("is a grid, the last hyperparameter first, through conditions, too", () => {
    const search = run(space(conditional), { searcher: grid({ values: 2 }) }, 100);
    expect(search.trials.map(({ values }) => Object.values(values).join(" "))).toEqual([
      "flat 0 0.0001",
      "flat 0 1",
      "flat 1 0.0001",
      "flat 1 1",
      "deep 1 0",
      "deep 1 0.5",
      "deep 4 0",
      "deep 4 0.5",
    ]);
  });

  it("keeps to constraints that are violated by much of the space", () => {
    for (const searcher of ["gp", "tpe"] as const) {
      const search = new Search(
        space((h) => ({ x: h.float("x", 0, 1), y: h.float("y", 0, 1) })),
        { searcher, seed: 1 },
      );
      for (let i = 0; i < 40; i++) {
        const trial = search.ask();
        if (trial === undefined) break;
        const { x, y } = trial.build();
        search.tell(trial.number, x + y, [0.6 - x * x - y * y]);
      }
      const kept = (from: number, to: number): number =>
        search.trials.slice(from, to).filter(({ violations }) => (violations[0] ?? 0) <= 0.01).length;
      expect(kept(20, 40)).toBeGreaterThanOrEqual(8);
      expect(search.best?.violations[0]).toBeLessThanOrEqual(0);
      expect(search.best?.results?.[0]).toBeLessThan(0.95); // the least is √0.6 = 0.775
    }
  });

  it.each(["gp", "tpe"] as const)("spreads over the front of two objectives: %s", (searcher) => {
    const search = new Search(
      space((h) => ({ x: h.float("x", -1, 2), y: h.float("y", -1, 1) })),
      {
        searcher,
        seed: 1,
        direction: ["min", "max"],
      },
    );
    for (let i = 0; i < 50; i++) {
      const trial = search.ask();
      if (trial === undefined) break;
      const { x, y } = trial.build();
      search.tell(trial.number, [x * x + y * y, -((x - 1) ** 2) - y * y]);
    }
    const front = search.front.map(({ results }) => results?.[0] ?? 0);
    expect(front.length).toBeGreaterThan(4);
    expect(Math.min(...front)).toBeLessThan(0.1);
    expect(Math.max(...front)).toBeGreaterThan(0.5);
  });
});

describe("a search", () => {
  it("follows the direction", () => {
    const search = run(space(numeric), { searcher: "random", direction: "max" }, 10);
    const results = search.trials.map((trial) => trial.results?.[0] ?? 0);
    expect(search.best?.results?.[0]).toBe(Math.max(...results));
  });

  it("refuses what makes no sense", () => {
    const all = space(numeric);
    const search = new Search(all);
    const trial = search.ask();
    const number = trial?.number ?? -1;
    expect(() => search.tell(7, 1)).toThrow(
      new TorteError({ where: "search", problem: "there is no such trial", received: "7" }),
    );
    expect(() => search.tell(number, [1, 2])).toThrow(
      "trial 0: the result has the wrong form: expected 1 numbers, received [1, 2].",
    );
    search.tell(number, 1);
    expect(() => search.tell(number, 1)).toThrow(
      "trial 0: it has a result already: expected a trial that runs, received [1].",
    );
    expect(() => new Search(all, { searcher: "bayes" as "gp" })).toThrow(OptionError);
    expect(() => new Search(all, { direction: "up" as "max" })).toThrow(
      'direction: direction is unknown: expected one of "min", "max", received "up".',
    );
    expect(() => new Search(space(conditional), { searcher: "gp" }).ask()).toThrow("gp: the space has conditions");
    expect(() => new Search(all, { searcher: { name: "mine", propose: () => ({ x: 7 }) } }).ask()).toThrow(
      "x: the value is not in the range: expected 0 to 1, received 7.",
    );
  });

  it("takes results in any order", () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), (order) => {
        const search = new Search(space(numeric), { searcher: "random" });
        for (let i = 0; i < 6; i++) search.ask();
        for (const i of order) search.tell(i, 10 - i);
        expect(search.best?.number).toBe(5);
      }),
      { numRuns: 20 },
    );
  });
});
