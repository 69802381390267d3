import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../errors.js";
import { findSimilarPairs, kmerSets, similarityAt } from "./kmers.js";
import { bootstrap, kFold, parseRowSplit, type RowSplit, splitRows } from "./row-split.js";

const all = ({ train, validation, test }: RowSplit): number[] =>
  [...train, ...validation, ...test].sort((a, b) => a - b);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const seeds = fc.nat(2 ** 32 - 1);
const partOf = (split: RowSplit, row: number): string =>
  split.train.includes(row) ? "train" : split.validation.includes(row) ? "validation" : "test";

describe("splitRows", () => {
  it("at random gives disjoint parts of the sizes asked for, by seed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 10, max: 200 }), seeds, (rows, seed) => {
        const split = splitRows({ rows, seed, validation: 0.2, test: 0.1 });
        expect(all(split)).toEqual(range(rows));
        expect([split.validation.length, split.test.length]).toEqual([
          Math.floor(0.2 * rows + 1e-9),
          Math.floor(0.1 * rows + 1e-9),
        ]);
        expect(splitRows({ rows, seed, validation: 0.2, test: 0.1 })).toEqual(split);
      }),
    );
    expect(splitRows({ rows: 100, seed: 1 })).not.toEqual(splitRows({ rows: 100, seed: 2 }));
  });

  it("stratified gives each part its share of each label", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom("a", "b", "c"), { minLength: 20, maxLength: 200 }),
        seeds,
        (labels, seed) => {
          const split = splitRows({ labels, seed, test: 0.2 });
          expect(all(split)).toEqual(range(labels.length));
          for (const label of ["a", "b", "c"]) {
            const share = labels.filter((other) => other === label).length / labels.length;
            const own = split.test.filter((row) => labels[row] === label).length;
            expect(Math.abs(own - share * split.test.length)).toBeLessThanOrEqual(2);
          }
        },
      ),
    );
  });

  it("never parts a group", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(30), { minLength: 40, maxLength: 200 }), seeds, (groups, seed) => {
        fc.pre(new Set(groups).size > 15);
        const split = splitRows({ groups, seed });
        expect(all(split)).toEqual(range(groups.length));
        const parts = new Map<number, string>();
        groups.forEach((group, row) => {
          const part = partOf(split, row);
          expect(parts.get(group) ?? part).toBe(part);
          parts.set(group, part);
        });
      }),
    );
  });

  it("by sequences leaves no pair that is alike in different parts", () => {
    const letters = fc.constantFrom(..."ACDEFGHIKL");
    const bases = fc.array(fc.string({ unit: letters, minLength: 20, maxLength: 30 }), {
      minLength: 12,
      maxLength: 20,
    });
    fc.assert(
      fc.property(
        bases,
        fc.array(fc.tuple(fc.nat(), fc.nat(), letters), { maxLength: 60 }),
        seeds,
        (base, changes, seed) => {
          const sequences = [...base];
          for (const [pick, at, letter] of changes) {
            const from = sequences[pick % sequences.length] ?? "";
            sequences.push(`${from.slice(0, at % from.length)}${letter}${from.slice((at % from.length) + 1)}`);
          }
          let split: RowSplit;
          try {
            split = splitRows({ sequences, k: 3, identity: 0.8, seed });
          } catch (error) {
            expect(error).toBeInstanceOf(DataError); // one cluster may be nearly all
            return;
          }
          findSimilarPairs(kmerSets(sequences, { k: 3 }), {
            threshold: similarityAt(0.8, 3),
            found: (i, j) => {
              expect(partOf(split, i)).toBe(partOf(split, j));
              return true;
            },
          });
        },
      ),
      { numRuns: 50 },
    );
  });

  it("by time puts the latest rows into the test, those of one moment together", () => {
    const time = ["2021-01-05", "2020-03-01", "2022-07-01", "2022-07-01", "2019-01-01", "2021-06-01"];
    expect(splitRows({ time, validation: 0.2, test: 0.2 })).toEqual({
      train: [0, 1, 4],
      validation: [5],
      test: [2, 3],
    });
    expect(splitRows({ time: [3, 1, 2], validation: 0, test: 0.34 })).toEqual({
      train: [1, 2],
      validation: [],
      test: [0],
    });
    expect(() => splitRows({ time: ["soon", 1, 2] })).toThrow("row 0 has no time");
  });

  it("takes parts as given", () => {
    expect(splitRows({ parts: ["test", "train", "validation", "train"] })).toEqual({
      train: [1, 3],
      validation: [2],
      test: [0],
    });
    expect(() => splitRows({ parts: ["train", "tset"] })).toThrow(
      'splitRows: row 1 has an unknown part: expected train, validation or test, received "tset".',
    );
  });

  it("comes back from JSON, and what is no split does not", () => {
    const split = splitRows({ rows: 30 });
    expect(parseRowSplit(JSON.parse(JSON.stringify(split)), 30)).toEqual(split);
    for (const wrong of [null, {}, { ...split, test: [0, 0] }, { ...split, train: [0.5] }, { ...split, train: "all" }])
      expect(() => parseRowSplit(wrong, 30)).toThrow(DataError);
    expect(() => parseRowSplit(split, 20)).toThrow(DataError);
  });

  it("refuses what makes no sense", () => {
    expect(() => splitRows({ labels: ["a"], groups: ["b"] })).toThrow("splitRows: there is more than one way to split");
    expect(() => splitRows({ rows: 5, labels: ["a"] })).toThrow("labels and rows differ");
    expect(() => splitRows({ rows: 5 })).toThrow("splitRows: a part would be empty");
    expect(() => splitRows({ rows: 50, test: 1 })).toThrow(OptionError);
    expect(() => splitRows({})).toThrow(OptionError);
  });
});

describe("folds", () => {
  it("have each row in one test, and groups in one fold", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(20), { minLength: 30, maxLength: 80 }),
        seeds,
        fc.boolean(),
        (groups, seed, grouped) => {
          fc.pre(new Set(groups).size >= 4);
          const folds = kFold({
            rows: groups.length,
            folds: 4,
            repeats: 2,
            seed,
            ...(grouped ? { groups } : { labels: groups }),
          });
          expect(folds).toHaveLength(8);
          for (const half of [folds.slice(0, 4), folds.slice(4)])
            expect(half.flatMap(({ test }) => test).sort((a, b) => a - b)).toEqual(range(groups.length));
          for (const { train, test } of folds) {
            expect([...train, ...test].sort((a, b) => a - b)).toEqual(range(groups.length));
            const held = new Set(test.map((row) => groups[row]));
            if (grouped) expect(train.some((row) => held.has(groups[row]))).toBe(false);
          }
        },
      ),
    );
    expect(kFold({ rows: 3, folds: 3 }).map(({ test }) => test.length)).toEqual([1, 1, 1]);
    expect(() => kFold({ rows: 3 })).toThrow(
      "kFold: folds is out of range: expected a whole number from 2 to 3, received 5.",
    );
  });

  it("of a bootstrap leave out 1/e of the rows", () => {
    const folds = bootstrap({ rows: 500, samples: 50 });
    const left = folds.reduce((sum, { test }) => sum + test.length, 0) / (50 * 500);
    expect(left).toBeCloseTo(Math.exp(-1), 2);
    for (const { train, test } of folds) expect(train.some((row) => test.includes(row))).toBe(false);
  });
});
