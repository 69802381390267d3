/** What sessions know of a compiled program, whatever its code is. */
import type { MemoryPlan } from "../compile/schedule/memory.js";
import type { Program, State } from "../graph/node.js";
import type { DType } from "../tensor/dtype.js";
import type { Shape } from "../tensor/shape.js";
import type { BackendName } from "./backend.js";
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
  /** Temporaries, and counters of chunks. */
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
  /** How many there are to run the program together. */
  readonly threads: number;
  /** Whether kernels are to be measured one by one. */
  readonly profile: boolean;
}

/** Makes code of programs for one target. */
export interface CodeGenerator {
  readonly name: BackendName;
  generate(program: Program, options: GenerateOptions, placement: Placement): Promise<Generated>;
}

export interface Generated {
  readonly loadable: Loadable;
  /**
   * Makes faster code for the same threads, which gives the same bits; undefined where there is none to be had. It is asked for
   * once, of a program that has run for long enough to be worth it.
   */
  readonly improve?: (placement: Placement) => Promise<Loadable | undefined>;
}
