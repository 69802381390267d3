/** A session of the compiled backend: the memory of one model, and the programs that run over it. */
import { DataError, TrainingError } from "../../errors.js";
import { type Program, roots, type State, topological } from "../../graph/node.js";
import { verifying } from "../../graph/verify.js";
import { isNode } from "../../host.js";
import { sizeOf } from "../../tensor/shape.js";
import { isHostObject } from "../../tensor/realm.js";
import type { Tensor } from "../../tensor/tensor.js";
import { inTurns, turnIfDue } from "../../turns.js";
import type { Backend, Executable, RunOptions, Session, Write } from "../backend.js";
import { debugs } from "../../compile/debug.js";
import { fuseEach } from "../../compile/pipeline.js";
import type { CodeGenerator, Generated, GenerateOptions, Loadable, Placement } from "../compiled-program.js";
import { BARRIER } from "../coordination.js";
import { type Engine, engine, type Request } from "./engine.js";
import { AtHand, FEW_BYTES, type RunAtHand } from "./at-hand.js";
import { FINITE_STEP, finiteModule } from "./finite.js";
import { Heap } from "./heap.js";
import { type MemoryNeed, outOfMemory, programNeed, statesNeed } from "./memory-need.js";
import { asBuffer, bytesOf, fromMemory, toMemory } from "./memory-values.js";
import { encodeEach, type TargetOptions } from "./module.js";

export const PAGE = 65536;
/** Four gigabytes, the most that 32-bit addresses reach. */
export const MAXIMUM_PAGES = 65536;

interface EngineExecutable extends Executable {
  readonly id: number;
  /** Its code at present. */
  module: Loadable;
  /** Better code, while nobody has asked for it. */
  improve: Generated["improve"];
  /** Milliseconds of its runs. */
  spent: number;
  readonly states: ReadonlySet<State>;
  /** Kernels that are measured, none where TORTE_DEBUG does not ask for it. */
  readonly kernels: number;
  /** The one that has loaded it. */
  engine: Engine | undefined;
  /** Steps that have been measured kernel by kernel; Infinity once that is printed. */
  profiled: number;
  readonly atHand: AtHand;
}

/** A copy of states, in memory that outlives the engine where memory can be shared. */
interface Snapshot {
  readonly states: readonly State[];
  readonly regions: readonly Region[];
  readonly copy: SharedArrayBuffer | undefined;
  /** All of it has been copied. */
  whole: boolean;
}

/** Bytes, and where they go. */
interface Written {
  readonly address: number;
  readonly data: Uint8Array;
}

interface Region {
  readonly address: number;
  readonly bytes: number;
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

/** What WebAssembly modules are made for here. */
export const moduleTarget = ({ precision, threads, profile }: GenerateOptions): TargetOptions => {
  const fma = precision === "fast" && hasRelaxedSimd();
  return { shared: canShareMemory(), threads, maximumPages: MAXIMUM_PAGES, fma, profile };
};

/** Encodes programs as WebAssembly modules. */
const WASM: CodeGenerator = {
  name: "wasm",
  generate: async (program, options, placement) => {
    const fused = await inTurns(fuseEach(program));
    return { loadable: await inTurns(encodeEach(fused, moduleTarget(options), placement)) };
  },
};

/** Milliseconds that a program has run for when better code is asked for: what has run so long mostly runs on. */
const WORTH_IMPROVING = 1000;

export const createWasmBackend = (options: WasmOptions = { precision: "fast", threads: 1 }): Backend =>
  createEngineBackend(WASM, options);

/** A backend whose programs run in the engine, over WebAssembly's memory. */
export const createEngineBackend = (generator: CodeGenerator, options: WasmOptions): Backend => ({
  name: generator.name,
  createSession: () => new EngineSession(generator, options),
});

class EngineSession implements Session {
  readonly #id = nextSession++;
  readonly #heap = new Heap(PAGE);
  readonly #addresses = new Map<State, number>();
  readonly #executables = new Set<EngineExecutable>();
  readonly #snapshots = new Map<string, Snapshot>();
  readonly #generator: CodeGenerator;
  readonly #options: WasmOptions;
  readonly #threads: number;
  /** Where threads can share it: it is still there when the engine is lost, and the next one goes on with it. */
  #memory: WebAssembly.Memory | undefined;
  #engine: Engine | undefined;
  #opened: Promise<unknown> | undefined;
  /** The memory is the engine's alone, and has something in it. */
  #elsewhere = false;
  #closed = false;
  #nextProgram = 0;
  /** Requests without an answer. */
  #owed = 0;

