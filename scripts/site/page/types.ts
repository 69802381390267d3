/** A worker that knows the types of an example: TypeScript's language service over the declarations of the packages. */
import type * as TypeScript from "typescript";

export type Question =
  | { readonly kind: "errors"; readonly text: string }
  | { readonly kind: "hover" | "completions"; readonly text: string; readonly at: number };

export type Answer =
  | { readonly kind: "errors"; readonly errors: readonly { from: number; to: number; message: string }[] }
  | { readonly kind: "hover"; readonly from: number; readonly to: number; readonly type: string; readonly text: string }
  | { readonly kind: "completions"; readonly options: readonly { label: string; type: string }[] };

declare const ts: typeof TypeScript;
declare function importScripts(address: string): void;

importScripts("typescript.js");

const FILE = "/example.ts";
let text = "";
let version = 0;

async function service(): Promise<TypeScript.LanguageService> {
  const files = (await (await fetch("declarations.json")).json()) as Readonly<Record<string, string>>;
  const read = (name: string): string | undefined => (name === FILE ? text : files[name]);
  const folders = new Set(
    Object.keys(files).flatMap((name) => [...name.matchAll(/\//g)].map(({ index }) => name.slice(0, index))),
  );
  const options: TypeScript.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    moduleDetection: ts.ModuleDetectionKind.Force,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts"],
    types: [],
    strict: true,
    skipLibCheck: true,
    noEmit: true,
  };
  return ts.createLanguageService({
    getCompilationSettings: () => options,
    getScriptFileNames: () => [FILE],
    getScriptVersion: (name) => (name === FILE ? String(version) : "1"),
    getScriptSnapshot: (name) => {
      const found = read(name);
      return found === undefined ? undefined : ts.ScriptSnapshot.fromString(found);
    },
    getCurrentDirectory: () => "/",
    getDefaultLibFileName: () => "/lib/lib.es2023.d.ts",
    fileExists: (name) => read(name) !== undefined,
    readFile: read,
    directoryExists: (name) => name === "/" || folders.has(name),
    getDirectories: () => [],
  });
}

function answer(known: TypeScript.LanguageService, question: Question): Answer {
  if (question.kind === "errors") {
    const found = [...known.getSyntacticDiagnostics(FILE), ...known.getSemanticDiagnostics(FILE)];
    return {
      kind: "errors",
      errors: found.map(({ start = 0, length = 0, messageText }) => ({
        from: start,
        to: start + length,
        message: ts.flattenDiagnosticMessageText(messageText, "\n"),
      })),
    };
  }
  if (question.kind === "hover") {
    const info = known.getQuickInfoAtPosition(FILE, question.at);
    const { start = question.at, length = 0 } = info?.textSpan ?? {};
    const parts = (list: TypeScript.SymbolDisplayPart[] | undefined): string => ts.displayPartsToString(list);
    return { kind: "hover", from: start, to: start + length, type: parts(info?.displayParts), text: parts(info?.documentation) }; // prettier-ignore
  }
  const found = known.getCompletionsAtPosition(FILE, question.at, {});
  return {
    kind: "completions",
    options: (found?.entries ?? []).slice(0, 500).map(({ name, kind }) => ({ label: name, type: kind })),
  };
}

const ready = service();
self.addEventListener("message", ({ data }: MessageEvent<{ id: number; question: Question }>) => {
  void ready.then((known) => {
    if (data.question.text !== text) {
      text = data.question.text;
      version++;
    }
    self.postMessage({ id: data.id, answer: answer(known, data.question) });
  });
});
