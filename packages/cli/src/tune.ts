/** `torte tune`: hyperparameters of an experiment, tuned in a study's folder. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type SchedulerName, type SearcherName, type Study, serveTrials, type Tunable, tune } from "@torte/tune";
import { DataError, OptionError } from "torte";
import { trialExperiment } from "./best-experiment.js";
import { classWeightOf } from "./decide.js";
import { compileOf, modelOf } from "./experiment.js";
import { type ExperimentText, loadExperiment, readExperiment } from "./load-experiment.js";
import { prepareRows, type PrepareOptions, settle } from "./prepare.js";
import { studyPage } from "./report/study.js";
import { Reporter } from "./reporter.js";
import { replaceFile } from "./run-folder.js";
import { StudyView } from "./study-view.js";
import { defined } from "./table-request.js";
import { experimentOf, isTable, refuseTableOptions, type TrainCommandOptions } from "./train.js";

/** Of a study; the options of tables are those of `torte train`. */
export interface TuneCommandOptions
  extends
    Omit<PrepareOptions, "epochs" | "from" | "freeze" | "ensemble">,
    Omit<TrainCommandOptions, keyof PrepareOptions | "out" | "force" | "resume" | "evaluate"> {
  /** Seconds. */
  readonly budget?: number;
  readonly trials?: number;
  /** Of all trials together. */
  readonly epochs?: number;
  /** Of a trial that nothing stops. */
  readonly trialEpochs?: number;
  readonly objective?: string;
  readonly searcher?: SearcherName;
  readonly scheduler?: SchedulerName;
  /** Folders of earlier studies. */
  readonly from?: readonly string[];
  readonly workers?: number;
  readonly reproducible?: boolean;
  /** The address of a PostgreSQL database that workers on any machine take trials from. */
  readonly storage?: string;
  /** Works for the study that is led elsewhere. */
  readonly worker?: boolean;
  readonly out?: string;
  readonly resume?: boolean;
}

/** For people. */
const PAGE = "study.html";

/** What a study's folder says of how it was begun. */
const RECORD = "study.json";

/** The best trial, as an experiment. */
const BEST = "best.ts";

/** What a table stands for. */
const GENERATED = "experiment.ts";

/** How a study was begun: what its record has. */
export interface Begun {
  /** The experiment, or the table. */
  readonly file: string;
  readonly options: TuneCommandOptions;
  /** The experiment was made for the table, and is in the folder. */
  readonly generated: boolean;
}

interface Opened extends Begun {
  readonly folder: string;
}

