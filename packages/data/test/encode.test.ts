/** From a table to tensors: what is fitted to the training part only, kinds of columns, splits, and tables that are wrong. */
import fc from "fast-check";
import { type Cell, type Dataset, loadModel, Table } from "torte";
import { describe, expect, it } from "vitest";
import { defaultModel, encodeTable, planTable, Predictor, TableEncoding } from "@torte/data";

/** Lehmer's random numbers. */
function lehmer(seed: number): () => number {
  let state = 1 + seed * 7919;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
function letters(alphabet: string, length: number, seed: number): string {
  const next = lehmer(seed);
  return Array.from({ length }, () => alphabet[Math.floor(next() * alphabet.length)]).join("");
}
const PROTEIN = "ACDEFGHIKLMNPQRSTVWY";
const ROWS = 60;
const numbers = (of: (i: number) => Cell): Cell[] => Array.from({ length: ROWS }, (_, i) => of(i));

const mixed = (): Record<string, Cell[]> => ({
  id: numbers((i) => `row${i}`),
  seq: numbers((i) => letters(PROTEIN, 12 + (i % 9), i)),
  size: numbers((i) => (i % 10 === 3 ? null : i / 7)),
  colour: numbers((i) => ["red", "green", "blue"][i % 3] ?? ""),
  smiles: numbers((i) => `C${"C".repeat(i)}(=O)N${i % 4}CC${i % 4}`),
  note: numbers((i) => `a short note of ${["rain", "snow", "sun"][i % 3]} and wind ${i}`),
  one: numbers(() => 1),
  label: numbers((i) => (i % 2 === 0 ? "yes" : "no")),
});

async function rowsOf(data: Dataset): Promise<{ x: number[][]; y: number[] }> {
  const { columns, order } = await data.plan(0);
  const sorted = [...order].sort((a, b) => a - b);
  return {
    x: columns.x.map((tensor) => [...tensor.take(sorted).data]),
    y: [...(columns.y[0]?.take(sorted).data ?? [])],
  };
}

describe("a target of several labels", () => {
  const places = numbers(
    (i) => [["nucleus"], ["nucleus", "membrane"], ["membrane", "cytosol"], []][i % 4]!.join(" ; ") || null,
  );
  const table = (): Table => new Table({ size: numbers((i) => i), place: places });

  it("is found by its marks, and becomes yes or no for each; a label that training lacks is refused", async () => {
    const { encoding, train, leftOut, plan } = encodeTable(table(), { target: "place" });
    expect([plan.targetKind, leftOut.withoutTarget]).toEqual(["multiLabel", ROWS / 4]);
    expect(encoding.target).toEqual({
      kind: "multiLabel",
      column: "place",
      labels: ["cytosol", "membrane", "nucleus"],
    });
    expect((await train.plan(0)).columns.y[0]?.shape).toEqual([train.size, 3]);
    expect(encoding.encodeTarget(table(), [0, 1, 2]).toArray()).toEqual([
      [0, 0, 1],
      [0, 1, 1],
      [1, 1, 0],
    ]);
    const other = new Table({ size: [1], place: ["nucleus|golgi"] });
    expect(() => encoding.encodeTarget(other, [0])).toThrow("a class is not in the training part");
    expect(TableEncoding.fromJSON(JSON.parse(JSON.stringify(encoding))).target).toEqual(encoding.target);
  });

  it("is told by a threshold of its own for each label", async () => {
    const { encoding } = encodeTable(table(), { target: "place" });
    const half = { calibration: { method: "none" }, threshold: 0.5 } as const;
    const decision = { ...half, each: [half, { ...half, threshold: 0.1 }, half] };
    const predictor = new Predictor([defaultModel(encoding, { seed: 1 })], encoding, decision);
    const [told] = predictor.decode({ values: Float64Array.of(0.4, 0.4, 0.6) });
    expect(told).toEqual({ label: "membrane;nucleus", probabilities: { cytosol: 0.4, membrane: 0.4, nucleus: 0.6 } });
    await predictor.close();
  });
});

describe("an encoded table", () => {
  it("takes columns by their kinds, leaves out names and constants, and says so", () => {
    const plan = planTable(new Table(mixed()), { target: "label" });
    expect(plan.inputs).toEqual({
      seq: "protein",
      size: "number",
      colour: "category",
      smiles: "SMILES",
      note: "text",
    });
    expect(plan.leftOut).toEqual({ id: "names the rows", one: "is constant" });
    expect(planTable(new Table(mixed()), { target: "label", sequence: "seq" }).inputs).toEqual({ seq: "protein" });
    expect(
      planTable(new Table(mixed()), { target: "label", inputs: ["one"], kinds: { one: "category" } }).inputs,
    ).toEqual({ one: "category" });
  });

  it("is fitted to the training part alone: other rows may be anything", () => {
    const table = mixed();
    const { split, encoding } = encodeTable(new Table(table), { target: "label" });
    const before = JSON.stringify(encoding);
    const others = new Set([...split.validation, ...split.test]);
    const anything: Record<string, (row: number) => Cell> = {
      seq: () => "WWWWWWWWWWWWWWWWWWWWWWWWWWWWWW",
      size: (row) => 1e6 + row,
      colour: () => "ultraviolet",
      smiles: () => "[Fe]C#N",
      note: () => "words that nobody has seen",
    };
    fc.assert(
      fc.property(fc.subarray(Object.keys(anything), { minLength: 1 }), (columns) => {
        const changed = Object.fromEntries(
          Object.entries(table).map(([name, cells]) => [
            name,
            columns.includes(name) ? cells.map((c, row) => (others.has(row) ? anything[name]!(row) : c)) : cells,
          ]),
        );
        const again = encodeTable(new Table(changed), {
          target: "label",
          rows: split,
          kinds: planTable(new Table(table), { target: "label" }).inputs,
        });
        expect(JSON.stringify(again.encoding)).toBe(before);
      }),
    );
    const trained = { ...table, size: table["size"]!.map((cell, row) => (row === split.train[0] ? 1e6 : cell)) };
    expect(JSON.stringify(encodeTable(new Table(trained), { target: "label", rows: split }).encoding)).not.toBe(before);
  });

  it("comes back from JSON, alone and with a model that predicts the same from raw rows", async () => {
    const table = new Table(mixed());
    const { encoding, train, split } = encodeTable(table, { target: "label", positive: "no" });
    const same = TableEncoding.fromJSON(JSON.parse(JSON.stringify(encoding)));
    const rows = split.train.slice(0, 7);
    expect(same.encode(table, rows)).toEqual(encoding.encode(table, rows));
    expect(same.target).toEqual({ kind: "binary", column: "label", labels: ["yes", "no"] });
    const model = defaultModel(encoding, { units: 4 });
    model.compile({ optimizer: "adam", loss: "binaryCrossentropy" });
    await model.fit(train, { epochs: 1, verbose: 0 });
    const again = await loadModel(await model.save());
    const cellOf = (column: number, row: number): Cell => table.column(encoding.columns[column]!)[row]!;
    const told = await new Predictor([model], encoding).predict(7, cellOf);
    expect(await new Predictor([again], same).predict(7, cellOf)).toEqual(told);
    expect(told.predictions[0]!.label).toMatch(/^(yes|no)$/);
  });

  it("standardizes numbers by the training part, fills gaps, and has a number for each category", async () => {
    const size = numbers((i) => (i % 10 === 3 ? null : i));
    const table = new Table({ size, colour: mixed()["colour"]!, target: numbers((i) => i * 2) });
    const { encoding, train } = encodeTable(table, { target: "target", targetKind: "regression" });
    expect(encoding.inputs).toEqual([{ name: "features", role: "features", shape: [2 + 3], dtype: "float32" }]);
    const { x, y } = await rowsOf(train);
    for (let j = 0; j < 5; j++) {
      const column = x[0]!.filter((_, i) => i % 5 === j);
      const mean = column.reduce((a, b) => a + b, 0) / column.length;
      expect(mean).toBeCloseTo(0, 5);
      expect(column.reduce((a, b) => a + (b - mean) ** 2, 0) / column.length).toBeCloseTo(1, 4);
    }
    expect(y.reduce((a, b) => a + b, 0) / y.length).toBeCloseTo(0, 5);
  });

  it("sees of a protein its shares of letters and pairs, its length and both ends", () => {
    const seq: Cell[] = [
      "ACAC",
      "WWWWWWWWWWWWWWWWWWWWWWWWM",
      "ACDX",
      ...numbers((i) => letters(PROTEIN, 30, i)).slice(3),
    ];
    const table = new Table({ seq, label: numbers((i) => i % 2) });
    const { encoding } = encodeTable(table, { target: "label", sequence: "seq" });
    const { shift, scale } = encoding.toJSON();
    const { x } = encoding.encode(table, [0, 1, 2]);
    const width = 20 + 400 + 3 * 20 + 1;
    const raw = (row: number, j: number): number => x[0]!.data[row * width + j]! * scale[j]! + shift[j]!;
    expect(
      [raw(0, 0), raw(0, 1), raw(0, 20 + 1), raw(0, 20 + 20), raw(0, width - 1)].map((v) => +v.toFixed(5)),
    ).toEqual([0.5, 0.5, 2 / 3, 1 / 3, Math.log(4)].map((v) => +v.toFixed(5)));
    expect(raw(1, 20 + 18 * 20 + 18)).toBeCloseTo(23 / 24, 5);
    // The unknown letter ends a word: AC and CD, but nothing with X.
    expect([raw(2, 20 + 1), raw(2, 20 + 22)].map((v) => +v.toFixed(5))).toEqual(
      [1 / 3, 1 / 3].map((v) => +v.toFixed(5)),
    );
    // Of three pieces of ACAC, the first has A and C, the second A, the third C.
    const pieces = [0, 1, 20, 41].map((j) => +raw(0, 420 + j).toFixed(5));
    expect(pieces).toEqual([3 / 4, 3 / 4, 3 / 4, 3 / 4].map((v) => +v.toFixed(5)));
    const [, start, end] = x;
    expect(start!.toArray()[0]).toEqual([1, 2, 1, 2, ...new Array<number>(16).fill(0)]);
    expect(end!.toArray()[0]).toEqual([...new Array<number>(16).fill(0), 1, 2, 1, 2]);
    expect(end!.toArray()[1]).toEqual([...new Array<number>(19).fill(19), 11]);
    expect(start!.toArray()[2]!.slice(0, 5)).toEqual([1, 2, 3, 21, 0]);
  });

  it.each(["cluster", "group", "given", "time"] as const)("splits by %s", (split) => {
    const table = new Table({
      seq: numbers((i) => letters("ACGT", 60, Math.floor(i / 3)) + (i % 3 === 0 ? "A" : "C")),
      family: numbers((i) => `f${Math.floor(i / 4)}`),
      part: numbers((i) => (i < 40 ? "train" : i < 50 ? "validation" : "test")),
      year: numbers((i) => 1960 + i),
      label: numbers((i) => i % 2),
    });
    const by = { cluster: undefined, group: "family", given: "part", time: "year" }[split];
    const parts = encodeTable(table, {
      target: "label",
      sequence: "seq",
      split,
      ...(by === undefined ? {} : { splitBy: by }),
    });
    const groupOf = (row: number): unknown =>
      split === "cluster" ? Math.floor(row / 3) : split === "group" ? Math.floor(row / 4) : row;
    const { train, validation, test } = parts.split;
    const groups = [train, validation, test].map((rows) => new Set(rows.map(groupOf)));
    expect(groups.reduce((sum, { size }) => sum + size, 0)).toBe(new Set(groups.flatMap((g) => [...g])).size);
    expect(parts.plan.inputs).toEqual({ seq: "DNA" });
    if (split === "given" || split === "time") expect(parts.split.train.at(-1)).toBeLessThan(parts.split.test[0]!);
    expect(parts.test.openings).toEqual([]);
  });

  it("says what is wrong with a table", () => {
    const good = { seq: numbers((i) => letters(PROTEIN, 30, i)), label: numbers((i) => i % 2) };
    const say = (columns: Record<string, Cell[]>, options: object): string => {
      try {
        encodeTable(new Table(columns, { name: "t.csv" }), { target: "label", ...options });
        return "nothing";
      } catch (error) {
        return (error as Error).message;
      }
    };
    const letter = (i: number): string => letters(PROTEIN, 30, i);
    const odd = { ...good, seq: numbers((i) => (i === 4 || i === 6 ? `${letter(i)}7` : letter(i))) };
    expect(say(odd, {})).toBe(
      't.csv: seq: 2 of 60 rows cannot be read (lines 5, 7): received "7" at 31 is no letter of a protein. Mend them, leave them out (invalid "skip"), or take letters that are none as unknown (invalid "unknown").',
    );
    expect(encodeTable(new Table(odd), { target: "label", invalid: "skip" }).leftOut.unreadable).toBe(2);
    expect(encodeTable(new Table(odd), { target: "label", invalid: "unknown" }).leftOut.unreadable).toBe(0);
    expect(say({ ...good, label: numbers(() => 1) }, {})).toBe(
      't.csv: label: there is nothing to learn: expected two values at least, received only "1".',
    );
    expect(say({ ...good, label: numbers((i) => (i < 2 ? "rare" : i % 2 === 0 ? "a" : "b")) }, {})).toBe(
      't.csv: label: a class has too few rows for three parts: expected at least 3 rows of each class, received "rare" (2).',
    );
    expect(say({ id: numbers((i) => `r${i}`), label: good.label }, {})).toBe(
      "t.csv: no column is left for the model to see: expected a sequence, a text, numbers or categories beside the target, received id (names the rows). Name the columns that it shall see.",
    );
    expect(say(good, { positive: "2" })).toBe('label: there is no such label: expected "0" or "1", received "2".');
    expect(say(good, { split: "group" })).toBe('encodeTable: split "group" needs a column: expected splitBy.');
    expect(say({ ...good, label: numbers((i) => (i % 2 === 0 ? 1 : "x")) }, { targetKind: "regression" })).toBe(
      'label: the target is no number: expected numbers of 32 bits, received "x".',
    );
    expect(() => TableEncoding.fromJSON({ format: "torte-encoding" })).toThrow("this is no encoding of a table");
  });
});
