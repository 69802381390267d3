/**
 * The packed package in one small program, bundled by esbuild, webpack, Rollup and Vite as they come, for Node and for a page.
 * Each bundle runs and gives the losses that the package gives without a bundler, bit for bit: on two threads where memory may
 * be shared, on one where it may not, in pages that have a `process` of their own, and under a strict Content-Security-Policy.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeResolve } from "@rollup/plugin-node-resolve";
import * as esbuild from "esbuild";
import { rollup } from "rollup";
import * as vite from "vite";
import webpack from "webpack";
import { isolated, launchChromium } from "../browser/chromium.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const work = mkdtempSync(join(tmpdir(), "torte-bundlers-"));
const project = join(work, "project");
const outside = join(work, "bundles"); // where nothing is beside a bundle
const at = (...path) => join(project, ...path);

/** A project as a user has it: the packed package, a program, nothing configured. */
function makeProject() {
  mkdirSync(project);
  const npm = (args, cwd) => execFileSync("npm", args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  npm(["pack", "--silent", "--workspace", "packages/torte", "--pack-destination", project], root);
  writeFileSync(at("package.json"), JSON.stringify({ private: true, type: "module" }));
  const [tarball] = readdirSync(project).filter((name) => name.endsWith(".tgz"));
  npm(["install", "--silent", "--no-audit", "--no-fund", `./${tarball}`], project);
  cpSync(join(here, "program.mjs"), at("program.mjs"));
  writeFileSync(
    at("node.mjs"),
    'import { run } from "./program.mjs";\nrun(process.argv[2]).then((losses) => console.log(JSON.stringify(losses)));\n',
  );
  writeFileSync(
    at("page.mjs"),
    'import { run } from "./program.mjs";\nwindow.result = run("/data.npy").then((losses) => losses, String);\n',
  );
  /** A strict page names the worker's file; how its address is had is the bundler's own. */
  const strict = (name, address) =>
    writeFileSync(
      at(name),
      `import { configureEngine } from "torte";\n${address}\nconfigureEngine({ workerUrl });\nimport("./page.mjs");\n`,
    );
  strict("strict-copied.mjs", 'const workerUrl = "/worker.js";');
  strict("strict-webpack.mjs", 'const workerUrl = new URL("torte/worker.js", import.meta.url);');
  strict("strict-vite.mjs", 'import workerUrl from "torte/worker.js?url";');
  writeFileSync(join(work, "data.npy"), npy(256, 256));
}

/** A file of float32 numbers, made up. */
function npy(rows, columns) {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${rows}, ${columns}), }`;
  const text = header.padEnd(128 - 10 - 1) + "\n";
  const values = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * 0.37) * Math.cos(i * 0.011));
  const start = Buffer.from([0x93, ...Buffer.from("NUMPY"), 1, 0, text.length, 0]);
  return Buffer.concat([start, Buffer.from(text), Buffer.from(values.buffer)]);
}

/** Each makes a bundle of `entry` in `folder` and says its file. `host` is "node" or "page". */
const bundlers = {
  async esbuild(entry, host, folder, { format = "esm" } = {}) {
    const outfile = join(folder, format === "cjs" ? "out.cjs" : "out.mjs");
    const platform = host === "node" ? "node" : "browser";
    await esbuild.build({ entryPoints: [entry], bundle: true, format, platform, outfile, minify: true, logLevel: "error" }); // prettier-ignore
    return outfile;
  },
  async webpack(entry, host, folder) {
    const output = { path: folder, filename: host === "node" ? "out.cjs" : "out.mjs" };
    const target = host === "node" ? "node" : "web";
    const stats = await new Promise((resolve, reject) =>
      webpack({ mode: "production", entry, target, output, performance: { hints: false } }, (error, done) =>
        error ? reject(error) : resolve(done),
      ),
    );
    assert(!stats.hasErrors() && !stats.hasWarnings(), stats.toString());
    return join(folder, output.filename);
  },
  async rollup(entry, host, folder, { format = "es" } = {}) {
    const plugins = [nodeResolve({ browser: host === "page", exportConditions: host === "node" ? ["node"] : [] })];
    const onwarn = ({ code, message }) => {
      if (!message.includes('"module"')) throw new Error(message);
    };
    const bundle = await rollup({ input: entry, plugins, onwarn });
    const file = join(folder, format === "cjs" ? "out.cjs" : "out.mjs");
    await bundle.write({ file, format, inlineDynamicImports: true });
    return file;
  },
  async vite(entry, host, folder) {
    const common = { root: project, logLevel: "warn", configFile: false };
    if (host === "node") {
      const build = {
        ssr: entry,
        outDir: folder,
        emptyOutDir: true,
        rollupOptions: { output: { entryFileNames: "out.mjs" } },
      };
      await vite.build({ ...common, build, ssr: { noExternal: true } });
      return join(folder, "out.mjs");
    }
    const build = { outDir: folder, emptyOutDir: true, rollupOptions: { input: entry, output: { entryFileNames: "out.mjs" } }, modulePreload: { polyfill: false }, assetsInlineLimit: 0 }; // prettier-ignore
    await vite.build({ ...common, build });
    return join(folder, "out.mjs");
  },
};

let passed = 0;
let failed = 0;
async function check(name, body) {
  try {
    await body();
    passed++;
    console.log(`ok      ${name}`);
    return true;
  } catch (error) {
    failed++;
    console.log(`FAILED  ${name}\n${String(error?.stack ?? error)}`);
    return false;
  }
}

const inNode = (file) =>
  JSON.parse(execFileSync("node", [file, join(work, "data.npy")], { cwd: outside, encoding: "utf8", timeout: 60_000 }));

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".npy": "application/octet-stream" }; // prettier-ignore

/** Serves `folder` and the data; the page sets `before` ahead of the bundle. */
async function serve(folder, { headers = {}, before = "" } = {}) {
  const files = { "/before.js": before, "/": '<!doctype html><script src="/before.js"></script><script type="module" src="/out.mjs"></script>' }; // prettier-ignore
  const server = createServer(({ url }, response) => {
    try {
      const body = files[url] ?? readFileSync(url === "/data.npy" ? join(work, "data.npy") : join(folder, url));
      response.writeHead(200, { "Content-Type": TYPES[extname(url) || ".html"], ...headers }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}/`, stop: () => server.close() };
}

