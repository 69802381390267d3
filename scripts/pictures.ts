/**
 * Draws the gallery: `npm run pictures -- FOLDER [NAME…]` writes each figure as SVG and PNG, for desktops and for phones;
 * `npm run pictures` without a folder writes docs/pictures.md and the pictures of the documentation.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chapterFigures } from "./pictures/chapter.js";
import { GALLERY } from "./pictures/gallery.js";
import { pageText } from "./pictures/page.js";

const [folder, ...wanted] = process.argv.slice(2);

async function gallery(to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  for (const [name, make] of Object.entries(GALLERY)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const [kind, width] of [
      ["", 560],
      ["-phone", 340],
    ] as const) {
      const figure = await make({ width });
      writeFileSync(join(to, `${name}${kind}.svg`), await figure.toSVG());
      writeFileSync(join(to, `${name}${kind}.png`), await figure.toPNG());
    }
  }
}

async function page(): Promise<void> {
  const docs = fileURLToPath(new URL("../docs/", import.meta.url));
  mkdirSync(join(docs, "pictures"), { recursive: true });
  const { text, pictures } = await pageText();
  writeFileSync(join(docs, "pictures.md"), text);
  for (const [name, svg] of pictures) writeFileSync(join(docs, "pictures", `${name}.svg`), svg);
  for (const [name, figure] of Object.entries(chapterFigures()))
    writeFileSync(join(docs, "pictures", `${name}.svg`), await figure.toSVG());
}

await (folder === undefined ? page() : gallery(folder));
