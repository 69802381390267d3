/**
 * Elementary functions on vectors of four float32, as WebAssembly functions.
 *
 * Polynomials and reductions after Cephes (S. L. Moshier, single precision); erf by the rational approximation that
 * Eigen uses; angles far out after Payne and Hanek 1983. Results are within a few units in the last place; math.test.ts holds
 * them against float64.
 */
import { type Code, OP, SIMD, V128, type WasmModule } from "./encoder.js";
import { farAngle, farQuarters } from "./far-angle.js";

/** Emits code that leaves a vector on the stack. */
type Vector = (code: Code) => void;

const number =
  (value: number): Vector =>
  (code) =>
    void code.float(value);
const integer =
  (value: number): Vector =>
  (code) =>
    void code.splat(value);
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
const add = two(SIMD.f32x4Add);
const sub = two(SIMD.f32x4Sub);
const mul = two(SIMD.f32x4Mul);
const div = two(SIMD.f32x4Div);
/** Of a vector and a constant, NaN where the vector is. */
const min = two(SIMD.f32x4PMin);
const max = two(SIMD.f32x4PMax);
const less = two(SIMD.f32x4Lt);
const lessEqual = two(SIMD.f32x4Le);
const equal = two(SIMD.f32x4Eq);
const and = two(SIMD.and);
const or = two(SIMD.or);
const xor = two(SIMD.xor);
const abs = one(SIMD.f32x4Abs);
const neg = one(SIMD.f32x4Neg);
const nearest = one(SIMD.f32x4Nearest);
const floor = one(SIMD.f32x4Floor);
const toInteger = one(SIMD.i32x4TruncSatF32x4S);
const toFloat = one(SIMD.f32x4ConvertI32x4S);
const addInteger = two(SIMD.i32x4Add);
const subInteger = two(SIMD.i32x4Sub);
const shift =
  (op: number) =>
  (a: Vector, by: number): Vector =>
  (code) => {
    a(code);
    code.i32(by).simd(op);
  };
const left = shift(SIMD.i32x4Shl);
const right = shift(SIMD.i32x4ShrS);
const rightUnsigned = shift(SIMD.i32x4ShrU);
/** `a` where the mask is set, else `b`. */
const select =
  (mask: Vector, a: Vector, b: Vector): Vector =>
  (code) => {
    a(code);
    b(code);
    mask(code);
    code.simd(SIMD.bitselect);
  };
/** As `select`, but `a` is evaluated only where some lane needs it. */
const selectSeldom =
  (mask: Vector, a: Vector, b: Vector): Vector =>
  (code) => {
    mask(code);
    code.simd(SIMD.anyTrue).if(V128);
    select(mask, a, b)(code);
    code.op(OP.else);
    b(code);
    code.op(OP.end);
  };
/** Horner's rule, highest coefficient first. */
const polynomial = (x: Vector, coefficients: readonly number[]): Vector =>
  coefficients.slice(1).reduce<Vector>((sum, c) => add(mul(sum, x), number(c)), number(coefficients[0] ?? 0));

export type MathFunction =
  "exp" | "expm1" | "log" | "log1p" | "tanh" | "sigmoid" | "softplus" | "erf" | "erfc" | "sin" | "cos" | "pow";

type Call = (name: MathFunction, ...args: Vector[]) => Vector;
/** Keeps a vector in a new local and returns how to read it. */
type Keep = (value: Vector) => Vector;
type Definition = (arguments_: Vector[], keep: Keep, call: Call) => Vector;

const unary =
  (define: (x: Vector, keep: Keep, call: Call) => Vector): Definition =>
  ([x], keep, call) =>
    define(x ?? number(0), keep, call);

const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;
const power2 = (n: Vector): Vector => left(addInteger(n, integer(127)), 23);

/** 1.5·2²³: added to a number below 2²², it leaves the nearest integer in the low bits. */
const ROUNDING = 12_582_912;
const ROUNDING_BITS = 0x4b400000;

