/** Tuning a model: from options to a study that was led to its end. */
import { hostname } from "node:os";
import { basename, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  checkOptions,
  type CompileOptions,
  Model,
  type ModelOptions,
  ModelSpace,
  numberIn,
  oneOf,
  OptionError,
  positiveInteger,
  seedOption,
  show,
} from "torte";
import { readSearcher, type SearcherName } from "../searchers/auto.js";
import type { Searcher } from "../searchers/searcher.js";
import { readScheduler, type SchedulerName } from "../schedulers/by-name.js";
import type { Scheduler } from "../schedulers/scheduler.js";
import { type Hyper, Recorder } from "../space/hyper.js";
import type { Assignment } from "../space/parameter.js";
import { Space } from "../space/space.js";
import { Checkpoints } from "../storage/checkpoints.js";
import { Journal } from "../storage/journal.js";
import { takeLock } from "../storage/lock.js";
import type { SharedStorage } from "../storage/postgres/database.js";
import { serve } from "../storage/worker.js";
import { Workers } from "../storage/workers.js";
import { type Budget, checkBudget } from "./budget.js";
import { fitting } from "../searchers/earlier.js";
import { readEarlier } from "./earlier.js";
import type { JournalEvent, StudyEvent } from "./events.js";
import { InProcess } from "./in-process.js";
import { type Executor, type Job, Leader } from "./leader.js";
import { checkSame, checkSameSpace } from "./same.js";
import {
  checkConstraints,
  type Constraints,
  figureName,
  isCost,
  noFigure,
  type Objective,
  readObjectives,
} from "./objective.js";
import type { Goal } from "./search.js";
import { Study } from "./study.js";
import { checkData, type Made, type TrialFit, TrialRun, type TuneData } from "./trial-run.js";

/** What is tuned: functions of the hyperparameters. */
export interface Tunable {
  /**
   * The model of a setting; `options` has the seed, to be passed on to `sequential` or `functional` where other options are given. Or
   * a model as it stands, with `space`.
   */
  readonly model: Model | ((h: Hyper, options: ModelOptions) => Model);
  /** Of a model as it stands: what is chosen, as `model.hyperparameters().space({ only: ["rate", "units"] })` gives it. Default: none. */
  readonly space?: ModelSpace<Model>;
  /** Optimizer, loss and metrics, or a function of the setting. Default: the model is compiled already. */
  readonly compile?: CompileOptions | ((h: Hyper) => CompileOptions);
  /** Options of `fit`, or a function of the setting; callbacks are then made anew for each trial. Default: those of `fit`. */
  readonly fit?: TrialFit | ((h: Hyper) => TrialFit);
  readonly data: TuneData;
  /** Default: less of the validation loss. */
  readonly objective?: Objective | readonly Objective[];
  /** Models of each trial, with seeds of their own; their figures are averaged. Default 1. */
  readonly repeats?: number;
  /** The most that a trial may cost; too many parameters are seen before training. Default: anything. */
  readonly constraints?: Constraints;
  /** Which epoch's figures are the trial's: of the best one, by the first objective, or of the last. Default "best". */
  readonly value?: "best" | "last";
}

/** Options of `tune`. */
export interface StudyOptions {
  /** Trials, epochs or seconds, whatever is spent first; of the study over all of its runs. */
  readonly budget: Budget;
  /** Of a trial that nothing stops. Default 10. */
  readonly epochs?: number;
  /** Default "auto". */
  readonly searcher?: SearcherName | Searcher;
  /** Default "asha" where a trial has more than two epochs, else "none". */
  readonly scheduler?: SchedulerName | Scheduler;
  /** Of everything that is random in the study. Default 0. */
  readonly seed?: number;
  /** The best trials, run again in full with fresh seeds. Default { trials: 3, seeds: 3 }; false for none. */
  readonly confirm?: { readonly trials?: number; readonly seeds?: number } | false;
  /**
   * "reproducible": tasks are chosen in rounds and results told at a round's end, so that the study does not depend on how many workers
   * there are, or how fast they are. `round` is how many tasks a round has. Default: results count as they come.
   */
  readonly parallel?: { readonly mode: "reproducible"; readonly round?: number };
  /** Where the study is kept; it goes on from there where it was begun before. Default: in memory. */
  readonly folder?: string;
  /**
   * Folders of earlier studies of related data: their best settings are tried first, and the Gaussian process learns from their results as
   * far as they rank those of this study. Default: none.
   */
  readonly from?: readonly string[];
  /** Processes that train, instead of this one. Their program calls `serveTrials`. Default: none. */
  readonly workers?: WorkerProcesses;
  /**
   * A PostgreSQL database that has the queue of trials, and their checkpoints: whoever runs `serveTrials` with it, on whatever machine,
   * trains for the study. The journal stays in `folder`. Default: none.
   */
  readonly storage?: SharedStorage;
  /** Ends the study; it can be resumed where it has a folder. */
  readonly signal?: AbortSignal;
  /** Told of everything that happens, with the study as it is then. */
  readonly onEvent?: (event: JournalEvent, study: Study) => void;
}

