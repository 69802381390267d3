/** Training that starts from a model that was trained before, models of one's own for tables, and how sure predictions are. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadModel } from "torte";
import { beforeAll, describe, expect, it } from "vitest";
import { newFolder, torte } from "./command.js";

const LETTERS = "ACDEGHILMNPQRSTVWY";

/** Lehmer's random numbers. */
function lehmer(seed: number): () => number {
  let state = 1 + seed * 7919;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Of the first class are those that begin with KKKK, of the second those with FFFF. */
const sequences = (rows: number): readonly string[] =>
  Array.from({ length: rows }, (_, i) => {
    const next = lehmer(i);
    const rest = Array.from({ length: 30 + (i % 17) }, () => LETTERS[Math.floor(next() * LETTERS.length)] ?? "");
    return `${(i % 2 === 0 ? "K" : "F").repeat(4)}${rest.join("")}`;
  });

function shuffled(text: string, seed: number): string {
  const next = lehmer(seed);
  return [...text]
    .map((letter) => [next(), letter] as const)
    .sort(([a], [b]) => a - b)
    .map(([, letter]) => letter)
    .join("");
}

function write(folder: string, name: string, header: string, rows: readonly string[]): void {
  writeFileSync(join(folder, name), `${header}\n${rows.join("\n")}\n`);
}

function folderWithTables(): string {
  const folder = newFolder();
  write(
    folder,
    "first.csv",
    "seq,label",
    sequences(160).map((seq, i) => `${seq},${["no", "yes"][i % 2]}`),
  );
  // Other rows, some with what is no letter, and a third class.
  const more = sequences(120).map((seq, i) =>
    i % 3 === 0 ? `WWWW${seq.slice(5)}1,third` : `${seq.slice(1)},${i % 2}th`,
  );
  write(folder, "second.csv", "seq,kind", more);
  return folder;
}

const weightsIn = async (path: string): Promise<Readonly<Record<string, readonly number[]>>> => {
  const model = await loadModel(path);
  const weights = Object.entries(await model.getWeights()).map(([name, { data }]) => [name, [...data]] as const);
  await model.close();
  return Object.fromEntries(weights);
};

const meanUncertainty = (lines: readonly string[]): number =>
  lines.reduce((sum, line) => sum + Number(line.split(",").at(-1)), 0) / lines.length;

describe("torte train --from", { timeout: 400_000 }, () => {
  const quiet = { status: 0, out: "", error: "" };
  const folder = folderWithTables();
  beforeAll(async () => {
    const first = ["train", "first.csv", "--target", "label", "--epochs", "16", "--ensemble", "2", "--out", "first"];
    expect(await torte(folder, ...first, "--quiet")).toEqual(quiet);
  }, 120_000);

  it("takes weights and encoding of a run, freezes what it is told to; both uncertainties rise on shuffled sequences", async () => {
    const second = ["train", "second.csv", "--target", "kind", "--from", "first", "--freeze", "embedding*,conv1d*"];
    const told = await torte(folder, ...second, "--invalid", "unknown", "--epochs", "2", "--out", "second");
    expect([told.status, told.error]).toEqual([2, expect.stringContaining("is no letter of a protein")]);

    const rows = sequences(120).map((seq, i) => `${i % 3 === 0 ? `WWWW${seq.slice(4)}` : seq},${i % 3}th`);
    write(folder, "second.csv", "seq,kind", rows);
    const trained = await torte(folder, ...second, "--epochs", "2", "--out", "second");
    expect(trained).toMatchObject({ status: 0, error: "" });
    expect(trained.out).toMatch(/starts from first: \d+ of \d+ weights\nanew {6}probabilities\.kernel, prob/);
    expect(trained.out).toContain("frozen    embedding, embedding_1, conv1d, conv1d_1");
    const [before, after] = await Promise.all(
      ["first", "second"].map((run) => weightsIn(join(folder, run, "model.safetensors"))),
    );
    for (const name of ["embedding.embeddings", "conv1d.kernel", "conv1d_1.bias"]) {
      expect(before?.[name], name).toBeDefined();
      expect(after?.[name]).toEqual(before?.[name]);
    }
    expect(after?.["hidden.kernel"]).not.toEqual(before?.["hidden.kernel"]);
    expect(await torte(folder, "evaluate", "second", "--quiet")).toMatchObject({ status: 0, error: "" });

    // As many that are shuffled behind those that are not.
    const known = sequences(60);
    write(folder, "new.csv", "seq", [...known, ...known.map(shuffled)]);
    for (const way of ["ensemble", "dropout"]) {
      const ask = async (): Promise<readonly string[]> => {
        const { status, out } = await torte(folder, "predict", "first", "new.csv", "--uncertainty", way, "--quiet");
        const [header, ...lines] = out.trimEnd().split("\n");
        expect([status, header, lines.length]).toEqual([0, "id,probability,label,uncertainty", 120]);
        return lines;
      };
      const told = await ask();
      if (way === "dropout") expect(await ask()).toEqual(told);
      expect(meanUncertainty(told.slice(60))).toBeGreaterThan(1.5 * meanUncertainty(told.slice(0, 60)));
    }
  });

  it("goes on, and trains several, as one that starts from random weights does", async () => {
    const more = [
      "train",
      "first.csv",
      "--target",
      "label",
      "--quiet",
      "--from",
      "first",
      "--freeze",
      "embedding*",
      "--ensemble",
      "2",
    ];
    expect(await torte(folder, ...more, "--epochs", "2", "--out", "whole")).toEqual(quiet);
    expect(await torte(folder, ...more, "--epochs", "1", "--out", "run")).toEqual(quiet);
    expect(await torte(folder, "train", "--resume", "run", "--epochs", "2", "--quiet")).toEqual(quiet);
    for (const file of ["model.safetensors", "model-2.safetensors", "history.json", "history-2.json"])
      expect(readFileSync(join(folder, "run", file)).equals(readFileSync(join(folder, "whole", file))), file).toBe(
        true,
      );
    const [before, one, other] = await Promise.all(
      ["first/model", "run/model", "run/model-2"].map((file) => weightsIn(join(folder, `${file}.safetensors`))),
    );
    for (const name of ["embedding.embeddings", "embedding_1.embeddings"])
      expect([one?.[name], other?.[name]]).toEqual([before?.[name], before?.[name]]);
    expect(one?.["hidden.kernel"]).not.toEqual(other?.["hidden.kernel"]);
    expect(one?.["hidden.kernel"]).not.toEqual(before?.["hidden.kernel"]);
  });

  it("takes a model of one's own, and says what cannot be", async () => {
    mkdirSync(join(folder, "lib"));
    writeFileSync(join(folder, "units.ts"), "export const UNITS = 1;\n");
    const model = `import { dense, functional, input, type ModelOptions } from "torte";
import type { TableEncoding } from "@torte/data";
import { UNITS } from "../units.js";
export default function mine({ inputs: [first] }: TableEncoding, options: ModelOptions) {
  const features = input({ name: "features", shape: first!.shape });
  const others = [input({ name: "start", shape: [20], dtype: "int32" }), input({ name: "end", shape: [20], dtype: "int32" })];
  return functional({ inputs: [features, ...others], outputs: dense({ units: UNITS, activation: "sigmoid", name: "mine" })(features), ...options });
}
`;
    writeFileSync(join(folder, "lib/mine.ts"), model);
    const train = ["train", "first.csv", "--target", "label", "--epochs", "1"];
    expect(await torte(folder, ...train, "--model", "lib/mine.ts", "--out", "mine")).toMatchObject({
      status: 0,
      error: "",
    });
    expect(readFileSync(join(folder, "mine/summary.txt"), "utf8")).toContain("mine (Dense)");
    // The run has what it needs: the file may change, or go.
    expect(readFileSync(join(folder, "mine/modules/lib/mine.ts"), "utf8")).toBe(model);
    expect(readFileSync(join(folder, "mine/modules/units.ts"), "utf8")).toContain("UNITS");
    writeFileSync(join(folder, "lib/mine.ts"), "throw new Error('changed');\n");
    rmSync(join(folder, "units.ts"));
    expect(await torte(folder, "evaluate", "mine", "--quiet")).toMatchObject({ status: 0, error: "" });
    const more = await torte(folder, "train", "--resume", "mine", "--epochs", "2", "--quiet");
    expect(more).toMatchObject({ status: 0, error: "" });
    writeFileSync(join(folder, "mine/modules/units.ts"), "export const UNITS = 2;\n");
    const changed = await torte(folder, "evaluate", "mine", "--quiet");
    expect([changed.status, changed.error]).toEqual([2, expect.stringContaining("the experiment is not what was run")]);
    for (const [args, message] of [
      [[...train, "--model", "nowhere.ts"], "Error: nowhere.ts: there is no such file"],
      [[...train, "--from", "nowhere"], "Error: nowhere/model.safetensors: the file cannot be read"],
      [[...train, "--freeze", "conv*"], "Error: --freeze: there is nothing to leave as it is"],
      [[...train, "--from", "mine", "--freeze", "conf*"], "Error: --freeze: no layer has such a name"],
      [["predict", "mine", "first.csv", "--uncertainty", "dropout"], "Error: uncertainty: "],
      [["predict", "mine", "first.csv", "--uncertainty", "ensemble"], "Error: uncertainty: there is one model"],
    ] as const) {
      const { status, error } = await torte(folder, ...args);
      expect([status, error.startsWith(message) ? message : error]).toEqual([2, message]);
    }
  });
});
