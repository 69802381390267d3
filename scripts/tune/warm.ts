/**
 * How many trials a study needs that starts from an earlier one of a related function, to find what a cold one has found at its end: 11 seeds of
 * each family of functions.
 *
 *   npx jiti scripts/tune/warm.ts [trials]     results/warm.json
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { earlierOf, median, regrets, RELATED } from "../../packages/tune/src/testing/functions.js";

const trials = Number(process.argv[2] ?? 30);
const seeds = 11;
const short = (value: number): number => Number(value.toPrecision(3));

const families = RELATED.map(({ target, earlier }) => {
  const runs = Array.from({ length: seeds }, (_, seed) => {
    const cold = regrets(target, "auto", trials, seed).at(-1) ?? NaN;
    const warm = regrets(target, "auto", trials, seed, [earlierOf(earlier, trials, seed + 100)]);
    const at = warm.findIndex((regret) => regret <= cold);
    return { cold: short(cold), warm: short(warm.at(-1) ?? NaN), needed: at < 0 ? null : at + 1 };
  });
  const row = {
    target: target.name,
    earlier: earlier.name,
    coldRegret: short(median(runs.map(({ cold }) => cold))),
    warmRegret: short(median(runs.map(({ warm }) => warm))),
    medianNeeded: median(runs.map(({ needed }) => needed ?? Infinity)),
    bar: trials / 2,
    runs,
  };
  console.log(row);
  return row;
});
writeFileSync(
  fileURLToPath(new URL("results/warm.json", import.meta.url)),
  `${JSON.stringify({ trials, seeds, families }, undefined, 2)}\n`,
);
