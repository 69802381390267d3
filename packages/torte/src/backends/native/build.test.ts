/** The compiler and the cache where something is not as it should be. */
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { build } from "./build.js";
import { type Compiler, findCompiler } from "./compiler.js";
import { moduleText } from "./module-text.js";

const SOURCE = `static int run(char *M, const unsigned *P, int steps, int thread, int mode) { return 0; }${moduleText()}`;

let folder: string;
let cache: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "torte-build-"));
  cache = join(folder, "cache");
  vi.stubEnv("TORTE_CACHE", cache);
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A compiler that is a shell script: it does `first` where it is to make a library, and then what cc does. */
async function compilerThat(first: string): Promise<Compiler> {
  const path = join(folder, "compiler");
  const log = join(folder, "log");
  writeFileSync(path, `#!/bin/sh\ncase "$*" in *" -o "*) echo once >>${log}; ${first};; esac\nexec cc "$@"\n`);
  chmodSync(path, 0o755);
  vi.stubEnv("CC", path);
  const compiler = await findCompiler();
  if ("reason" in compiler) throw new Error(compiler.reason);
  return compiler;
}

const timesRun = (): number => readFileSync(join(folder, "log"), "utf8").trim().split("\n").length;

it("compiles once for all who ask at the same time, and not again", async () => {
  const compiler = await compilerThat("sleep 0.2");
  const paths = await Promise.all([build(SOURCE, compiler), build(SOURCE, compiler), build(SOURCE, compiler)]);
  expect(new Set([...paths, await build(SOURCE, compiler)]).size).toBe(1);
  expect(timesRun()).toBe(1);
  expect(statSync(cache).mode & 0o777).toBe(0o700);
  expect(readdirSync(cache)).toHaveLength(1);
  expect(await build(`${SOURCE}\n`, compiler)).not.toBe(paths[0]);
});

it("makes a broken entry anew, and loads none that others can write to", async () => {
  const compiler = await compilerThat("true");
  const path = await build(SOURCE, compiler);
  writeFileSync(path, readFileSync(path).subarray(0, 1000));
  expect(statSync(await build(SOURCE, compiler)).size).toBeGreaterThan(1000);
  chmodSync(path, 0o777);
  await build(SOURCE, compiler);
  expect(timesRun()).toBe(3);
});

it.each([
  ["a file in its place", () => writeFileSync(cache, "")],
  ["a folder of everybody's", () => chmodSync(cache, 0o777)],
])("keeps out of a cache that cannot be trusted: %s", async (_, spoil) => {
  const compiler = await compilerThat("true");
  if (_ !== "a file in its place") await build(SOURCE, compiler);
  spoil();
  const path = await build(SOURCE, compiler);
  expect(dirname(path)).not.toBe(cache);
  expect(existsSync(path)).toBe(true);
});

it("takes the lock of a process that has ended", async () => {
  const compiler = await compilerThat("true");
  const path = await build(SOURCE, compiler);
  const lock = join(cache, `${basename(path).split("-")[0] ?? ""}.lock`);
  rmSync(path);
  writeFileSync(lock, "999999999");
  utimesSync(lock, new Date(Date.now() - 5000), new Date(Date.now() - 5000));
  await build(SOURCE, compiler);
  expect(timesRun()).toBe(2);
  expect(existsSync(lock)).toBe(false);
});

it("kills a compiler that hangs, and leaves nothing behind", async () => {
  const compiler = await compilerThat("exec sleep 60");
  await expect(build(SOURCE, compiler, { limit: 300 })).rejects.toThrow("stopped after 0.3 s");
  expect(readdirSync(cache)).toEqual([]);
});

it("bears a compiler that prints warnings, and tells what one says that fails", async () => {
  const path = await build(SOURCE, await compilerThat("echo warning: be careful >&2"));
  expect(existsSync(path)).toBe(true);
  const failing = await compilerThat("echo no room >&2; exit 4");
  await expect(build(`${SOURCE} `, failing)).rejects.toThrow(/exit status 4: no room/);
});

it("loads no library here that ends the process that loads it first", async () => {
  const compiler = await compilerThat("true");
  const crash = `__attribute__((constructor)) static void end(void) { __builtin_trap(); }${SOURCE}`;
  await expect(build(crash, compiler)).rejects.toThrow(/cannot be loaded: it was ended by SIG/);
});

it("says what was tried where there is none", async () => {
  vi.stubEnv("CC", "/nowhere/cc");
  expect(await findCompiler()).toEqual({ reason: expect.stringMatching(/^\/nowhere\/cc: /) as string });
});
