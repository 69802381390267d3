import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DataError, OptionError } from "../errors.js";
import { type Tensor, tensor } from "../tensor/tensor.js";
import { Dataset, type EpochPlan, type ShuffleOptions } from "./dataset.js";

/** Rows [i, -i] with targets 10·i. */
function numbered(n: number): Dataset<Tensor, Tensor> {
  const x = Int32Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? i / 2 : -(i - 1) / 2));
  return Dataset.fromTensors({
    x: tensor(x, { shape: [n, 2] }),
    y: tensor(Float32Array.from({ length: n }, (_, i) => 10 * i)),
  });
}

const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
};

/** Row numbers, read off the elements or batches that iteration gives. */
async function visited(data: Dataset<Tensor, Tensor>): Promise<number[]> {
  const elements = await all(data);
  return elements.flatMap(({ x, y }) => {
    const rows = x.shape.length === 1 ? [...x.reshape([1, 2]).data] : [...x.data];
    const numbers = rows.filter((_, i) => i % 2 === 0);
    expect(rows.filter((_, i) => i % 2 === 1)).toEqual(numbers.map((i) => 0 - i));
    expect([...y.data]).toEqual(numbers.map((i) => 10 * i));
    return numbers;
  });
}

/** The same, as training reads them. */
function planned({ columns, order }: EpochPlan): number[] {
  return [...order].map((row) => columns.x[0]?.data[2 * row] ?? NaN);
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const sizes = fc.integer({ min: 1, max: 40 });
const shuffles: fc.Arbitrary<ShuffleOptions> = fc.record(
  { seed: fc.nat(2 ** 32 - 1), bufferSize: fc.integer({ min: 1, max: 50 }), reshuffleEachIteration: fc.boolean() },
  { requiredKeys: [] },
);

type Stage = (data: Dataset<Tensor, Tensor>) => Dataset<Tensor, Tensor>;
/** Any chain of methods that leaves at least one element. Maps change nothing, so that rows can still be told. */
const chains: fc.Arbitrary<Stage> = fc
  .array(
    fc.oneof(
      shuffles.map(
        (options): Stage =>
          (data) =>
            data.shuffle(options),
      ),
      fc.nat().map(
        (n): Stage =>
          (data) =>
            data.take(1 + (n % data.length)),
      ),
      fc.nat().map(
        (n): Stage =>
          (data) =>
            data.skip(n % data.length),
      ),
      fc.constant<Stage>((data) => data.cache()),
      fc.constant<Stage>((data) => data.map(({ x, y }) => ({ x, y }))),
      fc.nat().map(
        (n): Stage =>
          (data) =>
            data.batchSize === undefined ? data.batch(1 + (n % data.size), { dropRemainder: n % 2 === 0 }) : data,
      ),
    ),
    { maxLength: 6 },
  )
  .map(
    (stages): Stage =>
      (data) =>
        stages.reduce((result, stage) => stage(result), data),
  );

describe("any chain of methods", () => {
  it("gives training and iteration the same rows, as many as it says, in epochs of the same rows", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, chains, async (n, chain) => {
        const data = chain(numbered(n));
        const epochs = [await visited(data), await visited(data)];
        for (const [epoch, rows] of epochs.entries()) {
          const plan = await data.plan(epoch);
          expect(planned(plan)).toEqual(rows);
          expect(rows.length).toBe(data.size);
          expect(new Set(rows).size).toBe(rows.length);
          expect(Math.ceil(rows.length / (plan.batchSize ?? 1))).toBe(data.length);
          if (plan.dropRemainder) expect(rows.length % (plan.batchSize ?? 1)).toBe(0);
          else expect(sorted(rows)).toEqual(sorted(epochs[0] ?? []));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("leaves the dataset it starts from as it was, and repeats itself", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, chains, async (n, chain) => {
        const source = numbered(n);
        const first = planned(await chain(source).plan(3));
        expect(planned(await chain(source).plan(3))).toEqual(first);
        expect(planned(await source.plan(0))).toEqual(range(0, n));
      }),
    );
  });
});

describe("fromTensors", () => {
  it("takes parts by name or by position, one or several", async () => {
    const [x, y] = [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([0, 1]),
    ];
    for (const data of [Dataset.fromTensors({ x, y }), Dataset.fromTensors(x, y)]) {
      const [first] = await all(data);
      expect(first?.x).toEqual(tensor([1, 2]));
      expect(first?.y).toEqual(tensor(0));
      expect([data.size, data.length, data.batchSize]).toEqual([2, 2, undefined]);
    }
    const several = Dataset.fromTensors({ x: [x, y], y: [y] }).batch(2);
    const [batch] = await all(several);
    expect(batch).toEqual({ x: [x, y], y: [y] });
    expect((await all(Dataset.fromTensors(x)))[1]).toEqual({ x: tensor([3, 4]), y: undefined });
    expect((await several.plan(0)).columns).toEqual({ x: [x, y], y: [y] });
  });

  it("refuses what are no rows", () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(() => Dataset.fromTensors({ x, y: tensor([1]) })).toThrow(
      "Dataset.fromTensors: the tensors have different numbers of rows: expected 2 rows each, received (2, 2), (1,).",
    );
    expect(() => Dataset.fromTensors(tensor([]))).toThrow(
      "Dataset.fromTensors: there are no rows: expected at least one example.",
    );
    expect(() => Dataset.fromTensors(tensor(1))).toThrow(
      "a tensor has no rows: expected tensors with at least one axis, received ()",
    );
    expect(() => Dataset.fromTensors({ x: [[1, 2]] as unknown as Tensor })).toThrow(
      "Dataset.fromTensors: no example: expected { x, y } of tensors, or of lists or objects of tensors; y may be left out, received { x: [[1, 2]] }. " +
        "Make tensors of arrays with tensor(values).",
    );
    expect(() => Dataset.fromTensors([])).toThrow(DataError);
    expect(() => Dataset.fromTensors(null as unknown as Tensor)).toThrow(OptionError);
    expect(() => Dataset.fromTensors({ x, labels: x } as { x: Tensor })).toThrow('unknown option "labels"');
  });
});

