/** What holds for every figure of the gallery, at the width of a desktop and of a phone. */
import { readFileSync, readdirSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { GALLERY } from "../../../scripts/pictures/gallery.js";
import { DARK } from "../src/theme.js";

const COLORS = /\b(?:fill|stroke)="(#[0-9a-f]{6})"/g;

describe.each(Object.entries(GALLERY))("%s", (_, make) => {
  it.each([560, 340])("is a document that stands alone, %d pixels wide", async (width) => {
    const figure = await make({ width });
    const svg = await figure.toSVG();
    const [, w = "", h = ""] = /^<svg [^>]*width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
    expect(Number(w)).toBe(width);
    expect(Number(h)).toBeGreaterThanOrEqual(80);
    // Nothing is loaded, nothing runs, no number is missing.
    expect(svg).not.toMatch(/<script|<image [^>]*href="http|@import|url\((?!#)|NaN|undefined|Infinity/);
    expect(svg.startsWith(`<svg xmlns="http://www.w3.org/2000/svg" class="torte-figure" role="img" aria-label="`)).toBe(
      true,
    );
    const ids = [...svg.matchAll(/\bid="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, id] of svg.matchAll(/url\(#([^)]+)\)/g)) expect(ids).toContain(id);
  });

  it("is the same each time", async () => {
    expect(await (await make({})).toSVG()).toBe(await (await make({})).toSVG());
  });

  it("says in words what it shows", async () => {
    const figure = await make({});
    expect(figure.description).toMatch(/\d.*\.$/s);
    expect(figure.toString()).toContain(figure.description);
    expect(await figure.toSVG()).toContain("<desc>");
  });

  it("has other colours in dark mode", async () => {
    const figure = await make({});
    const dark = await figure.toSVG({ theme: "dark" });
    const light = new Set([...DARK].filter(([color, other]) => color !== other).map(([color]) => color));
    expect([...dark.matchAll(COLORS)].filter(([, color = ""]) => light.has(color))).toEqual([]);
    expect(await figure.toSVG({ theme: "light" })).not.toContain("prefers-color-scheme");
    expect(await figure.toSVG()).toContain("@media screen and (prefers-color-scheme:dark)");
  });

  it("shows itself in a notebook", async () => {
    const figure = await make({});
    const shown = await (figure as unknown as Record<symbol, () => Promise<object>>)[Symbol.for("Jupyter.display")]?.();
    expect(shown).toMatchObject({ "text/plain": figure.toString() });
  });
});

/** Those whose numbers a training run makes. */
const TRAINED = /^(histograms|learning-rate|gradient-flow|equivariance)/;

/** Data by its length, the rest as it is. */
const withoutData = (value: unknown): unknown =>
  Array.isArray(value)
    ? value.map(withoutData)
    : typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([name]) => name !== "config")
            .map(([name, item]) => [name, name === "values" && Array.isArray(item) ? item.length : withoutData(item)]),
        )
      : value;

/** How many there are of each element, and what is written. */
function structure(svg: string): unknown {
  const elements: Record<string, number> = {};
  for (const [, name = ""] of svg.matchAll(/<(\w+)[ />]/g)) elements[name] = (elements[name] ?? 0) + 1;
  return { elements, texts: [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text).join(" | ") };
}

it.each(Object.entries(GALLERY).filter(([name]) => !TRAINED.test(name)))("%s is as it was", async (_, make) => {
  const figure = await make({});
  expect(figure.spec === undefined ? structure(await figure.toSVG()) : withoutData(figure.spec)).toMatchSnapshot();
});

it("each function that draws is in the gallery", () => {
  const gallery = readFileSync(new URL("../../../scripts/pictures/gallery.ts", import.meta.url), "utf8");
  const sources = new URL("../src/", import.meta.url);
  const functions = readdirSync(sources).flatMap((file) =>
    [...readFileSync(new URL(file, sources), "utf8").matchAll(/^export (?:async )?function (plot\w+)/gm)].map(
      ([, name]) => name,
    ),
  );
  expect(functions.length).toBeGreaterThanOrEqual(10);
  expect(functions.filter((name) => !gallery.includes(`${name ?? ""}(`))).toEqual([]);
});
