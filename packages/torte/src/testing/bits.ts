/** Runs a program as WebAssembly and as code of this machine, and compares every output and state bit by bit. */
import { expect } from "vitest";
import type { Backend } from "../backends/backend.js";
import { NATIVE } from "../backends/native/backend.js";
import { createEngineBackend, createWasmBackend } from "../backends/wasm/session.js";
import { type Program, roots, type State, topological } from "../graph/node.js";
import { print } from "../graph/print.js";
import type { Tensor } from "../tensor/tensor.js";

export const PRECISIONS = ["fast", "reproducible"] as const;

export interface BitOptions {
  readonly steps?: number;
  readonly precision: "fast" | "reproducible";
  readonly threads: number;
}

async function resultsOf(backend: Backend, program: Program, data: ReadonlyMap<State, Tensor>, steps: number) {
  const read = topological(roots(program)).flatMap((node) => (node.op === "state" ? [node.attributes.state] : []));
  const states = [...new Set([...data.keys(), ...read, ...program.updates.map(({ state }) => state)])];
  const session = backend.createSession();
  try {
    await session.allocate(states);
    for (const [state, value] of data) await session.write(state, value);
    const outputs = await session.run(await session.compile(program), { steps });
    const after = await Promise.all(states.map((state) => session.read(state)));
    const name = (i: number): string => `output ${i}, ${program.outputs[i]?.op ?? ""}`;
    return [
      ...outputs.map((value, i) => ({ name: name(i), value })),
      ...states.map((state, i) => ({ name: state.name, value: after[i] })),
    ];
  } finally {
    await session.close();
  }
}

/** @throws where a bit differs; every NaN is like every other. */
export async function expectSameBits(
  program: Program,
  data: ReadonlyMap<State, Tensor>,
  { steps = 1, ...options }: BitOptions,
): Promise<void> {
  const [wasm, native] = await Promise.all([
    resultsOf(createWasmBackend(options), program, data, steps),
    resultsOf(createEngineBackend(NATIVE, options), program, data, steps),
  ]);
  for (const [i, { name, value }] of wasm.entries()) {
    const other = native[i]?.value?.data;
    const at = value?.data.findIndex((x: number, k: number) => !Object.is(x, other?.[k]));
    if (at !== undefined && at >= 0)
      expect.fail(
        `${name}[${at}]: ${String(value?.data[at])} as WebAssembly, ${String(other?.[at])} natively\n${print(program)}`,
      );
  }
}
