/** Loading an experiment file, TypeScript or JavaScript, and saying where it fails. */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import * as data from "@torte/data";
import { createJiti } from "jiti";
import * as tune from "@torte/tune";
import * as torte from "torte";
import { DataError, TorteError, TrainingError } from "torte";
import { checkExperiment, type Experiment } from "./experiment.js";
import * as cli from "./index.js";
import { RunFileError } from "./run-folder.js";

/** The experiment's own code failed: file and line, and the reason. */
export class ExperimentError extends TorteError {
  constructor(place: string, doing: string, cause: unknown) {
    super({ where: place, problem: `${doing}: ${reasonOf(cause)}` });
    this.message = this.message.replace(/([.?!])\.$/, "$1");
    this.cause = cause;
  }
}

/** A module whose missing names are errors where they are imported, as they are in Node, and not undefined. */
function strict(name: string, module: object): object {
  return new Proxy(
    { ...module },
    {
      get: (target, key, receiver): unknown => {
        if (typeof key === "symbol" || key in target || ["then", "default", "__esModule"].includes(key))
          return Reflect.get(target, key, receiver);
        throw new SyntaxError(`${JSON.stringify(name)} has no export named ${JSON.stringify(key)}`);
      },
    },
  );
}

/** The text of an experiment, and where it comes from. */
export interface ExperimentText {
  /** The file as people know it. */
  readonly shown: string;
  /** What its imports are looked up from; errors are told with lines of it. */
  readonly path: string;
  readonly source: string;
  /** Made by the command; then its lines say nothing to whoever reads an error. */
  readonly generated?: boolean;
}

/** @throws DataError where there is no such file. */
export function readExperiment(file: string): ExperimentText {
  const path = resolve(file);
  if (!existsSync(path))
    throw new DataError({ where: file, problem: "there is no such file", expected: "an experiment file" });
  if (statSync(path).isDirectory())
    throw new DataError({ where: file, problem: "this is a folder", expected: "an experiment file" });
  return { shown: file, path, source: readFileSync(path, "utf8") };
}

export const sha256Of = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

/**
 * The experiment that a file exports by default.
 *
 * Its imports of "torte", "@torte/data" and "@torte/cli" are this very copy, so that a file needs no installation beside it.
 */
export async function loadExperiment(text: ExperimentText): Promise<Experiment> {
  const jiti = createJiti(import.meta.url, {
    fsCache: false,
    interopDefault: false,
    virtualModules: {
      torte: strict("torte", torte),
      "@torte/data": strict("@torte/data", data),
      "@torte/tune": strict("@torte/tune", tune),
      "@torte/cli": strict("@torte/cli", cli),
    },
  });
  let module: { readonly default?: unknown };
  try {
    module = (await jiti.evalModule(text.source, { filename: text.path, async: true })) as typeof module;
  } catch (error) {
    throw new ExperimentError(placeOf(error, text), "the experiment file fails to load", error);
  }
  checkExperiment(text.shown, module.default);
  return module.default;
}

/** Runs a part of the experiment; what it throws is told with file and line. */
export async function inExperiment<T>(text: ExperimentText, part: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    // Data that is wrong and training that fails do not come from a line of the experiment, nor do errors that are told.
    if ([DataError, TrainingError, RunFileError, ExperimentError].some((kind) => error instanceof kind)) throw error;
    if (text.generated === true && error instanceof TorteError) throw error;
    throw new ExperimentError(placeOf(error, text), `${part} fails`, error);
  }
}

/** FILE:LINE of the innermost line that is the experiment's; a parser's message has the column, too. */
function placeOf(error: unknown, { shown, path, source }: ExperimentText): string {
  if (!(error instanceof Error)) return shown;
  const missing =
    "code" in error && error.code === "MODULE_NOT_FOUND"
      ? /Cannot find module '([^']+)'/.exec(error.message)?.[1]
      : undefined;
  if (missing !== undefined) return placeOfText(missing, source, shown);
  const find = (text: string, pattern: RegExp): string | undefined =>
    text
      .split(`${path}:`)
      .slice(1)
      .map((rest) => pattern.exec(rest)?.[0])
      .find((numbers) => numbers !== undefined);
  // Columns of the stack are those of the translated code.
  const numbers = find(error.message, /^\d+(:\d+)?/) ?? find(error.stack ?? "", /^\d+/);
  return numbers === undefined ? shown : `${shown}:${numbers}`;
}

/** The line that names a module; where it is met, the stack has only generated code. */
function placeOfText(text: string, source: string, shown: string): string {
  const line = source.split("\n").findIndex((candidate) => candidate.includes(text));
  return line < 0 ? shown : `${shown}:${line + 1}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const [first = "", second = ""] = error.message.split("\n");
  // A parser's message goes on with the place, which is told already; a model's goes on with its summary, which helps.
  if (error instanceof TorteError) return error.message;
  const text = first.replace(/^ParseError:\s*/, "").trim();
  return text === "" ? second.trim() : text;
}
