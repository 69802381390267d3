/** Activations against mpmath (test/fixtures/activations.py): values over the whole range, derivatives at every corner. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/gradient.js";
import type { Backend } from "../backends/backend.js";
import { createReferenceBackend } from "../backends/reference/index.js";
import { createWasmBackend } from "../backends/wasm/session.js";
import { read } from "../graph/make.js";
import { type Node, State } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { Tensor } from "../tensor/tensor.js";
import * as activations from "./activations.js";
import { ACTIVATIONS, type Activation, type ActivationName } from "./activations.js";
import { sequential } from "../train/sequential.js";
import { input } from "./network.js";
import type { LayerFunction } from "./layer.js";
import * as L from "./layers/index.js";

type Sides = readonly [below: number | null, above: number | null];
type Row = readonly [x: number, y: number | null, first?: Sides, second?: Sides];

const fixture = JSON.parse(
  readFileSync(new URL("../../test/fixtures/activations.json", import.meta.url), "utf8"),
) as Record<string, readonly Row[]>;

/** With options that are not the defaults. */
const OTHERS: Readonly<Record<string, Activation>> = {
  "elu(0.5)": activations.elu(0.5),
  "celu(2)": activations.celu(2),
  "gelu(approximate)": activations.gelu({ approximate: true }),
  "gelu(mu 1, sigma 2)": activations.gelu({ mu: 1, sigma: 2 }),
  "squareplus(1e-6)": activations.squareplus(1e-6),
  "squareplus(1e6)": activations.squareplus(1e6),
};
/** Not of one number each; below they are looked at by themselves. */
const OVER_AN_AXIS: readonly string[] = ["glu", "softmax", "logSoftmax", "sparsemax"];
/** Other names. */
const ALIASES: Readonly<Record<string, string>> = { silu: "swish", hardSilu: "hardSwish" };

const BACKENDS: readonly (readonly [string, Backend])[] = [
  ["reference", createReferenceBackend()],
  ["wasm", createWasmBackend({ precision: "fast", threads: 1 })],
];

async function evaluate(backend: Backend, x: readonly number[], outputs: (x: Node) => Node[]): Promise<number[][]> {
  const state = new State("x", [x.length], "float32");
  const session = backend.createSession();
  await session.allocate([state]);
  await session.write(state, new Tensor(Float32Array.from(x), [x.length], "float32"));
  const program = { name: "activation", outputs: outputs(read(state)), updates: [] };
  const results = await session.run(await session.compile(program));
  await session.close();
  return results.map(({ data }) => [...data]);
}

const differentiated = (y: Node, x: Node): Node => gradients(ops.sum(y), [x])[0] ?? x;

const named = (name: string): Activation => {
  const factory: () => Activation = ACTIVATIONS[name as ActivationName];
  return OTHERS[name] ?? factory();
};
const names = [...Object.keys(ACTIVATIONS), ...Object.keys(OTHERS)].filter((name) => !OVER_AN_AXIS.includes(name));
const cases = BACKENDS.flatMap(([title, backend]) => names.map((name) => [name, title, backend] as const));

const DENORMAL = 2 ** -126;
/** Between the derivatives of the two sides, where they differ. */
function isWithin(actual: number, sides: Sides, tolerance: number): boolean {
  const [low, high] = [
    Math.min(...sides.map((side) => side ?? Infinity)),
    Math.max(...sides.map((side) => side ?? -Infinity)),
  ];
  const slack = tolerance * (1 + Math.max(Math.abs(low), Math.abs(high)));
  return actual >= low - slack && actual <= high + slack;
}