/** Trials in processes of their own. */
export interface WorkerProcesses {
  /** Trials at the same time. */
  readonly count: number;
  /** The file of the program. */
  readonly program: string | URL;
  readonly args?: readonly string[];
  /** Seconds of silence after which a worker is taken for dead, and another one goes on with its trial. Default 60. */
  readonly lease?: number;
}

export interface TuneOptions extends Tunable, StudyOptions {}

const TUNABLE = ["model", "space", "compile", "fit", "data", "objective", "repeats", "constraints", "value"];
const STUDY = [
  "budget",
  "epochs",
  "searcher",
  "scheduler",
  "seed",
  "confirm",
  "parallel",
  "folder",
  "from",
  "workers",
  "storage",
  "signal",
  "onEvent",
];

/**
 * Finds the setting of a model with which it is best on the validation data.
 *
 * Trials are chosen by the searcher, and get as many epochs as the scheduler says; a trial that goes on goes on from exactly where it
 * was. At the end the best few are trained again with fresh seeds. The test part is none of the study's: evaluate the model that you
 * train with the best setting, once.
 *
 * @throws OptionError for options that make no sense, a metric that the model does not have, and a folder whose study is another one;
 * DataError for a sealed test and for a journal that is damaged; TrainingError where the first trials all fail.
 * @example
 * import { Dataset, dense, dropout, input, sequential, sgd, tensor } from "torte";
 * import { tune } from "@torte/tune";
 * const x = Array.from({ length: 64 }, (_, i) => [Math.sin(i), Math.cos(3 * i)]);
 * const data = Dataset.fromTensors({ x: tensor(x), y: tensor(x.map(([a = 0, b = 0]) => [a * b])) });
 * const study = await tune({
 *   model: (h) =>
 *     sequential(
 *       input({ shape: [2] }),
 *       dense({ units: h.int("units", 4, 32, { log: true }), activation: h.categorical("activation", ["relu", "tanh"]) }),
 *       dense({ units: 1 }),
 *     ),
 *   compile: (h) => ({ optimizer: sgd({ learningRate: h.float("rate", 1e-3, 1, { log: true }) }), loss: "meanSquaredError" }),
 *   data: { train: data.take(48), validation: data.skip(48) },
 *   epochs: 9,
 *   budget: { trials: 12 },
 * });
 * console.log(study.trials.length, study.best?.confirmation?.runs); // 12 3
 */
export async function tune(options: TuneOptions): Promise<Study> {
  checkOptions("tune", options, [...TUNABLE, ...STUDY]);
  const setup = settle(options);
  return lead(setup, options, (header) => executorOf(setup, options, header));
}

async function executorOf(setup: Setup, options: TuneOptions, header: StudyEvent): Promise<Executor> {
  const { constraints = {}, signal, folder, workers, storage } = options;
  if (storage !== undefined) {
    const study = studyName(storage, folder);
    const { QueueExecutor } = await import("../storage/postgres/executor.js");
    const holder = `${hostname()}:${resolve(folder ?? "")}`;
    return QueueExecutor.open({ ...storage, study, holder, header, signal });
  }
  const kept = folder === undefined ? {} : { checkpoints: new Checkpoints(folder) };
  if (workers === undefined) return new InProcess({ make: setup.run, constraints, signal, ...kept });
  checkOptions("workers", workers, ["count", "program", "args", "lease"]);
  const { program, args = [], lease = 60 } = workers;
  return new Workers({
    count: positiveInteger("workers", "count", workers.count),
    program: program instanceof URL ? fileURLToPath(program) : program,
    args,
    lease: 1000 * numberIn("workers", "lease", lease, { above: 0 }),
    signal,
    ...kept,
  });
}

