/** The real command, as a shell starts it: what `npm run build` has made, in a process and a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const COMMAND = fileURLToPath(new URL("../bin/torte.js", import.meta.url));
export const SOLUBILITY = fileURLToPath(new URL("../../../examples/solubility/experiment.ts", import.meta.url));

export interface Result {
  readonly status: number | null;
  readonly out: string;
  readonly error: string;
}

export const newFolder = (): string => mkdtempSync(join(tmpdir(), "torte-test-"));

export interface Started {
  readonly process: ChildProcess;
  readonly result: Promise<Result>;
  /** Comes when this has been printed. */
  printed(text: string): Promise<void>;
}

export function start(folder: string, args: readonly string[], environment: Record<string, string> = {}): Started {
  const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("TORTE_")));
  const child = spawn(process.execPath, [COMMAND, ...args], {
    cwd: folder,
    env: { ...inherited, XDG_CACHE_HOME: join(folder, "cache"), ...environment },
  });
  let [out, error] = ["", ""];
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    out += text;
    for (const watch of watchers) watch();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (error += text));
  return {
    process: child,
    result: new Promise((resolve) => child.on("close", (status) => resolve({ status, out, error }))),
    printed: (text) =>
      new Promise((resolve) => {
        const watch = (): void => {
          if (out.includes(text)) resolve();
        };
        watchers.add(watch);
        watch();
      }),
  };
}

export const torte = (folder: string, ...args: readonly string[]): Promise<Result> => start(folder, args).result;

/** A small experiment that trains in no time. */
export const TINY = `import { experiment } from "@torte/cli";
import { dense, input, sequential, split, tensor } from "torte";

export default experiment({
  name: "tiny",
  training: { epochs: 2, batchSize: 8 },
  data() {
    const x = tensor(Float32Array.from({ length: 200 }, (_, i) => Math.sin(i)), { shape: [100, 2] });
    const y = tensor(Float32Array.from({ length: 100 }, (_, i) => (Math.sin(2 * i) > 0 ? 1 : 0)));
    return split({ x, y });
  },
  model: ({ options }) => sequential(input({ shape: [2] }), dense({ units: 1, activation: "sigmoid" }), options),
  compile: { optimizer: "adam", loss: "binaryCrossentropy", metrics: ["accuracy"] },
});
`;

/** A folder with the experiment, parts of it replaced. */
export function experimentFolder(...changes: readonly (readonly [from: string, to: string])[]): string {
  const folder = newFolder();
  const text = changes.reduce((before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`the experiment has no ${from}`);
    return before.replace(from, to);
  }, TINY);
  writeFileSync(join(folder, "tiny.ts"), text);
  return folder;
}
