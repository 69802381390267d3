/**
 * Elementary functions on vectors of float32, in the operations that every target has: the compiled targets give the same bits
 * because they compute the same formulas.
 *
 * Polynomials and reductions after Cephes (S. L. Moshier, single precision); erf by the rational approximation that
 * Eigen uses; angles far out after Payne and Hanek 1983. Results are within a few units in the last place; math.test.ts holds
 * them against float64.
 */
export const MATH_FUNCTIONS = [
  "exp",
  "expm1",
  "log",
  "log1p",
  "tanh",
  "sigmoid",
  "softplus",
  "erf",
  "erfc",
  "sin",
  "cos",
  "pow",
] as const;

export type MathFunction = (typeof MATH_FUNCTIONS)[number];

/** Whether a primitive is written as a formula: every target calls it as a function, and has no code of its own for it. */
export const isMathFunction = (primitive: string): primitive is MathFunction =>
  (MATH_FUNCTIONS as readonly string[]).includes(primitive);

/** Operations on vectors of 32-bit lanes, floats or integers; a comparison sets all bits of a lane, or none. */
export interface VectorOps<V> {
  readonly number: (value: number) => V;
  readonly integer: (word: number) => V;
  readonly add: (a: V, b: V) => V;
  readonly sub: (a: V, b: V) => V;
  readonly mul: (a: V, b: V) => V;
  readonly div: (a: V, b: V) => V;
  /** Of a vector and a constant, NaN where the vector is. */
  readonly min: (a: V, b: V) => V;
  readonly max: (a: V, b: V) => V;
  readonly less: (a: V, b: V) => V;
  readonly lessEqual: (a: V, b: V) => V;
  readonly equal: (a: V, b: V) => V;
  readonly and: (a: V, b: V) => V;
  readonly or: (a: V, b: V) => V;
  readonly xor: (a: V, b: V) => V;
  readonly abs: (a: V) => V;
  readonly neg: (a: V) => V;
  /** The nearest whole number, of two the even one. */
  readonly nearest: (a: V) => V;
  readonly floor: (a: V) => V;
  /** Towards zero; the nearest that there is, and 0 for NaN. */
  readonly toInteger: (a: V) => V;
  readonly toFloat: (a: V) => V;
  readonly addInteger: (a: V, b: V) => V;
  readonly subInteger: (a: V, b: V) => V;
  readonly left: (a: V, by: number) => V;
  readonly right: (a: V, by: number) => V;
  readonly rightUnsigned: (a: V, by: number) => V;
  /** `a` where the mask is set, else `b`. */
  readonly select: (mask: V, a: V, b: V) => V;
  /** As `select`, but `a` is evaluated only where some lane needs it. */
  readonly selectSeldom: (mask: V, a: V, b: V) => V;
  /** Of angles beyond the reach of a subtraction: what is left after whole quarters of a turn, and how many these are modulo 4. */
  readonly farAngle: (x: V) => V;
  readonly farQuarters: (x: V) => V;
  /** Keeps a value that is used several times. */
  readonly keep: (value: V) => V;
  readonly call: (name: MathFunction, x: V) => V;
}

type Definition = <V>(ops: VectorOps<V>, x: V, y: V) => V;

/** Horner's rule, highest coefficient first. */
const polynomial = <V>({ add, mul, number }: VectorOps<V>, x: V, coefficients: readonly number[]): V =>
  coefficients.slice(1).reduce<V>((sum, c) => add(mul(sum, x), number(c)), number(coefficients[0] ?? 0));

const LN2_HIGH = 0.693359375;
const LN2_LOW = -2.1219444e-4;

const power2 = <V>({ left, addInteger, integer }: VectorOps<V>, n: V): V => left(addInteger(n, integer(127)), 23);

/** 1.5·2²³: added to a number below 2²², it leaves the nearest integer in the low bits. */
const ROUNDING = 12_582_912;
const ROUNDING_BITS = 0x4b400000;

/** n and exp(r) − 1 of x = n·ln 2 + r. */
function reduceExp<V>(ops: VectorOps<V>, x: V): { n: V; tail: V } {
  const { add, sub, mul, number, integer, subInteger, keep } = ops;
  const rounded = keep(add(mul(x, number(Math.LOG2E)), number(ROUNDING)));
  const n = keep(sub(rounded, number(ROUNDING)));
  const r = keep(sub(sub(x, mul(n, number(LN2_HIGH))), mul(n, number(LN2_LOW))));
  const p = polynomial(
    ops,
    r,
    [1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1],
  );
  return { n: keep(subInteger(rounded, integer(ROUNDING_BITS))), tail: keep(add(mul(mul(p, r), r), r)) };
}

/** exp(x) − 1 from −50 to 50. */
function expm1Within<V>(ops: VectorOps<V>, x: V): V {
  const { add, sub, mul, number, keep } = ops;
  const { n, tail } = reduceExp(ops, x);
  const scale = keep(power2(ops, n));
  return add(mul(scale, tail), sub(scale, number(1)));
}

const SQRT_HALF = Math.SQRT1_2;

/** Up to here π/2 in three parts is exact enough to be taken off n times. */
const FAR = 8192;

