/** What there is to run on here: in a line, and looked at closely. */
import { constant, read } from "../graph/make.js";
import { type Program, State } from "../graph/node.js";
import { canLoadLibraries, cores, hostName } from "../host.js";
import * as ops from "../ops/index.js";
import { mixKey, uniformAt } from "../tensor/random.js";
import { Tensor } from "../tensor/tensor.js";
import type { Backend } from "./backend.js";
import { findUsable, NATIVE, optionsFor } from "./native/backend.js";
import { cacheContents } from "./native/cache.js";
import type { Compiler, NoCompiler } from "./native/compiler.js";
import { type BackendOptions, readBackend } from "./select.js";
import { canShareMemory, createEngineBackend, createWasmBackend, hasRelaxedSimd } from "./wasm/session.js";

/**
 * What a model with these options runs on, in a line for people.
 *
 * @example
 * import { describeBackend } from "torte";
 * console.log(await describeBackend({ backend: "wasm", threads: 1 })); // WebAssembly, one thread
 */
export async function describeBackend(options: BackendOptions = {}): Promise<string> {
  const { backend, precision, threads } = readBackend("describeBackend", options);
  if (backend === "reference") return "the reference interpreter, in float64";
  const shared = canShareMemory() && threads > 1 ? `${threads} threads` : "one thread";
  const wasm = `WebAssembly, ${shared}`;
  if (backend === "wasm") return wasm;
  const compiler = await findUsable();
  if ("reason" in compiler) return backend === "auto" ? `${wasm} (no C compiler)` : `nothing: ${compiler.reason}`;
  const native = `native code by ${compiler.description} for ${optionsFor(compiler, precision).target.name}`;
  return backend === "native" ? `${native}, ${shared}` : `${wasm}; where it runs for long, ${native}`;
}

/** What `diagnoseBackends` has found. */
export interface BackendDiagnosis {
  /** Node, Bun, Deno or a page, with its version. */
  readonly host: string;
  /** The machine's cores. */
  readonly cores: number;
  /** Whether threads can share memory. */
  readonly threads: boolean;
  /** Whether WebAssembly fuses products with their sums. */
  readonly fusedMultiplyAdd: boolean;
  /** The C compiler with its version, undefined where there is none. */
  readonly compiler: string | undefined;
  /** Why there is none. */
  readonly reason: string | undefined;
  /** AVX-512, AVX2, NEON, or portable. */
  readonly instructionSet: string | undefined;
  /** Where compiled programs are kept, how many there are, and their bytes. */
  readonly cache: { readonly folder: string; readonly entries: number; readonly bytes: number } | undefined;
  /** A step of a small network as native code beside the same as WebAssembly; undefined without a compiler. */
  readonly selfTest: { readonly passed: boolean; readonly problem?: string; readonly compileMs: number } | undefined;
}

/**
 * Looks at what there is to run on: the host, its C compiler, the cache of compiled programs, and whether native code gives the
 * bits of WebAssembly.
 *
 * @example
 * import { diagnoseBackends } from "torte";
 * const { host } = await diagnoseBackends();
 * console.log(typeof host); // string
 */
export async function diagnoseBackends(): Promise<BackendDiagnosis> {
  const compiler = await findUsable();
  const usable = !("reason" in compiler);
  return {
    host: hostName(),
    cores: cores(),
    threads: canShareMemory(),
    fusedMultiplyAdd: hasRelaxedSimd(),
    compiler: usable ? compiler.description : undefined,
    reason: usable ? undefined : compiler.reason,
    instructionSet: usable ? optionsFor(compiler, "fast").target.name : undefined,
    cache: canLoadLibraries() ? cacheContents() : undefined,
    selfTest: await selfTest(compiler),
  };
}

async function selfTest(compiler: Compiler | NoCompiler): Promise<BackendDiagnosis["selfTest"]> {
  if ("reason" in compiler) return undefined;
  const started = performance.now();
  try {
    const options = { precision: "fast", threads: Math.min(2, cores()) } as const;
    const wasm = await stepOf(createWasmBackend(options));
    const before = performance.now();
    const native = await stepOf(createEngineBackend(NATIVE, options));
    const compileMs = performance.now() - before;
    const at = wasm.findIndex((x, i) => !Object.is(x, native[i]));
    if (at < 0) return { passed: true, compileMs };
    return { passed: false, compileMs, problem: `number ${at} is ${native[at]} instead of ${wasm[at]}` };
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { passed: false, compileMs: performance.now() - started, problem };
  }
}

const [ROWS, INPUTS, UNITS] = [96, 300, 70];

/** The weights and the loss after a few steps of a small network. */
async function stepOf(backend: Backend): Promise<readonly number[]> {
  const state = (name: string, shape: readonly number[]): State => new State(name, shape, "float32");
  const [x, weights, bias] = [state("x", [ROWS, INPUTS]), state("weights", [INPUTS, UNITS]), state("bias", [UNITS])];
  const hidden = ops.tanh(ops.add(ops.einsum("bi,iu->bu", read(x), read(weights)), read(bias)));
  const slope = ops.mul(hidden, ops.sub(constant(1), ops.mul(hidden, hidden)));
  const step = ops.einsum("bi,bu->iu", read(x), slope);
  const program: Program = {
    name: "self-test",
    outputs: [ops.mean(ops.mul(hidden, hidden)), ops.softmax(hidden)],
    updates: [
      { state: weights, value: ops.sub(read(weights), ops.mul(step, 1e-4)) },
      { state: bias, value: ops.sub(read(bias), ops.mul(ops.sum(slope, { axes: [0] }), 1e-4)) },
    ],
  };
  const session = backend.createSession();
  try {
    const states = [x, weights, bias];
    await session.allocate(states);
    for (const [i, own] of states.entries()) {
      const size = own.shape.reduce((product, n) => product * n, 1);
      const key = mixKey(i, 0, 0);
      const values = Float32Array.from({ length: size }, (_, k) => (uniformAt(key, k) - 0.5) / 4);
      await session.write(own, new Tensor(values, own.shape, "float32"));
    }
    const outputs = await session.run(await session.compile(program), { steps: 3 });
    const after = await Promise.all([weights, bias].map((own) => session.read(own)));
    return [...outputs, ...after].flatMap(({ data }) => [...data]);
  } finally {
    await session.close();
  }
}
