/** The curves of the chapter's walk, of the runs that scripts/chapter-runs.ts keeps. */
import { readFileSync } from "node:fs";
import { type Figure, plotBars, plotCurves } from "@torte/plot";

type Epochs = readonly Readonly<Record<string, number>>[];

const file = new URL("../../docs/chapter/regularization.json", import.meta.url);

/** Figures by the name of their file; each sets some kinds beside the network without any. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  weights: ["L2 0.01", "L2 0.0003", "L1 0.00003"],
  activity: ["activity 0.001"],
  normalization: ["batch normalization", "layer normalization"],
  dropout: ["dropout 0.3"],
};

export function chapterFigures(): Readonly<Record<string, Figure>> {
  const runs = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, Epochs>>;
  const run = (name: string): Epochs => {
    const found = runs[name];
    if (found === undefined) throw new Error(`no run ${name}: npx jiti scripts/chapter-runs.ts`);
    return found;
  };
  const beside = (names: readonly string[]): Readonly<Record<string, Epochs>> =>
    Object.fromEntries(["none", ...names].map((name) => [name, run(name)]));
  return {
    "chapter-none": plotCurves(run("none"), { title: "The chapter's network" }),
    "chapter-best": bestOf(runs),
    ...Object.fromEntries(
      Object.entries(KINDS).map(([name, kinds]) => [
        `chapter-${name}`,
        plotCurves(beside(kinds), { title: `Without, and with: ${kinds.join(", ")}` }),
      ]),
    ),
  };
}

/** The lowest validation loss of each kind. */
const bestOf = (runs: Readonly<Record<string, Epochs>>): Figure =>
  plotBars(
    Object.entries(runs).map(([label, epochs]) => ({
      label,
      value: Math.min(...epochs.map(({ valLoss = NaN }) => valLoss)),
    })),
    { mark: "point", title: "Validation loss of the best epoch", axis: "Validation loss" },
  );