function sinCos<V>(ops: VectorOps<V>, x: V, quarter: number): V {
  const { add, sub, mul, number, integer, abs, and, xor, less, lessEqual, nearest, left, select, selectSeldom } = ops;
  const { addInteger, subInteger, toInteger, keep } = ops;
  const size = keep(abs(x));
  const far = keep(and(lessEqual(number(FAR), size), less(size, number(Infinity))));
  const n = keep(nearest(mul(x, number(2 / Math.PI))));
  const near = keep(
    sub(
      sub(sub(x, mul(n, number(1.5703125))), mul(n, number(4.837512969970703e-4))),
      mul(n, number(7.549789948768648e-8)),
    ),
  );
  const r = keep(selectSeldom(far, ops.farAngle(x), near));
  const z = keep(mul(r, r));
  const s = add(mul(mul(polynomial(ops, z, [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1]), z), r), r);
  const c = add(
    sub(
      mul(mul(polynomial(ops, z, [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2]), z), z),
      mul(z, number(0.5)),
    ),
    number(1),
  );
  const q = keep(addInteger(selectSeldom(far, ops.farQuarters(x), toInteger(n)), integer(quarter)));
  const odd = subInteger(integer(0), and(q, integer(1)));
  return xor(select(odd, c, s), left(and(q, integer(2)), 30));
}

const DEFINITIONS: { readonly [F in MathFunction]: Definition } = {
  exp: (ops, x) => {
    const { add, mul, number, min, max, right, less, subInteger, select, keep } = ops;
    const clamped = keep(min(max(x, number(-104)), number(89)));
    const { n, tail } = reduceExp(ops, clamped);
    const half = keep(right(n, 1));
    const scaled = mul(mul(add(tail, number(1)), power2(ops, half)), power2(ops, subInteger(n, half)));
    return select(less(clamped, number(-87.33654)), number(0), scaled);
  },
  expm1: (ops, x) => {
    const { number, min, max, less, select, keep, call } = ops;
    const small = keep(expm1Within(ops, keep(min(max(x, number(-50)), number(50)))));
    return select(less(number(50), x), call("exp", x), small);
  },
  log: (ops, x) => {
    const { add, sub, mul, number, integer, and, or, xor, less, equal, select, keep } = ops;
    const { subInteger, rightUnsigned, toFloat } = ops;
    const tiny = keep(less(x, number(1.17549435e-38)));
    const normal = keep(select(tiny, mul(x, number(2 ** 23)), x));
    const mantissa = keep(or(and(normal, integer(0x007fffff)), integer(0x3f000000)));
    const low = keep(less(mantissa, number(SQRT_HALF)));
    const exponent = subInteger(rightUnsigned(normal, 23), integer(126));
    const e = keep(sub(sub(toFloat(exponent), and(low, number(1))), and(tiny, number(23))));
    const m = keep(sub(add(mantissa, and(low, mantissa)), number(1)));
    const z = keep(mul(m, m));
    const p = polynomial(
      ops,
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
  },
  log1p: (ops, x) => {
    const { add, sub, div, number, or, equal, select, keep, call } = ops;
    const u = keep(add(x, number(1)));
    const corrected = keep(sub(call("log", u), div(sub(sub(u, number(1)), x), u)));
    return select(or(equal(x, number(Infinity)), equal(u, number(0))), call("log", u), corrected);
  },
  tanh: (ops, x) => {
    const { add, mul, div, number, integer, min, abs, and, or, keep } = ops;
    const e = keep(expm1Within(ops, keep(min(mul(abs(x), number(2)), number(20)))));
    return or(div(e, add(e, number(2))), and(x, integer(-0x80000000)));
  },
  sigmoid: ({ add, div, number, neg, call }, x) => div(number(1), add(number(1), call("exp", neg(x)))),
  softplus: ({ add, number, max, neg, abs, call }, x) =>
    add(max(x, number(0)), call("log1p", call("exp", neg(abs(x))))),
  erf: (ops, x) => {
    const { mul, div, number, min, max, keep } = ops;
    const c = keep(min(max(x, number(-4)), number(4)));
    const z = keep(mul(c, c));
    const p = polynomial(
      ops,
      z,
      [
        -2.72614225801306e-10, 2.77068142495902e-8, -2.10102402082508e-6, -5.69250639462346e-5, -7.34990630326855e-4,
        -2.95459980854025e-3, -1.60960333262415e-2,
      ],
    );
    const q = polynomial(
      ops,
      z,
      [-1.45660718464996e-5, -2.13374055278905e-4, -1.68282697438203e-3, -7.37332916720468e-3, -1.42647390514189e-2],
    );
    return div(mul(c, p), q);
  },
  // exp(−x²) · t · P(t) with t = 1/(1 + |x|/2), and 2 less that below 0.
  erfc: (ops, x) => {
    const { add, sub, mul, div, number, integer, min, abs, neg, and, less, select, keep, call } = ops;
    const a = keep(min(abs(x), number(16)));
    const t = keep(div(number(1), add(mul(a, number(0.5)), number(1))));
    const p = polynomial(
      ops,
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
  },
  sin: (ops, x) => sinCos(ops, x, 0),
  cos: (ops, x) => sinCos(ops, x, 1),
  pow: (ops, a, b) => {
    const { mul, number, integer, abs, and, xor, less, equal, left, right, select, keep, call } = ops;
    const size = keep(call("exp", mul(b, call("log", abs(a)))));
    const whole = equal(ops.floor(b), b);
    // From 2²⁴ on every float is even.
    const oddSign = and(left(and(ops.toInteger(b), integer(1)), 31), less(abs(b), number(2 ** 24)));
    const finite = and(less(a, number(0)), less(number(-Infinity), a));
    const rootOf = select(finite, number(NaN), size);
    const negative = keep(select(whole, xor(size, oddSign), rootOf));
    // Asked of the sign bit, which −0 has, too.
    return select(equal(b, number(0)), number(1), select(right(a, 31), negative, size));
  },
};

/** How many operands a function takes. */
export const arityOf = (name: MathFunction): number => (name === "pow" ? 2 : 1);

/** The function of `x`, and of `y` where it takes two operands, in the operations of a target. */
export const formula = <V>(name: MathFunction, ops: VectorOps<V>, x: V, y: V): V => DEFINITIONS[name](ops, x, y);
