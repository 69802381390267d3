/** The compiler and the cache where something is not as it should be. */
import fs, {
  chmodSync,
  closeSync,
  existsSync,
  fstatSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { build } from "./build.js";
import { sha256 } from "./cache.js";
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

it("writes over no library that may be loaded: what is made anew is another file", async () => {
  const compiler = await compilerThat("true");
  const path = await build(SOURCE, compiler);
  const loaded = openSync(path, "r");
  const before = [fstatSync(loaded).ino, sha256(readFileSync(loaded))];
  chmodSync(path, 0o777);
  expect(await build(SOURCE, compiler)).toBe(path);
  expect([fstatSync(loaded).ino, sha256(readFileSync(path))]).toEqual(before);
  expect(statSync(path).ino).not.toBe(before[0]);
  closeSync(loaded);
});

it("loads no entry of another source, or one that somebody else has put there", async () => {
  const compiler = await compilerThat("true");
  const [one, other] = [await build(SOURCE, compiler), await build(`${SOURCE}\n`, compiler)];
  writeFileSync(join(cache, `${basename(one).split("-")[0] ?? ""}-${"0".repeat(64)}.node`), readFileSync(other), {
    mode: 0o700,
  });
  expect(await build(SOURCE, compiler)).toBe(one);
  rmSync(one);
  symlinkSync(other, one);
  expect(await build(SOURCE, compiler)).toBe(one);
  expect(lstatSync(one).isFile()).toBe(true);
  expect(timesRun()).toBe(3);
});

it("has a bounded cache: what was used longest ago goes first", async () => {
  const compiler = await compilerThat("true");
  const kept = await build(SOURCE, compiler);
  for (const [name, age] of [
    ["a", 3000],
    ["b", 2000],
    ["c", 1000],
  ] as const) {
    const path = join(cache, `${name}-${name}.node`);
    closeSync(openSync(path, "w"));
    truncateSync(path, 100 * 2 ** 20);
    utimesSync(path, new Date(Date.now() - 1000 * age), new Date(Date.now() - 1000 * age));
  }
  const made = await build(`${SOURCE}\n`, compiler);
  const left = readdirSync(cache).sort();
  expect(left).toEqual(["b-b.node", "c-c.node", basename(kept), basename(made)].sort());
});

it.each([
  ["full", "echo 'final link failed: No space left on device' >&2; exit 1"],
  ["mounted so that nothing can be loaded from it", 'for last; do :; done; echo "no library" >"$last"; exit 0'],
])("makes libraries elsewhere where the cache is %s, and says nothing", async (_, fails) => {
  const compiler = await compilerThat(`case "$*" in *${cache}/*) ${fails};; esac`);
  const paths = [await build(SOURCE, compiler), await build(SOURCE, compiler), await build(`${SOURCE}\n`, compiler)];
  expect(paths[1]).toBe(paths[0]);
  for (const path of paths) expect(dirname(path)).not.toBe(cache);
  // The cache is tried once.
  expect(timesRun()).toBe(3);
  expect(readdirSync(cache)).toEqual([]);
});

it.each(["ENOSPC", "EROFS"])("makes libraries elsewhere where the cache answers %s", async (code) => {
  const compiler = await compilerThat("true");
  const real = writeFileSync;
  const write = vi.spyOn(fs, "writeFileSync").mockImplementation((path, ...rest) => {
    if (String(path).startsWith(cache)) throw Object.assign(new Error(code), { code });
    real(path, ...rest);
  });
  const path = await build(SOURCE, compiler);
  write.mockRestore();
  expect(dirname(path)).not.toBe(cache);
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
