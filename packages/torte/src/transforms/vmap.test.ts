/** A batch of examples beside each example by itself: for every primitive, for chains of them, nested, differentiated. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { evaluate } from "../backends/reference/index.js";
import { rewriteNodes } from "../compile/rewrite/rewrite.js";
import { constant, iota, read } from "../graph/make.js";
import { type Node, type Primitive, State, topological } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { type Drawing, drawing, drawChain, drawn, GRAPHS } from "../testing/arbitrary.js";
import { compareBackends, stateOf } from "../testing/compare.js";
import { arrayOf, Tensor } from "../tensor/tensor.js";
import { sizeOf } from "../tensor/shape.js";
import { grad } from "./gradient.js";
import { vmap } from "./vmap.js";

/** A graph as a function of its leaves. */
function functionOf(outputs: readonly Node[], leaves: readonly Node[]): (...args: readonly Node[]) => Node[] {
  const numbers = new Map(leaves.map((leaf, i) => [stateOf(leaf), i]));
  return (...args) =>
    rewriteNodes(outputs, (node) => {
      const i = node.op === "state" ? numbers.get(node.attributes.state) : undefined;
      return i === undefined ? node : (args[i] ?? node);
    });
}

const leavesOf = (outputs: readonly Node[]): Node[] => {
  const byState = new Map<State, Node>();
  for (const node of topological(outputs))
    if (node.op === "state" && !byState.has(node.attributes.state)) byState.set(node.attributes.state, node);
  return [...byState.values()];
};

/** The same values in another order for each example: they stay in their domain. */
function example({ data, shape, dtype }: Tensor, number: number): Tensor {
  const values = arrayOf(dtype, data.length);
  data.forEach((_, i) => (values[i] = data[(i + 7 * number) % data.length] ?? 0));
  return new Tensor(values, shape, dtype);
}

/** Examples along the axis. */
function stacked(examples: readonly Tensor[], axis: number): Tensor {
  const [{ shape, dtype }] = examples as [Tensor];
  const whole = [...shape.slice(0, axis), examples.length, ...shape.slice(axis)];
  const result = arrayOf(dtype, sizeOf(whole));
  const inner = sizeOf(shape.slice(axis));
  examples.forEach(({ data }, number) => {
    data.forEach((value, i) => {
      const outer = Math.floor(i / inner);
      result[(outer * examples.length + number) * inner + (i % inner)] = value;
    });
  });
  return new Tensor(result, whole, dtype);
}

const valuesOf = (nodes: readonly Node[], data: ReadonlyMap<State, Tensor>): Tensor[] => {
  const states = new Map(
    [...data].map(([state, { shape, dtype, data: values }]) => [
      state,
      { shape, data: dtype === "float32" ? Float64Array.from(values) : (values as Int32Array | Uint8Array) },
    ]),
  );
  return evaluate(nodes, states).map(
    ({ data: values }, i) =>
      new Tensor(
        values,
        nodes[i]?.shape ?? [],
        nodes[i]?.dtype === "float32" ? "float64" : (nodes[i]?.dtype ?? "bool"),
      ),
  );
};

interface Question {
  readonly f: (...args: readonly Node[]) => Node[];
  readonly leaves: readonly Node[];
  readonly data: ReadonlyMap<State, Tensor>;
}

/** Some leaves, at least one if there are any, and the axis of their examples. */
function chooseAxes(d: Drawing, leaves: readonly Node[]): (number | null)[] {
  const all = leaves.map(({ shape }) => d.int(0, shape.length));
  const chosen = all.map((axis) => (d.rarely(3) ? null : axis));
  return chosen.some((axis) => axis !== null) ? chosen : all;
}

