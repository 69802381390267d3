import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/gradient.js";
import { read } from "../graph/make.js";
import { type Program, State } from "../graph/node.js";
import { print } from "../graph/print.js";
import * as ops from "../ops/index.js";
import { compareBackends } from "../testing/compare.js";
import { mixKey, normalAt } from "../tensor/random.js";
import { sizeOf } from "../tensor/shape.js";
import { Tensor } from "../tensor/tensor.js";
import { AFTER_GRADIENT, BEFORE_GRADIENT, runPasses } from "./pipeline.js";

/** One gradient step of a small convolution over embedded tokens. */
function step(lookup: boolean): { program: Program; states: State[] } {
  const states = {
    tokens: new State("tokens", [2, 17], "int32"),
    table: new State("embedding.embeddings", [5, 3], "float32"),
    kernel: new State("conv1d.kernel", [3, 3, 4], "float32"),
    second: new State("conv1d_1.kernel", [2, 4, 3], "float32"),
  };
  const [table, kernel, second] = [read(states.table), read(states.kernel), read(states.second)];
  const window = (size: number) => ({ axis: 1, size: [size], stride: [1], dilation: [1] });
  const looked = ops.withOrigin("embedding", () => ops.gather(table, read(states.tokens)));
  const first = ops.withOrigin("conv1d", () =>
    ops.relu(ops.einsum("bokc,kcf->bof", ops.windows(looked, window(3)), kernel)),
  );
  const next = ops.withOrigin("conv1d_1", () =>
    ops.tanh(ops.einsum("bokc,kcf->bof", ops.windows(first, window(2)), second)),
  );
  const forward: Program = { name: "forward", outputs: [ops.sum(next)], updates: [] };
  const [total = next] = (lookup ? runPasses(forward, BEFORE_GRADIENT) : forward).outputs;
  const parts = gradients(total, [table, kernel, second]);
  const updates = [states.table, states.kernel, states.second].map((state, i) => ({
    state,
    value: ops.sub(read(state), ops.mul(parts[i] ?? total, 0.1)),
  }));
  return { program: { name: "step", outputs: [total], updates }, states: Object.values(states) };
}

function contents(states: readonly State[]): Map<State, Tensor> {
  return new Map(
    states.map((state, i) => {
      const key = mixKey(1, i, 0);
      const n = sizeOf(state.shape);
      const data =
        state.dtype === "int32"
          ? Int32Array.from({ length: n }, (_, k) => (k * 3) % 5)
          : Float32Array.from({ length: n }, (_, k) => normalAt(key, k));
      return [state, new Tensor(data, state.shape, state.dtype)];
    }),
  );
}

describe("passes", () => {
  it("print the same as before, step by step", () => {
    const seen: string[] = [];
    runPasses(step(true).program, AFTER_GRADIENT, (name, program) => seen.push(`--- ${name}\n${print(program)}`));
    expect(seen.join("\n\n")).toMatchSnapshot();
  });

  it("keep what the program computes", async () => {
    for (const lookup of [false, true]) {
      const { program, states } = step(lookup);
      await compareBackends(program, contents(states), { steps: 3 });
    }
  });

  it("leave no fold and no lookup of vectors in the step", () => {
    const text = print(runPasses(step(true).program, AFTER_GRADIENT));
    expect(text).not.toContain("= fold");
    expect(text).not.toContain("float32(2, 15, 3, 3)");
  });
});
