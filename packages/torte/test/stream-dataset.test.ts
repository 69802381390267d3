/** Streams of examples, beside what the same methods do to plain arrays. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Dataset,
  dense,
  input,
  openJsonLines,
  OptionError,
  type Parts,
  sequential,
  type StreamDataset,
  type Tensor,
  tensor,
} from "torte";

type Numbers = StreamDataset<Tensor, Tensor>;

/** An example for each number, in every pass; tells how many were asked for, and whether each pass was closed. */
function counted(values: readonly number[] | (() => Iterable<number>)) {
  const seen = { made: 0, open: 0 };
  const data: Numbers = Dataset.fromGenerator(async function* () {
    seen.open++;
    try {
      for (const value of typeof values === "function" ? values() : values) {
        seen.made++;
        if (seen.made % 3 === 0) await Promise.resolve();
        yield { x: tensor([value]), y: tensor(-value) };
      }
    } finally {
      seen.open--;
    }
  });
  return { seen, data };
}
const of = (values: readonly number[]): Numbers => counted(values).data;

/** Asks for some elements, and no more. */
async function some(data: AsyncIterable<Parts>, count = 1): Promise<void> {
  const iterator = data[Symbol.asyncIterator]();
  for (let i = 0; i < count; i++) await iterator.next();
  await iterator.return?.();
}

async function elements(data: AsyncIterable<Parts>): Promise<Parts[]> {
  const all: Parts[] = [];
  for await (const element of data) all.push(element);
  return all;
}
/** Numbers of each element; targets are looked at, too. */
async function lists(data: AsyncIterable<Parts>): Promise<number[][]> {
  return (await elements(data)).map(({ x, y }) => {
    const values = [...(x as Tensor).data];
    if (y !== undefined) expect([...(y as Tensor).data].map((one) => 0 - one)).toEqual(values);
    return values;
  });
}
const flat = async (data: AsyncIterable<Parts>): Promise<number[]> => (await lists(data)).flat();
const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const value = ({ x }: { x: Tensor }): number => x.data[0] ?? NaN;

/** A method, and what it does to an array. */
interface Step {
  readonly name: string;
  readonly stream: (data: Numbers) => Numbers;
  readonly array: (values: readonly number[]) => readonly number[];
}
const small = fc.integer({ min: 0, max: 12 });
const positive = fc.integer({ min: 1, max: 5 });
const steps: fc.Arbitrary<Step> = fc.oneof(
  small.map((n): Step => ({ name: `take ${n}`, stream: (d) => d.take(n), array: (v) => v.slice(0, n) })),
  small.map((n): Step => ({ name: `skip ${n}`, stream: (d) => d.skip(n), array: (v) => v.slice(n) })),
  positive.map((n): Step => ({
    name: `repeat ${n}`,
    stream: (d) => d.repeat(n),
    array: (v) => Array.from({ length: n }, () => v).flat(),
  })),
  positive.map((n): Step => ({
    name: `filter ${n}`,
    stream: (d) => d.filter(async ({ x }) => (await Promise.resolve(value({ x }))) % n === 0),
    array: (v) => v.filter((one) => one % n === 0),
  })),
  fc.tuple(positive, fc.boolean()).map(([parallel, slow]): Step => ({
    name: `map ${parallel}`,
    stream: (d) =>
      d.map(
        async ({ x }) => {
          const one = value({ x });
          // Later ones are ready first.
          if (slow) for (let i = 0; i < 7 - (one % 7); i++) await Promise.resolve();
          return { x: tensor([one + 1]), y: tensor(-one - 1) };
        },
        { parallel },
      ),
    array: (v) => v.map((one) => one + 1),
  })),
  positive.map((n): Step => ({ name: `prefetch ${n}`, stream: (d) => d.prefetch(n), array: (v) => v })),
  fc.constant<Step>({ name: "cache", stream: (d) => d.cache(), array: (v) => v }),
  fc.array(small).map((more): Step => ({
    name: "concatenate",
    stream: (d) => d.concatenate(of(more)),
    array: (v) => [...v, ...more],
  })),
  fc.array(small).map((other): Step => ({
    name: "zip",
    stream: (d) => d.zip(of(other), (a, b) => ({ x: tensor([value(a) + value(b)]), y: tensor(-value(a) - value(b)) })),
    array: (v) => v.slice(0, other.length).map((one, i) => one + (other[i] ?? 0)),
  })),
);