describe("shuffle", () => {
  it("orders by seed and epoch", async () => {
    const data = numbered(100).shuffle({ seed: 1 });
    const [first, second] = [planned(await data.plan(0)), planned(await data.plan(1))];
    expect(second).not.toEqual(first);
    expect(planned(await numbered(100).shuffle({ seed: 1 }).plan(1))).toEqual(second);
    expect(planned(await numbered(100).shuffle({ seed: 2 }).plan(0))).not.toEqual(first);
    const fixed = numbered(100).shuffle({ seed: 1, reshuffleEachIteration: false });
    expect(planned(await fixed.plan(7))).toEqual(first);
    expect(await visited(data)).toEqual(first);
    expect(await visited(data)).toEqual(second);
  });

  it("with a buffer of b puts row i at i − b + 1 or later, as tf.data does", async () => {
    await fc.assert(
      fc.asyncProperty(sizes, shuffles, async (n, options) => {
        const order = planned(await numbered(n).shuffle(options).plan(0));
        expect(sorted(order)).toEqual(range(0, n));
        order.forEach((row, i) => {
          expect(row).toBeLessThan(i + (options.bufferSize ?? n));
        });
      }),
    );
    expect(planned(await numbered(9).shuffle({ bufferSize: 1 }).plan(0))).toEqual(range(0, 9));
  });

  it("is uniform, and with a buffer draws evenly from it", async () => {
    const count = async (bufferSize: number | undefined, n: number): Promise<number[]> => {
      const counts = Array<number>(n).fill(0);
      const data = numbered(n).shuffle(bufferSize === undefined ? {} : { bufferSize });
      for (let epoch = 0; epoch < 6000; epoch++) {
        const [first = 0] = planned(await data.plan(epoch));
        counts[first] = (counts[first] ?? 0) + 1;
      }
      return counts;
    };
    // 2000 are expected of each row; the standard deviation is at most 37.
    for (const n of await count(undefined, 3)) expect(Math.abs(n - 2000)).toBeLessThan(185);
    const [a = 0, b = 0, c = 0, ...others] = await count(3, 6);
    for (const n of [a, b, c]) expect(Math.abs(n - 2000)).toBeLessThan(185);
    expect(others).toEqual([0, 0, 0]);
  });

  it("refuses options out of range", () => {
    const data = numbered(3);
    expect(() => data.shuffle({ seed: 1.5 })).toThrow(
      "shuffle: seed is out of range: expected a whole number from 0 to 4294967295, received 1.5.",
    );
    expect(() => data.shuffle({ bufferSize: 0 })).toThrow(
      "shuffle: bufferSize is out of range: expected a whole number of at least 1, received 0.",
    );
    expect(() => data.shuffle({ reshuffle: false } as ShuffleOptions)).toThrow('shuffle: unknown option "reshuffle"');
    expect(() => data.shuffle(1000 as unknown as ShuffleOptions)).toThrow("shuffle: options are no object");
  });
});