let browser;
async function inPage(address) {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  try {
    await page.goto(address);
    await page
      .waitForFunction(() => "result" in globalThis, undefined, { timeout: 20_000 })
      .catch((error) => {
        throw new Error(`${error} ${errors.join("\n")}`);
      });
    const result = await page.evaluate(() => globalThis.result);
    return {
      result,
      shared: await page.evaluate(() => globalThis.crossOriginIsolated),
      workers: page.workers().length,
    };
  } finally {
    await page.close();
  }
}

async function served(folder, options, look) {
  const { address, stop } = await serve(folder, options);
  try {
    look(await inPage(address));
  } finally {
    stop();
  }
}

const strictPolicy = {
  "Content-Security-Policy": "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'",
};
let bundles = 0;
const folderFor = (name) => {
  const folder = join(outside, `${++bundles}-${name}`);
  mkdirSync(folder, { recursive: true });
  return folder;
};

makeProject();
mkdirSync(outside);
cpSync(at("node_modules/torte/dist/worker.js"), join(work, "worker.js"));
const expected = inNode(at("node.mjs"));
assert(expected.length === 3 && expected.at(-1) < 0.5 * expected[0], `the program does not learn: ${expected}`);
browser = await launchChromium();

const wanted = process.argv.slice(2);
for (const [name, bundle] of Object.entries(bundlers)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const formats = { esbuild: ["esm", "cjs"], rollup: ["es", "cjs"] }[name] ?? [undefined];
  for (const format of formats) {
    await check(`${name}, for Node${format === undefined ? "" : ` (${format})`}`, async () => {
      assert.deepEqual(inNode(await bundle(at("node.mjs"), "node", folderFor(name), { format })), expected);
    });
  }
  const folder = folderFor(name);
  if (!(await check(`${name}, for a page`, () => bundle(at("page.mjs"), "page", folder)))) continue;
  await check(`${name}, in an isolated page, with two threads`, () =>
    served(folder, { headers: isolated }, ({ result, shared, workers }) => {
      assert.deepEqual(result, expected);
      assert.equal(shared, true);
      assert.equal(workers, 2);
    }),
  );
  for (const before of ["", "process = {}", "process = { env: {} }"]) {
    await check(`${name}, in a page${before === "" ? "" : ` with ${before}`}`, () =>
      served(folder, { before }, ({ result, shared, workers }) => {
        assert.deepEqual(result, expected);
        assert.equal(shared, false);
        assert.equal(workers, 1);
      }),
    );
  }
  await check(`${name}, in a page whose policy forbids the worker: says why`, () =>
    served(folder, { headers: strictPolicy }, ({ result }) => {
      assert.match(result, /engine: the worker cannot start, .*worker-src blob:.*configureEngine\(\{ workerUrl \}\)/);
    }),
  );
  const strict = folderFor(name);
  const own = { webpack: "strict-webpack.mjs", vite: "strict-vite.mjs" }[name];
  if (own === undefined) cpSync(join(work, "worker.js"), join(strict, "worker.js"));
  await check(`${name}, in a strict page with workerUrl`, async () => {
    await bundle(at(own ?? "strict-copied.mjs"), "page", strict);
    for (const isolation of [{}, isolated]) {
      await served(strict, { headers: { ...strictPolicy, ...isolation } }, ({ result, workers }) => {
        assert.deepEqual(result, expected);
        assert.equal(workers, isolation === isolated ? 2 : 1);
      });
    }
  });
}

await check("Vite's development server", async () => {
  writeFileSync(at("index.html"), '<!doctype html><script type="module" src="/page.mjs"></script>');
  mkdirSync(at("public"));
  cpSync(join(work, "data.npy"), at("public/data.npy"));
  const server = await vite.createServer({ root: project, configFile: false, logLevel: "warn", server: { port: 0, headers: isolated } }); // prettier-ignore
  try {
    await server.listen();
    const { result, workers } = await inPage(server.resolvedUrls.local[0]);
    assert.deepEqual(result, expected);
    assert.equal(workers, 2);
  } finally {
    await server.close();
  }
});

await browser.close();
rmSync(work, { recursive: true });
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
