/** From an experiment file to a model that is compiled and data that it can take. */
import { availableParallelism } from "node:os";
import { presentSetting } from "@torte/tune";
import {
  DataError,
  Dataset,
  describeBackend,
  Model,
  OptionError,
  type ModelOptions,
  SealedTest,
  sealTest,
  ShapeError,
  type Table,
} from "torte";
import { type ContextOptions, type DataSource, dataContext, type SourcedData } from "./data-context.js";
import { compileOf, type ExperimentData, modelOf } from "./experiment.js";
import { type ExperimentText, inExperiment, loadExperiment, sha256Of } from "./load-experiment.js";
import { modulesOf } from "./modules.js";
import type { Reporter } from "./reporter.js";
import type { Plan } from "./run.js";
import { startFrom } from "./start-from.js";

type Backend = NonNullable<ModelOptions["backend"]>;

/** What the command line chooses of an experiment. */
export interface PrepareOptions {
  readonly data?: string;
  readonly epochs?: number;
  readonly batchSize?: number;
  readonly seed?: number;
  readonly variant?: string;
  readonly threads?: number;
  readonly ensemble?: number;
  readonly backend?: Backend;
  /** The run folder of a model that training starts from. */
  readonly from?: string;
  /** Layers of it that training leaves as they are. */
  readonly freeze?: string;
}

/** An experiment's data, the test under a seal. */
export type PreparedData = Omit<ExperimentData, "test"> & { readonly test?: SealedTest };

export interface PreparedRows {
  readonly plan: Plan;
  readonly data: PreparedData;
  readonly sources: readonly DataSource[];
  /** The table that the data was made of, where it was made of one. */
  readonly table: Table | undefined;
}

export interface Prepared extends PreparedRows {
  readonly model: Model;
}

/** Everything that can be wrong is found here. `early` is asked before anything that takes long. */
export async function prepare(
  text: ExperimentText,
  options: PrepareOptions,
  signal: AbortSignal,
  reporter: Reporter,
  { early, ...context }: ContextOptions & { readonly early?: () => Promise<void> } = {},
): Promise<Prepared> {
  const experiment = await loadExperiment(text);
  const plan = settle(text, experiment, options);
  await early?.();
  const rows = await prepareRows(plan, options, signal, reporter, context);
  const { data } = rows;
  announceData(reporter, rows);
  const model = await makeModel(plan, data, 0);
  if (plan.from !== undefined) reporter.line((await startFrom(model, plan.from)).join("\n"));
  reporter.line(`\n${model.summary()}\n`);
  reporter.line(`Runs on ${await describeBackend({ backend: plan.backend, threads: plan.threads })}.`);
  await compileModel(plan, model);
  checkSetting(plan);
  await checkRows(model, data);
  signal.throwIfAborted();
  return { ...rows, model };
}

/** The model of an experiment; further members of an ensemble have seeds of their own. */
export async function makeModel(
  { text, experiment, variant, seed, threads, backend, h }: Plan,
  data: PreparedData,
  member: number,
): Promise<Model> {
  const options = { seed: (seed + MEMBER * member) >>> 0, threads, backend };
  const model = await inExperiment(text, "model()", () => modelOf(experiment, { variant, options, data, h }));
  checkModel(text.shown, model);
  return model;
}

/** Seeds that people type do not meet those of other members. */
const MEMBER = 0x9e3779b1;

export async function compileModel({ text, experiment, h }: Plan, model: Model): Promise<void> {
  await inExperiment(text, "compile", () => {
    model.compile(compileOf(experiment, h));
  });
}

/** @throws OptionError for a hyperparameter of the experiment's setting that nothing has asked for. */
function checkSetting({ text, experiment, h }: Plan): void {
  const strange = Object.keys(experiment.setting ?? {}).find((name) => !h.parameters.has(name));
  if (strange === undefined) return;
  throw new OptionError({
    where: text.shown,
    problem: `setting has a hyperparameter that is not asked for: ${JSON.stringify(strange)}`,
    expected: [...h.parameters.keys()].join(", ") || "none",
  });
}

/** The data of an experiment. */
export async function prepareRows(
  plan: Plan,
  options: PrepareOptions,
  signal: AbortSignal,
  reporter: Reporter,
  more: ContextOptions = {},
): Promise<PreparedRows> {
  const { text, experiment } = plan;
  const { context, sources, tables }: SourcedData = dataContext(plan.seed, {
    path: options.data,
    folder: process.env["TORTE_DATA"],
    signal,
    onDownload: (received, total) => {
      reporter.download(received, total);
    },
    ...more,
  });
  const data = await inExperiment(text, "data()", () => experiment.data(context)).finally(() => {
    reporter.end();
  });
  signal.throwIfAborted();
  checkParts(text.shown, data);
  if (options.data !== undefined && sources.length === 0) {
    throw new OptionError({
      where: "--data",
      problem: "the experiment asks for no file",
      fix: "Leave the option out.",
    });
  }
  const { test, ...others } = data;
  const table = data.split === undefined ? undefined : tables[0];
  return { plan, sources, table, data: test === undefined ? others : { ...others, test: sealed(test) } };
}