describe("activations", () => {
  it.each(cases)(
    "%s is exact to a few units in the last place, near 0 and far out, on %s",
    async (name, _, backend) => {
      const rows = fixture[ALIASES[name] ?? name] ?? [];
      expect(rows.length).toBeGreaterThan(50);
      const [y = []] = await evaluate(
        backend,
        rows.map(([x]) => x),
        (x) => [named(name)(x)],
      );
      rows.forEach(([x, expected, [slope] = [0, 0]], i) => {
        const actual = y[i] ?? NaN;
        const what = `${name}(${x}): expected ${expected ?? "overflow"}, received ${actual}`;
        if (expected === null) expect(Math.abs(actual), what).toBeGreaterThan(3.4e38);
        else
          expect(Math.abs(actual - expected), what).toBeLessThanOrEqual(
            // What rounding of the argument makes of it, and what the rest adds.
            3e-7 * Math.abs(x * (slope ?? 0)) + 1.5e-6 * Math.abs(expected) + DENORMAL,
          );
      });
    },
  );

  it.each(cases)(
    "%s has its derivatives, those at corners from one side or the other, on %s",
    async (name, _, backend) => {
      const rows = (fixture[ALIASES[name] ?? name] ?? []).filter(([, , first]) => first !== undefined);
      const [first = [], second = []] = await evaluate(
        backend,
        rows.map(([x]) => x),
        (x) => {
          const once = differentiated(named(name)(x), x);
          return [once, differentiated(once, x)];
        },
      );
      rows.forEach(([x, , one, two], i) => {
        const what = `of ${name}(${x}): expected ${JSON.stringify([one, two])}, received ${first[i] ?? NaN}, ${second[i] ?? NaN}`;
        if (one !== undefined) expect(isWithin(first[i] ?? NaN, one, 2e-6), `first ${what}`).toBe(true);
        if (two !== undefined) expect(isWithin(second[i] ?? NaN, two, 1e-5), `second ${what}`).toBe(true);
      });
    },
  );

  it.each(cases)("%s keeps a NaN, on %s", async (name, _, backend) => {
    const [y = []] = await evaluate(backend, [NaN, 1, NaN, NaN, NaN], (x) => [named(name)(x)]);
    expect(y.map(Number.isNaN)).toEqual([true, false, true, true, true]);
  });

  it.each(BACKENDS)("elu, celu and selu let a layer start that has zero kernels, on %s", async (_, backend) => {
    const slopes = [activations.elu(0.3), activations.celu(3), activations.selu];
    const values = await evaluate(backend, [0, -0], (x) => slopes.map((call) => differentiated(call(x), x)));
    [0.3, 1, 1.7580993408473766].forEach((slope, i) => {
      expect(values[i]?.[0]).toBeCloseTo(slope, 6);
      expect(values[i]?.[1]).toBeCloseTo(slope, 6);
    });
  });
});

const OFFSETS = [0, 1, -1e4, 1e6, 1e7, -1e7, 1e30, -3e38];

