import { describe, expect, it } from "vitest";
import { make, read } from "../../graph/make.js";
import { State } from "../../graph/node.js";
import { mixKey, uniformAt } from "../../tensor/random.js";
import { Tensor } from "../../tensor/tensor.js";
import { erf, erfc, sigmoid, softplus } from "../reference/functions.js";
import { createWasmBackend } from "./session.js";

const backend = createWasmBackend({ precision: "reproducible", threads: 1 });

/** Applies the compiled function to each of the points. */
async function compiled(op: keyof typeof UNARY | "pow" | "sqrt", ...arguments_: Float32Array[]): Promise<Float32Array> {
  const states = arguments_.map((points, i) => new State(`x${i}`, [points.length], "float32"));
  const session = backend.createSession();
  await session.allocate(states);
  for (const [i, state] of states.entries())
    await session.write(state, new Tensor(arguments_[i] ?? new Float32Array(), state.shape, "float32"));
  const program = { name: op, outputs: [make(op, states.map(read), {})], updates: [] };
  const [result] = await session.run(await session.compile(program));
  await session.close();
  if (!(result?.data instanceof Float32Array)) throw new RangeError("no result");
  return result.data;
}

/** Distance between the float32 numbers next to x. */
function ulp(x: number): number {
  const exponent = Math.floor(Math.log2(Math.max(Math.abs(Math.fround(x)), 2 ** -126)));
  return 2 ** (exponent - 23);
}

/** Infinities and NaN have to be met. */
const isClose = (actual: number, expected: number, within: number): boolean =>
  Number.isFinite(expected) ? Math.abs(actual - expected) <= within : Object.is(actual, expected);

/** Points evenly in value and, in both signs, evenly in exponent: `count` of each between the bounds. */
function points(low: number, high: number, count = 40_000): Float32Array {
  const key = mixKey(low * 1000, count, Math.round(high));
  const even = Array.from({ length: count }, (_, i) => low + (high - low) * uniformAt(key, i));
  const size = Math.log2(Math.max(Math.abs(low), Math.abs(high)));
  const scaled = even.map((_, i) => (i % 2 === 0 ? 1 : -1) * 2 ** (-100 + (size + 100) * uniformAt(key, count + i)));
  return Float32Array.from([...even, ...scaled.filter((x) => x >= low && x <= high)]);
}

interface Accuracy {
  readonly exact: (x: number) => number;
  /** Where results are neither infinite nor denormal. */
  readonly range: readonly [low: number, high: number];
  /** Units in the last place that the result may be away. */
  readonly ulps: number;
}

const UNARY = {
  exp: { exact: Math.exp, range: [-87, 88.7], ulps: 1 },
  expm1: { exact: Math.expm1, range: [-30, 88.7], ulps: 1.5 },
  log: { exact: Math.log, range: [1.2e-38, 3.4e38], ulps: 1 },
  log1p: { exact: Math.log1p, range: [-0.999999, 1e30], ulps: 2 },
  tanh: { exact: Math.tanh, range: [-12, 12], ulps: 2.5 },
  sigmoid: { exact: sigmoid, range: [-87, 40], ulps: 3 },
  softplus: { exact: softplus, range: [-87, 100], ulps: 2.5 },
  erf: { exact: erf, range: [-5, 5], ulps: 7 },
  erfc: { exact: erfc, range: [-5, 9], ulps: 6 },
  sin: { exact: Math.sin, range: [-100, 100], ulps: 2 },
  cos: { exact: Math.cos, range: [-100, 100], ulps: 2 },
} satisfies Record<string, Accuracy>;

