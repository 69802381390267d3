/**
 * `npm run docs:test -- [SCREENSHOTS]`: the built site in Chromium. Pages fit phones and desktops, axe finds nothing serious, the
 * search finds, examples run with what the page says they print, change, show their types, and train on several threads; nothing
 * is asked of another machine.
 */
import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { launchChromium } from "./browser/chromium.js";
import { check, finishChecks } from "./checks.js";
import { root } from "./root.js";
import { serve } from "./site/serve.js";

const [screenshots] = process.argv.slice(2);
const axe = readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8");
const { address, stop } = await serve(4181);
const browser: Browser = await launchChromium();

const asked: string[] = [];
async function open(path: string, size = { width: 1280, height: 900 }): Promise<Page> {
  const page = await browser.newPage({ viewport: size, serviceWorkers: "block" });
  page.on("request", (request) => {
    if (!request.url().startsWith(address) && !/^(blob|data):/.test(request.url())) asked.push(request.url());
  });
  const response = await page.goto(new URL(path, address).href);
  assert.equal(response?.status(), 200, path);
  return page;
}

const PAGES = [
  "index.html",
  "modules/torte.html",
  "functions/torte.conv1d.html",
  "interfaces/torte.ConvOptions.html",
  "functions/ops.softmax.html",
  "guide/readme.html",
  "guide/first-model.html",
  "guide/regularization.html",
  "pages/pictures.html",
  "pages/layers.html",
  "chapter/readme.html",
  "chapter/7.2-layers.html",
  "chapter/7.6-regularization.html",
];

const PHONE = { width: 390, height: 844 };

