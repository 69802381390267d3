/**
 * Encodes a compiled program as one WebAssembly module: a function for each kernel, and `run`, which calls them in order; where it is for
 * several threads, `alone` does the same for one that has it all to do.
 */
import type { Buffer } from "../../compile/loops/expr.js";
import type { KernelSummary } from "../../compile/loops/loops.js";
import { compileProgram } from "../../compile/pipeline.js";
import type { MemoryPlan } from "../../compile/schedule/memory.js";
import type { Program, State } from "../../graph/node.js";
import type { Shape } from "../../tensor/shape.js";
import type { DType } from "../../tensor/dtype.js";
import { bytesOf, flopsOf, type MeasuredKernel } from "./debug.js";
import { emitKernel } from "./emit.js";
import { type Code, Constants, I32, WasmModule } from "./encoder.js";
import { MathLibrary } from "./math.js";
import { WorkStealing } from "./work-stealing.js";
import { StepFunctions } from "./step-function.js";

export interface TargetOptions {
  readonly shared: boolean;
  /** How many run the program together; each calls `run(steps, thread)`. */
  readonly threads: number;
  readonly maximumPages: number;
  readonly fma: boolean;
  /** Also exports each kernel by itself, for measuring. */
  readonly profile?: boolean;
}

/** Where the session puts things. */
export interface Placement {
  /** No array lies below this address. */
  readonly lowest: number;
  readonly stateAddress: (state: State) => number;
  readonly reserve: (bytes: number) => number;
}

/** A kernel whose loops have become code, in which the addresses of its arrays are still open. */
interface EncodedKernel extends KernelSummary, MeasuredKernel {
  readonly code: Code;
}

export interface CompiledModule {
  readonly bytes: Uint8Array;
  /** Words that have to lie in memory before the module runs. */
  readonly constants: { readonly address: number; readonly words: Int32Array<ArrayBuffer> };
  readonly outputs: readonly { readonly address: number; readonly shape: Shape; readonly dtype: DType }[];
  readonly arena: { readonly address: number; readonly bytes: number };
  /** How many have to run it together; a program that is over in microseconds is left to one. */
  readonly threads: number;
  /** Vector operations of a step, roughly. */
  readonly work: number;
  readonly kernels: readonly MeasuredKernel[];
  readonly plan: MemoryPlan;
}

export function compileModule(program: Program, options: TargetOptions, placement: Placement): CompiledModule {
  const { fma } = options;
  const constants = new Constants(placement.reserve(Constants.BYTES));
  const module = new WasmModule(options, constants);
  const math = new MathLibrary(module);
  const compilation = compileProgram(program, options, (kernel): EncodedKernel => {
    const { body, ...summary } = kernel;
    const code = emitKernel(kernel, { fma, lowest: placement.lowest, module, math });
    return { ...summary, code, flops: flopsOf(body), bytes: bytesOf(kernel) };
  });
  const { kernels, memory, threads, assignments, states, outputs, cost } = compilation;
  const arena = placement.reserve(memory.bytes + WorkStealing.bytes(threads, kernels.length));
  const address = (buffer: Buffer): number => {
    const state = states.get(buffer);
    if (state !== undefined) return placement.stateAddress(state);
    const offset = memory.offsets.get(buffer);
    if (offset === undefined) throw new RangeError(`${buffer.name} has no place in memory`);
    return arena + offset;
  };
  const functions = kernels.map(({ code, arrays, iterations }) => {
    const placed = code.placed((buffer) => address(arrays?.get(buffer) ?? buffer));
    return { index: module.add([I32, I32], [], placed), iterations };
  });
  const calls = { functions, plan: assignments, threads, counters: arena + memory.bytes };
  const steps = new StepFunctions(module, calls);
  steps.addRun(outputs.length > 0);
  if (threads > 1) {
    const alone = assignments.map(({ kernel }) => ({ kernel, chunks: 0, barrier: false }));
    new StepFunctions(module, { ...calls, plan: alone, threads: 1 }).addRun(false, "alone");
  }
  if (options.profile === true) steps.addKernels();
  return {
    bytes: module.encode(),
    constants: { address: constants.address, words: constants.words() },
    threads,
    work: cost,
    outputs: outputs.map(({ node, buffer }) => ({ address: address(buffer), shape: node.shape, dtype: node.dtype })),
    arena: { address: arena, bytes: memory.bytes },
    kernels: kernels.map(({ name, origin, flops, bytes }) => ({ name, origin, flops, bytes })),
    plan: memory,
  };
}
