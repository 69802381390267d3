/** The functions that call kernels: `run` for whole steps, and one for each kernel where they are measured. */
import type { Assignment } from "../../compile/share-work.js";
import { addBarrier } from "./barrier.js";
import { Code, I32, OP, type WasmModule } from "./encoder.js";
import { Parts } from "./parts.js";

export interface Calls {
  /** The kernels' functions, each with the number of its rounds that threads can share. */
  readonly functions: readonly { readonly index: number; readonly units: number }[];
  readonly plan: readonly Assignment[];
  readonly threads: number;
  /** Where threads count their parts. */
  readonly counters: number;
}

/** Parameters of `run`. */
const STEPS = 0;
const THREAD = 1;

export class Runner {
  readonly #module: WasmModule;
  readonly #calls: Calls;
  readonly #barrier: number | undefined;
  readonly #parts: Parts | undefined;

  constructor(module: WasmModule, calls: Calls) {
    const { threads, plan, counters } = calls;
    this.#module = module;
    this.#calls = calls;
    this.#barrier = threads > 1 ? addBarrier(module, threads) : undefined;
    const counts = plan.map(({ parts }) => (parts > 1 ? parts : 0));
    this.#parts = counts.some((count) => count > 0)
      ? new Parts(module, { threads, counts, address: counters })
      : undefined;
  }

  /** Exports a function of steps and thread. With `pause` the caller copies outputs between steps. */
  addRun(pause: boolean, name = "run"): void {
    const code = new Code(2);
    code.get(STEPS).if();
    this.#parts?.deal(code, THREAD);
    if (!pause && this.#parts !== undefined) this.#meet(code);
    code.loop();
    // Where the caller copies outputs between steps, the others wait for it before they overwrite them.
    if (pause) this.#meet(code);
    for (const assignment of this.#calls.plan) {
      if (assignment.barrier) this.#meet(code);
      this.#call(code, THREAD, assignment);
    }
    // After the last meeting nobody writes anything: the memory may be somebody else's by then.
    this.#meet(code);
    code.get(STEPS).i32(1).op(OP.i32Sub).tee(STEPS).if();
    this.#parts?.deal(code, THREAD);
    code.branch(1).op(OP.end).op(OP.end).op(OP.end);
    this.#module.add([I32, I32], [], code, name);
  }

  /** Exports each kernel by its number, k0(thread), k1(thread), …; all threads meet at its end. */
  addKernels(): void {
    for (const assignment of this.#calls.plan) {
      const code = new Code(1);
      if (assignment.parts > 1) {
        this.#parts?.deal(code, 0, assignment.kernel);
        this.#meet(code);
      }
      this.#call(code, 0, assignment);
      this.#meet(code);
      this.#module.add([I32], [], code, `k${assignment.kernel}`);
    }
  }

  #meet(code: Code): void {
    if (this.#barrier !== undefined) code.call(this.#barrier);
  }

  /** Lets the thread, whose number is in a local, do what it has to do of a kernel. */
  #call(code: Code, thread: number, { kernel, parts }: Assignment): void {
    const target = this.#calls.functions[kernel];
    if (target === undefined) throw new RangeError(`no kernel ${kernel}`);
    const { threads } = this.#calls;
    if (parts === 0) {
      if (threads > 1) code.get(thread).op(OP.i32Eqz).if();
      code.i32(0).i32(target.units).call(target.index);
      if (threads > 1) code.op(OP.end);
    } else if (parts === 1) callPart(code, target, thread, threads);
    else this.#parts?.each(code, thread, kernel, (part) => callPart(code, target, part, threads * parts));
  }
}

/** Calls a kernel for one of `parts` parts of its rounds, which are as equal as can be; `part` is the local with its number. */
function callPart(code: Code, { index, units }: Calls["functions"][number], part: number, parts: number): void {
  const [each, left] = [Math.floor(units / parts), units % parts];
  for (const next of [0, 1]) {
    const number = (): Code => (next === 0 ? code.get(part) : code.get(part).i32(1).op(OP.i32Add));
    number().i32(each).op(OP.i32Mul);
    if (left > 0) number().i32(left).op(OP.i32Mul).i32(parts).op(OP.i32DivU).op(OP.i32Add);
  }
  code.call(index);
}
