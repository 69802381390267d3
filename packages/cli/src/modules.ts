/** Files that an experiment imports from beside it: a run has copies, so that it can be repeated when they are no longer what they were. */
import { readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type ExperimentText, sha256Of } from "./load-experiment.js";
import type { ModuleCopy } from "./run-record.js";

/** An import of a file beside the module: what stands before its name, the quote, and the name. */
export const RELATIVE_IMPORT = /(\bfrom\s*|\bimport\s*\(?\s*)(["'])(\.{1,2}\/[^"'\n]*)\2/g;

/** The folder of the copies in a run's. */
const FOLDER = "modules";

/** With its text. */
export type OwnModule = ModuleCopy & { readonly source: string };

/** What an experiment imports by relative paths, and what that imports. */
export function modulesOf(text: ExperimentText): readonly OwnModule[] {
  const sources = new Map<string, string>();
  const visit = (path: string, source: string): void => {
    for (const [, , , name = ""] of source.matchAll(RELATIVE_IMPORT)) {
      const found = fileOf(resolve(dirname(path), name));
      if (found === undefined || found === text.path || sources.has(found)) continue;
      const content = readFileSync(found, "utf8");
      sources.set(found, content);
      visit(found, content);
    }
  };
  visit(text.path, text.source);
  const root = commonFolder([text.path, ...sources.keys()]);
  return [...sources].map(([path, source]) => ({
    path,
    copy: [FOLDER, ...relative(root, path).split(sep)].join("/"),
    sha256: sha256Of(source),
    source,
  }));
}

/** Where the experiment would lie beside the copies, so that it imports those. */
export const placeBeside = (run: string, path: string, modules: readonly ModuleCopy[]): string =>
  resolve(run, FOLDER, relative(commonFolder([path, ...modules.map((module) => module.path)]), path));

/** As imports say files: whole, without their end, or with that of what they are compiled to. */
function fileOf(path: string): string | undefined {
  const ends = ["", ".ts", ".mts", ".js", ".mjs", ".json", `${sep}index.ts`, `${sep}index.js`];
  const compiled = /\.([cm]?)js$/.test(path) ? [path.replace(/\.([cm]?)js$/, ".$1ts")] : [];
  return [...ends.map((end) => `${path}${end}`), ...compiled].find(
    (file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true,
  );
}

/** The innermost folder that has all of the files. */
function commonFolder(paths: readonly string[]): string {
  const [first = "", ...others] = paths.map((path) => dirname(path));
  const has = (folder: string, other: string): boolean => other === folder || other.startsWith(join(folder, sep));
  let folder = first;
  while (!others.every((other) => has(folder, other)) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}
