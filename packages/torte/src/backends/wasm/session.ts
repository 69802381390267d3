/** A session of the compiled backend: the memory of one model, and the programs that run over it. */
import { DataError } from "../../errors.js";
import { type Program, roots, type State, topological } from "../../graph/node.js";
import { verify } from "../../graph/verify.js";
import { isNode } from "../../host.js";
import type { DType, TypedArray } from "../../tensor/dtype.js";
import { type Shape, sizeOf } from "../../tensor/shape.js";
import { Tensor } from "../../tensor/tensor.js";
import type { Backend, Executable, RunOptions, Session } from "../backend.js";
import { debugs, memoryReport, profileReport } from "./debug.js";
import { engine } from "./engine.js";
import { Heap } from "./heap.js";
import { type CompiledModule, compileModule } from "./module.js";

export const PAGE = 65536;
/** Four gigabytes, the most that 32-bit addresses reach. */
export const MAXIMUM_PAGES = 65536;

interface WasmExecutable extends Executable {
  readonly id: number;
  readonly module: CompiledModule;
  /** Steps that have been measured kernel by kernel, where TORTE_DEBUG asks for it; Infinity once that is printed. */
  profiled: number;
}

const WARM_UP = 20;

/** Vector operations of a run for which it is worth to wake other threads: some tenths of a millisecond. */
const WORTH_WAKING = 3_000_000;

let nextSession = 0;

export interface WasmOptions {
  /** "fast" uses relaxed fused multiply-add where the host has it; "reproducible" gives the same bits on every host. */
  readonly precision: "fast" | "reproducible";
  /** Threads that share the work; one where memory cannot be shared. */
  readonly threads: number;
}

export function createWasmBackend(options: WasmOptions = { precision: "fast", threads: 1 }): Backend {
  return { name: "wasm", createSession: () => new WasmSession(options) };
}

class WasmSession implements Session {
  readonly #id = nextSession++;
  readonly #heap = new Heap(PAGE);
  readonly #addresses = new Map<State, number>();
  readonly #executables = new Set<WasmExecutable>();
  readonly #options: WasmOptions;
  readonly #threads: number;
  #opened: Promise<unknown> | undefined;
  #nextProgram = 0;

  constructor(options: WasmOptions) {
    this.#options = options;
    this.#threads = canShareMemory() ? options.threads : alone(options.threads);
  }

