/** `npm run docs`: the site in `site`, which needs no network: guide, chapter, reference, search, examples that run. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.js";
import { writeReference } from "./site/reference.js";
import { writeScripts } from "./site/scripts.js";

const out = join(root, "site");
rmSync(out, { recursive: true, force: true });
const problems = await writeReference(out);
for (const problem of problems) console.error(problem);
await writeScripts(join(out, "play"));
console.log(problems.length === 0 ? `the site is in ${out}` : `${problems.length} problems`);
process.exitCode = problems.length === 0 ? 0 : 1;
