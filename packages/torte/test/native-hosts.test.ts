/** Hosts that let Torte start no compiler. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "torte-hosts-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

const torte = pathToFileURL(join(import.meta.dirname, "../dist/index.js")).href;

const SCRIPT = `
import { dense, describeBackend, input, sequential, tensor } from ${JSON.stringify(torte)};
const [backend] = process.argv.slice(2);
const model = sequential(input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" }), { backend });
model.compile({ optimizer: "sgd", loss: "binaryCrossentropy" });
const data = { x: tensor([[0, 1], [1, 0]]), y: tensor([[0], [1]]) };
const fitted = await model.fit(data, { epochs: 2, verbose: 0 }).then(() => "trained", ({ message }) => message);
console.log(JSON.stringify([await describeBackend({ backend }), fitted]));
process.exit(0);
`;

/** Which backend is said to run, and what becomes of training, where a program may read files and have workers, no more. */
function underPermissions(backend: string): [string, string] {
  const script = join(folder, "script.mjs");
  writeFileSync(script, SCRIPT);
  const flag = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
  const args = [flag, "--allow-fs-read=*", "--allow-worker", script, backend];
  const output = execFileSync(process.execPath, args, { stdio: ["ignore", "pipe", "ignore"] }).toString();
  return JSON.parse(output.trim()) as [string, string];
}

it("auto is WebAssembly under Node's permissions, without an error", { timeout: 120_000 }, () => {
  const [runs, fitted] = underPermissions("auto");
  expect(runs).toMatch(/^WebAssembly.*no C compiler/);
  expect(fitted).toBe("trained");
});

it("native says under Node's permissions what is missing", { timeout: 120_000 }, () => {
  const [runs, fitted] = underPermissions("native");
  expect(runs).toMatch(/^nothing: /);
  expect(fitted).toMatch(/no code of this machine[^]*backend: "wasm"/);
});
