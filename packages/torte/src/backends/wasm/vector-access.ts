/** Loads and stores of vectors: whole, in halves or lane by lane, as their elements lie. */
import type { Buffer, Expr } from "../../compile/loops/expr.js";
import { factorOf, type Index } from "../../compile/loops/index-expr.js";
import type { Statement } from "../../compile/loops/loops.js";
import type { Addresses } from "./addresses.js";
import { type Code, LANE_MEMORY, MEMORY, SIMD, V128 } from "./encoder.js";

export class VectorAccess {
  readonly #code: Code;
  readonly #addresses: Addresses;
  readonly #value: (expr: Expr) => void;

  /** `value` pushes the vector of an expression. */
  constructor(code: Code, addresses: Addresses, value: (expr: Expr) => void) {
    this.#code = code;
    this.#addresses = addresses;
    this.#value = value;
  }

  /** How far the lanes of the vector at hand lie apart; 0 where all are one element. */
  laneFactor(index: Index): number {
    if (this.#addresses.lane === undefined || this.#addresses.lane.extent === 1) return 0;
    const factor = factorOf(index, this.#addresses.lane);
    if (factor === undefined) throw new RangeError("the lanes of a vector do not lie at constant distances");
    return factor;
  }

  /** Pushes the vector of the elements at an index. */
  load(buffer: Buffer, index: Index): void {
    const code = this.#code;
    const lanes = this.#addresses.lane?.extent ?? 1;
    const factor = this.laneFactor(index);
    if (factor === 0) {
      const place = this.#addresses.pushPlace(buffer, index);
      code.memory(MEMORY.load32Splat, place);
      return;
    }
    if (factor === 1 && lanes !== 3) {
      const place = this.#addresses.pushPlace(buffer, index);
      code.memory(lanes === 4 ? MEMORY.load : MEMORY.load64Zero, place);
      return;
    }
    const first = factor === 1 ? 2 : 1;
    const start = this.#addresses.pushPlace(buffer, index);
    code.memory(first === 2 ? MEMORY.load64Zero : MEMORY.load32Zero, start);
    const kept = code.newLocal(V128);
    for (let lane = first; lane < lanes; lane++) {
      code.set(kept);
      const place = this.#addresses.pushPlace(buffer, index, factor * lane);
      code.get(kept).laneMemory(LANE_MEMORY.load32Lane, place, lane);
    }
  }

  /** Pushes the lanes of an index as a vector of int32. */
  position(index: Index): void {
    const code = this.#code;
    this.#addresses.integer(index);
    code.simd(SIMD.i32x4Splat);
    const factor = this.laneFactor(index);
    if (factor !== 0) code.words([0, factor, 2 * factor, 3 * factor]).simd(SIMD.i32x4Add);
  }

  store({ buffer, index, value, lane }: Statement & { op: "store" }): void {
    const code = this.#code;
    const factor = this.laneFactor(index);
    if (factor === 1 && lane.extent === 4) {
      const place = this.#addresses.pushPlace(buffer, index);
      this.#value(value);
      code.memory(MEMORY.store, place);
      return;
    }
    this.#value(value);
    const kept = code.newLocal(V128);
    code.set(kept);
    let done = 0;
    if (factor === 1 && lane.extent >= 2) {
      const place = this.#addresses.pushPlace(buffer, index);
      code.get(kept).laneMemory(LANE_MEMORY.store64Lane, place, 0);
      done = 2;
    }
    for (; done < lane.extent; done++) {
      const place = this.#addresses.pushPlace(buffer, index, factor * done);
      code.get(kept).laneMemory(LANE_MEMORY.store32Lane, place, done);
    }
  }

  addTo(statement: Statement & { op: "addTo" }): void {
    const code = this.#code;
    this.load(statement.buffer, statement.index);
    this.#value(statement.value);
    code.simd(SIMD.f32x4Add);
    const sum = code.newLocal(V128);
    code.set(sum);
    const { lane } = statement;
    if (this.laneFactor(statement.index) === 1 && lane.extent === 4) {
      const place = this.#addresses.pushPlace(statement.buffer, statement.index);
      code.get(sum).memory(MEMORY.store, place);
      return;
    }
    for (let i = 0; i < lane.extent; i++) {
      const place = this.#addresses.pushPlace(statement.buffer, statement.index, i);
      code.get(sum).laneMemory(LANE_MEMORY.store32Lane, place, i);
    }
  }
}
