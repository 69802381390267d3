/**
 * `types.mjs FOLDER`: compiles usage.ts in a folder where the packed packages are installed, with the lowest TypeScript that is
 * promised, one between, and the newest, for each way to resolve modules. Declarations of libraries are looked at, too.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { join } from "node:path";

const [folder] = process.argv.slice(2);
const require = createRequire(import.meta.url);
const strict = { strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: false, types: [] };
const resolutions = { nodenext: "nodenext", node16: "node16", bundler: "esnext" };
const config = join(folder, "tsconfig.json");
copyFileSync(fileURLToPath(new URL("usage.ts", import.meta.url)), join(folder, "usage.ts"));

let failed = 0;
for (const name of ["typescript-5.0", "typescript-5.4", "typescript-6"]) {
  const { version } = require(`${name}/package.json`);
  for (const [moduleResolution, module] of Object.entries(resolutions)) {
    const compilerOptions = { ...strict, target: "es2022", lib: ["es2022", "dom"], moduleResolution, module };
    writeFileSync(config, JSON.stringify({ compilerOptions, files: ["usage.ts"] }));
    try {
      execFileSync(process.execPath, [require.resolve(`${name}/lib/tsc.js`), "-p", config], { encoding: "utf8" });
      console.log(`ok      TypeScript ${version}, ${moduleResolution}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  TypeScript ${version}, ${moduleResolution}\n${error.stdout}`);
    }
  }
}
rmSync(config);
process.exitCode = failed === 0 ? 0 : 1;
