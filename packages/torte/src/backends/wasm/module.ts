/**
 * Encodes a compiled program as one WebAssembly module: a function for each kernel, and `run`, which calls them in order; where it is for
 * several threads, `alone` does the same for one that has it all to do.
 */
import type { Buffer } from "../../compile/loops/expr.js";
import type { KernelSummary } from "../../compile/loops/loops.js";
import type { FusedProgram } from "../../compile/fusion/fuse.js";
import { narrowTarget } from "../../compile/lower/target.js";
import { compileEach, fuseProgram } from "../../compile/pipeline.js";
import type { Program } from "../../graph/node.js";
import { atOnce } from "../../turns.js";
import type { Loadable, Placement } from "../compiled-program.js";
import { counterBytes } from "../coordination.js";
import { bytesOf, flopsOf, type MeasuredKernel } from "../debug.js";
import { emitKernel } from "./emit.js";
import { type Code, Constants, I32, WasmModule } from "./encoder.js";
import { MathLibrary } from "./math.js";
import { type Calls, StepFunctions } from "./step-function.js";

export interface TargetOptions {
  readonly shared: boolean;
  /** How many run the program together; each calls `run(steps, thread)`. */
  readonly threads: number;
  readonly maximumPages: number;
  readonly fma: boolean;
  /** Also exports each kernel by itself, for measuring. */
  readonly profile?: boolean;
}

/** A kernel whose loops have become code, in which the addresses of its arrays are still open. */
interface EncodedKernel extends KernelSummary, MeasuredKernel {
  readonly code: Code;
}

export interface CompiledModule extends Loadable {
  readonly code: Uint8Array;
  readonly constants: NonNullable<Loadable["constants"]>;
}

export const compileModule = (program: Program, options: TargetOptions, placement: Placement): CompiledModule =>
  atOnce(encodeEach(fuseProgram(program), options, placement));

/** Kernel by kernel; where arrays lie is asked at the end. */
export function* encodeEach(
  fused: FusedProgram,
  options: TargetOptions,
  placement: Placement,
): Generator<undefined, CompiledModule> {
  const { fma } = options;
  const constants = new Constants(placement.reserve(Constants.BYTES));
  const module = new WasmModule(options, constants);
  const math = new MathLibrary(module);
  const compilation = yield* compileEach(
    fused,
    { ...narrowTarget(fma), threads: options.threads },
    (kernel): EncodedKernel => {
      const { body, ...summary } = kernel;
      const code = emitKernel(kernel, { fma, lowest: placement.lowest, module, math });
      return { ...summary, code, flops: flopsOf(body), bytes: bytesOf(kernel) };
    },
  );
  yield;
  const { kernels, memory, threads, assignments, states, outputs, cost } = compilation;
  const arena = placement.reserve(memory.bytes + counterBytes(threads, kernels.length));
  const address = (buffer: Buffer): number => {
    const state = states.get(buffer);
    if (state !== undefined) return placement.stateAddress(state);
    const offset = memory.offsets.get(buffer);
    if (offset === undefined) throw new RangeError(`${buffer.name} has no place in memory`);
    return arena + offset;
  };
  const functions: Calls["functions"][number][] = [];
  for (const { code, arrays, iterations } of kernels) {
    const placed = code.placed((buffer) => address(arrays?.get(buffer) ?? buffer));
    functions.push({ index: module.add([I32, I32], [], placed), iterations });
    yield;
  }
  const calls = { functions, plan: assignments, threads, counters: arena + memory.bytes };
  const steps = new StepFunctions(module, calls);
  steps.addRun(outputs.length > 0);
  if (threads > 1) {
    const alone = assignments.map(({ kernel }) => ({ kernel, chunks: 0, barrier: false }));
    new StepFunctions(module, { ...calls, plan: alone, threads: 1 }).addRun(false, "alone");
  }
  if (options.profile === true) steps.addKernels();
  yield;
  return {
    code: module.encode(),
    constants: { address: constants.address, words: constants.words() },
    threads,
    work: cost,
    outputs: outputs.map(({ node, buffer }) => ({ address: address(buffer), shape: node.shape, dtype: node.dtype })),
    arena: { address: arena, bytes: memory.bytes + counterBytes(threads, kernels.length) },
    kernels: kernels.map(({ name, origin, flops, bytes }) => ({ name, origin, flops, bytes })),
    plan: memory,
  };
}
