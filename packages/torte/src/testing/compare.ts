/** Runs a program on both backends and compares every output and state. */
import { expect } from "vitest";
import { createReferenceBackend } from "../backends/reference/index.js";
import { createWasmBackend } from "../backends/wasm/session.js";
import { type Node, type Program, roots, State, topological } from "../graph/node.js";
import { read } from "../graph/make.js";
import { mixKey, normalAt, uniformAt } from "../tensor/random.js";
import type { DType } from "../tensor/dtype.js";
import { type Shape, sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";

/** Makes states with seeded random contents and remembers them. */
export class Cases {
  readonly data = new Map<State, Tensor>();
  #count = 0;

  constructor(readonly seed: number) {}

  float(shape: Shape, scale = 1): Node {
    const key = mixKey(this.seed, this.#count, 0);
    return this.#state(
      "float32",
      shape,
      Float32Array.from({ length: sizeOf(shape) }, (_, i) => scale * normalAt(key, i)),
    );
  }

  int(shape: Shape, below: number): Node {
    const key = mixKey(this.seed, this.#count, 1);
    return this.#state(
      "int32",
      shape,
      Int32Array.from({ length: sizeOf(shape) }, (_, i) => Math.floor(below * uniformAt(key, i))),
    );
  }

  bool(shape: Shape): Node {
    const key = mixKey(this.seed, this.#count, 2);
    return this.#state(
      "bool",
      shape,
      Uint8Array.from({ length: sizeOf(shape) }, (_, i) => Number(uniformAt(key, i) < 0.5)),
    );
  }

  of(values: readonly number[]): Node {
    return this.#state("float32", [values.length], Float32Array.from(values));
  }

  #state(dtype: DType, shape: Shape, data: Tensor["data"]): Node {
    const state = new State(`s${this.#count++}`, shape, dtype);
    this.data.set(state, new Tensor(data, shape, dtype));
    return read(state);
  }
}

export const stateOf = (node: Node): State => {
  if (node.op !== "state") throw new RangeError("not a state");
  return node.attributes.state;
};

export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

export interface CompareOptions {
  readonly steps?: number;
  readonly tolerance?: Tolerance;
  readonly precision?: "fast" | "reproducible";
  readonly threads?: number;
}

export async function compareBackends(
  program: Program,
  data: ReadonlyMap<State, Tensor>,
  { steps = 1, tolerance = { relative: 2e-5, absolute: 1e-5 }, precision = "fast", threads = 2 }: CompareOptions = {},
): Promise<void> {
  const states = [...new Set([...data.keys(), ...statesIn(program)])];
  const results = await Promise.all(
    [createReferenceBackend(), createWasmBackend({ precision, threads })].map(async (backend) => {
      const session = backend.createSession();
      await session.allocate(states);
      for (const [state, value] of data) await session.write(state, value);
      const executable = await session.compile(program);
      const outputs = await session.run(executable, { steps });
      const after = new Map<State, Tensor>();
      for (const state of states) after.set(state, await session.read(state));
      await session.close();
      return { outputs, after };
    }),
  );
  const [expected, actual] = results;
  if (expected === undefined || actual === undefined) throw new RangeError("two backends");
  expected.outputs.forEach((output, i) => expectClose(actual.outputs[i], output, `output ${i}`, tolerance));
  for (const state of states) expectClose(actual.after.get(state), expected.after.get(state), state.name, tolerance);
}

function statesIn(program: Program): State[] {
  const read = topological(roots(program)).flatMap((node) => (node.op === "state" ? [node.attributes.state] : []));
  return [...new Set([...read, ...program.updates.map(({ state }) => state)])];
}

export function expectClose(
  actual: Tensor | undefined,
  expected: Tensor | undefined,
  what: string,
  { relative, absolute }: Tolerance,
): void {
  if (actual === undefined || expected === undefined) throw new RangeError(`${what} is missing`);
  expect(actual.shape, what).toEqual(expected.shape);
  let worst: string | undefined;
  let most = 0;
  expected.data.forEach((exact, i) => {
    const value = expected.dtype === "float64" ? Math.fround(exact) : exact;
    const got = actual.data[i] ?? NaN;
    if (Object.is(got, value) || got === value || (Number.isNaN(value) && Number.isNaN(got))) return;
    const excess = Math.abs(got - value) / (absolute + relative * Math.abs(value));
    if (!(excess <= Math.max(1, most))) {
      most = excess;
      worst = `${what}[${i}]: expected ${value}, received ${got}`;
    }
  });
  if (worst !== undefined) expect.fail(worst);
}
