/** A trial of a study as an experiment of its own, in TypeScript. */
import { dirname, relative, resolve, sep } from "node:path";
import type { Assignment } from "@torte/tune";
import { literal } from "./generate.js";
import type { ExperimentText } from "./load-experiment.js";
import { RELATIVE_IMPORT } from "./modules.js";

export interface TrialFacts {
  /** Of the study. */
  readonly text: ExperimentText;
  /** Where the file will lie. */
  readonly folder: string;
  /** What the trial is, for people. */
  readonly title: string;
  readonly setting: Assignment;
  readonly training: { readonly epochs: number; readonly batchSize: number; readonly seed: number };
  readonly variant: string;
}

/**
 * The study's experiment, and after it the same with the trial's setting and numbers as its default export. `torte train` trains it as the
 * trial was trained, to the bit.
 */
export function trialExperiment({ text, folder, title, setting, training, variant }: TrialFacts): string {
  const source = moved(text, folder);
  const at = source.search(/^export default /m);
  const head =
    at < 0
      ? `import tuned from ${literal(pathFrom(folder, text.path))};` // exported in another way
      : `${source.slice(0, at)}const tuned = ${source.slice(at + "export default ".length)}`;
  const fields = Object.entries(training).map(([name, value]) => `, ${name}: ${literal(value)}`);
  return `${head.trimEnd()}

/** ${title.replaceAll("*/", "* /")} */
export default {
  ...tuned,
${variant === "base" ? "" : `  variants: [${literal(variant)}],\n`}  training: { ...tuned.training${fields.join("")} },
  setting: ${literal(setting)},
};
`;
}

/** Imports of files beside the experiment, as they are seen from another folder. */
const moved = ({ source, path }: ExperimentText, folder: string): string =>
  source.replaceAll(
    RELATIVE_IMPORT,
    (_, before: string, quote: string, name: string) =>
      `${before}${quote}${pathFrom(folder, resolve(dirname(path), name))}${quote}`,
  );

function pathFrom(folder: string, file: string): string {
  const path = relative(resolve(folder), file).replaceAll(sep, "/");
  return path.startsWith(".") ? path : `./${path}`;
}
