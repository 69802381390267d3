/**
 * Trains the three variants of the solubility experiment with three seeds each and prints the table of docs/results.md:
 * `npx jiti scripts/results.ts [epochs]`. Needs the data where the experiment finds it.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "./root.js";

interface Epoch {
  readonly valLoss: number;
}

const epochs = process.argv[2] ?? "10";
const folder = mkdtempSync(join(tmpdir(), "torte-results-"));

function trained(variant: string, seed: number): string {
  const out = join(folder, `${variant}-${seed}`);
  const command = [join(root, "packages/cli/bin/torte.js"), "train", join(root, "examples/solubility/experiment.ts")];
  execFileSync(process.execPath, [
    ...command,
    "--variant",
    variant,
    "--seed",
    String(seed),
    "--epochs",
    epochs,
    "--evaluate",
    "--out",
    out,
  ]);
  const run = JSON.parse(readFileSync(join(out, "evaluation.json"), "utf8")) as {
    synthetic: boolean;
    test: { accuracy: number };
    baseline: number;
  };
  if (run.synthetic) {
    console.error("The data is not to be had: these would be figures of the synthetic stand-in. Set TORTE_DATA.");
    process.exit(1);
  }
  const history = JSON.parse(readFileSync(join(out, "history.json"), "utf8")) as { epochs: Epoch[] };
  const losses = history.epochs.map(({ valLoss }) => valLoss);
  const best = Math.min(...losses);
  const figures = [losses.at(-1) ?? NaN, best, run.test.accuracy, run.baseline].map((value) => value.toFixed(3));
  return `| ${variant} | ${seed} | ${figures[0]} | ${figures[1]} (epoch ${losses.indexOf(best) + 1}) | ${figures[2]} | ${figures[3]} |`;
}

console.log("| variant | seed | final validation loss | best | test accuracy | majority class |");
console.log("| --- | --- | --- | --- | --- | --- |");
for (const variant of ["base", "dropout", "l2"]) for (const seed of [0, 1, 2]) console.log(trained(variant, seed));
