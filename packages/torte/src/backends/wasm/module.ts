/**
 * A program to one WebAssembly module: a function for each kernel, and `run`, which calls them in order; where it is for
 * several threads, `alone` does the same for one that has it all to do.
 */
import type { Buffer } from "../../compile/expr.js";
import { type FusedProgram, fuse } from "../../compile/fuse.js";
import { lower } from "../../compile/lower.js";
import { type LoweredKernel, unitsOf } from "../../compile/loops.js";
import { type MemoryPlan, planMemory } from "../../compile/plan.js";
import { simplify } from "../../compile/passes.js";
import { shareWork, type Span, workOf } from "../../compile/share-work.js";
import type { Program, State } from "../../graph/node.js";
import type { Shape } from "../../tensor/shape.js";
import type { DType } from "../../tensor/dtype.js";
import { passObserver } from "./debug.js";
import { emitKernel } from "./emit.js";
import { type Code, Constants, I32, WasmModule } from "./encoder.js";
import { MathLibrary } from "./math.js";
import { Parts } from "./parts.js";
import { Runner } from "./run.js";

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
  readonly stateAddress: (state: State) => number;
  readonly reserveArena: (bytes: number) => number;
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
  readonly kernels: readonly LoweredKernel[];
  readonly plan: MemoryPlan;
}

export function compileModule(program: Program, options: TargetOptions, placement: Placement): CompiledModule {
  const fused = fuse(simplify(program, passObserver()));
  const kernels = lower(fused, options);
  const persistent = new Map([...fused.stateBuffers].map(([state, buffer]) => [buffer, state]));
  const outputs = fused.program.outputs.map((node) => ({ node, buffer: bufferOf(fused, node) }));
  const plan = planMemory(kernels, new Set(persistent.keys()), new Set(outputs.map(({ buffer }) => buffer)));
  const works = new Map(kernels.map(({ body }) => [body, 0]));
  for (const body of works.keys()) works.set(body, workOf(body));
  const work = ({ body }: LoweredKernel): number => works.get(body) ?? 0;
  const total = kernels.reduce((sum, kernel) => sum + work(kernel), 0);
  const threads = total < WORTH_SHARING ? 1 : options.threads;
  const counters = Parts.bytes(threads, kernels.length);
  const arena = placement.reserveArena(plan.bytes + counters + Constants.BYTES);
  const address = (buffer: Buffer): number => {
    const state = persistent.get(buffer);
    if (state !== undefined) return placement.stateAddress(state);
    const offset = plan.offsets.get(buffer);
    if (offset === undefined) throw new RangeError(`${buffer.name} has no place in memory`);
    return arena + offset;
  };
  const constants = new Constants(arena + plan.bytes + counters);
  const bytes = encode({
    kernels,
    work,
    options: { ...options, threads },
    address,
    counters: arena + plan.bytes,
    constants,
    hasOutputs: outputs.length > 0,
  });
  return {
    bytes,
    constants: { address: constants.address, words: constants.words() },
    threads,
    work: total,
    outputs: outputs.map(({ node, buffer }) => ({ address: address(buffer), shape: node.shape, dtype: node.dtype })),
    arena: { address: arena, bytes: plan.bytes },
    kernels,
    plan,
  };
}

function bufferOf(fused: FusedProgram, node: FusedProgram["program"]["outputs"][number]): Buffer {
  const buffer = fused.storage.get(node);
  if (buffer === undefined) throw new RangeError("an output is not kept in memory");
  return buffer;
}

/** Vector operations: some tens of microseconds. */
const WORTH_SHARING = 100_000;

interface Encoding {
  readonly kernels: readonly LoweredKernel[];
  readonly work: (kernel: LoweredKernel) => number;
  readonly options: TargetOptions;
  readonly address: (buffer: Buffer) => number;
  /** Where the threads count their parts. */
  readonly counters: number;
  readonly constants: Constants;
  readonly hasOutputs: boolean;
}

function encode({ kernels, work, options, address, counters, constants, hasOutputs }: Encoding): Uint8Array {
  const module = new WasmModule(options, constants);
  const math = new MathLibrary(module);
  const lowest = kernels.reduce(
    (least, { reads, writes }) => Math.min(least, ...[...reads, ...writes].map(address)),
    Infinity,
  );
  const emitted = new Map<LoweredKernel["body"], Code>();
  const functions = kernels.map((kernel) => {
    const code = emitted.get(kernel.body) ?? emitKernel(kernel, { fma: options.fma, lowest, module, math });
    emitted.set(kernel.body, code);
    const placed = code.placed((buffer) => address(kernel.arrays?.get(buffer) ?? buffer));
    return { index: module.add([I32, I32], [], placed), units: unitsOf(kernel.body) };
  });
  const spans = (buffers: ReadonlySet<Buffer>): Span[] =>
    [...buffers].map((buffer) => ({ from: address(buffer), to: address(buffer) + 4 * buffer.size }));
  const plan = shareWork(
    kernels,
    ({ body }) => unitsOf(body),
    ({ reads, writes }) => ({ reads: spans(reads), writes: spans(writes) }),
    options.threads,
    work,
  );
  const runner = new Runner(module, { functions, plan, threads: options.threads, counters });
  runner.addRun(hasOutputs);
  if (options.threads > 1) {
    const single = plan.map(({ kernel }) => ({ kernel, parts: 0, barrier: false }));
    new Runner(module, { functions, plan: single, threads: 1, counters }).addRun(false, "alone");
  }
  if (options.profile === true) runner.addKernels();
  return module.encode();
}
