/** The test part is reached by evaluate and by a deliberate opening, and by nothing else of the public surface. */
import { describe, expect, it } from "vitest";
import * as torte from "torte";
import {
  type Callback,
  DataError,
  Dataset,
  dense,
  input,
  type Model,
  SealedTest,
  sealTest,
  sequential,
  split,
  StreamDataset,
  tensor,
} from "torte";

const tensors = { x: tensor(new Float32Array(40), { shape: [20, 2] }), y: tensor(new Float32Array(20)) };
const parts = split(tensors);

function small(): Model {
  const model = sequential(input({ shape: [2] }), dense({ units: 1 }), { backend: "reference" });
  model.compile({ loss: "meanSquaredError" });
  return model;
}

describe("a sealed test", () => {
  it("is what split gives, refused by fit, as validation, by predict and by datasets; evaluate opens it", async () => {
    const model = small();
    const { test } = split(tensors);
    const hidden = test as never;
    await expect(model.fit(hidden)).rejects.toThrow(
      "fit: the test part is sealed: expected the training or the validation part. Only evaluate opens the test part, for the final figure.",
    );
    await expect(model.fit(parts.train, { validationData: hidden })).rejects.toThrow(
      "validationData: the test part is sealed",
    );
    await expect(model.predict(hidden)).rejects.toThrow(DataError);
    await expect(model.checkData(hidden)).rejects.toThrow(DataError);
    expect(() => Dataset.fromTensors(hidden)).toThrow(DataError);
    expect(() => split(hidden)).toThrow(DataError);
    expect([test.openings, JSON.stringify(test)]).toEqual([[], `{"size":2,"openings":[]}`]);

    const before = Date.now();
    const { loss } = await model.evaluate(test);
    const opened = test.open("a second look");
    expect(loss).toBe((await model.evaluate(opened)).loss);
    expect(test.openings.map(({ purpose }) => purpose)).toEqual(["evaluate", "a second look"]);
    expect(Date.parse(test.openings[0]?.time ?? "")).toBeGreaterThanOrEqual(before);
    await expect(model.fit(opened)).rejects.toThrow("fit: these rows are the opened test part");
    await expect(model.fit(parts.train, { validationData: opened })).rejects.toThrow("validationData: these rows are");
    expect(() => test.open("")).toThrow("open: there is no purpose");
    await model.close();
  });

  it("is not reached by callbacks", async () => {
    const model = small();
    const { test } = parts;
    const seen: unknown[] = [];
    const callback = new Proxy<Callback>(
      {},
      {
        get: (_, name) =>
          typeof name === "string" && name.startsWith("on")
            ? (...given: unknown[]) => void seen.push(...given)
            : undefined,
      },
    );
    await model.fit(parts.train, { callbacks: [callback], epochs: 2 });
    expect(seen.length).toBeGreaterThan(0);
    expect(seen.some((value) => value === test || value instanceof Dataset || value instanceof SealedTest)).toBe(false);
    expect(test.openings).toEqual([]);
    await model.close();
  });

  it("is opened by no method of a model but evaluate, and by no function of the library", async () => {
    const model = small();
    const { test } = split(tensors);
    const tried = async (call: () => unknown): Promise<unknown> => {
      try {
        return await call();
      } catch {
        return undefined;
      }
    };
    const holds = (value: unknown): boolean => value instanceof Dataset || (Array.isArray(value) && value.some(holds));
    const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(model) as object).filter(
      (name) => !["constructor", "evaluate", "close", "compile"].includes(name),
    );
    expect(methods).toContain("fit");
    for (const name of methods) {
      const method: unknown = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(model) as object, name)?.value;
      if (typeof method !== "function") continue;
      for (const given of [[test, test], [{ x: test, y: test }], [parts.train, { validationData: test }]])
        await tried(() => method.apply(model, given) as unknown);
      expect(test.openings, name).toEqual([]);
    }
    const functions = Object.entries(torte).filter(
      ([name, value]) => typeof value === "function" && !/^class\b/.test(String(value)) && name !== "sealTest",
    );
    expect(functions.length).toBeGreaterThan(200);
    for (const [name, value] of functions) {
      const result = await tried(() => (value as (...given: unknown[]) => unknown)(test, test));
      expect([name, test.openings, holds(result)]).toEqual([name, [], false]);
    }
    await model.close();
  });
});

/** Each method of a dataset on an opened test: what it gives is one, too. */
const ofDataset: Readonly<Record<string, (data: Dataset) => unknown>> = {
  shuffle: (data) => data.shuffle(),
  take: (data) => data.take(1),
  skip: (data) => data.skip(1),
  select: (data) => data.select([0]),
  batch: (data) => data.batch(2),
  map: (data) => data.map((row) => row),
  cache: (data) => data.cache(),
  stream: (data) => data.stream(),
  filter: (data) => data.filter(() => true),
  repeat: (data) => data.repeat(2),
  paddedBatch: (data) => data.paddedBatch(2),
  window: (data) => data.window(2),
  prefetch: (data) => data.prefetch(),
  concatenate: (data) => data.concatenate(data),
  zip: (data) => data.zip(parts.train, (row) => row),
  interleave: (data) => data.interleave(() => parts.train),
};

const ofStream: Readonly<Record<string, (data: StreamDataset) => unknown>> = {
  stream: (data) => data.stream(),
  map: (data) => data.map((row) => row),
  filter: (data) => data.filter(() => true),
  shuffle: (data) => data.shuffle({ bufferSize: 2 }),
  batch: (data) => data.batch(2),
  paddedBatch: (data) => data.paddedBatch(2),
  bucketByLength: (data) => data.bucketByLength({ boundaries: [3], batchSize: 2 }),
  window: (data) => data.window(2),
  take: (data) => data.take(1),
  skip: (data) => data.skip(1),
  repeat: (data) => data.repeat(2),
  concatenate: (data) => data.concatenate(data),
  zip: (data) => data.zip(parts.train, (row) => row),
  interleave: (data) => data.interleave(() => parts.train),
  prefetch: (data) => data.prefetch(),
  cache: (data) => data.cache(),
  collect: (data) => data.collect(),
};

describe("an opened test", () => {
  it("stays one, whatever is made of it: fit refuses all of it", async () => {
    const model = small();
    const refused = async (name: string, data: unknown): Promise<void> => {
      await expect(model.fit((await data) as never), name).rejects.toThrow("the opened test part");
    };
    const opened = parts.test.open("to try what is made of it");
    for (const [name, make] of Object.entries(ofDataset)) await refused(name, make(opened));
    for (const [name, make] of Object.entries(ofStream)) await refused(name, make(opened.stream()));
    await refused("other side", parts.train.stream().concatenate(opened));
    for await (const batch of opened.batch(2)) {
      await refused("a batch", { x: batch.x, y: batch.y });
      await expect(model.trainOnBatch(batch)).rejects.toThrow("the opened test part");
    }
    for await (const row of opened.stream()) await refused("a row", [row.x, row.y]);
    expect(sealTest(parts.train).openings).toEqual([]);
    await model.close();
  });

  it("has a case above for each method of datasets", () => {
    const methods = (prototype: object): string[] =>
      Object.getOwnPropertyNames(prototype).filter((name) => {
        const value: unknown = Object.getOwnPropertyDescriptor(prototype, name)?.value;
        return typeof value === "function" && !["constructor", "plan", "pass"].includes(name);
      });
    expect(Object.keys(ofDataset).sort()).toEqual(methods(Dataset.prototype).sort());
    expect(Object.keys(ofStream).sort()).toEqual(methods(StreamDataset.prototype).sort());
  });
});
