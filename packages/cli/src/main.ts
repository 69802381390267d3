/** The `torte` command. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { TorteError } from "torte";
import { train, type TrainOptions } from "./train.js";

/** A shell's number for a process that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Runs the command line; returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0;
  const program = commandLine(async (file, options) => {
    status = await withInterrupt(async (signal) => (await train(file, options, signal)).status === "interrupted");
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

type TrainAction = (file: string, options: TrainOptions) => Promise<void>;

export function commandLine(onTrain: TrainAction): Command {
  const program = new Command("torte")
    .description("Deep learning in layers: trains models that experiment files describe.")
    .exitOverride();
  program
    .command("train")
    .description("Train the model of an experiment file, and write a run folder.")
    .argument("<file>", "the experiment file, TypeScript or JavaScript")
    .option(
      "--data <path>",
      "the data file, or the folder that has it (default: $TORTE_DATA, the cache, a download)",
      text,
    )
    .option("--epochs <n>", "passes over the training data (default: the experiment's, else 10)", counting("epochs", 1))
    .option(
      "--batch-size <n>",
      "examples in a training step (default: the experiment's, else 16)",
      counting("examples", 1),
    )
    .option(
      "--seed <n>",
      "of the split, the first weights, the order and dropout (default: the experiment's, else 0)",
      counting("seed", 0, 0xffffffff),
    )
    .option(
      "--variant <name>",
      "one of the experiment's variants (default: its first); solubility has base, dropout and l2",
      text,
    )
    .option(
      "--threads <n>",
      "threads to train on; the results do not depend on it (default: the cores)",
      counting("threads", 1, 64),
    )
    .option("--out <dir>", "the run folder, new or empty (default: runs/<time>-<experiment>)", text)
    .addHelpText("after", HELP)
    .exitOverride()
    .showHelpAfterError("(torte train --help lists the options)")
    .action(onTrain);
  return program;
}

const HELP = `
The run folder, written as the run goes:
  history.json       loss and metrics of each finished epoch
  curves.svg         training and validation loss against the epoch
  summary.txt        the model's layers, shapes and parameters
  run.json           options, seed, versions, the data's checksum, test figures
  model.safetensors  the model with its weights, for loadModel; model.json describes it for people

Ctrl-C ends a run after the step it is in, and writes the folder.
Exit status: 0 finished, 1 an error, 130 interrupted.

Environment:
  TORTE_DATA         a folder with data files
  TORTE_DEBUG        set to anything, errors come with their stack`;

function text(value: string): string {
  if (value === "") throw new InvalidArgumentError("It is empty.");
  return value;
}

function counting(what: string, least: number, most = Number.MAX_SAFE_INTEGER): (value: string) => number {
  return (value) => {
    const n = /^\d+$/.test(value) ? Number(value) : NaN;
    if (n >= least && n <= most) return n;
    const range =
      most === least
        ? `only ${least} works`
        : most === Number.MAX_SAFE_INTEGER
          ? `of at least ${least}`
          : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`Expected a whole number${most === least ? ";" : ""} ${range} (${what}).`);
  };
}

/** The first Ctrl-C asks the run to end, the second ends the process. Returns the exit status. */
async function withInterrupt(run: (signal: AbortSignal) => Promise<boolean>): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  };
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  try {
    return (await run(controller.signal)) ? INTERRUPTED : 0;
  } catch (error) {
    if (controller.signal.aborted && error === controller.signal.reason) return INTERRUPTED;
    throw error;
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt);
  }
}

/** What a person can use: the message; the stack only when it is asked for. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return `Error: ${String(error)}`;
  const debug = process.env["TORTE_DEBUG"];
  if (debug !== undefined && debug !== "")
    return [error, error.cause].map((e) => (e instanceof Error ? e.stack : "")).join("\n");
  const hint = error instanceof TorteError ? "" : "\nSet TORTE_DEBUG=1 for where it happened.";
  return `Error: ${error.message}${hint}`;
}
