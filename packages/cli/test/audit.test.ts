import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { newFolder, torte } from "./command.js";

const LETTERS = "ACDEFGHIKLMNPQRSTVWY";
/** Of Lehmer's random numbers. */
function protein(n: number): string {
  let state = 1 + n * 7919;
  const letters = Array.from({ length: 60 }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return LETTERS[state % 20] ?? "";
  });
  return `M${letters.join("")}`;
}

describe("torte audit", () => {
  it("prints what it finds, for people and as JSON, also of gzip", async () => {
    const folder = newFolder();
    const rows = Array.from({ length: 40 }, (_, i) => `${i},${protein(i % 38)},${i % 2}`);
    writeFileSync(join(folder, "proteins.csv.gz"), gzipSync(`id,seq,soluble\n${rows.join("\n")}\n`));
    const told = await torte(folder, "audit", "proteins.csv.gz", "--sequence", "seq", "--target", "soluble");
    expect(told).toMatchObject({ status: 0, error: "" });
    expect(told.out).toMatch(
      /^proteins\.csv\.gz: 40 rows; id \(number\), seq \(protein\), soluble \(number\)\ntarget soluble: binary\n/,
    );
    expect(told.out).toContain("classes 0: 20 (50.0 %), 1: 20 (50.0 %)");
    const { out } = await torte(
      folder,
      "audit",
      "proteins.csv.gz",
      "--target",
      "soluble",
      "--json",
      "--kind",
      "id=category",
    );
    const found = JSON.parse(out) as { kinds: Record<string, string>; findings: { kind: string; count?: number }[] };
    expect(found.kinds).toEqual({ id: "category", seq: "protein", soluble: "number" });
    expect(found.findings.find(({ kind }) => kind === "duplicates")).toMatchObject({ count: 2, severity: "info" });
  });

  it("reads FASTA, with labels from the header", async () => {
    const folder = newFolder();
    const records = Array.from({ length: 20 }, (_, i) => `>p${i} soluble=${i % 2}\n${protein(i)}\n`);
    writeFileSync(join(folder, "p.fasta"), records.join(""));
    const { out, status } = await torte(folder, "audit", "p.fasta", "--label", "soluble=(.)", "--target", "label");
    expect([status, out.split("\n")[1]]).toEqual([0, "target label: binary"]);
  });

  it("takes files as classes, and labels from a table beside the file; train stands for both", async () => {
    const folder = newFolder();
    const records = Array.from({ length: 40 }, (_, i) => `>p${i}\n${protein(i)}\n`);
    writeFileSync(join(folder, "binders.fasta"), records.filter((_, i) => i % 2 === 0).join(""));
    writeFileSync(join(folder, "others.fa.gz"), gzipSync(records.filter((_, i) => i % 2 === 1).join("")));
    writeFileSync(join(folder, "all.fasta"), records.join(""));
    const rows = Array.from({ length: 40 }, (_, i) => `p${39 - i},${i % 2 === 0 ? "others" : "binders"}`);
    writeFileSync(join(folder, "labels.csv"), `id,kind\n${rows.join("\n")}\n`);
    const classes = await torte(folder, "audit", "binders.fasta", "others.fa.gz");
    expect(classes).toMatchObject({ status: 0, error: "" });
    expect(classes.out).toContain("\ntarget label: binary\n");
    expect(classes.out).toContain("classes binders: 20 (50.0 %), others: 20 (50.0 %)");
    const labels = await torte(folder, "audit", "all.fasta", "--labels", "labels.csv", "--target", "kind");
    expect(labels.out).toContain("classes binders: 20 (50.0 %), others: 20 (50.0 %)");

    const both = await torte(folder, "train", "binders.fasta", "others.fa.gz", "--print-experiment");
    expect(both.out).toContain('await table({ file: "binders.fasta", beside: ["others.fa.gz"] })');
    // The class of the first file is what the probability is of.
    expect(both.out).toContain('positive: "binders"');
    const other = await torte(
      folder,
      "train",
      "all.fasta",
      "--labels",
      "labels.csv",
      "--target",
      "kind",
      "--print-experiment",
    );
    expect(other.out).toContain('await table({ file: "all.fasta", labels: "labels.csv" })');
  });

  it("says in one line what is wrong, and ends with 2", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "a.csv"), "seq,soluble\nMKV,1\nMMK,0\n");
    writeFileSync(join(folder, "b.csv"), 'seq,soluble\nMKV,1\n"MMK,0\n');
    writeFileSync(join(folder, "c.csv"), "");
    const cases = [
      [
        ["a.csv", "--target", "solubel"],
        'Error: a.csv: there is no column "solubel": expected one of "seq", "soluble". Did you mean "soluble"?\n',
      ],
      [["b.csv", "--target", "soluble"], "Error: b.csv: line 3 or soon after: a quote is opened and never closed"],
      [["c.csv", "--target", "soluble"], "Error: c.csv: there are no rows: received an empty file.\n"],
      [["d.csv", "--target", "soluble"], "Error: d.csv: there is no such file: expected a table.\n"],
      [["a.csv"], "Error: --target: it is missing: expected the column that is to be told.\n"],
      [["a.csv", "c/a.csv"], "Error: a.csv, c/a.csv: two files have one name, a, and each is a class.\n"],
      [["a.csv", "--target", "soluble", "--kind", "seq=protien"], "Error: audit: kinds is unknown"],
      [
        ["a.csv", "--target", "soluble", "--format", "xls"],
        "Error: option '--format <name>' argument 'xls' is invalid. Allowed choices are csv, tsv",
      ],
    ] as const;
    for (const [args, message] of cases) {
      const { status, out, error } = await torte(folder, "audit", ...args);
      expect([status, out]).toEqual([2, ""]);
      expect(error.startsWith(message) ? message : error).toBe(message);
      expect(error.trim().split("\n")).toHaveLength(1);
    }
  });
});