describe("any chain of methods", () => {
  it("gives what it gives of an array, in every pass, and closes all passes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(small, { maxLength: 20 }), fc.array(steps, { maxLength: 5 }), async (values, chain) => {
        const { seen, data } = counted(values);
        const stream = chain.reduce((result, { stream }) => stream(result), data);
        const expected = chain.reduce<readonly number[]>((result, { array }) => array(result), values);
        for (let pass = 0; pass < 2; pass++) expect(await flat(stream)).toEqual(expected);
        await some(stream);
        expect(seen.open).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("gives the same of resident rows", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(small, { minLength: 1 }), fc.array(steps, { maxLength: 3 }), async (values, chain) => {
        const resident = Dataset.fromTensors({
          x: tensor(Float32Array.from(values), { shape: [values.length, 1] }),
          y: tensor(Float32Array.from(values, (one) => -one)),
        });
        const expected = chain.reduce<readonly number[]>((result, { array }) => array(result), values);
        expect(await flat(chain.reduce((result, { stream }) => stream(result), resident.stream()))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});

describe("batches", () => {
  it("hold what groups of an array hold", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(small), positive, fc.boolean(), async (values, size, dropRemainder) => {
        const groups: number[][] = [];
        for (let i = 0; i < values.length; i += size) groups.push(values.slice(i, i + size));
        const kept = dropRemainder ? groups.filter(({ length }) => length === size) : groups;
        expect(await lists(of(values).batch(size, { dropRemainder }))).toEqual(kept);
      }),
    );
  });

  it("of windows begin shift apart", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(small),
        positive,
        positive,
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        async (values, size, shift, stride, dropRemainder) => {
          const expected: number[][] = [];
          for (let from = 0; from < values.length; from += shift) {
            const window = values.slice(from, from + (size - 1) * stride + 1).filter((_, i) => i % stride === 0);
            const full = from + (size - 1) * stride < values.length;
            if (full || !dropRemainder) expected.push(window);
          }
          expect(await lists(of(values).window(size, { shift, stride, dropRemainder }))).toEqual(expected);
        },
      ),
    );
  });

  /** Sequences 1, 2, …, n. */
  const ragged = (lengths: readonly number[]): StreamDataset<Tensor, Tensor> =>
    Dataset.fromGenerator(function* () {
      for (const n of lengths) yield { x: tensor(Float32Array.from({ length: n }, (_, i) => i + 1)), y: tensor([n]) };
    });
  const lengths = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1 });
  const sequence = (n: number, to: number, filling: number): number[] =>
    Array.from({ length: to }, (_, i) => (i < n ? i + 1 : filling));

  it("of sequences are filled up at their end", async () => {
    await fc.assert(
      fc.asyncProperty(lengths, positive, fc.constantFrom(undefined, 9), async (all, size, length) => {
        const options = { value: 7, ...(length === undefined ? {} : { length }) };
        const batches = await elements(ragged(all).paddedBatch(size, options));
        const rows = batches.flatMap(({ x }) => (x as Tensor).toArray() as unknown as number[][]);
        const expected = all.map((n, i) => {
          const start = i - (i % size);
          return sequence(n, length ?? Math.max(...all.slice(start, start + size)), 7);
        });
        expect(rows).toEqual(expected);
        expect(batches.flatMap(({ y }) => [...(y as Tensor).data])).toEqual(all);
      }),
    );
    await expect(elements(ragged([3]).paddedBatch(1, { length: 2 }))).rejects.toThrow(
      "paddedBatch: an example is longer than the length that is asked for: expected at most 2 positions, received 3.",
    );
  });

  it("of a bucket are of similar length, and nothing is lost", async () => {
    await fc.assert(
      fc.asyncProperty(lengths, positive, fc.boolean(), async (all, size, dropRemainder) => {
        const boundaries = [3, 6];
        const options = { boundaries, batchSize: [size, size + 1, 1], dropRemainder };
        const batches = await elements(ragged(all).bucketByLength(options));
        const found = batches.map(({ y }) => [...(y as Tensor).data]);
        const bucket = (n: number): number => boundaries.filter((boundary) => n >= boundary).length;
        for (const [i, group] of found.entries()) {
          const at = bucket(group[0] ?? 0);
          expect(group.every((n) => bucket(n) === at)).toBe(true);
          expect(group.length <= (options.batchSize[at] ?? 0)).toBe(true);
          expect((batches[i]?.x as Tensor).shape).toEqual([group.length, Math.max(...group)]);
        }
        for (const at of [0, 1, 2]) {
          const wanted = all.filter((n) => bucket(n) === at);
          const given = found.flat().filter((n) => bucket(n) === at);
          const left = dropRemainder ? wanted.length % (options.batchSize[at] ?? 1) : 0;
          expect(given).toEqual(wanted.slice(0, wanted.length - left));
        }
      }),
    );
  });
});

