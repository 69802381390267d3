import { expect, it } from "vitest";
import type { Node } from "../../graph/node.js";
import * as ops from "../../ops/index.js";
import { Cases, stateOf } from "../../testing/compare.js";
import { createWasmBackend } from "./session.js";

const VALUES = [0, -0, 1, -1, 1e-40, -1e-40, 3.5, -3.5, Infinity, -Infinity, NaN];
const BOUNDS = [0, -0, 6, -6, Infinity, -Infinity];

/** What the program gives for the pairs of values, in all bits but those of a NaN. */
async function expectBits(build: (x: Node, y: Node) => Node, exact: (x: number, y: number) => number): Promise<void> {
  const pairs = VALUES.flatMap((x) => VALUES.map((y) => [x, y] as const));
  const c = new Cases(0);
  const [x, y] = [c.of(pairs.map(([a]) => a)), c.of(pairs.map(([, b]) => b))];
  const session = createWasmBackend().createSession();
  await session.allocate([stateOf(x), stateOf(y)]);
  for (const [state, value] of c.data) await session.write(state, value);
  const [output] = await session.run(await session.compile({ name: "bounds", outputs: [build(x, y)], updates: [] }));
  await session.close();
  expect([...(output?.data ?? [])]).toEqual(pairs.map(([a, b]) => exact(Math.fround(a), Math.fround(b))));
}

it("the larger and the smaller of two vectors keep a NaN and the sign of a zero", async () => {
  await expectBits(ops.maximum, Math.max);
  await expectBits(ops.minimum, Math.min);
});

it("so do those of a vector and a number, on either side", async () => {
  for (const bound of BOUNDS) {
    await expectBits(
      (x) => ops.maximum(x, bound),
      (x) => Math.max(x, bound),
    );
    await expectBits(
      (x) => ops.maximum(bound, x),
      (x) => Math.max(x, bound),
    );
    await expectBits(
      (x) => ops.minimum(x, bound),
      (x) => Math.min(x, bound),
    );
  }
});

it("so does the positive part of the largest of a window, which somebody else may want, too", async () => {
  await expectBits(
    (x, y) => {
      const most = ops.maximum(x, y);
      return ops.mul(most, ops.add(ops.relu(most), 1));
    },
    (x, y) => Math.max(x, y) * (Math.max(x, y, 0) + 1),
  );
  await expectBits(
    (x, y) => ops.relu(ops.maximum(ops.maximum(x, y), ops.neg(x))),
    (x, y) => Math.max(x, y, -x, 0),
  );
});
