import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { clusterSequences, defaultK, findSimilarPairs, jaccard, kmerSets, similarityAt } from "./kmers.js";

/** By the definition. */
function plainJaccard(a: string, b: string, k: number): number {
  const set = (s: string): Set<string> =>
    new Set(Array.from({ length: Math.max(0, s.length - k + 1) }, (_, i) => s.slice(i, i + k)));
  const [x, y] = [set(a), set(b)];
  const shared = [...x].filter((kmer) => y.has(kmer)).length;
  return shared === 0 ? 0 : shared / (x.size + y.size - shared);
}

/** Sequences that are partly alike: few letters, and parts that come again. */
const sequences = fc
  .tuple(
    fc.array(fc.string({ unit: fc.constantFrom(..."ABC"), minLength: 1, maxLength: 12 }), {
      minLength: 1,
      maxLength: 4,
    }),
    fc.array(fc.array(fc.nat(3), { minLength: 0, maxLength: 4 }), { minLength: 1, maxLength: 12 }),
  )
  .map(([parts, picks]) => picks.map((pick) => pick.map((i) => parts[i % parts.length] ?? "").join("")));

describe("k-mers", () => {
  it("have the similarity of the definition, for any alphabet and k", () => {
    fc.assert(
      fc.property(
        fc.oneof(sequences, fc.array(fc.string({ unit: "binary", maxLength: 20 }), { maxLength: 5 })),
        fc.integer({ min: 1, max: 20 }),
        (all, k) => {
          const sets = kmerSets(all, { k });
          for (let i = 0; i < all.length; i++)
            for (let j = 0; j < all.length; j++) expect(jaccard(sets, i, j)).toBe(plainJaccard(all[i]!, all[j]!, k));
        },
      ),
    );
  });

  it("find all pairs that are alike, each once, and those of different groups only", () => {
    fc.assert(
      fc.property(
        sequences,
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: 0.05, max: 1, noNaN: true }),
        fc.boolean(),
        (all, k, threshold, grouped) => {
          const groups = grouped ? Int32Array.from(all, (_, i) => (i * 7) % 3) : undefined;
          const found: string[] = [];
          findSimilarPairs(kmerSets(all, { k }), {
            threshold,
            ...(groups === undefined ? {} : { groups }),
            found: (i, j, similarity) => {
              expect(similarity).toBe(plainJaccard(all[i]!, all[j]!, k));
              found.push(`${i} ${j}`);
              return true;
            },
          });
          const expected: string[] = [];
          for (let i = 0; i < all.length; i++)
            for (let j = i + 1; j < all.length; j++)
              if (
                plainJaccard(all[i]!, all[j]!, k) >= threshold - 1e-12 &&
                (groups === undefined || groups[i] !== groups[j])
              )
                expected.push(`${i} ${j}`);
          expect(found.sort()).toEqual(expected.sort());
        },
      ),
      { numRuns: 300 },
    );
  });

  it("make clusters that are the components of similarity", () => {
    fc.assert(
      fc.property(
        sequences,
        fc.integer({ min: 1, max: 4 }),
        fc.double({ min: 0.3, max: 1, noNaN: true }),
        (all, k, identity) => {
          const clusters = clusterSequences(all, { k, identity });
          const threshold = similarityAt(identity, k);
          const parent = all.map((_, i) => i);
          const find = (i: number): number => (parent[i] === i ? i : find(parent[i]!));
          for (let i = 0; i < all.length; i++)
            for (let j = 0; j < i; j++)
              if (all[i] === all[j] || plainJaccard(all[i]!, all[j]!, k) >= threshold - 1e-12)
                parent[find(i)] = find(j);
          for (let i = 0; i < all.length; i++)
            for (let j = 0; j < i; j++) expect(clusters[i] === clusters[j]).toBe(find(i) === find(j));
        },
      ),
      { numRuns: 300 },
    );
  });

  it("are long enough that chance matches are rare", () => {
    const random = (letters: string): string[] =>
      Array.from({ length: 50 }, (_, i) =>
        Array.from({ length: 99 }, (_, j) => letters[(i * 31 + j * j * 17 + j) % letters.length]).join(""),
      );
    expect([defaultK(random("ACDEFGHIKLMNPQRSTVWY")), defaultK(random("ACGT")), defaultK([])]).toEqual([5, 11, 22]);
  });

  it("of a large family and of equal sequences take no time that grows with their pairs", () => {
    const base = Array.from({ length: 120 }, (_, i) => "ACDEFGHIKLMNPQRSTVWY"[(i * i + 3 * i) % 20]).join("");
    const family = Array.from({ length: 4000 }, (_, i) => `${base.slice(0, i % 120)}W${base.slice((i % 120) + 1)}`);
    const clusters = clusterSequences([
      ...family,
      "MSTNPKPQRKTKRNTNRRPQDVKFPGG",
      ...new Array<string>(4000).fill(base),
    ]);
    expect(new Set(clusters).size).toBe(2);
  });
});
