/**
 * The programs that a test runs, gathered into few: as many as go into one file of C, so that a compiler is started for some dozens
 * of them at a time.
 */
import { vi } from "vitest";
import type { Executable, RunOptions, Session } from "../backends/backend.js";
import { createWasmBackend } from "../backends/wasm/session.js";
import { type Node, type Program, roots, type State, topological } from "../graph/node.js";
import type { Tensor } from "../tensor/tensor.js";

/** A program, and what its states hold before it runs. */
export interface Run {
  readonly program: Program;
  readonly data: ReadonlyMap<State, Tensor>;
}

/** The first run of each program while `work` goes on, on WebAssembly. */
export async function recordRuns(work: () => Promise<void>): Promise<Run[]> {
  const recorded = new Map<Program, Promise<Run>>();
  const session = Object.getPrototypeOf(createWasmBackend().createSession()) as Session;
  // eslint-disable-next-line @typescript-eslint/unbound-method
  const { run } = session;
  const spy = vi.spyOn(session, "run");
  spy.mockImplementation(function (this: Session, executable: Executable, options?: RunOptions) {
    const { program } = executable;
    // Requests are answered in order: what is asked for now is read before the program runs.
    if (!recorded.has(program)) recorded.set(program, before(this, program, options));
    return run.call(this, executable, options);
  });
  try {
    await work();
    const runs = await Promise.allSettled(recorded.values());
    return runs.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  } finally {
    spy.mockRestore();
  }
}

async function before(session: Session, program: Program, { writes = [] }: RunOptions = {}): Promise<Run> {
  const read = topological(roots(program)).flatMap((node) => (node.op === "state" ? [node.attributes.state] : []));
  const states = [...new Set([...read, ...program.updates.map(({ state }) => state)])];
  const written = writes.map(({ state, value, from = 0 }) => ({ state, from, values: value.data.slice() }));
  const held = await Promise.all(states.map(async (state) => [state, await session.read(state)] as const));
  const data = new Map(held);
  for (const { state, from, values } of written) {
    const { data: before = [] } = data.get(state) ?? {};
    for (let i = 0; i < values.length; i++) before[from + i] = values[i] ?? 0;
  }
  return { program, data };
}

/** Programs of about so many nodes that stand for all of the runs; none updates a state twice. */
export function gathered(runs: readonly Run[], nodes: number): Run[] {
  interface Batch {
    readonly outputs: Node[];
    readonly updates: { state: State; value: Node }[];
    readonly data: Map<State, Tensor>;
    nodes: number;
  }
  const batches: Batch[] = [];
  for (const { program, data } of runs) {
    const own = new Set(program.updates.map(({ state }) => state));
    const fits = ({ nodes: taken, updates }: Batch): boolean =>
      taken < nodes && !updates.some(({ state }) => own.has(state));
    let batch = batches.find(fits);
    if (batch === undefined) batches.push((batch = { outputs: [], updates: [], data: new Map(), nodes: 0 }));
    batch.outputs.push(...program.outputs);
    batch.updates.push(...program.updates);
    for (const [state, value] of data) if (!batch.data.has(state)) batch.data.set(state, value);
    batch.nodes += topological(roots(program)).length;
  }
  return batches.map(({ outputs, updates, data }, i) => ({
    program: { name: `gathered ${i}`, outputs, updates },
    data,
  }));
}
