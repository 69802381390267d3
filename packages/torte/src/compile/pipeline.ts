/**
 * The compiler's pipeline, all of it and in order: passes over the graph before and after differentiation, then stages that
 * turn the graph into plain data, which a backend only has to encode.
 *
 *   trace ─ BEFORE_GRADIENT ─ autodiff ─ AFTER_GRADIENT ─ fuse ─ lower ─ memory ─ threads ─ encode
 */
import type { Node, Program, State } from "../graph/node.js";
import { verifying } from "../graph/verify.js";
import { atOnce } from "../turns.js";
import { passObserver, printLoops } from "./debug.js";
import { fusing, type FusedProgram } from "./fusion/fuse.js";
import type { Buffer } from "./loops/expr.js";
import { iterationsOf, type KernelSummary, type LoweredKernel } from "./loops/loops.js";
import type { LoweringTarget } from "./lower/target.js";
import { lowerEach } from "./lower/lower.js";
import { eliminateCommonSubexpressions } from "./rewrite/common-subexpressions.js";
import { premultiplyTables } from "./rewrite/embedding-product.js";
import { foldToWindows } from "./rewrite/fold-to-windows.js";
import { sinkClamp } from "./rewrite/max-before-relu.js";
import { layOutOperands } from "./rewrite/operand-layout.js";
import { splitReductions } from "./rewrite/split-reductions.js";
import { fastConvolutions } from "./rewrite/winograd.js";
import { type MemoryPlan, planningMemory } from "./schedule/memory.js";
import {
  type Assignment,
  costOf,
  type ScheduledKernel,
  scheduleThreads,
  type Span,
  threadsFor,
} from "./schedule/threads.js";

/** From program to program, keeping what it computes, in steps. */
export interface Pass {
  readonly name: string;
  readonly run: (program: Program) => Generator<undefined, Program>;
}

/** Of what a model computes, before its derivative is taken: the derivative then gains from them as well. */
export const BEFORE_GRADIENT: readonly Pass[] = [
  { name: "premultiply tables", run: premultiplyTables },
  { name: "sink clamps", run: sinkClamp },
  { name: "fast convolutions", run: fastConvolutions },
];

/** Of the whole step. */
export const AFTER_GRADIENT: readonly Pass[] = [
  { name: "common subexpressions", run: eliminateCommonSubexpressions },
  { name: "fold to windows", run: foldToWindows },
  { name: "fast convolutions", run: fastConvolutions },
  { name: "split reductions", run: splitReductions },
  { name: "operand layout", run: layOutOperands },
  { name: "common subexpressions again", run: eliminateCommonSubexpressions },
];

export type Observe = (name: string, program: Program) => void;

/** The passes in order, the program verified after each; `observe` sees it before the first and after each. */
export const runPasses = (program: Program, passes: readonly Pass[], observe?: Observe): Program =>
  atOnce(passEach(program, passes, observe));

function* passEach(program: Program, passes: readonly Pass[], observe?: Observe): Generator<undefined, Program> {
  observe?.("traced", program);
  const verified = new Set<Node>();
  let current = program;
  for (const pass of passes) {
    current = yield* pass.run(current);
    yield;
    yield* verifying(current, verified);
    observe?.(pass.name, current);
    yield;
  }
  return current;
}

/** Nodes made ready for differentiation: what stands in for each. */
export const beforeGradient = (nodes: readonly Node[]): readonly Node[] => atOnce(beforeGradientEach(nodes));

/** The same, in steps. */
export function* beforeGradientEach(
  nodes: readonly Node[],
  { exactConvolutions }: Pick<Program, "exactConvolutions"> = {},
): Generator<undefined, readonly Node[]> {
  const program: Program = { name: "forward", outputs: nodes, updates: [], exactConvolutions };
  return (yield* passEach(program, BEFORE_GRADIENT, passObserver())).outputs;
}

export interface Target extends LoweringTarget {
  /** How many threads there are to run the program together. */
  readonly threads: number;
  /** All of them take part, be the program as short as it may. */
  readonly all?: boolean;
}

/** A program as data: its kernels in order, where their arrays lie, and who runs what. */
export interface Compilation<K extends KernelSummary> {
  /** What the outputs are stored in. */
  readonly outputs: readonly { readonly node: Node; readonly buffer: Buffer }[];
  readonly states: ReadonlyMap<Buffer, State>;
  readonly kernels: readonly K[];
  readonly memory: MemoryPlan;
  /** How many threads have to run it together. */
  readonly threads: number;
  readonly assignments: readonly Assignment[];
  /** Vector operations of a step, roughly. */
  readonly cost: number;
}

/** The passes after differentiation, and fusion: what targets have in common. */
export const fuseProgram = (program: Program): FusedProgram => atOnce(fuseEach(program));

/** The same, pass by pass. */
export function* fuseEach(program: Program): Generator<undefined, FusedProgram> {
  const ready = yield* passEach(program, AFTER_GRADIENT, passObserver());
  return yield* fusing(ready);
}

/**
 * The stages after fusion, kernel by kernel. `encode` makes of each kernel's loops what the backend keeps of them: the loops
 * of one kernel become code before those of the next are made, since most of a compilation's memory is theirs.
 */
export function* compileEach<K extends KernelSummary>(
  fused: FusedProgram,
  target: Target,
  encode: (kernel: LoweredKernel) => K,
): Generator<undefined, Compilation<K & ScheduledKernel>> {
  const kernels = yield* lowerEach(fused, target, (kernel) => {
    printLoops(kernel);
    return { ...encode(kernel), iterations: iterationsOf(kernel.body), cost: costOf(kernel.body) };
  });
  const cost = kernels.reduce((sum, kernel) => sum + kernel.cost, 0);
  const threads = target.all === true ? target.threads : threadsFor(cost, target.threads);
  const states = new Map([...fused.stateBuffers].map(([state, buffer]) => [buffer, state]));
  const outputs = fused.program.outputs.map((node) => ({ node, buffer: bufferOf(fused, node) }));
  const kept = new Set(outputs.map(({ buffer }) => buffer));
  const memory = yield* planningMemory(kernels, new Set(states.keys()), kept, threads);
  yield;
  const assignments = scheduleThreads(kernels, spans(memory, [...states.keys()]), threads);
  return { outputs, states, kernels, memory, threads, assignments, cost };
}

/** Where arrays lie relative to each other: temporaries in the arena, each state apart from everything else. */
function spans({ offsets }: MemoryPlan, states: readonly Buffer[]): (buffer: Buffer) => Span {
  const starts = new Map<Buffer, number>();
  let below = 0;
  for (const buffer of states) starts.set(buffer, (below -= 4 * Math.max(1, buffer.size)));
  return (buffer) => {
    const from = starts.get(buffer) ?? offsets.get(buffer);
    if (from === undefined) throw new RangeError(`${buffer.name} has no place in memory`);
    return { from, to: from + 4 * buffer.size };
  };
}

function bufferOf({ storage }: FusedProgram, output: Node): Buffer {
  const buffer = storage.get(output);
  if (buffer === undefined) throw new RangeError("an output is not kept in memory");
  return buffer;
}
