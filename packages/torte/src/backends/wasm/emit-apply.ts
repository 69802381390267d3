/** Elementwise primitives as SIMD instructions. */
import type { Expr } from "../../compile/loops/expr.js";
import type { Elementwise } from "../../graph/primitives.js";
import type { DType } from "../../tensor/dtype.js";
import { isMathFunction, type MathFunction } from "../formulas.js";
import { type Code, OP, SIMD, V128 } from "./encoder.js";
import type { MathLibrary } from "./math.js";

/** An application of a primitive on its way to code. */
export interface Application {
  readonly code: Code;
  readonly args: readonly Expr[];
  /** Of the result. */
  readonly dtype: DType;
  /** Pushes the value of an operand. */
  readonly push: (arg: Expr) => void;
  /** Whether nobody else asks for a value. */
  readonly isOwn: (arg: Expr) => boolean;
  readonly math: MathLibrary;
}

/** Leaves the vector of the result on the stack. */
type Emit = (application: Application) => void;

const operand = ({ args }: Application, i = 0): Expr => {
  const arg = args[i];
  if (arg === undefined) throw new RangeError(`operand ${i} is missing`);
  return arg;
};

const isFloat = (application: Application): boolean => operand(application).dtype === "float32";

/** One instruction, by whether the operands are floats. */
const instruction =
  (float: number, integer = float): Emit =>
  (application) => {
    application.args.forEach(application.push);
    application.code.simd(isFloat(application) ? float : integer);
  };

/** A function of the module. */
const call =
  (name: MathFunction): Emit =>
  ({ code, args, push, math }) => {
    args.forEach(push);
    code.call(math.index(name));
  };

const bound =
  (primitive: "max" | "min", own: Emit): Emit =>
  (application) => {
    if (isFloat(application) && !hasOwnMaximum) emitBound(primitive, application);
    else own(application);
  };

const byLane =
  (operation: number): Emit =>
  ({ code, args, push }) => {
    args.forEach(push);
    emitByLane(code, operation);
  };

const EMIT: { readonly [P in Exclude<Elementwise, MathFunction>]: Emit } = {
  neg: instruction(SIMD.f32x4Neg, SIMD.i32x4Neg),
  abs: instruction(SIMD.f32x4Abs, SIMD.i32x4Abs),
  sign: (application) => emitSign(application.code, () => application.push(operand(application))),
  floor: instruction(SIMD.f32x4Floor),
  sqrt: instruction(SIMD.f32x4Sqrt),
  not: instruction(SIMD.not),
  cast: (application) => {
    application.push(operand(application));
    emitCast(application.code, operand(application).dtype, application.dtype);
  },
  add: instruction(SIMD.f32x4Add, SIMD.i32x4Add),
  sub: instruction(SIMD.f32x4Sub, SIMD.i32x4Sub),
  mul: instruction(SIMD.f32x4Mul, SIMD.i32x4Mul),
  div: (application) =>
    isFloat(application) ? instruction(SIMD.f32x4Div)(application) : byLane(OP.i32DivS)(application),
  max: bound("max", instruction(SIMD.f32x4Max, SIMD.i32x4MaxS)),
  min: bound("min", instruction(SIMD.f32x4Min, SIMD.i32x4MinS)),
  mod: byLane(OP.i32RemS),
  bitXor: instruction(SIMD.xor),
  shiftRight: (application) => {
    const by = operand(application, 1);
    if (by.op !== "number") {
      application.args.forEach(application.push);
      emitShifts(application.code);
      return;
    }
    application.push(operand(application));
    application.code.i32(by.value).simd(SIMD.i32x4ShrS);
  },
  less: instruction(SIMD.f32x4Lt, SIMD.i32x4LtS),
  lessEqual: instruction(SIMD.f32x4Le, SIMD.i32x4LeS),
  equal: instruction(SIMD.f32x4Eq, SIMD.i32x4Eq),
  and: instruction(SIMD.and),
  or: instruction(SIMD.or),
  select: (application) => {
    application.args.slice(1).forEach(application.push);
    application.push(operand(application));
    application.code.simd(SIMD.bitselect);
  },
};

export const emitApply = (primitive: Elementwise, application: Application): void =>
  (isMathFunction(primitive) ? call(primitive) : EMIT[primitive])(application);

/**
 * Whether the processor has the maximum of WebAssembly, which knows NaN and −0, as one instruction: ARM has it, x64 takes
 * eight. They differ in the sign of the NaN that they make.
 */
const hasOwnMaximum = ((): boolean => {
  const made = Float32Array.of(Infinity);
  made[0] = (made[0] ?? 0) - (made[0] ?? 0);
  return (new Int32Array(made.buffer)[0] ?? 0) > 0;
})();

/**
 * The larger or smaller one, by the pseudo-maximum, which is one instruction on x64 but gives its first operand where that is
 * a NaN, and its first zero.
 */