describe("take, skip and select", () => {
  it("never share a row, also where the order changes in each epoch", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 40 }), fc.nat(), shuffles, fc.nat(5), async (n, k, options, epoch) => {
        const data = numbered(n).shuffle(options);
        const count = 1 + (k % (n - 1));
        const [taken, left] = [
          planned(await data.take(count).plan(epoch)),
          planned(await data.skip(count).plan(epoch + 1)),
        ];
        expect(sorted([...taken, ...left])).toEqual(range(0, n));
      }),
    );
    const part = numbered(50).shuffle({ seed: 3 }).take(20);
    expect(planned(await part.plan(1))).not.toEqual(planned(await part.plan(0)));
  });

  it("count batches where there are batches", async () => {
    const data = numbered(10).batch(4);
    expect(planned(await data.take(1).plan(0))).toEqual(range(0, 4));
    expect(planned(await data.skip(1).plan(0))).toEqual(range(4, 10));
    expect(planned(await data.take(3).plan(0))).toEqual(range(0, 10));
    expect([data.length, data.skip(1).length, data.take(2).size]).toEqual([3, 2, 8]);
    const even = numbered(10).batch(4, { dropRemainder: true });
    expect([even.length, even.size, even.skip(1).size]).toEqual([2, 8, 4]);
  });

  it("choose positions", async () => {
    expect(planned(await numbered(5).select([3, 0]).plan(2))).toEqual([3, 0]);
    expect(planned(await numbered(5).skip(2).select([2, 0]).plan(0))).toEqual([4, 2]);
  });

  it("refuse counts and positions out of range, and leave no dataset empty", () => {
    const data = numbered(5);
    expect(() => data.take(6)).toThrow(
      "take: count is out of range: expected a whole number from 1 to 5 (the dataset has 5 rows), received 6.",
    );
    expect(() => data.batch(2).skip(3)).toThrow(
      "skip: count is out of range: expected a whole number from 0 to 2 (the dataset has 3 batches), received 3.",
    );
    for (const count of [0, -1, 1.5, NaN]) expect(() => data.take(count)).toThrow(OptionError);
    for (const count of [5, -1, 0.5]) expect(() => data.skip(count)).toThrow(OptionError);
    expect(() => data.select([0, 5])).toThrow(
      "select: position 1 is out of range or repeated: expected different whole numbers from 0 to 4, received 5.",
    );
    for (const positions of [[1, 1], [0.5], [-1], []]) expect(() => data.select(positions)).toThrow(OptionError);
    expect(() => data.batch(2).select([0])).toThrow(
      "select: the dataset is in batches already: expected rows. Call select before batch.",
    );
  });
});

describe("batch", () => {
  it("gives full batches and a last smaller one", async () => {
    const shapes = (await all(numbered(5).batch(2))).map(({ x, y }) => [x.shape, y.shape]);
    expect(shapes).toEqual([
      [[2, 2], [2]],
      [[2, 2], [2]],
      [[1, 2], [1]],
    ]);
    expect((await all(numbered(5).batch(2, { dropRemainder: true }))).map(({ x }) => x.shape)).toEqual([
      [2, 2],
      [2, 2],
    ]);
  });

  it("refuses sizes that make no sense", () => {
    const data = numbered(3);
    expect(() => data.batch(0)).toThrow(
      "batch: size is out of range: expected a whole number of at least 1, received 0.",
    );
    expect(() => data.batch(4, { dropRemainder: true })).toThrow(
      "batch: no batch is left: expected a size of at most 3 with dropRemainder, received 4.",
    );
    expect(() => data.batch(2).batch(2)).toThrow("batch: the dataset is in batches already");
    expect(data.batch(4).length).toBe(1);
  });
});

