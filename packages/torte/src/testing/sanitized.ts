/** Runs a program's C with AddressSanitizer and UndefinedBehaviorSanitizer: a place outside of an array, or of memory that holds nothing, ends it. */
import { findCompiler } from "../backends/native/compiler.js";
import { hasFma, nativeTarget } from "../backends/native/targets.js";
import type { Program, State } from "../graph/node.js";
import type { Tensor } from "../tensor/tensor.js";
import { type InC, runInC } from "./in-c.js";

const FLAGS = ["-O1", "-g1", "-std=gnu11", "-ffp-contract=off", "-fno-strict-aliasing", "-w"];
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** The sanitizers' words where they find something; undefined where all is well. */
export async function faultOf(
  program: Program,
  data: ReadonlyMap<State, Tensor>,
  options: Pick<InC, "steps" | "missing"> = {},
): Promise<string | undefined> {
  const compiler = await findCompiler();
  if ("reason" in compiler) throw new Error(compiler.reason);
  const { command, options: own, macros } = compiler;
  return runInC(program, data, {
    ...options,
    target: nativeTarget(macros, hasFma(macros)),
    compiler: [command, ...own, ...FLAGS, ...SANITIZERS],
    env: { ASAN_OPTIONS: "detect_stack_use_after_return=0" },
  }).fault;
}
