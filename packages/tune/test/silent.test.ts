import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, describe, expect, it } from "vitest";
import { readJournal } from "@torte/tune";
import { startProgram } from "./postgres/harness.js";
import { postgresPrograms, PostgresServer } from "./postgres/server.js";
import type { Started } from "./started.js";

const root = mkdtempSync(join(tmpdir(), "torte-silent-"));
chmodSync(root, 0o755); // the server's user goes through
const programs = postgresPrograms();
const server = programs === undefined ? undefined : await PostgresServer.start(programs, join(root, "data"));
const started: Started[] = [];
afterAll(async () => {
  for (const { child, isOver } of started) if (!isOver()) child.kill("SIGKILL");
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

const TRIALS = "10";
const LEASE = "5";
const KILL = "../kill/leader.mjs";

/** A process that leaves a line in the log for each epoch that it trains, and takes its time. */
function run(name: string, args: readonly string[], at: string, log?: string): Started {
  const one = startProgram(name, args, join(root, at), {
    env: { TORTE_TEST_CONFIRM: "no", ...(log === undefined ? {} : { TORTE_TEST_LOG: log }) },
  });
  started.push(one);
  return one;
}

/** Who has trained an epoch, and of which setting, in the order in which it happened. */
const lines = (log: string): readonly { readonly pid: number; readonly setting: string }[] =>
  (existsSync(log) ? readFileSync(log, "utf8") : "")
    .split("\n")
    .slice(0, -1)
    .map((line) => ({ pid: Number(line.split(" ")[0]), setting: line.slice(line.indexOf(" ") + 1) }));

async function found<T>(look: () => T | undefined): Promise<T> {
  for (const began = Date.now(); Date.now() - began < 90_000;) {
    const it = look();
    if (it !== undefined) return it;
    await pause(20);
  }
  throw new Error("it did not happen");
}

interface Silent {
  readonly pid: number;
  readonly setting: string;
  /** Lines of the log before it was silent. */
  readonly before: number;
}

/** Whoever trains a trial that has gone on from where it was paused, after three epochs; it is stopped. */
async function silenced(log: string): Promise<Silent> {
  const silent = await found(() => {
    const all = lines(log);
    const last = all.at(-1);
    const count = all.filter(({ setting }) => setting === last?.setting).length;
    return last !== undefined && count >= 4 && count <= 7 ? { ...last, before: all.length } : undefined;
  });
  process.kill(silent.pid, "SIGSTOP");
  return silent;
}

/** Epochs of its trial that another one has trained since then. */
const takenOver = (log: string, { pid, setting, before }: Silent): number =>
  lines(log)
    .slice(before)
    .filter((line) => line.setting === setting && line.pid !== pid).length;

const taken = (log: string, silent: Silent) => found(() => takenOver(log, silent) > 0 || undefined);

/**
 * It has gone on from the checkpoint after three epochs of nine, or a later one, not from the beginning: six epochs at most for each
 * time that it was lost. On a busy machine whoever takes it over may be silent for too long as well.
 */
function checkTakenOver(log: string, silent: Silent, folder: string): void {
  const epochs = takenOver(log, silent);
  const losses = readJournal(join(root, folder)).filter(({ event }) => event === "lost").length;
  expect(epochs).toBeGreaterThan(0);
  expect(epochs).toBeLessThanOrEqual(6 * losses);
}

const factsOf = ({ output }: { readonly output: string }): unknown => JSON.parse(output);

let quiet: Promise<unknown> | undefined;
/** The study when nobody is disturbed. */
const undisturbed = (): Promise<unknown> =>
  (quiet ??= run(KILL, [join(root, "quiet"), "1", TRIALS], ".").exit.then(factsOf));

/** The trial was lost once, and nothing is told twice. */
function checkJournal(folder: string): void {
  const events = readJournal(join(root, folder));
  expect(events.some(({ event }) => event === "lost")).toBe(true);
  const told = events.flatMap((event) => (event.event === "epoch" ? [`${event.trial} ${event.epoch}`] : []));
  expect(new Set(told).size).toBe(told.length);
}

describe("a worker that is silent, though it is not dead", () => {
  it("loses its trial to another one, and is ended where the leader has started it", async () => {
    const log = join(root, "folder.log");
    const leader = run(KILL, [join(root, "folder"), "2", TRIALS, LEASE], ".", log);
    const silent = await silenced(log);
    await taken(log, silent);
    expect(() => process.kill(silent.pid, "SIGCONT")).toThrow("ESRCH"); // it does not wake up again
    const end = await leader.exit;
    expect(end.complaint).toBe("");
    expect(factsOf(end)).toEqual(await undisturbed());
    checkJournal("folder");
    checkTakenOver(log, silent, "folder");
    expect(readdirSync(join(root, "folder", "trials"))).toEqual([]);
  }, 120_000);
});

/** What the database has of the study. */
const rows = (table: string): string =>
  execFileSync(join(programs ?? "", "psql"), [server?.url ?? "", "-Atc", `SELECT count(*) FROM torte.${table}`], {
    encoding: "utf8",
  }).trim();

// Where Debian's postgresql is not installed, there is no server to try it with.
if (server !== undefined)
  describe("a process of a study in PostgreSQL that is silent, though it is not dead", () => {
    const lead = (folder: string, study: string, log: string): Started =>
      run("leader.mjs", [join(root, folder), server.url, TRIALS, study], ".", log);
    const work = (at: string, study: string, log: string): Started => run("worker.mjs", [server.url, study], at, log);

    it("changes nothing when it wakes up: a worker", async () => {
      const log = join(root, "worker.log");
      const leader = lead("shared", "worker", log);
      const crew = [work("one", "worker", log), work("two", "worker", log)];
      const silent = await silenced(log);
      await taken(log, silent);
      process.kill(silent.pid, "SIGCONT");
      const end = await leader.exit;
      expect(end.complaint).toBe("");
      expect(factsOf(end)).toEqual(await undisturbed());
      checkJournal("shared");
      checkTakenOver(log, silent, "shared");
      for (const { exit } of crew) expect(await exit).toMatchObject({ code: 0, complaint: "" });
      expect(rows("checkpoint")).toBe("0");
      expect(rows("worker")).toBe("0");
    }, 120_000);

    it("changes nothing when it wakes up: a leader whose study another one has taken over", async () => {
      const log = join(root, "leader.log");
      const first = lead("first", "leader", log);
      const worker = work("three", "leader", log);
      await found(() => lines(log).at(8));
      first.child.kill("SIGSTOP");
      let second = lead("second", "leader", log);
      // It is refused until the first one has been silent for long enough.
      const leads = (): boolean => {
        const journal = join(root, "second", "journal.jsonl");
        return existsSync(journal) && readJournal(join(root, "second")).some(({ event }) => event === "epoch");
      };
      let refused = 0;
      while (!leads()) {
        await pause(50);
        if (!second.isOver()) continue;
        expect((await second.exit).complaint).toContain("another process leads this study");
        refused++;
        second = lead("second", "leader", log);
      }
      expect(refused).toBeGreaterThan(0);
      first.child.kill("SIGCONT");
      const woken = await first.exit;
      expect(woken.code).not.toBe(0);
      expect(woken.complaint).toContain("another process leads this study");
      const end = await second.exit;
      expect(factsOf(end)).toEqual(await undisturbed());
      expect(await worker.exit).toMatchObject({ code: 0, complaint: "" });
    }, 120_000);
  });