describe("a common offset changes nothing", () => {
  // Multiples of 1, so that the sums with 1e7 are exact.
  const logits = [3, 0, 1, 3, -5];
  const exact = (): { softmax: number[]; log: number[] } => {
    const total = logits.reduce((sum, z) => sum + Math.exp(z - 3), 0);
    const log = logits.map((z) => z - 3 - Math.log(total));
    return { softmax: log.map(Math.exp), log };
  };
  it.each(BACKENDS.flatMap(([title, backend]) => OFFSETS.map((offset) => [offset, title, backend] as const)))(
    "of %s to the logits of softmax, its logarithm and sparsemax, on %s",
    async (offset, _, backend) => {
      // Beyond 2²⁴ the differences are lost in the data: three equal logits then.
      const far = Math.abs(offset) > 1e7;
      const x = (far ? [0, 0, 0] : logits).map((z) => Math.fround(z + offset));
      const values = await evaluate(backend, x, (node) => [
        ops.softmax(node),
        ops.logSoftmax(node),
        activations.sparsemax(node),
        ops.sub(ops.logSumExp(node), ops.max(node)),
      ]);
      const third = [1 / 3, 1 / 3, 1 / 3];
      const { softmax, log } = exact();
      const expected = far
        ? [third, third.map(Math.log), third, [Math.log(3)]]
        : [softmax, log, [0.5, 0, 0, 0.5, 0], [-(log[0] ?? 0)]];
      // log Σ itself is as coarse as the offset is large.
      expected.slice(0, 3).forEach((row, i) => {
        row.forEach((value, k) => {
          expect(Math.abs((values[i]?.[k] ?? NaN) - value), `${i}, ${k}`).toBeLessThanOrEqual(
            1e-6 * (0.1 + Math.abs(value)),
          );
        });
      });
      expect(Math.abs((values[3]?.[0] ?? NaN) - (expected[3]?.[0] ?? 0))).toBeLessThanOrEqual(
        1e-6 + 2 ** -23 * Math.abs(offset),
      );
    },
  );

  it.each(BACKENDS)("and log Σ of infinite logits is infinite, on %s", async (_, backend) => {
    const of = async (...x: number[]): Promise<number | undefined> =>
      (await evaluate(backend, x, (node) => [ops.logSumExp(node)]))[0]?.[0];
    expect(await of(-Infinity, -Infinity)).toBe(-Infinity);
    expect(await of(Infinity, 1)).toBe(Infinity);
    expect(await of(-Infinity, 1)).toBe(1);
    expect(await of(NaN, 1)).toBe(NaN);
  });

  it.each(BACKENDS)("NaN among them leaves no number, on %s", async (_, backend) => {
    const values = await evaluate(backend, [1, NaN, 2], (x) => [
      ops.softmax(x),
      ops.logSoftmax(x),
      activations.sparsemax(x),
    ]);
    expect(values.flat().every(Number.isNaN)).toBe(true);
  });
});

describe("layers that are functions", () => {
  // A model takes no NaN as data.
  const nanFor9 = (): LayerFunction => L.lambda((x) => ops.where(ops.equal(x, 9), NaN, x));
  const LAYERS = {
    relu: () => L.relu(),
    "relu up to 6": () => L.relu({ maxValue: 6 }),
    "relu with a slope": () => L.relu({ negativeSlope: 0.1, maxValue: 6 }),
    "relu from 1 on": () => L.relu({ threshold: 1 }),
    "relu from 1 on with a slope": () => L.relu({ threshold: 1, negativeSlope: 0.5 }),
    leakyRelu: () => L.leakyRelu(),
    elu: () => L.elu({ alpha: 0.5 }),
    prelu: () => L.prelu({ alphaInitializer: "ones" }),
    maximum: () => L.activation("relu6"),
  };
  const expected: Record<keyof typeof LAYERS, readonly number[]> = {
    relu: [0, 0, 0, 0.5, 1, 7],
    "relu up to 6": [0, 0, 0, 0.5, 1, 6],
    "relu with a slope": [-0.2, -0.05, 0, 0.5, 1, 6],
    "relu from 1 on": [0, 0, 0, 0, 1, 7],
    "relu from 1 on with a slope": [-1.5, -0.75, -0.5, -0.25, 1, 7],
    leakyRelu: [-0.6, -0.15, 0, 0.5, 1, 7],
    elu: [0.5 * Math.expm1(-2), 0.5 * Math.expm1(-0.5), 0, 0.5, 1, 7],
    prelu: [-2, -0.5, 0, 0.5, 1, 7],
    maximum: [0, 0, 0, 0.5, 1, 6],
  };
  it.each(
    (["reference", "wasm"] as const).flatMap((backend) =>
      (Object.keys(LAYERS) as (keyof typeof LAYERS)[]).map((name) => [name, backend] as const),
    ),
  )("%s keeps a NaN and has its values, on %s", async (name, backend) => {
    const model = sequential(input({ shape: [7] }), nanFor9(), LAYERS[name](), { backend, threads: 1 });
    const y = await model.predict(new Tensor(Float32Array.of(-2, -0.5, 0, 0.5, 1, 7, 9), [1, 7], "float32"));
    expected[name].forEach((value, i) => {
      expect(y.data[i], name).toBeCloseTo(value, 6);
    });
    expect(y.data[6]).toBe(NaN);
  });
});
