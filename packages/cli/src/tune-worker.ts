/** The program of a worker of `torte tune`: trains the trials of an experiment. */
import { serveTrials } from "@torte/tune";
import { Reporter } from "./reporter.js";
import { tunableOf, type TuneCommandOptions } from "./tune.js";

const { file, options, folder } = JSON.parse(process.argv[2] ?? "{}") as {
  readonly file: string;
  readonly options: TuneCommandOptions;
  readonly folder: string;
};

await serveTrials(async () => {
  // The workers share the cores.
  const own = { ...options, threads: options.threads ?? 1 };
  const { tunable, seed } = await tunableOf(file, own, new AbortController().signal, new Reporter("silent"));
  return { ...tunable, seed, folder };
});
