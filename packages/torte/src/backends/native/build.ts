/** From C to a library that has been loaded once, in a process of its own. */
import { builtin } from "../../builtin.js";
import { executable } from "../../host.js";
import { cached, sha256 } from "./cache.js";
import { type Compiler, run } from "./compiler.js";

/**
 * No `-ffast-math`: besides its results, GCC before 13 would have it flush denormals for the whole thread that loads the library,
 * JavaScript's own arithmetic included. Products are fused with sums only where the source says so.
 */
const FLAGS = [
  "-O2",
  "-std=gnu11",
  "-ffp-contract=off",
  "-fno-math-errno",
  "-fno-trapping-math",
  "-fno-strict-aliasing",
];
const LIBRARY = ["-fPIC", "-fvisibility=hidden", "-w"];

/** Far more than the largest networks take. */
const COMPILE_LIMIT = 300_000;
const LOAD_LIMIT = 30_000;

export interface BuildOptions {
  /** Lets everything else go before the compiler. */
  readonly background?: boolean;
  /** Further options of the compiler. */
  readonly flags?: readonly string[];
  /** Milliseconds after which the compiler is killed. Default five minutes. */
  readonly limit?: number;
}

/** The path of the library. @throws Error with what the compiler says, or why its library cannot be loaded. */
export function build(source: string, compiler: Compiler, options: BuildOptions = {}): Promise<string> {
  const { background = false, flags = [], limit = COMPILE_LIMIT } = options;
  const all = [...compiler.options, ...FLAGS, ...tuning(compiler), ...flags, ...LIBRARY, ...linking()];
  const key = sha256([compiler.command, compiler.identity, all.join(" "), source].join("\n"));
  return cached(key, {
    patience: limit + LOAD_LIMIT,
    make: async (path) => {
      const args = [...all, "-x", "c", "-", "-o", path];
      const compiled = await run(compiler.command, args, { limit, input: source, background });
      if (compiled.failure !== undefined) throw new Error(`${compiler.command}: ${compiled.failure}`);
    },
    load: tryOut,
  });
}

/** Vectors are written out; what GCC makes of the rest on its own takes longer than it gains. */
const tuning = ({ macros }: Compiler): readonly string[] => (macros.has("__clang__") ? [] : ["-fno-tree-vectorize"]);

const linking = (): readonly string[] =>
  builtin("node:os").platform() === "darwin" ? ["-bundle", "-undefined", "dynamic_lookup"] : ["-shared"];

/** Loads the library in a process of its own: one that cannot be loaded, or ends the process, does no harm there. */
async function tryOut(path: string): Promise<void> {
  const script = `const module = { exports: {} }; process.dlopen(module, ${JSON.stringify(path)}); if (typeof module.exports !== "function") process.exit(3);`;
  const { failure } = await run(executable(), ["-e", script], { limit: LOAD_LIMIT });
  if (failure !== undefined) throw new Error(`the library cannot be loaded: ${failure}`);
}
