/**
 * How good the searchers are: regrets on six functions, beside random search and, from results/optuna.json, Optuna's samplers.
 *
 *   npx jiti scripts/tune/regret.ts [seeds] [trials]      writes results/regret-<trials>.json
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { FUNCTIONS, median, regrets } from "../../packages/tune/src/testing/functions.js";

const [seeds = 11, trials = 50] = process.argv.slice(2).map(Number);
const results = (name: string): string => fileURLToPath(new URL(`results/${name}.json`, import.meta.url));
const optuna = existsSync(results("optuna"))
  ? (JSON.parse(readFileSync(results("optuna"), "utf8")) as Readonly<
      Record<string, Readonly<Record<string, readonly number[]>>>
    >)
  : {};

const table: Record<string, Record<string, unknown>> = {};
for (const f of FUNCTIONS) {
  const row: Record<string, unknown> = {};
  const ends: Record<string, number[]> = {};
  for (const searcher of ["random", "tpe", "auto"] as const) {
    ends[searcher] = Array.from({ length: seeds }, (_, seed) => regrets(f, searcher, trials, seed).at(-1) ?? NaN);
    row[searcher] = Number(median(ends[searcher]).toPrecision(3));
  }
  const beats = (a: string): string =>
    `${(ends[a] ?? []).filter((end, i) => end < (ends["random"]?.[i] ?? 0)).length} of ${seeds}`;
  row["tpe beats random"] = beats("tpe");
  row["auto beats random"] = beats("auto");
  for (const [sampler, values] of Object.entries(optuna[f.name] ?? {}))
    row[`optuna ${sampler}`] = Number(median(values).toPrecision(3));
  table[f.name] = row;
  console.log(f.name, JSON.stringify(row));
}
writeFileSync(results(`regret-${trials}`), `${JSON.stringify({ seeds, trials, median: table }, undefined, 2)}\n`);
