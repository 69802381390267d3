/** What sessions know of a compiled program, whatever its code is. */
import type { MemoryPlan } from "../compile/schedule/memory.js";
import type { Program, State } from "../graph/node.js";
import type { DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import type { MeasuredKernel } from "./debug.js";

/** Where the session puts things. */
export interface Placement {
  /** No array lies below this address. */
  readonly lowest: number;
  readonly stateAddress: (state: State) => number;
  readonly reserve: (bytes: number) => number;
}

export interface CompiledProgram {
  readonly outputs: readonly { readonly address: number; readonly shape: Shape; readonly dtype: DType }[];
  readonly arena: { readonly address: number; readonly bytes: number };
  /** How many have to run it together; a program that is over in microseconds is left to one. */
  readonly threads: number;
  /** Vector operations of a step, roughly. */
  readonly work: number;
  readonly kernels: readonly MeasuredKernel[];
  readonly plan: MemoryPlan;
}

/** A library of this machine's code, and where its arrays lie. */
export interface NativeCode {
  readonly path: string;
  readonly places: Uint32Array<ArrayBuffer>;
}

/** A program and its code, as the engine loads it. */
export interface Loadable extends CompiledProgram {
  /** A WebAssembly module, or a library. */
  readonly code: Uint8Array | NativeCode;
  /** Words that have to lie in memory before the program runs. */
  readonly constants?: { readonly address: number; readonly words: Int32Array<ArrayBuffer> };
}

export interface GenerateOptions {
  readonly precision: "fast" | "reproducible";
  /** How many run the program together. */
  readonly threads: number;
  /** Whether kernels are to be measured one by one. */
  readonly profile: boolean;
}

/** Makes code of programs for one target. */
export interface CodeGenerator {
  readonly name: "wasm" | "native";
  generate(program: Program, options: GenerateOptions, placement: Placement): Promise<Loadable>;
}
