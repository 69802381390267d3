/** Kernels become loop nests, each kind in a file of its own. */
import { type Buffer, type Expr, visitExpr } from "../loops/expr.js";
import type { FusedProgram } from "../fusion/fuse.js";
import type { KernelSummary, LoweredKernel, Statement } from "../loops/loops.js";
import { lowerElementwise } from "./elementwise.js";
import { lowerGemm } from "./gemm.js";
import { KernelContext } from "./kernel.js";
import { KernelCache } from "./kernel-cache.js";
import { lowerReduction } from "./reduce.js";
import { lowerScatter } from "./scatter.js";
import { atOnce } from "../../turns.js";
import type { LoweringTarget } from "./target.js";
import { lowerLinearMap } from "./transform.js";

/**
 * What `finish` makes of each kernel's loops; it keeps as little of them as it can, since they take much memory. Whoever has something
 * else to do does it between two steps.
 */
export function* lowerEach<K extends KernelSummary>(
  fused: FusedProgram,
  target: LoweringTarget,
  finish: (lowered: LoweredKernel) => K,
): Generator<undefined, K[]> {
  const cache = new KernelCache<K>(fused);
  const kernels: K[] = [];
  for (const kernel of fused.kernels) {
    const made = function* (): Generator<undefined, K> {
      const lowered = lowerKernel(new KernelContext(fused, kernel, target));
      yield;
      return finish(lowered);
    };
    kernels.push(yield* cache.getOrLower(kernel, made));
    yield;
  }
  return kernels;
}

/** As `lowerEach`, at once. */
export const lower = <K extends KernelSummary>(
  fused: FusedProgram,
  target: LoweringTarget,
  finish: (lowered: LoweredKernel) => K,
): K[] => atOnce(lowerEach(fused, target, finish));

function lowerKernel(context: KernelContext): LoweredKernel {
  const body = bodyOf(context);
  const reads = new Set<Buffer>();
  const writes = new Set<Buffer>();
  collectBuffers(body, reads, writes);
  const name = [...new Set(context.kernel.nodes.map((node) => node.op))].join("+");
  return { name, origin: context.primary.origin, body, reads, writes };
}

function bodyOf(context: KernelContext): readonly Statement[] {
  switch (context.kernel.kind) {
    case "map":
      return lowerElementwise(context);
    case "reduce":
      return lowerReduction(context);
    case "contract":
      return lowerGemm(context);
    case "linearMap":
      return lowerLinearMap(context);
    case "scatter":
      return lowerScatter(context);
  }
}

function collectBuffers(
  body: readonly Statement[],
  reads: Set<Buffer>,
  writes: Set<Buffer>,
  seen = new Set<Expr>(),
): void {
  const visit = (expr: Expr): void => {
    if (expr.op === "load") reads.add(expr.buffer);
  };
  const read = (value: Expr): void => visitExpr(value, visit, seen);
  for (const statement of body) {
    if (statement.op === "loop") collectBuffers(statement.body, reads, writes, seen);
    else if (statement.op === "accumulate") statement.values.forEach(read);
    else if (statement.op === "restore") reads.add(statement.buffer);
    else if (statement.op === "store" || statement.op === "addTo") {
      writes.add(statement.buffer);
      read(statement.value);
      for (const { atom } of statement.index.terms) if (atom.kind === "dynamic") read(atom.value);
    }
  }
}
