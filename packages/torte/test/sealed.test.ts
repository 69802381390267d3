import { describe, expect, it } from "vitest";
import { type Callback, DataError, Dataset, dense, input, sealTest, sequential, split, tensor } from "torte";

const parts = split({ x: tensor(new Float32Array(40), { shape: [20, 2] }), y: tensor(new Float32Array(20)) });

describe("a sealed test", () => {
  it("is refused by fit, as validation, by predict and by datasets, sealed and opened; evaluate opens it", async () => {
    const model = sequential(input({ shape: [2] }), dense({ units: 1 }), { backend: "reference" });
    model.compile({ loss: "meanSquaredError" });
    const test = sealTest(parts.test);
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
    expect(loss).toBe((await model.evaluate(parts.test)).loss);
    const opened = test.open("a second look");
    expect(test.openings.map(({ purpose }) => purpose)).toEqual(["evaluate", "a second look"]);
    expect(Date.parse(test.openings[0]?.time ?? "")).toBeGreaterThanOrEqual(before);
    await expect(model.fit(opened)).rejects.toThrow("fit: these rows are the opened test part");
    await expect(model.fit(parts.train, { validationData: opened })).rejects.toThrow("validationData: these rows are");
    expect(() => test.open("")).toThrow("open: there is no purpose");
    await model.close();
  });

  it("is not reached by callbacks", async () => {
    const model = sequential(input({ shape: [2] }), dense({ units: 1 }), { backend: "reference" });
    model.compile({ loss: "meanSquaredError" });
    const test = sealTest(parts.test);
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
    expect(seen.some((value) => value === test || value instanceof Dataset)).toBe(false);
    expect(test.openings).toEqual([]);
    await model.close();
  });
});
