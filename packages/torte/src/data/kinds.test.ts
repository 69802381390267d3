import { describe, expect, it } from "vitest";
import { DataError } from "../errors.js";
import { columnKinds, inferKind, inferTarget } from "./kinds.js";
import { Table } from "./table.js";

const proteins = ["MKVLAGIVGEAWKDLSRR", "MSTNPKPQRKTKRNTNRRPQ", "mgsshhhhhhssglvprgsh", "ACDEFGHIKLXMNPQRSTVWY*"];

describe("inferKind", () => {
  it.each([
    ["number", ["1", "-2.5e3", " .5 ", "", "NA"]],
    ["number", [1, 2.5, null]],
    ["protein", proteins],
    ["DNA", ["ACGTACGTNN", "TTGACCATGA", "gattacagat"]],
    ["RNA", ["ACGUACGUNN", "UUGACCAUGA"]],
    ["SMILES", ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "C[C@@H](C(=O)O)N"]],
    ["category", ["yes", "no", "no", "yes", "no"]],
    ["category", Array.from({ length: 60 }, (_, i) => ["Escherichia", "Saccharomyces", "Homo sapiens"][i % 3] ?? "")],
    ["text", ["A man walks into a bar", "The quick brown fox", "It was a dark and stormy night"]],
    ["text", ["", "NA"]],
  ] as const)("says %s", (kind, cells) => {
    expect(inferKind(cells)).toBe(kind);
  });

  it("can be overruled by column", () => {
    const table = new Table({ seq: proteins, year: ["1", "2", "3", "4"] });
    expect(columnKinds(table, { year: "category" })).toEqual({ seq: "protein", year: "category" });
    expect(() => columnKinds(table, { yeer: "category" })).toThrow('Did you mean "year"?');
  });
});

describe("inferTarget", () => {
  it("tells classes from numbers", () => {
    expect(inferTarget(["0", "1", "1"])).toBe("binary");
    expect(inferTarget(["0.1", "0.7"])).toBe("binary");
    expect(inferTarget(["a", "b", "c", "a", "b", "c"])).toBe("multiClass");
    expect(inferTarget(Array.from({ length: 90 }, (_, i) => i % 3))).toBe("multiClass");
    expect(inferTarget([1, 2, 3, 4])).toBe("regression");
    expect(inferTarget(["0.5", "1", "2"])).toBe("regression");
  });

  it("refuses what cannot be learnt", () => {
    expect(() => inferTarget(["1", "1", ""], "t.csv: y")).toThrow(
      't.csv: y: there is nothing to learn: expected two values at least, received only "1".',
    );
    expect(() => inferTarget([null])).toThrow("received no value");
    expect(() => inferTarget(["1", "2", "3", "x"])).toThrow(DataError);
  });
});