/** What `torte tune` does; false where it was interrupted. */
export async function tuneCommand(
  given: string,
  asked: TuneCommandOptions,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<boolean> {
  if (asked.printExperiment === true) {
    print(
      isTable(given, asked)
        ? (await experimentOf(given, [], ofTable(asked), "tune")).text.source
        : readExperiment(given).source,
    );
    return true;
  }
  if (asked.worker === true) {
    await work(given, asked, signal);
    return !signal.aborted;
  }
  const opened = asked.resume === true ? resumed(given, asked) : await begun(given, asked);
  const { options, folder } = opened;
  const { budget: seconds, trials, epochs, workers = 1, searcher, scheduler } = options;
  const output = asked.json === true || asked.quiet === true ? undefined : process.stdout;
  const reporter = new Reporter(output ?? "silent");
  const text = textOf(folder, opened);
  const tuned = await tunableOf(text, options, signal, reporter);
  if (opened.generated) reporter.line(`The experiment is ${join(folder, GENERATED)}.`);
  const budget = {
    ...(seconds === undefined ? {} : { seconds }),
    ...(trials === undefined ? {} : { trials }),
    ...(epochs === undefined ? {} : { epochs }),
  };
  const view = new StudyView(output, budget);
  const study = await tune({
    ...tuned.tunable,
    seed: tuned.seed,
    epochs: tuned.epochs,
    folder,
    signal,
    budget,
    ...(options.from === undefined || asked.resume === true ? {} : { from: options.from }),
    ...(searcher === undefined ? {} : { searcher }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(options.reproducible === true ? { parallel: { mode: "reproducible" } } : {}),
    ...(options.storage === undefined ? {} : { storage: { url: options.storage } }),
    ...(workers === 1 || options.storage !== undefined
      ? {}
      : {
          workers: {
            count: workers,
            program: fileURLToPath(new URL("tune-worker.js", import.meta.url)),
            args: [JSON.stringify({ folder, options })],
          },
        }),
    onEvent: (event, now) => {
      view.told(event, now);
    },
  }).finally(() => {
    view.end();
  });
  const best = await leave(folder, text, tuned, study);
  if (asked.json === true) print(`${JSON.stringify(study, undefined, 2)}\n`);
  else if (asked.quiet !== true) print(`\n${study.report()}\n\n${ending(folder, best, signal)}\n`);
  return !signal.aborted;
}

/** What a study leaves for people; gives the best trial's file, where there is one. */
async function leave(folder: string, text: ExperimentText, tuned: Tuned, study: Study): Promise<string | undefined> {
  const name = basename(resolve(folder));
  await replaceFile(folder, PAGE, await studyPage(name, study));
  const { best, objectives } = study;
  if (best === undefined) return undefined;
  const source = trialExperiment({
    text,
    folder,
    title: `Trial ${best.number} of ${name}: ${objectives[0]?.metric ?? ""} ${best.seen}, as it was seen.`,
    setting: best.values,
    training: { epochs: tuned.epochs, batchSize: tuned.batchSize, seed: tuned.seed },
    variant: tuned.variant,
  });
  await replaceFile(folder, BEST, source);
  return join(folder, BEST);
}

function ending(folder: string, best: string | undefined, { aborted }: AbortSignal): string {
  const written = `The study is in ${folder}, for people ${join(folder, PAGE)}; the test part was not looked at.`;
  if (aborted) return `Interrupted. torte tune ${folder} --resume goes on.`;
  return best === undefined
    ? written
    : `${written}\ntorte train ${best} trains the best trial; torte evaluate of that run opens the test.`;
}

/** What a worker of a study in a database does: it trains until the study is over. */
async function work(file: string, options: TuneCommandOptions, signal: AbortSignal): Promise<void> {
  const { storage } = options;
  if (storage === undefined)
    throw new OptionError({
      where: "--worker",
      problem: "there is no database to take trials from",
      expected: "--storage postgres://user@host:5432/database",
    });
  const reporter = new Reporter(options.json === true || options.quiet === true ? "silent" : process.stdout);
  const { text } = isTable(file, options)
    ? await experimentOf(file, [], ofTable(options), "tune")
    : { text: readExperiment(file) };
  const own = { ...options, threads: options.threads ?? 1 };
  const { tunable, seed } = await tunableOf(text, own, signal, reporter);
  const folder = folderOf(file, options);
  reporter.line(`Works for the study ${basename(resolve(folder))} until it is over; Ctrl-C ends it before.`);
  await serveTrials(() => Promise.resolve({ ...tunable, seed, folder, signal }), { url: storage });
}

const folderOf = (file: string, { out }: TuneCommandOptions): string =>
  out ?? join("runs", `${file.replace(/.*[/\\]/, "").replace(/\.[^.]*$/, "")}-study`);

async function begun(file: string, options: TuneCommandOptions): Promise<Opened> {
  if (options.budget === undefined && options.trials === undefined && options.epochs === undefined)
    throw new OptionError({
      where: "torte tune",
      problem: "there is no budget",
      expected: "--budget 30m, --trials 60 or --epochs 2000",
    });
  const folder = folderOf(file, options);
  if (existsSync(join(folder, "journal.jsonl")))
    throw new OptionError({
      where: "--out",
      problem: "the folder has a study already",
      received: folder,
      fix: `torte tune ${folder} --resume goes on with it; --out takes another folder.`,
    });
  const generated = isTable(file, options);
  if (!generated) refuseTableOptions(file, options);
  // Everything that is wrong with the table is told before there is a folder.
  const made = generated ? await experimentOf(file, [], ofTable(options), "tune") : undefined;
  mkdirSync(folder, { recursive: true });
  if (made !== undefined) writeFileSync(join(folder, GENERATED), made.text.source);
  // How to go on where the process dies; without the address of a database, which may have a password.
  writeFileSync(
    join(folder, RECORD),
    `${JSON.stringify({ file, options: { ...options, storage: undefined }, generated }, undefined, 2)}\n`,
  );
  return { file, options, generated, folder };
}

/** What is said of the table: `from` and `resume` mean something else to `torte train`. */
const ofTable = (options: TuneCommandOptions): TrainCommandOptions =>
  Object.fromEntries(Object.entries(options).filter(([name]) => name !== "from" && name !== "resume"));

/** The experiment of a study's folder. */
export function textOf(folder: string, { file, generated }: Begun): ExperimentText {
  if (!generated) return readExperiment(file);
  const { source } = readExperiment(join(folder, GENERATED));
  return { shown: "the generated experiment", path: resolve(`${file}.experiment.ts`), source, generated };
}

/** @throws DataError where the folder is no study's. */
export function readBegun(folder: string): Begun {
  const path = join(folder, RECORD);
  if (!existsSync(path))
    throw new DataError({
      where: folder,
      problem: "this is no study's folder",
      expected: `a folder with ${RECORD}, as torte tune writes it`,
    });
  const { generated = false, ...others } = JSON.parse(readFileSync(path, "utf8")) as Partial<Begun> &
    Omit<Begun, "generated">;
  return { ...others, generated };
}

function resumed(folder: string, asked: TuneCommandOptions): Opened {
  const before = readBegun(folder);
  const { budget, trials, epochs, workers, storage } = asked;
  const changed = defined<Partial<TuneCommandOptions>>({ budget, trials, epochs, workers, storage });
  return { ...before, folder, options: { ...before.options, ...changed } };
}

/** An experiment as something to tune. */
export interface Tuned {
  readonly tunable: Tunable;
  /** Of a trial that nothing stops. */
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly variant: string;
}

export async function tunableOf(
  text: ExperimentText,
  options: TuneCommandOptions,
  signal: AbortSignal,
  reporter: Reporter,
): Promise<Tuned> {
  const experiment = await loadExperiment(text);
  const refuse = (problem: string, expected: string, received: string): never => {
    throw new OptionError({ where: text.shown, problem, expected, received });
  };
  if (experiment.setting !== undefined)
    refuse(
      "its hyperparameters are chosen already",
      "an experiment without setting",
      Object.keys(experiment.setting).join(", "),
    );
  const { data: path, batchSize, seed, variant, threads, backend } = options;
  const chosen = Object.fromEntries(
    Object.entries({ data: path, batchSize, seed, variant, threads, backend }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const plan = settle(text, experiment, chosen);
  if (plan.from !== undefined)
    refuse(
      "trials start from random weights, and the experiment says from",
      "an experiment without from",
      plan.from.run,
    );
  const { data } = await prepareRows(plan, chosen, signal, reporter);
  const weighted = experiment.training?.classWeight === "balanced";
  const classWeight = weighted ? { classWeight: await classWeightOf(data.train) } : {};
  const tunable: Tunable = {
    model: (h, own) =>
      modelOf(experiment, {
        variant: plan.variant,
        options: { seed: own.seed ?? plan.seed, threads: plan.threads, backend: plan.backend },
        data,
        h,
      }),
    compile: (h) => compileOf(experiment, h),
    fit: () => ({ ...classWeight, batchSize: plan.batchSize, callbacks: experiment.callbacks?.() ?? [] }),
    data: { train: data.train, validation: data.validation },
    ...(options.objective === undefined ? {} : { objective: { metric: options.objective } }),
  };
  return {
    tunable,
    epochs: options.trialEpochs ?? plan.epochs,
    batchSize: plan.batchSize,
    seed: plan.seed,
    variant: plan.variant,
  };
}
