/**
 * What TORTE_DEBUG asks for: a list of the words passes, loops, memory and profile, which print to standard error, and bounds, with
 * which native code checks every place that it reads or writes.
 */
import type { Program } from "../graph/node.js";
import { environment } from "../host.js";
import { Part } from "../parts.js";
import type { print } from "../graph/print.js";
import type { LoweredKernel } from "./loops/loops.js";
import type { printKernel } from "./loops/print.js";

/** Programs and loops as text. */
export const PRINTING = new Part<{ readonly print: typeof print; readonly printKernel: typeof printKernel }>(
  "torte/tools",
);

/** Whether TORTE_DEBUG has the word. */
export function debugs(word: "passes" | "loops" | "memory" | "profile" | "bounds"): boolean {
  return environment("TORTE_DEBUG")?.split(",").includes(word) ?? false;
}

/** Prints the program as it is after each pass. */
export function passObserver(): ((name: string, program: Program) => void) | undefined {
  if (!debugs("passes")) return undefined;
  const { print } = PRINTING.need("TORTE_DEBUG", "passes");
  return (name, program) => {
    console.error(`--- ${name}\n${print(program)}\n`);
  };
}

/** Prints the loops of a kernel. */
export function printLoops(kernel: LoweredKernel): void {
  if (debugs("loops")) console.error(`${PRINTING.need("TORTE_DEBUG", "loops").printKernel(kernel)}\n`);
}
