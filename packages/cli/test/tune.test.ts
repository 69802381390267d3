import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { postgresPrograms, PostgresServer } from "../../tune/test/postgres/server.js";
import { newFolder, start } from "./command.js";

const EXPERIMENT = `
import { experiment } from "@torte/cli";
import { adam, Dataset, dense, input, sequential, tensor } from "torte";
const x = Array.from({ length: 160 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
const all = Dataset.fromTensors({ x: tensor(x), y: tensor(x.map(([a = 0, b = 0]) => [Number(a * b > 0)])) });
export default experiment({
  name: "mine",
  training: { epochs: 3 },
  data: () => ({ train: all.take(96), validation: all.skip(96).take(32), test: all.skip(128) }),
  model: ({ h, options }) =>
    sequential(
      input({ shape: [2] }),
      dense({ units: h.int("units", 2, 32, { log: true, default: 4 }), activation: "tanh" }),
      dense({ units: 1, activation: "sigmoid" }),
      options,
    ),
  compile: (h) => ({
    optimizer: adam({ learningRate: h.float("rate", 1e-3, 1e-1, { log: true }) }),
    loss: "binaryCrossentropy",
    metrics: ["accuracy"],
  }),
});
`;

interface Told {
  readonly trials: readonly { readonly values: object; readonly epochs: readonly unknown[] }[];
  readonly best: { readonly confirmation: { readonly runs: number } };
}

describe("torte tune", () => {
  it("tunes an experiment, goes on with the study, in workers too, and is the same study then", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "mine.ts"), EXPERIMENT);
    const run = (...args: string[]) => start(folder, ["tune", ...args]).result;
    const shared = ["--reproducible", "--searcher", "random", "--threads", "1"];
    const first = await run("mine.ts", "--trials", "4", "--out", "study", ...shared);
    expect(first.error).toBe("");
    expect(first.status).toBe(0);
    expect(first.out).toMatch(/trial {3}0 {2}\w+ +0\.\d{4} /);
    expect(first.out).toContain("again 0.");
    expect(first.out).toContain("The study is in study, for people study/study.html; the test part was not looked at.");
    const page = readFileSync(join(folder, "study", "study.html"), "utf8");
    for (const title of [
      "History",
      "Learning curves",
      "Parallel coordinates",
      "Importance",
      "Hyperparameters",
      "Timeline",
    ])
      expect(page).toContain(`<h2>${title}</h2>`);
    expect(page).not.toMatch(/<script|(?:src|href)="(?!data:)/);
    expect(page.match(/<svg/g)?.length).toBe(8);
    expect(existsSync(join(folder, "study", "journal.jsonl"))).toBe(true);
    const again = await run("study", "--resume", "--workers", "2", "--json");
    expect(again.error).toBe("");
    const told = JSON.parse(again.out) as Told;
    expect(told.trials).toHaveLength(4);
    expect(told.best.confirmation.runs).toBe(3);
    const workers = await run("mine.ts", "--trials", "4", "--out", "other", "--workers", "2", "--json", ...shared);
    const facts = ({ trials }: Told) => trials.map(({ values, epochs }) => ({ values, epochs }));
    expect(facts(JSON.parse(workers.out) as Told)).toEqual(facts(told));
  }, 240_000);

  it("tunes a model for a table, and leaves the best trial as an experiment that trains as it did", async () => {
    const folder = newFolder();
    const rows = Array.from({ length: 120 }, (_, i) => [Math.sin(i).toFixed(3), Math.cos(3 * i).toFixed(3), i % 3]);
    const lines = rows.map(([a, b, c]) => `${a},${b},${c},${Number(a) * Number(b) > 0 ? "yes" : "no"}`);
    writeFileSync(join(folder, "points.csv"), ["a,b,c,good", ...lines].join("\n"));
    const run = (...args: string[]) => start(folder, args).result;
    const table = ["points.csv", "--target", "good"];
    const printed = await run("tune", ...table, "--print-experiment");
    expect(printed.out).toContain('space: { only: ["units", "rate"] },');
    expect(printed.out).toContain('h.float("learningRate", 1e-4, 1e-2, { log: true, default: 0.001 })');
    const study = [
      "--trials",
      "3",
      "--trial-epochs",
      "3",
      "--scheduler",
      "none",
      "--searcher",
      "random",
      "--threads",
      "1",
    ];
    const tuned = await run("tune", ...table, ...study, "--out", "study");
    expect(tuned.error).toBe("");
    expect(tuned.out).toContain("The experiment is study/experiment.ts.");
    expect(tuned.out).toContain("torte train study/best.ts trains the best trial");
    expect(
      readFileSync(join(folder, "study", "experiment.ts"), "utf8")
        .split("\n")
        .slice(1),
    ).toEqual(
      printed.out.split("\n").slice(1), // the first line is the command
    );
    const told = JSON.parse((await run("tune", "study", "--resume", "--json")).out) as {
      readonly best: {
        readonly values: Readonly<Record<string, unknown>>;
        readonly epochs: readonly (readonly number[])[];
      };
    };
    expect(Object.keys(told.best.values)).toEqual([
      "hidden_1.units",
      "dropout.rate",
      "hidden_2.units",
      "dropout_1.rate",
      "learningRate",
    ]);
    const trained = await run("train", "study/best.ts", "--out", "best", "--threads", "1", "--json");
    expect(trained.error).toBe("");
    const { epochs } = JSON.parse(trained.out) as { readonly epochs: readonly { readonly valLoss: number }[] };
    expect(epochs.map(({ valLoss }) => valLoss)).toEqual(told.best.epochs.map(([loss]) => loss));
    // Neither the study nor the run has opened the test.
    const evaluated = await run("evaluate", "best", "--json");
    expect(JSON.parse(evaluated.out)).toMatchObject({ openings: 1, rows: 12 });
    const again = await run("tune", "study/best.ts", "--trials", "2");
    expect(again.error).toContain("study/best.ts: its hyperparameters are chosen already");
    const file = readFileSync(join(folder, "study", "best.ts"), "utf8");
    writeFileSync(join(folder, "study", "best.ts"), file.replace('"dropout.rate"', '"dropout.rat"'));
    const wrong = await run("train", "study/best.ts");
    expect(wrong.error).toContain('setting has a hyperparameter that is not asked for: "dropout.rat"');
  }, 240_000);

  it("says what is wrong", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "mine.ts"), EXPERIMENT);
    const none = await start(folder, ["tune", "mine.ts"]).result;
    expect(none).toEqual({
      status: 2,
      out: "",
      error: "Error: torte tune: there is no budget: expected --budget 30m, --trials 60 or --epochs 2000.\n",
    });
    const time = await start(folder, ["tune", "mine.ts", "--budget", "soon"]).result;
    expect(time.status).toBe(2);
    expect(time.error).toContain("It must be a time such as 90s, 30m or 2h.");
    const alone = await start(folder, ["tune", "mine.ts", "--worker"]).result;
    expect(alone.status).toBe(2);
    expect(alone.error).toContain("--worker: there is no database to take trials from");
    const folderOf = await start(folder, ["tune", ".", "--resume"]).result;
    expect(folderOf.error).toContain("this is no study's folder");
  }, 120_000);
});

