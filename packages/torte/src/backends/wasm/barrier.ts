/**
 * Where threads meet: the last one to arrive lets the others go. They poll for a while before they sleep, because waking
 * up takes a hundred times longer than most kernels. Where a thread has failed, the others fail when they arrive or wait: the
 * worker sets ABORTED, counts the generation up and wakes them (worker.mjs).
 */
import { BARRIER } from "../coordination.js";
import { ATOMIC, Code, I32, OP, type WasmModule } from "./encoder.js";

const { arrived: ARRIVED, generation: GENERATION, aborted: ABORTED } = BARRIER;
/** Polls before sleeping: some 20 to 40 µs. */
const POLLS = 20_000;

export function addBarrier(module: WasmModule, threads: number): number {
  const code = new Code(0);
  const generation = code.newLocal(I32);
  const polls = code.newLocal(I32);
  const load = (address: number): Code => code.i32(0).atomic(ATOMIC.load, 2, address);
  const failWithOthers = (): void => void load(ABORTED).if().op(OP.unreachable).op(OP.end);
  // In this order: whoever aborts changes the generation last.
  load(GENERATION).set(generation);
  failWithOthers();
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
  load(GENERATION).get(generation).op(OP.i32Eq).if();
  code.get(polls).i32(1).op(OP.i32Add).tee(polls).i32(POLLS).op(OP.i32LtS).branchIf(1);
  code.i32(0).get(generation).i64(-1n).atomic(ATOMIC.wait32, 2, GENERATION).op(OP.drop).branch(1);
  code.op(OP.end).op(OP.end);
  failWithOthers();
  code.op(OP.end);
  return module.add([], [], code);
}
