/** npm run docs:layers: writes docs/layers.md from the source. */
import { writeFileSync } from "node:fs";
import { layersPage, PAGE } from "./layers-doc/page.js";

writeFileSync(PAGE, await layersPage());
