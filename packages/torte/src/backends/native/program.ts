/**
 * A compiled program as one C file: a function for each kernel, and `run`, which calls them in order, as the WebAssembly target
 * does: the same barrier, the same counters of chunks. No address stands in it: where arrays lie comes with each call, so that
 * the same network is the same file whatever else there is.
 */
import type { Buffer } from "../../compile/loops/expr.js";
import { type KernelSummary, widthsUpTo } from "../../compile/loops/loops.js";
import type { FusedProgram } from "../../compile/fusion/fuse.js";
import type { State } from "../../graph/node.js";
import { compileEach } from "../../compile/pipeline.js";
import type { Assignment } from "../../compile/schedule/threads.js";
import type { CompiledProgram, Placement } from "../compiled-program.js";
import { counterBytes, counterStride } from "../coordination.js";
import { bytesOf, flopsOf, type MeasuredKernel } from "../debug.js";
import { emitKernel, type KernelCode } from "./emit.js";
import { NativeMath } from "./math.js";
import { prelude } from "./prelude.js";
import type { NativeTarget } from "./targets.js";
import { moduleText, threadsText } from "./module-text.js";

export interface NativeOptions {
  readonly target: NativeTarget;
  /** How many there are to run the program together. */
  readonly threads: number;
  /** All of them take part. */
  readonly all?: boolean;
  /** Every access is checked. */
  readonly checked: boolean;
}

interface EncodedKernel extends KernelSummary, MeasuredKernel {
  readonly code: KernelCode;
}

export interface NativeProgram extends CompiledProgram {
  readonly source: string;
  /** Where the arrays lie, in the order in which the source numbers them. */
  readonly places: Uint32Array<ArrayBuffer>;
  /** These arrays, in that order; of a state, which one. */
  readonly arrays: readonly { readonly bytes: number; readonly state: State | undefined }[];
}

/** Kernel by kernel. */
export function* compileNative(
  fused: FusedProgram,
  { target, checked, ...options }: NativeOptions,
  placement: Placement,
): Generator<undefined, NativeProgram> {
  const math = new NativeMath();
  const compilation = yield* compileEach(fused, { ...target, ...options }, (kernel): EncodedKernel => {
    const { body, ...summary } = kernel;
    const code = emitKernel(kernel, { fma: target.fma, math, checked });
    return { ...summary, code, flops: flopsOf(body), bytes: bytesOf(kernel) };
  });
  const { kernels, memory, threads, assignments, states, outputs, cost } = compilation;
  const arena = placement.reserve(memory.bytes + counterBytes(threads, kernels.length));
  const address = (buffer: Buffer): number => {
    const state = states.get(buffer);
    if (state !== undefined) return placement.stateAddress(state);
    const offset = memory.offsets.get(buffer);
    if (offset === undefined) throw new RangeError(`${buffer.name} has no place in memory`);
    return arena + offset;
  };
  const numbers = new Map<Buffer, number>();
  const numberOf = (buffer: Buffer): number => {
    const known = numbers.get(buffer) ?? numbers.size;
    numbers.set(buffer, known);
    return known;
  };
  const functions = new Map<KernelCode, string>();
  const calls = kernels.map(({ code, arrays, iterations }): Call => {
    const name = functions.get(code) ?? `k${functions.size}`;
    functions.set(code, name);
    const pointers = code.arrays.map((buffer) => {
      const type = buffer.dtype === "float32" ? "float" : "int";
      return `(${type} *)(M + P[${numberOf(arrays?.get(buffer) ?? buffer)}])`;
    });
    return { call: (from, to) => `${name}(${[...pointers, from, to].join(", ")});`, iterations };
  });
  const kernelTexts = [...functions].map(
    ([{ parameters, body }, name]) =>
      `KERNEL void ${name}(${[...parameters, "I from", "I to"].join(", ")}) {\n${body}\n}`,
  );
  const source = [
    prelude(widthsUpTo(target.width).reverse()),
    math.text(),
    ...kernelTexts,
    stepText({ calls, assignments, threads, counters: numbers.size, pause: outputs.length > 0 }),
    moduleText(),
  ].join("\n");
  return {
    source,
    places: Uint32Array.from([...[...numbers.keys()].map(address), arena + memory.bytes]),
    arrays: [...numbers.keys()].map((buffer) => ({ bytes: 4 * buffer.size, state: states.get(buffer) })),
    threads,
    work: cost,
    outputs: outputs.map(({ node, buffer }) => ({ address: address(buffer), shape: node.shape, dtype: node.dtype })),
    arena: { address: arena, bytes: memory.bytes + counterBytes(threads, kernels.length) },
    kernels: kernels.map(({ name, origin, flops, bytes }) => ({ name, origin, flops, bytes })),
    plan: memory,
  };
}

