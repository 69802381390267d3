/** The system's C compiler: which one there is, what it knows of this machine, and a program of it run with a time limit. */
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { builtin } from "../../builtin.js";
import { environment } from "../../host.js";

export interface Compiler {
  readonly command: string;
  /** Before all others. */
  readonly options: readonly string[];
  /** Of the target that it compiles for on this machine, with its own version: what `-dM -E` prints. */
  readonly macros: ReadonlySet<string>;
  readonly description: string;
  /** What all of its output depends on. */
  readonly identity: string;
}

/** Why there is none, in words for people. */
export interface NoCompiler {
  readonly reason: string;
}

/** No program here takes longer; what does is killed. */
const LOOK_LIMIT = 10_000;

/** For this machine's own instruction set. clang on ARM knows it by another name before version 15. */
const NATIVE = ["-march=native"];

let found: { readonly asked: string; readonly compiler: Promise<Compiler | NoCompiler> } | undefined;

/** The compiler that `CC` names, or the first of cc, clang and gcc that works. */
export function findCompiler(): Promise<Compiler | NoCompiler> {
  const asked = environment("CC")?.trim() ?? "";
  if (found?.asked !== asked) found = { asked, compiler: look(asked) };
  return found.compiler;
}

async function look(asked: string): Promise<Compiler | NoCompiler> {
  const reasons: string[] = [];
  for (const name of asked === "" ? ["cc", "clang", "gcc"] : [asked]) {
    const [command = name, ...options] = name.split(/\s+/);
    const own = [...options, ...NATIVE];
    const { failure, output } = await run(command, [...own, "-dM", "-E", "-x", "c", "-"], { limit: LOOK_LIMIT });
    if (failure === undefined && output.includes("__VERSION__")) return describe(command, own, output);
    reasons.push(`${name}: ${failure ?? "it does not say what it is"}`);
  }
  return { reason: reasons.join("; ") };
}

function describe(command: string, options: readonly string[], output: string): Compiler {
  const lines = output.split("\n").filter((line) => line.startsWith("#define "));
  const macros = new Set(lines.map((line) => line.split(" ")[1] ?? ""));
  const version = /#define __VERSION__ "(.*)"/.exec(output)?.[1] ?? "";
  const family = macros.has("__clang__") ? "" : "gcc ";
  return {
    command,
    options,
    macros,
    description: `${command}, ${family}${version}`,
    identity: lines.sort().join("\n"),
  };
}

export interface RunLimits {
  /** Milliseconds after which it is killed. */
  readonly limit: number;
  readonly input?: string;
  /** Lets everything else go before it. */
  readonly background?: boolean;
}

/** What became of it; the failure is in words for people. */
export interface Ended {
  readonly failure?: string;
  readonly output: string;
}

/** Characters of what a program says that are kept of a failure. */
const TAIL = 2000;

/** Runs another program to its end; never rejects. */
export function run(command: string, args: readonly string[], limits: RunLimits): Promise<Ended> {
  const { limit, input = "", background = false } = limits;
  return new Promise((resolve) => {
    let [output, errors] = ["", ""];
    try {
      // What it says is read here.
      const env = { ...builtin("node:process").env, LC_ALL: "C" };
      const child = builtin("node:child_process").spawn(command, [...args], { stdio: "pipe", windowsHide: true, env });
      const timer = setTimeout(() => {
        child.kill("SIGKILL");
        resolve({ failure: `it was stopped after ${limit / 1000} s`, output });
      }, limit);
      const end = (ended: Ended): void => {
        clearTimeout(timer);
        resolve(ended);
      };
      if (background) release(child, timer);
      child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-TAIL)));
      child.on("error", ({ message }) => end({ failure: message, output }));
      child.on("close", (code, signal) => {
        const failed = code !== 0;
        const status = signal === null ? `exit status ${code ?? "unknown"}` : `it was ended by ${signal}`;
        end(failed ? { failure: `${status}${errors === "" ? "" : `: ${errors.trim()}`}`, output } : { output });
      });
      // A program that ends before it has read everything is heard of when it closes.
      child.stdin.on("error", () => undefined);
      child.stdin.end(input);
    } catch (error) {
      resolve({ failure: error instanceof Error ? error.message : String(error), output });
    }
  });
}

/** Gives it a low priority, and lets this process end without waiting for it: then it is ended, too. */
function release(child: ChildProcessWithoutNullStreams, timer: NodeJS.Timeout): void {
  timer.unref();
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr])
    (stream as unknown as { unref?: () => void }).unref?.();
  const end = (): void => void child.kill("SIGKILL");
  const host = builtin("node:process");
  host.once("exit", end);
  child.once("close", () => host.off("exit", end));
  try {
    if (child.pid !== undefined) builtin("node:os").setPriority(child.pid, 10);
  } catch {
    // It has ended already, or may not be slowed down.
  }
}
