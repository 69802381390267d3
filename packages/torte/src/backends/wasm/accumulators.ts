/** Running values of reductions and products, in vector locals. */
import type { Accumulator, AccumulatorPart, Expr } from "../../compile/loops/expr.js";
import type { Index } from "../../compile/loops/index-expr.js";
import type { Statement } from "../../compile/loops/loops.js";
import { type Code, SIMD, V128 } from "./encoder.js";

interface Registers {
  readonly value: number;
  /** Of a maximum, where that is asked for. */
  readonly position: number | undefined;
  /** Of a maximum of floats: −1 in lanes that have met a NaN, which a comparison ignores. */
  readonly unordered: number | undefined;
}

export class Accumulators {
  readonly #known = new Map<Accumulator, Registers>();

  constructor(
    readonly code: Code,
    readonly fma: boolean,
    /** Push a value, and the lanes of an index. */
    readonly value: (expr: Expr) => void,
    readonly position: (index: Index) => void,
  ) {}

  registers(accumulator: Accumulator): Registers {
    const known = this.#known.get(accumulator);
    if (known !== undefined) return known;
    const { kind, dtype, parts } = accumulator;
    const float = kind === "maximum" && dtype === "float32";
    const registers = {
      value: this.code.newLocal(V128),
      position: parts.includes("position") ? this.code.newLocal(V128) : undefined,
      unordered: float && parts.includes("value") ? this.code.newLocal(V128) : undefined,
    };
    this.#known.set(accumulator, registers);
    return registers;
  }

  /** Pushes what has been found. */
  push(accumulator: Accumulator, part: AccumulatorPart): void {
    const { value, position, unordered } = this.registers(accumulator);
    if (part === "position" && position !== undefined) this.code.get(position);
    else if (unordered === undefined) this.code.get(value);
    else this.code.get(value).get(unordered).simd(SIMD.or);
  }

  neutral(accumulator: Accumulator): void {
    const { code } = this;
    if (accumulator.kind !== "maximum") code.splat(0);
    else if (accumulator.dtype === "float32") code.float(-Infinity);
    else code.splat(-0x80000000);
  }

  reset(accumulator: Accumulator): void {
    const { value, position, unordered } = this.registers(accumulator);
    this.neutral(accumulator);
    this.code.set(value);
    for (const other of [position, unordered]) if (other !== undefined) this.code.splat(0).set(other);
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
    if (accumulator.kind === "maximum") this.accumulateMaximum(accumulator, position);
    else code.get(registers.value).simd(combineOp(accumulator)).set(registers.value);
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

  /** The first of equal values stays. */
  accumulateMaximum(accumulator: Accumulator, place: Index | undefined): void {
    const { code } = this;
    const { value: best, position, unordered } = this.registers(accumulator);
    const candidate = code.newLocal(V128);
    code.set(candidate);
    if (position !== undefined && place !== undefined) {
      this.position(place);
      code.get(position).get(candidate).get(best).simd(greaterOp(accumulator)).simd(SIMD.bitselect).set(position);
    }
    code.get(best).get(candidate).simd(combineOp(accumulator)).set(best);
    if (unordered === undefined) return;
    code.get(candidate).get(candidate).simd(SIMD.f32x4Ne).get(unordered).simd(SIMD.or).set(unordered);
  }

  merge(into: Accumulator, from: Accumulator): void {
    const { code } = this;
    const [a, b] = [this.registers(into), this.registers(from)];
    code.get(a.value).get(b.value).simd(combineOp(into)).set(a.value);
    if (a.unordered !== undefined && b.unordered !== undefined)
      code.get(a.unordered).get(b.unordered).simd(SIMD.or).set(a.unordered);
  }

  /** Lanes are combined in pairs, then the pairs: (0 ∘ 2) ∘ (1 ∘ 3). */
  combine(accumulator: Accumulator): void {
    const { code } = this;
    const { value, position, unordered } = this.registers(accumulator);
    for (const lanes of [
      [2, 3, 0, 1],
      [1, 0, 3, 2],
    ]) {
      const turned = (register: number): number => {
        const other = code.newLocal(V128);
        code.get(register).get(register).shuffle(lanes).set(other);
        return other;
      };
      const other = turned(value);
      if (position !== undefined) {
        const [otherPosition, better] = [turned(position), code.newLocal(V128)];
        code.get(other).get(value).simd(greaterOp(accumulator));
        code
          .get(other)
          .get(value)
          .simd(accumulator.dtype === "float32" ? SIMD.f32x4Eq : SIMD.i32x4Eq);
        code.get(otherPosition).get(position).simd(SIMD.i32x4LtS).simd(SIMD.and).simd(SIMD.or).set(better);
        code.get(otherPosition).get(position).get(better).simd(SIMD.bitselect).set(position);
      }
      code.get(value).get(other).simd(combineOp(accumulator)).set(value);
      if (unordered !== undefined) code.get(unordered).get(turned(unordered)).simd(SIMD.or).set(unordered);
    }
  }
}

const lanesInUse = (lanes: number): number[] => [0, 1, 2, 3].map((lane) => (lane < lanes ? -1 : 0));

/** The pseudo-maximum keeps its first operand where the second is not greater. */
function combineOp({ kind, dtype }: Accumulator): number {
  if (kind === "maximum") return dtype === "float32" ? SIMD.f32x4PMax : SIMD.i32x4MaxS;
  return dtype === "float32" ? SIMD.f32x4Add : SIMD.i32x4Add;
}

const greaterOp = ({ dtype }: Accumulator): number => (dtype === "float32" ? SIMD.f32x4Gt : SIMD.i32x4GtS);
