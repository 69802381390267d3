import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Buffer } from "../loops/expr.js";
import { scheduleThreads, type ScheduledKernel, type Span, threadsFor } from "./threads.js";

const buffers: Buffer[] = Array.from({ length: 6 }, (_, id) => ({ id, name: `b${id}`, dtype: "float32", size: 16 }));
const some = fc.uniqueArray(fc.constantFrom(...buffers), { maxLength: 3 });
const kernel = fc.record({
  name: fc.constant("k"),
  origin: fc.constant(""),
  reads: some.map((list) => new Set(list)),
  writes: some.map((list) => new Set(list)),
  iterations: fc.integer({ min: 1, max: 200 }),
  cost: fc.integer({ min: 1, max: 500_000 }),
}) satisfies fc.Arbitrary<ScheduledKernel>;

/** Neighbours of which two share half their memory. */
const spanOf = ({ id }: Buffer): Span => ({ from: 32 * id, to: 32 * id + 64 });
const meet = (a: ReadonlySet<Buffer>, b: ReadonlySet<Buffer>): boolean =>
  [...a].some((x) => [...b].some((y) => Math.abs(x.id - y.id) < 2));

describe("work for several threads", () => {
  it("has a barrier between two kernels of which one touches what the other writes, and only one thread needs none", () => {
    fc.assert(
      fc.property(fc.array(kernel, { maxLength: 12 }), fc.integer({ min: 1, max: 4 }), (kernels, threads) => {
        const plan = scheduleThreads(kernels, spanOf, threads);
        expect(plan.map((assignment) => assignment.kernel)).toEqual(kernels.map((_, i) => i));
        if (threads === 1) expect(plan.every(({ barrier, chunks }) => !barrier && chunks === 0)).toBe(true);
        kernels.forEach((after, j) =>
          kernels.slice(0, j).forEach((before, i) => {
            const conflict =
              meet(before.writes, after.writes) || meet(before.writes, after.reads) || meet(before.reads, after.writes);
            const shared = (plan[i]?.chunks ?? 0) > 0 || (plan[j]?.chunks ?? 0) > 0;
            if (threads > 1 && conflict && shared)
              expect(plan.slice(i + 1, j + 1).some(({ barrier }) => barrier)).toBe(true);
          }),
        );
      }),
    );
  });

  it("gives no thread more chunks than it has iterations, and none of a kernel that is over at once", () => {
    fc.assert(
      fc.property(kernel, fc.integer({ min: 2, max: 8 }), (one, threads) => {
        const [{ chunks } = { chunks: -1 }] = scheduleThreads([one], spanOf, threads);
        if (one.iterations === 1 || one.cost < 3000) expect(chunks).toBe(0);
        else expect(chunks).toBeGreaterThan(0);
        if (chunks > 1) expect(chunks * threads).toBeLessThanOrEqual(one.iterations);
      }),
    );
    expect(threadsFor(1000, 4)).toBe(1);
    expect(threadsFor(1e6, 4)).toBe(4);
  });
});
