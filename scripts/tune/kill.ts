/**
 * A study of four workers and a leader, 50 SIGKILLs among them at random, beside the same study undisturbed with one worker. Run it
 * after a build:  npx jiti scripts/tune/kill.ts [kills] [trials]
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runKilled } from "../../packages/tune/test/kill/harness.js";
import { readJournal } from "../../packages/tune/src/index.js";

const [kills = 50, trials = 60] = process.argv.slice(2).map(Number);
const root = mkdtempSync(join(tmpdir(), "torte-kill-"));
const started = performance.now();
const quiet = await runKilled({ folder: join(root, "quiet"), workers: 1, trials, kills: 0, random: Math.random });
const killed = await runKilled({ folder: join(root, "killed"), workers: 4, trials, kills, random: Math.random });
const events = readJournal(join(root, "killed"));
const told = events.flatMap((event) => (event.event === "epoch" ? [`${event.trial} ${event.epoch}`] : []));
const { facts } = JSON.parse(killed.result) as { readonly facts: readonly { readonly state: string }[] };
const result = {
  trials,
  kills: killed.kills,
  leaders: killed.leaders,
  lost: events.filter(({ event }) => event === "lost").length,
  epochsToldTwice: told.length - new Set(told).size,
  unfinished: facts.filter(({ state }) => state !== "complete" && state !== "pruned").length,
  sameAsUndisturbed:
    killed.result === quiet.result || JSON.stringify(sorted(killed.result)) === JSON.stringify(sorted(quiet.result)),
  seconds: Math.round((performance.now() - started) / 1000),
};
console.log(result);
writeFileSync(
  fileURLToPath(new URL("results/kill.json", import.meta.url)),
  `${JSON.stringify(result, undefined, 2)}\n`,
);
rmSync(root, { recursive: true, force: true });

function sorted(text: string): unknown {
  return (JSON.parse(text) as { readonly facts: unknown }).facts;
}
