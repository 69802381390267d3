/** What the conformance cases and the layers' contract run as WebAssembly gives the same bits as code of this machine. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it, vi } from "vitest";
import { functional, input, Tensor } from "torte";
import { CASES } from "../../packages/torte/test/contract-cases.js";
import { expectSameBits } from "../../packages/torte/src/testing/bits.js";
import { gathered, recordRuns, type Run } from "../../packages/torte/src/testing/recorded-runs.js";
import { readCases } from "./cases.js";
import { runCase } from "./run.js";

const MINUTES = 60_000;
/** Nodes of the programs that one compiler is started for. */
const NODES = 5000;

afterEach(() => {
  vi.unstubAllEnvs();
});

async function casesOf(names: readonly string[]): Promise<Run[]> {
  const folder = new URL("../../packages/torte/test/fixtures/conformance/", import.meta.url);
  const cases = (await Promise.all(names.map((name) => readCases(fileURLToPath(new URL(name, folder)))))).flat();
  return recordRuns(async () => {
    for (const conformance of cases) await runCase(conformance, "wasm");
  });
}

/** Predictions and all gradients of each layer with each combination of its options. */
async function layersOf(): Promise<Run[]> {
  const numbers = (shape: readonly number[], tokens?: number): Tensor => {
    const size = shape.reduce((a, b) => a * b, 1);
    const values = Array.from({ length: size }, (_, i) =>
      tokens === undefined ? 1.7 * Math.sin(1 + 2.3 * i) : (i * 5) % tokens,
    );
    return tokens === undefined
      ? new Tensor(Float32Array.from(values), shape, "float32")
      : new Tensor(Int32Array.from(values), shape, "int32");
  };
  return recordRuns(async () => {
    for (const { inputs, output, tokens, make } of CASES) {
      const places = inputs.map((shape) => input({ shape, dtype: tokens === undefined ? "float32" : "int32" }));
      const model = functional({ inputs: places, outputs: make()(places), backend: "wasm", seed: 5, threads: 1 });
      const x = inputs.map((shape) => numbers([3, ...shape], tokens));
      await model.predict(x);
      for (const training of [false, true])
        await model.gradients({ x, upstream: numbers([3, ...output]) }, { training });
      await model.close();
    }
  });
}

async function expectNativeBits(runs: readonly Run[], precision: "fast" | "reproducible"): Promise<void> {
  for (const { program, data } of gathered(runs, NODES)) await expectSameBits(program, data, { precision, threads: 2 });
}

it("of the conformance cases", { timeout: 10 * MINUTES }, async () => {
  const runs = await casesOf([
    "layers.json",
    "keras.json",
    "losses.json",
    "metrics.json",
    "optimizers.json",
    "updates.json",
  ]);
  expect(runs.length).toBeGreaterThan(300);
  await expectNativeBits(runs, "fast");
});

it("of the layers' contract", { timeout: 10 * MINUTES }, async () => {
  const runs = await layersOf();
  expect(runs.length).toBeGreaterThanOrEqual(3 * CASES.length);
  await expectNativeBits(runs, "fast");
});

/** clang where it is installed, as on CI. */
const other = ((): string => {
  try {
    execFileSync("clang", ["--version"]);
    return "clang";
  } catch {
    return "gcc";
  }
})();

it(`of a sample, by ${other}, reproducible`, { timeout: 10 * MINUTES }, async () => {
  vi.stubEnv("CC", other);
  await expectNativeBits(await casesOf(["layers.json"]), "reproducible");
});
