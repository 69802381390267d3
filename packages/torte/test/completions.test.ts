import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { expect, test } from "vitest";

const FILE = join(dirname(fileURLToPath(import.meta.url)), "example.ts");

/** What an editor offers behind the text, with the declarations of the built package. */
function completionsAfter(text: string): string[] {
  const host: ts.LanguageServiceHost = {
    getScriptFileNames: () => [FILE],
    getScriptVersion: () => "1",
    getScriptSnapshot: (file) => {
      const content = file === FILE ? text : ts.sys.readFile(file);
      return content === undefined ? undefined : ts.ScriptSnapshot.fromString(content);
    },
    getCurrentDirectory: () => dirname(FILE),
    getCompilationSettings: () => ({
      strict: true,
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      skipLibCheck: true,
      types: [],
    }),
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    fileExists: (file) => file === FILE || ts.sys.fileExists(file),
    readFile: (file) => (file === FILE ? text : ts.sys.readFile(file)),
    directoryExists: (path) => ts.sys.directoryExists(path),
  };
  const found = ts.createLanguageService(host).getCompletionsAtPosition(FILE, text.length, {});
  return (found?.entries ?? []).map(({ name }) => name).sort();
}

const MODEL =
  'import { dense, input, sequential } from "torte";\nconst model = sequential(input({ shape: [2] }), dense({ units: 1 }));\n';

test("an editor offers of a model what there is for its user, and nothing else", () => {
  expect(completionsAfter(`${MODEL}model.`)).toEqual([
    "asLayer",
    "checkData",
    "close",
    "compile",
    "countParams",
    "describe",
    "evaluate",
    "explain",
    "extras",
    "figures",
    "fit",
    "getWeights",
    "gradients",
    "hyperparameters",
    "leftOut",
    "loadWeights",
    "name",
    "network",
    "optimizer",
    "predict",
    "progress",
    "pure",
    "save",
    "saveWeights",
    "seed",
    "setWeights",
    "summary",
    "testOnBatch",
    "trainOnBatch",
    "trainable",
  ]);
});

test("an editor offers the names that an option may have", () => {
  const names = completionsAfter(`${MODEL}model.compile({ loss: "`);
  expect(names).toContain("meanSquaredError");
  expect(completionsAfter(`${MODEL}model.compile({ loss: "meanSquaredError", optimizer: "`)).toContain("adam");
});