  async #request(action: string, message: object = {}, transfer: ArrayBuffer[] = []): Promise<unknown> {
    const memory = { pages: 1, maximum: MAXIMUM_PAGES, threads: this.#threads };
    this.#opened ??= engine.request("open", { ...memory, session: this.#id });
    await this.#opened;
    return engine.request(action, { ...message, session: this.#id }, transfer);
  }

  async allocate(states: readonly State[]): Promise<void> {
    const cleared = states
      .filter((state) => !this.#addresses.has(state))
      .map((state) => {
        const bytes = 4 * sizeOf(state.shape);
        const address = this.#heap.allocate(bytes);
        this.#addresses.set(state, address);
        return { address, bytes };
      });
    if (cleared.length === 0) return;
    // On their way before anybody else can write there.
    await Promise.all([
      this.#request("reserve", { bytes: this.#heap.end }),
      ...cleared.map((region) => this.#request("clear", region)),
    ]);
  }

  async release(states: readonly State[]): Promise<void> {
    const gone = new Set(states.map((state) => this.#addresses.get(state)));
    for (const executable of [...this.#executables]) {
      const uses = [...executable.program.updates.map(({ state }) => state), ...statesOf(executable)];
      if (!uses.some((state) => gone.has(this.#addresses.get(state)))) continue;
      this.#executables.delete(executable);
      this.#heap.free(executable.module.arena.address);
      this.#heap.free(executable.module.constants.address);
      await this.#request("unload", { program: executable.id });
    }
    for (const state of states) {
      const address = this.#addresses.get(state);
      if (address !== undefined) this.#heap.free(address);
      this.#addresses.delete(state);
    }
  }

  async write(state: State, value: Tensor): Promise<void> {
    const written = this.#written(state, value);
    await this.#request("write", written, [written.data]);
  }

  /** The bytes of a value, and where they go. */
  #written(state: State, value: Tensor): { address: number; data: ArrayBuffer } {
    const { data: values } = value;
    if (values.length > sizeOf(state.shape)) {
      throw new DataError({
        where: state.name,
        problem: "wrong number of values",
        expected: `at most ${sizeOf(state.shape)}`,
        received: String(values.length),
      });
    }
    const data = new ArrayBuffer(4 * values.length);
    toMemory(state.dtype, values, data, 0);
    return { address: this.#address(state), data };
  }

  async read(state: State): Promise<Tensor> {
    const bytes = 4 * sizeOf(state.shape);
    const buffer = await this.#request("read", { address: this.#address(state), bytes });
    return fromMemory(state.dtype, asBuffer(buffer), state.shape);
  }

  #address(state: State): number {
    const address = this.#addresses.get(state);
    if (address === undefined) throw new RangeError(`state ${state.name} is not allocated`);
    return address;
  }

  async compile(program: Program): Promise<Executable> {
    verify(program);
    const profile = debugs("profile");
    const module = compileModule(
      program,
      {
        shared: this.#threads > 1,
        threads: this.#threads,
        maximumPages: MAXIMUM_PAGES,
        fma: this.#options.precision === "fast" && hasRelaxedSimd(),
        profile,
      },
      {
        lowest: PAGE,
        stateAddress: (state) => this.#address(state),
        reserve: (bytes) => this.#heap.allocate(bytes),
      },
    );
    await this.#request("reserve", { bytes: this.#heap.end });
    if (debugs("memory")) {
      const stateBytes = [...this.#addresses.keys()].reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
      console.error(memoryReport(program.name, module.plan, stateBytes));
    }
    const executable: WasmExecutable = { program, id: this.#nextProgram++, module, profiled: 0 };
    const kernels = profile ? module.kernels.length : 0;
    const { address, words } = module.constants;
    const writes = [{ address, data: words.buffer }];
    await this.#request("load", { program: executable.id, code: module.bytes, kernels, writes });
    this.#executables.add(executable);
    return executable;
  }

  async run(executable: Executable, { steps = 1, writes = [] }: RunOptions = {}): Promise<Tensor[]> {
    const known = [...this.#executables].find((candidate) => candidate === executable);
    if (known === undefined) throw new RangeError(`program ${executable.program.name} does not belong to this session`);
    const { outputs } = known.module;
    const regions = outputs.map(({ address, shape }) => ({ address, bytes: 4 * sizeOf(shape) }));
    const threads = threadsFor(known.module, steps);
    const written = writes.map(({ state, value }) => this.#written(state, value));
    const results = await this.#request(
      "run",
      { program: known.id, steps, threads, outputs: regions, writes: written },
      written.map(({ data }) => data),
    );
    if (!Array.isArray(results)) throw new RangeError("the engine returns a list of outputs");
    if (debugs("profile")) await this.#profile(known, steps);
    return outputs.map(({ dtype, shape }, i) => fromMemory(dtype, asBuffer(results[i]), [steps, ...shape]));
  }

  /** Prints once where the time of a step goes, after the first steps, in which the host still compiles. */
  async #profile(executable: WasmExecutable, steps: number): Promise<void> {
    const { id, module, program } = executable;
    if (executable.profiled === Infinity) return;
    const times = await this.#request("profile", { program: id });
    // Another run may have been on its way at the same time.
    const { profiled } = executable;
    executable.profiled += steps;
    if (profiled < WARM_UP || profiled === Infinity || !(times instanceof Float64Array)) return;
    executable.profiled = Infinity;
    console.error(profileReport(program.name, module, [...times], steps));
  }

  async snapshot(name: string, states: readonly State[]): Promise<void> {
    const regions = states.map((state) => ({ address: this.#address(state), bytes: 4 * sizeOf(state.shape) }));
    await this.#request("snapshot", { name, regions });
  }

  async restore(name: string): Promise<void> {
    await this.#request("restore", { name });
  }

  async close(): Promise<void> {
    if (this.#opened !== undefined) await this.#request("close");
  }
}

/** As many as the module is for, or one; kernels are measured by all together. */
const threadsFor = ({ threads, work }: CompiledModule, steps: number): number =>
  work * steps < WORTH_WAKING && !debugs("profile") ? 1 : threads;

function statesOf(executable: WasmExecutable): State[] {
  const found: State[] = [];
  for (const node of topological(roots(executable.program))) if (node.op === "state") found.push(node.attributes.state);
  return found;
}

function asBuffer(value: unknown): ArrayBuffer {
  if (!(value instanceof ArrayBuffer)) throw new RangeError("the engine returns a buffer");
  return value;
}

/** Writes values as they lie in the engine's memory: 32 bits each, true as −1. */
export function toMemory(dtype: DType, values: TypedArray, buffer: ArrayBuffer, address: number): void {
  if (dtype === "float32") new Float32Array(buffer, address, values.length).set(values);
  else {
    const words = new Int32Array(buffer, address, values.length);
    if (dtype === "int32") words.set(values);
    else for (let i = 0; i < values.length; i++) words[i] = -Number(values[i] !== 0);
  }
}

export function fromMemory(dtype: DType, buffer: ArrayBuffer, shape: Shape): Tensor {
  if (dtype === "float32") return new Tensor(new Float32Array(buffer), shape, dtype);
  const words = new Int32Array(buffer);
  return new Tensor(dtype === "int32" ? words : Uint8Array.from(words, (word) => Number(word !== 0)), shape, dtype);
}

let warned = false;

/** One thread, said once. */
function alone(wanted: number): 1 {
  if (wanted > 1 && !warned) {
    warned = true;
    console.warn(
      "torte runs on one thread: this page may not share memory. Serve it with the headers " +
        "Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.",
    );
  }
  return 1;
}

/** Browsers share memory only with pages that are isolated from others. */
export const canShareMemory = (): boolean =>
  typeof SharedArrayBuffer === "function" &&
  (isNode() || (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true);

let relaxed: boolean | undefined;

/** Whether the host knows relaxed fused multiply-add. */
export function hasRelaxedSimd(): boolean {
  relaxed ??= WebAssembly.validate(
    // (func (result v128) i32.const 0, i32x4.splat ×3, f32x4.relaxed_madd)
    new Uint8Array([
      0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 19, 1, 17, 0, 65, 0, 253, 17, 65, 0, 253, 17,
      65, 0, 253, 17, 253, 133, 2, 11,
    ]),
  );
  return relaxed;
}
