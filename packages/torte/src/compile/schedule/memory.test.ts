import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Buffer, Buffers } from "../loops/expr.js";
import type { KernelSummary } from "../loops/loops.js";
import { planMemory } from "./memory.js";

/** A kernel for each array that writes it; `reads` are earlier kernels. */
function kernelsOf(arrays: readonly { readonly size: number; readonly reads: readonly number[] }[]): KernelSummary[] {
  const buffers = new Buffers();
  const written: Buffer[] = [];
  return arrays.map(({ size, reads }, i) => {
    const own = buffers.add(`array ${i}`, "float32", size);
    const read = new Set(reads.flatMap((r) => written[r % Math.max(1, i)] ?? []));
    written.push(own);
    return { name: `kernel ${i}`, origin: "", reads: read, writes: new Set([own]) };
  });
}

const programs = fc.array(
  fc.record({ size: fc.oneof(fc.nat(40), fc.nat(5000)), reads: fc.array(fc.nat(), { maxLength: 3 }) }),
  { minLength: 1, maxLength: 40 },
);
const NONE: ReadonlySet<Buffer> = new Set();

describe("planMemory", () => {
  it("lets no arrays overlap that are alive at the same time", () => {
    fc.assert(
      fc.property(programs, fc.constantFrom(1, 2), (arrays, threads) => {
        const { spans, bytes, lowerBound } = planMemory(kernelsOf(arrays), NONE, NONE, threads);
        expect(spans).toHaveLength(arrays.length);
        expect(bytes).toBeGreaterThanOrEqual(lowerBound);
        for (const [i, a] of spans.entries()) {
          expect(a.at % 64).toBe(0);
          expect(a.at + a.bytes).toBeLessThanOrEqual(bytes);
          for (const b of spans.slice(0, i)) {
            const together = a.from <= b.to && b.from <= a.to;
            expect(together && a.at < b.at + b.bytes && b.at < a.at + a.bytes).toBe(false);
          }
        }
      }),
    );
  });

  it("takes at most a quarter more than the least for several threads, or what it takes for one", () => {
    fc.assert(
      fc.property(programs, (arrays) => {
        const kernels = kernelsOf(arrays);
        const { bytes, lowerBound } = planMemory(kernels, NONE, NONE, 2);
        expect(bytes).toBeLessThanOrEqual(Math.max(1.25 * lowerBound, planMemory(kernels, NONE, NONE, 1).bytes));
      }),
    );
  });

  it("puts an array where several threads have left its halves to them", () => {
    const chain = [8000, 4000, 6000, 3200].map((size, i) => ({ size, reads: [i - 1] }));
    const middleOf = (at: number, bytes: number): number => at + bytes / 2;
    const spans = planMemory(kernelsOf(chain), NONE, NONE, 2).spans.toSorted((a, b) => a.from - b.from);
    const [first, second, third, last] = spans.map(({ at, bytes }) => middleOf(at, bytes));
    expect(third).toBeCloseTo(first ?? NaN, -2);
    expect(last).toBeCloseTo(second ?? NaN, -2);
    expect(second).not.toBeCloseTo(first ?? NaN, -2);
  });
});
