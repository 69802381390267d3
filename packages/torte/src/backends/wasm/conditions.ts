/** Conditions of guards, the predicates of margins: whether indices lie within bounds. */
import type { Condition } from "../../compile/loops/expr.js";
import type { Addresses } from "./addresses.js";
import { type Code, I32, OP } from "./encoder.js";
import type { VectorAccess } from "./vector-access.js";

export class Conditions {
  readonly #code: Code;
  readonly #addresses: Addresses;
  readonly #access: VectorAccess;

  constructor(code: Code, addresses: Addresses, access: VectorAccess) {
    this.#code = code;
    this.#addresses = addresses;
    this.#access = access;
  }

  /** Decides them once for the loops that follow: they are loop-invariant. */
  hoist(conditions: readonly Condition[]): void {
    if (this.#addresses.find(conditions) !== undefined) return;
    this.push(conditions);
    const local = this.#code.newLocal(I32);
    this.#code.set(local);
    this.#addresses.remember(conditions, local);
  }

  /** Pushes whether all hold. */
  push(conditions: readonly Condition[]): void {
    const found = this.#addresses.find(conditions);
    if (found !== undefined) {
      this.#code.get(found);
      return;
    }
    conditions.forEach((condition, i) => {
      this.#condition(condition);
      if (i > 0) this.#code.op(OP.i32And);
    });
  }

  #condition({ index, low, high, every }: Condition): void {
    const code = this.#code;
    if (this.#access.laneFactor(index) !== 0) throw new RangeError("the lanes of a vector do not decide alike");
    this.#addresses.integer(index);
    const at = code.newLocal(I32);
    if (low !== 0) code.i32(low).op(OP.i32Sub);
    code
      .tee(at)
      .i32(high - low)
      .op(OP.i32LtU);
    if (every > 1) code.get(at).i32(every).op(OP.i32RemS).op(OP.i32Eqz).op(OP.i32And);
  }
}
