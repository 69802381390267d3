import { describe, expect, it } from "vitest";
import { atOnce, inTurns } from "./turns.js";

/** Takes some milliseconds for each step. */
function* slow(steps: number, ms: number): Generator<undefined, number> {
  for (let i = 0; i < steps; i++) {
    for (const start = performance.now(); performance.now() - start < ms;);
    yield;
  }
  return steps;
}

describe("steps in turns", () => {
  it("let timers through, and come to the same end", async () => {
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    try {
      expect(await inTurns(slow(20, 4))).toBe(20);
      expect(ticks).toBeGreaterThan(3);
      ticks = 0;
      expect(atOnce(slow(20, 1))).toBe(20);
      expect(ticks).toBe(0);
    } finally {
      clearInterval(timer);
    }
  });

  it("tell of failures", async () => {
    const failing = function* (): Generator<undefined, number> {
      yield;
      throw new RangeError("no");
    };
    await expect(inTurns(failing())).rejects.toThrow("no");
  });
});
