/** The `torte` command. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addCommands } from "./commands.js";
import type { Shell } from "./completion.js";
import { guarded } from "./signals.js";

/** Exit status where the data, an option or an experiment is wrong. */
const WRONG_INPUT = 2;
const FAILED = 1;

/** Runs the command line; returns the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  let status = 0;
  /** Runs a command that Ctrl-C may end; it gives its exit status, undefined where it was interrupted. */
  const run = async (command: (signal: AbortSignal) => Promise<number | undefined>): Promise<void> => {
    let own = 0;
    const told = await guarded(async (signal) => {
      const result = await command(signal);
      own = result ?? 0;
      return result === undefined;
    }, explain);
    status = told === 0 ? own : told;
  };
  const program = commandLine();
  addCommands(program, {
    audit: (files, options) =>
      run(async () => {
        const { auditFiles } = await import("./audit.js");
        await written(`${await auditFiles(files, options)}\n`);
        return 0;
      }),
    train: (files, options) =>
      run(async (signal) => {
        const { trainCommand } = await import("./train.js");
        const result = await printing((print) => trainCommand(files, options, signal, print));
        return result?.status === "interrupted" ? undefined : 0;
      }),
    evaluate: (folder, options) =>
      run(async (signal) => {
        const { evaluateCommand } = await import("./evaluate.js");
        await printing((print) => evaluateCommand(folder, options, signal, print));
        return 0;
      }),
    predict: (folder, file, options) =>
      run(async (signal) => {
        const { predictCommand } = await import("./predict.js");
        await predictCommand(folder, file, options, signal);
        return 0;
      }),
    serve: (folder, options) =>
      run(async (signal) => {
        const { serveCommand } = await import("./serve.js");
        await serveCommand(folder, options, signal);
        return 0;
      }),
    new: (folder) =>
      run(async () => {
        const { newCommand } = await import("./new.js");
        await written(await newCommand(folder, program.version() ?? ""));
        return 0;
      }),
    completion: (shell) =>
      run(async () => {
        const { completionScript } = await import("./completion.js");
        await written(completionScript(program, shell as Shell));
        return 0;
      }),
    doctor: (options) =>
      run(async () => {
        const { doctor } = await import("./doctor.js");
        const { text, well } = await doctor(options);
        await written(`${text}\n`);
        return well ? 0 : FAILED;
      }),
    tune: (file, options) =>
      run(async (signal) => {
        const { tuneCommand } = await import("./tune.js");
        const finished = await printing((print) => tuneCommand(file, options, signal, print));
        return finished ? 0 : undefined;
      }),
    check: (file, options) =>
      run(async (signal) => {
        const { check } = await import("./check.js");
        return (await check(file, options, signal)) ? 0 : FAILED;
      }),
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_INPUT;
    process.stderr.write(`${explain(error)}\n`);
    return isWrongInput(error) ? WRONG_INPUT : FAILED;
  }
}

/** Not by their classes, which would load the library before it is known to be needed. */
const isTold = (error: unknown): error is Error => error instanceof Error && "facts" in error;
const isWrongInput = (error: unknown): boolean =>
  isTold(error) &&
  !["TrainingError", "NotFiniteError", "RunFileError", "StudyFileError", "GraphError"].includes(error.name);

/** Runs what prints at its end. */
async function printing<T>(command: (print: (text: string) => void) => Promise<T>): Promise<T> {
  const printed: string[] = [];
  const result = await command((text) => printed.push(text));
  await written(printed.join(""));
  return result;
}

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

function commandLine(): Command {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  return new Command("torte")
    .description("Deep learning in layers: from a table or an experiment to a model that is measured honestly.")
    .version(version)
    .configureOutput({ outputError: (text, write) => write(oneLine(text)) })
    .exitOverride();
}

/** The parser's message and its hint, in the form of all other errors. */
function oneLine(message: string): string {
  const [problem = "", hint] = message.trim().split("\n");
  const more =
    hint === undefined
      ? "torte --help lists the commands, torte <command> --help its options."
      : hint.replace(/^\((.*)\)$/, "$1");
  return `${problem.replace(/^error:/, "Error:").replace(/\.?$/, ".")} ${more}\n`;
}

/** What a person can use: the message; the stack only when it is asked for. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return `Error: ${printable(String(error))}`;
  const debug = process.env["TORTE_DEBUG"];
  if (debug !== undefined && debug !== "")
    return [error, error.cause].map((e) => (e instanceof Error ? e.stack : "")).join("\n");
  return `Error: ${printable(error.message)}${isTold(error) ? "" : " (TORTE_DEBUG=1 shows where.)"}`;
}

/** Without what a terminal obeys. */
const printable = (text: string): string =>
  text.replaceAll(/[^\P{Cc}\n]/gu, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
