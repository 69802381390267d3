/** Reports on compiled programs: the arena (`TORTE_DEBUG=memory`) and the time of each kernel (`profile`). */
import type { MemoryPlan } from "../compile/schedule/memory.js";
import type { MeasuredKernel } from "./debug.js";

const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;

/** The arena: its size against what is alive at once at the least, and where each array lies for how long. */
export function memoryReport(name: string, plan: MemoryPlan, stateBytes: number): string {
  const ratio = plan.lowerBound === 0 ? 1 : plan.bytes / plan.lowerBound;
  const head = `memory of ${name}: arena ${kib(plan.bytes)}, lower bound ${kib(plan.lowerBound)} (${ratio.toFixed(2)} times), states ${kib(stateBytes)}`;
  const rows = [...plan.spans]
    .sort((a, b) => b.bytes - a.bytes)
    .map(
      ({ buffer, bytes, at, from, to }) =>
        `${kib(bytes).padStart(14)}  at ${String(at).padStart(10)}  kernels ${from}–${to}  ${buffer.name}`,
    );
  return [head, ...rows].join("\n");
}

/** Time per kernel of one step, the longest first. */
export function profileReport(
  name: string,
  { kernels, threads }: { readonly kernels: readonly MeasuredKernel[]; readonly threads: number },
  milliseconds: readonly number[],
  steps: number,
): string {
  const total = milliseconds.reduce((sum, ms) => sum + ms, 0);
  const rows = kernels
    .map((kernel, i) => ({ kernel, us: ((milliseconds[i] ?? 0) / steps) * 1000 }))
    .sort((a, b) => b.us - a.us)
    .map(({ kernel, us }) => {
      const seconds = us / 1e6;
      const cells = [
        us.toFixed(1).padStart(9),
        `${((us * steps) / 10 / total).toFixed(1)} %`.padStart(8),
        (kernel.flops / seconds / 1e9).toFixed(1).padStart(9),
        (kernel.bytes / seconds / 1e9).toFixed(1).padStart(7),
      ];
      return `${cells.join("")}  ${kernel.origin === "" ? "–" : kernel.origin}: ${kernel.name}`;
    });
  const head = `profile of ${name}, ${threads === 1 ? "one thread" : `${threads} threads`}: ${(total / steps).toFixed(3)} ms a step over ${steps} steps`;
  return [head, "       µs   share  GFLOP/s   GB/s  kernel", ...rows].join("\n");
}
