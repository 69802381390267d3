/** What models take of the engine's memory, and that they give it back. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { dense, input, lambda, type Model, ops, sequential, sgd, Tensor } from "../index.js";
import { SharedSession } from "./shared-session.js";

const zeros = (...shape: number[]): Tensor =>
  new Tensor(new Float32Array(shape.reduce((a, b) => a * b)), shape, "float32");
const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "nothing was thrown",
    (error: unknown) => String(error),
  );

afterEach(() => {
  vi.restoreAllMocks();
});

describe("programs", () => {
  it.each([
    ["rows that are apart", []],
    ["a layer that looks across the batch", [lambda((x) => ops.sub(x, ops.mean(x, { axes: [0] })))]],
  ])("of many batch sizes are not all kept: %s", async (_, layers) => {
    const compiled = vi.spyOn(SharedSession.prototype, "compile");
    const unloaded = vi.spyOn(SharedSession.prototype, "unload");
    const model = sequential(input({ shape: [1] }), dense({ units: 1 }), ...layers);
    for (let size = 1; size <= 40; size++) {
      const { shape } = await model.predict(zeros(40, 1), { batchSize: size });
      expect(shape).toEqual([40, 1]);
    }
    expect(compiled.mock.calls.length).toBeGreaterThan(12);
    expect(compiled.mock.calls.length - unloaded.mock.calls.length).toBeLessThanOrEqual(12);
    // Those that were given back are made again.
    expect((await model.predict(zeros(40, 1), { batchSize: 1 })).shape).toEqual([40, 1]);
    await model.close();
  });

  it("are fewer than sizes where padding rows cannot matter", async () => {
    const compiled = vi.spyOn(SharedSession.prototype, "compile");
    const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
    for (let size = 65; size <= 128; size += 3) await model.predict(zeros(200, 1), { batchSize: size });
    expect(compiled.mock.calls.length).toBeLessThanOrEqual(4);
    await model.close();
  });
});

describe("memory", () => {
  const adam = async (model: Model): Promise<void> => {
    model.compile({ optimizer: "adam", loss: "meanSquaredError" });
    await model.fit({ x: zeros(2, 700), y: zeros(2, 700) });
  };

  it("of what compile replaces is given back", { timeout: 60_000 }, async () => {
    const model = sequential(input({ shape: [700] }), dense({ units: 700 }));
    for (let i = 0; i < 4; i++) await adam(model);
    const before = process.memoryUsage().rss;
    // Each has 6 MB for the optimizer, and as much as that and the weights for the copy that steps are replayed from: 800 MB in all.
    // Collectors of two threads come to what is left of it now and then, 200 MB later at worst.
    for (let i = 0; i < 60; i++) await adam(model);
    expect(process.memoryUsage().rss - before).toBeLessThan(400e6);
    await model.close();
  });

  it("that a batch cannot have is given back, with an error that says what it was for", async () => {
    const model = sequential(input({ shape: [1] }), dense({ units: 4096 }), dense({ units: 1 }), { seed: 1 });
    const small = async (): Promise<number[]> => [...(await model.predict(zeros(2, 1))).data];
    const expected = await small();
    for (let i = 0; i < 2; i++) {
      expect(await messageOf(model.predict(zeros(300_000, 1), { batchSize: 300_000 }))).toMatch(
        /^TrainingError: predict\(\d+\): there is not enough memory: expected at most 4 GiB, all that WebAssembly can address, received \S+ GiB for what is computed on the way, beside \S+ MiB that are taken\. Choose a smaller batchSize, or make the model smaller\.$/,
      );
      expect(await small()).toEqual(expected);
    }
    await model.close();
  });

  it("that weights, or their optimizer, cannot have is refused at once", { timeout: 5_000 }, async () => {
    const large = sequential(input({ shape: [35_000] }), dense({ units: 35_000, name: "large" }));
    expect(await messageOf(large.getWeights())).toMatch(
      /^TrainingError: large\.kernel: there is not enough memory: .* received 4\.6 GiB for large\.kernel \(35000, 35000\) and 1 more\. /,
    );
    const model = sequential(input({ shape: [1] }), dense({ units: 1 }));
    model.compile({ optimizer: sgd(), loss: "meanSquaredError" });
    await model.fit({ x: zeros(2, 1), y: zeros(2, 1) });
  });
});
