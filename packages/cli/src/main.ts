/** The `torte` command. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { OptionError, TorteError } from "torte";
import { addAudit } from "./audit-command.js";
import type { CheckOptions } from "./check.js";
import { guarded } from "./signals.js";
import type { TrainOptions } from "./train.js";

/** Runs the command line; returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0;
  const onTrain: TrainAction = async (file, options) => {
    const { train } = await import("./train.js");
    status = await guarded(async (signal) => (await train(file, options, signal)).status === "interrupted", explain);
  };
  const onCheck: CheckAction = async (file, options) => {
    const { check } = await import("./check.js");
    const results: boolean[] = [];
    status = await guarded(async (signal) => {
      results.push(await check(file, options, signal));
      return false;
    }, explain);
    if (status === 0 && results.includes(false)) status = 2;
  };
  const program = commandLine(onTrain, onCheck);
  addAudit(program, async (file, options) => {
    const { auditFile } = await import("./audit.js");
    try {
      await written(`${await auditFile(file, options)}\n`);
    } catch (error) {
      if (!(error instanceof TorteError)) throw error;
      process.stderr.write(`${explain(error)}\n`);
      status = WRONG_INPUT;
    }
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    process.stderr.write(`${explain(error)}\n`);
    return 1;
  }
}

/** Exit status where the data or an option is wrong. */
const WRONG_INPUT = 2;

/** All of a text; a reader that goes away, as `head` does, ends it without an error. */
function written(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error?: Error | null): void => {
      if (error !== undefined && error !== null && (error as NodeJS.ErrnoException).code !== "EPIPE") reject(error);
      else resolve();
    };
    process.stdout.once("error", failed).write(text, failed);
  });
}

type TrainAction = (file: string, options: TrainOptions) => Promise<void>;
type CheckAction = (file: string, options: CheckOptions) => Promise<void>;

function commandLine(onTrain: TrainAction, onCheck: CheckAction): Command {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const program = new Command("torte")
    .description("Deep learning in layers: looks data over, trains models that experiment files describe.")
    .version(version)
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .exitOverride();
  experimentCommand(program.command("train"))
    .description("Train the model of an experiment file, and write a run folder.")
    .option(
      "--epochs <n>",
      "passes over the training data (default: the experiment's, else 10)",
      counting("--epochs", 1),
    )
    .option("--out <dir>", "the run folder, new or empty (default: runs/<time>-<experiment>)", text("--out"))
    .addHelpText("after", HELP)
    .exitOverride()
    .action(onTrain);
  experimentCommand(program.command("check"))
    .description("Look at the model of an experiment file before a long run: five steps that it must pass.")
    .addHelpText("after", CHECK_HELP)
    .exitOverride()
    .action(onCheck);
  return program;
}

/** A command with the options that say what of an experiment is meant. */
function experimentCommand(command: Command): Command {
  return command
    .argument("<file>", "the experiment file, TypeScript or JavaScript")
    .option(
      "--data <path>",
      "the data file, or the folder that has it (default: $TORTE_DATA, the cache, a download)",
      text("--data"),
    )
    .option(
      "--batch-size <n>",
      "examples in a training step (default: the experiment's, else 16)",
      counting("--batch-size", 1),
    )
    .option(
      "--seed <n>",
      "of the split, the first weights, the order and dropout (default: the experiment's, else 0)",
      counting("--seed", 0, 0xffffffff),
    )
    .option(
      "--variant <name>",
      "one of the experiment's variants (default: its first); solubility has base, dropout and l2",
      text("--variant"),
    )
    .option(
      "--threads <n>",
      "threads to train on; the results do not depend on it (default: the cores)",
      counting("--threads", 1, 64),
    );
}

const HELP = `
The run folder, written as the run goes:
  history.json       loss and metrics of each finished epoch
  curves.svg         training and validation loss against the epoch
  summary.txt        the model's layers, shapes and parameters
  run.json           options, seed, versions, the data's checksum, test figures
  model.safetensors  the model with its weights, for loadModel; model.json describes it for people

Ctrl-C ends a run after the steps it is in, and writes the folder.
Exit status: 0 finished, 1 an error, 130 interrupted (143 by SIGTERM, 129 by
SIGHUP, 141 where nobody reads the output any more).

Environment:
  TORTE_DATA         a folder with data files
  TORTE_DEBUG        set to anything, errors come with their stack`;

const CHECK_HELP = `
The steps:
  loss at the start   beside that of a model that knows nothing
  overfit one batch   16 rows must be learnt by heart
  shuffled labels     must not be predicted on other rows
  zero input          must give a higher loss than the real one
  gradient flow       gradients by depth, with and without residual connections

Exit status: 0 all passed or had nothing to compare with, 2 one has failed, 1 an error.`;

function text(option: string): (value: string) => string {
  return (value) => {
    if (value !== "") return value;
    throw new OptionError({ where: option, problem: "it is empty" });
  };
}

function counting(option: string, least: number, most?: number): (value: string) => number {
  return (value) => {
    const n = /^\d+$/.test(value) ? Number(value) : NaN;
    if (n >= least && n <= (most ?? Number.MAX_SAFE_INTEGER)) return n;
    throw new OptionError({
      where: option,
      problem: "out of range",
      expected: `a whole number ${most === undefined ? `of at least ${least}` : `from ${least} to ${most}`}`,
      received: value,
    });
  };
}

/** The parser's message and its hint, in the form of all other errors. */
function oneLine(message: string): string {
  const [problem = "", hint] = message.trim().split("\n");
  const more = hint === undefined ? "torte train --help lists the options." : hint.replace(/^\((.*)\)$/, "$1");
  return `${problem.replace(/^error:/, "Error:").replace(/\.?$/, ".")} ${more}\n`;
}

/** What a person can use: the message; the stack only when it is asked for. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return `Error: ${printable(String(error))}`;
  const debug = process.env["TORTE_DEBUG"];
  if (debug !== undefined && debug !== "")
    return [error, error.cause].map((e) => (e instanceof Error ? e.stack : "")).join("\n");
  return `Error: ${printable(error.message)}${error instanceof TorteError ? "" : " (TORTE_DEBUG=1 shows where.)"}`;
}

/** Without what a terminal obeys. */
const printable = (text: string): string =>
  text.replaceAll(/[^\P{Cc}\n]/gu, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
