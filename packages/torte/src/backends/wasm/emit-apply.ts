/** Elementwise primitives as SIMD instructions. */
import type { Elementwise, Expr } from "../../compile/loops/expr.js";
import type { DType } from "../../tensor/dtype.js";
import { type Code, OP, SIMD, V128 } from "./encoder.js";
import type { MathLibrary } from "./math.js";

type Push = (arg: Expr) => void;
/** Whether nobody else asks for a value. */
type IsOwn = (arg: Expr) => boolean;
interface Pair {
  readonly float: number;
  readonly integer: number;
}

const BINARY: Partial<Record<Elementwise, Pair>> = {
  add: { float: SIMD.f32x4Add, integer: SIMD.i32x4Add },
  sub: { float: SIMD.f32x4Sub, integer: SIMD.i32x4Sub },
  mul: { float: SIMD.f32x4Mul, integer: SIMD.i32x4Mul },
  max: { float: SIMD.f32x4Max, integer: SIMD.i32x4MaxS },
  min: { float: SIMD.f32x4Min, integer: SIMD.i32x4MinS },
  less: { float: SIMD.f32x4Lt, integer: SIMD.i32x4LtS },
  lessEqual: { float: SIMD.f32x4Le, integer: SIMD.i32x4LeS },
  equal: { float: SIMD.f32x4Eq, integer: SIMD.i32x4Eq },
  and: { float: SIMD.and, integer: SIMD.and },
  or: { float: SIMD.or, integer: SIMD.or },
  bitXor: { float: SIMD.xor, integer: SIMD.xor },
};

const UNARY: Partial<Record<Elementwise, Pair>> = {
  neg: { float: SIMD.f32x4Neg, integer: SIMD.i32x4Neg },
  abs: { float: SIMD.f32x4Abs, integer: SIMD.i32x4Abs },
  floor: { float: SIMD.f32x4Floor, integer: SIMD.f32x4Floor },
  sqrt: { float: SIMD.f32x4Sqrt, integer: SIMD.f32x4Sqrt },
  not: { float: SIMD.not, integer: SIMD.not },
};

export function emitApply(
  code: Code,
  primitive: Elementwise,
  dtype: DType,
  args: readonly Expr[],
  push: Push,
  isOwn: IsOwn,
  math: MathLibrary,
): void {
  const a = args[0];
  if (a === undefined) throw new RangeError(`${primitive} without operands`);
  const family = a.dtype === "float32" ? "float" : "integer";
  if (family === "float" && (primitive === "max" || primitive === "min") && !hasOwnMaximum) {
    emitBound(code, primitive, args, push, isOwn);
    return;
  }
  const simple = args.length === 2 ? BINARY[primitive] : UNARY[primitive];
  if (simple !== undefined) {
    args.forEach(push);
    code.simd(simple[family]);
    return;
  }
  switch (primitive) {
    case "select":
      args.slice(1).forEach(push);
      push(a);
      code.simd(SIMD.bitselect);
      return;
    case "cast":
      push(a);
      emitCast(code, a.dtype, dtype);
      return;
    case "sign":
      emitSign(code, () => push(a));
      return;
    case "div":
      args.forEach(push);
      if (family === "float") code.simd(SIMD.f32x4Div);
      else emitByLane(code, OP.i32DivS);
      return;
    case "mod":
      args.forEach(push);
      emitByLane(code, OP.i32RemS);
      return;
    case "exp":
    case "expm1":
    case "log":
    case "log1p":
    case "tanh":
    case "sigmoid":
    case "softplus":
    case "erf":
    case "sin":
    case "cos":
    case "pow":
      args.forEach(push);
      code.call(math.index(primitive));
      return;
    default:
      throw new RangeError(`${primitive} has no code`);
  }
}

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
function emitBound(code: Code, primitive: "max" | "min", args: readonly Expr[], push: Push, isOwn: IsOwn): void {
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
function pushWithAnyZero(code: Code, value: Expr, push: Push, isOwn: IsOwn): void {
  const [a, b] = value.op === "apply" && value.primitive === "max" && isOwn(value) ? value.args : [];
  if (a === undefined || b === undefined) {
    push(value);
    return;
  }
  const operand = (arg: Expr) => () => pushWithAnyZero(code, arg, push, isOwn);
  emitBoth(code, SIMD.f32x4PMax, operand(a), operand(b));
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

/** Integer division has no vector form. A divisor of 0, which would trap, gives 0. */
function emitByLane(code: Code, operation: number): void {
  const [a, b] = [code.newLocal(V128), code.newLocal(V128)];
  code.set(b).set(a);
  for (let lane = 0; lane < 4; lane++) {
    code.get(a).get(b).splat(0).simd(SIMD.i32x4Eq).simd(0x4f).extractLane(lane);
    code.get(b).get(b).splat(0).simd(SIMD.i32x4Eq).simd(SIMD.i32x4Sub).extractLane(lane);
    code.op(operation);
    if (lane === 0) code.simd(SIMD.i32x4Splat);
    else code.simd(0x1c).byte(lane);
  }
}
