/** `torte evaluate`: opens the sealed test of a run, once, and computes all that is to be known of it. */
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type Figure, figuresOf, type Told } from "@torte/data";
import { DataError, type Dataset, isRecord, type Logs, type Model, TorteError } from "torte";
import { majorityBaseline } from "./baseline.js";
import { type ExperimentText, loadExperiment, sha256Of } from "./load-experiment.js";
import { modelFile, readModels, type RunModels } from "./model-file.js";
import { placeBeside } from "./modules.js";
import { checkPart, compileModel, makeModel, type PreparedRows, prepareRows, settle } from "./prepare.js";
import { Reporter } from "./reporter.js";
import { RunFolder } from "./run-folder.js";
import { compare, rowsOf } from "./rows.js";
import type { ModuleCopy, RunRecord } from "./run-record.js";

export interface EvaluateOptions {
  /** Where the data is now, if not where it was. */
  readonly data?: string;
  readonly threads?: number;
  /** Why the test is opened, for the record. */
  readonly purpose?: string;
}

export interface EvaluateCommandOptions extends EvaluateOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
}

export interface Evaluation {
  readonly folder: string;
  /** How often the test has been opened, this time included. */
  readonly openings: number;
  readonly rows: number;
  /** Loss and metrics that the model was compiled with. */
  readonly test: Logs;
  /** Of tables: figures with intervals of 95 % by the bootstrap. */
  readonly figures?: readonly Figure[];
  /** Accuracy of the training part's majority class. */
  readonly baseline?: number;
  readonly synthetic: boolean;
}