function emitBound(primitive: "max" | "min", { code, args, push, isOwn }: Application): void {
  const isBound = (arg: Expr): boolean => arg.op === "number" && !Number.isNaN(arg.value) && !Object.is(arg.value, -0);
  const [a, b] = [...args].sort((x, y) => Number(isBound(x)) - Number(isBound(y)));
  if (a === undefined || b === undefined) throw new RangeError(`${primitive} without operands`);
  if (primitive === "max" && b.op === "number" && Object.is(b.value, 0)) {
    pushWithAnyZero(code, a, push, isOwn);
    // The larger one of −0 and 0 is 0.
    code.float(0).simd(SIMD.f32x4PMax).float(0).simd(SIMD.f32x4Add);
  } else if (isBound(b)) {
    push(a);
    push(b);
    code.simd(primitive === "max" ? SIMD.f32x4PMax : SIMD.f32x4PMin);
  } else if (primitive === "min")
    emitBoth(
      code,
      SIMD.f32x4PMin,
      () => push(a),
      () => push(b),
    );
  else {
    const [one, other] = emitBoth(
      code,
      SIMD.f32x4PMax,
      () => push(a),
      () => push(b),
    );
    // They differ in the sign of a zero or, where nothing matters any more, by a NaN: −0 − −0 is 0.
    code.get(one).get(other).simd(SIMD.xor).simd(SIMD.f32x4Sub);
  }
}

/** Pushes a value of which the sign of a zero does not matter: two instructions less for the larger of two vectors. */
function pushWithAnyZero(code: Code, value: Expr, push: Application["push"], isOwn: Application["isOwn"]): void {
  const [a, b] = value.op === "apply" && value.primitive === "max" && isOwn(value) ? value.args : [];
  if (a === undefined || b === undefined) {
    push(value);
    return;
  }
  const pushed = (arg: Expr) => () => pushWithAnyZero(code, arg, push, isOwn);
  emitBoth(code, SIMD.f32x4PMax, pushed(a), pushed(b));
}

/** Pushes both orders joined bit by bit: the NaN of either, and of two zeros −0. Returns the locals that have each order. */
function emitBoth(code: Code, pseudo: number, pushA: () => void, pushB: () => void): readonly [number, number] {
  const [a, b] = [code.newLocal(V128), code.newLocal(V128)];
  const [one, other] = [code.newLocal(V128), code.newLocal(V128)];
  pushA();
  code.set(a);
  pushB();
  code.set(b);
  code.get(a).get(b).simd(pseudo).tee(one).get(b).get(a).simd(pseudo).tee(other).simd(SIMD.or);
  return [one, other];
}

function emitCast(code: Code, from: DType, to: DType): void {
  if (from === to) return;
  if (from === "bool") {
    if (to === "float32") code.float(1).simd(SIMD.and);
    else code.simd(SIMD.i32x4Neg);
  } else if (to === "bool") {
    if (from === "float32") code.float(0).simd(SIMD.f32x4Eq).simd(SIMD.not);
    else code.splat(0).simd(SIMD.i32x4Eq).simd(SIMD.not);
  } else code.simd(to === "float32" ? SIMD.f32x4ConvertI32x4S : SIMD.i32x4TruncSatF32x4S);
}

/** [x > 0] − [x < 0], and NaN for NaN. */
function emitSign(code: Code, push: () => void): void {
  push();
  const x = code.newLocal(V128);
  code.tee(x).float(0).simd(SIMD.f32x4Gt).float(1).simd(SIMD.and);
  code.get(x).float(0).simd(SIMD.f32x4Lt).float(1).simd(SIMD.and).simd(SIMD.f32x4Sub);
  code.get(x).get(x).simd(SIMD.f32x4Eq).simd(SIMD.not).simd(SIMD.or);
}

/** Shifts by numbers that differ have no vector form. */
function emitShifts(code: Code): void {
  const [a, b] = [code.newLocal(V128), code.newLocal(V128)];
  code.set(b).set(a);
  for (let lane = 0; lane < 4; lane++) {
    code.get(a).extractLane(lane).get(b).extractLane(lane).op(OP.i32ShrS);
    if (lane === 0) code.simd(SIMD.i32x4Splat);
    else code.simd(SIMD.i32x4ReplaceLane).byte(lane);
  }
}

/** Integer division has no vector form. A divisor of 0, which would trap, gives 0. */
function emitByLane(code: Code, operation: number): void {
  const [a, b] = [code.newLocal(V128), code.newLocal(V128)];
  code.set(b).set(a);
  for (let lane = 0; lane < 4; lane++) {
    code.get(a).get(b).splat(0).simd(SIMD.i32x4Eq).simd(SIMD.andNot).extractLane(lane);
    code.get(b).get(b).splat(0).simd(SIMD.i32x4Eq).simd(SIMD.i32x4Sub).extractLane(lane);
    code.op(operation);
    if (lane === 0) code.simd(SIMD.i32x4Splat);
    else code.simd(SIMD.i32x4ReplaceLane).byte(lane);
  }
}
