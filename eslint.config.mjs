import { existsSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { importX } from "eslint-plugin-import-x";
import tseslint from "typescript-eslint";

/** Folders of the library from the bottom up: each may import only what stands before it. */
const LAYERS = [
  "errors",
  "tensor",
  "graph",
  "ops",
  "autodiff",
  "compile",
  "backends",
  "transforms",
  "data",
  "nn",
  "losses",
  "metrics",
  "optim",
  "train",
  "checks",
];

/** Relative paths of ES modules: `./x.js` is the source `./x.ts`. */
const resolver = {
  interfaceVersion: 3,
  name: "sources",
  resolve(specifier, file) {
    if (!specifier.startsWith(".")) return { found: false };
    const path = resolve(dirname(file), specifier.replace(/\.js$/, ".ts"));
    return existsSync(path) ? { found: true, path } : { found: false };
  },
};

const above = (folder) => LAYERS.slice(LAYERS.indexOf(folder) + 1).map((name) => `**/${name}/**`);

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**", "bench/**", "**/*.mjs", "**/*.js", "runs/**", "site/**"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { project: "./tsconfig.tests.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "inline-type-imports" }],
      "@typescript-eslint/no-invalid-void-type": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // Labels of axes are single ASCII letters.
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  {
    // What imports each other at run time has one subject too many; types may.
    files: ["packages/*/src/**/*.ts"],
    ignores: ["**/*.test.ts"],
    plugins: { "import-x": importX },
    settings: {
      "import-x/resolver-next": [resolver],
      "import-x/extensions": [".ts"],
      "import-x/parsers": { "@typescript-eslint/parser": [".ts"] },
    },
    rules: { "import-x/no-cycle": ["error", { maxDepth: 12, ignoreExternal: true }] },
  },
  ...LAYERS.slice(1, -1).map((folder) => ({
    files: [`packages/torte/src/${folder}/**/*.ts`],
    ignores: ["**/*.test.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: above(folder), message: "Dependencies point down only." }] },
      ],
    },
  })),
  {
    files: ["packages/torte/src/**/*.ts"],
    ignores: ["**/*.test.ts", "packages/torte/src/host.ts", "packages/torte/src/testing/**"],
    rules: {
      "no-restricted-globals": [
        "error",
        ...["process", "navigator", "window", "Deno", "Buffer"].map((name) => ({ name, message: "Ask host.ts." })),
      ],
    },
  },
  {
    files: ["**/*.test.ts", "packages/torte/src/testing/**"],
    rules: { "@typescript-eslint/no-non-null-assertion": "off" },
  },
);