/** n and exp(r) − 1 of x = n·ln 2 + r. */
function reduceExp(x: Vector, keep: Keep): { n: Vector; tail: Vector } {
  const rounded = keep(add(mul(x, number(Math.LOG2E)), number(ROUNDING)));
  const n = keep(sub(rounded, number(ROUNDING)));
  const r = keep(sub(sub(x, mul(n, number(LN2_HIGH))), mul(n, number(LN2_LOW))));
  const p = polynomial(
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  );
  return { n: keep(subInteger(rounded, integer(ROUNDING_BITS))), tail: keep(add(mul(mul(p, r), r), r)) };
}

/** exp(x) − 1 from −50 to 50. */
function expm1Within(x: Vector, keep: Keep): Vector {
  const { n, tail } = reduceExp(x, keep);
  const scale = keep(power2(n));
  return add(mul(scale, tail), sub(scale, number(1)));
}

const SQRT_HALF = Math.SQRT1_2;

/** Up to here π/2 in three parts is exact enough to be taken off n times. */
const FAR = 8192;

function sinCos(x: Vector, keep: Keep, quarter: number): Vector {
  const size = keep(abs(x));
  const far = keep(and(lessEqual(number(FAR), size), less(size, number(Infinity))));
  const n = keep(nearest(mul(x, number(2 / Math.PI))));
  const near = keep(
    sub(
      sub(sub(x, mul(n, number(1.5703125))), mul(n, number(4.837512969970703e-4))),
      mul(n, number(7.549789948768648e-8)),
    ),
  );
  const r = keep(selectSeldom(far, farAngle(x), near));
  const z = keep(mul(r, r));
  const s = add(mul(mul(polynomial(z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]), z), r), r);
  const c = add(
    sub(
      mul(mul(polynomial(z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]), z), z),
      mul(z, number(0.5)),
    ),
    number(1),
  );
  const q = keep(addInteger(selectSeldom(far, farQuarters(x), toInteger(n)), integer(quarter)));
  const odd = subInteger(integer(0), and(q, integer(1)));
  return xor(select(odd, c, s), left(and(q, integer(2)), 30));
}

