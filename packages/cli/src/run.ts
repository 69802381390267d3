/** One run: trains, tells, and keeps the folder up to date. */
import { createRequire } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { type Decision, figuresOf, Predictor } from "@torte/data";
import type { PresentSetting } from "@torte/tune";
import {
  type Callback,
  type History,
  type Logs,
  type Model,
  type ModelOptions,
  OptionError,
  type Table,
  TorteError,
} from "torte";
import { majorityBaseline } from "./baseline.js";
import type { DataSource } from "./data-context.js";
import type { Experiment, StartFrom } from "./experiment.js";
import { classWeightOf, decide } from "./decide.js";
import { type ExperimentText, inExperiment } from "./load-experiment.js";
import { modelFile } from "./model-file.js";
import type { OwnModule } from "./modules.js";
import { compileModel, makeModel, type Prepared, type PreparedData } from "./prepare.js";
import { compare, rowsOf } from "./rows.js";
import { duration, epochLine, type Reporter } from "./reporter.js";
import { type RunFolder, THIS_PROCESS } from "./run-folder.js";
import type { RunRecord } from "./run-record.js";
import { startFrom } from "./start-from.js";

export interface TrainResult {
  readonly folder: string;
  readonly status: "finished" | "interrupted";
  readonly epochs: readonly Logs[];
  /** Figures of the validation part, by the weights that were kept. */
  readonly validation?: Logs;
  /** Accuracy of the majority class on the validation part. */
  readonly baseline?: number;
  readonly synthetic: boolean;
}

/** Everything that is settled before the first step. */
export interface Plan {
  readonly text: ExperimentText;
  /** Of the text. */
  readonly sha256: string;
  /** Files that the experiment imports from beside it. */
  readonly modules: readonly OwnModule[];
  readonly experiment: Experiment;
  /** Answers what the experiment asks for: its setting, else defaults. */
  readonly h: PresentSetting;
  readonly variant: string;
  readonly epochs: number;
  readonly batchSize: number;
  readonly seed: number;
  readonly threads: number;
  /** Models that are trained with seeds of their own. */
  readonly ensemble: number;
  readonly backend: NonNullable<ModelOptions["backend"]>;
  /** A model that training starts from. */
  readonly from?: StartFrom;
}

export class Run {
  readonly #plan: Plan;
  readonly #data: PreparedData;
  readonly #sources: readonly DataSource[];
  /** Those that have been trained, the one in training last. */
  readonly #models: Model[];
  readonly #table: Table | undefined;
  readonly #reporter: Reporter;
  readonly #folder: RunFolder;
  /** What a run that goes on has said of itself. */
  readonly #before: RunRecord | undefined;
  /** Of the model in training. */
  #epochs: Logs[] = [];
  /** The epochs as they are written, each once. */
  #historyLines: string[] = [];
  /** What was chosen on validation data; undefined before the end, and where there is nothing to choose. */
  #decision: Decision | undefined;
  #nextCurves = 0;
  readonly #started: string;
  #toldOfWeights = false;

  /** `before`: the run goes on from its newest checkpoints. */
  constructor(
    { plan, data, sources, table, model }: Prepared,
    reporter: Reporter,
    folder: RunFolder,
    before?: RunRecord,
  ) {
    this.#plan = plan;
    this.#data = data;
    this.#sources = sources;
    this.#table = table;
    this.#models = [model];
    this.#reporter = reporter;
    this.#folder = folder;
    this.#before = before;
    this.#started = before?.started ?? new Date().toISOString();
  }