describe("is near the exact value however large the angle is", () => {
  it.each(["sin", "cos"] as const)("%s", async (op) => {
    const key = mixKey(7, 8, 9);
    const drawn = Array.from({ length: 40_000 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 2 ** (6 + 122 * uniformAt(key, i)));
    // Next to multiples of π/2, where one of the two is small.
    const whole = Array.from(
      { length: 20_000 },
      (_, i) => (Math.PI / 2) * Math.floor(2 ** (24 * uniformAt(key, 2 * i))),
    );
    // Float32 numbers that come nearest to multiples of π/2.
    const nearest = [16367173 * 2 ** 72, 13370531 * 2 ** 11, 9585411 * 2 ** 78, 1e9, 1e22, 8191.9995, 8192, LARGEST];
    const x = Float32Array.from([...drawn, ...whole, ...nearest, ...nearest.map((at) => -at)]);
    const result = await compiled(op, x);
    x.forEach((at, i) => {
      const [expected, actual] = [Math[op](at), result[i] ?? NaN];
      // Small angles have three parts of π/2 taken off, which leaves this much.
      const rest = Math.abs(at) < 8192 ? 4e-15 * Math.abs(at) : 0;
      expect(
        isClose(actual, expected, 2 * ulp(expected) + rest),
        `${op}(${at}): expected ${expected}, received ${actual}`,
      ).toBe(true);
    });
  });

  it("and in each lane of a vector for itself", async () => {
    const x = Float32Array.of(0.5, 1e9, Infinity, -2e30, -1e9, NaN, 3, 4);
    const result = await compiled("sin", x);
    const alone = await Promise.all([...x].map(async (at) => (await compiled("sin", Float32Array.of(at)))[0]));
    expect([...result]).toEqual(alone);
    expect(result[1]).toBeCloseTo(0.5458434494486996, 7);
    expect([result[2], result[5]]).toEqual([NaN, NaN]);
  });
});

it("is held against an error function that is that of the tables", () => {
  // As computed by the C library, to ten digits.
  const table = [
    [0.02, 0.0225645747],
    [0.5, 0.5204998778],
    [1, 0.8427007929],
    [2, 0.995322265],
    [2.9, 0.9999589021],
    [3.1, 0.9999883513],
    [4, 0.9999999846],
  ] as const;
  for (const [x, value] of table) {
    expect(erf(x)).toBeCloseTo(value, 9);
    expect(erf(-x)).toBe(-erf(x));
    expect(erfc(x)).toBeCloseTo(1 - value, 9);
  }
  // By mpmath.
  const complements = [
    [1.9, 0.0072095707647425305],
    [2.1, 0.0029794666563329824],
    [5, 1.5374597944280349e-12],
    [9, 4.1370317465138103e-37],
  ] as const;
  for (const [x, value] of complements) expect(erfc(x) / value).toBeCloseTo(1, 11);
});

describe("is near the exact value", () => {
  it.each(Object.entries(UNARY) as [keyof typeof UNARY, Accuracy][])("%s", async (op, { exact, range, ulps }) => {
    const x = points(...range);
    const result = await compiled(op, x);
    let worst = { ulps: 0, x: 0, expected: 0, actual: 0 };
    x.forEach((at, i) => {
      const [expected, actual] = [exact(at), result[i] ?? NaN];
      const away = Math.abs(actual - expected) / ulp(expected);
      if (!(away <= worst.ulps)) worst = { ulps: away, x: at, expected, actual };
    });
    expect(worst.ulps, JSON.stringify(worst)).toBeLessThanOrEqual(ulps);
  });
});

const LARGEST = (2 - 2 ** -23) * 2 ** 127;
const SMALLEST = 2 ** -149;
const EXTREMES = [
  0,
  SMALLEST,
  1e-40,
  2 ** -126,
  1e-30,
  1e-8,
  1,
  16,
  50,
  87.33,
  88.72,
  88.73,
  104,
  1000,
  LARGEST,
  Infinity,
];

describe("ends well at extremes", () => {
  it.each(Object.entries(UNARY) as [keyof typeof UNARY, Accuracy][])("%s", async (op, { exact, ulps }) => {
    const x = Float32Array.from([...EXTREMES, ...EXTREMES.map((value) => -value), NaN]);
    const result = await compiled(op, x);
    x.forEach((at, i) => {
      const [expected, actual] = [Math.fround(exact(at)), result[i] ?? 0];
      const what = `${op}(${at}): expected ${expected}, received ${actual}`;
      // Results below the normal numbers may be zero.
      expect(isClose(actual, expected, ulps * ulp(expected) + 2 ** -126), what).toBe(true);
    });
  });
});

describe("pow", () => {
  const of = async (pairs: readonly (readonly [number, number])[]): Promise<number[]> => [
    ...(await compiled(
      "pow",
      Float32Array.from(pairs, ([base]) => base),
      Float32Array.from(pairs, ([, exponent]) => exponent),
    )),
  ];

  it("is near the exact value, by units that grow with the logarithm of the result", async () => {
    const key = mixKey(1, 2, 3);
    const draw = (i: number, low: number, high: number): number => Math.fround(low + (high - low) * uniformAt(key, i));
    const pairs = Array.from(
      { length: 20_000 },
      (_, i) => [Math.fround(10 ** draw(2 * i, -3, 3)), draw(2 * i + 1, -10, 10)] as const,
    );
    const result = await of(pairs);
    const worst = pairs.map(([base, exponent], i) => {
      const exact = base ** exponent;
      return Math.abs((result[i] ?? NaN) - exact) / ulp(exact) / (2 + 2 * Math.abs(Math.log(exact)));
    });
    expect(Math.max(...worst)).toBeLessThanOrEqual(1);
  });

  it("of negative numbers, zero, infinity and NaN", async () => {
    const bases = [-Infinity, -2, -1, -0.5, -0, 0, Math.fround(1e-40), 0.5, 1, 3, 1e30, Infinity, NaN];
    const odd = 2 ** 24 - 1;
    const exponents = [-Infinity, -LARGEST, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, odd, 2 ** 24, 3e9, Infinity, NaN];
    const pairs = bases.flatMap((base) => exponents.map((exponent) => [base, exponent] as const));
    const result = await of(pairs);
    pairs.forEach(([base, exponent], i) => {
      const [expected, actual] = [Math.fround(base ** exponent), result[i] ?? 0];
      expect(
        isClose(actual, expected, (4 + 2 * Math.abs(Math.log(Math.abs(expected) || 1))) * ulp(expected) + 2 ** -126),
        `${base} ** ${exponent}: expected ${expected}, received ${actual}`,
      ).toBe(true);
    });
  });
});
