import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bits, boundedDraws, hashName, type Key, mix, mixKey, normalAt, shuffle, uniformAt } from "./random.js";

/** Pearson's statistic against equal counts. */
function chiSquare(counts: readonly number[]): number {
  const mean = counts.reduce((a, b) => a + b, 0) / counts.length;
  return counts.reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0);
}

/** Chi-square lies within five standard deviations of its mean; chance fails this once in a million. */
function expectUniform(counts: readonly number[]): void {
  const freedom = counts.length - 1;
  expect(Math.abs(chiSquare(counts) - freedom)).toBeLessThan(5 * Math.sqrt(2 * freedom));
}

function histogram(bins: number, draws: number, draw: (i: number) => number): number[] {
  const counts = Array<number>(bins).fill(0);
  for (let i = 0; i < draws; i++) {
    const bin = Math.floor(draw(i) * bins);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

function correlation(n: number, a: (i: number) => number, b: (i: number) => number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) sum += (a(i) - 0.5) * (b(i) - 0.5);
  return (sum / n) * 12;
}

const STREAMS = ["dropout_1/0", "dropout_2/0", "conv1d/kernel", "a", "b"].map(hashName);

describe("the generator", () => {
  it("has not changed: weights and masks of old runs depend on it", () => {
    expect(mix(1) >>> 0).toBe(1753845952);
    // FNV-1a's published values for "" and "a".
    expect(hashName("")).toBe(0x811c9dc5 | 0);
    expect(hashName("a")).toBe(0xe40c292c | 0);
    const key = mixKey(7, hashName("dropout"), 3);
    expect([0, 1, 2, 1_000_000].map((i) => bits(key, i))).toMatchInlineSnapshot(`
      [
        4060845295,
        1523479586,
        1090135236,
        1833621947,
      ]
    `);
  });

  it("mixes as its module says", () => {
    // Another road to the same words: exact integers, reduced modulo 2^32 after each step.
    const word = (x: bigint): bigint => BigInt.asUintN(32, x);
    const exact = (x: bigint): bigint => {
      let y = x ^ (x >> 16n);
      y = word(y * 0x7feb352dn);
      y ^= y >> 15n;
      y = word(y * 0x846ca68bn);
      return y ^ (y >> 16n);
    };
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), fc.integer(), fc.nat(), fc.nat(), (seed, stream, step, i) => {
        const k0 = exact(word((BigInt(seed) ^ exact(word(BigInt(stream) + 0x9e3779b9n))) + BigInt(step) * 0x85ebca6bn));
        const k1 = exact(word(k0 + 0xc2b2ae35n));
        const expected = exact(word(exact(word(BigInt(i) ^ k0)) + k1));
        const key = mixKey(seed, stream, step);
        expect(bits(key, i)).toBe(Number(expected));
        expect(uniformAt(key, i)).toBe(Math.floor(Number(expected) / 256) / 2 ** 24);
      }),
    );
  });

  it("fills [0, 1) evenly along counters, steps, seeds and streams", () => {
    expectUniform(histogram(256, 500_000, (i) => uniformAt(mixKey(1, STREAMS[0] ?? 0, 0), i)));
    expectUniform(histogram(256, 500_000, (i) => uniformAt(mixKey(1, STREAMS[0] ?? 0, i), 0)));
    expectUniform(histogram(256, 500_000, (i) => uniformAt(mixKey(i, STREAMS[0] ?? 0, 0), 0)));
    expectUniform(histogram(256, 500_000, (i) => uniformAt(mixKey(1, i, 0), 0)));
    expectUniform(histogram(256, 500_000, (i) => (bits(mixKey(1, STREAMS[1] ?? 0, 9), i) & 0xffff) / 65536));
  });

  it("fills pairs and triples of neighbours evenly", () => {
    const key = mixKey(3, STREAMS[2] ?? 0, 5);
    expectUniform(
      histogram(4096, 400_000, (i) => (Math.floor(64 * uniformAt(key, 2 * i)) + uniformAt(key, 2 * i + 1)) / 64),
    );
    expectUniform(
      histogram(4096, 400_000, (i) => {
        const [a, b, c] = [uniformAt(key, i), uniformAt(key, i + 200_000_000), uniformAt(key, i + 400_000_000)];
        return (Math.floor(16 * a) + (Math.floor(16 * b) + c) / 16) / 16;
      }),
    );
  });

  it("gives neighbouring counters, steps, seeds and streams no correlation", () => {
    const n = 200_000;
    const limit = 5 / Math.sqrt(n);
    const base = (i: number): number => uniformAt(mixKey(11, STREAMS[0] ?? 0, 4), i);
    const others: ((i: number) => number)[] = [
      ...[1, 2, 4, 16, 256, 200 * 16].map((lag) => (i: number) => base(i + lag)),
      ...[5, 6, 8, 1004].map((step) => (i: number) => uniformAt(mixKey(11, STREAMS[0] ?? 0, step), i)),
      ...[10, 12, 11 + 2 ** 16, 11 ^ 0x80000000].map(
        (seed) => (i: number) => uniformAt(mixKey(seed, STREAMS[0] ?? 0, 4), i),
      ),
      ...STREAMS.slice(1).map((stream) => (i: number) => uniformAt(mixKey(11, stream, 4), i)),
    ];
    for (const other of others) expect(Math.abs(correlation(n, base, other))).toBeLessThan(limit);
  });

  it("changes each output bit with each input bit in half of all cases", () => {
    const n = 4000;
    const inputs: readonly ((flip: number, i: number) => number)[] = [
      (flip, i) => bits(mixKey(5, 17, 2), i ^ flip),
      (flip, i) => bits(mixKey(i ^ flip, 17, 2), 3),
      (flip, i) => bits(mixKey(5, 17, i ^ flip), 3),
      (flip, i) => bits(mixKey(5, i ^ flip, 2), 3),
    ];
    for (const input of inputs) {
      for (let bit = 0; bit < 32; bit += 3) {
        const flipped = Array<number>(32).fill(0);
        for (let i = 0; i < n; i++) {
          const difference = input(0, i) ^ input(1 << bit, i);
          for (let b = 0; b < 32; b++) flipped[b] = (flipped[b] ?? 0) + ((difference >>> b) & 1);
        }
        for (const count of flipped) expect(Math.abs(count / n - 0.5)).toBeLessThan(0.05);
      }
    }
  });

  it("rarely repeats a key: a run's streams and steps have masks of their own", () => {
    const keys = new Set<number>();
    for (let stream = 0; stream < 10; stream++) {
      for (let step = 0; step < 10_000; step++) keys.add(mixKey(1, hashName(`dropout_${stream}/0`), step)[0]);
    }
    expect(keys.size).toBeGreaterThan(99_990); // 1.2 collisions are expected by chance
  });
});

