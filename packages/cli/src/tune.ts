/** `torte tune`: hyperparameters of an experiment, tuned in a study's folder. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type JournalEvent, type SchedulerName, type SearcherName, type Study, type Tunable, tune } from "@torte/tune";
import { DataError, OptionError } from "torte";
import { compileOf } from "./experiment.js";
import { loadExperiment, readExperiment } from "./load-experiment.js";
import { prepareRows, type PrepareOptions, settle } from "./prepare.js";
import { studyPage } from "./report/study.js";
import { Reporter } from "./reporter.js";
import { replaceFile } from "./run-folder.js";

export interface TuneCommandOptions extends Omit<PrepareOptions, "epochs" | "from" | "freeze"> {
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
  readonly out?: string;
  readonly resume?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** For people. */
const PAGE = "study.html";

/** What a study's folder says of how it was begun. */
const RECORD = "study.json";

interface Begun {
  readonly file: string;
  readonly options: TuneCommandOptions;
}

/** What `torte tune` does; false where it was interrupted. */
export async function tuneCommand(
  given: string,
  asked: TuneCommandOptions,
  signal: AbortSignal,
  print: (text: string) => void,
): Promise<boolean> {
  const { file, options, folder } = asked.resume === true ? resumed(given, asked) : begun(given, asked);
  const { budget: seconds, trials, epochs, workers = 1, searcher, scheduler } = options;
  const reporter = new Reporter(asked.json === true || asked.quiet === true ? "silent" : process.stdout);
  const { tunable, trialEpochs, seed } = await tunableOf(file, options, signal, reporter);
  const study = await tune({
    ...tunable,
    seed,
    epochs: options.trialEpochs ?? trialEpochs,
    folder,
    signal,
    budget: {
      ...(seconds === undefined ? {} : { seconds }),
      ...(trials === undefined ? {} : { trials }),
      ...(epochs === undefined ? {} : { epochs }),
    },
    ...(options.from === undefined || asked.resume === true ? {} : { from: options.from }),
    ...(searcher === undefined ? {} : { searcher }),
    ...(scheduler === undefined ? {} : { scheduler }),
    ...(options.reproducible === true ? { parallel: { mode: "reproducible" } } : {}),
    ...(workers === 1
      ? {}
      : {
          workers: {
            count: workers,
            program: fileURLToPath(new URL("tune-worker.js", import.meta.url)),
            args: [JSON.stringify({ file, options, folder })],
          },
        }),
    onEvent: (event, now) => {
      const line = lineOf(event, now);
      if (line !== undefined) reporter.line(line);
    },
  });
  await replaceFile(folder, PAGE, await studyPage(basename(resolve(folder)), study));
  if (asked.json === true) print(`${JSON.stringify(study, undefined, 2)}\n`);
  else if (asked.quiet !== true) print(`\n${study.report()}\n\n${ending(folder, signal)}\n`);
  return !signal.aborted;
}

const ending = (folder: string, { aborted }: AbortSignal): string =>
  aborted
    ? `Interrupted. torte tune ${folder} --resume goes on.`
    : `The study is in ${folder}, for people ${join(folder, PAGE)}; the test part was not looked at.`;

function begun(file: string, options: TuneCommandOptions): Begun & { readonly folder: string } {
  if (options.budget === undefined && options.trials === undefined && options.epochs === undefined)
    throw new OptionError({
      where: "torte tune",
      problem: "there is no budget",
      expected: "--budget 30m, --trials 60 or --epochs 2000",
    });
  const folder = options.out ?? join("runs", `${file.replace(/.*[/\\]/, "").replace(/\.[^.]*$/, "")}-study`);
  if (existsSync(join(folder, "journal.jsonl")))
    throw new OptionError({
      where: "--out",
      problem: "the folder has a study already",
      received: folder,
      fix: `torte tune ${folder} --resume goes on with it; --out takes another folder.`,
    });
  mkdirSync(folder, { recursive: true });
  // How to go on where the process dies.
  writeFileSync(join(folder, RECORD), `${JSON.stringify({ file, options }, undefined, 2)}\n`);
  return { file, options, folder };
}

function resumed(folder: string, asked: TuneCommandOptions): Begun & { readonly folder: string } {
  const path = join(folder, RECORD);
  if (!existsSync(path))
    throw new DataError({
      where: folder,
      problem: "this is no study's folder",
      expected: `a folder with ${RECORD}, as torte tune writes it`,
    });
  const { file, options } = JSON.parse(readFileSync(path, "utf8")) as Begun;
  const { budget, trials, epochs, workers } = asked;
  const changed = Object.fromEntries(
    Object.entries({ budget, trials, epochs, workers }).filter(([, value]) => value !== undefined),
  );
  return { file, folder, options: { ...options, ...changed } };
}

/** An experiment as something to tune. */
export async function tunableOf(
  file: string,
  options: Omit<PrepareOptions, "epochs" | "from" | "freeze"> & Pick<TuneCommandOptions, "objective">,
  signal: AbortSignal,
  reporter: Reporter,
): Promise<{ readonly tunable: Tunable; readonly trialEpochs: number; readonly seed: number }> {
  const text = readExperiment(file);
  const experiment = await loadExperiment(text);
  const { data: path, batchSize, seed, variant, threads, backend } = options;
  const chosen = Object.fromEntries(
    Object.entries({ data: path, batchSize, seed, variant, threads, backend }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const plan = settle(text, experiment, chosen);
  if (plan.from !== undefined)
    throw new OptionError({
      where: text.shown,
      problem: "trials start from random weights, and the experiment says from",
      expected: "an experiment without from",
      received: plan.from.run,
    });
  const { data } = await prepareRows(plan, chosen, signal, reporter);
  const tunable: Tunable = {
    model: (h, own) =>
      experiment.model({
        variant: plan.variant,
        options: { seed: own.seed ?? plan.seed, threads: plan.threads, backend: plan.backend },
        data,
        h,
      }),
    compile: (h) => compileOf(experiment, h),
    fit: () => ({ batchSize: plan.batchSize, callbacks: experiment.callbacks?.() ?? [] }),
    data: { train: data.train, validation: data.validation },
    ...(options.objective === undefined ? {} : { objective: { metric: options.objective } }),
  };
  return { tunable, trialEpochs: plan.epochs, seed: plan.seed };
}

const BARS = "▁▂▃▄▅▆▇█";

/** A curve in a few letters. */
export function sparkline(values: readonly number[]): string {
  const finite = values.filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const step = Math.max(1, Math.ceil(values.length / 20));
  return values
    .filter((_, i) => i % step === 0 || i === values.length - 1)
    .map((value) => (Number.isFinite(value) ? (BARS[Math.round((7 * (value - low)) / (high - low || 1))] ?? "") : "?"))
    .join("");
}

/** What is said of an event, if anything. */
function lineOf(event: JournalEvent, study: Study): string | undefined {
  if (event.event !== "end") return event.event === "lost" ? `trial ${event.trial} was lost and goes on` : undefined;
  const trial = study.trials[event.trial];
  if (trial === undefined || trial.state === "running") return undefined;
  const shown = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(4));
  const best = study.best;
  const curve = sparkline(trial.epochs.map(([first]) => first ?? NaN));
  const facts = [
    `trial ${String(trial.number).padStart(3)}`,
    trial.state.padEnd(8),
    `${shown(trial.results?.[0])} ${curve} ${trial.epochs.length} epochs`,
    best === undefined ? "" : `best ${shown(best.seen)} (trial ${best.number})`,
    trial.error ?? "",
  ];
  return facts.filter((fact) => fact !== "").join("  ");
}
