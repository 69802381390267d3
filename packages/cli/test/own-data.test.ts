/** Commands on a file of data: from a table to a run, a test that is opened on purpose, and predictions. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode as encodePng } from "fast-png";
import { describe, expect, it } from "vitest";
import { newFolder, start, torte } from "./command.js";

const json = (...path: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(...path), "utf8")) as Record<string, unknown>;

/** Lehmer's random numbers. */
function lehmer(seed: number): () => number {
  let state = 1 + seed * 7919;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/** Proteins that are soluble where they begin with K or have many D. */
function proteins(rows: number): readonly (readonly [id: string, sequence: string, soluble: number])[] {
  return Array.from({ length: rows }, (_, i) => {
    const next = lehmer(i);
    const letters = Array.from({ length: 30 + (i % 17) }, () => "ACDEFGHIKLMNPQRSTVWY"[Math.floor(next() * 20)] ?? "");
    const soluble = i % 2;
    if (soluble === 1) letters[0] = "K";
    else letters[0] = "F";
    return [`p${i}`, letters.join(""), soluble];
  });
}

function folderWithProteins(rows = 160): string {
  const folder = newFolder();
  const lines = proteins(rows).map((row) => row.join(","));
  writeFileSync(join(folder, "proteins.csv"), `id,seq,soluble\n${lines.join("\n")}\n`);
  return folder;
}

/** `torte serve` answers as `torte predict` does, refuses what is wrong, and ends when it is told to. */
async function serves(folder: string): Promise<void> {
  const service = start(folder, ["serve", "run", "--port", "0", "--max-bytes", "20000"]);
  let address = "";
  service.process.stdout?.on("data", (text: string) => (address += text));
  await service.printed("serves run");
  const [url = ""] = /http:\S+/.exec(address) ?? [];
  const ask = (body: string, type = "application/json"): Promise<Response> =>
    fetch(`${url}predict`, { method: "POST", headers: { "content-type": type }, body });
  const rows = proteins(12).map(([, seq]) => ({ seq }));
  const told = (await (await ask(JSON.stringify({ rows }))).json()) as { predictions: { probability: number }[] };
  const lines = readFileSync(join(folder, "told.csv"), "utf8").split("\n").slice(1, 13);
  told.predictions.forEach(({ probability }, i) => {
    expect(probability).toBeCloseTo(Number(lines[i]?.split(",")[1]), 4);
  });
  const single = await Promise.all(
    rows.map(async (row) => (await (await ask(JSON.stringify({ rows: [row] }))).json()) as typeof told),
  );
  // Batches of other sizes add up in another order.
  single.forEach(({ predictions }, i) => {
    expect(predictions[0]?.probability).toBeCloseTo(told.predictions[i]?.probability ?? NaN, 4);
  });
  const wrong = [
    await ask("{"),
    await ask('{"rows":[{"sec":"M"}]}'),
    await ask('{"rows":[]}'),
    await ask(`{"rows":[{"seq":"${"M".repeat(30_000)}"}]}`),
    await ask("{}", "text/plain"),
    await fetch(`${url}predict`),
    await fetch(`${url}nowhere`),
    await ask('{"rows":[{"seq":"M1"}]}'),
  ];
  expect(wrong.map(({ status }) => status)).toEqual([400, 400, 400, 413, 415, 405, 404, 200]);
  expect(await wrong.at(-1)?.json()).toMatchObject({ predictions: [{ column: "seq" }] });
  expect(await (await fetch(`${url}metrics`)).text()).toContain(
    'torte_requests_total{route="/predict",status="413"} 1',
  );
  expect(await (await fetch(`${url}openapi.json`)).json()).toMatchObject({ openapi: "3.1.0" });
  expect(await (await fetch(url)).text()).toContain('data-column="seq"');
  const last = Array.from({ length: 20 }, () => ask(JSON.stringify({ rows })));
  await new Promise((resolve) => setTimeout(resolve, 20));
  service.process.kill("SIGTERM");
  const answered = await Promise.allSettled(last.map(async (answer): Promise<unknown> => (await answer).json()));
  // Those that had come are answered; of the others the connection is refused.
  expect(answered.some(({ status }) => status === "fulfilled")).toBe(true);
  expect(await service.result).toMatchObject({ status: 0, error: "" });
}

const TRAIN = ["train", "proteins.csv", "--sequence", "seq", "--target", "soluble"] as const;

describe("torte train on a table", { timeout: 400_000 }, () => {
  it("trains, keeps the test sealed, and stands for the experiment that it prints; evaluate opens the test", async () => {
    const folder = folderWithProteins();
    const told = await torte(folder, ...TRAIN, "--out", "run");
    expect(told).toMatchObject({ status: 0, error: "" });
    expect(told.out).toContain(
      "\ninputs    seq (protein)\ntarget    soluble (binary: 0, 1)\nleft out  id (not asked for)\n",
    );
    expect(told.out).toContain("128 train, 16 validation, 16 test (sealed)\n");
    expect(told.out).not.toMatch(/^test /m);
    expect(readdirSync(join(folder, "run"))).toContain("split.json");
    const { validation, openings } = json(folder, "run/run.json") as { validation: { accuracy: number }; openings: [] };
    expect(validation.accuracy).toBeGreaterThan(0.9);
    expect(openings).toEqual([]);

    const printed = await torte(folder, ...TRAIN, "--print-experiment");
    writeFileSync(join(folder, "mine.ts"), printed.out);
    expect(printed.out).toBe(readFileSync(join(folder, "run/experiment.ts"), "utf8"));
    expect(await torte(folder, "train", "mine.ts", "--out", "mine", "--quiet")).toEqual({
      status: 0,
      out: "",
      error: "",
    });
    expect(readFileSync(join(folder, "mine/model.safetensors"))).toEqual(
      readFileSync(join(folder, "run/model.safetensors")),
    );

    const first = await torte(folder, "evaluate", "run", "--json");
    const { figures, ...once } = JSON.parse(first.out) as { figures: { name: string; value: number; low: number }[] };
    expect(once).toMatchObject({ openings: 1, rows: 16, folder: "run" });
    expect(figures.map(({ name }) => name)).toContain("mcc");
    expect(figures.find(({ name }) => name === "auroc")?.value).toBeGreaterThan(0.9);
    const second = await torte(folder, "evaluate", "run", "--purpose", "once more");
    expect(second.out).toContain("opened 2 times: these figures are no clean estimate any more");
    expect(json(folder, "run/run.json")["openings"]).toMatchObject([
      { purpose: "torte evaluate" },
      { purpose: "once more" },
    ]);

    const report = readFileSync(join(folder, "run/report.html"), "utf8");
    expect(report).toContain("The test has been opened 2 times");
    for (const title of [
      "The test",
      "Predictions",
      "Without an input",
      "Single rows",
      "Training",
      "The data",
      "The model",
    ])
      expect(report).toContain(`<h2>${title}</h2>`);
    expect(report).not.toMatch(/\b(src|href)="(?!data:|#)|<script|@import|url\((?!#)/);
    expect(readFileSync(join(folder, "run/MODEL_CARD.md"), "utf8")).toContain("| AUROC | ");

    writeFileSync(join(folder, "proteins.csv"), "id,seq,soluble\np,MKV,1\n");
    const changed = await torte(folder, "evaluate", "run");
    expect([changed.status, changed.error]).toEqual([2, expect.stringMatching(/^Error: .*\n$/)]);
  });

  it("trains several models with weights, calibration and threshold, and predicts in order what can be read", async () => {
    const folder = folderWithProteins(120);
    const rows = proteins(120).map(([id, seq], i) => `${id},${seq},${i % 6 === 1 ? "yes" : "no"}`);
    writeFileSync(join(folder, "rare.csv"), `id,seq,label\n${rows.join("\n")}\n`);
    const train = ["train", "rare.csv", "--target", "label", "--epochs", "3", "--ensemble", "2", "--out", "run"];
    expect(await torte(folder, ...train, "--calibration", "isotonic")).toMatchObject({ status: 0, error: "" });
    const { decision, options } = json(folder, "run/run.json") as Record<string, Record<string, unknown>>;
    expect([decision?.["calibration"], options?.["ensemble"]]).toMatchObject([{ method: "isotonic" }, 2]);
    expect(readFileSync(join(folder, "run/experiment.ts"), "utf8")).toContain('classWeight: "balanced"');
    expect(readdirSync(join(folder, "run")).filter((file) => /^(model.*safe|history)/.test(file))).toEqual([
      "history-2.json",
      "history.json",
      "model-2.safetensors",
      "model.safetensors",
    ]);

    const fasta = [...proteins(5000)].map(([id, seq], i) => `>${id}\n${i === 77 ? "M1V" : seq}\n`);
    writeFileSync(join(folder, "new.fasta"), fasta.join(""));
    const told = await torte(folder, "predict", "run", "new.fasta", "-o", "told.csv");
    expect(told).toEqual({
      status: 0,
      out: "",
      // Progress comes on a slow machine.
      error: expect.stringMatching(
        /^(\d+ rows\n)*1 of 5000 rows could not be read; they are in told.unreadable.csv\n$/,
      ) as string,
    });
    const lines = readFileSync(join(folder, "told.csv"), "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe("id,probability,label,uncertainty");
    expect(lines.slice(1).map((line) => line.split(",")[0])).toEqual(
      proteins(5000).flatMap(([id], i) => (i === 77 ? [] : [id])),
    );
    for (const line of lines.slice(1, 20)) expect(line).toMatch(/^p\d+,[01]\.\d{6},(yes|no),\d[\d.e-]*$/);
    expect(readFileSync(join(folder, "told.unreadable.csv"), "utf8")).toBe(
      'line,id,column,problem\n155,p77,seq,"""1"" at 2 is no letter of a protein"\n',
    );
    const piped = await torte(folder, "predict", "run", "new.fasta", "--quiet");
    expect(piped.out).toBe(`${lines.join("\n")}\n`);

    await serves(folder);

    const before = readdirSync(folder);
    writeFileSync(join(folder, "new.fasta"), "id,sec\n1,MKV\n");
    for (const [args, message] of [
      [["run", "new.fasta", "-o", "x.csv"], "Error: new.fasta: line 1: this is no FASTA"],
      [["run", "new.fasta", "--format", "csv", "-o", "x.csv"], 'Error: new.fasta: there is no column "seq"'],
      [["nowhere", "new.fasta", "-o", "x.csv"], "Error: nowhere/model.safetensors: the file cannot be read"],
      [["run", "new.fasta", "-o", "new.fasta"], "Error: --output: this is the file that is read."],
    ] as const) {
      const { status, error } = await torte(folder, "predict", ...args);
      expect([status, error.startsWith(message) ? message : error]).toEqual([2, message]);
    }
    expect(readdirSync(folder)).toEqual(before);
  });

  it("says in one line what is wrong, ends with 2, and writes nothing", async () => {
    const folder = folderWithProteins(40);
    const write = (name: string, text: string | Uint8Array): void => {
      writeFileSync(join(folder, name), text);
    };
    write("page.csv", "<!DOCTYPE html><html><body>404</body></html>");
    write("header.csv", "seq,soluble\n");
    write("one.csv", `seq,soluble\n${"MKVLAGIVGEMKV,1\n".repeat(20)}`);
    write("book.csv", new Uint8Array([0x50, 0x4b, 3, 4, 20, 0, 0, 0]));
    for (const name of ["none", "flat"]) mkdirSync(join(folder, name));
    write("flat/1.png", encodePng({ width: 2, height: 2, channels: 1, data: Uint8Array.of(1, 2, 3, 4) }));
    const before = readdirSync(folder);
    const cases: readonly (readonly [args: readonly string[], message: string])[] = [
      [["proteins.csv"], "Error: --target: it is missing: expected the column that is to be told."],
      [["proteins.csv", "--target", "solubel"], 'Error: proteins.csv: there is no column "solubel"'],
      [["proteins.csv", "--target", "soluble", "--sequence", "sec"], 'Error: proteins.csv: there is no column "sec"'],
      [["page.csv", "--target", "x"], "Error: page.csv: this is no data: received a page of HTML."],
      [["header.csv", "--target", "soluble"], "Error: header.csv: there are no rows: received a header only."],
      [["one.csv", "--target", "soluble"], "Error: one.csv: soluble: there is nothing to learn"],
      [["book.csv", "--target", "x"], "Error: book.csv: this is no text: received a zip archive (or a workbook)."],
      [["nowhere.csv", "--target", "x"], "Error: nowhere.csv: there is no such file: expected a table."],
      [["proteins.csv", "--target", "soluble", "--split", "group"], 'Error: encodeTable: split "group" needs a column'],
      [["x.ts", "--target", "soluble"], "Error: --target: this is for tables: received x.ts."],
      [
        ["none"],
        "Error: none: there are no images: expected files that end in .png, .jpg or .jpeg, in a folder for each",
      ],
      [["flat"], "Error: flat: the images have no classes: expected a folder for each class, as cats/1.png and dogs/2"],
    ];
    for (const [args, message] of cases) {
      const { status, out, error } = await torte(folder, "train", ...args, "--out", "run");
      expect([status, out]).toEqual([2, ""]);
      expect(error.startsWith(message) ? message : error).toBe(message);
      expect(error.trim().split("\n")).toHaveLength(1);
    }
    expect(readdirSync(folder)).toEqual(before);
  });
});
