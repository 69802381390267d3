import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const path = (file: string): string => fileURLToPath(new URL(`../${file}`, import.meta.url));
const page = readFileSync(path("docs/architecture.md"), "utf8");
const recipes = readFileSync(path("CONTRIBUTING.md"), "utf8");

it("docs/architecture.md names code that is there: each link's text stands in the file that it leads to", () => {
  const links = [...page.matchAll(/\[`([^`]+)`\]\(\.\.\/([^)]+)\)/g)];
  expect(links.length).toBeGreaterThan(20);
  const broken = links.filter(([, name = "", file = ""]) => {
    if (name.endsWith("/")) return !existsSync(path(file));
    return !existsSync(path(file)) || !readFileSync(path(file), "utf8").includes(name);
  });
  expect(broken.map(([link]) => link)).toEqual([]);
});

it("every source file that docs/architecture.md and CONTRIBUTING.md name exists", () => {
  const named = [...(page + recipes).matchAll(/`((?:[a-z]+\/)+[a-z0-9.-]+\.ts)`/g)].map(([, file = ""]) => file);
  expect(named.length).toBeGreaterThan(30);
  const missing = named.filter((file) => !existsSync(path(`packages/torte/src/${file}`)) && !existsSync(path(file)));
  expect(missing).toEqual([]);
});

it("every file of the compiler has a test that imports it", () => {
  const root = path("packages/torte/src");
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).map((file) => join(root, file));
  const imported = new Set(
    files
      .filter((file) => file.endsWith(".test.ts"))
      .flatMap((file) =>
        [...readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)\.js"/g)].map(([, to = ""]) =>
          join(dirname(file), `${to}.ts`),
        ),
      ),
  );
  const compiler = files.filter((file) => /\/compile\/.*\.ts$/.test(file) && !file.endsWith(".test.ts"));
  expect(compiler.length).toBeGreaterThan(30);
  expect(compiler.filter((file) => !imported.has(file))).toEqual([]);
});

it("what a compiler's engineer searches for is found where it is done, by the field's own words", () => {
  const WORDS: Readonly<Record<string, string>> = {
    gemm: "compile/lower/gemm.ts",
    matmul: "compile/lower/gemm.ts",
    im2col: "compile/lower/gemm.ts",
    "register tile": "compile/lower/gemm-tile.ts",
    "micro-kernel": "compile/lower/gemm-tile.ts",
    packed: "compile/lower/gemm-packed.ts",
    epilogue: "compile/lower/kernel.ts",
    vectorize: "compile/lower/kernel.ts",
    liveness: "compile/schedule/memory.ts",
    arena: "compile/schedule/memory.ts",
    "dead code": "compile/rewrite/rewrite.ts",
    "common-subexpression": "compile/rewrite/common-subexpressions.ts",
    "split-K": "compile/rewrite/split-reductions.ts",
    winograd: "compile/rewrite/winograd.ts",
    hoist: "backends/wasm/emit.ts",
    "loop-invariant": "backends/wasm/addresses.ts",
    "strength reduction": "backends/wasm/addresses.ts",
    induction: "backends/wasm/addresses.ts",
    predicate: "backends/wasm/conditions.ts",
    barrier: "backends/wasm/barrier.ts",
    "work stealing": "backends/wasm/work-stealing.ts",
  };
  const missing = Object.entries(WORDS).filter(([word, file]) => {
    const text = readFileSync(path(`packages/torte/src/${file}`), "utf8").replaceAll(/\s*\n \* /g, " ");
    return !text.toLowerCase().includes(word.toLowerCase());
  });
  expect(missing).toEqual([]);
});
