/**
 * `npm run test:next`: the app of docs/guide/next.md, its files as the page has them, with the packed package and Next as npm has it,
 * built and run. Server and page give the same number; the page trains on several threads.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchChromium } from "../browser/chromium.ts";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const app = mkdtempSync(join(tmpdir(), "torte-next-"));
const PORT = 4183;
const address = `http://127.0.0.1:${PORT}`;
const run = (command, args, cwd = app) =>
  execFileSync(command, args, { cwd, env: { ...process.env, NEXT_TELEMETRY_DISABLED: "1" }, encoding: "utf8" });

/** Each block of the page begins with its file's name. */
function writeFiles() {
  const page = readFileSync(join(root, "docs/guide/next.md"), "utf8");
  const blocks = [...page.matchAll(/^```js\n\/\/ (\S+)\n([\s\S]*?)^```/gm)];
  assert(blocks.length >= 6, "the page has lost its files");
  for (const [, name, text] of blocks) {
    mkdirSync(dirname(join(app, name)), { recursive: true });
    writeFileSync(join(app, name), text);
  }
}

async function answering() {
  for (let tries = 0; tries < 300; tries++) {
    const response = await fetch(`${address}/sine?x=1`).catch(() => undefined);
    if (response?.ok) return response.json();
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error("the server does not answer");
}

run("npm", ["pack", "--silent", "--workspace", "packages/torte", "--pack-destination", app], root);
const tarball = readdirSync(app).find((name) => name.endsWith(".tgz"));
writeFileSync(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
run("npm", ["install", "--silent", "--no-audit", "--no-fund", `./${tarball}`, "next@16", "react@19", "react-dom@19"]);
writeFiles();
console.log(run(join(app, "node_modules/.bin/next"), ["build"]).trim());

const server = spawn(process.execPath, ["node_modules/next/dist/bin/next", "start", "-p", String(PORT)], {
  cwd: app,
  stdio: ["ignore", "ignore", "inherit"],
});
const browser = await launchChromium();
try {
  const { y } = await answering();
  assert(Math.abs(y - Math.sin(1)) < 0.1, `the server says ${y}`);
  assert.equal((await fetch(`${address}/sine?x=no`)).status, 400);

  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  let workers = 0;
  page.on("worker", () => workers++);
  await page.goto(address);
  await page.getByRole("button", { name: "Train" }).click();
  const output = page.locator("output");
  await output.filter({ hasText: "sin(1)" }).waitFor({ timeout: 30_000 });
  assert.equal(await output.textContent(), `sin(1) is about ${y}`);
  assert.deepEqual(errors, []);
  assert.equal(await page.evaluate(() => globalThis.crossOriginIsolated), true);
  console.log(`ok      Next: server and page say ${y}; ${workers} workers in the page`);
} finally {
  await browser.close();
  server.kill();
  await new Promise((resolve) => server.once("exit", resolve));
  rmSync(app, { recursive: true });
}
