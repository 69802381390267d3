/**
 * `npm run test:browser`: the packed package, bundled by Vite, trains in a real Chromium; with `precision: "reproducible"` its
 * weights after 100 steps are those of Node, bit for bit. Needs `chromium` (Debian's), or its path in CHROMIUM.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser } from "playwright-core";
import { build, preview } from "vite";
import { isolated, launchChromium } from "./browser/chromium.js";
import { check, finishChecks } from "./checks.js";
import { root } from "./root.js";

interface Trained {
  readonly loss: number;
  readonly seconds: number;
  readonly weights: readonly (readonly [name: string, bits: readonly number[]])[];
}

type Train = (options: object) => Promise<Trained>;

const folder = mkdtempSync(join(tmpdir(), "torte-browser-"));

/** A project as a user has it: the packed package, a page, nothing configured. */
function makeProject(): void {
  const npm = (args: string[], cwd: string): void => {
    execFileSync("npm", args, { cwd, stdio: ["ignore", "ignore", "inherit"] });
  };
  npm(["pack", "--silent", "--workspace", "packages/torte", "--pack-destination", folder], root);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
  assert(tarball !== undefined);
  npm(["install", "--silent", "--no-audit", "--no-fund", `./${tarball}`], folder);
  copyFileSync(join(root, "scripts/browser/train.mjs"), join(folder, "train.mjs"));
  writeFileSync(join(folder, "index.html"), '<!doctype html><script type="module" src="/main.mjs"></script>');
  writeFileSync(join(folder, "main.mjs"), 'import { train } from "./train.mjs";\nwindow.train = train;\n');
}

async function inPage(
  browser: Browser,
  address: string,
  options: object,
): Promise<{ trained: Trained; shared: boolean; warnings: readonly string[] }> {
  const page = await browser.newPage();
  const warnings: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "warning" && message.text().includes("torte")) warnings.push(message.text());
  });
  page.on("pageerror", (error) => {
    console.error(error);
  });
  await page.goto(address);
  await page.waitForFunction(() => "train" in globalThis);
  const result = await page.evaluate(async (given) => {
    const scope = globalThis as unknown as { train: Train; crossOriginIsolated: boolean };
    return { trained: await scope.train(given), shared: scope.crossOriginIsolated };
  }, options);
  await page.close();
  return { ...result, warnings };
}

makeProject();
await build({ root: folder, logLevel: "warn" });
const serve = async (headers: Record<string, string>): Promise<{ address: string; stop: () => Promise<void> }> => {
  const server = await preview({ root: folder, logLevel: "warn", preview: { port: await freePort(), headers } });
  const [address = ""] = server.resolvedUrls?.local ?? [];
  return { address, stop: () => server.close() };
};
async function freePort(): Promise<number> {
  const probe: Server = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const browser = await launchChromium();
const { train } = (await import(pathToFileURL(join(folder, "train.mjs")).href)) as { train: Train };
const expected = await train({ precision: "reproducible", threads: 1 });

const alone = await serve({});
await check("a page without shared memory trains on one thread, says so once, and gives Node's bits", async () => {
  const { trained, shared, warnings } = await inPage(browser, alone.address, { precision: "reproducible", threads: 2 });
  assert.equal(shared, false);
  assert.equal(warnings.length, 1);
  assert.deepEqual(trained.weights, expected.weights);
  assert.equal(trained.loss, expected.loss);
});
await alone.stop();

const together = await serve(isolated);
await check("an isolated page trains on two threads and gives Node's bits", async () => {
  const { trained, shared, warnings } = await inPage(browser, together.address, {
    precision: "reproducible",
    threads: 2,
  });
  assert.equal(shared, true);
  assert.deepEqual(warnings, []);
  assert.deepEqual(trained.weights, expected.weights);
  console.log(
    `        ${(trained.seconds * 10).toFixed(2)} ms a step with compilation, Node ${(expected.seconds * 10).toFixed(2)}`,
  );
});
await check("with fused multiply-add the loss is the same to four digits", async () => {
  const { trained } = await inPage(browser, together.address, { precision: "fast", threads: 2 });
  assert(Math.abs(trained.loss - expected.loss) < 1e-4, `${trained.loss} against ${expected.loss}`);
});
await together.stop();
await browser.close();
rmSync(folder, { recursive: true });
finishChecks();