describe("map and cache", () => {
  it("map rows before batch and batches after it, in order, also asynchronously", async () => {
    const seen: (readonly number[])[] = [];
    const data = numbered(5)
      .map(async ({ x, y }) => {
        await Promise.resolve();
        return { x: tensor([(x.data[0] ?? 0) + 0.5]), y };
      })
      .batch(2)
      .map(({ x, y }) => {
        seen.push(x.shape);
        return { x: [x, y] };
      });
    const batches = await all(data);
    expect(batches.map(({ x, y }) => [x.map((t) => t.toArray()), y])).toEqual([
      [
        [
          [[0.5], [1.5]],
          [0, 10],
        ],
        undefined,
      ],
      [
        [
          [[2.5], [3.5]],
          [20, 30],
        ],
        undefined,
      ],
      [[[[4.5]], [40]], undefined],
    ]);
    expect(seen).toEqual([
      [2, 1],
      [2, 1],
      [1, 1],
    ]);
    const { columns, order, batchSize } = await data.plan(0);
    expect(columns.x.map((t) => t.toArray())).toEqual([
      [[0.5], [1.5], [2.5], [3.5], [4.5]],
      [0, 10, 20, 30, 40],
    ]);
    expect([columns.y, [...order], batchSize]).toEqual([[], range(0, 5), 2]);
  });

  it("map only rows that are visited, anew in each epoch unless cached", async () => {
    let calls = 0;
    const mapped = numbered(10).map(({ x, y }) => {
      calls++;
      return { x, y };
    });
    await mapped.take(3).plan(0);
    expect(calls).toBe(3);
    const [before, after] = [await mapped.plan(0), await mapped.plan(1)];
    expect(after.columns).not.toBe(before.columns);
    expect(calls).toBe(23);
    const cached = mapped.cache();
    const [one, two] = await Promise.all([cached.plan(0), cached.shuffle().batch(3).plan(1)]);
    expect(calls).toBe(33);
    expect(two.columns).toBe(one.columns);
  });

  it("leave the columns of a plan the same objects without a map", async () => {
    const data = numbered(10).shuffle().take(5).batch(2);
    const [one, two] = [await data.plan(0), await data.plan(1)];
    expect(two.columns).toBe(one.columns);
  });

  it("cache keeps the first order; a failure is not kept", async () => {
    const data = numbered(20).shuffle({ seed: 5 }).cache();
    expect(planned(await data.plan(1))).toEqual(planned(await data.plan(0)));
    let fails = true;
    const flaky = numbered(2)
      .map(({ x, y }) => {
        if (fails) throw new RangeError("not now");
        return { x, y };
      })
      .cache();
    await expect(flaky.plan(0)).rejects.toThrow("not now");
    fails = false;
    expect(planned(await flaky.plan(0))).toEqual([0, 1]);
  });

  it("refuse results that do not fit together", async () => {
    const data = numbered(3);
    const growing = data.map(({ x }) => ({ x: tensor(new Float32Array(1 + (x.data[0] ?? 0))) }));
    await expect(growing.plan(0)).rejects.toThrow(
      "map: result 1 differs from the first: expected x float32(1,), received x float32(2,).",
    );
    await expect(all(growing.batch(2))).rejects.toThrow(DataError);
    await expect(data.map(() => 3 as unknown as { x: Tensor }).plan(0)).rejects.toThrow(
      "map: no example: expected { x, y } of tensors, or of lists or objects of tensors; y may be left out, received 3.",
    );
    const halved = data.batch(2).map(({ x }) => ({ x: x.rows(0, 1) }));
    await expect(halved.plan(0)).rejects.toThrow(
      "map: the batch has another number of rows than before: expected 2, received 1.",
    );
    expect(() => data.map("x" as unknown as () => { x: Tensor })).toThrow(
      'map: change has the wrong type: expected a function, received "x".',
    );
  });
});
