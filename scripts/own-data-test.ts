/**
 * `npm run test:own-data -- [SCREENSHOTS]`: what people see of their own data, in Chromium. The report of a run and the page of its service
 * fit phones and desktops, axe finds nothing serious, nothing is said on the console, and nobody else is asked; the readers give in a page,
 * from files that are chosen there, what they give in Node. Needs `npm run build`.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync, zipSync } from "fflate";
import { encode as encodePng } from "fast-png";
import { parquetWriteBuffer } from "hyparquet-writer";
import type { Page } from "playwright-core";
import { build, preview } from "vite";
import type * as data from "@torte/data";
import { launchChromium } from "./browser/chromium.js";
import { check, finishChecks } from "./checks.js";
import { root } from "./root.js";

const [screenshots] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "torte-own-data-"));
const command = join(root, "packages/cli/bin/torte.js");
const axe = readFileSync(join(root, "node_modules/axe-core/axe.min.js"), "utf8");
const { openImages, readTable } = (await import(pathToFileURL(join(root, "packages/data/dist/index.js")).href)) as Pick<
  typeof data,
  "openImages" | "readTable"
>;

const LETTERS = "ACDEFGHIKLMNPQRSTVWY";
const proteins = Array.from({ length: 240 }, (_, i) => {
  const letters = Array.from(
    { length: 40 + (i % 23) },
    (_unused, k) => LETTERS[(i * 31 + k * k * 7 + k * (i % 5)) % 20],
  );
  return { id: `p${i}`, seq: `${i % 2 === 0 ? "MK" : "MS"}${letters.join("")}`, soluble: i % 2 };
});
const csv = `id,seq,soluble\n${proteins.map(({ id, seq, soluble }) => `${id},${seq},${soluble}`).join("\n")}\n`;

function torte(...args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [command, ...args, "--quiet"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"],
    });
    child.on("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`torte ${args.join(" ")} ended with ${code}`));
    });
  });
}

const stripes = (i: number): Uint8Array =>
  encodePng({
    width: 12,
    height: 12,
    channels: 1,
    data: Uint8Array.from({ length: 144 }, (_, at) =>
      ((i % 2 === 0 ? Math.floor(at / 12) : at % 12) + i) % 4 < 2 ? 200 : (at * i) % 40,
    ),
  });

writeFileSync(join(folder, "proteins.csv"), csv);
for (const label of ["lying", "standing"]) mkdirSync(join(folder, "stripes", label), { recursive: true });
for (let i = 0; i < 60; i++)
  writeFileSync(join(folder, "stripes", i % 2 === 0 ? "lying" : "standing", `${i}.png`), stripes(i));
await torte("train", "proteins.csv", "--target", "soluble", "--epochs", "4", "--out", "run", "--evaluate");
await torte("train", "stripes", "--epochs", "2", "--out", "pictures");

const browser = await launchChromium();
const SIZES = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 844 } } as const;

/** Opens a page at each size, and looks at it. */
async function look(name: string, address: string, act?: (page: Page) => Promise<void>): Promise<void> {
  for (const [kind, viewport] of Object.entries(SIZES)) {
    const page = await browser.newPage({ viewport });
    const said: string[] = [];
    const asked: string[] = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(error.message));
    page.on("request", (request) => {
      if (!request.url().startsWith(new URL(".", address).href) && !request.url().startsWith("data:"))
        asked.push(request.url());
    });
    await page.goto(address);
    await act?.(page);
    if (screenshots !== undefined) {
      mkdirSync(screenshots, { recursive: true });
      await page.screenshot({ path: join(screenshots, `${name}-${kind}.png`), fullPage: true });
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert(wide <= 1, `${kind}: ${wide} pixels wider than the page`);
    assert.deepEqual([said, asked], [[], []]);
    await page.addScriptTag({ content: axe }).catch(() => page.evaluate(axe));
    const serious = await page.evaluate(async () => {
      interface Finding {
        readonly id: string;
        readonly impact: string;
        readonly nodes: readonly { readonly html: string }[];
      }
      const { violations } = await (globalThis as unknown as { axe: { run: () => Promise<{ violations: Finding[] }> } }).axe.run(); // prettier-ignore
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes[0]?.html.slice(0, 200) ?? ""}`);
    });
    assert.deepEqual(serious, []);
    await page.close();
  }
}

for (const run of ["run", "pictures"])
  await check(
    `the report of ${run} fits, says nothing on the console, asks nobody, and axe finds nothing serious`,
    () => look(`report-${run}`, pathToFileURL(join(folder, run, "report.html")).href),
  );

/** `torte serve`, until it is told to end. */
async function serving(run: string, use: (address: string) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, [command, "serve", run, "--port", "0"], { cwd: folder });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  while (!printed.includes("serves")) await new Promise((resolve) => setTimeout(resolve, 50));
  try {
    await use(/http:\S+/.exec(printed)?.[0] ?? "");
  } finally {
    child.kill("SIGTERM");
    await new Promise((resolve) => child.on("exit", resolve));
  }
}

await check("the page of serve tells what is asked, in words and with an image", async () => {
  const answered = async (page: Page, label: RegExp): Promise<void> => {
    await page.click("button");
    await page.waitForSelector("#answer td");
    assert.match((await page.textContent("#answer")) ?? "", label);
  };
  await serving("run", (address) =>
    look("serve", address, async (page) => {
      await page.fill("textarea", "MKVLAGIVGEQQLLAAPRKVLAGIVG");
      await answered(page, /probability0\.\d+label[01]/);
    }),
  );
  await serving("pictures", (address) =>
    look("serve-pictures", address, async (page) => {
      await page.setInputFiles("input[type=file]", {
        name: "a.png",
        mimeType: "image/png",
        buffer: Buffer.from(stripes(4)),
      });
      await answered(page, /label(lying|standing)/);
    }),
  );
});

/** The same rows in each format. */
function filesOfEachFormat(): Readonly<Record<string, Uint8Array>> {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const header = `{'descr': '<f8', 'fortran_order': False, 'shape': (${proteins.length},), }`.padEnd(117) + "\n";
  const start = Uint8Array.from([0x93, ...bytes("NUMPY"), 1, 0, 118, 0, ...bytes(header)]);
  const npy = Buffer.concat([start, new Uint8Array(Float64Array.from(proteins, ({ soluble }) => soluble).buffer)]);
  return {
    "a.csv": bytes(csv),
    "b.tsv.gz": gzipSync(bytes(csv.replaceAll(",", "\t"))),
    "c.fasta": bytes(proteins.map(({ id, seq }) => `>${id}\n${seq}\n`).join("")),
    "d.jsonl": bytes(proteins.map((row) => JSON.stringify(row)).join("\n")),
    "e.npz": zipSync({ "soluble.npy": npy }),
    "f.parquet": new Uint8Array(
      parquetWriteBuffer({
        columnData: [
          { name: "seq", data: proteins.map(({ seq }) => seq), type: "STRING" },
          { name: "soluble", data: proteins.map(({ soluble }) => soluble), type: "INT32" },
        ],
      }),
    ),
    "g.png": stripes(3),
    "h.jpg": new Uint8Array(readFileSync(join(root, "packages/data/test/fixtures/images/colour.jpg"))),
  };
}

const PAGE = `import { openImages, readTable } from "@torte/data";
const shown = (cell) => (typeof cell === "object" && cell !== null ? [cell.width, cell.height, ...cell.data] : cell);
window.read = async () => {
  const told = {};
  for (const file of document.querySelector("input").files) {
    const table = await readTable(file);
    told[file.name] = Object.fromEntries(table.columns.map((name) => [name, table.column(name).map(shown)]));
  }
  return told;
};
`;

await check("files that are chosen in a page are read as in Node", async () => {
  const project = join(folder, "page");
  mkdirSync(project);
  writeFileSync(
    join(project, "index.html"),
    '<!doctype html><link rel="icon" href="data:,"><input type="file" multiple><script type="module" src="/main.mjs"></script>',
  );
  writeFileSync(join(project, "main.mjs"), PAGE);
  const dist = (name: string): string => join(root, `packages/${name}/dist/index.js`);
  await build({
    root: project,
    logLevel: "error",
    resolve: { alias: { torte: dist("torte"), "@torte/data": dist("data") } },
    worker: { format: "es" },
  });
  const server = await preview({ root: project, logLevel: "error", preview: { port: 4187 } });
  const page = await browser.newPage();
  const said: string[] = [];
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(server.resolvedUrls?.local[0] ?? "");
  const files = Object.entries(filesOfEachFormat());
  await page.setInputFiles(
    "input",
    files.map(([name, content]) => ({ name, mimeType: "application/octet-stream", buffer: Buffer.from(content) })),
  );
  await page.waitForFunction(() => "read" in globalThis);
  const told = await page.evaluate(() => (globalThis as unknown as { read: () => Promise<Record<string, unknown>> }).read()); // prettier-ignore
  const shown = (cell: unknown): unknown => {
    if (typeof cell !== "object" || cell === null) return cell;
    const { width, height, data: pixels } = cell as { width: number; height: number; data: Uint8Array };
    return [width, height, ...pixels];
  };
  for (const [name, content] of files) {
    const table = await readTable(new File([content as BlobPart], name));
    assert.deepEqual(
      told[name],
      Object.fromEntries(table.columns.map((column) => [column, table.column(column).map(shown)])),
      name,
    );
  }
  assert.deepEqual(said, []);
  await assert.rejects(openImages([]), /there are no images/);
  await page.close();
  await server.close();
});

await browser.close();
rmSync(folder, { recursive: true });
finishChecks();
