/** WebAssembly at once, and this machine's own code where a program runs for long. */
import { fuseEach } from "../../compile/pipeline.js";
import { inTurns } from "../../turns.js";
import type { CodeGenerator, Generated } from "../compiled-program.js";
import { encodeEach } from "../wasm/module.js";
import { moduleTarget } from "../wasm/session.js";
import { findUsable, optionsFor } from "./backend.js";
import { build } from "./build.js";
import { compileNative } from "./program.js";

export const AUTO: CodeGenerator = {
  name: "auto",
  async generate(program, options, placement) {
    const fused = await inTurns(fuseEach(program));
    const loadable = await inTurns(encodeEach(fused, moduleTarget(options), placement));
    const { threads, work } = loadable;
    const improve: Generated["improve"] = async (where) => {
      const compiler = await findUsable();
      if ("reason" in compiler) return undefined;
      const own = { ...optionsFor(compiler, options.precision), threads, all: true };
      const { source, places, ...compiled } = await inPauses(compileNative(fused, own, where));
      const path = await build(source, compiler, { background: true });
      return { ...compiled, work, code: { path, places } };
    };
    return { loadable, improve };
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
