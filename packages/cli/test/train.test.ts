/** Whole runs of `torte train`. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { parseSafetensors } from "torte";
import { describe, expect, it } from "vitest";
import { experimentFolder, newFolder, SOLUBILITY, start, torte } from "./command.js";

const json = (...path: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(...path), "utf8")) as Record<string, unknown>;
/** Progress comes on plain lines every two seconds, which a slow machine reaches. */
const withoutProgress = (out: string): string => out.replaceAll(/^(epoch .* step|download) .*\n/gm, "");
const UNFINISHED = [
  "checkpoints",
  "curves.svg",
  "experiment.ts",
  "history.json",
  "model.json",
  "model.safetensors",
  "run.json",
  "summary.txt",
];
const FILES = ["MODEL_CARD.md", ...UNFINISHED.slice(0, 6), "report.html", ...UNFINISHED.slice(6)];
/** For a run that goes on until it is told to end. */
const ENDLESS = ["epochs: 2", "epochs: 1000000"] as const;

describe("a run", () => {
  it("tells its story on plain lines, and writes its folder", async () => {
    const folder = experimentFolder();
    const { status, out, error } = await torte(folder, "train", "tiny.ts", "--out", "made/run");
    expect({ status, error }).toEqual({ status: 0, error: "" });
    const figures = /(\d\.\d{4})/g;
    const told = withoutProgress(out);
    const story = told
      .slice(told.indexOf("\nepoch"))
      .replaceAll(figures, "#")
      .replace(/in 0:\d\d/, "in #");
    expect(out.startsWith("100 examples\n80 train, 10 validation, 10 test (sealed)\n\nModel: ")).toBe(true);
    expect(story).toBe(`
epoch 1/2  loss #  accuracy #  val loss #  val accuracy #
epoch 2/2  loss #  accuracy #  val loss #  val accuracy #

validation  loss #  accuracy #
majority class alone: accuracy # (always 1)
Trained in #; everything is in made/run
`);
    const run = join(folder, "made/run");
    expect(readdirSync(run)).toEqual(FILES);
    const { epochs } = json(run, "history.json") as { epochs: object[] };
    expect(epochs.map((logs) => Object.keys(logs))).toEqual(
      Array(2).fill(["loss", "accuracy", "valLoss", "valAccuracy"]),
    );
    expect(json(run, "run.json")).toMatchObject({
      status: "finished",
      options: { variant: "base", epochs: 2, batchSize: 8, seed: 0 },
      data: { synthetic: false, train: 80, validation: 10, test: 10 },
      epochsDone: 2,
      versions: { node: process.version },
    });
    expect(readFileSync(join(run, "curves.svg"), "utf8")).toMatch(
      /^<svg[\s\S]*Epoch[\s\S]*Loss[\s\S]*training[\s\S]*validation/,
    );
    expect(readFileSync(join(run, "summary.txt"), "utf8")).toContain("tiny, variant base, real data: 80 train");
    const { tensors } = parseSafetensors(readFileSync(join(run, "model.safetensors")));
    expect(Object.keys(tensors).slice(0, 2)).toEqual(["dense.kernel", "dense.bias"]);
    expect(json(run, "model.json")).toMatchObject({
      format: "torte-model",
      parameters: 3,
      layers: [{ name: "dense" }],
    });
  });

  it("gives the same weights for the same seed, on any number of threads, and others for another", async () => {
    const folder = experimentFolder();
    const weights = async (out: string, ...options: string[]): Promise<Buffer> => {
      expect(await torte(folder, "train", "tiny.ts", "--out", out, ...options)).toMatchObject({ status: 0, error: "" });
      return readFileSync(join(folder, out, "model.safetensors"));
    };
    const first = await weights("a", "--seed", "3");
    expect(await weights("b", "--seed", "3", "--threads", "1")).toEqual(first);
    expect(await weights("c", "--seed", "4")).not.toEqual(first);
  });

  it("is named by time and experiment where no folder is asked for", async () => {
    const folder = experimentFolder();
    await torte(folder, "train", "./tiny.ts", "--epochs", "1");
    expect(readdirSync(join(folder, "runs")).join()).toMatch(/^\d{8}-\d{6}-tiny$/);
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "ends cleanly by %s, with its history and weights",
    async (signal) => {
      const folder = experimentFolder(ENDLESS);
      const run = start(folder, ["train", "tiny.ts", "--out", "run"]);
      await run.printed("epoch       2/1000000  loss");
      run.process.kill(signal);
      const { status, out, error } = await run.result;
      expect({ status, error }).toEqual({ status: { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 }[signal], error: "" });
      expect(out).toMatch(
        /\nInterrupted after \d+ whole epochs; history and weights are in run\ntorte train --resume run goes on from there\n$/,
      );
      expect(out).not.toContain("\nvalidation ");
      expect(readdirSync(join(folder, "run"))).toEqual(UNFINISHED);
      const { epochsDone, ...described } = json(folder, "run/run.json");
      expect(described).toMatchObject({ status: "interrupted" });
      expect((json(folder, "run/history.json") as { epochs: unknown[] }).epochs).toHaveLength(Number(epochsDone));
    },
  );

  it("keeps history and weights of the epochs before it is killed", async () => {
    const folder = experimentFolder(ENDLESS);
    const run = start(folder, ["train", "tiny.ts", "--out", "run"]);
    await run.printed("epoch       3/1000000  loss");
    const told = json(folder, "run/run.json");
    expect(told).toMatchObject({ status: "running", process: { pid: run.process.pid } });
    expect(told["epochsDone"]).toBeGreaterThanOrEqual(1);
    run.process.kill("SIGKILL");
    await run.result;
    expect((json(folder, "run/history.json") as { epochs: unknown[] }).epochs.length).toBeGreaterThanOrEqual(2);
    expect(parseSafetensors(readFileSync(join(folder, "run/model.safetensors"))).tensors).toHaveProperty([
      "dense.bias",
    ]);
  });

  it("leaves nothing behind where it ends before training", async () => {
    const folder = experimentFolder([
      "data() {",
      'async data() { console.log("here"); await new Promise((r) => setTimeout(r, 1000));',
    ]);
    const run = start(folder, ["train", "tiny.ts"]);
    await run.printed("here");
    run.process.kill("SIGINT");
    expect(await run.result).toEqual({
      status: 130,
      out: "here\n",
      error: "Interrupted before training began; nothing is written.\n",
    });
    expect(readdirSync(folder)).toEqual(["tiny.ts"]);
  });

  it("leaves nothing behind where it ends in a download", async () => {
    const server = createServer((_, response) => response.writeHead(200, { "content-length": 1000 }).write("half"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x.npz`;
    const folder = experimentFolder([
      "data() {",
      `async data({ npz }) { await npz({ file: "x.npz", url: ${JSON.stringify(url)}, arrays: {} });`,
    ]);
    const run = start(folder, ["train", "tiny.ts"]);
    await new Promise((resolve) => server.once("request", resolve));
    run.process.kill("SIGINT");
    const result = await run.result;
    expect({ ...result, out: withoutProgress(result.out) }).toEqual({
      status: 130,
      out: "",
      error: "Interrupted before training began; nothing is written.\n",
    });
    expect(existsSync(join(folder, "cache"))).toBe(false);
    expect(existsSync(join(folder, "runs"))).toBe(false);
    server.closeAllConnections();
    server.close();
  });

  it("ends where nobody reads its output any more", async () => {
    const folder = experimentFolder(ENDLESS);
    const run = start(folder, ["train", "tiny.ts", "--out", "run"]);
    await run.printed("epoch       1/1000000  loss");
    run.process.stdout?.destroy();
    expect(await run.result).toMatchObject({ status: 141, error: "" });
    expect(json(folder, "run/run.json")).toMatchObject({ status: "interrupted" });
  });

  it("tells what a callback throws, and where; the weights of the epoch are kept", async () => {
    const folder = experimentFolder([
      "compile: {",
      'callbacks: () => [{ onEpochEnd() { throw new Error("no luck"); } }],\n  compile: {',
    ]);
    const { status, error } = await torte(folder, "train", "tiny.ts", "--out", "run");
    expect({ status, error }).toEqual({ status: 2, error: "Error: tiny.ts:13: training fails: no luck.\n" });
    expect(json(folder, "run/run.json")).toMatchObject({
      status: "failed",
      error: "tiny.ts:13: training fails: no luck.",
    });
    expect(readdirSync(join(folder, "run"))).toEqual(UNFINISHED);
  });
});

describe("a run folder", () => {
  it("belongs to one run: of two that start with it, one is refused", async () => {
    const folder = experimentFolder();
    const args = ["train", "tiny.ts", "--epochs", "1", "--out", "run"];
    const results = await Promise.all([torte(folder, ...args), torte(folder, ...args)]);
    expect(results.map(({ status }) => status).sort()).toEqual([0, 2]);
    expect(results.map(({ error }) => error).join("")).toBe(
      "Error: --out: the folder is not empty: expected a new or an empty folder, received run.\n",
    );
    expect(readdirSync(join(folder, "run"))).toEqual(FILES);
  });

  it("that takes no more files does not hide why the run ended", async () => {
    const folder = experimentFolder(
      [
        "compile: {",
        'callbacks: () => [{ onEpochEnd() { rmSync("run", { recursive: true }); throw new Error("no luck"); } }],\n  compile: {',
      ],
      ["import { experiment }", 'import { rmSync } from "node:fs";\nimport { experiment }'],
    );
    const { status, out, error } = await torte(folder, "train", "tiny.ts", "--out", "run");
    expect({ status, error }).toEqual({ status: 2, error: "Error: tiny.ts:14: training fails: no luck.\n" });
    expect(out).toContain("run/run.json: the file cannot be written (ENOENT: no such file or directory");
  });

  it("that takes no more files ends the run, with the file and the reason", async () => {
    const folder = experimentFolder(
      ["compile: {", 'callbacks: () => [{ onEpochEnd() { rmSync("run", { recursive: true }); } }],\n  compile: {'],
      ["import { experiment }", 'import { rmSync } from "node:fs";\nimport { experiment }'],
    );
    const { status, error } = await torte(folder, "train", "tiny.ts", "--out", "run");
    expect(status).toBe(1);
    expect(error).toBe(
      "Error: run/history.json: the file cannot be written (ENOENT: no such file or directory). Make room, or choose another place with --out.\n",
    );
  });

  it("says which text of the experiment was run, though the file is edited meanwhile", async () => {
    const folder = experimentFolder(
      ["  data() {", '  data() { appendFileSync("tiny.ts", "// edited\\n");'],
      ["import { experiment }", 'import { appendFileSync } from "node:fs";\nimport { experiment }'],
    );
    const before = createHash("sha256")
      .update(readFileSync(join(folder, "tiny.ts")))
      .digest("hex");
    expect(await torte(folder, "train", "tiny.ts", "--epochs", "1", "--out", "run")).toMatchObject({ status: 0 });
    expect(json(folder, "run/run.json")).toMatchObject({ experiment: { sha256: before } });
  });
});

describe("the solubility experiment", () => {
  it("trains without data and network on the stand-in, and says so everywhere", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "mine"));
    cpSync(dirname(SOLUBILITY), join(folder, "mine"), { recursive: true });
    const offline = {
      NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent('globalThis.fetch = () => Promise.reject(new TypeError("fetch failed"))')}`,
    };
    const args = ["train", "mine/experiment.ts", "--epochs", "1", "--batch-size", "256", "--out", "run"];
    const { status, out, error } = await start(folder, args, offline).result;
    expect({ status, error }).toEqual({ status: 0, error: "" });
    const [first, second, third] = out.split("\n");
    expect(first).toBe(
      "SYNTHETIC DATA: https://github.com/whitead/dmol-book/raw/main/data/solubility.npz cannot be downloaded (fetch failed); training on made-up examples instead of solubility.npz.",
    );
    expect([second, third]).toEqual(["18453 examples", "14763 train, 1845 validation, 1845 test (sealed)"]);
    expect(out).toContain("60,929");
    expect(out).toMatch(/\nvalidation \(SYNTHETIC DATA\) {2}loss/);
    for (const file of ["history.json", "model.json"])
      expect(json(folder, "run", file)).toMatchObject({ data: "synthetic" });
    expect(json(folder, "run/run.json")).toMatchObject({ data: { synthetic: true } });
    expect(readFileSync(join(folder, "run/curves.svg"), "utf8")).toContain("(synthetic data)");
    expect(readFileSync(join(folder, "run/summary.txt"), "utf8")).toContain("SYNTHETIC DATA, made up");
    const { metadata } = parseSafetensors(readFileSync(join(folder, "run/model.safetensors")));
    expect(metadata).toMatchObject({ data: "synthetic" });
    expect(existsSync(join(folder, "cache/torte/solubility.npz"))).toBe(false);
  });
});
