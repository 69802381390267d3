/** `torte new`: a project with an experiment of one's own, which runs as it is. */
import { readdir, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { OptionError } from "torte";
import { makeFolder } from "./run-folder.js";

/** The files of a new project. */
function filesOf(name: string, version: string): Readonly<Record<string, string>> {
  const manifest = {
    name,
    private: true,
    type: "module",
    scripts: {
      start: "torte train experiment.ts --evaluate",
      check: "torte check experiment.ts",
      types: "tsc --noEmit",
    },
    dependencies: { "@torte/cli": `^${version}`, "@torte/data": `^${version}`, torte: `^${version}` },
    devDependencies: { typescript: "^5.9.0" },
  };
  const compiler = {
    compilerOptions: {
      target: "ES2022",
      module: "NodeNext",
      moduleResolution: "NodeNext",
      strict: true,
      skipLibCheck: true,
      noEmit: true,
    },
    include: ["*.ts"],
  };
  return {
    "package.json": `${JSON.stringify(manifest, undefined, 2)}\n`,
    "tsconfig.json": `${JSON.stringify(compiler, undefined, 2)}\n`,
    ".gitignore": "node_modules\nruns\n",
    "README.md": README.replaceAll("NAME", name),
    "experiment.ts": EXPERIMENT.replaceAll("NAME", name),
    "points.csv": points(),
  };
}

const EXPERIMENT = `/** Which points lie in the ring? Change the data, the model and how it is trained; \`npm start\` runs it. */
import { experiment } from "@torte/cli";
import { encodeTable } from "@torte/data";
import { adam, dense, earlyStopping, functional, input } from "torte";

export default experiment({
  name: "NAME",
  training: { epochs: 80, batchSize: 16, seed: 0 },
  calibration: "platt",

  async data({ seed, table }) {
    const rows = await table({ file: "points.csv" });
    return encodeTable(rows, { target: "ring", seed });
  },

  model({ data, options }) {
    const [features] = data.encoding.inputs;
    const x = input({ shape: features?.shape ?? [2] });
    const hidden = dense({ units: 32, activation: "relu" })(dense({ units: 32, activation: "relu" })(x));
    return functional({ inputs: [x], outputs: dense({ units: 1, activation: "sigmoid" })(hidden), ...options });
  },

  compile: { optimizer: adam({ learningRate: 0.01 }), loss: "binaryCrossentropy", metrics: ["accuracy", "auroc"] },
  callbacks: () => [earlyStopping({ monitor: "valLoss", patience: 15 })],
});
`;

const README = `# NAME

\`\`\`
npm install
npm start          # trains experiment.ts and opens its test, once
npm run check      # five steps that a model must pass before a long run
npx torte audit points.csv --target ring
\`\`\`

Each run has a folder of its own in \`runs\`, with \`report.html\`.
`;

/** Points of a sunflower, of which those in a ring are told from the others. */
function points(): string {
  const rows = Array.from({ length: 600 }, (_, i) => {
    const radius = Math.sqrt((i + 0.5) / 600);
    const angle = i * Math.PI * (3 - Math.sqrt(5));
    return [radius * Math.cos(angle), radius * Math.sin(angle), radius > 0.45 && radius < 0.8 ? "in" : "out"] as const;
  });
  return `x,y,ring\n${rows.map(([x, y, ring]) => `${x.toFixed(4)},${y.toFixed(4)},${ring}`).join("\n")}\n`;
}

/** @throws OptionError for a folder that has something in it, or a name that packages cannot have; then nothing is written. */
export async function newCommand(folder: string, version: string): Promise<string> {
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .replace(/^[._-]+/, "");
  if (name === "")
    throw new OptionError({
      where: "torte new",
      problem: "the name is unusable",
      expected: "letters",
      received: folder,
    });
  const before = await readdir(folder).catch(() => undefined);
  if (before !== undefined && before.length > 0)
    throw new OptionError({ where: folder, problem: "the folder is not empty", expected: "a new or an empty folder" });
  await makeFolder("torte new", folder);
  const files = Object.entries(filesOf(name, version));
  try {
    for (const [file, text] of files) await writeFile(join(folder, file), text, { flag: "wx" });
  } catch (error) {
    for (const [file] of files) await rm(join(folder, file), { force: true });
    throw new OptionError({
      where: folder,
      problem: "the project cannot be written",
      received: error instanceof Error ? error.message : String(error),
    });
  }
  return `${folder} is ready:\n\n  cd ${folder}\n  npm install\n  npm start\n`;
}
