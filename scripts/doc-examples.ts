/**
 * Type-checks and runs every example of the documentation: `ts` blocks in Markdown and `@example`s in docstrings. Where a
 * line ends in `console.log(…); // text`, what it prints must be that text. A `text output` block behind an example in
 * Markdown holds all that the example prints: `npm run examples -- --write` puts it there, without it a difference is an
 * error. A block marked `ts no-run` is type-checked only.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { formatWithOptions } from "node:util";
import { root } from "./root.js";

const folder = join(root, "node_modules/.cache/torte-examples");

const PACKAGES = ["torte", "data", "plot", "tune", "cli"];

interface Example {
  readonly from: string;
  readonly code: string;
  readonly run: boolean;
  /** All that it prints, as the page says. */
  readonly output?: { readonly file: string; readonly number: number; readonly text: string };
}

/** An example, and what it prints where the page shows that. */
const BLOCK = /^```ts( no-run)?\n([\s\S]*?)^```(?:\n+```text output\n([\s\S]*?)^```)?/gm;

function filesIn(path: string, ending: string): string[] {
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending) && !entry.name.endsWith(".test.ts"))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => !/node_modules|\/dist\//.test(file));
}

function fromMarkdown(file: string): Example[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(BLOCK)].map((match, i) => ({
    from: `${relative(root, file)} #${i + 1}`,
    code: match[2] ?? "",
    run: match[1] === undefined,
    ...(match[3] === undefined ? {} : { output: { file, number: i, text: match[3] } }),
  }));
}

function fromSource(file: string): Example[] {
  const text = readFileSync(file, "utf8");
  return [...text.matchAll(/^ *\* @example\n((?: *\*(?!\/| @).*\n)+)/gm)].map((match) => ({
    from: `${relative(root, file)}:${text.slice(0, match.index).split("\n").length}`,
    code: (match[1] ?? "").replace(/^ *\* ?/gm, ""),
    run: true,
  }));
}

function collect(): Example[] {
  const markdown = [
    join(root, "README.md"),
    ...filesIn(join(root, "docs"), ".md"),
    ...PACKAGES.map((name) => join(root, "packages", name, "README.md")),
  ];
  const sources = PACKAGES.flatMap((name) => filesIn(join(root, "packages", name, "src"), ".ts"));
  return [...markdown.filter(exists).flatMap(fromMarkdown), ...sources.flatMap(fromSource)];
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

/** What the comments behind `console.log` promise, in order. */
const promises = (code: string): string[] =>
  [...code.matchAll(/console\.log\(.*\);? *\/\/ (.*)$/gm)].map((match) => (match[1] ?? "").trim());

const write = process.argv.includes("--write");
/** `npm run examples -- docs/transforms` runs only those of such files. */
const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));

function writeOutput({ file, number }: NonNullable<Example["output"]>, printed: string): void {
  let next = 0;
  const text = readFileSync(file, "utf8").replace(BLOCK, (block: string) =>
    next++ === number
      ? block.replace(/(```text output\n)[\s\S]*$/, (_, head: string) => `${head}${printed}\`\`\``)
      : block,
  );
  writeFileSync(file, text);
}

async function runExample(example: Example, file: string): Promise<string | undefined> {
  const printed: string[] = [];
  const log = console.log;
  console.log = (...values: unknown[]) => void printed.push(formatWithOptions({ breakLength: Infinity }, ...values));
  try {
    await import(pathToFileURL(file).href);
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    console.log = log;
  }
  if (example.output !== undefined) {
    const all = `${printed.join("\n").trim()}\n`;
    if (write) writeOutput(example.output, all);
    else if (all.trim() !== example.output.text.trim())
      return `shows another output than it prints; npm run examples -- --write puts it there\nprinted:\n${all}`;
  }
  const bare = (text: string): string => text.replace(/\s+/g, "");
  const missing = promises(example.code).find((promise) => !printed.some((text) => bare(text) === bare(promise)));
  return missing === undefined ? undefined : `promises to print ${missing}\nprinted:\n${printed.join("\n")}`;
}

const examples = collect().filter(({ from }) => wanted.every((text) => from.includes(text)));
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const files = examples.map((example, i) => {
  const file = join(folder, `example-${i}.ts`);
  writeFileSync(file, `// ${example.from}\n${example.code}\nexport {};\n`);
  return file;
});
const options = {
  target: "ES2022",
  lib: ["ES2023", "DOM"],
  module: "NodeNext",
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: ["node"],
};
writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, include: ["*.ts"] }));
writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
execFileSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], { stdio: "inherit" });

let failed = 0;
for (const [i, example] of examples.entries()) {
  const problem = example.run ? await runExample(example, files[i] ?? "") : undefined;
  if (problem === undefined) continue;
  failed++;
  console.error(`${example.from} ${problem}\n`);
}
console.log(`examples: ${examples.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
