/** Programs as code of this machine, by way of the system's C compiler. */
import { TrainingError } from "../../errors.js";
import { isNode } from "../../host.js";
import type { Backend } from "../backend.js";
import type { CodeGenerator } from "../compiled-program.js";
import { createEngineBackend, type WasmOptions } from "../wasm/session.js";
import { build } from "./build.js";
import { findCompiler } from "./compiler.js";
import { compileNative } from "./program.js";
import { hasFma, nativeTarget } from "./targets.js";

/** Waits for the compiler. */
export const NATIVE: CodeGenerator = {
  name: "native",
  async generate(program, { precision, threads }, placement) {
    if (!isNode()) throw notPossible("this host has no compiler");
    const compiler = await findCompiler();
    if ("reason" in compiler) throw notPossible(compiler.reason);
    const target = nativeTarget(compiler.macros, precision === "fast" && hasFma(compiler.macros));
    const { source, places, ...compiled } = compileNative(program, { target, threads, checked: false }, placement);
    try {
      return { ...compiled, code: { path: await build(source, compiler), places } };
    } catch (error) {
      throw notPossible(error instanceof Error ? error.message : String(error));
    }
  },
};

export const createNativeBackend = (options: WasmOptions): Backend => createEngineBackend(NATIVE, options);

const notPossible = (reason: string): TrainingError =>
  new TrainingError({
    where: 'backend "native"',
    problem: `there is no code of this machine, ${reason}`,
    fix: 'Install a C compiler (gcc or clang) or name one in the environment\'s CC, or choose backend: "wasm".',
  });
