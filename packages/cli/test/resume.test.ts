/** Runs that go on: `torte train --resume RUN`. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { experimentFolder, type Result, start, torte } from "./command.js";

/** Some seconds of training, with all that has a state. */
const LONG = [
  ["epochs: 2", "epochs: 40"],
  ["import { dense,", "import { dense, dropout, earlyStopping,"],
  [
    "sequential(input({ shape: [2] }),",
    "sequential(input({ shape: [2] }), dense({ units: 8 }), dropout({ rate: 0.2 }),",
  ],
  ["compile: {", "callbacks: () => [earlyStopping({ patience: 1000 })],\n  compile: {"],
] as const;

const contents = (folder: string): readonly Buffer[] =>
  ["model.safetensors", "history.json"].map((file) => readFileSync(join(folder, file)));
const resume = (folder: string, ...more: readonly string[]): Promise<Result> =>
  torte(folder, "train", "--resume", "run", ...more);

describe("a run that goes on", { timeout: 240_000 }, () => {
  it("after it was killed, and interrupted, has the bytes of one that was not, on any number of threads", async () => {
    const folder = experimentFolder(...LONG);
    const first = start(folder, ["train", "tiny.ts", "--out", "run", "--threads", "2"]);
    await first.printed("epoch  2/40  loss");
    first.process.kill("SIGKILL");
    await first.result;
    const second = start(folder, ["train", "--resume", "run", "--threads", "1"]);
    await second.printed("epoch  6/40  loss");
    second.process.kill("SIGINT");
    const { status, out } = await second.result;
    expect(status).toBe(130);
    expect(out).toMatch(
      /\nInterrupted after \d+ whole epochs; history and weights are in run\ntorte train --resume run goes on from there\n$/,
    );
    const third = await resume(folder);
    expect(third).toMatchObject({ status: 0, error: "" });
    expect(third.out).toMatch(/\nGoing on after \d+ whole epochs\n/);
    expect(await torte(folder, "train", "tiny.ts", "--out", "whole")).toMatchObject({ status: 0 });
    expect(contents(join(folder, "run"))).toEqual(contents(join(folder, "whole")));
    const { status: said, openings } = JSON.parse(readFileSync(join(folder, "run/run.json"), "utf8")) as Record<
      string,
      unknown
    >;
    expect({ said, openings }).toEqual({ said: "finished", openings: [] });
    expect(readdirSync(join(folder, "run/checkpoints"))).not.toContain(".checkpoint.json.part");
  });

  it("for more epochs than it was begun with", async () => {
    const folder = experimentFolder();
    await torte(folder, "train", "tiny.ts", "--out", "run");
    expect(await resume(folder, "--epochs", "5")).toMatchObject({ status: 0, error: "" });
    await torte(folder, "train", "tiny.ts", "--out", "whole", "--epochs", "5");
    expect(contents(join(folder, "run"))).toEqual(contents(join(folder, "whole")));
  });

  it("is quit at once by a second signal", async () => {
    const folder = experimentFolder(...LONG);
    const run = start(folder, ["train", "tiny.ts", "--out", "run"]);
    await run.printed("epoch  2/40  loss");
    run.process.kill("SIGINT");
    run.process.kill("SIGINT");
    expect((await run.result).status).toBe(130);
    expect(await resume(folder, "--epochs", "6")).toMatchObject({ error: "" });
  });

  it("is refused with anything that is not as it was", async () => {
    const folder = experimentFolder();
    await torte(folder, "train", "tiny.ts", "--out", "run");
    expect((await torte(folder, "train", "tiny.ts", "--resume", "run")).error).toBe(
      "Error: --resume: a run goes on as it was begun: expected no file, and of the options --epochs, --threads, --data, --evaluate, --json and --quiet, received tiny.ts.\n",
    );
    expect((await resume(folder, "--batch-size", "4")).error).toContain("received --batch-size.");
    expect((await torte(folder, "train", "--resume", ".")).error).toContain("this is no run folder");
    expect((await torte(folder, "train")).error).toBe(
      "Error: torte train: there is no file: expected a table or an experiment.\n",
    );
    const run = JSON.parse(readFileSync(join(folder, "run/run.json"), "utf8")) as Record<string, unknown>;
    writeFileSync(
      join(folder, "run/run.json"),
      JSON.stringify({ ...run, status: "running", process: { ...(run["process"] as object), pid: process.pid } }),
    );
    expect((await resume(folder)).error).toBe("Error: --resume: the run has not ended: received run.\n");
    writeFileSync(join(folder, "run/run.json"), JSON.stringify(run));
    const text = readFileSync(join(folder, "run/experiment.ts"), "utf8");
    writeFileSync(join(folder, "run/experiment.ts"), text.replace("units: 1", "units: 1 "));
    expect((await resume(folder)).error).toContain("run/experiment.ts: the experiment is not what was run");
  });
});
