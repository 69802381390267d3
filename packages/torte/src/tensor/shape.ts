/** Shapes: lists of sizes, row-major. */
import { ShapeError, show } from "../errors.js";

export type Shape = readonly number[];

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/** The number for an axis in a list that has one for each: a shape, strides. Throws where there is no such axis. */
export function sizeAt(list: readonly number[], axis: number): number {
  const size = list[axis];
  if (size === undefined) throw new RangeError(`there is no axis ${axis} in ${formatShape(list)}`);
  return size;
}

/** Element i of a list that has one. Throws where there is none: a plausible value in its place would hide the mistake. */
export function elementAt<T>(list: readonly T[], i: number): T {
  const element = list[i];
  if (element === undefined) throw new RangeError(`there is no element ${i} in a list of ${list.length}`);
  return element;
}

/** What a table has for a key that must be in it. Throws where it is not. */
export function entryOf<K, V>(table: ReadonlyMap<K, V>, key: K): V {
  const entry = table.get(key);
  if (entry === undefined) throw new RangeError(`the table has no entry ${String(key)}`);
  return entry;
}

/** The last one of a list that is not empty. */
export function lastOf<T>(list: readonly T[]): T {
  if (list.length === 0) throw new RangeError("the list is empty");
  return list[list.length - 1] as T;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

/** Rejects sizes that are no whole numbers of at least 0. */
export function checkShape(where: string, shape: unknown): asserts shape is Shape {
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw new ShapeError({
      where,
      problem: "no shape",
      expected: "whole numbers of at least 0",
      received: show(shape),
    });
  }
}

/** `(2, 3)`; sizes that are open print as None, as in Keras. */
export function formatShape(shape: readonly (number | null)[]): string {
  const sizes = shape.map((n) => (n === null ? "None" : String(n)));
  return sizes.length === 1 ? `(${sizes.join("")},)` : `(${sizes.join(", ")})`;
}

/** Distance in memory between neighbours along each axis. */
export function stridesOf(shape: Shape): number[] {
  const strides = Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = (strides[i + 1] ?? 1) * (shape[i + 1] ?? 1);
  return strides;
}

/** The common shape of two operands, axes aligned at the end, sizes of 1 repeated. */
export function broadcastShapes(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) {
      throw new ShapeError({
        where: "broadcast",
        problem: "shapes do not fit each other",
        expected: `sizes that are equal or 1, aligned at the end, with ${formatShape(a)}`,
        received: formatShape(b),
      });
    }
    return x === 1 ? y : x;
  });
}

/** The largest divisor of `n` that is at most `most`. */
export function largestDivisor(n: number, most: number): number {
  for (let divisor = Math.min(n, most); divisor > 1; divisor--) if (n % divisor === 0) return divisor;
  return 1;
}
