/** Programs as code of this machine, by way of the system's C compiler. */
import { fuseEach } from "../../compile/pipeline.js";
import { inTurns } from "../../turns.js";
import { debugs } from "../../compile/debug.js";
import { TrainingError } from "../../errors.js";
import { canLoadLibraries } from "../../host.js";
import type { CodeGenerator } from "../compiled-program.js";
import { canShareMemory, hasRelaxedSimd } from "../wasm/session.js";
import { build } from "./build.js";
import { type Compiler, findCompiler, type NoCompiler } from "./compiler.js";
import { compileNative, type NativeOptions } from "./program.js";
import { nativeTarget } from "./targets.js";

/** Waits for the compiler. */
export const NATIVE: CodeGenerator = {
  name: "native",
  async generate(program, { precision, threads }, placement) {
    const compiler = await findUsable();
    if ("reason" in compiler) throw notPossible(compiler.reason, INSTALL);
    const options = { ...optionsFor(compiler, precision), threads };
    const { source, places, ...compiled } = await inTurns(
      compileNative(await inTurns(fuseEach(program)), options, placement),
    );
    try {
      return { loadable: { ...compiled, code: { path: await build(source, compiler), places } } };
    } catch (error) {
      throw notPossible(error instanceof Error ? error.message : String(error), CHECK);
    }
  },
};

/** The compiler, where its libraries can be loaded and work on memory that threads share. */
export async function findUsable(): Promise<Compiler | NoCompiler> {
  if (!canLoadLibraries() || !canShareMemory()) return { reason: "this host loads no libraries" };
  return findCompiler();
}

/** Products are fused with their sums where WebAssembly does so, so that both give the same bits. */
export const optionsFor = (
  { macros }: Compiler,
  precision: "fast" | "reproducible",
): Omit<NativeOptions, "threads"> => {
  const fma = precision === "fast" && hasRelaxedSimd();
  return { target: nativeTarget(macros, fma), checked: debugs("bounds") };
};

const INSTALL = 'Install a C compiler (gcc or clang) or name one in the environment\'s CC, or choose backend: "wasm".';
const CHECK = 'torte doctor tries the compiler out; backend: "wasm" does without.';

const notPossible = (reason: string, fix: string): TrainingError =>
  new TrainingError({ where: 'backend "native"', problem: `there is no code of this machine, ${reason}`, fix });
