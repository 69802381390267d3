import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { Dataset, dense, input, type Metric, ops, sequential, tensor } from "torte";
import { type Hyper, type JournalEvent, readJournal, type SearcherName, tune, type TuneOptions } from "@torte/tune";
import { formatLine } from "../src/storage/journal.js";

const root = mkdtempSync(join(tmpdir(), "torte-robust-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const LEADER = fileURLToPath(new URL("kill/leader.mjs", import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly complaint: string;
}

/** A leader with a worker; `most` kilobytes are all that a file may have. */
function lead(
  folder: string,
  most: number | "unlimited",
  onStart: (pid: number) => void = () => undefined,
): Promise<Ended> {
  const args = [process.execPath, LEADER, folder, "1", "6"];
  const child = spawn("bash", ["-c", `ulimit -f ${most}; exec "$0" "$@"`, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [output, complaint]: [string[], string[]] = [[], []];
  child.stdout.on("data", (data: Buffer) => output.push(data.toString()));
  child.stderr.on("data", (data: Buffer) => complaint.push(data.toString()));
  onStart(child.pid ?? 0);
  return new Promise((resolve) => {
    child.on("close", (code) => resolve({ code, output: output.join(""), complaint: complaint.join("") }));
  });
}

describe("a disk without room", () => {
  it("ends the study with what to do, and loses nothing: with room it becomes the undisturbed one", async () => {
    const quiet = await lead(join(root, "quiet"), "unlimited");
    const folder = join(root, "full");
    const full = await lead(folder, 2);
    expect(full.code).not.toBe(0);
    expect(full.complaint).toMatch(
      /journal\.jsonl: the file cannot be written \(EFBIG.*\)\. Make room, then resume the study: nothing that was told before is lost\./,
    );
    expect(readJournal(folder).length).toBeGreaterThan(1);
    const again = await lead(folder, "unlimited");
    expect(again.complaint).toBe("");
    expect(JSON.parse(again.output)).toEqual(JSON.parse(quiet.output));
  }, 120_000);
});

const x = Array.from({ length: 32 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
const all = Dataset.fromTensors({ x: tensor(x), y: tensor(x.map(([a = 0, b = 0]) => [a * b])) });
const model = (h: Hyper) =>
  sequential(input({ shape: [2] }), dense({ units: h.int("units", 1, 8) }), dense({ units: 1 }), { threads: 1 });
const base: TuneOptions = {
  model,
  compile: { loss: "meanSquaredError", optimizer: "sgd" },
  data: { train: all.take(24), validation: all.skip(24) },
  epochs: 2,
  scheduler: "none",
  budget: { trials: 6 },
  confirm: false,
};

describe("a journal", () => {
  it("of another version is refused, and stays as it is", async () => {
    const folder = join(root, "version");
    await tune({ ...base, folder, budget: { trials: 1 } });
    const path = join(folder, "journal.jsonl");
    const [first, ...others] = readJournal(folder);
    const lines = [{ ...first, version: 2 } as unknown as JournalEvent, ...others].map(formatLine).join("");
    writeFileSync(path, lines);
    await expect(tune({ ...base, folder, budget: { trials: 1 } })).rejects.toThrow(
      `${folder}: the journal is of another version: expected 1, received 2.`,
    );
    expect(readFileSync(path, "utf8")).toBe(lines);
  });
});

/** A metric that is a number of our choice. */
const constant = (value: number): Metric => ({
  kind: "counts",
  name: "constant",
  direction: "min",
  call: (_, prediction) => ops.reshape(ops.sum(prediction), [1]),
  figure: () => value,
});

describe("objectives", () => {
  const own = (value: (units: number) => number): Partial<TuneOptions> => ({
    compile: (h) => ({
      optimizer: "sgd",
      loss: "meanSquaredError",
      metrics: [constant(value(h.int("units", 1, 8)))],
    }),
    objective: { metric: "constant", direction: "min" },
  });

  it.each(["auto", "gp", "tpe"] as const)(
    "that are constant are told as such by %s",
    async (searcher: SearcherName) => {
      const study = await tune({ ...base, ...own(() => 3), searcher });
      expect(study.trials).toHaveLength(6);
      expect(study.best?.seen).toBe(3);
      expect(study.report()).toContain("The objective is the same in all trials: no hyperparameter changes it.");
      expect(Object.values(study.importance()).every(Number.isFinite)).toBe(true);
    },
  );

  it.each(["auto", "gp", "tpe"] as const)(
    "that are no numbers here and there fail their trials, with %s",
    async (searcher) => {
      const study = await tune({
        ...base,
        ...own((units) => (units % 2 === 0 ? NaN : units)),
        searcher,
        budget: { trials: 8 },
      });
      expect(study.trials).toHaveLength(8);
      for (const { values, state, error } of study.trials) {
        expect(state).toBe(Number(values["units"]) % 2 === 0 ? "failed" : "complete");
        expect(error).toBe(state === "failed" ? "the objective is no number" : undefined);
      }
      expect(study.best?.seen).toBe(1);
    },
  );

  it("that are never numbers end the study", async () => {
    await expect(tune({ ...base, ...own(() => NaN) })).rejects.toThrow(
      "tune: the first 3 trials have all failed: received the objective is no number.",
    );
  });
});

describe("spaces", () => {
  it.each([
    [() => model({ int: () => 3 } as unknown as Hyper), "space: the space is empty"],
    [
      (h: Hyper) => {
        h.float("units", 0, 1);
        return model(h);
      },
      "units: two hyperparameters have the same name",
    ],
    [(h: Hyper) => model({ ...h, int: () => h.int("u", 8, 1) }), "u: the range is empty"],
  ])("that are empty or contradict themselves are refused (%#)", async (make, text) => {
    await expect(tune({ ...base, model: make })).rejects.toThrow(text);
  });
});
