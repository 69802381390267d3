import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { asha, hyperband } from "@torte/tune";
import { Random } from "../src/random.js";
import { epochsUntil, fullLengthBest, type RecordedCurves, shuffled } from "../src/testing/curves.js";
import { median } from "../src/testing/functions.js";

/** 500 settings of a small network, 27 epochs each, recorded by scripts/tune/record-table.ts. */
const curves = JSON.parse(
  readFileSync(new URL("../../../scripts/tune/results/curves.json", import.meta.url), "utf8"),
) as RecordedCurves;
const trials = 50;

describe("on recorded learning curves", () => {
  it.each([asha(), hyperband()])(
    "$name reaches the best of random search at full length with a quarter of its epochs (median of 20 orders)",
    (scheduler) => {
      const shares = Array.from({ length: 20 }, (_, seed) => {
        const order = shuffled(curves.losses.length, new Random(seed, "order"));
        const goal = fullLengthBest(curves, order, trials);
        return epochsUntil(curves, order, goal, scheduler) / (trials * curves.epochs);
      });
      expect(median(shares)).toBeLessThanOrEqual(0.25);
    },
  );
});
