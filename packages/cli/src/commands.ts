/** The commands: what each takes, and its help. What a command needs is loaded when it runs. */
import { Argument, type Command, Option } from "commander";
import type { AuditCommandOptions } from "./audit.js";
import type { CheckOptions } from "./check.js";
import type { DoctorOptions } from "./doctor.js";
import type { EvaluateCommandOptions } from "./evaluate.js";
import { duration, kinds, number, several, share, text, whole } from "./options.js";
import type { PredictOptions } from "./predict.js";
import type { ServeOptions } from "./serve.js";
import type { TrainCommandOptions } from "./train.js";
import type { TuneCommandOptions } from "./tune.js";

/** What the commands do. */
export interface Actions {
  readonly audit: (files: readonly string[], options: AuditCommandOptions) => Promise<void>;
  readonly train: (files: readonly string[], options: TrainCommandOptions) => Promise<void>;
  readonly evaluate: (run: string, options: EvaluateCommandOptions) => Promise<void>;
  readonly predict: (run: string, file: string, options: PredictOptions) => Promise<void>;
  readonly serve: (run: string, options: ServeOptions) => Promise<void>;
  readonly new: (folder: string) => Promise<void>;
  readonly completion: (shell: string) => Promise<void>;
  readonly tune: (file: string, options: TuneCommandOptions) => Promise<void>;
  readonly check: (file: string, options: CheckOptions) => Promise<void>;
  readonly doctor: (options: DoctorOptions) => Promise<void>;
}

const KINDS = ["protein", "DNA", "RNA", "SMILES", "text", "number", "category", "image"];
const TARGET_KINDS = ["binary", "multiClass", "multiLabel", "regression"];
const FORMATS = ["csv", "tsv", "fasta", "jsonl", "npz", "images", "parquet"];

export function addCommands(program: Command, actions: Actions): void {
  addAudit(program, actions.audit);
  addTrain(program, actions.train);
  addEvaluate(program, actions.evaluate);
  addPredict(program, actions.predict);
  addServe(program, actions.serve);
  addTune(program, actions.tune);
  addCheck(program, actions.check);
  addNew(program, actions.new);
  addCompletion(program, actions.completion);
  addDoctor(program, actions.doctor);
}

/** How a file of a table is read. */
const reading = (command: Command): Command =>
  command
    .addOption(new Option("--format <name>", "of the file (default: by its name)").choices(FORMATS))
    .option("--encoding <label>", "of the text, as windows-1252 (default: utf-8, or by the byte order mark)", text)
    .option("--delimiter <mark>", "between the fields of a CSV (default: a comma, or what the header has)", text)
    .option(
      "--label <pattern>",
      "of FASTA: the label in the header, as the pattern's first group; the column label",
      text,
    );

/** What is learnt from may lie in several files. */
const labelled = (command: Command): Command =>
  command.option("--labels <file>", "a table with labels for the rows of the same id, beside the file", text);

/** Which columns of a table are meant, and as what. */
const columns = (command: Command): Command =>
  command
    .option("--sequence <column>", "the column with the sequences or texts", text)
    .option("--kind <column=kind>", `${KINDS.join(", ")}; may be repeated (default: by the values)`, kinds)
    .addOption(new Option("--target-kind <kind>", "what is told (default: by the values)").choices(TARGET_KINDS));

/** How a model of an experiment is run. */
const running = (command: Command): Command =>
  command
    .option("--data <path>", "the data file, or the folder that has it (default: where the experiment says)", text)
    .option("--batch-size <n>", "examples in a training step (default: the experiment's, else 16)", whole(1))
    .option(
      "--seed <n>",
      "of split, first weights, order and dropout (default: the experiment's, else 0)",
      whole(0, 0xffffffff),
    )
    .option("--variant <name>", "one of the experiment's variants (default: its first)", text)
    .option("--threads <n>", "threads; results do not depend on it (default: the cores)", whole(1, 64))
    .addOption(
      new Option("--backend <name>", "what runs it (default: TORTE_BACKEND, else auto)").choices([
        "auto",
        "wasm",
        "native",
        "reference",
      ]),
    );

/** What is printed. */
const speaking = (command: Command): Command =>
  command.option("--json", "the result as JSON, and nothing else").option("--quiet", "print nothing but errors");

