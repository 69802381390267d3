import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../../errors.js";
import { bits, type Key, mixKey } from "../../tensor/random.js";
import { parseNpz } from "../npy.js";
import { type Cell, Table } from "../table.js";
import { audit, type AuditOptions } from "./audit.js";
import type { Finding, FindingKind } from "./findings.js";

const LETTERS = "ACDEFGHIKLMNPQRSTVWY";
const key: Key = mixKey(7, 1, 0);
let drawn = 0;
const below = (n: number): number => bits(key, drawn++) % n;
const protein = (length: number, first = ""): string =>
  first + Array.from({ length: length - first.length }, () => LETTERS[below(20)] ?? "").join("");

function of<Kind extends FindingKind>(findings: readonly Finding[], kind: Kind): Extract<Finding, { kind: Kind }>[] {
  return findings.filter((finding): finding is Extract<Finding, { kind: Kind }> => finding.kind === kind);
}
const look = (columns: Readonly<Record<string, readonly Cell[]>>, options: AuditOptions): readonly Finding[] =>
  audit(new Table(columns), options).findings;

interface Planted {
  readonly seq: readonly string[];
  readonly soluble: readonly number[];
}

/** 600 proteins; the soluble ones mostly start with M; 30 pairs differ in one letter, 28 of them in the label, too. */
function planted(): Planted {
  const seq = Array.from({ length: 600 }, (_, i) =>
    protein(100 + below(80), i < 300 ? (i % 4 === 0 ? "G" : "M") : i % 3 === 0 ? "M" : (LETTERS[i % 10] ?? "")),
  );
  for (let i = 0; i < 30; i++) {
    const from = i < 28 ? i + 300 : i + 100;
    const twin = seq[i] ?? "";
    seq[from] = `${twin.slice(0, 50)}${twin[50] === "A" ? "C" : "A"}${twin.slice(51)}`;
  }
  return { seq, soluble: seq.map((_, i) => Number(i < 300)) };
}

/** The chapter's data, where it is at hand; the numbers of its letters are in the order of the chapter's code. */
function solubility(): Planted | undefined {
  const folder = process.env["TORTE_DATA"];
  const path = folder === undefined ? undefined : join(folder, "solubility.npz");
  if (path === undefined || !existsSync(path)) return undefined;
  const arrays = parseNpz(readFileSync(path));
  const letters = "-ARNDCQEGHILKMFPSTWYV";
  const read = (name: string): string[] => {
    const { data, shape } = arrays[name]!;
    const [rows = 0, width = 0] = shape;
    return Array.from({ length: rows }, (_, r) =>
      Array.from(data.subarray(r * width, (r + 1) * width), (code) => letters[code])
        .join("")
        .replace(/-+$/, ""),
    );
  };
  const [positives, negatives] = [read("positives"), read("negatives")];
  return { seq: [...positives, ...negatives], soluble: [...positives.map(() => 1), ...negatives.map(() => 0)] };
}