/** What `torte evaluate` does. */
export async function evaluateCommand(
  path: string,
  options: EvaluateCommandOptions,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<void> {
  const reporter = new Reporter(options.json === true || options.quiet === true ? "silent" : process.stdout);
  const evaluation = await evaluate(path, options, signal, reporter);
  if (options.json === true) print(`${JSON.stringify(evaluation, undefined, 2)}\n`);
}

/**
 * Opens the test of a run and writes evaluation.json. The opening is recorded before any figure is there.
 *
 * @throws DataError where the folder is no run's, the run has no test, or the data is another one now.
 */
export async function evaluate(
  path: string,
  options: EvaluateOptions,
  signal: AbortSignal,
  reporter = new Reporter(),
): Promise<Evaluation> {
  const { folder, run } = await RunFolder.open(path);
  const text = await textOf(path, run);
  const experiment = await loadExperiment(text);
  const { variant, seed, batchSize, threads } = run.options;
  const plan = settle(text, experiment, { variant, seed, batchSize, threads: options.threads ?? threads });
  const rows = await prepareRows(plan, options.data === undefined ? {} : { data: options.data }, signal, reporter, {
    known: placesOf(run),
  });
  checkSources(path, run, rows);
  const { models, predictor } = await modelsOf(path, rows);
  const [model] = models;
  if (model === undefined) throw new DataError({ where: path, problem: "the run has no model" });
  await compileModel(plan, model);
  const sealed = rows.data.test;
  if (sealed === undefined)
    throw new DataError({ where: path, problem: "the run has no test part", fix: "Give one as test in data()." });
  const test = sealed.open(options.purpose ?? "torte evaluate");
  const openings = [...run.openings, ...sealed.openings];
  await folder.writeJson("run.json", { ...run, openings });
  await checkPart(model, test, "test");
  signal.throwIfAborted();
  const told = predictor === undefined ? undefined : await compare(predictor, test);
  const evaluation = { folder: path, openings: openings.length, ...(await measure(rows, model, told, test)) };
  await folder.writeJson("evaluation.json", evaluation);
  const { writeReport } = await import("./report/write.js"); // the drawing library is slow to load
  const { figures = [], synthetic } = evaluation;
  const { x } = await rowsOf(test);
  await writeReport(folder, {
    ...rows,
    model,
    run: { ...run, openings },
    epochs: await epochsOf(path),
    synthetic,
    ...(predictor === undefined || told === undefined
      ? {}
      : { measured: { name: "test", predictor, x, told, figures, openings: openings.length } }),
  });
  await Promise.all(models.map((each) => each.close()));
  tell(reporter, evaluation);
  return evaluation;
}

/** The text that was run, with its imports where they were. */
export async function textOf(path: string, { experiment }: RunRecord): Promise<ExperimentText> {
  const copy = join(path, experiment.copy);
  const source = await copyOf(copy, experiment.sha256);
  const { modules = [] } = experiment;
  const isWhere = ({ path: file, sha256 }: ModuleCopy): boolean =>
    existsSync(file) && sha256Of(readFileSync(file, "utf8")) === sha256;
  const moved = !modules.every(isWhere);
  if (moved) for (const module of modules) await copyOf(join(path, module.copy), module.sha256);
  const known = existsSync(dirname(experiment.path)) ? experiment.path : join(process.cwd(), copy);
  const there = moved ? placeBeside(path, experiment.path, modules) : known;
  const generated = experiment.generated === true;
  return { shown: generated ? "the generated experiment" : copy, path: there, source, generated };
}

/** A file of the run folder. @throws DataError where it is not what was run. */
async function copyOf(path: string, sha256: string): Promise<string> {
  const source = await readFile(path, "utf8").catch(() => undefined);
  if (source !== undefined && sha256Of(source) === sha256) return source;
  throw new DataError({
    where: path,
    problem: "the experiment is not what was run",
    expected: `SHA-256 ${sha256}`,
    received: source === undefined ? "no file" : sha256Of(source),
  });
}

/** Where the run has found its files. */
export function placesOf({ data }: RunRecord): Readonly<Record<string, string>> {
  return Object.fromEntries(
    data.sources.flatMap((source) =>
      isRecord(source) && source["kind"] === "file" ? [[String(source["file"]), String(source["path"])]] : [],
    ),
  );
}

export function checkSources(path: string, { data }: RunRecord, { sources }: PreparedRows): void {
  for (const [i, now] of sources.entries()) {
    const before = data.sources[i];
    const sum = (source: unknown): string =>
      isRecord(source) ? String(source["sha256"] ?? source["kind"]) : "nothing";
    if (sum(before) === sum(now)) continue;
    throw new DataError({
      where: now.file,
      problem: `the data is not what ${path} was trained on`,
      expected: `SHA-256 ${sum(before)}`,
      received: sum(now),
      fix: "Say where the file is with --data.",
    });
  }
}

/** The models from their files; one with functions that no file holds is built by the experiment. */
async function modelsOf(path: string, { plan, data }: PreparedRows): Promise<RunModels> {
  const file = join(path, modelFile(0));
  try {
    return await readModels(path, plan.threads);
  } catch (error) {
    if (!(error instanceof TorteError) || !existsSync(file)) throw error;
    const model = await makeModel(plan, data, 0);
    await model.loadWeights(file);
    return { models: [model], predictor: undefined };
  }
}

async function measure(
  { data, sources, plan }: PreparedRows,
  model: Model,
  told: Told | undefined,
  test: Dataset,
): Promise<Omit<Evaluation, "folder" | "openings">> {
  const logs = await model.evaluate(test, { batchSize: Math.min(test.size, 256) });
  const majority = await majorityBaseline(data.train, test);
  return {
    rows: test.size,
    synthetic: sources.some(({ kind }) => kind === "synthetic"),
    test: logs,
    ...(told === undefined ? {} : { figures: figuresOf(told, { seed: plan.seed }) }),
    ...(majority === undefined ? {} : { baseline: majority.accuracy }),
  };
}

/** Of the first model. */
async function epochsOf(path: string): Promise<readonly Logs[]> {
  const text = await readFile(join(path, "history.json"), "utf8").catch(() => "{}");
  const { epochs } = JSON.parse(text) as { readonly epochs?: unknown };
  return Array.isArray(epochs) ? (epochs as readonly Logs[]) : [];
}

function tell(reporter: Reporter, { openings, test, figures, baseline, synthetic, rows, folder }: Evaluation): void {
  if (openings > 1)
    reporter.line(
      `The test has been opened ${openings} times: these figures are no clean estimate any more, since what was chosen after the first may have followed it.`,
    );
  const note = synthetic ? " (SYNTHETIC DATA)" : "";
  const told = Object.entries(test).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  reporter.line(`test${note}  ${told.join("  ")}`);
  for (const { name, value, low, high } of figures ?? [])
    reporter.line(`  ${name.padEnd(25)} ${value.toFixed(4)}  (95 % ${low.toFixed(4)} to ${high.toFixed(4)})`);
  if (baseline !== undefined) reporter.line(`majority class alone: accuracy ${baseline.toFixed(4)}`);
  reporter.line(`${rows} rows, opening ${openings}; recorded in ${folder}`);
}
