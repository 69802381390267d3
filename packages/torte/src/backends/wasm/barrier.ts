/**
 * Where threads meet: the last one to arrive lets the others go. They poll for a while before they sleep, because waking
 * up takes a hundred times longer than most kernels.
 */
import { ATOMIC, Code, I32, OP, type WasmModule } from "./encoder.js";

/** Below the first page's end nothing else lies in memory. */
const ARRIVED = 1024;
const GENERATION = 1088;
/** Polls before sleeping: some 20 to 40 µs. */
const POLLS = 20_000;

export function addBarrier(module: WasmModule, threads: number): number {
  const code = new Code(0);
  const generation = code.newLocal(I32);
  const polls = code.newLocal(I32);
  const load = (): void => void code.i32(0).atomic(ATOMIC.load, 2, GENERATION);
  load();
  code.set(generation);
  code
    .i32(0)
    .i32(1)
    .atomic(ATOMIC.add, 2, ARRIVED)
    .i32(threads - 1)
    .op(OP.i32Eq)
    .if();
  code.i32(0).i32(0).atomic(ATOMIC.store, 2, ARRIVED);
  code.i32(0).i32(1).atomic(ATOMIC.add, 2, GENERATION).op(OP.drop);
  code.i32(0).i32(threads).atomic(ATOMIC.notify, 2, GENERATION).op(OP.drop);
  code.op(OP.else);
  code.loop();
  load();
  code.get(generation).op(OP.i32Eq).if();
  code.get(polls).i32(1).op(OP.i32Add).tee(polls).i32(POLLS).op(OP.i32LtS).branchIf(1);
  code.i32(0).get(generation).i64(-1n).atomic(ATOMIC.wait32, 2, GENERATION).op(OP.drop).branch(1);
  code.op(OP.end).op(OP.end).op(OP.end);
  return module.add([], [], code);
}