/** vmap(f)(X) beside the stacked f(xᵢ), on the interpreter, and on the compiled backend. */
async function check(d: Drawing, { f, leaves, data }: Question, compiled: boolean): Promise<void> {
  const size = d.int(1, 4);
  // One more, so that there is always something to map over.
  const extra = { state: new State("extra", [size], "float32"), value: new Float32Array(size).fill(1) };
  const axes = chooseAxes(d, leaves);
  const batch = new Map<State, Tensor>([[extra.state, new Tensor(extra.value, [size], "float32")]]);
  const examples = Array.from({ length: size }, () => new Map<State, Tensor>());
  const args = leaves.map((leaf, i) => {
    const [state, axis] = [stateOf(leaf), axes[i] ?? null];
    const value = data.get(state) ?? new Tensor(arrayOf(leaf.dtype, sizeOf(leaf.shape)), leaf.shape, leaf.dtype);
    const own = examples.map((each, number) => {
      const one = axis === null ? value : example(value, number);
      each.set(state, one);
      return one;
    });
    if (axis === null) {
      batch.set(state, value);
      return leaf;
    }
    const whole = stacked(own, axis);
    const mapped = new State(state.name, whole.shape, leaf.dtype);
    batch.set(mapped, whole);
    return read(mapped);
  });
  const all = (...given: readonly Node[]): Node[] => f(...given.slice(1));
  const mapped = vmap(all, { in: [0, ...axes], randomness: "same" })(read(extra.state), ...args);
  const expected = examples.map((each) => valuesOf(f(...leaves), each));
  const actual = valuesOf(mapped, batch);
  actual.forEach((output, i) => {
    const wanted = stacked(
      expected.map((outputs) => outputs[i] as Tensor),
      0,
    );
    expect(output.shape).toEqual(wanted.shape);
    wanted.data.forEach((value, k) => {
      const got = output.data[k] ?? NaN;
      if (!Object.is(got, value) && !(Math.abs(got - value) <= 1e-12 * (1 + Math.abs(value))))
        expect.fail(`output ${i}[${k}]: ${got}, not ${value}`);
    });
  });
  if (!compiled) return;
  await compareBackends({ name: "vmap", outputs: mapped, updates: [] }, batch, {
    tolerance: { relative: 1e-4, absolute: 1e-4 },
  });
}

const forRandom = (numRuns: number, run: (d: Drawing) => Promise<void>, smooth = false): Promise<void> =>
  fc.assert(
    fc.asyncProperty(fc.gen(), (gen) => run(drawing(gen, smooth))),
    drawn(numRuns),
  );

const question = (d: Drawing, outputs: readonly Node[]): Question => {
  const leaves = leavesOf(outputs);
  return { f: functionOf(outputs, leaves), leaves, data: d.data };
};

/** f over two axes: one within the other. */
function nested({ f, leaves, data }: Question, d: Drawing): Question {
  const axes = chooseAxes(d, leaves);
  const size = 2;
  const extra = new State("inner", [size], "float32");
  const wider = leaves.map((leaf, i) => {
    const axis = axes[i] ?? null;
    if (axis === null) return leaf;
    return read(new State("wide", [...leaf.shape.slice(0, axis), size, ...leaf.shape.slice(axis)], leaf.dtype));
  });
  const values = new Map<State, Tensor>([[extra, new Tensor(new Float32Array(size), [size], "float32")]]);
  wider.forEach((leaf, i) => {
    const value = data.get(stateOf(leaves[i] as Node));
    const axis = axes[i] ?? null;
    if (value !== undefined)
      values.set(
        stateOf(leaf),
        axis === null
          ? value
          : stacked(
              Array.from({ length: size }, (_, number) => example(value, number + 1)),
              axis,
            ),
      );
  });
  const inner = (...given: readonly Node[]): Node[] => f(...given.slice(1));
  const g = vmap(inner, { in: [0, ...axes], randomness: "same" });
  return {
    f: (...args) => g(...([read(extra), ...args] as const)),
    leaves: wider,
    data: values,
  };
}

describe("each primitive", () => {
  it.each(Object.keys(GRAPHS) as Primitive[])("%s", async (op) => {
    await forRandom(8, async (d) => {
      const node = GRAPHS[op](d);
      if (sizeOf(node.shape) * 4 > 5000) return;
      await check(d, question(d, [node]), true);
    });
  });

  it.each(Object.keys(GRAPHS) as Primitive[])("%s, nested twice", async (op) => {
    await forRandom(5, async (d) => {
      const node = GRAPHS[op](d);
      if (sizeOf(node.shape) * 8 > 5000) return;
      await check(d, nested(question(d, [node]), d), false);
    });
  });
});

describe("chains of primitives", () => {
  it("over a batch", async () => {
    await forRandom(40, async (d) => {
      await check(d, question(d, drawChain(d, d.int(2, 8))), true);
    });
  });

  it("nested twice", async () => {
    await forRandom(25, async (d) => {
      await check(d, nested(question(d, drawChain(d, d.int(2, 6))), d), true);
    });
  });

  it("differentiated", async () => {
    await forRandom(25, async (d) => {
      const { f, leaves, data } = question(d, drawChain(d, d.int(2, 6)));
      const floats = leaves.flatMap(({ dtype }, i) => (dtype === "float32" ? [i] : []));
      if (floats.length === 0) return;
      const loss = (...args: readonly Node[]): Node =>
        f(...args).reduce((sum, node, i) => ops.add(sum, weighted(node, i)), constant(0));
      const g = grad(loss, { argument: floats });
      await check(d, { f: (...args) => g(...args), leaves, data }, true);
    });
  });
});

const weighted = (node: Node, seed: number): Node => {
  const flat = ops.cast(iota([sizeOf(node.shape)], 0), "float32");
  return ops.sum(ops.mul(ops.cast(node, "float32"), ops.reshape(ops.cos(ops.add(flat, seed)), node.shape)));
};
