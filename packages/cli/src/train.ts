/** `torte train`: from an experiment file, or from a table, to a run folder. */
import { CALIBRATIONS, INVALID, planTable, type PlanOptions, SPLITS, type TablePlan } from "@torte/data";
import { existsSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import {
  COLUMN_KINDS,
  type ColumnKind,
  DataError,
  isMissing,
  oneOf,
  OptionError,
  type Table,
  TARGET_KINDS,
} from "torte";
import { className, type ContextOptions, formatOfPath, readTableFile } from "./data-context.js";
import type { TableRequest } from "./experiment.js";
import { checkSources, evaluate, placesOf, textOf } from "./evaluate.js";
import { type GeneratedFrom, generateExperiment } from "./generate.js";
import { type ExperimentText, readExperiment } from "./load-experiment.js";
import { prepare, type PrepareOptions } from "./prepare.js";
import { Reporter } from "./reporter.js";
import { RunFolder } from "./run-folder.js";
import { checkLabelled, defined, LABEL, requestOf, targetOf } from "./table-request.js";
import { Run, type TrainResult } from "./run.js";

export interface TrainOptions extends PrepareOptions {
  readonly out?: string;
  /** Writes over the run in the folder. */
  readonly force?: boolean;
}

/** What a run that goes on may change. */
export type ResumeOptions = Pick<TrainOptions, "data" | "epochs" | "threads">;

/** What the command line says, of tables and of experiments. */
export interface TrainCommandOptions extends TrainOptions, Omit<TableRequest, "file" | "beside"> {
  /** The folder of a run that goes on. */
  readonly resume?: string;
  readonly target?: string;
  readonly sequence?: string;
  readonly input?: readonly string[];
  readonly kind?: Readonly<Record<string, string>>;
  readonly targetKind?: string;
  readonly positive?: string;
  readonly split?: string;
  readonly splitBy?: string;
  readonly validation?: number;
  readonly test?: number;
  readonly invalid?: string;
  readonly calibration?: string;
  /** A file whose default export makes the model: (encoding, options) => Model. */
  readonly model?: string;
  readonly printExperiment?: boolean;
  /** Opens the test at the end. */
  readonly evaluate?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Options that say something of a table, by the names that people type. */
const OF_TABLES = {
  target: "--target",
  sequence: "--sequence",
  input: "--input",
  kind: "--kind",
  targetKind: "--target-kind",
  positive: "--positive",
  split: "--split",
  splitBy: "--split-by",
  validation: "--validation",
  test: "--test",
  invalid: "--invalid",
  calibration: "--calibration",
  printExperiment: "--print-experiment",
  format: "--format",
  encoding: "--encoding",
  delimiter: "--delimiter",
  label: "--label",
  labels: "--labels",
  model: "--model",
} as const satisfies Partial<Record<keyof TrainCommandOptions, string>>;

/** Programs are experiments; everything else is taken as a table, where a target or its format says so. */
export const isTable = (file: string, { target, format }: Pick<TrainCommandOptions, "target" | "format">): boolean =>
  !/\.[cm]?[jt]s$/.test(file) && (target !== undefined || format !== undefined || formatOfPath(file) !== undefined);

/** What `torte train` does; `print` gets what goes to the standard output beside the story of the run. */
export async function trainCommand(
  files: readonly string[],
  options: TrainCommandOptions,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<TrainResult | undefined> {
  const [file] = files;
  const reporter = new Reporter(options.json === true || options.quiet === true ? "silent" : process.stdout);
  const run = async (): Promise<TrainResult | undefined> => {
    if (options.resume !== undefined) {
      refuseOtherOptions(file, options);
      return resume(options.resume, options, signal, reporter);
    }
    if (file === undefined)
      throw new OptionError({
        where: "torte train",
        problem: "there is no file",
        expected: "a table or an experiment",
      });
    if (!isTable(file, options)) {
      const [, other] = files;
      if (other !== undefined)
        throw new OptionError({ where: "torte train", problem: "an experiment is one file", received: other });
      refuseTableOptions(file, options);
      return train(readExperiment(file), options, signal, reporter);
    }
    if (options.out !== undefined) await RunFolder.check(options.out, options.force);
    const { text, tables } = await experimentOf(file, files.slice(1), options);
    if (options.printExperiment === true) {
      print(text.source);
      return undefined;
    }
    return train(text, options, signal, reporter, { tables });
  };
  const result = await run();
  if (result === undefined) return undefined;
  const whole = result.status === "finished" && options.evaluate === true;
  const evaluation = whole
    ? await evaluate(
        result.folder,
        { purpose: "torte train --evaluate", ...defined({ data: options.data }) },
        signal,
        reporter,
      )
    : undefined;
  if (options.json === true) print(`${JSON.stringify(defined({ ...result, evaluation }), undefined, 2)}\n`);
  return result;
}

/** What goes with --resume; all else is as it was. */
const OF_RESUMED = ["resume", "data", "epochs", "threads", "evaluate", "json", "quiet"];

function refuseOtherOptions(file: string | undefined, options: TrainCommandOptions): void {
  const other = Object.entries(options).find(([name, value]) => value !== undefined && !OF_RESUMED.includes(name));
  if (file === undefined && other === undefined) return;
  throw new OptionError({
    where: "--resume",
    problem: "a run goes on as it was begun",
    expected: "no file, and of the options --epochs, --threads, --data, --evaluate, --json and --quiet",
    received: file ?? `--${(other?.[0] ?? "").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  });
}

export function refuseTableOptions(file: string, options: Partial<Record<keyof typeof OF_TABLES, unknown>>): void {
  for (const [name, option] of Object.entries(OF_TABLES))
    if (options[name as keyof typeof OF_TABLES] !== undefined)
      throw new OptionError({
        where: option,
        problem: "this is for tables",
        received: file,
        fix: "An experiment file says it itself.",
      });
}

/** The experiment that a table and what is said of it stand for; one to tune asks for hyperparameters. */
export async function experimentOf(
  file: string,
  beside: readonly string[],
  options: TrainCommandOptions,
  verb: "train" | "tune" = "train",
): Promise<{ readonly text: ExperimentText; readonly tables: ContextOptions["tables"] & object }> {
  const { data } = options;
  const request = requestOf([file, ...beside], options);
  const format = formatOfPath(file);
  const target = targetOf(request, options.target, format);
  if (data !== undefined)
    throw new OptionError({ where: "--data", problem: "this is for experiment files", fix: "Leave it out." });
  const read = await readTableFile(request);
  checkLabelled(read.table, target, format);
  const { sequence, input, kind, targetKind, splitBy } = options;
  const plan = planTable(
    read.table,
    defined<PlanOptions>({
      target,
      sequence,
      inputs: input,
      kinds: kind === undefined ? undefined : kindsOf(kind),
      targetKind: targetKind === undefined ? undefined : oneOf("--target-kind", "kind", targetKind, TARGET_KINDS),
      reserved: splitBy === undefined ? undefined : [splitBy],
    }),
  );
  const { split, validation, test, invalid } = options;
  // Of two files that are classes, the first one is what is looked for.
  const positive = options.positive ?? (beside.length === 1 && target === LABEL ? className(file) : undefined);
  const encode = defined<GeneratedFrom["options"]>({
    split: split === undefined ? undefined : oneOf("--split", "way", split, SPLITS),
    splitBy,
    validation,
    test,
    invalid: invalid === undefined ? undefined : oneOf("--invalid", "policy", invalid, INVALID),
    positive,
  });
  const start = Object.entries({ "--from": options.from, "--freeze": options.freeze });
  const more = start.flatMap(([name, value]) => (value === undefined ? [] : [name, value]));
  const command = `torte ${verb} ${[file, ...beside, ...commandOptions(options), ...more].map(quoted).join(" ")}`;
  return {
    text: generateExperiment({
      command,
      request,
      plan,
      rows: read.table.size,
      unbalanced: isUnbalanced(read.table, plan),
      tuned: verb === "tune",
      options: encode,
      path: resolve(`${file}.experiment.ts`),
      ...defined<Pick<GeneratedFrom, "ensemble" | "calibration" | "from" | "freeze" | "model">>({
        from: options.from,
        freeze: options.freeze,
        model: options.model === undefined ? undefined : modelImport(file, options.model),
        ensemble: options.ensemble,
        calibration:
          options.calibration === undefined
            ? undefined
            : oneOf("--calibration", "method", options.calibration, CALIBRATIONS),
      }),
    }),
    tables: [read],
  };
}

/** How the experiment beside the table imports a file. */
function modelImport(table: string, model: string): string {
  if (!existsSync(model))
    throw new DataError({ where: model, problem: "there is no such file", expected: "a file that makes a model" });
  const path = relative(dirname(resolve(table)), resolve(model)).replaceAll(sep, "/");
  return path.startsWith(".") ? path : `./${path}`;
}

/** Whether a class has less than half of an equal share of the rows. */
function isUnbalanced(table: Table, { target, targetKind }: TablePlan): boolean {
  if (targetKind === "regression" || targetKind === "multiLabel") return false;
  const counts = new Map<string, number>();
  for (const cell of table.column(target))
    if (!isMissing(cell)) counts.set(String(cell).trim(), (counts.get(String(cell).trim()) ?? 0) + 1);
  const all = [...counts.values()];
  return Math.min(...all) < (0.5 * all.reduce((a, b) => a + b, 0)) / all.length;
}

function kindsOf(given: Readonly<Record<string, string>>): Readonly<Record<string, ColumnKind>> {
  return Object.fromEntries(
    Object.entries(given).map(([column, kind]) => [column, oneOf("--kind", column, kind, COLUMN_KINDS)]),
  );
}

/** The options of the table as they were typed. */
function commandOptions(options: TrainCommandOptions): readonly string[] {
  return Object.entries(OF_TABLES).flatMap(([name, option]) => {
    const value: unknown = options[name as keyof typeof OF_TABLES];
    if (value === undefined || name === "printExperiment") return [];
    if (Array.isArray(value)) return value.flatMap((item) => [option, String(item)]);
    if (typeof value === "object" && value !== null)
      return Object.entries(value).flatMap(([column, kind]) => [option, `${column}=${String(kind)}`]);
    return typeof value === "string" || typeof value === "number" ? [option, String(value)] : [];
  });
}

/** As a shell takes it. */
const quoted = (word: string): string => (/^[\w./=:,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Everything that can be wrong is found before the folder is made and the first step taken. */
export async function train(
  text: ExperimentText,
  options: TrainOptions,
  signal: AbortSignal,
  reporter = new Reporter(),
  context: ContextOptions = {},
): Promise<TrainResult> {
  const { out, force } = options;
  const early = async (): Promise<void> => {
    if (out !== undefined) await RunFolder.check(out, force);
  };
  const prepared = await prepare(text, options, signal, reporter, { ...context, early });
  const folder = await RunFolder.create(prepared.plan.experiment.name, out, { force: force ?? false });
  return new Run(prepared, reporter, folder).run(signal);
}

/** Goes on with the run of a folder, from its newest checkpoint. */
export async function resume(
  path: string,
  { data, epochs, threads }: ResumeOptions,
  signal: AbortSignal,
  reporter = new Reporter(),
): Promise<TrainResult> {
  const { folder, run } = await RunFolder.resume(path);
  const text = await textOf(path, run);
  const { variant, seed, batchSize, ensemble, from, freeze } = run.options;
  const options = {
    variant,
    seed,
    batchSize,
    epochs: epochs ?? run.options.epochs,
    threads: threads ?? run.options.threads,
    ...defined({ data, ensemble, from, freeze }),
  };
  const prepared = await prepare(text, options, signal, reporter, { known: placesOf(run) });
  checkSources(path, run, prepared);
  return new Run(prepared, reporter, folder, run).run(signal);
}
