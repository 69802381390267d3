/**
 * `npm run bundle-size [-- FILES]`: what a page downloads to train a minimal model, gzipped, with its loss and optimizer as imported
 * functions and as names. The bundle is run, so that parts that are loaded on demand count where they are. Fails where it grows;
 * with FILES it lists the largest modules. The aim is 85 and 110.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";
import { root } from "./root.js";

const program = (entry: string, parts: readonly string[], imports: string, compiled: string): string => `
${parts.map((part) => `import "${part}";`).join("\n")}
import { ${imports}dense, input, sequential, tensor } from "${entry}";
const model = sequential(input({ shape: [2] }), dense({ units: 8, activation: "relu" }), dense({ units: 1 }));
model.compile(${compiled});
const data = { x: tensor([[0, 1]]), y: tensor([[1]]) };
model.fit(data, { epochs: 1, verbose: 0 }).then(() => model.predict(data.x)).then(console.log);
`;

const FUNCTIONS = "{ optimizer: adam(), loss: meanSquaredError() }";
const NAMES = '{ optimizer: "adam", loss: "meanSquaredError" }';

/** In kilobytes of 1000 bytes. */
const CASES = [
  {
    name: "torte/lean, imported functions",
    most: 117,
    text: program("torte/lean", [], "adam, meanSquaredError, ", FUNCTIONS),
  },
  { name: "torte/lean and torte/names", most: 130, text: program("torte/lean", ["torte/names"], "", NAMES) },
  { name: "torte, imported functions", most: 163, text: program("torte", [], "adam, meanSquaredError, ", FUNCTIONS) },
  { name: "torte, names", most: 163, text: program("torte", [], "", NAMES) },
];

interface Chunk {
  readonly file: string;
  readonly code: string;
  /** Bytes before they are compressed, by module. */
  readonly modules: Readonly<Record<string, { readonly renderedLength: number }>>;
}

async function chunksOf(folder: string): Promise<Chunk[]> {
  const built = await build({
    root: folder,
    configFile: false,
    logLevel: "error",
    build: { write: false, modulePreload: false, rolldownOptions: { input: join(folder, "main.js") } },
  });
  const parts = (Array.isArray(built) ? built : [built]).flatMap((part) => ("output" in part ? part.output : []));
  return parts.flatMap((part) =>
    "code" in part ? { file: part.fileName, code: part.code, modules: part.modules } : [],
  );
}

/** The chunks that are loaded when the program runs. */
function loaded(folder: string, chunks: readonly Chunk[]): Chunk[] {
  for (const { file, code } of chunks) {
    const path = join(folder, "built", file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `console.log("loaded " + ${JSON.stringify(file)});\n${code}`);
  }
  writeFileSync(join(folder, "built/package.json"), '{ "type": "module" }');
  const main = chunks.find(({ modules }) => Object.keys(modules).some((id) => id === join(folder, "main.js")));
  if (main === undefined) throw new Error("there is no entry");
  const said = execFileSync(process.execPath, [join(folder, "built", main.file)], { encoding: "utf8" });
  if (!said.includes("Float32Array")) throw new Error(`the bundle does not predict:\n${said}`);
  return chunks.filter(({ file }) => said.includes(`loaded ${file}\n`));
}

async function sizeOf(
  text: string,
): Promise<{ readonly size: number; readonly all: number; readonly chunks: Chunk[] }> {
  const folder = mkdtempSync(join(root, "node_modules/.cache-bundle-"));
  try {
    writeFileSync(join(folder, "main.js"), text);
    const chunks = await chunksOf(folder);
    const used = loaded(folder, chunks);
    const gzipped = (parts: readonly Chunk[]): number =>
      parts.reduce((sum, { code }) => sum + gzipSync(code).length, 0) / 1000;
    return { size: gzipped(used), all: gzipped(chunks), chunks: used };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function list(chunks: readonly Chunk[]): void {
  const rows = chunks.flatMap(({ file, modules }) =>
    Object.entries(modules).map(([id, { renderedLength }]) => ({ file, id: relative(root, id), renderedLength })),
  );
  for (const { id, renderedLength } of rows.sort((a, b) => b.renderedLength - a.renderedLength).slice(0, 60))
    console.log(`        ${String(renderedLength).padStart(6)}  ${id.replace("packages/torte/dist/", "")}`);
}

let over = 0;
for (const { name, most, text } of CASES) {
  const { size, all, chunks } = await sizeOf(text);
  if (size > most) over++;
  const rest = (all - size).toFixed(1);
  console.log(
    `${size > most ? "FAILED " : "ok     "} minimal model, ${name}: ${size.toFixed(1)} kB gzipped, at most ${most}; ${rest} kB more on demand`,
  );
  if (process.argv.includes("FILES")) list(chunks);
}
process.exitCode = over === 0 ? 0 : 1;
