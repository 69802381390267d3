/** The program of a worker of `torte tune`: trains the trials of a study's folder. */
import { serveTrials } from "@torte/tune";
import { Reporter } from "./reporter.js";
import { readBegun, textOf, tunableOf, type TuneCommandOptions } from "./tune.js";

const { folder, options } = JSON.parse(process.argv[2] ?? "{}") as {
  readonly folder: string;
  readonly options: TuneCommandOptions;
};

await serveTrials(async () => {
  // The workers share the cores.
  const own = { ...options, threads: options.threads ?? 1 };
  const text = textOf(folder, readBegun(folder));
  const { tunable, seed } = await tunableOf(text, own, new AbortController().signal, new Reporter("silent"));
  return { ...tunable, seed, folder };
});
