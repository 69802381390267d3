/** `torte check`: the steps that a model must pass before a long run. */
import {
  checkGradientFlow,
  checkInitialLoss,
  checkShuffledLabels,
  checkZeroInput,
  overfitOneBatch,
  type Report,
} from "torte";
import { inExperiment, readExperiment } from "./load-experiment.js";
import { prepare, type PrepareOptions } from "./prepare.js";
import { Reporter } from "./reporter.js";

export type CheckOptions = Omit<PrepareOptions, "epochs">;

/** Prints what each step finds; true where none has failed. */
export async function check(
  file: string,
  options: CheckOptions,
  signal: AbortSignal,
  reporter = new Reporter(),
): Promise<boolean> {
  const text = readExperiment(file);
  const { model, data, plan } = await prepare(text, options, signal, reporter);
  const { train, validation } = data;
  const { seed, batchSize } = plan;
  const steps: readonly (() => Promise<Report & { readonly passed: boolean | undefined }>)[] = [
    () => checkInitialLoss(model, train),
    () => overfitOneBatch(model, train),
    () => checkShuffledLabels(model, train, { validationData: validation, seed, batchSize }),
    () => checkZeroInput(model, train, { batchSize }),
    () => checkGradientFlow(model, train),
  ];
  let failed = 0;
  for (const step of steps) {
    signal.throwIfAborted();
    const result = await inExperiment(text, "the check", step);
    reporter.line(`${result.toString()}\n`);
    if (result.passed === false) failed++;
  }
  reporter.line(failed === 0 ? "Nothing stands in the way of a run." : `${failed} of ${steps.length} failed.`);
  await model.close();
  return failed === 0;
}