describe("shuffle", () => {
  it("is an order of the same examples, another one in each pass, the same one for the same seed", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(small), positive, fc.nat(), async (values, bufferSize, seed) => {
        const numbered = values.map((_, i) => i);
        const data = of(numbered).shuffle({ bufferSize, seed });
        const order = await flat(data.pass(1));
        expect(sorted(order)).toEqual(numbered);
        expect(await flat(data.pass(1))).toEqual(order);
        // A window of b puts example i at i − b + 1 or later.
        order.forEach((one, i) => expect(one).toBeLessThan(i + bufferSize));
        const same = of(numbered).shuffle({ bufferSize, seed, reshuffleEachIteration: false });
        expect(await flat(same.pass(4))).toEqual(await flat(same.pass(0)));
      }),
    );
    const many = of(Array.from({ length: 50 }, (_, i) => i)).shuffle({ bufferSize: 50 });
    expect(await flat(many)).not.toEqual(await flat(many));
    // The order of resident rows, drawn from such a window.
    const twice = many.repeat(2);
    const both = await flat(twice);
    expect(both.slice(0, 50)).not.toEqual(both.slice(50));
  });
});

describe("interleave", () => {
  it("goes through several datasets in turn", async () => {
    const naive = (starts: readonly number[], cycle: number, block: number): number[] => {
      const left = starts.map((start) => Array.from({ length: start % 4 }, (_, i) => 10 * start + i));
      const open = left.splice(0, cycle);
      const result: number[] = [];
      for (let at = 0; open.length > 0;) {
        at %= open.length;
        const current = open[at] ?? [];
        const taken = current.splice(0, block);
        result.push(...taken);
        if (taken.length === block) at++;
        else {
          const [next] = left.splice(0, 1);
          if (next === undefined) open.splice(at, 1);
          else open[at] = next;
        }
      }
      return result;
    };
    await fc.assert(
      fc.asyncProperty(fc.array(small), positive, positive, async (starts, cycleLength, blockLength) => {
        const inner = ({ x }: { x: Tensor }): Numbers =>
          of(Array.from({ length: value({ x }) % 4 }, (_, i) => 10 * value({ x }) + i));
        const data = of(starts).interleave(inner, { cycleLength, blockLength });
        expect(await flat(data)).toEqual(naive(starts, cycleLength, blockLength));
      }),
    );
  });
});

