/**
 * Work stealing: of a kernel's chunks each thread has an equal run, takes them one after the other, so that it finds in its
 * cache what it has written before, and steals from the others when its own are done: they may be slower or held up.
 *
 * What a thread has left of a kernel stands in a counter, beside those of its other kernels and away from other threads'
 * cache lines. It refills its counters before a step; until then the others find nothing there.
 */
import { counterStride } from "../coordination.js";
import { ATOMIC, Code, I32, OP, type WasmModule } from "./encoder.js";
import { elementAt } from "../../tensor/shape.js";

/** Parameters of `steal`: who takes a chunk, the counter among a thread's own, how many chunks each thread has. */
const [THIEF, COUNTER, COUNT] = [0, 1, 2];

export interface Chunks {
  readonly threads: number;
  /** Chunks of each kernel that a thread has, 0 for a kernel that is not in chunks. */
  readonly counts: readonly number[];
  /** Where the counters lie. */
  readonly address: number;
}

export class WorkStealing {
  readonly #chunks: Chunks;
  readonly #stride: number;
  readonly #steal: number;

  constructor(module: WasmModule, chunks: Chunks) {
    this.#chunks = chunks;
    this.#stride = counterStride(chunks.counts.length);
    this.#steal = this.#addSteal(module);
  }

  /** Gives the thread, whose number is in a local, its chunks of all kernels or of one. */
  refill(code: Code, thread: number, only?: number): void {
    const own = code.newLocal(I32);
    code.get(thread).i32(this.#stride).op(OP.i32Mul).set(own);
    this.#chunks.counts.forEach((count, kernel) => {
      if (count === 0 || (only !== undefined && only !== kernel)) return;
      const place = this.#chunks.address + 4 * kernel;
      code.get(own).i32(count).atomic(ATOMIC.store, 2, place);
    });
  }

  /** As long as chunks are left, runs `chunk` with the local that has the number of one: below threads × count. */
  drain(code: Code, thread: number, kernel: number, chunk: (chunk: number) => void): void {
    const taken = code.newLocal(I32);
    code
      .loop()
      .get(thread)
      .i32(4 * kernel)
      .i32(elementAt(this.#chunks.counts, kernel));
    code.call(this.#steal).tee(taken).i32(0).op(OP.i32GeS).if();
    chunk(taken);
    code.branch(1).op(OP.end).op(OP.end);
  }

  /** Adds the function that gives the number of a chunk that nobody else has taken, or −1. */
  #addSteal(module: WasmModule): number {
    const { threads, address } = this.#chunks;
    const code = new Code(3);
    const [owner, place, left] = [code.newLocal(I32), code.newLocal(I32), code.newLocal(I32)];
    code.get(THIEF).set(owner).loop();
    code.get(owner).i32(this.#stride).op(OP.i32Mul).get(COUNTER).op(OP.i32Add).set(place);
    // Looked at first: a counter that is only read stays in everybody's cache.
    code.get(place).atomic(ATOMIC.load, 2, address).i32(0).op(OP.i32GtS).if();
    code.get(place).i32(-1).atomic(ATOMIC.add, 2, address).tee(left).i32(0).op(OP.i32GtS).if();
    code.get(owner).i32(1).op(OP.i32Add).get(COUNT).op(OP.i32Mul).get(left).op(OP.i32Sub).op(OP.return);
    code.op(OP.end).op(OP.end);
    code.get(owner).i32(1).op(OP.i32Add).tee(owner).i32(threads).op(OP.i32Eq).if().i32(0).set(owner).op(OP.end);
    code.get(owner).get(THIEF).op(OP.i32Ne).branchIf(0).op(OP.end).i32(-1);
    return module.add([I32, I32, I32], [I32], code);
  }
}
