/** What is known of the processors that C is compiled for: how wide their vectors are, and how many registers they have. */
import { type LoweringTarget, registerTile } from "../../compile/lower/target.js";

export type InstructionSet = "AVX-512" | "AVX2" | "NEON" | "portable";

export interface Processor {
  readonly name: InstructionSet;
  /** Whether a processor with these macros of the compiler is one. */
  readonly matches: (macros: ReadonlySet<string>) => boolean;
  /** Lanes of its vectors. */
  readonly width: number;
  /** 12 rows × 2 vectors take 24 of 32 registers. */
  readonly rows: number | undefined;
}

/** The best first. */
const PROCESSORS: readonly Processor[] = [
  { name: "AVX-512", matches: (macros) => macros.has("__AVX512F__"), width: 16, rows: 12 },
  { name: "AVX2", matches: (macros) => macros.has("__AVX2__"), width: 8, rows: undefined },
  { name: "NEON", matches: (macros) => macros.has("__ARM_NEON"), width: 4, rows: 12 },
  { name: "portable", matches: () => true, width: 4, rows: undefined },
];

export interface NativeTarget extends LoweringTarget {
  readonly name: InstructionSet;
}

/** Of the macros that the compiler defines for this machine. `fma`: whether products are fused with their sums. */
export function nativeTarget(macros: ReadonlySet<string>, fma: boolean): NativeTarget {
  const { name, width, rows } = PROCESSORS.find(({ matches }) => matches(macros)) ?? PORTABLE;
  // A round of a tile is long as it is; more terms would only take the compiler longer.
  const tile = { ...registerTile(fma), unroll: 1 };
  return { name, fma, width, tile: rows === undefined ? tile : { ...tile, rows } };
}

const PORTABLE = { name: "portable", width: 4, rows: undefined } as const;

/** Whether the machine has a fused multiply-add, in vectors. */
export const hasFma = (macros: ReadonlySet<string>): boolean =>
  macros.has("__FMA__") || macros.has("__AVX512F__") || macros.has("__ARM_NEON");