describe("nothing is made before it is asked for", () => {
  const endless = function* (): Generator<number> {
    for (let i = 0; ; i++) yield i;
  };

  it.each<[string, (data: Numbers) => AsyncIterable<Parts>, number]>([
    ["map", (data) => data.map(({ x }) => ({ x })), 3],
    ["map, 4 at a time", (data) => data.map(({ x }) => ({ x }), { parallel: 4 }), 6],
    ["filter", (data) => data.filter(({ x }) => value({ x }) % 2 === 0), 5],
    ["shuffle", (data) => data.shuffle({ bufferSize: 10 }), 13],
    ["batch", (data) => data.batch(2), 6],
    ["prefetch", (data) => data.prefetch(5), 9],
    ["repeat", (data) => data.repeat(), 3],
    ["cache", (data) => data.cache(), 3],
  ])("%s holds back", async (_, chain, most) => {
    const { seen, data } = counted(endless);
    await some(chain(data), 3);
    expect(seen.made).toBeLessThanOrEqual(most);
    expect(seen.open).toBe(0);
  });

  it("maps run together, as many as asked, and end before the pass does", async () => {
    let [running, most] = [0, 0];
    const slow = of([1, 2, 3, 4, 5, 6]).map(
      async ({ x }) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 5));
        running--;
        return { x };
      },
      { parallel: 3 },
    );
    await some(slow);
    expect([running, most]).toEqual([0, 3]);
  });
});

describe("failures", () => {
  it("come with the pass closed, wherever they are", async () => {
    const fail = (): never => {
      throw new RangeError("no more");
    };
    const chains: readonly ((data: Numbers) => AsyncIterable<Parts>)[] = [
      (data) => data.map(fail),
      (data) => data.map(() => Promise.reject(new RangeError("no more")), { parallel: 3 }).prefetch(2),
      (data) => data.filter(fail),
      (data) => data.zip(of([1, 2, 3]), fail),
      (data) => of([1, 2, 3]).zip(data.map(fail), ({ x }) => ({ x })),
      (data) => data.interleave(fail),
      (data) => data.interleave(() => of([1]).map(fail)),
      (data) => data.cache().map(fail),
    ];
    for (const chain of chains) {
      const { seen, data } = counted([1, 2, 3]);
      await expect(elements(chain(data))).rejects.toThrow("no more");
      expect(seen.open).toBe(0);
    }
  });

  it("are told by their place", async () => {
    const any = (x: unknown): never => x as never;
    await expect(elements(Dataset.fromGenerator(() => [any(3)]))).rejects.toThrow(
      "Dataset.fromGenerator, example 0: no example",
    );
    await expect(elements(Dataset.fromGenerator(() => any(3)))).rejects.toThrow("the function gives no examples");
    await expect(elements(of([1]).map(() => any(3)))).rejects.toThrow("map: no example");
    expect(() => of([1]).batch(2).batch(2)).toThrow("batch: the dataset is in batches already");
    expect(() =>
      of([1])
        .batch(2)
        .concatenate(of([1])),
    ).toThrow("one of the datasets is in batches");
    expect(() =>
      of([1]).zip(
        any(3),
        any(() => 3),
      ),
    ).toThrow("zip: this is no dataset");
    expect(() => of([1]).shuffle(any({ seed: 1 }))).toThrow("shuffle: bufferSize is out of range");
    expect(() => of([1]).map(any(3))).toThrow(OptionError);
    expect(() => of([1]).bucketByLength({ boundaries: [3, 3], batchSize: 2 })).toThrow("boundaries has the wrong form");
    expect(() => of([1]).bucketByLength({ boundaries: [3], batchSize: [2] })).toThrow(
      "expected a number, or 2 of them",
    );
    await expect(of([]).collect()).rejects.toThrow("collect: there are no examples");
  });
});

