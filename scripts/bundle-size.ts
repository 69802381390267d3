/**
 * `npm run bundle-size`: what a page downloads for a minimal model, gzipped, with its loss and optimizer as imported functions and
 * as names; parts that are imported when they are asked for do not count. Fails where it grows. The aim is 85 and 110: most of what
 * is left over is what models tell of themselves, and checkpoints, which are loaded with every model so far.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { root } from "./root.js";

const program = (imports: string, compiled: string): string => `
import { ${imports}dense, input, sequential, tensor } from "torte";
const model = sequential(input({ shape: [2] }), dense({ units: 8, activation: "relu" }), dense({ units: 1 }));
model.compile(${compiled});
model.fit({ x: tensor([[0, 1]]), y: tensor([[1]]) }, { epochs: 1 }).then(console.log);
`;

/** In kilobytes of 1000 bytes. */
const CASES = [
  {
    name: "with imported functions",
    most: 164,
    text: program("adam, meanSquaredError, ", "{ optimizer: adam(), loss: meanSquaredError() }"),
  },
  { name: "with names", most: 164, text: program("", '{ optimizer: "adam", loss: "meanSquaredError" }') },
];

async function gzipped(text: string): Promise<number> {
  const folder = mkdtempSync(join(root, "node_modules/.cache-bundle-"));
  try {
    writeFileSync(join(folder, "main.js"), text);
    const built = await build({
      root: folder,
      configFile: false,
      logLevel: "error",
      build: { write: false, modulePreload: false, rolldownOptions: { input: join(folder, "main.js") } },
    });
    const outputs = (Array.isArray(built) ? built : [built]).flatMap((part) => ("output" in part ? part.output : []));
    const chunks = new Map(outputs.flatMap((part) => (part.type === "chunk" ? [[part.fileName, part]] : [])));
    // At once: the program, and what that imports.
    const loaded = new Set([...chunks.values()].filter(({ isEntry }) => isEntry));
    for (const { imports } of loaded)
      for (const name of imports) {
        const chunk = chunks.get(name);
        if (chunk !== undefined) loaded.add(chunk);
      }
    return [...loaded].reduce((sum, { code }) => sum + gzipSync(code).length, 0) / 1000;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

let over = 0;
for (const { name, most, text } of CASES) {
  const size = await gzipped(text);
  if (size > most) over++;
  console.log(
    `${size > most ? "FAILED " : "ok     "} minimal model ${name}: ${size.toFixed(1)} kB gzipped, at most ${most}`,
  );
}
process.exitCode = over === 0 ? 0 : 1;
