import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Heap } from "./heap.js";

const ALIGNMENT = 64;
const START = 65536;
const room = (bytes: number): number => Math.max(ALIGNMENT, Math.ceil(bytes / ALIGNMENT) * ALIGNMENT);

/** Bytes to allocate, or the number of a block, among those that are taken, to free. */
type Action = { readonly allocate: number } | { readonly free: number };
const actions: fc.Arbitrary<Action[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ allocate: fc.oneof(fc.nat(300), fc.nat(10_000)) }) },
    { weight: 2, arbitrary: fc.record({ free: fc.nat() }) },
  ),
  { maxLength: 60 },
);

/** Carries out the actions; returns what is taken in the end. `check` sees each block when it comes. */
function carryOut(
  heap: Heap,
  list: readonly Action[],
  check: (address: number, bytes: number, taken: ReadonlyMap<number, number>) => void = () => undefined,
): Map<number, number> {
  const taken = new Map<number, number>();
  for (const action of list) {
    if ("allocate" in action) {
      const address = heap.allocate(action.allocate);
      check(address, action.allocate, taken);
      taken.set(address, action.allocate);
    } else if (taken.size > 0) {
      const address = [...taken.keys()][action.free % taken.size] ?? NaN;
      heap.free(address);
      taken.delete(address);
    }
  }
  return taken;
}

describe("Heap", () => {
  it("gives aligned blocks that do not overlap and lie between start and end", () => {
    fc.assert(
      fc.property(actions, (list) => {
        const heap = new Heap(START);
        carryOut(heap, list, (address, bytes, taken) => {
          expect(address % ALIGNMENT).toBe(0);
          expect(address).toBeGreaterThanOrEqual(START);
          expect(address + bytes).toBeLessThanOrEqual(heap.end);
          for (const [other, size] of taken)
            expect(address + room(bytes) <= other || other + room(size) <= address).toBe(true);
        });
      }),
    );
  });

  it("grows only where no gap is large enough", () => {
    fc.assert(
      fc.property(actions, fc.nat(5000), (list, bytes) => {
        const heap = new Heap(START);
        const taken = [...carryOut(heap, list)].sort(([a], [b]) => a - b);
        let before = START;
        const gaps = [...taken, [heap.end, 0] as const].map(([address, size]) => {
          const gap = address - before;
          before = address + room(size);
          return gap;
        });
        const end = heap.end;
        const fits = gaps.some((gap) => gap >= room(bytes));
        heap.allocate(bytes);
        expect(heap.end).toBe(fits ? end : end + room(bytes));
      }),
    );
  });

  it("is whole again when everything is freed, in any order", () => {
    fc.assert(
      fc.property(actions, fc.infiniteStream(fc.nat()), (list, order) => {
        const heap = new Heap(START);
        const taken = carryOut(heap, list);
        while (taken.size > 0) {
          const address = [...taken.keys()][(order.next().value ?? 0) % taken.size] ?? NaN;
          heap.free(address);
          taken.delete(address);
          // What is freed at the end can be had in one piece with what comes behind it.
          expect(heap.end).toBe(Math.max(START, ...[...taken].map(([from, bytes]) => from + room(bytes))));
        }
        expect(heap.allocate(1e9)).toBe(START);
      }),
    );
  });

  it("does not grow when the same is taken and given back again and again", () => {
    const heap = new Heap(START);
    const round = (): void => {
      const [a, b] = [heap.allocate(1000), heap.allocate(64)];
      heap.free(a);
      const c = heap.allocate(500);
      heap.free(b);
      heap.free(c);
    };
    round();
    const { end } = heap;
    for (let i = 0; i < 100; i++) round();
    expect(heap.end).toBe(end);
  });

  it("gives an array without elements a place of its own", () => {
    const heap = new Heap(0);
    expect([heap.allocate(0), heap.allocate(0)]).toEqual([0, ALIGNMENT]);
  });

  it("refuses to free what is not taken", () => {
    const heap = new Heap(0);
    const address = heap.allocate(10);
    expect(() => heap.free(address + ALIGNMENT)).toThrow("nothing is allocated at 64");
    heap.free(address);
    expect(() => heap.free(address)).toThrow("nothing is allocated at 0");
  });
});