describe("cache", () => {
  it("in a file is whole or not there, and read when it is", async () => {
    const folder = await mkdtemp(join(tmpdir(), "torte-cache-"));
    const file = join(folder, "rows.cache");
    let passes = 0;
    const make = (): StreamDataset =>
      Dataset.fromGenerator(function* (): Generator<Parts> {
        passes++;
        yield {
          x: { a: tensor([[1, 2]]), b: tensor([3], { dtype: "int32" }) },
          y: [tensor([true]), tensor(0.5)],
          sampleWeight: tensor(2),
        };
        yield { x: tensor([]), y: tensor(Float64Array.of(1 / 3), { dtype: "float64" }) };
      });
    const expected = await elements(make());
    await some(make().cache({ file }));
    expect(await readdir(folder)).toEqual([]);
    expect(await elements(make().cache({ file }))).toEqual(expected);
    const before = passes;
    expect(await elements(make().cache({ file }))).toEqual(expected);
    expect(passes).toBe(before);
    const bytes = await readFile(file);
    for (const bad of [bytes.subarray(0, bytes.length - 3), Buffer.from("something else, and long enough")]) {
      await writeFile(file, bad);
      await expect(elements(make().cache({ file }))).rejects.toThrow("this is no cache of examples");
    }
    await rm(folder, { recursive: true });
  });

  it("in memory keeps the first whole pass", async () => {
    const { seen, data } = counted([1, 2, 3]);
    const cached = data.shuffle({ bufferSize: 3 }).cache();
    await some(cached);
    const first = await flat(cached);
    const made = seen.made;
    expect(await flat(cached)).toEqual(first);
    expect(seen.made).toBe(made);
  });
});

describe("files", () => {
  const lines = Array.from({ length: 7 }, (_, i) => JSON.stringify({ a: i, label: i % 2 })).join("\n");

  it("are rows, read anew in each pass", async () => {
    const folder = await mkdtemp(join(tmpdir(), "torte-rows-"));
    const path = join(folder, "rows.jsonl");
    await writeFile(path, lines);
    const encode = ({ a }: Readonly<Record<string, unknown>>): { x: Tensor; y: Tensor } => ({
      x: tensor([Number(a)]),
      y: tensor(-Number(a)),
    });
    const data = Dataset.fromFile(path, encode);
    for (let pass = 0; pass < 2; pass++) expect(await flat(data)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const opened = Dataset.fromFile(() => openJsonLines(new TextEncoder().encode(lines)), encode);
    expect(await lists(opened.batch(4))).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6],
    ]);
    await expect(elements(Dataset.fromFile("rows.csv", encode))).rejects.toThrow("from @torte/data");
    await rm(folder, { recursive: true });
  });
});

describe("fit", () => {
  const learner = () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 1 }), { backend: "reference" });
    model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
    return model;
  };

  it("trains on examples, put together to batches, and on batches, as on resident rows", async () => {
    const values = Array.from({ length: 23 }, (_, i) => Math.sin(i));
    const data = of(values).map(({ x, y }) => ({ x, y: y.reshape([1]) }));
    const rows = await data.collect();
    const [resident, single, batched] = [learner(), learner(), learner()];
    const options = { epochs: 2, batchSize: 4, shuffle: false };
    const wanted = await resident.fit(Dataset.fromTensors(rows), { ...options, validationData: rows });
    const given = await single.fit(data, { epochs: 2, batchSize: 4, validationData: data });
    await batched.fit(data.batch(4), { epochs: 2 });
    const weights = await resident.getWeights();
    expect(await single.getWeights()).toEqual(weights);
    expect(await batched.getWeights()).toEqual(weights);
    expect(given.epochs.map(({ loss }) => loss)).toEqual(wanted.epochs.map(({ loss }) => loss));
    expect((await resident.predict(data)).shape).toEqual([23, 1]);
    await expect(single.fit(data.batch(4), { batchSize: 4 })).rejects.toThrow("batchSize is for rows");
  });

  it("gives each epoch its pass, with its order", async () => {
    const passes: number[] = [];
    const data = Dataset.fromGenerator(function* (pass) {
      passes.push(pass);
      yield { x: tensor([1]), y: tensor([pass]) };
    });
    await learner().fit(data, { epochs: 3 });
    expect(passes).toEqual([0, 1, 2]);
  });
});
