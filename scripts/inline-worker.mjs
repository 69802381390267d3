// The engine's worker is plain JavaScript, which the compiler leaves alone. It goes into the package twice: as text in a
// module, from which it is started, and as the file torte/worker.js, for pages that start workers from addresses only.
import { createHash } from "node:crypto";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Script } from "node:vm";
import { minifySync } from "vite";

const inPackage = (path) => fileURLToPath(new URL(`../packages/torte/${path}`, import.meta.url));
const source = readFileSync(inPackage("src/backends/wasm/worker.mjs"), "utf8");
const stamp = createHash("sha256").update(source).digest("hex").slice(0, 16);
// Pages load it with the library, and nobody reads it there.
const { code: plain, errors } = minifySync("worker.js", source, {
  module: false,
  compress: { target: "es2022" },
  mangle: { toplevel: true },
  codegen: { legalComments: "none" },
});
if (errors.length > 0) throw errors[0];
const code = `globalThis.torteWorker = "${stamp}";\n${plain}`;
new Script(code); // throws where it has become a module: it is started as a script
writeFileSync(inPackage("dist/worker.js"), code);
writeFileSync(inPackage("dist/worker.d.ts"), "export {};\n");
writeFileSync(
  inPackage("dist/backends/wasm/worker-code.js"),
  `// Made of worker.mjs by scripts/inline-worker.mjs.\nexport const workerCode = ${JSON.stringify(code)};\nexport const workerStamp = "${stamp}";\n`,
);

// The worker that decodes Parquet imports its decoder, so that it stays a file, which bundlers know by its address.
const ofData = (path) => fileURLToPath(new URL(`../packages/data/${path}`, import.meta.url));
copyFileSync(ofData("src/parquet-worker.mjs"), ofData("dist/parquet-worker.mjs"));
