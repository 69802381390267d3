/**
 * A study of four workers and a leader, 50 SIGKILLs among them at random, beside the same study undisturbed with one worker. Run it
 * after a build:
 *
 *   npx jiti scripts/tune/kill.ts processes [kills] [trials]    workers are children of the leader: results/kill.json
 *   npx jiti scripts/tune/kill.ts postgres [kills] [trials]     workers take trials from PostgreSQL, whose server is stopped and started six
 *                                                               times besides: results/kill-postgres.json
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runKilled } from "../../packages/tune/test/kill/harness.js";
import { readJournal } from "../../packages/tune/src/index.js";
import { BOSS, runShared } from "../../packages/tune/test/postgres/harness.js";
import { postgresPrograms, PostgresServer } from "../../packages/tune/test/postgres/server.js";

const [where = "processes"] = process.argv.slice(2);
const [kills = 50, trials = 60] = process.argv.slice(3).map(Number);
const root = mkdtempSync(join(tmpdir(), "torte-kill-"));
const started = performance.now();
const quiet = await runKilled({ folder: join(root, "quiet"), workers: 1, trials, kills: 0, random: Math.random });
const asChildren = () => runKilled({ folder: join(root, "killed"), workers: 4, trials, kills, random: Math.random });

async function inPostgres() {
  const programs = postgresPrograms();
  if (programs === undefined) throw new Error("there is no PostgreSQL in /usr/lib/postgresql");
  const server = await PostgresServer.start(programs, join(root, "data"));
  try {
    return await runShared({
      root,
      server,
      places: Array.from({ length: 4 }, () => ({ url: server.url })),
      trials,
      kills,
      restarts: 6,
      random: Math.random,
    });
  } finally {
    await server.stop();
  }
}

chmodSync(root, 0o755); // the server's user goes through
const killed = where === "postgres" ? await inPostgres() : await asChildren();
const events = readJournal(join(root, "killed"));
const told = events.flatMap((event) => (event.event === "epoch" ? [`${event.trial} ${event.epoch}`] : []));
const { facts } = JSON.parse(killed.result) as { readonly facts: readonly { readonly state: string }[] };
const result = {
  trials,
  ...(where === "postgres" ? { boss: BOSS, node: process.version } : {}),
  kills: killed.kills,
  lost: events.filter(({ event }) => event === "lost").length,
  epochsToldTwice: told.length - new Set(told).size,
  unfinished: facts.filter(({ state }) => state !== "complete" && state !== "pruned").length,
  sameAsUndisturbed:
    killed.result === quiet.result || JSON.stringify(sorted(killed.result)) === JSON.stringify(sorted(quiet.result)),
  seconds: Math.round((performance.now() - started) / 1000),
};
console.log(result);
writeFileSync(
  fileURLToPath(new URL(`results/${where === "postgres" ? "kill-postgres" : "kill"}.json`, import.meta.url)),
  `${JSON.stringify(result, undefined, 2)}\n`,
);
rmSync(root, { recursive: true, force: true });

function sorted(text: string): unknown {
  return (JSON.parse(text) as { readonly facts: unknown }).facts;
}
