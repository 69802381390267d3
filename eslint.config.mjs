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

const above = (folder) => LAYERS.slice(LAYERS.indexOf(folder) + 1).map((name) => `**/${name}/**`);

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**", "bench/**", "**/*.mjs", "**/*.js", "runs/**"] },
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
  ...["tensor", "graph", "ops", "autodiff", "compile"].map((folder) => ({
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