  get #synthetic(): boolean {
    return this.#sources.some(({ kind }) => kind === "synthetic");
  }

  /** What the data is called in every file. */
  get #dataLabel(): string {
    return this.#synthetic ? "synthetic" : "real";
  }

  async run(signal: AbortSignal): Promise<TrainResult> {
    let result: TrainResult;
    try {
      result = await this.#train(signal);
    } catch (error) {
      await this.#failed(error);
      throw error;
    }
    await this.#close();
    return result;
  }

  get #model(): Model {
    const model = this.#models.at(-1);
    if (model === undefined) throw new RangeError("a run has a model");
    return model;
  }

  async #close(): Promise<void> {
    await Promise.all(this.#models.map((model) => model.close()));
  }

  async #train(signal: AbortSignal): Promise<TrainResult> {
    const { text } = this.#plan;
    await this.#folder.write("summary.txt", `${this.#headline()}\n\n${this.#model.summary()}\n`);
    await this.#folder.write(experimentFile(text), text.source);
    for (const { copy, source } of this.#plan.modules) await this.#folder.write(copy, source);
    if (this.#data.split !== undefined) await this.#folder.writeJson("split.json", this.#data.split);
    await this.#describe("running");
    if (this.#before === undefined) await this.#writeHistory();
    const started = performance.now();
    const kept: Logs[] = [];
    let first: FirstMember | undefined;
    for (;;) {
      const history = await inExperiment(text, "training", () => this.#fit(signal));
      const keptEpoch = history.restoredEpoch ?? this.#epochs.length - 1;
      kept.push(this.#epochs[keptEpoch] ?? {});
      if (first === undefined && this.#epochs.length > 0)
        first = { epochs: this.#epochs, keptEpoch, diagnosis: (await history.diagnose()).toString() };
      await this.#writeModel();
      await this.#drawCurves();
      if (history.ended === "aborted") return this.#interrupted();
      if (this.#models.length === this.#plan.ensemble) break;
      await this.#nextMember();
    }
    await this.#decide();
    return this.#finish((performance.now() - started) / 1000, kept, first);
  }

  /** The next model of the ensemble, with a history of its own. */
  async #nextMember(): Promise<void> {
    const member = this.#models.length;
    const model = await makeModel(this.#plan, this.#data, member);
    if (this.#plan.from !== undefined) await startFrom(model, this.#plan.from);
    await compileModel(this.#plan, model);
    this.#models.push(model);
    [this.#epochs, this.#historyLines] = [[], []];
    this.#reporter.line(`\nmodel ${member + 1} of ${this.#plan.ensemble}`);
  }

  /** Chooses calibration and threshold on the validation part, and keeps them with the first model. */
  async #decide(): Promise<void> {
    const { encoding, validation } = this.#data;
    if (encoding === undefined || encoding.target.kind === "regression") return;
    this.#decision = await decide(this.#models, encoding, validation, this.#plan.experiment.calibration ?? "none");
    await this.#writeModelFile(0);
  }

  /** Leaves what can be left. What fails here is told, and hides nothing: the error that came first is the run's. */
  async #failed(error: unknown): Promise<void> {
    this.#reporter.end();
    try {
      await this.#describe("failed", { error: error instanceof Error ? error.message : String(error) });
      await this.#drawCurves();
    } catch (later) {
      this.#reporter.line(later instanceof Error ? later.message : String(later));
    }
    await this.#close().catch(() => undefined);
  }

  #headline(): string {
    const { experiment, variant } = this.#plan;
    const { train, validation, test } = this.#data;
    const parts = [
      `${train.size} train`,
      `${validation.size} validation`,
      ...(test === undefined ? [] : [`${test.size} test`]),
    ];
    return `${experiment.name}, variant ${variant}, ${this.#synthetic ? "SYNTHETIC DATA, made up" : "real data"}: ${parts.join(", ")}`;
  }

  async #fit(signal: AbortSignal): Promise<History> {
    const { epochs, batchSize, experiment } = this.#plan;
    // Each model of an ensemble has its own.
    const checkpoints = join(this.#folder.path, CHECKPOINTS, String(this.#models.length));
    let [started, before] = [performance.now(), 0];
    const report: Callback = {
      kind: "report",
      onEpochBegin: (epoch) => {
        if (epoch === before) started = performance.now(); // what was compiled before says nothing of the time that is left
      },
      onProgress: (progress) => {
        this.#reporter.progress(progress, epochs, started, before);
      },
      onEpochEnd: async (epoch, logs) => {
        this.#epochs.push(logs);
        this.#reporter.line(epochLine(epoch, epochs, logs));
        await this.#writeHistory();
        await this.#writeModel();
        await this.#describe("running");
        if (performance.now() >= this.#nextCurves) await this.#drawCurves();
      },
      state: () => [...this.#epochs],
      load: async (state) => {
        this.#epochs.push(...(state as readonly Logs[]));
        before = this.#epochs.length;
        const [done, s] = [this.#epochs.length, this.#epochs.length === 1 ? "" : "s"];
        this.#reporter.line(`Going on after ${done} whole epoch${s}`);
        await this.#writeHistory();
      },
    };
    const weighted = experiment.training?.classWeight === "balanced";
    return this.#model.fit(this.#data.train, {
      ...(weighted ? { classWeight: await classWeightOf(this.#data.train) } : {}),
      epochs,
      batchSize,
      signal,
      validationData: this.#data.validation,
      verbose: 0, // the reporter tells it
      checkpoint: { folder: checkpoints, every: { seconds: CHECKPOINT_SECONDS } },
      ...(this.#before === undefined ? {} : { resume: checkpoints }),
      callbacks: [report, experiment.callbacks?.() ?? []].flat(),
    });
  }

  async #interrupted(): Promise<TrainResult> {
    await this.#describe("interrupted");
    const done = this.#epochs.length;
    const { path } = this.#folder;
    this.#reporter.line(
      `Interrupted after ${done} whole epoch${done === 1 ? "" : "s"}; history and weights are in ${path}\n` +
        `torte train --resume ${path} goes on from there`,
    );
    return { folder: this.#folder.path, status: "interrupted", epochs: this.#epochs, synthetic: this.#synthetic };
  }

  async #finish(seconds: number, kept: readonly Logs[], first: FirstMember | undefined): Promise<TrainResult> {
    const measured = await this.#validation(kept);
    const { epochs = [], ...course } = first ?? {};
    const run = await this.#describe("finished", { seconds, ...course, ...measured });
    try {
      await this.#report(run, epochs);
    } catch (error) {
      // A run whose report cannot be drawn has been trained all the same.
      if (!(error instanceof TorteError)) throw error;
      this.#reporter.line(`report.html is missing: ${error.message}`);
    }
    this.#reporter.line(`Trained in ${duration(seconds)}; everything is in ${this.#folder.path}`);
    return {
      folder: this.#folder.path,
      status: "finished",
      epochs: this.#epochs,
      synthetic: this.#synthetic,
      ...measured,
    };
  }

  /** What is known at the end, on one page; of tables with what the models say of the validation part. */
  async #report(run: Readonly<Record<string, unknown>>, epochs: readonly Logs[]): Promise<void> {
    const { writeReport } = await import("./report/write.js"); // the drawing library is slow to load
    const [model = this.#model] = this.#models;
    const { encoding, validation } = this.#data;
    const shared = { plan: this.#plan, data: this.#data, table: this.#table, model, run, epochs };
    const facts = { ...shared, synthetic: this.#synthetic };
    if (encoding === undefined) return writeReport(this.#folder, facts);
    const predictor = new Predictor(this.#models, encoding, this.#decision);
    const told = await compare(predictor, validation);
    const { x } = await rowsOf(validation);
    const figures = figuresOf(told, { seed: this.#plan.seed });
    const measured = { name: "validation" as const, predictor, x, told, figures, openings: 0 };
    return writeReport(this.#folder, { ...facts, measured });
  }

  /** Figures of the validation part by the weights that were kept, beside what no learning gives. */
  async #validation(members: readonly Logs[]): Promise<{ validation: Logs; baseline?: number }> {
    const { train, validation } = this.#data;
    const kept = Object.keys(members[0] ?? {}).map((name) => {
      return [name, members.reduce((sum, logs) => sum + (logs[name] ?? NaN), 0) / members.length] as const;
    });
    const figures = kept.flatMap(([name, value]) => {
      const plain = name.replace(
        /(^|\.)val([A-Z])/,
        (_, before: string, letter: string) => before + letter.toLowerCase(),
      );
      return plain === name ? [] : [[plain, value] as const];
    });
    const note = this.#synthetic ? " (SYNTHETIC DATA)" : "";
    this.#reporter.line(
      `\nvalidation${note}  ${figures.map(([name, value]) => `${name} ${value.toFixed(4)}`).join("  ")}`,
    );
    const majority = await majorityBaseline(train, validation);
    if (majority === undefined) return { validation: Object.fromEntries(figures) };
    this.#reporter.line(
      `majority class alone: accuracy ${majority.accuracy.toFixed(4)} (always ${this.#labelOf(majority.label)})`,
    );
    return { validation: Object.fromEntries(figures), baseline: majority.accuracy };
  }

  #labelOf(label: number): string {
    const target = this.#data.encoding?.target;
    return (target === undefined || target.kind === "regression" ? undefined : target.labels[label]) ?? String(label);
  }

  /** Further members of an ensemble have files of their own: history-2.json. */
  #file(name: string): string {
    const member = this.#models.length;
    return member === 1 ? name : name.replace(".", `-${member}.`);
  }

  /** An epoch on a line. */
  async #writeHistory(): Promise<void> {
    for (const logs of this.#epochs.slice(this.#historyLines.length)) this.#historyLines.push(JSON.stringify(logs));
    const lines = this.#historyLines.map((line) => `\n    ${line}`).join(",");
    const data = JSON.stringify(this.#dataLabel);
    await this.#folder.write(this.#file("history.json"), `{\n  "data": ${data},\n  "epochs": [${lines}\n  ]\n}\n`);
  }

  /** The longer the history, the longer the drawing: it gets a tenth of the time, and comes last where training ends. */
  async #drawCurves(): Promise<void> {
    if (this.#epochs.length === 0) return;
    const started = performance.now();
    const { experiment, variant } = this.#plan;
    const title = `${experiment.name}, ${variant}${this.#synthetic ? " (synthetic data)" : ""}`;
    const { plotCurves } = await import("@torte/plot"); // the drawing library is slow to load
    if (this.#epochs.some(({ loss = NaN }) => Number.isFinite(loss)))
      await this.#folder.write(this.#file("curves.svg"), await plotCurves(this.#epochs, { title }).toSVG());
    const ended = performance.now();
    this.#nextCurves = ended + 9 * (ended - started);
  }

  /** The model in training. */
  async #writeModel(): Promise<void> {
    const member = this.#models.length - 1;
    if (member === 0) await this.#folder.writeJson("model.json", { ...this.#facts(), ...this.#model.describe() });
    await this.#writeModelFile(member);
  }

  #facts(): Readonly<Record<string, string>> {
    const { experiment, variant } = this.#plan;
    return { experiment: experiment.name, variant, data: this.#dataLabel };
  }

  async #writeModelFile(member: number): Promise<void> {
    const { encoding } = this.#data;
    const model = this.#models[member] ?? this.#model;
    const decision = this.#decision;
    const extras =
      encoding === undefined || member > 0 ? {} : { encoding, ...(decision === undefined ? {} : { decision }) };
    await this.#folder.write(modelFile(member), await this.#saved(model, extras));
  }

  /** The whole model; where it has functions that no file can hold, its weights. */
  async #saved(model: Model, extras: Readonly<Record<string, unknown>>): Promise<Uint8Array> {
    const metadata = this.#facts();
    try {
      return await model.save({ metadata, extras });
    } catch (error) {
      if (!(error instanceof OptionError)) throw error;
      if (!this.#toldOfWeights) this.#reporter.line(`model.safetensors has the weights only: ${error.message}`);
      this.#toldOfWeights = true;
      return model.saveWeights({ metadata });
    }
  }

  async #describe(status: string, more: object = {}): Promise<Readonly<Record<string, unknown>>> {
    const { text, sha256, modules, experiment, variant, epochs, batchSize, seed, threads, ensemble } = this.#plan;
    const { train, validation, test } = this.#data;
    const { run: start, freeze } = this.#plan.from ?? {};
    const from = start === undefined ? {} : { from: resolve(start), ...(freeze === undefined ? {} : { freeze }) };
    const run = {
      status,
      experiment: {
        name: experiment.name,
        file: text.shown,
        path: text.path,
        copy: experimentFile(text),
        sha256,
        ...(text.generated === true ? { generated: true } : {}),
        ...(modules.length === 0
          ? {}
          : { modules: modules.map(({ path, copy, sha256: sum }) => ({ path, copy, sha256: sum })) }),
      },
      options: { variant, epochs, batchSize, seed, threads, ensemble, ...from },
      data: {
        synthetic: this.#synthetic,
        sources: this.#sources,
        train: train.size,
        validation: validation.size,
        test: test?.size ?? 0,
      },
      openings: this.#before?.openings ?? [],
      ...(this.#decision === undefined ? {} : { decision: this.#decision }),
      parameters: this.#model.countParams(),
      epochsDone: this.#epochs.length,
      started: this.#started,
      written: new Date().toISOString(),
      process: THIS_PROCESS,
      versions: { torte: torteVersion(), node: process.version, platform: `${process.platform}-${process.arch}` },
      ...more,
    };
    await this.#folder.writeJson("run.json", run);
    return run;
  }
}

/** How training went, of the first model of a run. */
interface FirstMember {
  readonly epochs: readonly Logs[];
  /** From 0. */
  readonly keptEpoch: number;
  readonly diagnosis: string;
}

/** The folder of the run's checkpoints, in its own. */
const CHECKPOINTS = "checkpoints";
/** Of work that is lost at most when a run is killed. */
const CHECKPOINT_SECONDS = 15;

/** The copy of the experiment in the run folder. */
const experimentFile = ({ path }: ExperimentText): string => `experiment${extname(path)}`;

/** Of the library that trains. */
function torteVersion(): string {
  const require = createRequire(import.meta.url);
  const { version } = require(join(dirname(require.resolve("torte")), "../package.json")) as { version: string };
  return version;
}
