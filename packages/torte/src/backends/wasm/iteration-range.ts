/** Ranges of a kernel's iterations, from one up to another, that a thread runs: the chunk that it has taken. */
import { type Code, I32, OP } from "./encoder.js";

/** As locals; a kernel's first two parameters are its range. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

/** The rounds of a loop in which the part lies. */
export function iterationsIn(code: Code, { part, within }: { part: Range; within: number }): Range {
  if (within === 1) return part;
  const rounds = { from: code.newLocal(I32), to: code.newLocal(I32) };
  code.get(part.from).i32(within).op(OP.i32DivU).set(rounds.from);
  code
    .get(part.to)
    .i32(within - 1)
    .op(OP.i32Add)
    .i32(within)
    .op(OP.i32DivU)
    .set(rounds.to);
  return rounds;
}

/** The part as seen from one round: it may begin before or end after what is within the round. */
export function withinIteration(code: Code, { part, within }: { part: Range; within: number }, counter: number): Range {
  const [from, to] = [part.from, part.to].map((bound) => {
    const local = code.newLocal(I32);
    code.get(bound).get(counter).i32(within).op(OP.i32Mul).op(OP.i32Sub).set(local);
    return local;
  });
  return { from: from ?? part.from, to: to ?? part.to };
}
