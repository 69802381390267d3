/** Cases of whole models. */
import * as torte from "torte";
import type { Model } from "torte";
import type { ModelCase } from "./cases.js";
import { type BackendName, type Check, hostTensor, hostTensors, optionsOf, type Tolerance } from "./check.js";

const MODEL_LOSSES: Tolerance = { relative: 0, absolute: 1e-4 };
const MODEL_GRADIENTS: Tolerance = { relative: 0, absolute: 1e-5 };

function chapterModel(backend: BackendName): Model {
  const { conv1d, dense, embedding, flatten, input, maxPooling1d, sequential } = torte;
  return sequential(
    input({ shape: [200], dtype: "int32" }),
    embedding({ inputDim: 21, outputDim: 16 }),
    conv1d({ filters: 16, kernelSize: 5, activation: "relu" }),
    maxPooling1d({ poolSize: 4 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    conv1d({ filters: 16, kernelSize: 3, activation: "relu" }),
    maxPooling1d({ poolSize: 2 }),
    flatten(),
    dense({ units: 256, activation: "relu" }),
    dense({ units: 64, activation: "relu" }),
    dense({ units: 1, activation: "sigmoid" }),
    optionsOf(backend),
  );
}

export async function runModel(conformance: ModelCase, backend: BackendName, check: Check): Promise<void> {
  const model = chapterModel(backend);
  const [x, y] = [hostTensor(conformance.input, backend), hostTensor(conformance.target, backend)];
  model.compile({ optimizer: torte.adam(), loss: "binaryCrossentropy" });
  await model.setWeights(hostTensors(conformance.start, backend));
  const { weights } = await model.gradients({ x, y }, { training: true });
  for (const [name, expected] of Object.entries(conformance.firstGradients))
    check.array(`gradient of ${name}`, expected, weights[name], MODEL_GRADIENTS);
  for (const [name, expected] of Object.entries(conformance.firstGradientNorms)) {
    check.numbers(
      `gradient norm of ${name}`,
      [expected],
      [Math.hypot(...(weights[name]?.data ?? [NaN]))],
      MODEL_GRADIENTS,
    );
  }
  const { epochs } = await model.fit(
    { x, y },
    { epochs: conformance.losses.length, batchSize: y.shape[0] ?? 1, shuffle: false },
  );
  check.numbers(
    "losses",
    conformance.losses,
    epochs.map(({ loss = NaN }) => loss),
    MODEL_LOSSES,
  );
  await model.close();
}