function addAudit(program: Command, onAudit: Actions["audit"]): void {
  const command = program
    .command("audit")
    .description("Look a table over before a model is trained: copies, near-twins, shortcuts, leaks.")
    .argument(
      "<files...>",
      "CSV, TSV, FASTA, JSON lines, npz or Parquet, plain or gzip; of several, each is a class; or a folder of images",
    )
    .option("--target <column>", "the column that is to be told (default: label, where files are classes)", text);
  labelled(reading(columns(command)))
    .option(
      "--parts <column>",
      "a column that says the part of each row, as train and test; then parts are compared",
      text,
    )
    .option("--similarity <number>", "Jaccard similarity of near-twins (default: 0.9)", number)
    .option("--k <n>", "letters in a k-mer (default: 5 for proteins, 11 for DNA)", number)
    .option("--json", "the findings as JSON")
    .addHelpText("after", AUDIT_HELP)
    .action(onAudit);
}

const AUDIT_HELP = `
Example:
  torte audit proteins.csv --sequence seq --target soluble

Exit status: 0 looked over, whatever was found; 2 the data or an option is wrong.`;

function addTrain(program: Command, onTrain: Actions["train"]): void {
  const command = program
    .command("train")
    .description("Train a model on a table, or the model of an experiment file, and write a run folder.")
    .argument(
      "[files...]",
      "a table (CSV, TSV, FASTA, JSON lines, npz, Parquet, plain or gzip), several that are a class each, a folder with one of images for each class, or an experiment in TypeScript",
    );
  running(command)
    .option("--epochs <n>", "passes over the training data (default: the experiment's, else 10)", whole(1))
    .option(
      "--ensemble <n>",
      "models with seeds of their own, asked together (default: the experiment's, else 1)",
      whole(1, 100),
    )
    .option("--out <dir>", "the run folder, new or empty (default: runs/<time>-<name>)", text)
    .option("--force", "write over the run that --out has")
    .option("--from <run>", "start from the model that the run in this folder has trained", text)
    .option("--freeze <layers>", "of it: layers that stay as they are; * stands for any letters", text)
    .option("--resume <run>", "go on with the run in this folder, from its newest checkpoint, to the bit", text)
    .option("--evaluate", "open the test at the end, as torte evaluate does");
  speaking(command);
  ofTables(command).addHelpText("after", TRAIN_HELP).action(onTrain);
}

/** What is said of a table, and of the experiment that it stands for. */
function ofTables(command: Command): Command {
  command
    .optionsGroup("Of tables:")
    .option("--target <column>", "the column that is to be told (default: label, where files are classes)", text);
  columns(command)
    .option("--input <column>", "a column that the model sees; may be repeated (default: by the columns)", several)
    .option("--positive <label>", "of two classes, the one that the probability is of (default: the second)", text)
    .addOption(
      new Option("--split <way>", "how rows fall into parts (default: random, by class)").choices([
        "random",
        "cluster",
        "group",
        "time",
        "given",
      ]),
    )
    .option("--split-by <column>", "the column of groups, times, or of train, validation, test", text)
    .option("--validation <share>", "of the rows (default: 0.1)", share)
    .option("--test <share>", "of the rows, sealed until torte evaluate (default: 0.1)", share)
    .addOption(
      new Option("--invalid <policy>", "rows with letters that are none (default: error)").choices([
        "error",
        "skip",
        "unknown",
      ]),
    )
    .addOption(
      new Option(
        "--calibration <method>",
        "of probabilities, on the validation part (default: platt, of several classes temperature)",
      ).choices(["none", "platt", "isotonic", "temperature"]),
    )
    .option(
      "--model <file>",
      "your own: its default export is (encoding, options) => Model (default: by the columns)",
      text,
    )
    .option("--print-experiment", "print the TypeScript that the command stands for, and do nothing");
  return labelled(reading(command));
}

const TRAIN_HELP = `
Examples:
  torte train proteins.csv --sequence seq --target soluble --out runs/first
  torte train positive.fasta negative.fasta
  torte train photos
  torte train proteins.fasta --labels soluble.csv --target soluble
  torte train experiment.ts --epochs 20
  torte train --resume runs/first

The run folder, written as the run goes:
  history.json       loss and metrics of each finished epoch
  report.html        all of it on one page, with MODEL_CARD.md
  curves.svg         training and validation loss against the epoch
  summary.txt        the model's layers, shapes and parameters
  run.json           options, seed, versions, the data's checksum, validation figures, openings of the test
  experiment.ts      what was run
  split.json         of tables: the rows of each part
  model.safetensors  the model with its weights, for loadModel, and how raw rows become its inputs;
                     model.json describes it for people
  checkpoints        what --resume goes on from, every 15 seconds and at the end

The test part stays sealed: torte evaluate opens it.
Ctrl-C ends a run after the steps it is in, and writes the folder; a second one
quits at once.
Exit status: 0 finished; 1 training failed; 2 the data, an option or the experiment is
wrong, and nothing is written; 130 interrupted (143 by SIGTERM, 129 by SIGHUP,
141 where nobody reads the output any more).

Environment:
  TORTE_DATA         a folder with data files
  TORTE_BACKEND      what runs the model: auto, wasm, native or reference
  TORTE_DEBUG        set to anything, errors come with their stack`;

