/** Training by way of the system's C compiler. */
import { Worker } from "node:worker_threads";
import { afterEach, expect, it, vi } from "vitest";
import {
  adam,
  conv1d,
  dense,
  dropout,
  embedding,
  flatten,
  input,
  maxPooling1d,
  type Model,
  sequential,
  Tensor,
} from "torte";
import { PRECISIONS } from "../src/testing/bits.js";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const chapter = (options: object): Model =>
  sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16 }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dropout({ rate: 0.2 }),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
    { seed: 4, ...options },
  );

function rows(count: number): { x: Tensor; y: Tensor } {
  const tokens = Int32Array.from({ length: count * 200 }, (_, i) => 1 + ((i * 7919) % 20));
  const y = Float32Array.from({ length: count }, (_, i) => i % 2);
  return { x: new Tensor(tokens, [count, 200], "int32"), y: new Tensor(y, [count, 1], "float32") };
}

it.each(PRECISIONS)("gives the weights of WebAssembly after 100 steps, %s", { timeout: 300_000 }, async (precision) => {
  const results = [];
  for (const options of [
    { backend: "wasm", threads: 2 },
    { backend: "native", threads: 2 },
    { backend: "native", threads: 1 },
  ]) {
    const model = chapter({ ...options, precision });
    model.compile({ optimizer: adam(), loss: "binaryCrossentropy", metrics: ["accuracy"] });
    const data = rows(330);
    const history = await model.fit(data, { epochs: 10, batchSize: 32 });
    results.push({ history: history.epochs, weights: await model.getWeights(), p: await model.predict(data.x) });
    await model.close();
  }
  const [wasm, ...native] = results;
  for (const other of native) {
    expect(other.weights).toEqual(wasm?.weights);
    expect(other.p).toEqual(wasm?.p);
    expect(other.history.map(({ loss }) => loss)).toEqual(wasm?.history.map(({ loss }) => loss));
  }
});

it("says what is missing without a compiler, and what to do", async () => {
  vi.stubEnv("CC", "/nowhere/cc");
  const model = chapter({ backend: "native" });
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
  await expect(model.fit(rows(8))).rejects.toThrow(/no code of this machine.*\/nowhere\/cc[^]*backend: "wasm"/);
  await model.close();
});

/** What the engine was told to do. */
function actionsOfEngine(): string[] {
  const actions: string[] = [];
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const send = Worker.prototype.postMessage;
  vi.spyOn(Worker.prototype, "postMessage").mockImplementation(function (this: Worker, message: unknown, ...rest) {
    actions.push(String((message as { action?: unknown }).action));
    send.call(this, message, ...rest);
  });
  return actions;
}

it("auto changes over while it trains, and nobody sees it", { timeout: 300_000 }, async () => {
  const actions = actionsOfEngine();
  const data = rows(330);
  const results = [];
  let count = 0;
  for (const backend of ["auto", "wasm"]) {
    const model = chapter({ backend, threads: 2 });
    model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
    const once = (): Promise<unknown> => model.fit(data, { epochs: 4, batchSize: 32, verbose: 0 });
    if (backend === "auto") {
      // Two programs, that of the last batch, too, may change over; later runs are of native code.
      while (!actions.includes("replace") && count < 2000) {
        await once();
        count++;
      }
      expect(actions).toContain("replace");
      for (let more = 0; more < 5; more++) await once();
      count += 5;
    } else for (let i = 0; i < count; i++) await once();
    results.push({ weights: await model.getWeights(), p: await model.predict(data.x) });
    await model.close();
  }
  expect(results[1]).toEqual(results[0]);
});

it("auto trains on WebAssembly, without an error, where there is no compiler", async () => {
  vi.stubEnv("CC", "/nowhere/cc");
  const actions = actionsOfEngine();
  const model = chapter({ backend: "auto", threads: 2 });
  model.compile({ optimizer: adam(), loss: "binaryCrossentropy" });
  const data = rows(330);
  const started = performance.now();
  while (performance.now() < started + 3000) await model.fit(data, { epochs: 4, batchSize: 32, verbose: 0 });
  await model.close();
  expect(actions).not.toContain("replace");
});