/** How a kernel is called for some of its rounds. */
interface Call {
  readonly call: (from: string, to: string) => string;
  readonly iterations: number;
}

interface Steps {
  readonly calls: readonly Call[];
  readonly assignments: readonly Assignment[];
  readonly threads: number;
  /** Which of the places is that of the counters. */
  readonly counters: number;
  /** The caller copies outputs between steps. */
  readonly pause: boolean;
}

/**
 * `run`: in `mode` 0 all threads together, in mode 1 one that has it all to do, in mode 2 + i kernel i, after which all meet.
 * It returns 1 where another thread has failed.
 */
function stepText({ calls, assignments, threads, counters, pause }: Steps): string {
  const functions = calls.map(
    ({ call }, i) => `static void c${i}(char *M, const unsigned *P, I from, I to) { ${call("from", "to")} }`,
  );
  const shared = (chunks: number): boolean => threads > 1 && chunks > 0;
  const invoke = ({ kernel, chunks }: Assignment): string => {
    const iterations = calls[kernel]?.iterations ?? 0;
    const part = (chunk: string, count: number): string =>
      `c${kernel}(M, P, ${chunk} * ${iterations}l / ${count}, (${chunk} + 1) * ${iterations}l / ${count});`;
    if (!shared(chunks)) return `${threads > 1 ? "if (thread == 0) " : ""}c${kernel}(M, P, 0, ${iterations});`;
    if (chunks === 1) return part("thread", threads);
    return `for (int chunk; (chunk = steal(M + P[${counters}], thread, ${kernel}, ${chunks})) >= 0;) ${part("chunk", threads * chunks)}`;
  };
  const counts = assignments.map(({ chunks }) => (shared(chunks) && chunks > 1 ? chunks : 0));
  const stealing = counts.some((count) => count > 0);
  const refill = stealing ? `refill(M + P[${counters}], thread, -1);` : "";
  const meet = threads > 1 ? "if (meet(M)) return 1;" : "";
  const together = `static int together(char *M, const unsigned *P, int steps, int thread) {
  if (steps <= 0) return 0;
  ${refill}
  ${!pause && stealing ? meet : ""}
  for (;;) {
    ${pause ? meet : ""}
${assignments.map((own) => `    ${own.barrier ? `${meet} ` : ""}${invoke(own)}`).join("\n")}
    ${meet}
    if (--steps == 0) return 0;
    ${refill}
  }
}`;
  const alone = `static int alone(char *M, const unsigned *P, int steps) {
  for (; steps > 0; steps--) {
${calls.map(({ iterations }, i) => `    c${i}(M, P, 0, ${iterations});`).join("\n")}
  }
  return 0;
}`;
  const single = `static int single(char *M, const unsigned *P, int kernel, int thread) {
  switch (kernel) {
${assignments.map((own, i) => `    case ${i}: ${(counts[i] ?? 0) > 0 ? `refill(M + P[${counters}], thread, ${i}); ${meet} ` : ""}${invoke(own)} ${meet} break;`).join("\n")}
  }
  return 0;
}`;
  const run = `static int run(char *M, const unsigned *P, int steps, int thread, int mode) {
  if (mode == 0) return together(M, P, steps, thread);
  return mode == 1 ? alone(M, P, steps) : single(M, P, mode - 2, thread);
}`;
  const coordination = threads > 1 ? [threadsText({ threads, counts, stride: counterStride(calls.length) })] : [];
  return [...coordination, ...functions, together, alone, single, run].join("\n");
}
