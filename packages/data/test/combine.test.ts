/** Files that are a class each, and labels in a file of their own. */
import { describe, expect, it } from "vitest";
import { type Cell, DataError, Table } from "torte";
import { joinClasses, joinLabels } from "@torte/data";

const table = (name: string, columns: Record<string, Cell[]>): Table => new Table(columns, { name });
const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message;
  }
  return "nothing is refused";
};

describe("joinClasses", () => {
  it("puts tables below each other, with columns in any order and the lines of their files", () => {
    const joined = joinClasses({
      yes: table("yes.fasta", { id: ["a", "b"], sequence: ["MK", "MV"] }),
      no: new Table({ sequence: ["MA"], id: ["c"] }, { name: "no.fasta", lines: [7] }),
    });
    expect(joined.columns).toEqual(["id", "sequence", "label"]);
    expect([joined.column("id"), joined.column("sequence"), joined.column("label"), joined.lines]).toEqual([
      ["a", "b", "c"],
      ["MK", "MV", "MA"],
      ["yes", "yes", "no"],
      [1, 2, 7],
    ]);
    expect(joined.name).toBe("yes.fasta, no.fasta");
  });

  it("refuses tables of other columns, and a label that is there", () => {
    const one = table("a.csv", { x: [1] });
    expect(message(() => joinClasses({ a: one, b: table("b.csv", { y: [1] }) }))).toBe(
      "b.csv: the columns are not those of a.csv: expected x, received y.",
    );
    expect(message(() => joinClasses({ a: table("a.csv", { x: [1], label: [2] }) }))).toContain(
      "a column label already",
    );
    expect(message(() => joinClasses({}))).toContain("there are no tables");
  });
});

describe("joinLabels", () => {
  const rows = table("p.fasta", { id: ["a", "b", "c"], sequence: ["MK", "MV", "MA"] });

  it("finds labels by id, in any order, and leaves rows that are not named without", () => {
    const labels = table("l.csv", {
      name: ["c", "z", "a", "a"],
      soluble: [1, 1, 0, 0],
      source: ["x", "y", null, null],
    });
    const joined = joinLabels(rows, labels);
    expect(joined.columns).toEqual(["id", "sequence", "soluble", "source"]);
    expect([joined.column("soluble"), joined.column("source")]).toEqual([
      [0, null, 1],
      [null, null, "x"],
    ]);
  });

  it("refuses two labels for one name, names that are not known, and columns that are there", () => {
    expect(message(() => joinLabels(rows, table("l.csv", { id: ["a", "b", "a"], y: [0, 1, 1] })))).toBe(
      'l.csv: line 3: "a" comes again, with other cells: expected those of line 1.',
    );
    expect(message(() => joinLabels(rows, table("l.csv", { id: ["p", "q"], y: [0, 1] })))).toBe(
      'l.csv: it names no row of p.fasta: expected names as "a", received "p".',
    );
    expect(message(() => joinLabels(rows, table("l.csv", { id: ["a"], sequence: [0] })))).toContain(
      "has a column sequence, too",
    );
    expect(message(() => joinLabels(rows, table("l.csv", { id: ["a"] })))).toContain("no column beside the names");
  });
});