describe("the audit of sequences", () => {
  const real = solubility();
  const cases = [
    { name: "planted data", data: planted(), pairs: 30, opposite: 28, first: 0.69, length: undefined },
    ...(real === undefined
      ? []
      : [{ name: "the solubility data", data: real, pairs: 334, opposite: 333, first: 0.596, length: 0.547 }]),
  ];

  it.each(cases)(
    "finds near-twins and the signal of the first residue in $name",
    ({ data, pairs, opposite, first, length }) => {
      const { findings, baselines, kinds } = audit(new Table({ ...data }), { target: "soluble" });
      expect(kinds["seq"]).toBe("protein");
      expect(of(findings, "nearTwins")).toMatchObject([{ pairs, oppositeLabels: opposite, severity: "warning", k: 5 }]);
      const [start] = of(findings, "shortcut").filter(({ baseline }) => baseline === "firstResidue");
      expect(start?.rule).toBe('starts with "M"');
      expect(start?.score).toBeCloseTo(first, 3);
      const told = baselines.find(({ name }) => name === "length");
      if (length !== undefined) expect(told?.score.toFixed(3)).toBe(length.toFixed(3));
    },
  );

  it("finds copies by class and by part", () => {
    const seq = [protein(60, "M"), protein(60, "M"), protein(60, "M")];
    const table = { seq: [...seq, ...seq, protein(60, "M")], y: ["a", "b", "a", "a", "a", "a", "b"] };
    const across = (found: readonly Finding[]): unknown =>
      of(found, "duplicates").map(({ across, count, groups }) => [across, count, groups]);
    expect(across(look(table, { target: "y", sequence: "seq" }))).toEqual([
      ["classes", 1, [[2, 5]]],
      [
        "none",
        2,
        [
          [1, 4],
          [3, 6],
        ],
      ],
    ]);
    const parts = ["train", "train", "train", "test", "train", "train", "train"];
    expect(across(look(table, { target: "y", sequence: "seq", parts }))).toEqual([
      ["parts", 1, [[1, 4]]],
      ["classes", 1, [[2, 5]]],
      ["none", 1, [[3, 6]]],
    ]);
  });

  it("finds twins across parts", () => {
    const { seq, soluble } = planted();
    const parts = seq.map((_, i) => (i < 10 ? "test" : "train"));
    const [twins] = of(look({ seq, soluble }, { target: "soluble", parts }), "nearTwins");
    expect(twins).toMatchObject({ severity: "error", acrossParts: 10 });
  });

  it("finds letters that are none, letters that stand for several, and padding", () => {
    const clean = Array.from({ length: 40 }, () => protein(50, "M"));
    const seq = [...clean, `${protein(40)}1J`, `${protein(40)}X`, `${protein(40)}---`, `${protein(40)}*`];
    const found = look({ seq, y: seq.map((_, i) => i % 2) }, { target: "y", kinds: { seq: "protein" } });
    expect(of(found, "invalidCharacters")).toMatchObject([
      { letters: [{ letter: "1", count: 1 }], lines: [41], severity: "error" },
    ]);
    expect(of(found, "ambiguousCharacters")).toMatchObject([{ count: 2, lines: [41, 42] }]);
    expect(of(found, "padding")).toMatchObject([{ count: 1, lines: [43] }]);
  });

  it("says lengths by class, and a length that tells the class", () => {
    const seq = Array.from({ length: 80 }, (_, i) => protein(i % 2 === 0 ? 50 + (i % 7) : 90 + (i % 7), "M"));
    const found = look({ seq, y: seq.map((_, i) => i % 2) }, { target: "y" });
    expect(of(found, "lengthPerClass")).toMatchObject([
      { severity: "warning", classes: [{ least: 50 }, { least: 90 }] },
    ]);
    expect(of(found, "shortcut").find(({ baseline }) => baseline === "length")).toMatchObject({
      score: 1,
      severity: "error",
    });
  });

  it("finds a composition that tells the class, by regression, and none in noise", () => {
    const noise = Array.from({ length: 400 }, () => protein(60, "M"));
    const y = noise.map((_, i) => i % 2);
    const rich = noise.map((s, i) => (i % 2 === 0 ? s : s.replaceAll(/[AD]/g, "E")));
    const composition = (seq: readonly string[]): number =>
      of(look({ seq, y }, { target: "y" }), "shortcut").filter(({ baseline }) => baseline === "composition").length;
    expect([composition(rich), composition(noise)]).toEqual([1, 0]);
  });

  it("looks numbers over, too", () => {
    const seq = Array.from({ length: 100 }, (_, i) => protein(40 + i, "M"));
    const { targetKind, baselines } = audit(new Table({ seq, y: seq.map((s) => 0.5 * s.length + 0.25) }), {
      target: "y",
    });
    expect(targetKind).toBe("regression");
    expect(baselines.map(({ name }) => name)).toEqual(["mean", "length", "composition"]);
    expect(baselines[1]?.score).toBeCloseTo(1, 12);
  });
});

describe("the audit of tables", () => {
  const rows = Array.from({ length: 60 }, (_, i) => i);
  const y = rows.map((i) => ["a", "b", "c"][i % 3] ?? "");

  it("finds constant columns, leaks, missing cells and classes out of balance", () => {
    const columns = {
      same: rows.map(() => "x"),
      copy: y.map((label) => `class ${label}`),
      code: rows.map((i) => 10 * (i % 3)),
      noise: rows.map(() => below(1000)),
      gaps: rows.map((i) => (i < 3 ? "" : String(below(1000)))),
      y,
    };
    const found = look(columns, { target: "y" });
    expect(of(found, "constantColumn").map(({ column }) => column)).toEqual(["same"]);
    expect(of(found, "leakingColumn").map(({ column, score }) => [column, score])).toEqual([
      ["copy", 1],
      ["code", 1],
    ]);
    expect(of(found, "missing")).toMatchObject([{ column: "gaps", count: 3, lines: [1, 2, 3] }]);
    const uneven = look({ noise: columns.noise, y: rows.map((i) => Number(i % 10 === 0)) }, { target: "y" });
    expect(of(uneven, "classBalance")).toMatchObject([{ severity: "warning", classes: [{ count: 54 }, { count: 6 }] }]);
  });

  it("refuses columns that are not there, and options out of range", () => {
    const table = new Table({ x: [1, 2], y: [0, 1] });
    expect(() => audit(table, { target: "z" })).toThrow(DataError);
    expect(() => audit(table, { target: "y", sequence: "y" })).toThrow("sequence and target are one column");
    expect(() => audit(table, { target: "y", similarity: 2 })).toThrow(OptionError);
    expect(() => audit(table, { target: "y", parts: ["train"] })).toThrow("parts do not fit the table");
    expect(() => audit(table, { target: "y", kinds: { x: "proteins" as "protein" } })).toThrow(
      'Did you mean "protein"?',
    );
    expect(() => audit(table, { target: "y", tagret: "y" } as AuditOptions)).toThrow('unknown option "tagret"');
  });
});
