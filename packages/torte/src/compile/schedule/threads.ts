/**
 * Work for several threads. Every thread runs the whole list of kernels; of a large one all run chunks, a small one is run
 * by the first thread alone. Threads meet before a kernel that touches what another thread may not have finished.
 */
import { COST } from "../cost.js";
import type { Buffer, Expr } from "../loops/expr.js";
import type { KernelSummary, Statement } from "../loops/loops.js";

export interface Assignment {
  readonly kernel: number;
  /** Chunks that each thread has of the kernel at first; 0 of one that the first thread runs alone. */
  readonly chunks: number;
  /** All threads meet first. */
  readonly barrier: boolean;
}

/** Vector operations below which sharing costs more than it saves: about a microsecond. */
const MIN_SHARED_COST = 3000;
/** Least cost of a chunk: below it, taking it costs more than balance among the threads gains. */
const CHUNK_COST = 6000;
const MOST_CHUNKS = 16;

/** Cost of a step below which one thread does it all: some tens of microseconds. */
const WORTH_SHARING = 100_000;

/** How many of the threads are worth their meetings. */
export const threadsFor = (cost: number, threads: number): number => (cost < WORTH_SHARING ? 1 : threads);

/** A span of memory in bytes. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

interface Footprint {
  readonly reads: readonly Span[];
  readonly writes: readonly Span[];
}

/** A kernel and what it takes to run it. */
export interface ScheduledKernel extends KernelSummary {
  /** Rounds that threads can share. */
  readonly iterations: number;
  /** Vector operations, roughly. */
  readonly cost: number;
}

/** Vector operations of the statements, roughly. */
export function costOf(body: readonly Statement[]): number {
  return body.reduce((sum, statement) => {
    if (statement.op === "loop") return sum + statement.variable.extent * costOf(statement.body);
    if (statement.op === "store" || statement.op === "addTo") return sum + 2 + sizeOfExpr(statement.value);
    if (statement.op === "restore") return sum + 2;
    return statement.op === "accumulate"
      ? sum + 1 + statement.values.reduce((n, value) => n + sizeOfExpr(value), 0)
      : sum;
  }, 0);
}

const isLeaf = (expr: Expr): boolean => expr.operands.length === 0 && expr.op !== "random";

const sizeOfExpr = (expr: Expr): number => (isLeaf(expr) ? 1 : sizeBelow(expr, new Set()));

function sizeBelow(expr: Expr, seen: Set<Expr>): number {
  if (seen.has(expr)) return 0;
  seen.add(expr);
  const { operands } = expr;
  let size = expr.op === "apply" ? COST[expr.primitive] : expr.op === "random" ? COST.uniform : 1;
  for (let i = 0, operand = operands[0]; operand !== undefined; operand = operands[++i])
    size += isLeaf(operand) ? 1 : sizeBelow(operand, seen);
  return size;
}

const overlap = (a: readonly Span[], b: readonly Span[]): boolean =>
  a.some((x) => b.some((y) => x.from < y.to && y.from < x.to));

/** Who runs what, and where all must meet. */
export function scheduleThreads(
  kernels: readonly ScheduledKernel[],
  spanOf: (buffer: Buffer) => Span,
  threads: number,
): Assignment[] {
  let pending: { shared: boolean; footprint: Footprint }[] = [];
  return kernels.map(({ iterations, cost, reads, writes }, i) => {
    const chunks = chunksOf(iterations, cost, threads);
    const shared = chunks > 0;
    const own = { reads: [...reads].map(spanOf), writes: [...writes].map(spanOf) };
    const barrier =
      threads > 1 &&
      pending.some(
        (before) =>
          (shared || before.shared) &&
          (overlap(before.footprint.writes, [...own.reads, ...own.writes]) ||
            overlap(before.footprint.reads, own.writes)),
      );
    if (barrier) pending = [];
    pending.push({ shared, footprint: own });
    return { kernel: i, chunks, barrier };
  });
}

function chunksOf(iterations: number, cost: number, threads: number): number {
  if (threads === 1 || iterations === 1 || cost < MIN_SHARED_COST) return 0;
  return Math.max(1, Math.min(MOST_CHUNKS, Math.floor(iterations / threads), Math.floor(cost / threads / CHUNK_COST)));
}
