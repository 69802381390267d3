/**
 * How good the searchers are, on functions whose least value is known.
 *
 *   npx jiti scripts/tune/regret.ts beside      50 trials, 11 seeds (of the Parzen estimators 40), beside Optuna's (results/optuna.json): results/beside.json
 *   npx jiti scripts/tune/regret.ts bars        20 seeds, beside random search with the same seeds: results/bars.json
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { SearcherName } from "../../packages/tune/src/index.js";
import { FUNCTIONS, median, regrets } from "../../packages/tune/src/testing/functions.js";

const results = (name: string): string => fileURLToPath(new URL(`results/${name}.json`, import.meta.url));
const short = (value: number): number => Number(value.toPrecision(3));

/** Regrets at the end, one for each seed. */
function ends(name: string, searcher: SearcherName, seeds: number, trials: number): number[] {
  const f = FUNCTIONS.find((one) => one.name === name);
  if (f === undefined) throw new Error(`there is no function ${name}`);
  return Array.from({ length: seeds }, (_, seed) => regrets(f, searcher, trials, seed).at(-1) ?? NaN);
}

function beside(): object {
  const [seeds, trials] = [{ auto: 11, tpe: 40 }, 50];
  const optuna = JSON.parse(readFileSync(results("optuna"), "utf8")) as {
    readonly version: string;
  } & Readonly<Record<string, Readonly<Record<"gp" | "tpe", readonly number[]>>>>;
  const rows = FUNCTIONS.map(({ name }) => {
    const [own, theirs] = [
      { auto: ends(name, "auto", seeds.auto, trials), tpe: ends(name, "tpe", seeds.tpe, trials) },
      optuna[name],
    ];
    const row = {
      auto: short(median(own.auto)),
      "Optuna GPSampler": short(median(theirs?.gp ?? [])),
      tpe: short(median(own.tpe)),
      "Optuna TPESampler": short(median(theirs?.tpe ?? [])),
      ofTheFirst11Seeds: {
        tpe: short(median(own.tpe.slice(0, 11))),
        "Optuna TPESampler": short(median((theirs?.tpe ?? []).slice(0, 11))),
      },
      regrets: { auto: own.auto.map(short), tpe: own.tpe.map(short) },
    };
    console.log(name, row);
    return [name, row] as const;
  });
  return { optuna: optuna.version, seeds, trials, median: Object.fromEntries(rows) };
}

/** Searcher, function, trials, the median regret that must be reached, and how many of 20 seeds must be better than random search. */
const BARS = [
  ["gp", "Branin", 50, 0.02, 18],
  ["gp", "Hartmann6", 100, 0.2, 18],
  ["tpe", "Branin", 100, 0.15, 15],
  ["tpe", "Hartmann6", 100, 0.9, 15],
] as const;

function bars(): object {
  const seeds = 20;
  return BARS.map(([searcher, name, trials, bar, better]) => {
    const [own, random] = [ends(name, searcher, seeds, trials), ends(name, "random", seeds, trials)];
    const row = {
      searcher,
      function: name,
      trials,
      median: short(median(own)),
      bar,
      random: short(median(random)),
      betterThanRandom: `${own.filter((end, i) => end < (random[i] ?? 0)).length} of ${seeds}`,
      betterBar: better,
      regrets: own.map(short),
    };
    console.log(row);
    return row;
  });
}

const [what = "bars"] = process.argv.slice(2);
writeFileSync(results(what), `${JSON.stringify(what === "beside" ? beside() : bars(), undefined, 2)}\n`);