  constructor(generator: CodeGenerator, options: WasmOptions) {
    this.#generator = generator;
    this.#options = options;
    this.#threads = canShareMemory() ? options.threads : alone(options.threads);
  }

  async #request(
    action: string,
    { message = {}, ...request }: Request = {},
    program?: EngineExecutable,
  ): Promise<unknown> {
    this.#owed++;
    try {
      const now = await this.#connect();
      if (program !== undefined && program.engine !== now) this.#load(now, program).catch(() => undefined);
      return await now.request(action, { ...request, message: { ...message, session: this.#id } });
    } finally {
      this.#owed--;
    }
  }

  /** The memory, while no other thread may touch it and all of it can be seen from this one. */
  #quiet(): WebAssembly.Memory | undefined {
    const memory = this.#memory;
    if (memory === undefined || this.#owed > 0 || this.#closed || this.#engine?.lost !== false) return undefined;
    return memory.buffer.byteLength < this.#heap.end ? undefined : memory;
  }

  /** The engine, which has this session. */
  async #connect(): Promise<Engine> {
    if (this.#closed) throw new TrainingError({ where: "engine", problem: `no session ${this.#id}` });
    const now = engine();
    if (this.#engine !== now) {
      if (this.#elsewhere) throw memoryIsLost();
      this.#engine = now;
      this.#opened = this.#open(now).catch((error: unknown) => {
        if (this.#engine === now) this.#engine = undefined;
        throw error;
      });
    }
    await this.#opened;
    return now;
  }

  async #open(now: Engine): Promise<void> {
    await now.help(this.#threads - 1);
    const pages = { initial: 1, maximum: MAXIMUM_PAGES };
    if (canShareMemory()) {
      this.#memory ??= new WebAssembly.Memory({ ...pages, shared: true });
      now.watch(this.#memory);
    }
    const snapshots = [...this.#snapshots]
      .filter(([, { whole }]) => whole)
      .map(([name, { regions, copy }]) => [name, { regions, copy }]);
    const message = { session: this.#id, memory: this.#memory, pages: 1, maximum: MAXIMUM_PAGES, snapshots };
    await now.request("open", { message: { ...message, threads: this.#threads, barrier: BARRIER } });
    this.#elsewhere = this.#memory === undefined;
    unreachable.unregister(this);
    unreachable.register(this, { engine: now, session: this.#id }, this);
  }

  async allocate(states: readonly State[]): Promise<void> {
    const added = [...new Set(states)].filter((state) => !this.#addresses.has(state));
    if (added.length === 0) return;
    for (const state of added) this.#addresses.set(state, this.#heap.allocate(4 * sizeOf(state.shape)));
    const regions = this.#regions(added);
    try {
      // Cleared before anybody else can write there.
      await Promise.all([this.#reserve(statesNeed(added)), this.#request("clear", { message: { regions } })]);
    } catch (error) {
      this.#free(added);
      throw error;
    }
  }

  /** Sees to it that there is as much memory as the heap has given away. */
  async #reserve(need: MemoryNeed): Promise<void> {
    this.#checkSize(need);
    const there = await this.#request("reserve", { message: { bytes: this.#heap.end } });
    if (there === false) throw outOfMemory(need, this.#heap.taken - need.bytes, "no more than this machine has left");
  }

  #checkSize(need: MemoryNeed): void {
    if (this.#heap.end <= PAGE * MAXIMUM_PAGES) return;
    throw outOfMemory(need, this.#heap.taken - need.bytes, "at most 4 GiB, all that WebAssembly can address");
  }

  async release(states: readonly State[]): Promise<void> {
    const gone = new Set(states);
    const users = [...this.#executables].filter((executable) => states.some((state) => executable.states.has(state)));
    this.#free([...gone]);
    await Promise.all(users.map((executable) => this.unload(executable)));
  }

  #free(states: readonly State[]): void {
    for (const state of states) {
      const address = this.#addresses.get(state);
      if (address !== undefined) this.#heap.free(address);
      this.#addresses.delete(state);
    }
  }

  async unload(executable: Executable): Promise<void> {
    const known = [...this.#executables].find((candidate) => candidate === executable);
    if (known === undefined) return;
    this.#executables.delete(known);
    const { arena, constants } = known.module;
    this.#heap.free(arena.address);
    if (constants !== undefined) this.#heap.free(constants.address);
    await this.#tell("unload", { program: known.id });
  }

  /** What an engine that is lost need not hear. */
  async #tell(action: string, message: object): Promise<void> {
    const now = this.#engine;
    if (now?.lost !== false || this.#closed) return;
    await this.#request(action, { message }).catch((error: unknown) => {
      if (!now.lost) throw error;
    });
  }

  write(state: State, value: Tensor, from = 0): Promise<void> {
    return this.writeAll([{ state, value, from }]);
  }

  async writeAll(writes: readonly Write[]): Promise<void> {
    if (writes.length === 0) return;
    const written = writes.map((write) => this.#written(write));
    await this.#request("write", { message: { writes: written }, transfer: written.flatMap(transferable) });
  }

  /** The bytes of a value, and where they go. */
  #written({ state, value, from = 0, stays = false }: Write): Written {
    const { data: values } = value;
    if (from + values.length > sizeOf(state.shape)) {
      throw new DataError({
        where: state.name,
        problem: "wrong number of values",
        expected: `at most ${sizeOf(state.shape) - from}`,
        received: String(values.length),
      });
    }
    const address = this.#address(state) + 4 * from;
    const { buffer, byteOffset, byteLength } = values;
    if (stays && value.dtype === state.dtype && state.dtype !== "bool" && isHostObject(buffer, "SharedArrayBuffer"))
      return { address, data: new Uint8Array(buffer, byteOffset, byteLength) };
    const data = new ArrayBuffer(4 * values.length);
    toMemory(state.dtype, values, data, 0);
    return { address, data: new Uint8Array(data) };
  }

  async read(state: State): Promise<Tensor> {
    const [address, bytes] = [this.#address(state), 4 * sizeOf(state.shape)];
    const quiet = bytes <= FEW_BYTES ? this.#quiet() : undefined;
    const buffer =
      quiet === undefined
        ? asBuffer(await this.#request("read", { message: { address, bytes } }))
        : bytesOf(quiet.buffer, address, bytes);
    if (quiet !== undefined) await turnIfDue();
    return fromMemory(state.dtype, buffer, state.shape);
  }

  async firstNotFinite(states: readonly State[]): Promise<State | undefined> {
    const numbers = states.filter(({ dtype }) => dtype === "float32");
    const code = finiteModule({ shared: canShareMemory(), maximumPages: MAXIMUM_PAGES });
    const message = { regions: this.#regions(numbers), check: { code, step: FINITE_STEP } };
    const found = await this.#request("findNotFinite", { message });
    return numbers[Number(found)];
  }

  #regions(states: readonly State[]): Region[] {
    return states.map((state) => ({ address: this.#address(state), bytes: 4 * sizeOf(state.shape) }));
  }

  #address(state: State): number {
    const address = this.#addresses.get(state);
    if (address === undefined) throw new RangeError(`state ${state.name} is not allocated`);
    return address;
  }

  async compile(program: Program): Promise<Executable> {
    await inTurns(verifying(program));
    const reserved: number[] = [];
    const id = this.#nextProgram++;
    try {
      const executable = await this.#compiled(program, id, reserved);
      const { arena } = executable.module;
      await this.#reserve(programNeed(program, arena.bytes));
      await this.#load(await this.#connect(), executable);
      this.#executables.add(executable);
      return executable;
    } catch (error) {
      for (const address of reserved) this.#heap.free(address);
      // Helpers may have it.
      await this.#tell("unload", { program: id });
      throw error;
    }
  }

  /** What it takes of the heap is added to `reserved`. */
  async #compiled(program: Program, id: number, reserved: number[]): Promise<EngineExecutable> {
    const profile = debugs("profile");
    const options = { precision: this.#options.precision, threads: this.#threads, profile };
    const { loadable: module, improve } = await this.#generator.generate(
      program,
      options,
      this.#placement((bytes) => {
        const address = this.#heap.allocate(bytes);
        reserved.push(address);
        // No code can be made for addresses that do not exist.
        this.#checkSize(programNeed(program, bytes));
        return address;
      }),
    );
    if (debugs("memory")) {
      const { memoryReport } = await import("../reports.js");
      console.error(memoryReport(program.name, module.plan, this.#stateBytes()));
    }
    const kernels = profile ? module.kernels.length : 0;
    const executable = { program, id, module, improve, states: statesOf(program), kernels };
    return { ...executable, spent: 0, engine: undefined, profiled: 0, atHand: new AtHand() };
  }

  #placement(reserve: Placement["reserve"]): Placement {
    return { lowest: PAGE, stateAddress: (state) => this.#address(state), reserve };
  }

  /** Changes a program over to better code, between two of its runs. What it writes on the way lies where it did. */
  async #improve(executable: EngineExecutable, improve: NonNullable<Generated["improve"]>): Promise<void> {
    const { id, program, kernels } = executable;
    const before = executable.module;
    const added: number[] = [];
    const reserve = (bytes: number): number => {
      if (bytes <= before.arena.bytes) return before.arena.address;
      const address = this.#heap.allocate(bytes);
      added.push(address);
      this.#checkSize(programNeed(program, bytes));
      return address;
    };
    try {
      const better = await improve(this.#placement(reserve));
      if (better === undefined || !this.#executables.has(executable)) throw new RangeError("nothing to change over to");
      if (added.length > 0) await this.#reserve(programNeed(program, better.arena.bytes));
      const message = { program: id, code: better.code, outputs: regionsOf(better), kernels };
      await this.#request("replace", { message, where: whereOf(program) });
      if (!this.#executables.has(executable)) throw new RangeError("the program was given back meanwhile");
      executable.module = better;
      if (before.constants !== undefined) this.#heap.free(before.constants.address);
      if (added.length > 0) this.#heap.free(before.arena.address);
    } catch (error) {
      for (const address of added) this.#heap.free(address);
      throw error;
    }
  }

  #stateBytes(): number {
    return [...this.#addresses.keys()].reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  }

  async #load(now: Engine, executable: EngineExecutable): Promise<void> {
    const { program, id, module, kernels } = executable;
    const { code, constants } = module;
    const { address = 0, words } = constants ?? {};
    const writes = words === undefined ? [] : [{ address, data: new Uint8Array(words.buffer) }];
    executable.engine = now;
    const message = { session: this.#id, program: id, code, kernels, writes, outputs: regionsOf(module) };
    try {
      await now.request("load", { message, where: whereOf(program) });
    } catch (error) {
      executable.engine = undefined;
      throw error;
    }
  }

  async run(executable: Executable, { steps = 1, writes = [] }: RunOptions = {}): Promise<Tensor[]> {
    const known = [...this.#executables].find((candidate) => candidate === executable);
    if (known === undefined) throw new RangeError(`program ${executable.program.name} does not belong to this session`);
    const { outputs } = known.module;
    const wanted = { steps, writes: writes.map((write) => this.#written(write)), outputs: regionsOf(known.module) };
    const started = performance.now();
    const atHand = this.#atHand(known, wanted);
    const results = atHand ?? (await this.#byMessage(known, wanted));
    this.#count(known, performance.now() - started);
    if (!Array.isArray(results)) throw new RangeError("the engine returns a list of outputs");
    // A message would have let others have their turn.
    if (atHand !== undefined) await turnIfDue();
    if (known.kernels > 0) await this.#profile(known, steps);
    return outputs.map(({ dtype, shape }, i) => fromMemory(dtype, asBuffer(results[i]), [steps, ...shape]));
  }

  /** Through the engine, after all that was asked of it before. */
  #byMessage(known: EngineExecutable, { steps, writes }: RunAtHand): Promise<unknown> {
    const threads = threadsFor(known.module, steps);
    const message = { program: known.id, steps, threads, writes };
    const transfer = writes.flatMap(transferable);
    return this.#request("run", { message, transfer, where: whereOf(known.program) }, known);
  }

  /** In this thread, where that is shorter than a message, and nothing that was asked of the engine is under way. */
  #atHand({ atHand, kernels, module, program }: EngineExecutable, run: RunAtHand): ArrayBuffer[] | undefined {
    const memory = kernels > 0 ? undefined : this.#quiet();
    try {
      return memory === undefined ? undefined : atHand.run(module, memory, run);
    } catch (error) {
      throw new TrainingError({ where: whereOf(program), problem: messageOf(error) });
    }
  }

  /** Counts a run; the first one after long enough asks for better code. What keeps that away changes nothing. */
  #count(executable: EngineExecutable, milliseconds: number): void {
    executable.spent += milliseconds;
    const { improve, spent } = executable;
    if (improve === undefined || spent < WORTH_IMPROVING || this.#closed) return;
    executable.improve = undefined;
    this.#improve(executable, improve).catch(() => undefined);
  }

  /** Prints once where the time of a step goes, after the first steps, in which the host still compiles. */
  async #profile(executable: EngineExecutable, steps: number): Promise<void> {
    const { id, module, program } = executable;
    if (executable.profiled === Infinity) return;
    const times = await this.#request("profile", { message: { program: id } });
    // Another run may have been on its way at the same time.
    const { profiled } = executable;
    executable.profiled += steps;
    if (profiled < WARM_UP || profiled === Infinity || !(times instanceof Float64Array)) return;
    executable.profiled = Infinity;
    const { profileReport } = await import("../reports.js");
    console.error(profileReport(program.name, module, [...times], steps));
  }

  async snapshot(name: string, states: readonly State[]): Promise<void> {
    const regions = this.#regions(states);
    const bytes = regions.reduce((sum, region) => sum + region.bytes, 0);
    const before = this.#snapshots.get(name)?.copy;
    const fresh = (): SharedArrayBuffer | undefined => (canShareMemory() ? new SharedArrayBuffer(bytes) : undefined);
    const copy = before?.byteLength === bytes ? before : fresh();
    const snapshot = { states, regions, copy, whole: false };
    this.#snapshots.set(name, snapshot);
    await this.#request("snapshot", { message: { name, regions, bytes, copy } });
    snapshot.whole = true;
  }

  async restore(name: string): Promise<void> {
    await this.#request("restore", { message: { name } });
  }

  async readCopy(name: string, state: State): Promise<Tensor> {
    const { states = [], regions = [], copy } = this.#snapshots.get(name) ?? {};
    const at = states.indexOf(state);
    if (at < 0) throw new RangeError(`${name} is no copy of ${state.name}`);
    const from = regions.slice(0, at).reduce((sum, { bytes }) => sum + bytes, 0);
    const bytes = 4 * sizeOf(state.shape);
    const buffer =
      copy === undefined
        ? asBuffer(await this.#request("readCopy", { message: { name, from, bytes } }))
        : bytesOf(copy, from, bytes);
    return fromMemory(state.dtype, buffer, state.shape);
  }

  async forget(name: string): Promise<void> {
    if (this.#snapshots.delete(name)) await this.#tell("forget", { name });
  }

  async close(): Promise<void> {
    const closing = this.#tell("close", {});
    unreachable.unregister(this);
    this.#closed = true;
    this.#memory = undefined;
    this.#snapshots.clear();
    await closing;
  }
}

/** Closes sessions that nobody can use any more, as their models are forgotten. */
const unreachable = new FinalizationRegistry<{ engine: Engine; session: number }>((held) => {
  if (!held.engine.lost) held.engine.request("close", { message: { session: held.session } }).catch(() => undefined);
});

/** Memory that is shared stays where it is. */
const transferable = ({ data: { buffer } }: Written): ArrayBuffer[] =>
  isHostObject(buffer, "ArrayBuffer") ? [buffer] : [];

const regionsOf = ({ outputs }: Loadable): Region[] =>
  outputs.map(({ address, shape }) => ({ address, bytes: 4 * sizeOf(shape) }));

/** As many as the module is for, or one; kernels are measured by all together. */
const threadsFor = ({ threads, work }: Loadable, steps: number): number =>
  work * steps < WORTH_WAKING && !debugs("profile") ? 1 : threads;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** For errors. */
const whereOf = ({ name }: Program): string => `engine, ${name}`;

function statesOf(program: Program): Set<State> {
  const found = new Set(program.updates.map(({ state }) => state));
  for (const node of topological(roots(program))) if (node.op === "state") found.add(node.attributes.state);
  return found;
}

const memoryIsLost = (): TrainingError =>
  new TrainingError({
    where: "engine",
    problem: "the engine was lost, and with it the model's memory: its weights are gone",
    fix: "Build the model again, and load its weights from where they were saved. Pages that are cross-origin isolated keep them.",
  });

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

/** Whether the host knows relaxed multiply-add, and rounds once in it: JavaScriptCore rounds the product, too. */
export const hasRelaxedSimd = (): boolean => (relaxed ??= fusesMultiplyAdd());

/** (1 + 2⁻¹²)² − (1 + 2⁻¹¹) is 2⁻²⁴, or 0 where the product is rounded. */
function fusesMultiplyAdd(): boolean {
  // (func (export "f") (result f32) f32.const f32x4.splat, ×3, f32x4.relaxed_madd f32x4.extract_lane 0)
  const code = new Uint8Array([
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 125, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 31, 1, 29, 0, 67, 0, 8,
    128, 63, 253, 19, 67, 0, 8, 128, 63, 253, 19, 67, 0, 16, 128, 191, 253, 19, 253, 133, 2, 253, 31, 0, 11,
  ]);
  if (!WebAssembly.validate(code)) return false;
  const { f } = new WebAssembly.Instance(new WebAssembly.Module(code)).exports;
  return (f as () => number)() === 2 ** -24;
}