/** What the study is called in the database. @throws OptionError for options that do not go together. */
function studyName(storage: SharedStorage, folder: string | undefined): string {
  checkOptions("storage", storage, ["url", "study", "lease"]);
  const wrong = (problem: string, expected: string, received: unknown): never => {
    throw new OptionError({ where: "storage", problem, expected, received: show(received) });
  };
  if (typeof storage.url !== "string" || !/^postgres(ql)?:\/\//.test(storage.url))
    wrong("url is no address of a PostgreSQL database", '"postgres://user@host:5432/database"', storage.url);
  if (storage.lease !== undefined) numberIn("storage", "lease", storage.lease, { above: 0 });
  const name =
    storage.study ?? (folder === undefined ? undefined : basename(resolve(folder)).replaceAll(/[^\w-]/g, "_"));
  if (name === undefined) return wrong("the study has no name", "study, or a folder", undefined);
  if (!/^[\w-]{1,80}$/.test(name)) wrong("study is unusable", "letters, digits, _ and -", name);
  return name;
}

/**
 * What the program of a worker does: it trains what the leader says, until the study is over. Everything that is given must be the same as
 * the leader's. With `storage` it takes trials from the database, else from the process that has started it.
 *
 * @throws OptionError where the study in the database has other hyperparameters, with what differs.
 */
export async function serveTrials(
  prepare: () => Promise<Tunable & Pick<StudyOptions, "seed" | "folder" | "signal">>,
  storage?: SharedStorage,
): Promise<void> {
  if (storage !== undefined) return serveShared(await prepare(), storage);
  await serve(async () => {
    const { folder, ...options } = await prepare();
    const kept = folder === undefined ? {} : { checkpoints: new Checkpoints(folder), every: 2 };
    return { make: settle(options).run, constraints: options.constraints ?? {}, signal: undefined, ...kept };
  });
}

async function serveShared(
  { folder, signal, ...options }: Awaited<ReturnType<Parameters<typeof serveTrials>[0]>>,
  storage: SharedStorage,
): Promise<void> {
  const study = studyName(storage, folder);
  const setup = settle(options);
  const { serveQueue } = await import("../storage/postgres/worker.js");
  await serveQueue({
    ...storage,
    study,
    signal,
    executor: { make: setup.run, constraints: options.constraints ?? {}, every: 2 },
    check: (header) => {
      checkSameSpace(header.parameters, setup.space.parameters, `the study ${study}`);
    },
  });
}

/** Everything that is settled before the first trial. */
export interface Setup {
  readonly space: Space<Made>;
  readonly objectives: readonly Objective[];
  readonly directions: readonly Goal[];
  readonly seed: number;
  /** The setting of a job, ready to train. */
  readonly run: (job: Job) => TrialRun;
}

/** @throws OptionError, DataError for what cannot be tuned. */
export function settle(options: Tunable & Pick<StudyOptions, "seed">): Setup {
  checkData(options.data);
  const seed = seedOption("tune", options.seed ?? 0);
  const repeats = positiveInteger("tune", "repeats", options.repeats ?? 1);
  checkConstraints(options.constraints ?? {});
  const define = definition(options);
  const space = new Space((h) => define(h, {}));
  const objectives = readObjectives(options.objective ?? { metric: "loss" });
  return {
    space,
    objectives,
    seed,
    directions: directionsOf(space, objectives),
    run: ({ values, seed: modelSeed }) =>
      new TrialRun({
        data: options.data,
        objectives,
        repeats,
        seed,
        modelSeed,
        make: (wanted) =>
          define(new Recorder(({ name }) => valueOf(values, name)), wanted === undefined ? {} : { seed: wanted }),
      }),
  };
}

function valueOf(values: Assignment, name: string): Assignment[string] {
  const value = values[name];
  if (value !== undefined) return value;
  throw new OptionError({
    where: name,
    problem: "the hyperparameter was not asked for when the setting was chosen",
    fix: "A model must ask for the same hyperparameters whenever it is made with the same setting.",
  });
}

function definition({ model, space, compile, fit }: Tunable): (h: Hyper, options: ModelOptions) => Made {
  const make = maker(model, space);
  return (h, options) => {
    const made = make(h, options);
    if (!((made as unknown) instanceof Model))
      throw new OptionError({
        where: "tune",
        problem: "model gives no model",
        expected: "what sequential or functional return",
        received: show(made),
      });
    return {
      model: made,
      compile: typeof compile === "function" ? compile(h) : compile,
      fit: (typeof fit === "function" ? fit(h) : fit) ?? {},
    };
  };
}

function maker(model: Tunable["model"], space: Tunable["space"]): (h: Hyper, options: ModelOptions) => Model {
  const wrong = (problem: string, expected: string, received: unknown): never => {
    throw new OptionError({ where: "tune", problem, expected, received: show(received) });
  };
  if (typeof model === "function") {
    if (space !== undefined) wrong("space goes with a model as it stands", "no space, or a model", space);
    return model;
  }
  if (!((model as unknown) instanceof Model))
    return wrong("model has the wrong type", "a function of h that returns a model, or a model and its space", model);
  if (!(space instanceof ModelSpace))
    return wrong("space is missing", 'model.hyperparameters().space({ only: ["rate", "units"] })', space);
  if (!space.isOf(model.network)) wrong("the space is of another model", "model.hyperparameters().space()", space);
  return (h, options) => space.model(h, options);
}

/** As the objectives say, or else the metrics of the model. */
function directionsOf(space: Space<Made>, objectives: readonly Objective[]): readonly Goal[] {
  const { model, compile } = space.build(space.base);
  if (compile !== undefined) model.compile(compile);
  return objectives.map(({ metric, direction }) => {
    if (isCost(metric)) return direction ?? "min";
    const own = Object.entries(model.figures).find(([name]) => figureName(name) === figureName(metric))?.[1];
    if (own === undefined) throw noFigure(metric, Object.keys(model.figures));
    if (direction === undefined && own !== "min" && own !== "max")
      throw new OptionError({
        where: "objective",
        problem: `neither less nor more of ${metric} is better`,
        fix: `Say it: { metric: ${JSON.stringify(metric)}, direction: "min" } or "max".`,
      });
    return direction ?? (own === "max" ? "max" : "min");
  });
}

/** Leads the study with somebody who trains. */
export async function lead(
  setup: Setup,
  options: StudyOptions & Pick<Tunable, "repeats" | "value">,
  start: (header: StudyEvent) => Promise<Executor>,
): Promise<Study> {
  const { space, objectives, directions, seed } = setup;
  checkBudget(options.budget);
  const epochs = positiveInteger("tune", "epochs", options.epochs ?? 10);
  const searcher = readSearcher(options.searcher ?? "auto");
  const scheduler = readScheduler(options.scheduler ?? (epochs > 2 ? "asha" : "none"));
  const header: StudyEvent = {
    event: "study",
    version: 1,
    seed,
    parameters: space.parameters,
    objectives: objectives.map(({ metric }, i) => ({ metric, direction: directions[i] ?? "min" })),
    value: oneOf("tune", "value", options.value ?? "best", ["best", "last"]),
    epochs,
    repeats: options.repeats ?? 1,
    searcher: searcher.name,
    scheduler: scheduler.name,
    round: roundOf(options.parallel),
    ...(options.from === undefined ? {} : { earlier: fitting(space, options.from.map(readEarlier)) }),
  };
  // Before anybody is started: a folder that is another's is refused.
  const store = options.folder === undefined ? { ...IN_MEMORY, header } : openFolder(options.folder, header);
  let executor: Executor | undefined;
  try {
    executor = await start(store.header);
    const leader = new Leader({
      space,
      searcher,
      scheduler,
      header: store.header,
      directions,
      budget: options.budget,
      confirm: confirmOf(options.confirm),
      executor,
      append: store.append,
      events: store.events,
      onEvent: (event) => options.onEvent?.(event, study),
      signal: options.signal,
    });
    const study = new Study(space, objectives, directions, seed, leader.ledger);
    await leader.run();
    return study;
  } finally {
    await executor?.close();
    store.close();
  }
}

interface Store {
  /** As the journal has it. */
  readonly header: StudyEvent;
  readonly events: readonly JournalEvent[];
  readonly append: (event: JournalEvent) => void;
  readonly close: () => void;
}

const IN_MEMORY: Omit<Store, "header"> = { events: [], append: () => undefined, close: () => undefined };

function openFolder(folder: string, header: StudyEvent): Store {
  const release = takeLock(folder);
  try {
    const { journal, events } = Journal.open(folder);
    try {
      const [first] = events;
      if (first === undefined) journal.append(header);
      else if (first.event === "study") checkSame(first, header, folder);
      else
        throw new OptionError({
          where: folder,
          problem: "the journal does not begin with a study",
          expected: "study",
          received: first.event,
        });
      return {
        header: first ?? header,
        events,
        append: (event) => journal.append(event),
        close: () => {
          journal.close();
          release();
        },
      };
    } catch (error) {
      journal.close();
      throw error;
    }
  } catch (error) {
    release();
    throw error;
  }
}

function roundOf(parallel: StudyOptions["parallel"]): number {
  if (parallel === undefined) return 0;
  checkOptions("parallel", parallel, ["mode", "round"]);
  oneOf("parallel", "mode", parallel.mode, ["reproducible"]);
  return positiveInteger("parallel", "round", parallel.round ?? 4);
}

function confirmOf(confirm: StudyOptions["confirm"]): { readonly trials: number; readonly seeds: number } {
  if (confirm === false) return { trials: 0, seeds: 0 };
  checkOptions("confirm", confirm ?? {}, ["trials", "seeds"]);
  return {
    trials: positiveInteger("confirm", "trials", confirm?.trials ?? 3),
    seeds: positiveInteger("confirm", "seeds", confirm?.seeds ?? 3),
  };
}
