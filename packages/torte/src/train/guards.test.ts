import "../names.js";
import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../backends/reference/index.js";
import type { LayerFunction } from "../nn/layer.js";
import * as layers from "../nn/layers/index.js";
import { input } from "../nn/network.js";
import * as ops from "../ops/index.js";
import { adam } from "../optim/adam.js";
import { tensor } from "../tensor/tensor.js";
import { sequential } from "./sequential.js";
import { TrainingSetup } from "./training-setup.js";
import { isGuarded } from "./guards.js";
import { readObjective } from "./objective.js";
import { predictProgram, trainProgram } from "./programs.js";
import { ResidentData } from "./resident.js";
import { atOnce } from "../turns.js";

const { conv1d, dense, embedding, flatten, globalAveragePooling1d, lambda } = layers;

async function guarded(
  dtype: "float32" | "int32",
  shape: readonly number[],
  ...list: LayerFunction[]
): Promise<boolean[]> {
  const { network } = sequential(input({ shape, dtype }), ...list);
  const objective = readObjective(network, { loss: "meanSquaredError" });
  const compiled = new TrainingSetup(objective, adam());
  const x = tensor(new Int32Array(4 * shape.reduce((a, b) => a * b, 1)), { shape: [4, ...shape], dtype });
  const y = tensor(new Float32Array(4), { shape: [4, 1] });
  const session = createReferenceBackend().createSession();
  const check = { purpose: session, run: () => undefined };
  const data = await new ResidentData(session, [dtype], () => undefined).load(
    "d",
    { x: [x], y: [y] },
    Int32Array.of(0, 1, 2, 3),
    check,
  );
  return [trainProgram(compiled, data, 2), predictProgram(network, data, 2)].map((steps) => isGuarded(atOnce(steps)));
}

const tokens = (): LayerFunction => embedding({ inputDim: 9, outputDim: 4, maskZero: true });

describe("programs", () => {
  it.each<[string, () => Promise<boolean[]>]>([
    ["of floats", () => guarded("float32", [6], dense({ units: 1 }))],
    ["of tokens", () => guarded("int32", [12], tokens(), globalAveragePooling1d(), dense({ units: 1 }))],
    [
      "of tokens that are convolved",
      () =>
        guarded(
          "int32",
          [12],
          embedding({ inputDim: 9, outputDim: 4 }),
          conv1d({ filters: 8, kernelSize: 5, padding: "same" }),
          flatten(),
          dense({ units: 1 }),
        ),
    ],
    [
      "of blocks",
      () =>
        guarded(
          "int32",
          [12],
          layers.block("b", [tokens(), conv1d({ filters: 8, kernelSize: 3 })]),
          layers.globalMaxPooling1d(),
          dense({ units: 1 }),
        ),
    ],
  ])("pay for no guards where indices are known: %s", async (_, make) => {
    expect(await make()).toEqual([false, false]);
  });

  it("have guards where an index is computed", async () => {
    const computed = lambda((x) => ops.mul(x, 1));
    expect(
      await guarded("int32", [12], computed, embedding({ inputDim: 9, outputDim: 4 }), flatten(), dense({ units: 1 })),
    ).toEqual([true, true]);
  });
});
