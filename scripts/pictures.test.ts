/** The documentation's pictures are those that the scripts draw. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { chapterFigures } from "./pictures/chapter.js";
import { pageText } from "./pictures/page.js";

const committed = (path: string): string => readFileSync(new URL(`../docs/${path}`, import.meta.url), "utf8");
/**
 * A picture without its figures: measured ones may differ in the last digits from one engine to another (`Math.pow` does), and with
 * them the names of the clip paths, which are digests of the content.
 */
const shape = (svg: string): string =>
  svg.replace(/(id="|url\(#)t[0-9a-z]+-/g, "$1t-").replace(/-?\d+(\.\d+)?(e-?\d+)?/g, "#");

test("docs/pictures.md is what npm run pictures writes, and so are its pictures", async () => {
  const { text, pictures } = await pageText();
  expect(committed("pictures.md")).toBe(text);
  for (const [name, svg] of pictures) {
    const found = committed(`pictures/${name}.svg`);
    expect(found.length, name).toBeGreaterThan(0);
    if (found !== svg) expect(shape(found), `${name} differs; npm run pictures`).toBe(shape(svg));
  }
});

test("the chapter's curves are those of its runs", async () => {
  for (const [name, figure] of Object.entries(chapterFigures()))
    expect(committed(`pictures/${name}.svg`), `${name} differs; npm run pictures`).toBe(await figure.toSVG());
});