function addEvaluate(program: Command, onEvaluate: Actions["evaluate"]): void {
  const command = program
    .command("evaluate")
    .description("Open the sealed test of a run: all test figures in one opening, which is recorded.")
    .argument("<run>", "the run folder that torte train has written")
    .option("--purpose <words>", "what the test is opened for, for the record", text)
    .option("--data <path>", "where the data file is now (default: where it was)", text)
    .option("--threads <n>", "threads; results do not depend on it (default: the run's)", whole(1, 64));
  speaking(command).addHelpText("after", EVALUATE_HELP).action(onEvaluate);
}

const EVALUATE_HELP = `
Example:
  torte evaluate runs/first

Figures of a second opening are no clean estimate any more: whoever has seen the
first may have chosen by it. They are computed, and say so.
Exit status: 0 done; 2 the folder is no run's, or the data has changed.`;

function addPredict(program: Command, onPredict: Actions["predict"]): void {
  const command = program
    .command("predict")
    .description("Predict the rows of a file with a trained model: streamed, in their order, with probabilities.")
    .argument("<run>", "the run folder that torte train has written")
    .argument("<file>", "the rows: CSV, TSV, FASTA, JSON lines, npz or Parquet, plain or gzip, or a folder of images")
    .option("-o, --output <file>", "the CSV that is written (default: the standard output)", text)
    .option("--id <column>", "the column with the names of rows (default: id, else the row's number)", text)
    .option("--column <name=column>", "where the model's column is in the file; may be repeated", kinds)
    .addOption(
      new Option(
        "--uncertainty <way>",
        "a column that says how far passes with dropout, or the models of an ensemble, differ (default: of an ensemble)",
      ).choices(["dropout", "ensemble"]),
    )
    .option("--threads <n>", "threads; results do not depend on it (default: the cores)", whole(1, 64))
    .option("--quiet", "print nothing but errors");
  reading(command).addHelpText("after", PREDICT_HELP).action(onPredict);
}

const PREDICT_HELP = `
Example:
  torte predict runs/first new.fasta -o predictions.csv

Columns: id, probability (of two classes that of the positive one, of more that of the
label that is told), label; of several labels id, label (those that are told, with ;
between them) and the probability of each; of numbers id and value. Rows that cannot be read are left
out and listed, with line and reason, in predictions.unreadable.csv.
Exit status: 0 done, whatever rows were left out; 2 the file or an option is wrong,
and nothing is written.`;

function addTune(program: Command, onTune: Actions["tune"]): void {
  const command = program
    .command("tune")
    .description("Tune the hyperparameters of an experiment, or of a model for a table; the test part stays sealed.")
    .argument("<file>", "a table, as of torte train, or an experiment file; with --resume the study's folder")
    .option("--budget <time>", "of the study, as 90s, 30m or 2h", duration)
    .option("--trials <n>", "trials of the study", whole(1))
    .option("--epochs <n>", "epochs of all trials together", whole(1))
    .option("--trial-epochs <n>", "of a trial that nothing stops (default: the experiment's, else 10)", whole(1))
    .option("--objective <metric>", "of the validation data (default: loss)", text)
    .addOption(
      new Option("--searcher <name>", "what proposes settings (default: auto)").choices([
        "auto",
        "gp",
        "tpe",
        "sobol",
        "random",
        "grid",
      ]),
    )
    .addOption(
      new Option("--scheduler <name>", "how many epochs trials get (default: asha)").choices([
        "none",
        "asha",
        "successiveHalving",
        "hyperband",
        "medianStopping",
        "curveFitting",
      ]),
    )
    .option("--from <dirs>", "folders of earlier studies of related data, with commas between", folders)
    .option("--workers <n>", "processes that train; 1 trains in this one (default: 1)", whole(1, 256))
    .option("--reproducible", "the same study whatever the number of workers")
    .option("--storage <url>", "a PostgreSQL database, postgres://user@host/name: workers on any machine train", text)
    .option("--worker", "train for the study that is led elsewhere with the same --storage")
    .option("--out <dir>", "the study's folder (default: runs/<file>-study)", text)
    .option("--resume", "go on with the study of a folder");
  speaking(running(command));
  ofTables(command).addHelpText("after", TUNE_HELP).action(onTune);
}

