import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RunFileError, RunFolder } from "./run-folder.js";

let before = "";
let folder = "";
beforeEach(() => {
  before = process.cwd();
  folder = mkdtempSync(join(tmpdir(), "torte-folder-"));
  process.chdir(folder);
});
afterEach(() => {
  process.chdir(before);
});

describe("a run folder", () => {
  it("is one run's, however many ask for it at the same time, new or empty", async () => {
    for (let pair = 0; pair < 40; pair++) {
      const path = `run${pair}`;
      if (pair % 2 === 1) mkdirSync(path);
      const made = await Promise.allSettled([1, 2, 3].map(() => RunFolder.create("x", path)));
      expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      for (const each of made)
        if (each.status === "rejected") expect(String(each.reason)).toContain("--out: the folder is not empty");
    }
  });

  it("has a name of its own where none is asked for", async () => {
    const now = new Date(2026, 2, 1, 14, 25, 30);
    const made = await Promise.all([1, 2, 3].map(() => RunFolder.create("x", undefined, { now })));
    expect(made.map(({ path }) => path).sort()).toEqual(
      ["runs/20260301-142530-x", "runs/20260301-142530.2-x", "runs/20260301-142530.3-x"].map((path) => join(path)),
    );
  });

  it("has one unfinished copy of a file at most, which goes when the next run begins and its writer is gone", async () => {
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    const killed = (name: string, pid: number, host: string): string => {
      mkdirSync(join("runs", name), { recursive: true });
      writeFileSync(join("runs", name, "run.json"), JSON.stringify({ status: "running", process: { pid, host } }));
      writeFileSync(join("runs", name, ".model.safetensors.part"), "half");
      return join("runs", name, ".model.safetensors.part");
    };
    const left = killed("a", gone, hostname());
    const others = [killed("b", process.pid, hostname()), killed("c", gone, "elsewhere")];
    writeFileSync("runs/a/notes.part", "mine");
    await RunFolder.create("x", undefined);
    expect(existsSync(left)).toBe(false);
    for (const path of [...others, "runs/a/notes.part", "runs/a/run.json"]) expect(existsSync(path)).toBe(true);
  });

  it("keeps a file as it was where it cannot be replaced, and says why", async () => {
    const run = await RunFolder.create("x", "run");
    await run.write("a.txt", "first");
    mkdirSync("run/.a.txt.part");
    const error: unknown = await run.write("a.txt", "second").catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(RunFileError);
    expect(String(error)).toMatch(/^RunFileError: run.a\.txt: the file cannot be written \(EISDIR: .*\)\. Make room/);
    expect(readFileSync("run/a.txt", "utf8")).toBe("first");
    expect(readdirSync("run").sort()).toEqual([".a.txt.part", "a.txt", "run.json"]);
  });
});
