import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { COVERAGE } from "./layers-doc/coverage.js";
import { layersPage, PAGE } from "./layers-doc/page.js";

it("docs/layers.md is what the source says; if not, run npm run docs:layers", async () => {
  expect(readFileSync(PAGE, "utf8")).toBe(await layersPage());
});

it("names each layer of Keras once, and each has a counterpart or a reason", () => {
  const names = COVERAGE.flatMap(({ layers }) => Object.keys(layers));
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThan(130);
});