const folders = (given: string): readonly string[] => given.split(",").map((folder) => text(folder.trim()));

const TUNE_HELP = `
Examples:
  torte tune experiment.ts --budget 30m
  torte tune proteins.csv --sequence seq --target soluble --budget 20m
  torte tune runs/experiment-study --resume --trials 100
  torte tune experiment.ts --storage postgres://localhost/torte --worker
  torte tune other.ts --trials 40 --from runs/experiment-study

Ctrl-C ends a study; --resume goes on with it. At the end the best three trials are
trained again with fresh seeds: what was seen is the best of many, and too good.
The folder has study.html for people, and best.ts, the best trial as an experiment:
  torte train runs/experiment-study/best.ts --out runs/best
  torte evaluate runs/best
Exit status: 0 finished; 1 training failed; 2 an option, the data or the experiment is
wrong; 130 interrupted.`;

function addCheck(program: Command, onCheck: Actions["check"]): void {
  running(
    program
      .command("check")
      .description("Look at the model of an experiment file before a long run: five steps that it must pass.")
      .argument("<file>", "the experiment file, TypeScript or JavaScript"),
  )
    .addHelpText("after", CHECK_HELP)
    .action(onCheck);
}

const CHECK_HELP = `
Example:
  torte check experiment.ts

The steps:
  loss at the start   beside that of a model that knows nothing
  overfit one batch   16 rows must be learnt by heart
  shuffled labels     must not be predicted on other rows
  zero input          must give a higher loss than the real one
  gradient flow       gradients by depth, with and without residual connections

Exit status: 0 all passed or had nothing to compare with; 1 one has failed;
2 the data, an option or the experiment is wrong.`;

function addServe(program: Command, onServe: Actions["serve"]): void {
  program
    .command("serve")
    .description("Serve a trained model over HTTP on this machine: JSON, OpenAPI, metrics, and a page to try it.")
    .argument("<run>", "the run folder that torte train has written")
    .option("--port <n>", "0 for one that is free (default: 8080)", whole(0, 65_535))
    .option("--host <address>", "where to listen (default: 127.0.0.1, which no other machine reaches)", text)
    .option("--rate <n>", "requests of one client in a second (default: 5000)", whole(1))
    .option("--max-bytes <n>", "bytes of a request (default: 1048576)", whole(1))
    .option("--max-rows <n>", "rows of a request (default: 1000)", whole(1))
    .option("--threads <n>", "threads (default: the cores)", whole(1, 64))
    .option("--quiet", "print nothing but errors")
    .addHelpText("after", SERVE_HELP)
    .action(onServe);
}

const SERVE_HELP = `
Example:
  torte serve runs/first --port 8080
  curl -H 'content-type: application/json' -d '{"rows":[{"seq":"MKV"}]}' http://127.0.0.1:8080/predict

POST /predict, GET / (a page), /openapi.json, /health, /ready, /metrics.
Ctrl-C or SIGTERM: what has been asked is answered, nothing new is taken.
Exit status: 0 ended when it was told to; 2 the run or an option is wrong.`;

function addNew(program: Command, onNew: Actions["new"]): void {
  program
    .command("new")
    .description("Make a project with an experiment of your own, in TypeScript, that runs as it is.")
    .argument("<folder>", "a new or an empty folder")
    .addHelpText("after", "\nExample:\n  torte new my-project\n\nExit status: 0 done; 2 the folder is not empty.")
    .action((folder: string) => onNew(folder));
}

function addCompletion(program: Command, onCompletion: Actions["completion"]): void {
  program
    .command("completion")
    .description("Print a script that completes commands and options in a shell.")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", "\nExample:\n  source <(torte completion bash)\n\nExit status: 0.")
    .action((shell: string) => onCompletion(shell));
}

function addDoctor(program: Command, onDoctor: Actions["doctor"]): void {
  program
    .command("doctor")
    .description(
      "Look at what there is to run on: the host, the C compiler, the cache of compiled programs, and a self-test.",
    )
    .option("--json", "the findings as JSON, and nothing else")
    .addHelpText("after", DOCTOR_HELP)
    .action(onDoctor);
}

const DOCTOR_HELP = `
Native code needs a C compiler (CC, cc, clang or gcc) and is two to four times as
fast; without one everything runs on WebAssembly. TORTE_CACHE names another folder
for compiled programs.
Exit status: 0 all is well, a compiler or none; 1 there is one, and the self-test failed.`;
