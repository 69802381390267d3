/** A program to one WebAssembly module: a function for each kernel, and `run`, which calls them in order. */
import type { Buffer } from "../../compile/expr.js";
import { type FusedProgram, fuse } from "../../compile/fuse.js";
import { lower } from "../../compile/lower.js";
import type { LoweredKernel } from "../../compile/loops.js";
import { type MemoryPlan, planMemory } from "../../compile/plan.js";
import { simplify } from "../../compile/passes.js";
import type { Program, State } from "../../graph/node.js";
import { print } from "../../graph/print.js";
import type { Shape } from "../../tensor/shape.js";
import type { DType } from "../../tensor/dtype.js";
import { emitKernel, splitLoop } from "./emit.js";
import { Code, I32, OP, WasmModule } from "./encoder.js";
import { MathLibrary } from "./math.js";

export interface TargetOptions {
  readonly shared: boolean;
  readonly maximumPages: number;
  readonly fma: boolean;
  /** Also exports each kernel by its number, k0, k1, …, for measuring. */
  readonly profile?: boolean;
}

/** Where the session puts things. */
export interface Placement {
  readonly stateAddress: (state: State) => number;
  readonly reserveArena: (bytes: number) => number;
}

export interface CompiledModule {
  readonly bytes: Uint8Array;
  readonly outputs: readonly { readonly address: number; readonly shape: Shape; readonly dtype: DType }[];
  readonly arena: { readonly address: number; readonly bytes: number };
  readonly kernels: readonly LoweredKernel[];
  readonly plan: MemoryPlan;
}

export function compileModule(program: Program, options: TargetOptions, placement: Placement): CompiledModule {
  const fused = fuse(simplify(program, passObserver()));
  const kernels = lower(fused);
  const persistent = new Map([...fused.stateBuffers].map(([state, buffer]) => [buffer, state]));
  const outputs = fused.program.outputs.map((node) => ({ node, buffer: bufferOf(fused, node) }));
  const plan = planMemory(kernels, new Set(persistent.keys()), new Set(outputs.map(({ buffer }) => buffer)));
  const arena = placement.reserveArena(plan.bytes);
  const address = (buffer: Buffer): number => {
    const state = persistent.get(buffer);
    if (state !== undefined) return placement.stateAddress(state);
    const offset = plan.offsets.get(buffer);
    if (offset === undefined) throw new RangeError(`${buffer.name} has no place in memory`);
    return arena + offset;
  };
  return {
    bytes: encode(kernels, options, address),
    outputs: outputs.map(({ node, buffer }) => ({ address: address(buffer), shape: node.shape, dtype: node.dtype })),
    arena: { address: arena, bytes: plan.bytes },
    kernels,
    plan,
  };
}

/** TORTE_DEBUG=passes prints the program after each pass. */
function passObserver(): ((name: string, program: Program) => void) | undefined {
  if (!debugs("passes")) return undefined;
  return (name, program) => {
    console.error(`--- ${name}\n${print(program)}\n`);
  };
}

/** Whether TORTE_DEBUG, a list, has the word. */
export function debugs(word: string): boolean {
  const value = typeof process === "object" ? process.env["TORTE_DEBUG"] : undefined;
  return value?.split(",").includes(word) ?? false;
}

function bufferOf(fused: FusedProgram, node: FusedProgram["program"]["outputs"][number]): Buffer {
  const buffer = fused.storage.get(node);
  if (buffer === undefined) throw new RangeError("an output is not kept in memory");
  return buffer;
}

function encode(
  kernels: readonly LoweredKernel[],
  options: TargetOptions,
  address: (buffer: Buffer) => number,
): Uint8Array {
  const module = new WasmModule(options);
  const math = new MathLibrary(module);
  const functions = kernels.map((kernel) => {
    const code = emitKernel(kernel, { fma: options.fma, address, math });
    return { index: module.add([I32, I32], [], code), rounds: splitLoop(kernel)?.variable.extent ?? 1 };
  });
  const run = new Code(1);
  run.get(0).if().loop();
  for (const { index, rounds } of functions) run.i32(0).i32(rounds).call(index);
  run.get(0).i32(1).op(OP.i32Sub).tee(0).branchIf(0).op(OP.end).op(OP.end);
  module.add([I32], [], run, "run");
  if (options.profile === true) {
    for (const [i, { index, rounds }] of functions.entries())
      module.add([], [], new Code(0).i32(0).i32(rounds).call(index), `k${i}`);
  }
  return module.encode();
}
