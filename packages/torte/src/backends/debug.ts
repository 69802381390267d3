/** What reports on compiled programs say of a kernel. */
import type { Buffer } from "../compile/loops/expr.js";
import type { KernelSummary, Statement } from "../compile/loops/loops.js";

/** A kernel as `profile` shows it. */
export interface MeasuredKernel {
  readonly name: string;
  readonly origin: string;
  /** Floating-point operations of its products. */
  readonly flops: number;
  /** What it has to move if it reads and writes each of its arrays once. */
  readonly bytes: number;
}

/** Multiplications and additions of products, in floating-point operations. */
export function flopsOf(body: readonly Statement[]): number {
  return body.reduce((sum, statement) => {
    if (statement.op === "loop") return sum + statement.variable.extent * flopsOf(statement.body);
    return statement.op === "accumulate" && statement.accumulator.kind === "product"
      ? sum + 2 * statement.lane.extent
      : sum;
  }, 0);
}

/** Bytes that a kernel has to move if it reads and writes each of its arrays once. */
export function bytesOf({ reads, writes }: KernelSummary): number {
  const size = (buffers: ReadonlySet<Buffer>): number => [...buffers].reduce((sum, buffer) => sum + 4 * buffer.size, 0);
  return size(reads) + size(writes);
}
