import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../errors.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { Dataset } from "./dataset.js";
import { SealedTest } from "./sealed.js";
import { split, type SplitOptions } from "./split.js";

const rows = (n: number): Tensor => tensor(Int32Array.from({ length: n }, (_, i) => i));
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const opened = (data: Dataset | SealedTest): Dataset => (data instanceof SealedTest ? data.open("a test") : data);
const rowsOf = async (data: Dataset | SealedTest, epoch = 0): Promise<number[]> => {
  const { columns, order } = await opened(data).plan(epoch);
  return [...order].map((row) => columns.x[0]?.data[row] ?? NaN);
};

describe("split", () => {
  it("gives the chapter's sizes", () => {
    const { train, validation, test } = split({ x: rows(18453) }, { validation: 0.1, test: 0.1, seed: 1 });
    expect([train.size, validation.size, test.size]).toEqual([14763, 1845, 1845]);
  });

  it("shares rows out once each, by the seed, of tensors, of datasets and by label", async () => {
    const options = fc.record({
      validation: fc.double({ min: 0.05, max: 0.45, noNaN: true }),
      test: fc.double({ min: 0.05, max: 0.45, noNaN: true }),
      seed: fc.nat(),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 40, max: 200 }),
        options,
        fc.boolean(),
        fc.boolean(),
        async (n, given, stratify, asDataset) => {
          const tensors = { x: rows(n), y: tensor(Int32Array.from({ length: n }, (_, i) => i % 3)) };
          const parts = (): ReturnType<typeof split> =>
            asDataset
              ? split(Dataset.fromTensors(tensors).shuffle({ seed: given.seed }), given)
              : split(tensors, { ...given, stratify });
          const { train, validation, test } = parts();
          expect(validation.size).toBe(Math.floor(given.validation * n + 1e-9));
          expect(test.size).toBe(Math.floor(given.test * n + 1e-9));
          const found = await Promise.all([train, validation, test].map((part, i) => rowsOf(part, i)));
          expect(sorted(found.flat())).toEqual(Array.from({ length: n }, (_, i) => i));
          expect(await rowsOf(parts().test)).toEqual(found[2]);
        },
      ),
    );
  });

  it("keeps inputs and targets together", async () => {
    const parts = split({ x: [rows(20), rows(20)], y: rows(20) }, { seed: 4 });
    for (const part of [parts.train, parts.validation, parts.test]) {
      for await (const { x, y } of opened(part).batch(3)) {
        const [one, two] = x as readonly Tensor[];
        expect(one?.data).toEqual((y as Tensor).data);
        expect(two?.data).toEqual((y as Tensor).data);
      }
    }
  });

  it("orders by the seed", async () => {
    const test = (seed: number): Promise<number[]> => rowsOf(split({ x: rows(100) }, { seed }).test);
    expect(await test(1)).not.toEqual(await test(2));
    expect(await test(1)).not.toEqual(sorted(await test(1)));
  });

  it("stratified gives each part its share of each label, to within two rows", async () => {
    const labels = fc.array(fc.constantFrom(0, 0, 0, 1, 1, 7), { minLength: 30, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(labels, fc.nat(), async (y, seed) => {
        const parts = split({ x: rows(y.length), y: tensor(y) }, { validation: 0.2, test: 0.15, seed, stratify: true });
        for (const part of [parts.train, parts.validation, parts.test]) {
          const counted = await rowsOf(part);
          for (const label of [0, 1, 7]) {
            const exact = (y.filter((other) => other === label).length * part.size) / y.length;
            expect(Math.abs(counted.filter((row) => y[row] === label).length - exact)).toBeLessThanOrEqual(2);
          }
        }
      }),
    );
  });

  it("counts shares exactly where floating point does not", () => {
    expect(split({ x: rows(100) }, { validation: 0.29, test: 0.57 }).validation.size).toBe(29);
    expect(split({ x: rows(100) }, { validation: 0.29, test: 0.57 }).test.size).toBe(57);
  });

  it("refuses shares, data and options that make no sense", () => {
    const x = rows(10);
    expect(() => split({ x }, { validation: 1 })).toThrow(
      "split: validation is out of range: expected a number above 0 and below 1, received 1.",
    );
    expect(() => split({ x }, { test: 0.05 })).toThrow(
      "split: a part would be empty: expected at least one row in each, received 9 train, 1 validation, 0 test of 10 rows.",
    );
    expect(() => split({ x }, { validation: 0.5, test: 0.5 })).toThrow(OptionError);
    expect(() => split({ x }, { seed: -1 })).toThrow("split: seed is out of range");
    expect(() => split({ x }, { train: 0.8 } as SplitOptions)).toThrow('split: unknown option "train"');
    expect(() => split({ x }, { stratify: true })).toThrow(
      "split: stratify needs labels: expected y with one label a row, received no y.",
    );
    expect(() => split({ x, y: tensor(new Float32Array(20), { shape: [10, 2] }) }, { stratify: true })).toThrow(
      "received (10, 2)",
    );
    expect(() => split(Dataset.fromTensors(x), { stratify: true })).toThrow(
      "split: stratify needs the labels: expected tensors { x, y }, received a Dataset. Split the tensors, then shuffle, map and batch the parts.",
    );
    expect(() => split(Dataset.fromTensors(x).batch(2))).toThrow("select: the dataset is in batches already");
    expect(() => split({ x: [1, 2] as unknown as Tensor })).toThrow(DataError);
  });
});
