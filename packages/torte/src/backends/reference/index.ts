/** The reference backend: interprets programs in float64. */
import { DataError } from "../../errors.js";
import { type Node, type Program, roots, type State, topological } from "../../graph/node.js";
import { verify } from "../../graph/verify.js";
import type { TypedArray } from "../../tensor/dtype.js";
import { sizeOf } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import type { Backend, Executable, RunOptions, Session, Write } from "../backend.js";
import { emptyValues, type Value } from "./arrays.js";
import { evaluateNode } from "./evaluate.js";

/** Computes the nodes; arrays are dropped after their last reader. */
export function evaluate(nodes: readonly Node[], states: ReadonlyMap<State, Value>): Value[] {
  const values = new Map<Node, Value>();
  const readers = new Map<Node, number>();
  const order = topological(nodes);
  for (const node of [...order.flatMap((n) => n.inputs), ...nodes]) readers.set(node, (readers.get(node) ?? 0) + 1);
  for (const node of order) {
    const inputs = node.inputs.map((x) => values.get(x)).filter((x) => x !== undefined);
    values.set(node, { shape: node.shape, data: evaluateNode(node, inputs, states) });
    for (const x of node.inputs) {
      const left = (readers.get(x) ?? 0) - 1;
      readers.set(x, left);
      if (left === 0) values.delete(x);
    }
  }
  return nodes.map((node) => values.get(node) ?? { shape: node.shape, data: new Float64Array(0) });
}

export function createReferenceBackend(): Backend {
  return { name: "reference", createSession: () => new ReferenceSession() };
}

/** Requests are carried out in the order in which they are made, as in the engine: a run lets others in between its steps. */
class ReferenceSession implements Session {
  readonly #states = new Map<State, Value>();
  readonly #snapshots = new Map<string, ReadonlyMap<State, Value>>();
  #last: Promise<unknown> = Promise.resolve();

  #inOrder<T>(task: () => T | Promise<T>): Promise<T> {
    const result = this.#last.then(task);
    this.#last = result.catch(() => undefined);
    return result;
  }

  allocate(states: readonly State[]): Promise<void> {
    return this.#inOrder(() => {
      for (const state of states) {
        if (!this.#states.has(state))
          this.#states.set(state, { shape: state.shape, data: emptyValues(state.dtype, sizeOf(state.shape)) });
      }
    });
  }

  release(states: readonly State[]): Promise<void> {
    return this.#inOrder(() => {
      for (const state of states) this.#states.delete(state);
    });
  }

  write(state: State, value: Tensor, from = 0): Promise<void> {
    // A copy, as the caller may change the value before its turn comes.
    const data = value.data.slice();
    return this.#inOrder(() => {
      this.#write(state, data, from);
    });
  }

  async writeAll(writes: readonly Write[]): Promise<void> {
    await Promise.all(writes.map(({ state, value, from }) => this.write(state, value, from)));
  }

  #write(state: State, values: TypedArray, from = 0): void {
    const size = sizeOf(state.shape);
    if (from + values.length > size) {
      const [expected, received] = [`at most ${size - from}`, String(values.length)];
      throw new DataError({ where: state.name, problem: "wrong number of values", expected, received });
    }
    const whole = values.length === size;
    const data = (whole ? undefined : this.#states.get(state)?.data.slice()) ?? emptyValues(state.dtype, size);
    data.set(values, from);
    this.#states.set(state, { shape: state.shape, data });
  }

  read(state: State): Promise<Tensor> {
    return this.#inOrder(() => {
      const value = this.#states.get(state);
      if (value === undefined) throw new RangeError(`state ${state.name} is not allocated`);
      return toTensor(value.data.slice(), state.shape);
    });
  }

  firstNotFinite(states: readonly State[]): Promise<State | undefined> {
    return this.#inOrder(() =>
      states.find((state) => this.#states.get(state)?.data.some((value) => !Number.isFinite(value)) === true),
    );
  }

  compile(program: Program): Promise<Executable> {
    verify(program);
    return Promise.resolve({ program });
  }

  unload(): Promise<void> {
    return Promise.resolve();
  }

  run({ program }: Executable, { steps = 1, writes = [] }: RunOptions = {}): Promise<Tensor[]> {
    const written = writes.map(({ state, value, from }) => ({ state, data: value.data.slice(), from }));
    return this.#inOrder(() => {
      for (const { state, data, from } of written) this.#write(state, data, from);
      return this.#run(program, steps);
    });
  }

  async #run(program: Program, steps: number): Promise<Tensor[]> {
    const runs: Value[][] = [];
    const all = roots(program);
    for (let step = 0; step < steps; step++) {
      const values = evaluate(all, this.#states);
      runs.push(values.slice(0, program.outputs.length));
      program.updates.forEach(({ state }, i) => {
        const value = values[program.outputs.length + i];
        if (value !== undefined) this.#states.set(state, value);
      });
      // Lets timers and signals through between slow steps.
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
    return program.outputs.map((node, k) => {
      const data = emptyValues(node.dtype, steps * sizeOf(node.shape));
      runs.forEach((values, step) => data.set(values[k]?.data ?? [], step * sizeOf(node.shape)));
      return toTensor(data, [steps, ...node.shape]);
    });
  }

  snapshot(name: string, states: readonly State[]): Promise<void> {
    return this.#inOrder(() => {
      const copies = new Map<State, Value>();
      for (const state of states) {
        const value = this.#states.get(state);
        if (value !== undefined) copies.set(state, { shape: value.shape, data: value.data.slice() });
      }
      this.#snapshots.set(name, copies);
    });
  }

  restore(name: string): Promise<void> {
    return this.#inOrder(() => {
      for (const [state, { shape, data }] of this.#snapshots.get(name) ?? [])
        this.#states.set(state, { shape, data: data.slice() });
    });
  }

  readCopy(name: string, state: State): Promise<Tensor> {
    return this.#inOrder(() => {
      const value = this.#snapshots.get(name)?.get(state);
      if (value === undefined) throw new RangeError(`${name} is no copy of ${state.name}`);
      return toTensor(value.data.slice(), state.shape);
    });
  }

  forget(name: string): Promise<void> {
    return this.#inOrder(() => void this.#snapshots.delete(name));
  }

  close(): Promise<void> {
    return this.#inOrder(() => {
      this.#states.clear();
      this.#snapshots.clear();
    });
  }
}

function toTensor(data: TypedArray, shape: readonly number[]): Tensor {
  if (data instanceof Float64Array) return new Tensor(data, shape, "float64");
  return new Tensor(data, shape, data instanceof Int32Array ? "int32" : "bool");
}
