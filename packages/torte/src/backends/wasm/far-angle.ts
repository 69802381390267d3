/**
 * Angles beyond the reach of a subtraction of multiples of π/2, lane by lane: x/2π modulo 1 from the bits of 1/2π that matter
 * for the exponent of x. Payne and Hanek 1983.
 */
import { type Code, I32, I64, OP, SIMD } from "./encoder.js";

type Vector = (code: Code) => void;

/** The binary digits of 1/2π after the point, 64 in each. */
const DIGITS = [0x28be60db9391054an, 0x7f09d5f47d4d3770n, 0x36d8a5664f10e410n, 0x7f9458eaf7aef158n] as const;

/** What is left of each lane after whole quarters of a turn, −π/4 … π/4. */
export const farAngle =
  (x: Vector): Vector =>
  (code) => {
    eachLane(code, x, (lane, turns) => {
      const quarters = code.newLocal(I64);
      pushQuarters(code, turns);
      code.set(quarters);
      code.get(turns).get(quarters).i64(62n).op(OP.i64Shl).op(OP.i64Sub).op(OP.f64ConvertI64S);
      code
        .f64((2 * Math.PI) / 2 ** 64)
        .op(OP.f64Mul)
        .op(OP.f32DemoteF64);
      code.simd(SIMD.f32x4ReplaceLane).byte(lane);
    });
  };

/** The nearest number of quarters of a turn, modulo 4, of each lane. */
export const farQuarters =
  (x: Vector): Vector =>
  (code) => {
    eachLane(code, x, (lane, turns) => {
      pushQuarters(code, turns);
      code.op(OP.i32WrapI64).simd(SIMD.i32x4ReplaceLane).byte(lane);
    });
  };

/** Replaces each lane of `x` by what `emit` makes of x/2π modulo 1, in units of 2⁻⁶⁴. */
function eachLane(code: Code, x: Vector, emit: (lane: number, turns: number) => void): void {
  const turns = code.newLocal(I64);
  x(code);
  for (let lane = 0; lane < 4; lane++) {
    const bits = code.newLocal(I32);
    x(code);
    code.extractLane(lane).set(bits);
    emitTurns(code, bits);
    code.set(turns);
    emit(lane, turns);
  }
}

function pushQuarters(code: Code, turns: number): void {
  code
    .get(turns)
    .i64(1n << 61n)
    .op(OP.i64Add)
    .i64(62n)
    .op(OP.i64ShrU);
}

/** x = m·2ᵉ with a whole m of 24 bits; of 2ᵉ/2π only the digits from number e on matter, as those before give whole turns. */
function emitTurns(code: Code, bits: number): void {
  const [first, word, shift] = [code.newLocal(I32), code.newLocal(I32), code.newLocal(I64)];
  const [mantissa, low] = [code.newLocal(I64), code.newLocal(I64)];
  // e + 64: a word of zeros stands before the point.
  code
    .get(bits)
    .i32(23)
    .op(OP.i32ShrU)
    .i32(255)
    .op(OP.i32And)
    .i32(150 - 64)
    .op(OP.i32Sub)
    .tee(first);
  code.i32(6).op(OP.i32ShrS).set(word);
  code.get(first).i32(63).op(OP.i32And).op(OP.i64ExtendI32U).set(shift);
  code.get(bits).i32(0x7fffff).op(OP.i32And).i32(0x800000).op(OP.i32Or).op(OP.i64ExtendI32S).set(mantissa);
  code.get(mantissa).i64(-1n).op(OP.i64Mul).get(mantissa).get(bits).i32(0).op(OP.i32LtS).select().set(mantissa);
  pushWindow(code, word, shift, [0n, ...DIGITS]);
  code.get(mantissa).op(OP.i64Mul);
  pushWindow(code, word, shift, DIGITS);
  code.set(low);
  code.get(low).i64(25n).op(OP.i64ShrU).get(mantissa).op(OP.i64Mul).i64(39n).op(OP.i64ShrS).op(OP.i64Add);
}

/** 64 digits from number `shift` of the word on, which is 0, 1 or 2. */
function pushWindow(code: Code, word: number, shift: number, digits: readonly bigint[]): void {
  pushWord(code, word, digits);
  code.get(shift).op(OP.i64Shl);
  pushWord(code, word, digits.slice(1));
  code.i64(1n).op(OP.i64ShrU).i64(63n).get(shift).op(OP.i64Sub).op(OP.i64ShrU).op(OP.i64Or);
}

function pushWord(code: Code, word: number, [a = 0n, b = 0n, c = 0n]: readonly bigint[]): void {
  code.i64(a).i64(b).i64(c);
  code.get(word).i32(1).op(OP.i32Eq).select();
  code.get(word).i32(0).op(OP.i32GtS).op(OP.i32Eqz).select();
}
