/** Elementary functions on vectors of four float32, as WebAssembly functions. */
import { arityOf, formula, type MathFunction, type VectorOps } from "../formulas.js";
import { type Code, OP, SIMD, V128, type WasmModule } from "./encoder.js";
import { farAngle, farQuarters } from "./far-angle.js";

/** Emits code that leaves a vector on the stack. */
type Vector = (code: Code) => void;

const local =
  (index: number): Vector =>
  (code) =>
    void code.get(index);
const one =
  (op: number) =>
  (a: Vector): Vector =>
  (code) => {
    a(code);
    code.simd(op);
  };
const two =
  (op: number) =>
  (a: Vector, b: Vector): Vector =>
  (code) => {
    a(code);
    b(code);
    code.simd(op);
  };
const shift =
  (op: number) =>
  (a: Vector, by: number): Vector =>
  (code) => {
    a(code);
    code.i32(by).simd(op);
  };
const select =
  (mask: Vector, a: Vector, b: Vector): Vector =>
  (code) => {
    a(code);
    b(code);
    mask(code);
    code.simd(SIMD.bitselect);
  };

/** All but what needs the function at hand: a local of its own, or a call of another function. */
const OPERATIONS: Omit<VectorOps<Vector>, "keep" | "call"> = {
  number: (value) => (code) => void code.float(value),
  integer: (word) => (code) => void code.splat(word),
  add: two(SIMD.f32x4Add),
  sub: two(SIMD.f32x4Sub),
  mul: two(SIMD.f32x4Mul),
  div: two(SIMD.f32x4Div),
  min: two(SIMD.f32x4PMin),
  max: two(SIMD.f32x4PMax),
  less: two(SIMD.f32x4Lt),
  lessEqual: two(SIMD.f32x4Le),
  equal: two(SIMD.f32x4Eq),
  and: two(SIMD.and),
  or: two(SIMD.or),
  xor: two(SIMD.xor),
  abs: one(SIMD.f32x4Abs),
  neg: one(SIMD.f32x4Neg),
  nearest: one(SIMD.f32x4Nearest),
  floor: one(SIMD.f32x4Floor),
  toInteger: one(SIMD.i32x4TruncSatF32x4S),
  toFloat: one(SIMD.f32x4ConvertI32x4S),
  addInteger: two(SIMD.i32x4Add),
  subInteger: two(SIMD.i32x4Sub),
  left: shift(SIMD.i32x4Shl),
  right: shift(SIMD.i32x4ShrS),
  rightUnsigned: shift(SIMD.i32x4ShrU),
  select,
  selectSeldom: (mask, a, b) => (code) => {
    mask(code);
    code.simd(SIMD.anyTrue).if(V128);
    select(mask, a, b)(code);
    code.op(OP.else);
    b(code);
    code.op(OP.end);
  },
  farAngle,
  farQuarters,
};

/** Adds the functions that are asked for, each once. */
export class MathLibrary {
  readonly #indices = new Map<MathFunction, number>();

  constructor(readonly module: WasmModule) {}

  index(name: MathFunction): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const arity = arityOf(name);
    const index = this.module.declare();
    this.#indices.set(name, index);
    const code = this.module.newCode(arity);
    const ops: VectorOps<Vector> = {
      ...OPERATIONS,
      keep: (value) => {
        const kept = code.newLocal(V128);
        value(code);
        code.set(kept);
        return local(kept);
      },
      call: (other, x) => (target) => {
        x(target);
        target.call(this.index(other));
      },
    };
    formula(name, ops, local(0), local(1))(code);
    const parameters = [V128, V128].slice(0, arity) as (typeof V128)[];
    this.module.define(index, parameters, [V128], code);
    return index;
  }
}
