// The engine's worker is plain JavaScript, which the compiler leaves alone; it belongs beside the compiled session.
import { copyFileSync, mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

const inPackage = (path) => fileURLToPath(new URL(`../packages/torte/${path}`, import.meta.url));
mkdirSync(inPackage("dist/backends/wasm"), { recursive: true });
copyFileSync(inPackage("src/backends/wasm/worker.mjs"), inPackage("dist/backends/wasm/worker.mjs"));
