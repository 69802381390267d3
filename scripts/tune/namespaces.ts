/**
 * A study in PostgreSQL whose workers are each in a network namespace of their own (Linux, as root): from there nothing can be reached but the
 * database, through a cable of its own. Leader, workers and server are ended at random besides. Run it after a build:
 *
 *   npx jiti scripts/tune/namespaces.ts [kills] [trials]     results/namespaces.json
 */
import { execFileSync } from "node:child_process";
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readJournal } from "../../packages/tune/src/index.js";
import { BOSS, runShared, startProgram } from "../../packages/tune/test/postgres/harness.js";
import { postgresPrograms, PostgresServer } from "../../packages/tune/test/postgres/server.js";

const [kills = 10, trials = 20] = process.argv.slice(2).map(Number);
const ip = (...args: readonly string[]): void => {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
};

/** A network namespace with one cable to this one. */
class Namespace {
  readonly name: string;
  /** Of this end of the cable, as it is reached from there. */
  readonly host: string;

  constructor(i: number) {
    this.name = `torte-${process.pid}-${i}`;
    this.host = `10.231.${i}.1`;
    const [near, far] = [`torte${i}a`, `torte${i}b`];
    ip("netns", "add", this.name);
    ip("link", "add", near, "type", "veth", "peer", "name", far);
    ip("link", "set", far, "netns", this.name);
    ip("addr", "add", `${this.host}/30`, "dev", near);
    ip("link", "set", near, "up");
    ip("-n", this.name, "addr", "add", `10.231.${i}.2/30`, "dev", far);
    ip("-n", this.name, "link", "set", far, "up");
  }

  /** How a process is started there. */
  get by(): readonly string[] {
    return ["ip", "netns", "exec", this.name];
  }

  /** The cable goes with it. */
  close(): void {
    ip("netns", "del", this.name);
  }
}

const programs = postgresPrograms();
if (programs === undefined) throw new Error("there is no PostgreSQL in /usr/lib/postgresql");
const root = mkdtempSync(join(tmpdir(), "torte-namespaces-"));
chmodSync(root, 0o755); // the server's user goes through
const started = performance.now();
const namespaces = [1, 2].map((i) => new Namespace(i));
const server = await PostgresServer.start(programs, join(root, "data"), "0.0.0.0");
try {
  appendFileSync(join(root, "data", "pg_hba.conf"), "host all all 10.231.0.0/16 trust\n");
  await server.stop();
  await server.run();
  const quiet = await startProgram("leader.mjs", [join(root, "quiet"), "", String(trials)], root).exit;
  const places = namespaces.map(({ by, host }) => ({ by, url: server.url.replace("127.0.0.1", host) }));
  const killed = await runShared({ root, server, places, trials, kills, restarts: 2, random: Math.random });
  const events = readJournal(join(root, "killed"));
  const told = events.flatMap((event) => (event.event === "epoch" ? [`${event.trial} ${event.epoch}`] : []));
  const { facts } = JSON.parse(killed.result) as { readonly facts: readonly { readonly state: string }[] };
  const result = {
    trials,
    boss: BOSS,
    node: process.version,
    namespaces: namespaces.length,
    kills: killed.kills,
    lost: events.filter(({ event }) => event === "lost").length,
    epochsToldTwice: told.length - new Set(told).size,
    unfinished: facts.filter(({ state }) => state !== "complete" && state !== "pruned").length,
    sameAsUndisturbed: killed.result === quiet.output,
    seconds: Math.round((performance.now() - started) / 1000),
  };
  console.log(result);
  writeFileSync(
    fileURLToPath(new URL("results/namespaces.json", import.meta.url)),
    `${JSON.stringify(result, undefined, 2)}\n`,
  );
} finally {
  await server.stop();
  for (const namespace of namespaces) namespace.close();
  rmSync(root, { recursive: true, force: true });
}
