/** Contents that travel with the request to run. */
import { describe, expect, it } from "vitest";
import { read } from "../graph/make.js";
import { State } from "../graph/node.js";
import * as ops from "../ops/index.js";
import { tensor } from "../tensor/tensor.js";
import type { Session } from "./backend.js";
import { createReferenceBackend } from "./reference/index.js";
import { createWasmBackend } from "./wasm/session.js";

const backends = [createReferenceBackend(), createWasmBackend({ precision: "fast", threads: 2 })];

describe.each(backends)("a run of the $name backend", (backend) => {
  const [x, sum] = [new State("x", [3], "float32"), new State("sum", [], "float32")];
  const next = ops.add(read(sum), ops.sum(read(x)));
  const program = { name: "sums", outputs: [next], updates: [{ state: sum, value: next }] };

  async function open(): Promise<{ session: Session; run: (...values: number[]) => Promise<number[]> }> {
    const session = backend.createSession();
    await session.allocate([x, sum]);
    const executable = await session.compile(program);
    const run = async (...values: number[]): Promise<number[]> => {
      const writes = [{ state: x, value: tensor(values) }];
      return [...((await session.run(executable, { steps: 2, writes }))[0]?.data ?? [])];
    };
    return { session, run };
  }

  it("writes before the first step, each run after the one before", async () => {
    const { session, run } = await open();
    expect(await Promise.all([run(1, 2, 3), run(10, 20, 30), run(0)])).toEqual([
      [6, 12],
      [72, 132],
      [182, 232],
    ]);
    await session.close();
  });

  it("is read after, and written before, as it was asked for", async () => {
    const { session, run } = await open();
    const [, , first, second] = await Promise.all([
      session.write(sum, tensor([100], { shape: [] })),
      run(1, 2, 3),
      session.read(sum),
      run(0, 0, 1),
    ]);
    expect([[...first.data], second]).toEqual([[112], [113, 114]]);
    await session.close();
  });

  it("refuses too many values, and does not run", async () => {
    const { session, run } = await open();
    await run(1, 2, 3);
    await expect(run(1, 2, 3, 4)).rejects.toThrow("x: wrong number of values: expected at most 3, received 4.");
    expect([...(await session.read(sum)).data]).toEqual([12]);
    await session.close();
  });
});

it.each(backends)("the $name backend tells the first state that is not finite", async (backend) => {
  const session = backend.createSession();
  // What is looked at by vectors, and what is left of them.
  const states = [100, 16, 5].map((size) => new State(`x${size}`, [size], "float32"));
  const whole = new State("whole", [1], "int32");
  await session.allocate([...states, whole]);
  const [first, second, third] = states;
  if (first === undefined || second === undefined || third === undefined) throw new Error("no states");
  // The bits of NaN, but a whole number; and the largest finite number.
  await session.write(whole, tensor([0x7fc00000], { dtype: "int32" }));
  await session.write(first, tensor([3.4028234663852886e38], { shape: [1] }), 4);
  const found = () => session.firstNotFinite([whole, ...states]);
  expect(await found()).toBeUndefined();
  for (const value of [NaN, Infinity, -Infinity]) {
    await session.write(third, tensor([value], { shape: [1] }), 4);
    expect(await found()).toBe(third);
  }
  await session.write(second, tensor([-Infinity], { shape: [1] }), 2);
  expect(await found()).toBe(second);
  expect(await session.firstNotFinite([third, second])).toBe(third);
  for (const place of [0, 50, 95, 99]) {
    await session.write(first, tensor([NaN], { shape: [1] }), place);
    expect(await found()).toBe(first);
    await session.write(first, tensor([-1e-45], { shape: [1] }), place);
    expect(await found()).toBe(second);
  }
  expect(await session.firstNotFinite([])).toBeUndefined();
  await session.close();
});

it("an error of the engine reaches all who wait", async () => {
  const session = createWasmBackend().createSession();
  const state = new State("x", [1], "float32");
  await session.allocate([state]);
  const executable = await session.compile({ name: "one", outputs: [read(state)], updates: [] });
  const run = () => session.run(executable, { writes: [{ state, value: tensor([1]) }] });
  const results = await Promise.allSettled([run(), session.close(), run(), run()]);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected"]);
  for (const result of results.slice(2))
    expect(result).toMatchObject({ reason: { message: expect.stringContaining("engine: no session") as unknown } });
});
