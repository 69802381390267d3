/** The functions that call kernels: `run` for whole steps, and one for each kernel where they are measured. */
import type { Assignment } from "../../compile/schedule/threads.js";
import { addBarrier } from "./barrier.js";
import { Code, I32, OP, type WasmModule } from "./encoder.js";
import { WorkStealing } from "./work-stealing.js";

export interface Calls {
  /** The kernels' functions, each with the number of its rounds that threads can share. */
  readonly functions: readonly { readonly index: number; readonly iterations: number }[];
  readonly plan: readonly Assignment[];
  readonly threads: number;
  /** Where threads count their chunks. */
  readonly counters: number;
}

/** Parameters of `run`. */
const STEPS = 0;
const THREAD = 1;

export class StepFunctions {
  readonly #module: WasmModule;
  readonly #calls: Calls;
  readonly #barrier: number | undefined;
  readonly #stealing: WorkStealing | undefined;

  constructor(module: WasmModule, calls: Calls) {
    const { threads, plan, counters } = calls;
    this.#module = module;
    this.#calls = calls;
    this.#barrier = threads > 1 ? addBarrier(module, threads) : undefined;
    const counts = plan.map(({ chunks }) => (chunks > 1 ? chunks : 0));
    this.#stealing = counts.some((count) => count > 0)
      ? new WorkStealing(module, { threads, counts, address: counters })
      : undefined;
  }

  /** Exports a function of steps and thread. With `pause` the caller copies outputs between steps. */
  addRun(pause: boolean, name = "run"): void {
    const code = new Code(2);
    code.get(STEPS).if();
    this.#stealing?.refill(code, THREAD);
    if (!pause && this.#stealing !== undefined) this.#callBarrier(code);
    code.loop();
    // Where the caller copies outputs between steps, the others wait for it before they overwrite them.
    if (pause) this.#callBarrier(code);
    for (const assignment of this.#calls.plan) {
      if (assignment.barrier) this.#callBarrier(code);
      this.#call(code, THREAD, assignment);
    }
    // After the last meeting nobody writes anything: the memory may be somebody else's by then.
    this.#callBarrier(code);
    code.get(STEPS).i32(1).op(OP.i32Sub).tee(STEPS).if();
    this.#stealing?.refill(code, THREAD);
    code.branch(1).op(OP.end).op(OP.end).op(OP.end);
    this.#module.add([I32, I32], [], code, name);
  }

  /** Exports each kernel by its number, k0(thread), k1(thread), …; all threads meet at its end. */
  addKernels(): void {
    for (const assignment of this.#calls.plan) {
      const code = new Code(1);
      if (assignment.chunks > 1) {
        this.#stealing?.refill(code, 0, assignment.kernel);
        this.#callBarrier(code);
      }
      this.#call(code, 0, assignment);
      this.#callBarrier(code);
      this.#module.add([I32], [], code, `k${assignment.kernel}`);
    }
  }

  #callBarrier(code: Code): void {
    if (this.#barrier !== undefined) code.call(this.#barrier);
  }

  /** Lets the thread, whose number is in a local, do what it has to do of a kernel. */
  #call(code: Code, thread: number, { kernel, chunks }: Assignment): void {
    const target = this.#calls.functions[kernel];
    if (target === undefined) throw new RangeError(`no kernel ${kernel}`);
    const { threads } = this.#calls;
    if (chunks === 0) {
      if (threads > 1) code.get(thread).op(OP.i32Eqz).if();
      code.i32(0).i32(target.iterations).call(target.index);
      if (threads > 1) code.op(OP.end);
    } else if (chunks === 1) callChunk(code, target, thread, threads);
    else this.#stealing?.drain(code, thread, kernel, (chunk) => callChunk(code, target, chunk, threads * chunks));
  }
}

/** Calls a kernel for one of `chunks` chunks of its rounds, which are as equal as can be; `chunk` is the local with its number. */
function callChunk(code: Code, { index, iterations }: Calls["functions"][number], chunk: number, chunks: number): void {
  const [each, left] = [Math.floor(iterations / chunks), iterations % chunks];
  for (const next of [0, 1]) {
    const number = (): Code => (next === 0 ? code.get(chunk) : code.get(chunk).i32(1).op(OP.i32Add));
    number().i32(each).op(OP.i32Mul);
    if (left > 0) number().i32(left).op(OP.i32Mul).i32(chunks).op(OP.i32DivU).op(OP.i32Add);
  }
  code.call(index);
}
