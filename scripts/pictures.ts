/** Draws the gallery: `npm run pictures -- FOLDER [NAME…]` writes each figure as SVG and PNG, for desktops and for phones. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { GALLERY } from "./pictures/gallery.js";

const [folder = "pictures", ...wanted] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
for (const [name, make] of Object.entries(GALLERY)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const [kind, width] of [
    ["", 560],
    ["-phone", 340],
  ] as const) {
    const figure = await make({ width });
    writeFileSync(join(folder, `${name}${kind}.svg`), await figure.toSVG());
    writeFileSync(join(folder, `${name}${kind}.png`), await figure.toPNG());
  }
}