const sealed = (test: Dataset | SealedTest): SealedTest => (test instanceof SealedTest ? test : sealTest(test));

export function settle(text: ExperimentText, experiment: Plan["experiment"], options: PrepareOptions): Plan {
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
  const { epochs = 10, batchSize = 16, seed = 0, ensemble = 1 } = experiment.training ?? {};
  return {
    text,
    sha256: sha256Of(text.source),
    modules: modulesOf(text),
    experiment,
    h: presentSetting(experiment.setting),
    variant,
    epochs: options.epochs ?? epochs,
    batchSize: options.batchSize ?? batchSize,
    seed: options.seed ?? seed,
    threads: options.threads ?? availableParallelism(),
    ensemble: options.ensemble ?? ensemble,
    backend: options.backend ?? (process.env["TORTE_BACKEND"] as Backend | undefined) ?? "auto",
    ...fromOf(experiment, options),
  };
}

/** What the command says goes before what the experiment says. */
function fromOf({ from }: Plan["experiment"], options: PrepareOptions): Pick<Plan, "from"> {
  const run = options.from ?? from?.run;
  const freeze = options.freeze ?? (options.from === undefined ? from?.freeze : undefined);
  if (run !== undefined) return { from: freeze === undefined ? { run } : { run, freeze } };
  if (freeze === undefined) return {};
  throw new OptionError({
    where: "--freeze",
    problem: "there is nothing to leave as it is",
    expected: "a run to start from, with --from",
  });
}

function announceData(reporter: Reporter, { data, sources }: PreparedRows): void {
  const { train, validation, test, plan, encoding, leftOut } = data;
  for (const source of sources) {
    if (source.kind === "file")
      reporter.line(`${source.file}: ${source.path} (SHA-256 ${source.checked ? "checked" : source.sha256})`);
    else reporter.line(`SYNTHETIC DATA: ${source.reason}; training on made-up examples instead of ${source.file}.`);
  }
  if (plan !== undefined && encoding !== undefined) for (const line of planLines(plan, encoding)) reporter.line(line);
  const parts = [
    `${train.size} train`,
    `${validation.size} validation`,
    ...(test === undefined ? [] : [`${test.size} test (sealed)`]),
    ...(leftOut === undefined || leftOut.withoutTarget === 0 ? [] : [`${leftOut.withoutTarget} without a target`]),
    ...(leftOut === undefined || leftOut.unreadable === 0 ? [] : [`${leftOut.unreadable} unreadable`]),
  ];
  reporter.line(`${train.size + validation.size + (test?.size ?? 0)} examples`);
  reporter.line(parts.join(", "));
}

/** What became of the columns of a table, on a line each. */
function planLines(
  { inputs, leftOut }: NonNullable<PreparedData["plan"]>,
  { target }: NonNullable<PreparedData["encoding"]>,
): readonly string[] {
  const seen = Object.entries(inputs).map(([column, kind]) => `${column} (${kind})`);
  const classes = target.kind === "regression" ? "" : `: ${target.labels.slice(0, 12).join(", ")}`;
  const others = Object.entries(leftOut).map(([column, reason]) => `${column} (${reason})`);
  return [
    `inputs    ${seen.join(", ")}`,
    `target    ${target.column} (${target.kind}${classes})`,
    ...(others.length === 0 ? [] : [`left out  ${others.join(", ")}`]),
  ];
}

const PARTS = ["train", "validation", "test"] as const;
/** What encodeTable gives beside them. */
const OF_TABLES = ["encoding", "plan", "split", "leftOut"] as const;

function checkParts(file: string, data: unknown): asserts data is ExperimentData {
  const wrong = (problem: string, received: string): never => {
    const expected = "{ train, validation, test } of Datasets, as split gives them; test may be left out";
    throw new DataError({ where: file, problem: `data() ${problem}`, expected, received });
  };
  if (typeof data !== "object" || data === null) return wrong("gives no data", String(data));
  const given: Readonly<Record<string, unknown>> = { ...data };
  for (const name of PARTS) {
    const part = given[name];
    if (part instanceof Dataset || (name === "test" && (part === undefined || part instanceof SealedTest))) continue;
    wrong(`gives no Dataset as ${name}`, part === undefined ? "nothing" : typeof part);
  }
  const unknown = Object.keys(given).find((name) => ![...PARTS, ...OF_TABLES].some((part) => part === name));
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

/** Of the parts that training sees. */
async function checkRows(model: Model, data: PreparedData): Promise<void> {
  for (const name of ["train", "validation"] as const) await checkPart(model, data[name], name);
}

/** @throws DataError for rows that the model cannot take, with the part's name. */
export async function checkPart(model: Model, part: Dataset, name: string): Promise<void> {
  try {
    await model.checkData(part);
  } catch (error) {
    if (!(error instanceof DataError || error instanceof ShapeError)) throw error;
    throw new DataError({ ...error.facts, where: `${error.facts.where} of the ${name} data` });
  }
}