interface Finding {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

for (const path of PAGES) {
  await check(`${path}: no serious finding of axe, and it fits a phone`, async () => {
    const name = path.replace(/\W+/g, "-").replace(/-html$/, "");
    for (const [kind, size] of [
      ["desktop", { width: 1280, height: 900 }],
      ["phone", PHONE],
    ] as const) {
      const page = await open(path, size);
      if (screenshots !== undefined) {
        mkdirSync(screenshots, { recursive: true });
        await page.screenshot({ path: join(screenshots, `${name}-${kind}.png`), fullPage: /^(guide|chapter)/.test(path) }); // prettier-ignore
      }
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      assert(wide <= 1, `${kind}: ${wide} pixels wider than the page`);
      if (kind === "desktop") {
        await page.evaluate(axe);
        const found = await page.evaluate(async () => {
          const { violations } = await (globalThis as unknown as { axe: { run: () => Promise<{ violations: Finding[] }> } }).axe.run(); // prettier-ignore
          return violations.map(({ id, impact, nodes }) => ({
            id,
            impact,
            nodes: nodes.map(({ html }) => ({ html })),
          }));
        });
        const serious = found.filter(({ impact }) => impact === "serious" || impact === "critical");
        assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html }) => html.slice(0, 160)).join(" | ")}`), []); // prettier-ignore
      }
      await page.close();
    }
  });
}

await check("the search finds a layer and a page of the guide", async () => {
  const page = await open("index.html");
  await page.keyboard.press("/");
  for (const [words, expected] of [
    ["conv1d", /functions\/torte\.conv1d\.html/],
    ["early stopping", /earlyStopping|guide\//],
  ] as const) {
    await page.locator("#tsd-search-input").fill(words);
    const found = page.locator("#tsd-search-results a");
    await found.first().waitFor();
    for (let tries = 50; tries > 0; tries--) {
      const links = await found.evaluateAll((all) => all.map((a) => (a as HTMLAnchorElement).href));
      if (links.some((link) => expected.test(link))) break;
      assert(tries > 1, links.join("\n"));
      await page.waitForTimeout(100);
    }
  }
  await page.close();
});

/** Runs the example of that number on a page; what it printed. */
async function run(page: Page, number: number): Promise<{ state: string; text: string; curves: number; note: string }> {
  const bar = page.locator(".play-bar").nth(number);
  await bar.getByRole("button", { name: "Run" }).click();
  const output = page.locator(".play-output").nth(number);
  await page.waitForFunction((n) => ["done", "failed"].includes((document.querySelectorAll(".play-output")[n] as HTMLElement).dataset["state"] ?? ""), number, { timeout: 60_000 }); // prettier-ignore
  return {
    state: (await output.getAttribute("data-state")) ?? "",
    text: (await output.locator(".play-text").allTextContents()).join("\n"),
    curves: await output.locator(".play-curves svg polyline").count(),
    note: (await output.locator(".play-note, .play-error").allTextContents()).join("\n"),
  };
}

await check(
  "the first model trains in the page, on several threads, with its curve, and prints what the page says",
  async () => {
    const page = await open("guide/first-model.html");
    const said = await run(page, 0);
    assert.equal(said.state, "done", said.note);
    assert.equal(said.text, "the loss is below 0.001: true\nsin(π/2) is about 1.0");
    assert.equal(said.curves, 1);
    assert.match(said.note, /up to \d+ threads/);
    if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, "ran.png") });
    await page.close();
  },
);

/** The pages of a folder of the documentation. */
const pagesIn = (folder: string): string[] =>
  readdirSync(join(root, "docs", folder))
    .filter((file) => file.endsWith(".md"))
    .map((file) => `${folder}/${file.replace(/\.md$/, ".html").toLowerCase()}`);

await check("every example of the guide and of the chapter that a page can run does", async () => {
  let ran = 0;
  for (const name of [...pagesIn("guide"), ...pagesIn("chapter")]) {
    const page = await open(name);
    const count = await page.locator(".play-bar").count();
    for (let i = 0; i < count; i++) {
      const said = await run(page, i);
      assert.equal(said.state, "done", `${name}, example ${i + 1}: ${said.note}`);
      ran++;
    }
    await page.close();
  }
  assert(ran >= 50, `only ${ran}`);
  console.log(`        ${ran} examples`);
});

await check(
  "an example changes: its types are shown, mistakes underlined, names completed, and what it became runs",
  async () => {
    const page = await open("guide/first-model.html");
    await page.locator(".play-bar").nth(1).getByRole("button", { name: "Edit" }).click();
    const editor = page.locator(".play-editor .cm-content");
    await editor.waitFor();
    await editor.fill('import { dense } from "torte";\nconst layer = dense({ units: "8" });\nconsole.log(layer);\n');
    const wrong = page.locator(".cm-lintRange-error");
    await wrong.first().waitFor({ timeout: 30_000 });
    await wrong.first().hover();
    await page.locator(".cm-tooltip-lint").first().waitFor();
    assert.match(
      (await page.locator(".cm-tooltip-lint").first().textContent()) ?? "",
      /'string' is not assignable to type 'number'/,
    );
    await page.mouse.move(0, 0);
    await editor.fill('import { tensor } from "torte";\nconst x = tensor([1, 2]);\nx.');
    await page.keyboard.press("Control+End");
    await page.keyboard.type("sh");
    await page.locator(".cm-tooltip-autocomplete").waitFor();
    assert.match((await page.locator(".cm-tooltip-autocomplete").textContent()) ?? "", /shape/);
    await editor.fill(
      'import { tensor } from "torte";\nconst x: number = 3;\nconsole.log(tensor([1, x]).shape, "own");\n',
    );
    const said = await run(page, 1);
    assert.equal(said.text, "[ 2 ] own", said.note);
    if (screenshots !== undefined) await page.screenshot({ path: join(screenshots, "edited.png") });
    await page.close();
  },
);

await check("an example that never ends is stopped, and one that fails says why", async () => {
  const page = await open("guide/first-model.html");
  await page.locator(".play-bar").nth(1).getByRole("button", { name: "Edit" }).click();
  const editor = page.locator(".play-editor .cm-content");
  await editor.fill('import "torte";\nfor (;;);\n');
  const bar = page.locator(".play-bar").nth(1);
  await bar.getByRole("button", { name: "Run" }).click();
  await bar.getByRole("button", { name: "Stop" }).click();
  assert.equal(await page.locator(".play-output").nth(1).getAttribute("data-state"), "failed");
  await editor.fill('import { dense } from "torte";\ndense({ units: -1 });\n');
  const said = await run(page, 1);
  assert.equal(said.state, "failed");
  assert.match(said.note, /units/);
  await editor.fill("const = 3;\n");
  assert.equal((await run(page, 1)).state, "failed");
  await page.close();
});

await check("nothing was asked of another machine", () => {
  assert.deepEqual(asked, []);
  return Promise.resolve();
});

await browser.close();
await stop();
finishChecks();