describe("normal numbers", () => {
  it("have the moments and the tails of a standard normal", () => {
    const [key, n] = [mixKey(2, 8, 0), 400_000];
    const moments = [0, 0, 0, 0];
    let beyond = 0;
    for (let i = 0; i < n; i++) {
      const z = normalAt(key, i);
      for (let power = 0; power < 4; power++) moments[power] = (moments[power] ?? 0) + z ** (power + 1) / n;
      beyond += Number(Math.abs(z) > 1.959964);
    }
    const errors = [1, Math.sqrt(2), Math.sqrt(15), Math.sqrt(96)].map((deviation) => (5 * deviation) / Math.sqrt(n));
    [0, 1, 0, 3].forEach((moment, i) => {
      expect(Math.abs((moments[i] ?? 0) - moment)).toBeLessThan(errors[i] ?? 0);
    });
    expect(Math.abs(beyond / n - 0.05)).toBeLessThan(0.002);
  });
});

describe("bounded draws and shuffles", () => {
  it("favour no number", () => {
    for (const bound of [2, 3, 7, 100, 255]) {
      const draw = boundedDraws(mixKey(4, bound, 0));
      expectUniform(histogram(bound, 200_000, () => draw(bound) / bound + 1e-9));
    }
    // A bound of 3·2^30 would be favoured two to one by a plain remainder.
    const draw = boundedDraws(mixKey(4, 0, 0));
    expectUniform(histogram(3, 60_000, () => draw(3 * 2 ** 30) / (3 * 2 ** 30)));
  });

  it("shuffle to permutations, the same for the same key", () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(), (n, seed) => {
        const ordered = Int32Array.from({ length: n }, (_, i) => i);
        const once = shuffle(ordered.slice(), mixKey(seed, 0, 0));
        expect(shuffle(ordered.slice(), mixKey(seed, 0, 0))).toEqual(once);
        expect(once.slice().sort()).toEqual(ordered);
      }),
    );
  });

  it("shuffle to each permutation equally often", () => {
    const index = (key: Key): number => {
      const [a = 0, b = 0, c = 0] = shuffle(Int32Array.of(0, 1, 2, 3), key);
      const last = 6 - a - b - c;
      return a * 6 + (b - Number(b > a)) * 2 + Number(c > last);
    };
    expectUniform(histogram(24, 120_000, (i) => (index(mixKey(9, 1, i)) + 0.5) / 24));
  });
});
