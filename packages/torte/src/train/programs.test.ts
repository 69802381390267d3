import { describe, expect, it } from "vitest";
import { createReferenceBackend } from "../backends/reference/index.js";
import { createWasmBackend } from "../backends/wasm/session.js";
import { dense } from "../nn/layers/index.js";
import { input } from "../nn/network.js";
import { meanSquaredError } from "../losses/regression.js";
import { adam } from "../optim/adam.js";
import { tensor } from "../tensor/tensor.js";
import { sequential } from "./sequential.js";
import { TrainingSetup } from "./training-setup.js";
import { allTrainingStates, trainProgram } from "./programs.js";
import { ResidentData } from "./resident.js";
import { atOnce } from "../turns.js";

describe.each([createWasmBackend(), createReferenceBackend()])("a training step, $name", (backend) => {
  it("counts beyond 2²⁴, where float32 would stop", async () => {
    const session = backend.createSession();
    const { network } = sequential(input({ shape: [1] }), dense({ units: 1 }));
    const goals = [{ name: "dense", output: 0, loss: meanSquaredError(), weight: 1, metrics: [] }];
    const compiled = new TrainingSetup({ network, goals }, adam());
    const { step } = compiled.states.optimizer;
    const weights = [...network.weights.values()].map(({ state }) => state);
    await session.allocate([...weights, ...allTrainingStates(compiled.states)]);
    const columns = { x: [tensor([[1]])], y: [tensor([[2]])] };
    const data = await new ResidentData(session, ["float32"], () => undefined).load(
      "train",
      columns,
      Int32Array.of(0),
      { purpose: backend, run: () => undefined },
    );
    await session.write(step, tensor(Int32Array.of(2 ** 24), { shape: [] }));
    await session.run(await session.compile(atOnce(trainProgram(compiled, data, 1))));
    expect([...(await session.read(step)).data]).toEqual([2 ** 24 + 1]);
    await session.close();
  });
});
