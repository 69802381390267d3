/** Native code in processes of their own: several at once, and one that ends while its threads work. */
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "torte-processes-"));
  const compiler = join(folder, "compiler");
  writeFileSync(compiler, `#!/bin/sh\ncase "$*" in *" -o "*) echo once >>${folder}/log;; esac\nexec cc "$@"\n`);
  chmodSync(compiler, 0o755);
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const torte = pathToFileURL(join(import.meta.dirname, "../dist/index.js")).href;

interface Ended {
  readonly output: string;
  readonly code: number | null;
}

function run(script: string, cache: string): Promise<Ended> {
  const path = join(folder, "script.mjs");
  writeFileSync(path, script);
  const env = { ...process.env, CC: join(folder, "compiler"), TORTE_CACHE: join(folder, cache) };
  const child = spawn(process.execPath, [path], { env, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ output, code });
    });
  });
}

/** How often a compiler has run since this was asked last. */
function timesCompiled(): number {
  const log = join(folder, "log");
  const lines = readFileSync(log, "utf8").split("\n").length - 1;
  writeFileSync(log, "");
  return lines;
}

const TRAIN = `
import { dense, input, sequential, tensor } from ${JSON.stringify(torte)};
const model = sequential(input({ shape: [2] }), dense({ units: 3, activation: "tanh" }), dense({ units: 1 }), { backend: "native", seed: 1 });
model.compile({ optimizer: "sgd", loss: "meanSquaredError" });
const x = tensor([[0, 1], [1, 0], [1, 1]]);
await model.fit({ x, y: tensor([[0], [1], [1]]) }, { epochs: 3, batchSize: 2, verbose: 0 });
console.log(JSON.stringify([...(await model.predict(x)).data]));
`;

it("compiles each program once for processes that start at the same time", { timeout: 120_000 }, async () => {
  const alone = await run(TRAIN, "one");
  const programs = timesCompiled();
  expect(programs).toBeGreaterThan(1);
  const together = await Promise.all([run(TRAIN, "two"), run(TRAIN, "two"), run(TRAIN, "two")]);
  expect(timesCompiled()).toBe(programs);
  for (const ended of together) expect(ended).toEqual(alone);
  expect(alone).toMatchObject({ code: 0 });
});

const LEAVE = `
import { conv1d, functional, input, Tensor } from ${JSON.stringify(torte)};
const x = input({ shape: [400, 32] });
const layers = Array.from({ length: 4 }, () => conv1d({ filters: 32, kernelSize: 3, padding: "same", activation: "tanh" }));
const model = functional({ inputs: x, outputs: layers.reduce((y, layer) => layer(y), x), backend: "native", threads: 2 });
const data = new Tensor(new Float32Array(256 * 400 * 32), [256, 400, 32], "float32");
await model.predict(data, { batchSize: 32 });
void model.predict(data, { batchSize: 32 });
setTimeout(() => { console.log("leaving"); process.exit(3); }, 30);
`;

it("lets a process end while threads work for it", { timeout: 120_000 }, async () => {
  for (let i = 0; i < 3; i++) expect(await run(LEAVE, "cache")).toEqual({ output: "leaving\n", code: 3 });
});
