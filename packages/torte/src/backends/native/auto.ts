/** WebAssembly at once, and this machine's own code where a program runs for long. */
import { fuseProgram } from "../../compile/pipeline.js";
import type { CodeGenerator, Generated } from "../compiled-program.js";
import { encodeModule } from "../wasm/module.js";
import { moduleTarget } from "../wasm/session.js";
import { findUsable, optionsFor } from "./backend.js";
import { build } from "./build.js";
import { compileNative } from "./program.js";

export const AUTO: CodeGenerator = {
  name: "auto",
  generate(program, options, placement) {
    const fused = fuseProgram(program);
    const loadable = encodeModule(fused, moduleTarget(options), placement);
    const { threads, work } = loadable;
    const improve: Generated["improve"] = async (where) => {
      const compiler = await findUsable();
      if ("reason" in compiler) return undefined;
      const own = { ...optionsFor(compiler, options.precision), threads, all: true };
      const { source, places, ...compiled } = await inPauses(compileNative(fused, own, where));
      const path = await build(source, compiler, { background: true });
      return { ...compiled, work, code: { path, places } };
    };
    return Promise.resolve({ loadable, improve });
  },
};

/** Lets everything else that waits come first, between two steps. */
async function inPauses<T>(steps: Generator<undefined, T>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
    await new Promise((resolve) => setTimeout(resolve));
  }
}
