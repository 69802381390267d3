/** Running values of reductions and products, in vector locals. */
import type { Accumulator, Expr } from "../../compile/expr.js";
import type { Index } from "../../compile/index-expr.js";
import type { Statement } from "../../compile/loops.js";
import { type Code, SIMD, V128 } from "./encoder.js";

export class Accumulators {
  readonly #known = new Map<Accumulator, { value: number; position: number }>();

  constructor(
    readonly code: Code,
    readonly fma: boolean,
    /** Push a value, and the lanes of an index. */
    readonly value: (expr: Expr) => void,
    readonly position: (index: Index) => void,
  ) {}

  registers(accumulator: Accumulator): { value: number; position: number } {
    let registers = this.#known.get(accumulator);
    if (registers === undefined) {
      const value = this.code.newLocal(V128);
      registers = { value, position: accumulator.kind === "argmax" ? this.code.newLocal(V128) : value };
      this.#known.set(accumulator, registers);
    }
    return registers;
  }

  neutral(accumulator: Accumulator): void {
    const { code } = this;
    if (accumulator.kind === "sum" || accumulator.kind === "product") code.words([0, 0, 0, 0]);
    else if (accumulator.dtype === "float32") code.float(-Infinity);
    else code.words(Array<number>(4).fill(-0x80000000));
  }

  reset(accumulator: Accumulator): void {
    const { value, position } = this.registers(accumulator);
    this.neutral(accumulator);
    this.code.set(value);
    if (accumulator.kind === "argmax") this.code.words([0, 0, 0, 0]).set(position);
  }

  accumulate({ accumulator, values, position, lane }: Statement & { op: "accumulate" }): void {
    const { code } = this;
    const registers = this.registers(accumulator);
    const a = values[0];
    const b = values[1];
    if (a === undefined) throw new RangeError("nothing to accumulate");
    if (accumulator.kind === "product" && b !== undefined) {
      this.accumulateProduct(registers.value, a, b, accumulator.across ? lane.extent : 4);
      return;
    }
    this.value(a);
    if (accumulator.across && lane.extent < 4) this.blankLanes(accumulator, lane.extent);
    if (accumulator.kind === "sum") {
      code
        .get(registers.value)
        .simd(accumulator.dtype === "float32" ? SIMD.f32x4Add : SIMD.i32x4Add)
        .set(registers.value);
    } else if (accumulator.kind === "reduceMax") {
      code
        .get(registers.value)
        .simd(accumulator.dtype === "float32" ? SIMD.f32x4Max : SIMD.i32x4MaxS)
        .set(registers.value);
    } else if (position !== undefined) this.accumulateArgmax(accumulator, position);
  }

  /** Lanes that are not in use must not count. */
  blankLanes(accumulator: Accumulator, lanes: number): void {
    this.neutral(accumulator);
    this.code.words(lanesInUse(lanes)).simd(SIMD.bitselect);
  }

  accumulateProduct(register: number, a: Expr, b: Expr, lanes: number): void {
    const { code } = this;
    this.value(a);
    if (lanes < 4) code.words(lanesInUse(lanes)).simd(SIMD.and);
    this.value(b);
    if (this.fma) code.get(register).simd(SIMD.f32x4RelaxedMadd).set(register);
    else code.simd(SIMD.f32x4Mul).get(register).simd(SIMD.f32x4Add).set(register);
  }

  accumulateArgmax(accumulator: Accumulator, position: Index): void {
    const { code } = this;
    const { value: best, position: at } = this.registers(accumulator);
    const [candidate, greater] = [code.newLocal(V128), code.newLocal(V128)];
    code
      .tee(candidate)
      .get(best)
      .simd(accumulator.dtype === "float32" ? SIMD.f32x4Gt : SIMD.i32x4GtS)
      .set(greater);
    this.position(position);
    code.get(at).get(greater).simd(SIMD.bitselect).set(at);
    code.get(candidate).get(best).get(greater).simd(SIMD.bitselect).set(best);
  }

  merge(into: Accumulator, from: Accumulator): void {
    const { code } = this;
    const [a, b] = [this.registers(into), this.registers(from)];
    code.get(a.value).get(b.value).simd(combineOp(into)).set(a.value);
  }

  /** Lanes are combined in pairs, then the pairs: (0 ∘ 2) ∘ (1 ∘ 3). */
  combine(accumulator: Accumulator): void {
    const { code } = this;
    const { value, position } = this.registers(accumulator);
    for (const lanes of [
      [2, 3, 0, 1],
      [1, 0, 3, 2],
    ]) {
      if (accumulator.kind !== "argmax") {
        code.get(value).get(value).get(value).shuffle(lanes).simd(combineOp(accumulator)).set(value);
        continue;
      }
      const [otherValue, otherPosition, better] = [code.newLocal(V128), code.newLocal(V128), code.newLocal(V128)];
      const float = accumulator.dtype === "float32";
      code.get(value).get(value).shuffle(lanes).set(otherValue);
      code.get(position).get(position).shuffle(lanes).set(otherPosition);
      code
        .get(otherValue)
        .get(value)
        .simd(float ? SIMD.f32x4Gt : SIMD.i32x4GtS);
      code
        .get(otherValue)
        .get(value)
        .simd(float ? SIMD.f32x4Eq : SIMD.i32x4Eq);
      code.get(otherPosition).get(position).simd(SIMD.i32x4LtS).simd(SIMD.and).simd(SIMD.or).set(better);
      code.get(otherValue).get(value).get(better).simd(SIMD.bitselect).set(value);
      code.get(otherPosition).get(position).get(better).simd(SIMD.bitselect).set(position);
    }
  }
}

const lanesInUse = (lanes: number): number[] => [0, 1, 2, 3].map((lane) => (lane < lanes ? -1 : 0));

function combineOp({ kind, dtype }: Accumulator): number {
  if (kind === "reduceMax") return dtype === "float32" ? SIMD.f32x4Max : SIMD.i32x4MaxS;
  return dtype === "float32" ? SIMD.f32x4Add : SIMD.i32x4Add;
}
