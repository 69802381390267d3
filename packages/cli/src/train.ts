/** `torte train`: from an experiment file to a run folder. */
import { prepare, type PrepareOptions } from "./prepare.js";
import { Reporter } from "./reporter.js";
import { RunFolder } from "./run-folder.js";
import { Run, type TrainResult } from "./run.js";

export interface TrainOptions extends PrepareOptions {
  readonly out?: string;
}

/** Everything that can be wrong is found before the folder is made and the first step taken. */
export async function train(
  file: string,
  options: TrainOptions,
  signal: AbortSignal,
  reporter = new Reporter(),
): Promise<TrainResult> {
  const { out } = options;
  const early = async (): Promise<void> => {
    if (out !== undefined) await RunFolder.check(out);
  };
  const { plan, data, sources, model } = await prepare(file, options, signal, reporter, early);
  const folder = await RunFolder.create(plan.experiment.name, out);
  return new Run(plan, data, sources, model, reporter, folder).run(signal);
}
