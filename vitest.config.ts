import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: {
      ...Object.fromEntries(
        ["lean", "names", "tools"].map((entry) => [
          `torte/${entry}`,
          fileURLToPath(new URL(`packages/torte/src/${entry}.ts`, import.meta.url)),
        ]),
      ),
      torte: fileURLToPath(new URL("packages/torte/src/index.ts", import.meta.url)),
      "@torte/data": fileURLToPath(new URL("packages/data/src/index.ts", import.meta.url)),
      "@torte/tune": fileURLToPath(new URL("packages/tune/src/index.ts", import.meta.url)),
      "@torte/plot": fileURLToPath(new URL("packages/plot/src/index.ts", import.meta.url)),
    },
  },
  test: {
    include: ["packages/*/src/**/*.test.ts", "packages/*/test/**/*.test.ts", "scripts/**/*.test.ts"],
    testTimeout: 60_000,
    maxWorkers: 2,
  },
});
