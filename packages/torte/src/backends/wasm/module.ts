/**
 * A program to one WebAssembly module: a function for each kernel, and `run`, which calls them in order; where it is for
 * several threads, `alone` does the same for one that has it all to do.
 */
import type { Buffer } from "../../compile/loops/expr.js";
import { type FusedProgram, fuse } from "../../compile/fusion/fuse.js";
import { lower } from "../../compile/lower/lower.js";
import { iterationsOf } from "../../compile/loops/loops.js";
import { printKernel } from "../../compile/loops/print.js";
import { type MemoryPlan, planMemory } from "../../compile/schedule/memory.js";
import { simplify } from "../../compile/pipeline.js";
import { scheduleThreads, type ScheduledKernel, costOf } from "../../compile/schedule/threads.js";
import type { Program, State } from "../../graph/node.js";
import type { Shape } from "../../tensor/shape.js";
import type { DType } from "../../tensor/dtype.js";
import { bytesOf, debugs, flopsOf, type MeasuredKernel, passObserver } from "./debug.js";
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

/** A kernel whose loops have become code, in which the places of its arrays are still open. */
interface CompiledKernel extends ScheduledKernel, MeasuredKernel {
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
  const fused = fuse(simplify(program, passObserver()));
  const constants = new Constants(placement.reserve(Constants.BYTES));
  const module = new WasmModule(options, constants);
  const kernels = compileKernels(fused, options, placement.lowest, module);
  const persistent = new Map([...fused.stateBuffers].map(([state, buffer]) => [buffer, state]));
  const outputs = fused.program.outputs.map((node) => ({ node, buffer: bufferOf(fused, node) }));
  const total = kernels.reduce((sum, { cost }) => sum + cost, 0);
  const threads = total < WORTH_SHARING ? 1 : options.threads;
  const kept = new Set(outputs.map(({ buffer }) => buffer));
  const plan = planMemory(kernels, new Set(persistent.keys()), kept, threads);
  const arena = placement.reserve(plan.bytes + WorkStealing.bytes(threads, kernels.length));
  const address = (buffer: Buffer): number => {
    const state = persistent.get(buffer);
    if (state !== undefined) return placement.stateAddress(state);
    const offset = plan.offsets.get(buffer);
    if (offset === undefined) throw new RangeError(`${buffer.name} has no place in memory`);
    return arena + offset;
  };
  const functions = kernels.map(({ code, arrays, iterations }) => {
    const placed = code.placed((buffer) => address(arrays?.get(buffer) ?? buffer));
    return { index: module.add([I32, I32], [], placed), iterations };
  });
  const assignments = scheduleThreads(
    kernels,
    (buffer) => ({ from: address(buffer), to: address(buffer) + 4 * buffer.size }),
    threads,
  );
  const calls = { functions, plan: assignments, threads, counters: arena + plan.bytes };
  const runner = new StepFunctions(module, calls);
  runner.addRun(outputs.length > 0);
  if (threads > 1) {
    const alone = assignments.map(({ kernel }) => ({ kernel, chunks: 0, barrier: false }));
    new StepFunctions(module, { ...calls, plan: alone, threads: 1 }).addRun(false, "alone");
  }
  if (options.profile === true) runner.addKernels();
  return {
    bytes: module.encode(),
    constants: { address: constants.address, words: constants.words() },
    threads,
    work: total,
    outputs: outputs.map(({ node, buffer }) => ({ address: address(buffer), shape: node.shape, dtype: node.dtype })),
    arena: { address: arena, bytes: plan.bytes },
    kernels: kernels.map(({ name, origin, flops, bytes }) => ({ name, origin, flops, bytes })),
    plan,
  };
}

/** The loops of one kernel become code before those of the next are made: most of a compilation's memory is theirs. */
function compileKernels(
  fused: FusedProgram,
  { fma }: TargetOptions,
  lowest: number,
  module: WasmModule,
): CompiledKernel[] {
  const math = new MathLibrary(module);
  return lower(fused, { fma }, (kernel) => {
    const { body, ...summary } = kernel;
    if (debugs("loops")) console.error(`${printKernel(kernel)}\n`);
    return {
      ...summary,
      code: emitKernel(kernel, { fma, lowest, module, math }),
      iterations: iterationsOf(body),
      cost: costOf(body),
      flops: flopsOf(body),
      bytes: bytesOf(kernel),
    };
  });
}

function bufferOf(fused: FusedProgram, node: FusedProgram["program"]["outputs"][number]): Buffer {
  const buffer = fused.storage.get(node);
  if (buffer === undefined) throw new RangeError("an output is not kept in memory");
  return buffer;
}

/** Vector operations: some tens of microseconds. */
const WORTH_SHARING = 100_000;
