/** From an experiment file to a model that is compiled and data that it can take. */
import { availableParallelism } from "node:os";
import { DataError, Dataset, Model, OptionError, ShapeError } from "torte";
import { type DataSource, dataContext } from "./data-context.js";
import type { ExperimentData } from "./experiment.js";
import { inExperiment, loadExperiment } from "./load-experiment.js";
import type { Reporter } from "./reporter.js";
import type { Plan } from "./run.js";

/** What the command line chooses of an experiment. */
export interface PrepareOptions {
  readonly data?: string;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly seed?: number;
  readonly variant?: string;
  readonly threads?: number;
}

export interface Prepared {
  readonly plan: Plan;
  readonly data: ExperimentData;
  readonly sources: readonly DataSource[];
  readonly model: Model;
}

/** Everything that can be wrong is found here. `early` is asked before anything that takes long. */
export async function prepare(
  file: string,
  options: PrepareOptions,
  signal: AbortSignal,
  reporter: Reporter,
  early: () => Promise<void> = () => Promise.resolve(),
): Promise<Prepared> {
  const { experiment, sha256 } = await loadExperiment(file);
  const plan = settle(file, experiment, sha256, options);
  await early();
  const { context, sources } = dataContext(plan.seed, {
    path: options.data,
    folder: process.env["TORTE_DATA"],
    signal,
    onDownload: (received, total) => {
      reporter.download(received, total);
    },
  });
  const data = await inExperiment(file, "data()", () => experiment.data(context)).finally(() => {
    reporter.end();
  });
  signal.throwIfAborted();
  checkParts(file, data);
  if (options.data !== undefined && sources.length === 0) {
    throw new OptionError({
      where: "--data",
      problem: "the experiment asks for no file",
      fix: "Leave the option out.",
    });
  }
  announceData(reporter, data, sources);
  const model = await inExperiment(file, "model()", () =>
    experiment.model({ variant: plan.variant, options: { seed: plan.seed, threads: plan.threads } }),
  );
  checkModel(file, model);
  reporter.line(`\n${model.summary()}\n`);
  await inExperiment(file, "compile", () => {
    model.compile(experiment.compile);
  });
  await checkRows(model, data);
  signal.throwIfAborted();
  return { plan, data, sources, model };
}

function settle(file: string, experiment: Plan["experiment"], sha256: string, options: PrepareOptions): Plan {
  const variants = experiment.variants ?? ["base"];
  const variant = options.variant ?? variants[0] ?? "base";
  if (!variants.includes(variant)) {
    throw new OptionError({
      where: "--variant",
      problem: "there is no such variant",
      expected: `one of ${variants.join(", ")}`,
      received: variant,
    });
  }
  const { epochs = 10, batchSize = 16, seed = 0 } = experiment.training ?? {};
  return {
    file,
    sha256,
    experiment,
    variant,
    epochs: options.epochs ?? epochs,
    batchSize: options.batchSize ?? batchSize,
    seed: options.seed ?? seed,
    threads: options.threads ?? availableParallelism(),
  };
}

function announceData(
  reporter: Reporter,
  { train, validation, test }: ExperimentData,
  sources: readonly DataSource[],
): void {
  for (const source of sources) {
    if (source.kind === "file")
      reporter.line(`${source.file}: ${source.path} (SHA-256 ${source.checked ? "checked" : source.sha256})`);
    else reporter.line(`SYNTHETIC DATA: ${source.reason}; training on made-up examples instead of ${source.file}.`);
  }
  const parts = [
    `${train.size} train`,
    `${validation.size} validation`,
    ...(test === undefined ? [] : [`${test.size} test`]),
  ];
  reporter.line(`${train.size + validation.size + (test?.size ?? 0)} examples`);
  reporter.line(parts.join(", "));
}

const PARTS = ["train", "validation", "test"] as const;

function checkParts(file: string, data: unknown): asserts data is ExperimentData {
  const wrong = (problem: string, received: string): never => {
    const expected = "{ train, validation, test } of Datasets, as split gives them; test may be left out";
    throw new DataError({ where: file, problem: `data() ${problem}`, expected, received });
  };
  if (typeof data !== "object" || data === null) return wrong("gives no data", String(data));
  const given: Readonly<Record<string, unknown>> = { ...data };
  for (const name of PARTS) {
    const part = given[name];
    if (part instanceof Dataset || (name === "test" && part === undefined)) continue;
    wrong(`gives no Dataset as ${name}`, part === undefined ? "nothing" : typeof part);
  }
  const unknown = Object.keys(given).find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined) wrong("gives a part that nobody reads", JSON.stringify(unknown));
}

function checkModel(file: string, model: unknown): asserts model is Model {
  if (model instanceof Model) return;
  throw new OptionError({
    where: file,
    problem: "model() gives no model",
    expected: "what sequential or functional return",
    received: typeof model,
  });
}

/** Also of the test data, which is not looked at before training has ended. */
async function checkRows(model: Model, data: ExperimentData): Promise<void> {
  for (const name of PARTS) {
    const part = data[name];
    if (part === undefined) continue;
    try {
      await model.checkData(part);
    } catch (error) {
      if (!(error instanceof DataError || error instanceof ShapeError)) throw error;
      throw new DataError({ ...error.facts, where: `${error.facts.where} of the ${name} data` });
    }
  }
}