const DEFINITIONS: { readonly [F in MathFunction]: Definition } = {
  exp: unary((x, keep) => {
    const clamped = keep(min(max(x, number(-104)), number(89)));
    const { n, tail } = reduceExp(clamped, keep);
    const half = keep(right(n, 1));
    const scaled = mul(mul(add(tail, number(1)), power2(half)), power2(subInteger(n, half)));
    return select(less(clamped, number(-87.33654)), number(0), scaled);
  }),
  expm1: unary((x, keep, call) => {
    const small = keep(expm1Within(keep(min(max(x, number(-50)), number(50))), keep));
    return select(less(number(50), x), call("exp", x), small);
  }),
  log: unary((x, keep) => {
    const tiny = keep(less(x, number(1.17549435e-38)));
    const normal = keep(select(tiny, mul(x, number(2 ** 23)), x));
    const mantissa = keep(or(and(normal, integer(0x007fffff)), integer(0x3f000000)));
    const low = keep(less(mantissa, number(SQRT_HALF)));
    const exponent = subInteger(rightUnsigned(normal, 23), integer(126));
    const e = keep(sub(sub(toFloat(exponent), and(low, number(1))), and(tiny, number(23))));
    const m = keep(sub(add(mantissa, and(low, mantissa)), number(1)));
    const z = keep(mul(m, m));
    const p = polynomial(
      m,
      [
        7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
        2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
      ],
    );
    const y = sub(add(mul(mul(m, z), p), mul(e, number(LN2_LOW))), mul(z, number(0.5)));
    const value = keep(add(add(m, y), mul(e, number(LN2_HIGH))));
    const finite = select(equal(x, number(Infinity)), number(Infinity), value);
    const positive = select(equal(x, number(0)), number(-Infinity), finite);
    return select(less(x, number(0)), number(NaN), or(positive, xor(equal(x, x), integer(-1))));
  }),
  log1p: unary((x, keep, call) => {
    const u = keep(add(x, number(1)));
    const corrected = keep(sub(call("log", u), div(sub(sub(u, number(1)), x), u)));
    return select(or(equal(x, number(Infinity)), equal(u, number(0))), call("log", u), corrected);
  }),
  tanh: unary((x, keep) => {
    const e = keep(expm1Within(keep(min(mul(abs(x), number(2)), number(20))), keep));
    return or(div(e, add(e, number(2))), and(x, integer(-0x80000000)));
  }),
  sigmoid: unary((x, _keep, call) => div(number(1), add(number(1), call("exp", neg(x))))),
  softplus: unary((x, _keep, call) => add(max(x, number(0)), call("log1p", call("exp", neg(abs(x)))))),
  erf: unary((x, keep) => {
    const c = keep(min(max(x, number(-4)), number(4)));
    const z = keep(mul(c, c));
    const p = polynomial(
      z,
      [
        -2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4,
        -2.95459980854025e-3, -1.60960333262415e-2,
      ],
    );
    const q = polynomial(
      z,
      [-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2],
    );
    return div(mul(c, p), q);
  }),
  // exp(−x²) · t · P(t) with t = 1/(1 + |x|/2), and 2 less that below 0.
  erfc: unary((x, keep, call) => {
    const a = keep(min(abs(x), number(16)));
    const t = keep(div(number(1), add(mul(a, number(0.5)), number(1))));
    const p = polynomial(
      t,
      [
        -0.05912459642, 0.2848469913, -0.4877645075, 0.278714776, -0.02707304992, 0.2028767467, 0.2430556118,
        0.2823819518, 0.2820860445,
      ],
    );
    // What rounding takes from the square matters in the exponent: a = h + l, and h·h is exact.
    const h = keep(and(a, integer(-4096)));
    const l = keep(sub(a, h));
    const squared = keep(mul(a, a));
    const lost = add(add(sub(mul(h, h), squared), mul(mul(h, l), number(2))), mul(l, l));
    const power = mul(call("exp", neg(squared)), sub(number(1), lost));
    const positive = keep(mul(power, mul(t, p)));
    return select(less(x, number(0)), sub(number(2), positive), positive);
  }),
  sin: unary((x, keep) => sinCos(x, keep, 0)),
  cos: unary((x, keep) => sinCos(x, keep, 1)),
  pow: ([base, exponent], keep, call) => {
    const [a, b] = [base ?? number(0), exponent ?? number(0)];
    const size = keep(call("exp", mul(b, call("log", abs(a)))));
    const whole = equal(floor(b), b);
    // From 2²⁴ on every float is even.
    const oddSign = and(left(and(toInteger(b), integer(1)), 31), less(abs(b), number(2 ** 24)));
    const finite = and(less(a, number(0)), less(number(-Infinity), a));
    const rootOf = select(finite, number(NaN), size);
    const negative = keep(select(whole, xor(size, oddSign), rootOf));
    // Asked of the sign bit, which −0 has, too.
    return select(equal(b, number(0)), number(1), select(right(a, 31), negative, size));
  },
};

/** Adds the functions that are asked for, each once. */
export class MathLibrary {
  readonly #indices = new Map<MathFunction, number>();

  constructor(readonly module: WasmModule) {}

  index(name: MathFunction): number {
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    const arity = name === "pow" ? 2 : 1;
    const index = this.module.declare();
    this.#indices.set(name, index);
    const code = this.module.newCode(arity);
    const keep: Keep = (value) => {
      const kept = code.newLocal(V128);
      value(code);
      code.set(kept);
      return local(kept);
    };
    const call: Call =
      (other, ...args) =>
      (target) => {
        for (const arg of args) arg(target);
        target.call(this.index(other));
      };
    const parameters = Array.from({ length: arity }, (_, i) => i);
    DEFINITIONS[name](parameters.map(local), keep, call)(code);
    this.module.define(
      index,
      parameters.map(() => V128),
      [V128],
      code,
    );
    return index;
  }
}
