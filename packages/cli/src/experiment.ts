/** The contract between an experiment file and the command that runs it. */
import type { Assignment, Hyper } from "@torte/tune";
import { CALIBRATIONS, type CalibrationMethod, type EncodedTable } from "@torte/data";
import {
  type Callback,
  type CompileOptions,
  type Dataset,
  isRecord,
  Model,
  type ModelOptions,
  type ModelSpaceOptions,
  OptionError,
  type SealedTest,
  type Table,
  type Tensor,
} from "torte";

/** An npz file that an experiment asks for. */
export interface NpzRequest<Name extends string> {
  /** Its name, as it is looked for in folders. */
  readonly file: string;
  /** The arrays that are read, each with its shape; null stands for any size. */
  readonly arrays: Readonly<Record<Name, readonly (number | null)[]>>;
  /** The least and the largest value that the arrays may hold. Default: any. */
  readonly range?: readonly [least: number, largest: number];
  /** Checked always, wherever the file comes from. Default: any file will do. */
  readonly sha256?: string;
  /** Where it is downloaded from when no folder has it. */
  readonly url?: string;
  /** Made-up arrays for a machine that has no way to the file. Default: it is an error not to have it. */
  readonly standIn?: () => Readonly<Record<Name, Tensor>>;
}

/** A table that an experiment asks for. */
export interface TableRequest {
  /** Its path, from the folder in which the command is started. `--data` takes its place. */
  readonly file: string;
  /** Further files with the same columns: each one is a class, whose name without its end is in the column `label`. */
  readonly beside?: readonly string[];
  /** A table with labels, or other columns, for rows of the same `id` (else the first column). */
  readonly labels?: string;
  /** csv, tsv, fasta, jsonl, npz or parquet. Default: by the end of the file's name. */
  readonly format?: string;
  /** Of the text, as windows-1252. Default: by the byte order mark, else utf-8. */
  readonly encoding?: string;
  /** Between the fields of a CSV. Default: a comma, or what the header has. */
  readonly delimiter?: string;
  /** Of FASTA: the label in the header, as the first group of the pattern; the column `label`. */
  readonly label?: string;
}

export interface DataContext {
  readonly seed: number;
  /**
   * The arrays of an npz file, looked for at `--data`, in the folder `TORTE_DATA`, in the user's cache, and last at its
   * address. Everything that a run writes says so when it was the stand-in that it trained on.
   */
  readonly npz: <Name extends string>(request: NpzRequest<Name>) => Promise<Readonly<Record<Name, Tensor>>>;
  /** The rows of a CSV, TSV, FASTA, JSON lines, npz or Parquet file, plain or gzip. */
  readonly table: (request: TableRequest) => Promise<Table>;
  /** How the model of an earlier run on a table encodes its columns: for `like` of `encodeTable`. */
  readonly encodingOf: (run: string) => Promise<EncodedTable["encoding"]>;
}

/** A model that was trained before. */
export interface StartFrom {
  /** Its run folder. Weights of the same name and shape are taken; others, as those of a head for other classes, begin anew. */
  readonly run: string;
  /** Layers that training leaves as they are, by name; * stands for any letters. Default none. */
  readonly freeze?: string;
}

export interface ModelContext<Data extends ExperimentData = ExperimentData> {
  /** One of the experiment's variants; "base" where it has none. */
  readonly variant: string;
  /** To be passed on to `sequential` or `functional`. */
  readonly options: ModelOptions;
  /** What `data` has given. */
  readonly data: Data;
  /** Asks for hyperparameters: `torte tune` chooses them, all other commands take their defaults. */
  readonly h: Hyper;
}

export interface ExperimentData {
  readonly train: Dataset;
  readonly validation: Dataset;
  /** Under a seal from the start; `torte evaluate` opens it. */
  readonly test?: Dataset | SealedTest;
  /** Of tables, as `encodeTable` gives it: kept in the model's file, so that prediction starts from raw rows. */
  readonly encoding?: EncodedTable["encoding"];
  /** Of tables: what became of the columns. */
  readonly plan?: EncodedTable["plan"];
  /** Of tables: the rows of each part, written to split.json. */
  readonly split?: EncodedTable["split"];
  /** Of tables: how many rows are in no part. */
  readonly leftOut?: EncodedTable["leftOut"];
}

export interface Experiment<Data extends ExperimentData = ExperimentData> {
  /** Names the run folder. */
  readonly name: string;
  /** What `--variant` may be; the first is the default. Default: only "base". */
  readonly variants?: readonly string[];
  /** What the options of the command default to. */
  readonly training?: {
    /** Default 10. */
    readonly epochs?: number;
    /** Default 16. */
    readonly batchSize?: number;
    /** Default 0. */
    readonly seed?: number;
    /** Models that are trained with seeds of their own, and asked together. Default 1. */
    readonly ensemble?: number;
    /** "balanced": each class weighs as much as the others, however many rows it has. Default: each row weighs the same. */
    readonly classWeight?: "balanced";
  };
  /** Training starts from a model that was trained before. Default: from random weights. */
  readonly from?: StartFrom;
  /** Of tables with classes: how probabilities are calibrated on the validation part. Default "none". */
  readonly calibration?: CalibrationMethod;
  readonly data: (context: DataContext) => Data | Promise<Data>;
  readonly model: (context: ModelContext<Data>) => Model;
  /** Optimizer, loss and metrics; or a function that asks for hyperparameters, as `model` may. */
  readonly compile: CompileOptions | ((h: Hyper) => CompileOptions);
  /**
   * What `torte tune` chooses of the model as it stands, as `{ only: ["units", "rate"] }`, beside what `model` and `compile` ask for with
   * `h`; see `model.hyperparameters().space`. Default: nothing.
   */
  readonly space?: ModelSpaceOptions;
  /** Hyperparameters by name, instead of their defaults: a trial's, in the file that `torte tune` leaves. Default: none. */
  readonly setting?: Assignment;
  /** Made anew for each run. Default none. */
  readonly callbacks?: () => readonly Callback[];
}

