/** The scripts of the site's pages: the packages, the editor, and TypeScript for it, all from this machine. */
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { root } from "../root.js";

const page = join(root, "scripts/site/page");
const common = { root: page, configFile: false, logLevel: "warn", publicDir: false } as const;

/** Declarations by the path where the editor's TypeScript looks for them. */
function declarations(): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [name, folder] of [
    ["torte", "torte"],
    ["@torte/plot", "plot"],
  ] as const) {
    const home = join(root, "packages", folder);
    files[`/node_modules/${name}/package.json`] = readFileSync(join(home, "package.json"), "utf8");
    for (const file of readdirSync(join(home, "dist"), { recursive: true, encoding: "utf8" }))
      if (file.endsWith(".d.ts")) files[`/node_modules/${name}/dist/${file}`] = readFileSync(join(home, "dist", file), "utf8"); // prettier-ignore
  }
  const lib = join(root, "node_modules/typescript/lib");
  for (const file of readdirSync(lib))
    if (/^lib\..*\.d\.ts$/.test(file) && !/webworker|scripthost|esnext/.test(file))
      files[`/lib/${file}`] = readFileSync(join(lib, file), "utf8");
  return files;
}

export async function writeScripts(out: string): Promise<void> {
  await build({
    ...common,
    base: "./",
    build: {
      outDir: out,
      emptyOutDir: true,
      modulePreload: false,
      chunkSizeWarningLimit: 4000,
      rolldownOptions: {
        preserveEntrySignatures: "strict",
        input: {
          play: join(page, "play.ts"),
          runner: join(page, "runner.ts"),
          torte: join(root, "packages/torte/dist/index.js"),
          plot: join(root, "packages/plot/dist/index.js"),
        },
        output: { entryFileNames: "[name].js", chunkFileNames: "chunk-[name]-[hash].js" },
      },
    },
  });
  await build({
    ...common,
    build: {
      outDir: out,
      emptyOutDir: false,
      rolldownOptions: { input: join(page, "types.ts"), output: { format: "iife", entryFileNames: "types.js" } },
    },
  });
  copyFileSync(join(root, "node_modules/typescript/lib/typescript.js"), join(out, "typescript.js"));
  writeFileSync(join(out, "declarations.json"), JSON.stringify(declarations()));
}
