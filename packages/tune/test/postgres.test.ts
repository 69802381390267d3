import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readJournal, serveTrials, tune, type TuneOptions } from "@torte/tune";
import { tunable } from "./kill/tunable.mjs";
import { BOSS, runShared, startProgram } from "./postgres/harness.js";
import { postgresPrograms, PostgresServer } from "./postgres/server.js";

const root = mkdtempSync(join(tmpdir(), "torte-postgres-"));
chmodSync(root, 0o755); // the server's user goes through
const programs = postgresPrograms();
const server = programs === undefined ? undefined : await PostgresServer.start(programs, join(root, "data"));
afterAll(async () => {
  await server?.stop();
  rmSync(root, { recursive: true, force: true });
});

const options = (folder: string, more: object): TuneOptions =>
  ({ ...tunable(folder), budget: { trials: 2 }, ...more }) as unknown as TuneOptions;

describe("a database of a study", () => {
  it("is refused with its address and the reason, never with the password", async () => {
    const away = options(join(root, "away"), { storage: { url: "postgres://me:secret@127.0.0.1:1/none" } });
    const told = await tune(away).then(
      () => "it was reached",
      (error: unknown) => (error as Error).message,
    );
    expect(told).toContain("postgres://127.0.0.1:1/none: the database cannot be used: received");
    expect(told).not.toContain("secret");
    // The folder is free again, and what does not go together is told before anything is opened.
    for (const [storage, text] of [
      [{ url: "mysql://host" }, "storage: url is no address of a PostgreSQL database"],
      [{ url: "postgres://host/x", study: "a b" }, "storage: study is unusable"],
      [{ url: "postgres://host/x", lease: 0 }, "storage: lease is out of range"],
      [{ urll: "postgres://host/x" }, 'storage: unknown option "urll"'],
    ] as const)
      await expect(tune(options(join(root, "away"), { storage }))).rejects.toThrow(text);
    await expect(
      serveTrials(() => Promise.resolve(tunable(undefined) as never), { url: "postgres://host/x" }),
    ).rejects.toThrow("storage: the study has no name");
  }, 60_000);
});

// Where Debian's postgresql is not installed, there is no server to try it with.
if (server !== undefined)
  describe("a study in PostgreSQL", () => {
    it("is the undisturbed one, whoever is killed, and though the server was away", async () => {
      let state = 4321;
      const random = (): number => (state = (state * 1103515245 + 12345) % 2 ** 31) / 2 ** 31;
      const trials = 8;
      const quiet = await startProgram("leader.mjs", [join(root, "quiet"), "", String(trials)], root).exit;
      expect(quiet.complaint).toBe("");
      const killed = await runShared({
        root,
        server,
        places: [1, 2].map(() => ({ url: server.url })),
        trials,
        kills: 4,
        restarts: 1,
        random,
      });
      expect(killed.kills.server).toBe(1);
      expect(JSON.parse(killed.result)).toEqual(JSON.parse(quiet.output));
      const told = readJournal(join(root, "killed")).flatMap((event) =>
        event.event === "epoch" ? [`${event.trial} ${event.epoch}`] : [],
      );
      expect(new Set(told).size).toBe(told.length);
      // Nothing is left behind.
      expect(readdirSync(join(root, "killed")).sort()).toEqual(["journal.jsonl"]);
    }, 240_000);

    it("refuses a second leader and a worker with another space", async () => {
      const storage = { url: server.url, study: "one", lease: 60 };
      const controller = new AbortController();
      let first: Promise<unknown> = Promise.resolve();
      await new Promise<unknown>((leads, failed) => {
        first = tune(options(join(root, "one"), { storage, signal: controller.signal, onEvent: leads }));
        first.catch(failed);
      });
      // It leads, and waits, since nobody works for it.
      await expect(tune(options(join(root, "other"), { storage }))).rejects.toThrow(
        '"one": another process leads this study',
      );
      const stranger = await startProgram("worker.mjs", [server.url, "one", "other"], join(root, "stranger"), {
        boss: 10,
      }).exit;
      expect(stranger.code).not.toBe(0);
      expect(stranger.complaint).toContain("the study one: the hyperparameter loss was changed: expected nothing");
      if (BOSS === 12) {
        const newer = await startProgram("worker.mjs", [server.url, "one"], join(root, "newer")).exit;
        expect(newer.complaint).toContain("the study one: its leader runs another version of pg-boss");
      }
      controller.abort();
      await first;
      const worker = startProgram("worker.mjs", [server.url, "one"], join(root, "worker"), { boss: 10 });
      const study = await tune(options(join(root, "one"), { storage, confirm: false }));
      expect(study.trials.every(({ spans }) => spans.every(({ worker: by }) => by !== undefined))).toBe(true);
      expect((await worker.exit).code).toBe(0);
    }, 120_000);
  });