/** The model of an experiment, with what `h` answers. */
export function modelOf(experiment: Experiment, context: ModelContext): Model {
  const model = experiment.model(context);
  // What is no model is told by whoever looks at it.
  if (experiment.space === undefined || !((model as unknown) instanceof Model)) return model;
  return model.hyperparameters().space(experiment.space).model(context.h);
}

/** What the experiment compiles its model with. */
export const compileOf = ({ compile }: Pick<Experiment, "compile">, h: Hyper): CompileOptions =>
  typeof compile === "function" ? compile(h) : compile;

const FIELDS = [
  "name",
  "variants",
  "training",
  "from",
  "calibration",
  "data",
  "model",
  "compile",
  "space",
  "setting",
  "callbacks",
];
const TRAINING = ["epochs", "batchSize", "seed", "ensemble", "classWeight"];

/**
 * Says what a file exports: `export default experiment({ name, data, model, compile })`.
 *
 * @throws OptionError for a field that is missing, unknown or of the wrong type.
 */
export function experiment<Data extends ExperimentData>(definition: Experiment<Data>): Experiment<Data> {
  checkExperiment("experiment", definition);
  return definition;
}

/** The same checks for what a file has exported without the function. */
export function checkExperiment(where: string, value: unknown): asserts value is Experiment {
  if (!isRecord(value)) {
    throw new OptionError({
      where,
      problem: "the default export is no experiment",
      expected: "export default experiment({ name, data, model, compile })",
      received: value === undefined ? "no default export" : typeof value,
    });
  }
  refuseUnknown(where, value, FIELDS);
  if (typeof value["name"] !== "string" || !/^[\w.-]+$/.test(value["name"])) {
    wrong(where, "name is unusable", "letters, digits, dots and dashes", value["name"]);
  }
  for (const field of ["data", "model"])
    if (typeof value[field] !== "function") wrong(where, `${field} is missing`, "a function", value[field]);
  if (!isRecord(value["compile"]) && typeof value["compile"] !== "function")
    wrong(where, "compile is missing", "{ optimizer, loss, metrics }", value["compile"]);
  if (value["callbacks"] !== undefined && typeof value["callbacks"] !== "function") {
    wrong(where, "callbacks has the wrong type", "a function that makes them", value["callbacks"]);
  }
  for (const field of ["space", "setting"])
    if (value[field] !== undefined && !isRecord(value[field]))
      wrong(where, `${field} has the wrong type`, "an object", value[field]);
  const variants: unknown = value["variants"] ?? ["base"];
  if (!Array.isArray(variants) || variants.length === 0 || variants.some((name) => typeof name !== "string")) {
    wrong(where, "variants has the wrong type", "a list of names, at least one", variants);
  }
  const training: unknown = value["training"] ?? {};
  if (!isRecord(training)) wrong(where, "training has the wrong type", "{ epochs, batchSize, seed }", training);
  refuseUnknown(`${where}.training`, training, TRAINING);
  const from: unknown = value["from"] ?? { run: "" };
  if (!isRecord(from) || typeof from["run"] !== "string" || typeof (from["freeze"] ?? "") !== "string")
    return wrong(where, "from has the wrong type", "{ run, freeze }", from);
  refuseUnknown(`${where}.from`, from, ["run", "freeze"]);
  const calibration: unknown = value["calibration"] ?? "none";
  if (!(CALIBRATIONS as readonly unknown[]).includes(calibration))
    wrong(where, "calibration is unknown", CALIBRATIONS.join(", "), calibration);
  for (const [name, given] of Object.entries(training)) {
    if (name === "classWeight") {
      if (given !== "balanced" && given !== undefined)
        wrong(`${where}.training`, "classWeight is unknown", '"balanced"', given);
      continue;
    }
    const least = name === "seed" ? 0 : 1;
    if (!Number.isSafeInteger(given) || Number(given) < least) {
      wrong(`${where}.training`, `${name} is out of range`, `a whole number of at least ${least}`, given);
    }
  }
}

function refuseUnknown(where: string, value: object, known: readonly string[]): void {
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new OptionError({
      where,
      problem: `unknown field ${JSON.stringify(unknown)}`,
      expected: `one of ${known.join(", ")}`,
    });
  }
}

function wrong(where: string, problem: string, expected: string, received: unknown): never {
  throw new OptionError({
    where,
    problem,
    expected,
    received: typeof received === "function" ? "a function" : JSON.stringify(received),
  });
}