const programs = postgresPrograms();
// Where Debian's postgresql is not installed, there is no server to try it with.
if (programs !== undefined)
  it("torte tune gives trials to workers through a database, and is the same study then", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "mine.ts"), EXPERIMENT);
    const data = mkdtempSync(join(tmpdir(), "torte-cli-postgres-"));
    const server = await PostgresServer.start(programs, data);
    try {
      const shared = ["mine.ts", "--searcher", "random", "--threads", "1"];
      const led = ["--trials", "3", "--reproducible", "--json"];
      const away = start(folder, ["tune", ...shared, "--storage", server.url, "--worker", "--out", "there"]).result;
      const there = await start(folder, ["tune", ...shared, ...led, "--storage", server.url, "--out", "there"]).result;
      expect(there.error).toBe("");
      const worker = await away;
      expect(worker).toMatchObject({ status: 0, error: "" });
      expect(worker.out).toContain("Works for the study there until it is over");
      const here = await start(folder, ["tune", ...shared, ...led, "--out", "here"]).result;
      const facts = ({ out }: { readonly out: string }) =>
        (JSON.parse(out) as Told).trials.map(({ values, epochs }) => ({ values, epochs }));
      expect(facts(there)).toEqual(facts(here));
      // The address may have a password.
      expect(readFileSync(join(folder, "there", "study.json"), "utf8")).not.toContain("postgres://");
    } finally {
      await server.stop();
      rmSync(data, { recursive: true, force: true });
    }
  }, 240_000);
